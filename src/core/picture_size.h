// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The size of a picture, read from the first bytes of the coded one. For formats in front of which
// nobody puts a parser: their decoders make room for the picture before they tell its size.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/message.h"

namespace webrtcupload {

struct PictureSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;

  bool operator==(const PictureSize&) const = default;
};

// `format` is the media type: "video/x-vp8", "image/jpeg", "image/png", "image/gif", "image/webp".
// Nothing for any other, for a frame that does not say its size, and for what is cut or broken.
[[nodiscard]] std::optional<PictureSize> picture_size(std::string_view format, ByteView coded);

}  // namespace webrtcupload
