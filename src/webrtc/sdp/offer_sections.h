// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the media sections of an offer, each by itself.

#pragma once

#include <gst/sdp/gstsdpmessage.h>

#include <string>
#include <variant>

#include "webrtc/sdp/offer_check.h"
#include "webrtc/sdp/offer_description.h"

namespace webrtcupload {

// The section, or what is wrong with it, as the end of "the offer ...": a value that no peer may
// send. What this side merely has no use for is said in `unusable`.
[[nodiscard]] std::variant<OfferSection, std::string> read_section(const GstSDPMedia* media,
                                                                   const OfferLimits& limits);

// The value of an attribute that may appear once in a section, or nullptr; false with the problem
// if it appears more often.
[[nodiscard]] bool single_attribute(const GstSDPMedia* media, const char* key, const char** value,
                                    std::string& problem);

}  // namespace webrtcupload
