// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a checked offer says: every text in here fits its rule in sdp_syntax.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "webrtc/sdp/answer_plan.h"

namespace webrtcupload {

// One media section, in the order of the offer.
struct OfferSection {
  enum class Kind { kData, kVideo, kAudio, kOther };
  struct Format {
    std::string payload_type;
    std::string codec;  // Of a=rtpmap.
    std::string fmtp;
    std::vector<std::string> feedback;
  };

  Kind kind = Kind::kOther;
  AnswerSection::How answer = AnswerSection::How::kRejected;
  std::string mid;    // May be empty: only a bundle needs it.
  std::string media;  // As the m= line says it, like the next two.
  std::string protocol;
  std::string first_format;
  // Not empty: why it can only be rejected, as the end of "the offer ...".
  std::string unusable;

  // Data.
  std::uint64_t max_message_size = 65536;
  // Video and audio.
  std::vector<Format> formats;
  bool receives = false;
  bool sends = false;
};

// How the peer is reached and known, by the section that the bundle is named after.
struct OfferTransport {
  std::string ufrag;
  std::string password;
  std::string fingerprint;
  std::string setup;
  std::vector<std::string> candidates;
  bool ice_lite = false;
};

struct OfferDescription {
  std::string session_id;
  std::string session_version;
  std::vector<OfferSection> sections;
  // Which of them share the transport, in the order of the offer's group. What is rejected is not
  // among them.
  std::vector<std::size_t> bundle;
  // Whether the offer has a BUNDLE group for them. Without, the bundle is the data section alone.
  bool grouped = false;
  OfferTransport transport;
};

// The offer as webrtcbin may see it.
[[nodiscard]] std::string write_offer(const OfferDescription& offer);
[[nodiscard]] AnswerPlan plan_answer(const OfferDescription& offer);

}  // namespace webrtcupload
