// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients of wire format v2 over real data channels: one that keeps the rules, made of the core's
// V2Sender, and what is needed for one that does not.

#pragma once

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/control.h"
#include "core/v2_sender.h"
#include "json/control_reader.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

// A channel for v2, as the pair makes them.
GstPtr<GstWebRTCDataChannel> create_v2(PeerPair& pair, const char* label);

// Over a pair that is not connected yet, and over one that is. Open on return.
PeerPair::Channel connect_v2(PeerPair& pair);
PeerPair::Channel open_v2(PeerPair& pair, const char* label = "video_upload");

// As `sha256sum` prints it; not computed by the code that is tested.
std::string sha256_of(const Bytes& file);

[[nodiscard]] bool say(GstWebRTCDataChannel* channel, const ControlMessage& message);
// The bytes of `file` from `begin` up to `end`, or to its end.
[[nodiscard]] Bytes block_of(const Bytes& file, std::uint64_t begin, std::uint64_t end);
[[nodiscard]] bool send_block(GstWebRTCDataChannel* channel, const Bytes& file, std::uint64_t begin,
                              std::uint64_t end);
control::Hello hello_of(const Bytes& file);

// The messages of that kind that have come over the channel.
template <typename Kind>
std::vector<Kind> all_of(const ChannelObserver& observer) {
  std::vector<Kind> found;
  for (const ChannelObserver::Message& message : observer.messages()) {
    if (!message.is_text) continue;
    const auto read =
        read_control({reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()});
    if (!read || !read.value()) continue;
    if (const auto* kind = std::get_if<Kind>(&*read.value())) found.push_back(*kind);
  }
  return found;
}
// The first of them, waited for.
template <typename Kind>
std::optional<Kind> wait_for(const ChannelObserver& observer,
                             std::chrono::milliseconds deadline = kDeadline) {
  std::vector<Kind> found;
  static_cast<void>(eventually(
      [&] {
        found = all_of<Kind>(observer);
        return !found.empty();
      },
      deadline));
  return found.empty() ? std::nullopt : std::optional(found.front());
}
// The last of those that have come so far.
template <typename Kind>
std::optional<Kind> last_of(const ChannelObserver& observer) {
  const auto found = all_of<Kind>(observer);
  return found.empty() ? std::nullopt : std::optional(found.back());
}

// Runs on the test's thread, whenever that waits.
class V2Client {
 public:
  struct Options {
    bool knows_size = true;
    bool names_hash = true;
    std::uint32_t block_size = 16'000;
    // How much of the file is sent before send_all() is called.
    std::uint64_t first = UINT64_MAX;
    std::string name = "film.mp4";
    std::string content_type = "video/mp4";
  };

  explicit V2Client(Bytes file) : V2Client(std::move(file), Options()) {}
  V2Client(Bytes file, Options options);

  // Sends over it from now on.
  ChannelId add(const PeerPair::Channel& channel);
  void lose(ChannelId channel);
  void send_all();

  // Goes on until `until` holds. False when the deadline passed.
  bool run(const std::function<bool()>& until, std::chrono::milliseconds deadline = kDeadline);
  bool run_to_end() {
    return run([this] { return sender_.ended(); });
  }
  // Until the server has said so.
  bool run_until_stored(std::uint64_t bytes) {
    return run([this, bytes] { return sender_.stored() >= bytes; });
  }

  [[nodiscard]] const V2Sender& sender() const { return sender_; }
  [[nodiscard]] V2Sender& sender() { return sender_; }
  [[nodiscard]] std::string done_sha256() const;

 private:
  struct Link {
    std::shared_ptr<ChannelObserver> channel;
    std::size_t read = 0;
  };

  bool step();
  bool read(ChannelId id, Link& link);
  bool send(ChannelId id, Link& link);
  void put_out();

  const Bytes file_;
  const Options options_;
  V2Sender sender_;
  std::map<ChannelId, Link> links_;
  ChannelId last_ = 0;
};

}  // namespace webrtcupload::test
