// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which bytes of a file are stored, when they may come in any order and in pieces of any size.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace webrtcupload {

// Bytes of a file from `begin` up to, and without, `end`.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  [[nodiscard]] std::uint64_t length() const { return end - begin; }
  [[nodiscard]] bool empty() const { return begin >= end; }
  bool operator==(const Range&) const = default;
};

// Takes memory for each stored range that touches no other, so that whoever adds bounds it by
// holes_with(). Every look-up takes time that grows with the logarithm of their number.
class StoredRanges {
 public:
  // Joins `range` with those that it overlaps or touches. It must not be empty.
  void add(Range range);
  // Takes out what of `range` is there, which may leave two pieces of one.
  void remove(Range range);

  // Bytes stored.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Bytes from the file's start up to the first one that is missing.
  [[nodiscard]] std::uint64_t contiguous_bytes() const;
  // The end of the last range; 0 when nothing is stored.
  [[nodiscard]] std::uint64_t end() const;
  // Whether all of `range` is stored.
  [[nodiscard]] bool contains(Range range) const;

  // Gaps before end().
  [[nodiscard]] std::size_t holes() const;
  // How many there would be with `range`.
  [[nodiscard]] std::size_t holes_with(Range range) const;

  // Within `range`: the first piece that is stored, or that is missing, as far as it goes there;
  // nothing when there is none. And the last that is missing.
  [[nodiscard]] std::optional<Range> first_stored(Range range) const;
  [[nodiscard]] std::optional<Range> first_missing(Range range) const;
  [[nodiscard]] std::optional<Range> last_missing(Range range) const;

  // The stored ranges in the order of the file; of more than `most`, the longest ones.
  [[nodiscard]] std::vector<Range> list(std::size_t most) const;

 private:
  // End by begin; neither overlapping nor touching.
  using Ranges = std::map<std::uint64_t, std::uint64_t>;

  // The first that ends behind `offset`, or at it with `touching`.
  [[nodiscard]] Ranges::const_iterator find_from(std::uint64_t offset, bool touching) const;

  Ranges ranges_;
  std::uint64_t bytes_ = 0;
};

}  // namespace webrtcupload
