// SPDX-License-Identifier: LGPL-2.1-or-later

#include "attacks.h"

#include <cstdint>

namespace webrtcupload::test {
namespace {

// Until the server closes the channel, which it may do at any time.
void send_texts(GstWebRTCDataChannel* channel, int count, const std::string& text) {
  for (int i = 0; i < count && send_text(channel, text); ++i) continue;
}

bool chunk(const WorkerClient& client, std::uint32_t index, std::uint32_t total, std::size_t size,
           std::uint32_t seed = 1) {
  return send_chunk(client.upload_channel(), index, total, random_bytes(size, seed));
}

bool short_message(WorkerClient& client) { return send_bytes(client.upload_channel(), Bytes(3)); }

bool texts(WorkerClient& client) {
  send_texts(client.results_channel(), 500, std::string(1000, '{'));
  send_texts(client.upload_channel(), 50, std::string(60'000, 'x'));
  return true;
}

bool keepalives(WorkerClient& client) {
  for (int i = 0; i < 5000 && send_bytes(client.upload_channel(), Bytes{1}); ++i) continue;
  return true;
}

bool channels(WorkerClient& client) {
  for (int i = 0; i < 80; ++i) {
    if (!client.open("video_upload")) return false;
  }
  return true;
}

bool another_total(WorkerClient& client) {
  return chunk(client, 0, 3, 1000) && chunk(client, 1, 4, 1000);
}

bool acknowledgements_and_conflict(WorkerClient& client) {
  for (const char* ack :
       {R"({"ack": 1})", R"({"ack": 4294967295})", R"({"ack": 99999999999999999999})",
        R"({"ack": -1})", R"({"ack": 1e300})", R"({"ack": [1]})", R"({"ack")", "null", "[]",
        R"({"data_output": 7, "stream_output": {}})"}) {
    send_texts(client.results_channel(), 200, ack);
  }
  return chunk(client, 2, 3, 1000) && chunk(client, 2, 3, 1000, 2);
}

bool too_many_chunks(WorkerClient& client) { return chunk(client, 0, G_MAXUINT32, 1); }

// What announces all that there may be.
bool first_of_many(const WorkerClient& client) {
  return chunk(client, 0, 300, 65'000) && client.wait_stored();
}

bool reserve_and_hang_up(WorkerClient& client) {
  const bool stored = first_of_many(client);
  client.hang_up();
  return stored;
}

bool reserve_and_vanish(WorkerClient& client) {
  const bool stored = first_of_many(client);
  client.vanish();
  return stored;
}

bool too_large(WorkerClient& client) {
  const Bytes payload = random_bytes(65'000);
  for (std::uint32_t i = 0; i < 400; ++i) {
    if (!send_chunk(client.upload_channel(), i, 400, payload)) break;
  }
  return true;
}

bool no_video(WorkerClient& client) {
  return chunk(client, 1, 2, 50'000, 7) && chunk(client, 0, 2, 50'000, 8);
}

}  // namespace

std::vector<Attack> attacks() {
  return {
      {"short message", short_message, {"malformed-message"}},
      {"texts over both channels", texts, {"malformed-message"}},
      {"keepalives and nothing else", keepalives, {"idle-timeout"}},
      {"channels", channels, {"too-many-channels"}},
      {"another total", another_total, {"total-changed"}},
      {"acknowledgements of what was never sent, and a conflict",
       acknowledgements_and_conflict,
       {"conflicting-chunk"}},
      {"more chunks than there may be", too_many_chunks, {"too-many-chunks"}},
      {"a chunk that announces all there may be, and the end of the connection",
       reserve_and_hang_up,
       {"peer-gone"}},
      {"a chunk, and no word more", reserve_and_vanish, {"idle-timeout", "peer-gone"}},
      {"a larger file than there may be", too_large, {"too-large"}},
      {"no video", no_video, {"not-a-video", "processing-failed"}},
  };
}

}  // namespace webrtcupload::test
