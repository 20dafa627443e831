// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether the certificate a peer shows is the one its session description announced. webrtcbin
// before 1.28.5 does not compare them, so that whoever can get between the two ends of the media
// path could pose as either.

#pragma once

#include <string>
#include <vector>

namespace webrtcupload {

// The values of the a=fingerprint lines of a session description, each once.
[[nodiscard]] std::vector<std::string> fingerprints_in(const std::string& sdp);

// `certificate` in PEM, `fingerprint` as in SDP ("sha-256 AB:CD:...", SHA-1, -256, -384 or -512).
[[nodiscard]] bool matches_fingerprint(const std::string& certificate,
                                       const std::string& fingerprint);

}  // namespace webrtcupload
