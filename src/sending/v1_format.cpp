// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v1: numbered chunks, and a keepalive after the last one.

#include <chrono>

#include "core/chunk_sender.h"
#include "glib/debug.h"
#include "sending/sending_format.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace webrtcupload {
namespace {

class V1Format final : public SendingFormat {
 public:
  explicit V1Format(const SenderSettings& settings) : settings_(settings) {}

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

  GstFlowReturn send(Host& host, ByteView data) override {
    SenderChannel& channel = host.channel();
    while (!data.empty()) {
      const auto taken = sender_->feed(data);
      if (!taken) return host.fail(taken.error());
      data = data.subspan(taken.value());
      if (!sender_->message_ready()) continue;

      const std::uint64_t message_size = sender_->message_size();
      const GstFlowReturn flow =
          host.until_done([&] { return channel.wait_room(message_size, settings_.buffer_limit); });
      if (flow != GST_FLOW_OK) return flow;
      std::string problem;
      if (!channel.send(sender_->take_message(), problem)) return host.peer_gone(problem);
      host.note_progress();
    }
    return GST_FLOW_OK;
  }

  bool finished() const override { return sender_->finished(); }
  std::optional<Error> end() override { return sender_->end(); }

  GstFlowReturn complete(Host& host) override {
    SenderChannel& channel = host.channel();
    if (const GstFlowReturn flow = host.until_done([&] { return channel.wait_drained(); });
        flow != GST_FLOW_OK) {
      return flow;
    }
    GST_DEBUG_OBJECT(host.element(), "the data channel has drained");
    if (!settings_.confirm) return GST_FLOW_OK;
    GST_DEBUG_OBJECT(host.element(), "the peer has %.3g s to confirm",
                     std::chrono::duration<double>(settings_.confirm_timeout).count());
    bool timed_out = false;
    const GstFlowReturn flow = host.until_done(
        [&] { return channel.wait_confirmed(settings_.confirm_timeout); }, &timed_out);
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

 private:
  const SenderSettings settings_;
  std::optional<ChunkSender> sender_;
  bool confirmed_ = false;
};

}  // namespace

std::unique_ptr<SendingFormat> make_v1_format(const SenderSettings& settings) {
  return std::make_unique<V1Format>(settings);
}

}  // namespace webrtcupload
