// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where in the append-only spool each chunk lies, and where each byte of the logical file does.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace webrtcupload {

// A range of the spool, in bytes.
struct Extent {
  std::uint64_t position = 0;
  std::uint64_t length = 0;

  bool operator==(const Extent&) const = default;
};

// Chunks that came in order and with equal sizes are one entry together, so that the usual upload
// costs a constant, and the worst one (every chunk out of order) an entry for each chunk that
// really came.
class ChunkIndex {
 public:
  // `index` has to be new; `where` has to lie behind everything inserted before and must not be
  // empty.
  void insert(std::uint32_t index, Extent where);

  [[nodiscard]] std::optional<Extent> find(std::uint32_t index) const;

  // The stored bytes from `offset` of the logical file on, as far as they lie in one piece; nothing
  // when the byte at `offset` is not in the contiguous beginning yet.
  [[nodiscard]] std::optional<Extent> locate(std::uint64_t offset) const;

  [[nodiscard]] std::uint32_t chunks() const { return chunks_; }
  // Bytes from the file's start up to the first chunk that is missing.
  [[nodiscard]] std::uint64_t contiguous_bytes() const { return contiguous_bytes_; }

 private:
  // `count` chunks of `chunk_length` bytes each, one behind the other in the spool. The key in
  // `runs_` is the first index.
  struct Run {
    std::uint32_t count;
    std::uint32_t chunk_length;
    std::uint64_t position;
  };
  using Runs = std::map<std::uint32_t, Run>;

  // A piece of the contiguous beginning.
  struct Segment {
    std::uint64_t offset;
    Extent where;
  };

  Runs::const_iterator run_of(std::uint32_t index) const;
  void append_to_prefix(Extent where);
  void extend_prefix();

  Runs runs_;
  std::vector<Segment> prefix_;
  std::uint32_t chunks_ = 0;
  std::uint32_t contiguous_chunks_ = 0;
  std::uint64_t contiguous_bytes_ = 0;
};

}  // namespace webrtcupload
