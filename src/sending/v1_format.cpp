// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v1: numbered chunks, and a keepalive after the last one.

#include <chrono>
#include <utility>

#include "core/chunk_sender.h"
#include "glib/debug.h"
#include "sending/sending_format.h"
#include "webrtc/channel_owner.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace webrtcupload {
namespace {

class V1Format final : public SendingFormat {
 public:
  V1Format(const SenderSettings& settings, FirstChannel first, std::shared_ptr<Bell> bell)
      : settings_(settings),
        is_ours_(first.is_ours),
        channel_(std::move(first.channel), std::move(first.webrtcbin), std::move(bell)) {}

  std::optional<Error> begin(std::optional<std::uint64_t> size) override {
    if (!size) {
      return Error{ErrorCode::kUnknownSize,
                   "upstream does not know how many bytes it will deliver, and the receiver has to "
                   "be told with the first chunk: send from a file (filesrc), or set the property "
                   "\"size\""};
    }
    auto sender = ChunkSender::create(*size, settings_.chunk_size);
    if (!sender) return sender.error();
    sender_ = sender.value();
    return std::nullopt;
  }

  GstFlowReturn open(Host& host) override {
    if (open_) return GST_FLOW_OK;
    const GstFlowReturn flow = host.until_done([this] { return channel_.wait_open(); });
    if (flow != GST_FLOW_OK) return flow;
    GST_DEBUG_OBJECT(host.element(), "the data channel is open");
    const PeerTrust trust = host.trust_of(channel_);
    if (trust == PeerTrust::kWebrtcbinHasGone) return host.peer_gone(kOwnerHasGone);
    if (trust != PeerTrust::kTrusted) {
      return host.fail({ErrorCode::kUntrustedPeer, to_string(trust)});
    }
    open_ = true;
    return GST_FLOW_OK;
  }

  GstFlowReturn send(Host& host, ByteView data) override {
    while (!data.empty()) {
      const auto taken = sender_->feed(data);
      if (!taken) return host.fail(taken.error());
      data = data.subspan(taken.value());
      if (!sender_->message_ready()) continue;

      const std::uint64_t message_size = sender_->message_size();
      const GstFlowReturn flow =
          host.until_done([&] { return channel_.wait_room(message_size, settings_.buffer_limit); });
      if (flow != GST_FLOW_OK) return flow;
      std::string problem;
      if (!channel_.send(sender_->take_message(), problem)) return host.peer_gone(problem);
      host.note_progress();
    }
    return GST_FLOW_OK;
  }

  bool finished() const override { return sender_->finished(); }
  std::optional<Error> end() override { return sender_->end(); }

  GstFlowReturn complete(Host& host) override {
    if (const GstFlowReturn flow = host.until_done([&] { return channel_.wait_drained(); });
        flow != GST_FLOW_OK) {
      return flow;
    }
    GST_DEBUG_OBJECT(host.element(), "the data channel has drained");
    if (!settings_.confirm) return GST_FLOW_OK;
    GST_DEBUG_OBJECT(host.element(), "the peer has %.3g s to confirm",
                     std::chrono::duration<double>(settings_.confirm_timeout).count());
    bool timed_out = false;
    const GstFlowReturn flow = host.until_done(
        [&] { return channel_.wait_confirmed(settings_.confirm_timeout); }, &timed_out);
    confirmed_ = flow == GST_FLOW_OK && !timed_out;
    return flow;
  }

  Figures figures() const override {
    return {.size = sender_->size(),
            .bytes = sender_->taken_bytes(),
            .chunks = sender_->taken_chunks(),
            .total_chunks = sender_->total_chunks(),
            .confirmed = confirmed_};
  }

  std::string why_gone() const override { return channel_.why_gone(); }

  std::uint64_t buffered_amount() const override { return channel_.buffered_amount(); }
  bool attach(GstElement*, const std::string&, std::string& problem) override {
    problem = "the upload is in wire format v1, which has one connection";
    return false;
  }
  void close() override {
    if (is_ours_) channel_.close();
  }
  // v1 cannot say "I give up" but by closing the channel, whoever made it.
  void abandon(const std::string&) override {
    channel_.drop();
    channel_.abandon(Bell::Clock::now() + SenderChannel::kPatience);
  }

 private:
  const SenderSettings settings_;
  const bool is_ours_;
  SenderChannel channel_;
  bool open_ = false;
  std::optional<ChunkSender> sender_;
  bool confirmed_ = false;
};

}  // namespace

std::unique_ptr<SendingFormat> make_v1_format(const SenderSettings& settings, FirstChannel first,
                                              std::shared_ptr<Bell> bell) {
  return std::make_unique<V1Format>(settings, std::move(first), std::move(bell));
}

}  // namespace webrtcupload
