// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films in WebM as browsers record them, which GStreamer's muxers do not write: a segment without
// an end or a duration, and AlphaMode 1 whether frames have an alpha channel or not.

#pragma once

#include <cstdint>
#include <vector>

namespace webrtcupload::test {

struct WebmFilm {
  enum class Codec { kVp8, kVp9 };
  Codec codec = Codec::kVp8;
  int frames = 12;
  // Of the track; nothing is said about it at false.
  bool alpha_mode = true;
  // Whether each frame has an alpha channel, in a BlockAddition.
  bool alpha_data = false;
  // Opus beside the video.
  bool sound = false;
  // What is to be seen, and the alpha channel that hides all of it: 64x48.
  static constexpr int kWidth = 64;
  static constexpr int kHeight = 48;
  static constexpr std::uint8_t kLuma = 180;
};

// Fails the test and returns nothing when there is no encoder.
[[nodiscard]] std::vector<std::uint8_t> make_webm(const WebmFilm& film);

}  // namespace webrtcupload::test
