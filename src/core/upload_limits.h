// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a peer may make us do. The defaults are those of the element's properties.

#pragma once

#include <algorithm>
#include <cstdint>

#include "core/time_point.h"
#include "core/wire_v1.h"

namespace webrtcupload {

// Bytes of a file. 500 MiB is what the usual clients accept; it also bounds the disk space that one
// upload can take.
inline constexpr std::uint64_t kDefaultMaxSize = 500ULL * 1024 * 1024;

struct Limits {
  // Bytes of the file.
  std::uint64_t max_size = kDefaultMaxSize;
  // 0: as many as `max_size` may need, see chunk_limit().
  std::uint32_t max_chunks = 0;
  // Bytes of one payload. The usual clients send 49,152. The default is what a message of
  // kMaxMessageSize holds; a larger limit lets nothing more in.
  std::uint32_t max_chunk_size = kMaxChunkPayload;
  // From the channel's opening to the last chunk. 0: no limit.
  Duration upload_timeout{};
  // Between the channel's opening, or a new valid chunk, and the next one. 0: no limit.
  Duration idle_timeout = std::chrono::seconds(30);
  // Bytes a second of new chunks, over each minute of the upload. 0: no limit. The default is five
  // of the usual clients' chunks in a minute. A line of 64 kbit/s, which is a phone's with its
  // volume used up or with very bad reception, carries eight, so it may stand still for a third of
  // the time. Who sends a byte now and then, only to keep a place, is ended after a minute; each
  // hour of it takes 15 MB of a file's real bytes.
  std::uint64_t min_rate = 4096;
  // Of v2, payload bytes that may be under way or wait to be stored, on all channels together.
  std::uint64_t window = 8ULL * 1024 * 1024;
  // Of v2, for how long an upload that has lost its last channel waits for another one. 0: it fails
  // at once.
  Duration resume_timeout = std::chrono::seconds(60);
  // Of v2, channels of one upload at the same time.
  std::uint32_t max_connections = 8;
};

// Bytes of disk space that an upload takes ahead of what has arrived. A peer that announces a large
// file and sends little of it keeps no more than this from others.
inline constexpr std::uint64_t kReserveStep = 16ULL * 1024 * 1024;

// What `min_rate` is measured over. Long enough for the gaps of a bad line.
inline constexpr Duration kRateWindow = std::chrono::seconds(60);

// How many chunks are accepted. The number bounds the index in memory, which has about 100 bytes a
// chunk when every chunk comes out of order. Unless it is set, a file of the largest size fits in
// chunks of 16 KiB, the smallest that are usual over data channels, so that the index is below 1 %
// of the file; from some size on only in larger ones, so that it stays below 420 MB.
inline std::uint32_t chunk_limit(const Limits& limits) {
  constexpr std::uint64_t kUsualChunk = 16384;
  constexpr std::uint64_t kLeast = 16384;
  constexpr std::uint64_t kMost = 4ULL * 1024 * 1024;
  if (limits.max_chunks > 0) return limits.max_chunks;
  const std::uint64_t needed =
      limits.max_size / kUsualChunk + (limits.max_size % kUsualChunk > 0 ? 1 : 0);
  return static_cast<std::uint32_t>(std::clamp(needed, kLeast, kMost));
}

// The largest file that gets in with the chunks of 49,152 bytes that the usual clients send, or
// with the largest ones where those are not accepted.
inline std::uint64_t reachable_size(const Limits& limits) {
  constexpr std::uint64_t kSent = 49152;
  const std::uint64_t chunk = std::min<std::uint64_t>(limits.max_chunk_size, kSent);
  return std::min(limits.max_size, chunk_limit(limits) * chunk);
}

}  // namespace webrtcupload
