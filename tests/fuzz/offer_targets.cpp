// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Session descriptions: an offer, which is checked and written anew, and an answer, which is
// completed.

#include <gst/sdp/sdp.h>

#include <algorithm>
#include <string>
#include <variant>

#include "support/sample_offers.h"
#include "target.h"
#include "webrtc/fingerprint.h"
#include "webrtc/sdp/ice_candidates.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload::fuzz {
namespace {

using How = AnswerSection::How;

// What webrtcbin does first with a description. How many sections it finds, or nothing.
std::optional<unsigned> sections_seen_by_gstreamer(const std::string& sdp) {
  if (sdp.empty() || sdp.front() == '\0') return std::nullopt;  // Which GStreamer asserts.
  GstSDPMessage* message = nullptr;
  if (gst_sdp_message_new_from_text(sdp.c_str(), &message) != GST_SDP_OK) return std::nullopt;
  const unsigned count = gst_sdp_message_medias_len(message);
  gst_sdp_message_free(message);
  return count;
}

std::string check_accepted(const Offer& offer) {
  const auto& sections = offer.answer.sections;
  const auto count =
      std::count_if(sections.begin(), sections.end(),
                    [](const AnswerSection& section) { return section.how == How::kByWebrtcbin; });
  if (count == 0) return "an offer with nothing for webrtcbin is accepted";
  if (sections.size() > OfferLimits{}.max_sections) return "more sections than there may be";
  if (offer.answer.bundle.size() > sections.size())
    return "a bundle of more sections than there are";
  if (sections_seen_by_gstreamer(offer.sdp) != static_cast<unsigned>(count)) {
    return "GStreamer sees other sections in what was written:\n" + offer.sdp;
  }
  // What we write is an offer as well, and says the same.
  const auto again = check_offer(offer.sdp);
  if (const auto* error = std::get_if<OfferError>(&again)) {
    return "what was written is refused: " + error->message + "\n" + offer.sdp;
  }
  const auto& second = std::get<Offer>(again);
  if (second.sdp != offer.sdp) {
    return "what was written is written otherwise:\n" + offer.sdp + "---\n" + second.sdp;
  }
  if (second.video_formats != offer.video_formats)
    return "the video formats are others in what was written";
  return "";
}

}  // namespace

std::string check_offer_input(ByteView input) {
  const auto checked = check_offer(text_of(input));
  if (const auto* error = std::get_if<OfferError>(&checked)) return check_sentence(error->message);
  return check_accepted(std::get<Offer>(checked));
}

// What is read in the answer of a server, which `send` gets; and in our own, which these functions
// must survive.
std::string check_answer_input(ByteView input) {
  static const AnswerPlan kPlan = std::get<Offer>(check_offer(crlf(kCameraOffer))).answer;
  const std::string sdp(text_of(input));
  static_cast<void>(sections_seen_by_gstreamer(sdp));
  static_cast<void>(complete_answer(kPlan, sdp));
  static_cast<void>(keep_candidates(sdp, [](const std::string&) { return false; }));
  static_cast<void>(announce_addresses(sdp, {"192.0.2.1", "2001:db8::1"}));
  for (const std::string& fingerprint : fingerprints_in(sdp)) {
    if (matches_fingerprint("", fingerprint)) return "no certificate is one";
  }
  return "";
}

}  // namespace webrtcupload::fuzz
