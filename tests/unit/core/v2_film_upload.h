// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload in wire format v2 over several channels, for tests of what becomes of it.

#pragma once

#include <chrono>
#include <cstdint>

#include "v2_receiver_driver.h"

namespace webrtcupload::testing {

inline constexpr ChannelId kFirst = 1;
inline constexpr ChannelId kSecond = 2;
inline constexpr ChannelId kThird = 3;

inline const Bytes& film() {
  static const Bytes file = pattern(1000, 5);
  return file;
}

inline control::Hello hello_of_film() { return {.size = film().size(), .sha256 = sum_of(film())}; }

// Nothing but resuming has its time.
inline Limits patient() {
  return {.upload_timeout = {},
          .idle_timeout = {},
          .min_rate = 0,
          .resume_timeout = std::chrono::seconds(60)};
}

// An upload of the film that has begun over kFirst.
struct FilmUpload {
  explicit FilmUpload(const Limits& limits = patient()) : driver(limits) {
    driver.hello(kFirst, hello_of_film());
  }
  V2Outcome piece(ChannelId channel, std::uint64_t begin, std::uint64_t end) {
    return driver.piece(channel, film(), begin, end);
  }
  V2Outcome waiting(ChannelId channel, std::uint64_t bytes) {
    return driver.waiting(channel, bytes);
  }
  [[nodiscard]] UploadState state() const { return driver.receiver().state(); }
  V2Driver driver;
};

}  // namespace webrtcupload::testing
