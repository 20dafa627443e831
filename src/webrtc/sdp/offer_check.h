// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Decides whether a stranger's SDP offer may reach webrtcbin, and in which words.
//
// webrtcbin trusts an offer's shape: bundles that do not match the media sections, rejected
// sections and missing attributes run into its assertions and abort the process. So nothing of
// the peer's text is passed on. The offer is read, every value that matters is checked against
// its grammar, and a new offer is written from those values alone, without the sections that
// webrtcbin has no part in.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "webrtc/sdp/answer_plan.h"

namespace webrtcupload {

struct OfferLimits {
  // Browsers offer 1 to 10 kB in up to 200 lines, and as much again for every camera.
  std::size_t max_bytes = 128 * 1024;
  std::size_t max_lines = 2000;
  std::size_t max_line_bytes = 2048;
  std::size_t max_sections = 32;
  std::size_t max_formats = 64;
  // Further candidates are ignored: each costs connectivity checks.
  std::size_t max_candidates = 32;
};

// A format in which the peer would take video.
struct VideoFormat {
  int payload_type = 0;
  std::string codec;  // In upper case, as in caps: "VP8", "H264", ...

  bool operator==(const VideoFormat&) const = default;
};

// An offer that webrtcbin may see.
struct Offer {
  std::string sdp;
  // What webrtcbin's answer to it needs until it answers the peer's offer.
  AnswerPlan answer;
  // In the peer's order of preference; empty if it takes no video. Only those that can be sent
  // without looking closer: H.264 in packetization mode 1, VP9 of profile 0.
  std::vector<VideoFormat> video_formats;
};

// One sentence that says what was wrong, for the person who wrote the client.
struct OfferError {
  std::string message;
};

// What is accepted, as RFC 8829 and RFC 9143 have it: one data channel section (UDP/DTLS/SCTP, or
// the older DTLS/SCTP that is rewritten) beside any others. The BUNDLE group that names it, if
// there is one, decides about the transport: credentials, fingerprint and candidates are those of
// the group's first section.
//
// webrtcbin gets the data section and, out of the same bundle, the first video section in which
// video can go to the peer. All else is turned down, since nothing is received but the upload:
// sections in the bundle become inactive (Chromium refuses an answer with a rejected section in
// it), sections that this side does not know or that have a transport of their own are rejected,
// and so are those that the peer has rejected itself.
[[nodiscard]] std::variant<Offer, OfferError> check_offer(std::string_view sdp,
                                                          const OfferLimits& limits = {});

}  // namespace webrtcupload
