// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_protocol.h"

#include <sys/random.h>
#include <utility>

#include "core/receiver.h"
#include "core/v2_receiver.h"
#include "core/wire_v1.h"
#include "core/wire_v2.h"

namespace webrtcupload {
namespace {

class V1Protocol final : public UploadProtocol {
 public:
  explicit V1Protocol(Receiver& receiver) : receiver_(receiver) {}

  WireVersion version() const override { return WireVersion::kV1; }
  std::unique_ptr<UploadLife> hand_over() override {
    return std::make_unique<Receiver>(std::move(receiver_));
  }

  void channel_opened(ChannelId, TimePoint now) override { receiver_.channel_opened(now); }
  Action channel_closed(ChannelId, const std::string& why, TimePoint) override {
    const ReceiverStatistics& statistics = receiver_.statistics();
    std::string message = why + " after " + std::to_string(statistics.chunks) + " chunks";
    if (statistics.chunks_announced > 0) {
      message += " of " + std::to_string(statistics.chunks_announced);
    }
    return receiver_.fail({ErrorCode::kPeerGone, std::move(message)});
  }
  // The gate in front of SCTP bounds what waits.
  Action waiting(ChannelId, std::uint64_t, TimePoint) override { return action::Nothing{}; }
  Action receive(ChannelId, const Message& message, TimePoint now) override {
    return receiver_.receive(message, now);
  }

  Action authorized(bool allowed, TimePoint) override { return receiver_.authorized(allowed); }
  Action control(const Result<std::optional<ControlMessage>>&) override {
    return action::Nothing{};
  }
  Action compared(bool equal) override { return receiver_.compared(equal); }
  Action stored(TimePoint now) override {
    receiver_.stored(now);
    return action::Nothing{};
  }
  Action hashed(ByteView) override { return action::Nothing{}; }

  Action tick(TimePoint now) override { return receiver_.tick(now); }
  std::optional<TimePoint> deadline() const override { return receiver_.deadline(); }
  // v1 has no words for it.
  void dismiss(const Error&) override {}
  std::vector<Output> take_outputs() override { return {}; }

  std::optional<V2Facts> facts() const override { return std::nullopt; }

 private:
  Receiver& receiver_;
};

class V2Protocol final : public UploadProtocol {
 public:
  explicit V2Protocol(V2Receiver& receiver) : receiver_(receiver) {}

  WireVersion version() const override { return WireVersion::kV2; }
  std::unique_ptr<UploadLife> hand_over() override {
    handed_over_ = facts();
    return std::make_unique<V2Receiver>(std::move(receiver_));
  }

  void channel_opened(ChannelId channel, TimePoint now) override {
    receiver_.channel_opened(channel, now);
  }
  Action channel_closed(ChannelId channel, const std::string& why, TimePoint now) override {
    return receiver_.channel_closed(channel, why, now);
  }
  Action waiting(ChannelId channel, std::uint64_t bytes, TimePoint now) override {
    return receiver_.waiting(channel, bytes, now);
  }
  Action receive(ChannelId channel, const Message& message, TimePoint now) override {
    return receiver_.receive(channel, message, now);
  }

  Action authorized(bool allowed, TimePoint now) override {
    return receiver_.authorized(allowed, now);
  }
  Action control(const Result<std::optional<ControlMessage>>& message) override {
    return receiver_.control(message);
  }
  Action compared(bool equal) override { return receiver_.compared(equal); }
  Action stored(TimePoint now) override { return receiver_.stored(now); }
  Action hashed(ByteView bytes) override { return receiver_.hashed(bytes); }

  Action tick(TimePoint now) override { return receiver_.tick(now); }
  std::optional<TimePoint> deadline() const override { return receiver_.deadline(); }
  void dismiss(const Error& why) override { receiver_.dismiss_channels(why); }
  std::vector<Output> take_outputs() override { return receiver_.take_outputs(); }

  std::optional<V2Facts> facts() const override {
    if (handed_over_) return handed_over_;
    const UploadRequest& request = receiver_.request();
    return V2Facts{.name = request.name,
                   .content_type = request.content_type,
                   .connections = static_cast<unsigned>(receiver_.connections()),
                   .sha256 = receiver_.sha256()};
  }

 private:
  V2Receiver& receiver_;
  // What the facts were when another one got them.
  std::optional<V2Facts> handed_over_;
};

Result<UploadId> draw_id() {
  UploadId::Bytes bytes;
  // So few bytes come at once or not at all.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error{ErrorCode::kStorageFailed, "the system gives no random bits"};
  }
  return UploadId(bytes);
}

}  // namespace

WireVersion version_of(std::string_view protocol) {
  return protocol == kV2Protocol ? WireVersion::kV2 : WireVersion::kV1;
}

const char* to_string(WireVersion version) { return version == WireVersion::kV1 ? "v1" : "v2"; }

Result<std::unique_ptr<UploadLife>> make_receiver(WireVersion version, const Limits& limits,
                                                  TimeBegins time_begins) {
  if (version == WireVersion::kV1) {
    return std::unique_ptr<UploadLife>(
        std::make_unique<Receiver>(limits, std::make_unique<V1Parser>(), time_begins));
  }
  auto id = draw_id();
  if (!id) return id.error();
  auto hash = Sha256::create();
  if (!hash) return hash.error();
  return std::unique_ptr<UploadLife>(std::make_unique<V2Receiver>(
      limits, id.value(), std::make_unique<V2Parser>(), std::move(hash.value()), time_begins));
}

std::unique_ptr<UploadProtocol> make_protocol(WireVersion version, UploadLife& receiver) {
  if (version == WireVersion::kV1) {
    return std::make_unique<V1Protocol>(static_cast<Receiver&>(receiver));
  }
  return std::make_unique<V2Protocol>(static_cast<V2Receiver&>(receiver));
}

}  // namespace webrtcupload
