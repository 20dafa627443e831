// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A peer whose certificate is not the one that its description announces.

#pragma once

#include <gst/gst.h>

#include <string>

namespace webrtcupload::test {

// For PeerPair::Options: a description of another certificate.
inline std::string forged(const std::string& sdp) {
  std::string changed = sdp;
  const std::size_t at = changed.find("a=fingerprint:sha-256 ") + 22;
  changed[at] = changed[at] == '0' ? '1' : '0';
  return changed;
}

// From there on webrtcbin itself lets nothing through, and the element has nothing to look at.
inline bool webrtcbin_checks() {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return major > 1 || minor > 28 || (minor == 28 && micro >= 5);
}

}  // namespace webrtcupload::test
