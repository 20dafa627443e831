// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcbin sees the sections of an offer that it shall answer, and no others: it ends the process
// when a bundle's first section is rejected, and every section costs it a session's RTP elements.
// What the answer has to say of the rest is said here.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webrtcupload {

struct AnswerSection {
  enum class How {
    kByWebrtcbin,
    kInactive,  // It stays in the bundle, and nothing is sent in it either way.
    kRejected,  // With port 0.
  };
  How how = How::kRejected;
  std::string mid;  // Empty if the offer gives none; the answer then gives none either.
  std::string media;
  std::string protocol;
  std::string format;
  std::string codec;  // Of a=rtpmap; empty if there is none.
  std::string fmtp;
};

struct AnswerPlan {
  std::vector<AnswerSection> sections;  // One for each of the offer's, in its order.
  std::vector<std::string> bundle;      // The mids of the BUNDLE group; empty: none is written.
};

// The answer to the peer out of webrtcbin's, or nothing if that does not fit the plan.
[[nodiscard]] std::optional<std::string> complete_answer(const AnswerPlan& plan,
                                                         std::string_view answer);

}  // namespace webrtcupload
