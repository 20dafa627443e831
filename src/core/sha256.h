// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SHA-256 of bytes that come one after the other. OpenSSL computes it, with the processor's
// instructions where there are any; tests/bench/checksums.cpp has what that saves.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/hex.h"
#include "core/message.h"

namespace webrtcupload {

using Sha256Sum = std::array<std::uint8_t, 32>;

// From 64 hexadecimal digits of either case, or nothing. to_hex() writes one as sha256sum does.
[[nodiscard]] std::optional<Sha256Sum> parse_sha256(std::string_view text);

class Sha256 {
 public:
  // Fails where the system's OpenSSL is set up without SHA-256, with code `storage-failed`.
  [[nodiscard]] static Result<Sha256> create();

  Sha256(Sha256&& other) noexcept;
  Sha256& operator=(Sha256&& other) noexcept;
  ~Sha256();

  void update(ByteView bytes);
  // Of all that came so far; more may come.
  [[nodiscard]] Sha256Sum sum() const;

 private:
  struct State;
  explicit Sha256(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace webrtcupload
