// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/picture_size.h"

#include <algorithm>
#include <array>

#include "core/little_endian.h"

namespace webrtcupload {
namespace {

std::uint32_t big16(ByteView bytes, std::size_t at) { return bytes[at] << 8U | bytes[at + 1]; }
std::uint32_t big32(ByteView bytes, std::size_t at) {
  return big16(bytes, at) << 16U | big16(bytes, at + 2);
}
std::uint32_t little16(ByteView bytes, std::size_t at) {
  return get_little_endian<2>(bytes.data() + at);
}
std::uint32_t little24(ByteView bytes, std::size_t at) {
  return get_little_endian<3>(bytes.data() + at);
}

bool has_text(ByteView bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

// RFC 6386, section 9.1: only key frames have a size.
std::optional<PictureSize> vp8_size(ByteView frame) {
  constexpr std::size_t kHeader = 10;
  if (frame.size() < kHeader || (frame[0] & 1U) != 0 || !has_text(frame, 3, "\x9d\x01\x2a")) {
    return std::nullopt;
  }
  constexpr std::uint32_t kSizeBits = 0x3fff;  // The two above say how to scale.
  return PictureSize{little16(frame, 6) & kSizeBits, little16(frame, 8) & kSizeBits};
}

// The largest of the frame headers before the first scan: one is usual, and decoders differ in
// which of several they take.
std::optional<PictureSize> jpeg_size(ByteView image) {
  constexpr std::uint8_t kMarker = 0xff;
  constexpr std::uint8_t kStartOfScan = 0xda;
  // A frame header, and those of the same range that are none: tables, and an extension.
  const auto is_frame = [](std::uint8_t code) {
    return code >= 0xc0 && code <= 0xcf && code != 0xc4 && code != 0xc8 && code != 0xcc;
  };
  const auto stands_alone = [](std::uint8_t code) {
    return code == 0x01 || (code >= 0xd0 && code <= 0xd8);
  };
  std::optional<PictureSize> size;
  std::size_t at = 0;
  while (at + 1 < image.size()) {
    // Whatever is between the segments is skipped, as decoders do.
    if (image[at] != kMarker || image[at + 1] == kMarker || image[at + 1] == 0) {
      ++at;
      continue;
    }
    const std::uint8_t code = image[at + 1];
    at += 2;
    if (stands_alone(code)) continue;
    if (code == kStartOfScan || at + 2 > image.size()) break;
    const std::uint32_t length = big16(image, at);
    if (is_frame(code) && at + 7 <= image.size()) {
      const PictureSize found{big16(image, at + 5), big16(image, at + 3)};
      if (!size ||
          std::uint64_t{found.width} * found.height > std::uint64_t{size->width} * size->height) {
        size = found;
      }
    }
    at += std::max<std::uint32_t>(length, 2);
  }
  return size;
}

std::optional<PictureSize> png_size(ByteView image) {
  constexpr std::size_t kHeader = 24;
  if (image.size() < kHeader || !has_text(image, 1, "PNG") || !has_text(image, 12, "IHDR")) {
    return std::nullopt;
  }
  return PictureSize{big32(image, 16), big32(image, 20)};
}

std::optional<PictureSize> gif_size(ByteView image) {
  if (image.size() < 10 || !has_text(image, 0, "GIF8")) return std::nullopt;
  return PictureSize{little16(image, 6), little16(image, 8)};
}

// RFC 9649: a lossy picture, a lossless one, or a canvas for several.
std::optional<PictureSize> webp_size(ByteView image) {
  constexpr std::size_t kContent = 20;
  constexpr std::size_t kHeader = 30;
  if (image.size() < kHeader || !has_text(image, 0, "RIFF") || !has_text(image, 8, "WEBP")) {
    return std::nullopt;
  }
  if (has_text(image, 12, "VP8 ")) return vp8_size(image.subspan(kContent));
  if (has_text(image, 12, "VP8X")) {
    return PictureSize{little24(image, 24) + 1, little24(image, 27) + 1};
  }
  if (!has_text(image, 12, "VP8L")) return std::nullopt;
  const std::uint32_t bits = get_little_endian<4>(image.data() + 21);
  constexpr std::uint32_t kSizeBits = 0x3fff;
  return PictureSize{(bits & kSizeBits) + 1, (bits >> 14U & kSizeBits) + 1};
}

}  // namespace

std::optional<PictureSize> picture_size(std::string_view format, ByteView coded) {
  struct Format {
    std::string_view name;
    std::optional<PictureSize> (*read)(ByteView);
  };
  static constexpr std::array kFormats{Format{"video/x-vp8", vp8_size},
                                       Format{"image/jpeg", jpeg_size},
                                       Format{"image/png", png_size}, Format{"image/gif", gif_size},
                                       Format{"image/webp", webp_size}};
  const auto* found = std::ranges::find(kFormats, format, &Format::name);
  return found == kFormats.end() ? std::nullopt : found->read(coded);
}

}  // namespace webrtcupload
