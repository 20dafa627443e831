// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/film_check.h"

#include <algorithm>
#include <string_view>

namespace webrtcupload {
namespace {

constexpr std::string_view kTags = "tags";

bool begins_with(ByteView bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin(),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

// Bytes of the ID3v2 tag there, header and footer included; 0 if there is none.
std::uint64_t id3_size(FilmReader& film, std::uint64_t offset) {
  constexpr std::size_t kHeader = 10;
  constexpr std::uint8_t kHasFooter = 0x10;
  const ByteView head = film.at(offset, kHeader);
  if (head.size() < kHeader || !begins_with(head, "ID3")) return 0;
  // Seven bits in each byte; readers differ in what they make of an eighth.
  std::uint64_t size = 0;
  for (int i = 6; i < 10; ++i) size = size << 7U | (head[i] & 0x7fU);
  return size + kHeader + ((head[5] & kHasFooter) != 0 ? kHeader : 0);
}

// Likewise of the APE tag there, by its header or by its footer.
std::uint64_t ape_size(FilmReader& film, std::uint64_t offset) {
  constexpr std::size_t kHeader = 32;
  const ByteView head = film.at(offset, kHeader);
  if (head.size() < kHeader || !begins_with(head, "APETAGEX")) return 0;
  std::uint64_t size = 0;
  for (int i = 15; i >= 12; --i) size = size << 8U | head[i];
  return size + kHeader;
}

}  // namespace

std::optional<Error> check_film(FilmReader& film, const FilmLimits& limits) {
  // Tags may stand before tags.
  std::uint64_t tags = 0;
  std::uint64_t offset = 0;
  for (std::uint64_t seen = 0; seen < kMaxHeaders; ++seen) {
    std::uint64_t size = id3_size(film, offset);
    if (size == 0) size = ape_size(film, offset);
    if (size == 0) break;
    tags += size;
    if (auto error = check_metadata(tags, kTags)) return error;
    offset += size;
  }
  // At the end, where an ID3v1 tag may follow.
  constexpr std::uint64_t kFooter = 32;
  constexpr std::uint64_t kId3v1 = 128;
  for (const std::uint64_t behind : {kFooter, kFooter + kId3v1}) {
    if (film.size() < behind) continue;
    if (auto error = check_metadata(ape_size(film, film.size() - behind), kTags)) return error;
  }
  if (auto error = check_mp4(film, offset, limits)) return error;
  return check_matroska(film, offset, limits);
}

}  // namespace webrtcupload
