// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the receiving side of an upload asks of whoever drives it. See receiver.h for v1 and
// v2_receiver.h for v2.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/chunk_index.h"
#include "core/error.h"
#include "core/message.h"
#include "core/sha256.h"

namespace webrtcupload {

// What is known about an upload when it asks to begin and nothing is stored yet.
struct UploadRequest {
  // Of v1 only, from its first chunk.
  std::uint32_t total_chunks = 0;
  std::uint32_t first_chunk_size = 0;
  // With v1, what the usual clients' equal chunks come to; an upload whose first chunk is its
  // smallest can be larger. With v2, `size`, or 0.
  std::uint64_t estimated_size = 0;
  // Of v2 only, as the client says.
  std::optional<std::uint64_t> size;
  std::string name;
  std::string content_type;
  std::optional<Sha256Sum> sha256;
};

namespace action {
struct Nothing {};
// Send the message back as it came.
struct Reply {
  Message message;
};
// Ask whether `request` may begin.
struct Authorize {
  UploadRequest request;
};
// Write `bytes` at `position`. When `reserve` is not 0, first make room for that many bytes of the
// file. `expected` is not 0 with the first bytes: the file is likely to have that many, so do not
// begin if there is no room for them. Nothing is set aside for those.
struct Store {
  std::uint64_t position = 0;
  ByteView bytes;
  std::uint64_t reserve = 0;
  std::uint64_t expected = 0;
};
// Say whether the stored range holds exactly `bytes` (which is as long).
struct Compare {
  Extent stored;
  ByteView bytes;
};
// Of v2: say what the control message in `text` is.
struct ReadControl {
  std::string_view text;
};
// Of v2: read the stored range, and hand its bytes in.
struct Hash {
  Extent stored;
};
// The upload has just failed. Given out once.
struct Fail {
  Error error;
};
}  // namespace action

using Action = std::variant<action::Nothing, action::Reply, action::Authorize, action::Store,
                            action::Compare, action::ReadControl, action::Hash, action::Fail>;

}  // namespace webrtcupload
