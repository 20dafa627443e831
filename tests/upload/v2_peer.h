// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The receiving side of one upload in wire format v2 over a real channel: the core's receiver,
// which stores in memory, on a thread of its own.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/control.h"
#include "core/error.h"
#include "core/upload_limits.h"
#include "support/wait.h"

namespace webrtcupload::test {

class V2Peer {
 public:
  struct Options {
    Limits limits;
    bool authorizes = true;
    // How long each block takes: a slow disk.
    std::chrono::milliseconds pace{0};
  };

  // Before anything can arrive.
  V2Peer(GstWebRTCDataChannel* channel, const Options& options);
  explicit V2Peer(GstWebRTCDataChannel* channel) : V2Peer(channel, Options()) {}
  ~V2Peer();
  V2Peer(const V2Peer&) = delete;
  V2Peer& operator=(const V2Peer&) = delete;

  // What arrives waits until `held` is false again.
  void hold(bool held);
  // The upload fails, as if its application or a time-out wanted that.
  void fail(ErrorCode code);

  // Each false when the deadline passed.
  bool wait_payload(std::uint64_t bytes, std::chrono::milliseconds deadline = kDeadline);
  template <typename Kind>
  bool wait_said() {
    return wait([](const ControlMessage& said) { return std::holds_alternative<Kind>(said); });
  }

  // All that came, one after the other, whatever it was.
  [[nodiscard]] std::vector<ControlMessage> said() const;
  template <typename Kind>
  [[nodiscard]] std::vector<Kind> said_of() const {
    std::vector<Kind> found;
    for (const ControlMessage& message : said()) {
      if (const auto* kind = std::get_if<Kind>(&message)) found.push_back(*kind);
    }
    return found;
  }
  [[nodiscard]] std::vector<std::uint8_t> file() const;
  [[nodiscard]] std::optional<Sha256Sum> sha256() const;
  [[nodiscard]] std::optional<Error> error() const;
  // Bytes of the file that have arrived, in how many blocks.
  [[nodiscard]] std::uint64_t payload() const;
  [[nodiscard]] std::size_t blocks() const;
  // It was sent more than it had granted.
  [[nodiscard]] bool was_overrun() const;

 private:
  struct State;
  bool wait(const std::function<bool(const ControlMessage&)>& condition);

  std::shared_ptr<State> state_;
};

}  // namespace webrtcupload::test
