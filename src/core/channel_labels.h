// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The labels by which the two sides know the data channels, see docs/protocol.md.

#pragma once

namespace webrtcupload {

inline constexpr const char* kUploadLabel = "video_upload";
inline constexpr const char* kResultsLabel = "inference";

}  // namespace webrtcupload
