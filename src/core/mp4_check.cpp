// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ISO/IEC 14496-12: a film is a row of boxes, each [size u32][type, four letters][content]. The
// index (`moov`, and one `moof` for each fragment) is boxes in boxes.
//
// The index is not parsed as a demuxer does, which one would have to copy to its last leniency: its
// bytes are looked through once, and whatever could be a box at any place is taken for one.

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "core/film_check.h"

namespace webrtcupload {
namespace {

constexpr std::uint64_t kHeader = 8;
// What is looked at of one box: a media header of version 1.
constexpr std::size_t kLook = 40;

std::uint64_t number(ByteView bytes, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i) value = value << 8U | bytes[at + i];
  return value;
}

constexpr std::uint32_t type_of(std::string_view letters) {
  std::uint32_t type = 0;
  for (const char letter : letters) type = type << 8U | static_cast<std::uint8_t>(letter);
  return type;
}

bool is_letters(ByteView bytes, std::size_t at) {
  constexpr std::uint8_t kCopyright = 0xa9;
  for (std::size_t i = at; i < at + 4; ++i) {
    const bool printable = bytes[i] >= 0x20 && bytes[i] <= 0x7e;
    if (!printable && !(i == at && bytes[i] == kCopyright)) return false;
  }
  return true;
}

bool is_one_of(std::uint32_t type, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(names,
                             [type](std::string_view name) { return type == type_of(name); });
}

// What an index tells, box by box.
class Index {
 public:
  explicit Index(const FilmLimits& limits) : limits_(limits) {}

  // `look` begins with the box' header, and ends where that is cut or after kLook bytes; `left` is
  // how far the index goes on from there.
  std::optional<Error> meet(ByteView look, std::uint64_t left) {
    const std::uint64_t size = number(look, 0, 4);
    if (size < kHeader || size > left || !is_letters(look, 4)) return std::nullopt;
    const auto type = static_cast<std::uint32_t>(number(look, 4, 4));
    if (may_hold_boxes(look, size)) {
      if (auto error = check_nesting(nest(left, size))) return error;
      if (type == type_of("trak")) {
        if (auto error = end_track()) return error;
        if (auto error = check_streams(limits_, ++tracks_)) return error;
      }
    }
    if (type == type_of("cmov")) {
      return Error{ErrorCode::kTooMuchMetadata,
                   "the film's index is compressed, so that its size cannot be seen"};
    }
    if (type == type_of("hdlr") && look.size() >= 20) {
      is_video_ = is_video_ || number(look, 16, 4) == type_of("vide");
    }
    if (is_one_of(type, {"stsz", "stz2"}) && look.size() >= 20) {
      frames_ = std::max(frames_, number(look, 16, 4));
    }
    if (is_one_of(type, {"mvhd", "mdhd"})) return check_length(look);
    return std::nullopt;
  }

  // Call it after the last box.
  std::optional<Error> end_track() {
    const std::uint64_t frames = is_video_ ? frames_ : 0;
    frames_ = 0;
    is_video_ = false;
    return check_frames(limits_, frames);
  }

 private:
  std::optional<Error> check_length(ByteView look) const {
    if (look.size() < 28) return std::nullopt;
    const bool wide = look[8] != 0;
    if (wide && look.size() < 40) return std::nullopt;
    const std::uint64_t ticks = wide ? number(look, 32, 8) : number(look, 24, 4);
    const std::uint64_t unknown = wide ? std::numeric_limits<std::uint64_t>::max() : 0xffffffffU;
    if (ticks == unknown) return std::nullopt;
    return check_duration(limits_, duration_of(ticks, number(look, wide ? 28 : 20, 4)));
  }

  // Whether another box follows, right behind the header or behind the few bytes that some kinds
  // have there: no reader goes further down where the first one makes no sense.
  static bool may_hold_boxes(ByteView look, std::uint64_t size) {
    return std::ranges::any_of(std::array<std::size_t, 3>{8, 12, 16}, [&](std::size_t at) {
      if (look.size() < at + kHeader || size < at + kHeader) return false;
      const std::uint64_t inner = number(look, at, 4);
      return inner >= kHeader && inner <= size - at && is_letters(look, at + 4);
    });
  }

  // How many boxes this one could be in, itself included. Boxes are met in the order of their
  // begins, so it is in each of those before it that end no earlier. ends_[n] is the last end, told
  // as the bytes left behind it, of all that are n deep.
  std::uint64_t nest(std::uint64_t left, std::uint64_t size) {
    const std::uint64_t behind = left - size;
    std::size_t depth = 0;
    while (depth < depths_ && ends_[depth] <= behind) ++depth;
    if (depth == ends_.size()) return kMaxNesting + 1;
    if (depth == depths_) {
      ++depths_;
      ends_[depth] = behind;
    }
    ends_[depth] = std::min(ends_[depth], behind);
    return depth + 1;
  }

  const FilmLimits& limits_;
  std::array<std::uint64_t, kMaxNesting> ends_{};
  std::size_t depths_ = 0;
  std::uint64_t tracks_ = 0;
  std::uint64_t frames_ = 0;
  bool is_video_ = false;
};

std::optional<Error> check_index(FilmReader& film, std::uint64_t begin, std::uint64_t end,
                                 const FilmLimits& limits) {
  Index index(limits);
  for (std::uint64_t offset = begin; offset + kHeader <= end;) {
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(FilmReader::kMost, end - offset));
    const ByteView bytes = film.at(offset, length);
    if (bytes.size() < kHeader) break;
    // The last ones are looked at again with what follows them.
    const bool last = offset + bytes.size() >= end;
    const std::size_t count = last ? bytes.size() - kHeader + 1 : bytes.size() - kLook;
    for (std::size_t i = 0; i < count; ++i) {
      const ByteView look = bytes.subspan(i, std::min(kLook, bytes.size() - i));
      if (auto error = index.meet(look, end - offset - i)) return error;
    }
    if (last) break;
    offset += count;
  }
  return index.end_track();
}

}  // namespace

std::optional<Error> check_mp4(FilmReader& film, std::uint64_t offset, const FilmLimits& limits) {
  const std::uint64_t begin = offset;
  for (std::uint64_t seen = 0; offset < film.size(); ++seen) {
    const ByteView head = film.at(offset, 2 * kHeader);
    if (head.size() < kHeader) break;
    const auto type = static_cast<std::uint32_t>(number(head, 4, 4));
    if (offset == begin &&
        !is_one_of(type, {"ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "sidx",
                          "moof", "uuid", "udta", "meta", "PICT", "junk", "prfl"})) {
      return std::nullopt;
    }
    if (seen == kMaxHeaders) {
      return Error{ErrorCode::kTooMuchMetadata,
                   "the film has more than " + std::to_string(kMaxHeaders) + " boxes"};
    }
    std::uint64_t size = number(head, 0, 4);
    const std::uint64_t left = film.size() - offset;
    if (size == 1 && head.size() == 2 * kHeader) {
      size = number(head, 8, 8);
    } else if (size == 0) {
      size = left;
    }
    if (size < kHeader) break;
    if (is_one_of(type, {"moov", "moof", "mfra", "meta", "udta"})) {
      if (auto error = check_metadata(size, "index")) return error;
      const std::uint64_t end = offset + std::min(size, left);
      if (auto error = check_index(film, offset + kHeader, end, limits)) return error;
    }
    if (size >= left) break;
    offset += size;
  }
  return std::nullopt;
}

}  // namespace webrtcupload
