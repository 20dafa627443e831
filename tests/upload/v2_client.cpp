// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/v2_client.h"

#include <algorithm>
#include <utility>

#include "core/wire_v2.h"
#include "glib/glib_ptr.h"
#include "json/control_writer.h"

namespace webrtcupload::test {

GstPtr<GstWebRTCDataChannel> create_v2(PeerPair& pair, const char* label) {
  const GstStructurePtr options(
      gst_structure_new("options", "protocol", G_TYPE_STRING, kV2Protocol, nullptr));
  return pair.create_channel(label, PeerPair::Side::kOfferer, options.get());
}

namespace {

// Waits in the channel at most.
constexpr std::uint64_t kBuffered = 256 * 1024;

PeerPair::Channel make_channel(PeerPair& pair, const char* label) {
  PeerPair::Channel made;
  made.channel = create_v2(pair, label);
  if (made.channel) made.observer = std::make_shared<ChannelObserver>(made.channel.get());
  return made;
}

control::Hello first_hello(const Bytes& file, const V2Client::Options& options) {
  control::Hello hello = hello_of(file);
  hello.name = options.name;
  hello.content_type = options.content_type;
  if (!options.knows_size) hello.size.reset();
  if (!options.names_hash || !options.knows_size) hello.sha256.reset();
  hello.nonce = UploadId::parse("00112233445566778899aabbccddeeff");
  return hello;
}

}  // namespace

PeerPair::Channel connect_v2(PeerPair& pair) {
  EXPECT_TRUE(pair.start());
  auto made = make_channel(pair, "video_upload");
  if (!made.channel) return {};
  EXPECT_TRUE(pair.negotiate());
  EXPECT_TRUE(made.observer->wait_open());
  return made;
}

PeerPair::Channel open_v2(PeerPair& pair, const char* label) {
  auto made = make_channel(pair, label);
  if (!made.channel) return {};
  EXPECT_TRUE(made.observer->wait_open());
  return made;
}

std::string sha256_of(const Bytes& file) {
  const GCharPtr sum(g_compute_checksum_for_data(G_CHECKSUM_SHA256, file.data(), file.size()));
  return sum.get();
}

control::Hello hello_of(const Bytes& file) {
  return {.size = file.size(), .sha256 = parse_sha256(sha256_of(file))};
}

bool say(GstWebRTCDataChannel* channel, const ControlMessage& message) {
  return send_text(channel, write_control(message));
}

Bytes block_of(const Bytes& file, std::uint64_t begin, std::uint64_t end) {
  const ByteView payload =
      ByteView(file).subspan(begin, std::min<std::uint64_t>(end, file.size()) - begin);
  Bytes message(kV2HeaderSize + payload.size());
  encode_v2_header(begin, payload,
                   std::span<std::uint8_t, kV2HeaderSize>(message.data(), kV2HeaderSize));
  std::ranges::copy(payload, message.begin() + kV2HeaderSize);
  return message;
}

bool send_block(GstWebRTCDataChannel* channel, const Bytes& file, std::uint64_t begin,
                std::uint64_t end) {
  return send_bytes(channel, block_of(file, begin, end));
}

V2Client::V2Client(Bytes file, Options options)
    : file_(std::move(file)),
      options_(std::move(options)),
      sender_(first_hello(file_, options_), options_.block_size) {
  if (options_.first < file_.size()) {
    sender_.available(options_.first);
  } else {
    send_all();
  }
}

ChannelId V2Client::add(const PeerPair::Channel& channel) {
  links_[++last_] = {channel.observer};
  sender_.channel_opened(last_);
  return last_;
}

void V2Client::lose(ChannelId channel) {
  links_.erase(channel);
  sender_.channel_lost(channel);
}

void V2Client::send_all() {
  sender_.available(file_.size());
  if (options_.knows_size && options_.names_hash) return;
  std::optional<Sha256Sum> sum;
  if (options_.names_hash) sum = parse_sha256(sha256_of(file_));
  sender_.end(file_.size(), sum);
}

bool V2Client::run(const std::function<bool()>& until, std::chrono::milliseconds deadline) {
  return eventually(
      [&] {
        while (step()) {
          if (until()) return true;
        }
        return until();
      },
      deadline);
}

bool V2Client::step() {
  bool moved = false;
  put_out();
  for (auto& [id, link] : links_) moved = read(id, link) || moved;
  put_out();
  for (auto& [id, link] : links_) moved = send(id, link) || moved;
  return moved;
}

bool V2Client::read(ChannelId id, Link& link) {
  if (link.channel->message_count() == link.read) return false;
  const auto messages = link.channel->messages();
  for (; link.read < messages.size(); ++link.read) {
    const Bytes& text = messages[link.read].bytes;
    const auto message = read_control({reinterpret_cast<const char*>(text.data()), text.size()});
    if (message && message.value()) {
      sender_.received(id, *message.value());
    } else {
      ADD_FAILURE() << std::string(text.begin(), text.end());
    }
  }
  return true;
}

bool V2Client::send(ChannelId id, Link& link) {
  if (link.channel->buffered_amount() > kBuffered) return false;
  const auto range = sender_.next(id);
  if (!range) return false;
  EXPECT_TRUE(send_block(link.channel->channel(), file_, range->begin, range->end));
  return true;
}

void V2Client::put_out() {
  for (const Output& output : sender_.take_outputs()) {
    const auto to = links_.find(output.channel);
    if (to == links_.end()) continue;
    GstWebRTCDataChannel* channel = to->second.channel->channel();
    if (output.message) {
      EXPECT_TRUE(say(channel, *output.message));
    } else {
      gst_webrtc_data_channel_close(channel);
      links_.erase(to);
    }
  }
}

std::string V2Client::done_sha256() const {
  return sender_.done() ? to_hex(sender_.done()->sha256) : "";
}

}  // namespace webrtcupload::test
