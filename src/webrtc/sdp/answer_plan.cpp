// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/sdp/answer_plan.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace webrtcupload {
namespace {

using How = AnswerSection::How;
using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view sdp) {
  Lines lines;
  while (!sdp.empty()) {
    const std::size_t end = std::min(sdp.find('\n'), sdp.size());
    std::string_view line = sdp.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
    sdp.remove_prefix(std::min(end + 1, sdp.size()));
  }
  return lines;
}

// webrtcbin's answer, cut where its media sections begin.
struct Parts {
  Lines session;
  std::vector<Lines> sections;
};

Parts cut(std::string_view answer) {
  Parts parts;
  for (const std::string_view line : lines_of(answer)) {
    if (line.starts_with("m=")) parts.sections.emplace_back();
    (parts.sections.empty() ? parts.session : parts.sections.back()).push_back(line);
  }
  return parts;
}

bool is_candidate(std::string_view line) {
  return line.starts_with("a=candidate:") || line == "a=end-of-candidates";
}

// The same for all of a bundle.
bool is_transport(std::string_view line) {
  static constexpr std::array<std::string_view, 5> kKeys = {
      "a=ice-ufrag:", "a=ice-pwd:", "a=ice-options:", "a=fingerprint:", "a=setup:"};
  return std::any_of(kKeys.begin(), kKeys.end(),
                     [line](std::string_view key) { return line.starts_with(key); });
}

class Writer {
 public:
  Writer(const AnswerPlan& plan, Parts parts) : plan_(plan), parts_(std::move(parts)) {
    for (const Lines& section : parts_.sections) {
      for (const std::string_view line : section) {
        const bool known =
            std::find(candidates_.begin(), candidates_.end(), line) != candidates_.end();
        if (is_candidate(line) && !known) candidates_.push_back(line);
      }
    }
  }

  std::string run() {
    for (const std::string_view line : parts_.session) {
      if (!line.starts_with("a=group:")) write(line);
    }
    if (!plan_.bundle.empty()) {
      std::string group = "a=group:BUNDLE";
      for (const std::string& mid : plan_.bundle) group += " " + mid;
      write(group);
    }
    auto negotiated = parts_.sections.begin();
    for (const AnswerSection& section : plan_.sections) {
      switch (section.how) {
        case How::kByWebrtcbin:
          write_negotiated(section, *negotiated++);
          break;
        case How::kInactive:
          write_own(section, "9");
          break;
        case How::kRejected:
          write_own(section, "0");
          break;
      }
      if (carries_candidates(section)) {
        for (const std::string_view line : candidates_) write(line);
      }
    }
    return std::move(out_);
  }

 private:
  void write(std::string_view line) { out_.append(line).append("\r\n"); }

  // The peer looks for them in the section that the bundle is named after.
  [[nodiscard]] bool carries_candidates(const AnswerSection& section) const {
    return plan_.bundle.empty() ? section.how == How::kByWebrtcbin
                                : section.mid == plan_.bundle.front();
  }

  void write_negotiated(const AnswerSection& section, const Lines& lines) {
    for (const std::string_view line : lines) {
      if (is_candidate(line) || (section.mid.empty() && line.starts_with("a=mid:"))) continue;
      write(line);
    }
  }

  void write_own(const AnswerSection& section, const char* port) {
    write("m=" + section.media + " " + port + " " + section.protocol + " " + section.format);
    write("c=IN IP4 0.0.0.0");
    if (!section.mid.empty()) write("a=mid:" + section.mid);
    // A rejected section needs none of it. But webrtcbin 1.22 as the offering side does not take a
    // section without.
    for (const std::string_view line : parts_.sections.front()) {
      if (is_transport(line)) write(line);
    }
    if (section.media != "video" && section.media != "audio") return;
    write("a=inactive");
    if (section.codec.empty()) return;
    write("a=rtcp-mux");
    write("a=rtpmap:" + section.format + " " + section.codec);
    if (!section.fmtp.empty()) write("a=fmtp:" + section.format + " " + section.fmtp);
  }

  const AnswerPlan& plan_;
  const Parts parts_;
  Lines candidates_;
  std::string out_;
};

}  // namespace

std::optional<std::string> complete_answer(const AnswerPlan& plan, std::string_view answer) {
  Parts parts = cut(answer);
  const auto expected =
      std::count_if(plan.sections.begin(), plan.sections.end(),
                    [](const AnswerSection& section) { return section.how == How::kByWebrtcbin; });
  if (expected == 0 || parts.sections.size() != static_cast<std::size_t>(expected)) {
    return std::nullopt;
  }
  return Writer(plan, std::move(parts)).run();
}

}  // namespace webrtcupload
