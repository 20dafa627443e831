// SPDX-License-Identifier: LGPL-2.1-or-later

#include <algorithm>

#include "webrtc/sdp/offer_description.h"

namespace webrtcupload {
namespace {

using How = AnswerSection::How;

// webrtcbin needs one.
std::string mid_of(const OfferSection& section) { return section.mid.empty() ? "0" : section.mid; }

void write_line(std::string& out, const std::string& text) { out += text + "\r\n"; }

void write_formats(const OfferSection& section, std::string& out) {
  // Nothing is received but the upload.
  write_line(out, section.receives ? "a=recvonly" : "a=inactive");
  write_line(out, "a=rtcp-mux");
  for (const auto& format : section.formats) {
    write_line(out, "a=rtpmap:" + format.payload_type + " " + format.codec);
    if (!format.fmtp.empty()) {
      write_line(out, "a=fmtp:" + format.payload_type + " " + format.fmtp);
    }
    for (const std::string& feedback : format.feedback) {
      write_line(out, "a=rtcp-fb:" + format.payload_type + " " + feedback);
    }
  }
}

void write_section(const OfferSection& section, const OfferTransport& transport, bool first,
                   std::string& out) {
  if (section.kind == OfferSection::Kind::kData) {
    write_line(out, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
  } else {
    std::string media = "m=" + section.media + " 9 UDP/TLS/RTP/SAVPF";
    for (const auto& format : section.formats) media += " " + format.payload_type;
    write_line(out, media);
  }
  write_line(out, "c=IN IP4 0.0.0.0");
  write_line(out, "a=mid:" + mid_of(section));
  write_line(out, "a=ice-ufrag:" + transport.ufrag);
  write_line(out, "a=ice-pwd:" + transport.password);
  write_line(out, "a=fingerprint:" + transport.fingerprint);
  write_line(out, "a=setup:" + transport.setup);
  if (section.kind == OfferSection::Kind::kData) {
    write_line(out, "a=sctp-port:5000");
    write_line(out, "a=max-message-size:" + std::to_string(section.max_message_size));
  } else {
    write_formats(section, out);
  }
  if (!first) return;
  for (const std::string& candidate : transport.candidates) {
    write_line(out, "a=candidate:" + candidate);
  }
}

}  // namespace

// webrtcbin answers with the sections' own order, and aborts when the group's begins differently.
// So it always gets a group, and one in that order.
std::string write_offer(const OfferDescription& offer) {
  std::string out = "v=0\r\no=- " + offer.session_id + " " + offer.session_version +
                    " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE";
  for (const OfferSection& section : offer.sections) {
    if (section.answer == How::kByWebrtcbin) out += " " + mid_of(section);
  }
  out += "\r\n";
  if (offer.transport.ice_lite) out += "a=ice-lite\r\n";
  bool first = true;
  for (const OfferSection& section : offer.sections) {
    if (section.answer != How::kByWebrtcbin) continue;
    write_section(section, offer.transport, first, out);
    first = false;
  }
  return out;
}

AnswerPlan plan_answer(const OfferDescription& offer) {
  AnswerPlan plan;
  for (const OfferSection& section : offer.sections) {
    AnswerSection answer{.how = section.answer,
                         .mid = section.mid,
                         .media = section.media,
                         .protocol = section.protocol,
                         .format = section.first_format,
                         .codec = {},
                         .fmtp = {}};
    if (!section.formats.empty()) {
      answer.format = section.formats.front().payload_type;
      answer.codec = section.formats.front().codec;
      answer.fmtp = section.formats.front().fmtp;
    }
    plan.sections.push_back(std::move(answer));
  }
  if (!offer.grouped) return plan;
  for (const std::size_t index : offer.bundle) plan.bundle.push_back(offer.sections[index].mid);
  return plan;
}

}  // namespace webrtcupload
