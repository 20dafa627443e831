// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RFC 8794 and RFC 9559: a film is elements in elements, each [ID][size][content], where ID and
// size say with their first bits how long they are. Only those that hold others of interest are
// gone into; sound and pictures are jumped over where their size is told.

#include <algorithm>
#include <array>
#include <bit>

#include "core/film_check.h"

namespace webrtcupload {
namespace {

enum Id : std::uint32_t {
  kEbml = 0x1A45DFA3,
  kSegment = 0x18538067,
  kSeekHead = 0x114D9B74,
  kInfo = 0x1549A966,
  kTimestampScale = 0x2AD7B1,
  kDuration = 0x4489,
  kTracks = 0x1654AE6B,
  kTrackEntry = 0xAE,
  kCluster = 0x1F43B675,
  kCues = 0x1C53BB6B,
  kAttachments = 0x1941A469,
  kChapters = 0x1043A770,
  kEditionEntry = 0x45B9,
  kChapterAtom = 0xB6,
  kTags = 0x1254C367,
  kTag = 0x7373,
  kSimpleTag = 0x67C8,
};

constexpr std::uint64_t kNanoseconds = 1'000'000'000;

struct Element {
  std::uint32_t id = 0;
  std::uint64_t header = 0;  // Bytes of the ID and the size.
  // Nothing: it goes on until something comes that cannot be in it.
  std::optional<std::uint64_t> size;
};

std::optional<Element> read_element(ByteView bytes) {
  if (bytes.empty() || bytes[0] == 0) return std::nullopt;
  const auto id_length = static_cast<std::size_t>(std::countl_zero(bytes[0])) + 1;
  if (id_length > 4 || bytes.size() <= id_length) return std::nullopt;
  Element element;
  for (std::size_t i = 0; i < id_length; ++i) element.id = element.id << 8U | bytes[i];
  const std::uint8_t first = bytes[id_length];
  if (first == 0) return std::nullopt;
  const auto size_length = static_cast<std::size_t>(std::countl_zero(first)) + 1;
  if (bytes.size() < id_length + size_length) return std::nullopt;
  std::uint64_t size = first & ((0x80U >> (size_length - 1)) - 1);
  for (std::size_t i = 1; i < size_length; ++i) size = size << 8U | bytes[id_length + i];
  element.header = id_length + size_length;
  const std::uint64_t unknown = (std::uint64_t{1} << (7 * size_length)) - 1;
  if (size != unknown) element.size = size;
  return element;
}

bool is_top_level(std::uint32_t id) {
  constexpr std::array kIds{kSeekHead, kInfo,        kTracks,   kCluster,
                            kCues,     kAttachments, kChapters, kTags};
  return std::ranges::find(kIds, id) != kIds.end();
}

// Demuxers keep what is in these.
bool is_metadata(std::uint32_t id) {
  return id != kCluster && id != kAttachments && is_top_level(id);
}

bool is_gone_into(const Element& element) {
  constexpr std::array kIds{kSegment,  kInfo,         kTracks,      kTags,     kTag,
                            kChapters, kEditionEntry, kChapterAtom, kSimpleTag};
  return std::ranges::find(kIds, element.id) != kIds.end() ||
         (element.id == kCluster && !element.size);
}

double read_float(ByteView bytes) {
  std::uint64_t bits = 0;
  for (const std::uint8_t byte : bytes) bits = bits << 8U | byte;
  return bytes.size() == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))}
                           : std::bit_cast<double>(bits);
}

class Film {
 public:
  Film(FilmReader& bytes, std::uint64_t offset, const FilmLimits& limits)
      : bytes_(bytes), offset_(offset), limits_(limits) {}

  std::optional<Error> check() {
    for (std::uint64_t seen = 0; offset_ < bytes_.size(); ++seen) {
      const auto element = read_element(bytes_.at(offset_, kLook));
      if (!element) break;
      if (seen == kMaxHeaders) {
        return Error{ErrorCode::kTooMuchMetadata,
                     "the film has more than " + std::to_string(kMaxHeaders) + " elements"};
      }
      leave(element->id);
      // What the film says of its length is whole when something else begins.
      if (is_top_level(element->id)) {
        if (auto error = check_length()) return error;
      }
      if (auto error = meet(*element)) return error;
      offset_ += element->header;
      if (is_gone_into(*element)) {
        const std::uint64_t left = bytes_.size() - offset_;
        if (auto error = enter(offset_ + std::min(element->size.value_or(left), left), *element)) {
          return error;
        }
        continue;
      }
      if (!element->size || *element->size > bytes_.size() - offset_) break;
      offset_ += *element->size;
    }
    return check_length();
  }

 private:
  // An ID has up to 4 bytes, a size up to 8, a duration 8.
  static constexpr std::size_t kLook = 20;

  struct Level {
    std::uint64_t end = 0;
    bool is_open = false;  // Of unknown size.
  };

  // What has ended before an element with this ID.
  void leave(std::uint32_t id) {
    while (depth_ > 0) {
      const Level& level = levels_[depth_ - 1];
      const bool over = offset_ >= level.end || (level.is_open && depth_ > 1 && is_top_level(id));
      if (!over) break;
      --depth_;
    }
  }

  std::optional<Error> enter(std::uint64_t end, const Element& element) {
    if (auto error = check_nesting(depth_ + 1)) return error;
    levels_[depth_++] = {end, !element.size};
    return std::nullopt;
  }

  std::optional<Error> meet(const Element& element) {
    if (is_metadata(element.id)) {
      metadata_ += std::min(element.size.value_or(0), bytes_.size());
      if (auto error = check_metadata(metadata_, "index and tags")) return error;
    }
    if (element.id == kTrackEntry) return check_streams(limits_, ++tracks_);
    if (element.id == kTimestampScale || element.id == kDuration) meet_time(element);
    return std::nullopt;
  }

  void meet_time(const Element& element) {
    const std::uint64_t size = element.size.value_or(0);
    if (size == 0 || size > 8) return;
    const ByteView content = bytes_.at(offset_ + element.header, static_cast<std::size_t>(size));
    if (content.size() != size) return;
    if (element.id == kTimestampScale) {
      scale_ = 0;
      for (const std::uint8_t byte : content) scale_ = scale_ << 8U | byte;
    } else if (size == 4 || size == 8) {
      ticks_ = read_float(content);
    }
  }

  // What is no number, or below 0, is no duration.
  [[nodiscard]] std::optional<Error> check_length() const {
    const double seconds = ticks_ * static_cast<double>(scale_) / kNanoseconds;
    if (!(seconds > 0)) return std::nullopt;
    constexpr double kMost = 9e9;  // As a Duration in nanoseconds it still fits.
    return check_duration(
        limits_, duration_of(static_cast<std::uint64_t>(std::min(seconds, kMost) * 1000), 1000));
  }

  FilmReader& bytes_;
  std::uint64_t offset_;
  const FilmLimits& limits_;
  std::array<Level, kMaxNesting> levels_{};
  std::size_t depth_ = 0;
  std::uint64_t metadata_ = 0;
  std::uint64_t tracks_ = 0;
  std::uint64_t scale_ = 1'000'000;
  double ticks_ = 0;
};

}  // namespace

std::optional<Error> check_matroska(FilmReader& film, std::uint64_t offset,
                                    const FilmLimits& limits) {
  const auto first = read_element(film.at(offset, 12));
  if (!first || first->id != kEbml) return std::nullopt;
  return Film(film, offset, limits).check();
}

}  // namespace webrtcupload
