// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a peer may make us do. The defaults are those of the element's properties.

#pragma once

#include <cstdint>

#include "core/time_point.h"

namespace webrtcupload {

struct Limits {
  // Bytes of the file. 500 MiB is what the usual clients accept; it also bounds the disk space that
  // one upload can reserve.
  std::uint64_t max_size = 500ULL * 1024 * 1024;
  // Bounds the index in memory, at most about 100 bytes a chunk when every chunk comes out of
  // order.
  std::uint32_t max_chunks = 16384;
  // Bytes of one payload. The usual clients send 49,152; webrtcbin itself refuses to send more than
  // 65,536 a message.
  std::uint32_t max_chunk_size = 256 * 1024;
  // From the channel's opening to the last chunk. 0: no limit.
  Duration upload_timeout = std::chrono::seconds(300);
  // Between the channel's opening, or a new valid chunk, and the next one. 0: no limit.
  Duration idle_timeout = std::chrono::seconds(30);
};

}  // namespace webrtcupload
