// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What differs between the versions of the wire format for whoever drives an upload: which receiver
// of the core has it, and how that is called. State, limits, time-outs and the ends are
// UploadLife's in both.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/channel_output.h"
#include "core/control.h"
#include "core/upload_life.h"

namespace webrtcupload {

enum class WireVersion { kV1, kV2 };

// Of a channel whose `protocol` field is this. All but v2's is v1.
[[nodiscard]] WireVersion version_of(std::string_view protocol);
// "v1", "v2".
[[nodiscard]] const char* to_string(WireVersion version);

// Which of them are spoken: bits, as the property `protocols` has them.
inline constexpr unsigned kAllVersions = 3;
[[nodiscard]] constexpr bool speaks(unsigned versions, WireVersion version) {
  return (versions & (version == WireVersion::kV1 ? 1U : 2U)) != 0;
}

// What the statistics have of v2 only.
struct V2Facts {
  std::string name;
  std::string content_type;
  // Channels that have joined.
  unsigned connections = 0;
  std::optional<Sha256Sum> sha256;
};

// Called under the upload's mutex, as its receiver is. After each call that gives an action, and
// each that tells of a channel, take_outputs() has what is to be sent and closed.
class UploadProtocol {
 public:
  virtual ~UploadProtocol() = default;

  [[nodiscard]] virtual WireVersion version() const = 0;
  // With this receiver's state another one, for whoever goes on. This one still says how far it
  // came.
  [[nodiscard]] virtual std::unique_ptr<UploadLife> hand_over() = 0;

  // The channel is open, or has brought a message.
  virtual void channel_opened(ChannelId channel, TimePoint now) = 0;
  [[nodiscard]] virtual Action channel_closed(ChannelId channel, const std::string& why,
                                              TimePoint now) = 0;
  // Bytes of the channel that are not handed in yet, counted_bytes() of each message.
  [[nodiscard]] virtual Action waiting(ChannelId channel, std::uint64_t bytes, TimePoint now) = 0;
  [[nodiscard]] virtual Action receive(ChannelId channel, const Message& message,
                                       TimePoint now) = 0;

  // Answers to the action just given out.
  [[nodiscard]] virtual Action authorized(bool allowed, TimePoint now) = 0;
  [[nodiscard]] virtual Action control(const Result<std::optional<ControlMessage>>& message) = 0;
  [[nodiscard]] virtual Action compared(bool equal) = 0;
  [[nodiscard]] virtual Action stored(TimePoint now) = 0;
  [[nodiscard]] virtual Action hashed(ByteView bytes) = 0;

  [[nodiscard]] virtual Action tick(TimePoint now) = 0;
  [[nodiscard]] virtual std::optional<TimePoint> deadline() const = 0;
  // The upload goes on no more, whatever it has come to: peers are told why.
  virtual void dismiss(const Error& why) = 0;
  [[nodiscard]] virtual std::vector<Output> take_outputs() = 0;

  [[nodiscard]] virtual std::optional<V2Facts> facts() const = 0;
};

// A receiver of this version. Fails where the system has no SHA-256, or no random bits.
[[nodiscard]] Result<std::unique_ptr<UploadLife>> make_receiver(WireVersion version,
                                                                const Limits& limits,
                                                                TimeBegins time_begins);
// How such a one is called; it has to live as long.
[[nodiscard]] std::unique_ptr<UploadProtocol> make_protocol(WireVersion version,
                                                            UploadLife& receiver);

}  // namespace webrtcupload
