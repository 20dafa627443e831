// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Looks at a film's bytes here and there, or from one place on, with few reads of the storage.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "core/message.h"

namespace webrtcupload {

class FilmReader {
 public:
  // Fills all of `out` from there on, or fails. Never asked for bytes beyond the film's end.
  using Read = std::function<bool(std::uint64_t offset, std::span<std::uint8_t> out)>;

  static constexpr std::size_t kMost = 64ULL * 1024;

  FilmReader(Read read, std::uint64_t size) : read_(std::move(read)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // The `length` bytes (kMost at most) at `offset`, or as many as there are; none where they cannot
  // be read. Good until the next call.
  ByteView at(std::uint64_t offset, std::size_t length) {
    if (offset >= size_) return {};
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(length, size_ - offset));
    if (offset < begin_ || offset + wanted > begin_ + window_.size()) fill(offset, wanted);
    if (window_.empty()) return {};
    return ByteView(window_).subspan(static_cast<std::size_t>(offset - begin_), wanted);
  }

 private:
  // Who goes on near where the last bytes ended will go on so; who jumps looks at a header.
  void fill(std::uint64_t offset, std::size_t wanted) {
    const bool goes_on = offset >= begin_ && offset <= begin_ + window_.size() + kMost;
    const std::size_t length = std::max(wanted, goes_on ? kMost : std::size_t{0});
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(length, size_ - offset)));
    begin_ = offset;
    if (!read_(offset, window_)) window_.clear();
  }

  const Read read_;
  const std::uint64_t size_;
  std::uint64_t begin_ = 0;
  std::vector<std::uint8_t> window_;
};

}  // namespace webrtcupload
