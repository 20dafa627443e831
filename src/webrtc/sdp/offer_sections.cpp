// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/sdp/offer_sections.h"

#include <glib.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "webrtc/sdp/sdp_syntax.h"

namespace webrtcupload {
namespace {

using sdp::quoted;
using Kind = OfferSection::Kind;

std::string_view view(const char* text) { return text ? text : ""; }

class Reader {
 public:
  Reader(const GstSDPMedia* media, const OfferLimits& limits) : media_(media), limits_(limits) {}

  std::variant<OfferSection, std::string> run() {
    if (!check()) return error_;
    return section_;
  }

 private:
  bool fail(std::string why) {
    error_ = std::move(why);
    return false;
  }

  bool single(const char* key, const char** value) {
    return single_attribute(media_, key, value, error_);
  }

  bool check() {
    section_.media = view(gst_sdp_media_get_media(media_));
    section_.protocol = view(gst_sdp_media_get_proto(media_));
    if (!sdp::is_token(section_.media) || !sdp::is_protocol(section_.protocol)) {
      return fail("has an unusable m= line of " + quoted(section_.media) + " over " +
                  quoted(section_.protocol));
    }
    const char* mid = nullptr;
    if (!single("mid", &mid)) return false;
    if (mid && !sdp::is_mid(mid)) return fail("has an unusable mid " + quoted(mid));
    section_.mid = view(mid);
    if (gst_sdp_media_get_num_ports(media_) > 1) {
      return fail("asks for several ports in section " + quoted(section_.mid));
    }
    if (section_.media == "application") section_.kind = Kind::kData;
    if (section_.media == "video") section_.kind = Kind::kVideo;
    if (section_.media == "audio") section_.kind = Kind::kAudio;
    if (!check_first_format()) return false;
    const char* bundle_only = nullptr;
    if (!single("bundle-only", &bundle_only)) return false;
    if (gst_sdp_media_get_port(media_) == 0 && !bundle_only) {
      section_.unusable = "has a rejected section (port 0) " + quoted(section_.mid);
      return true;
    }
    switch (section_.kind) {
      case Kind::kData:
        return check_data();
      case Kind::kVideo:
      case Kind::kAudio:
        return check_media();
      case Kind::kOther:
        section_.unusable = "has a section of the unknown kind " + quoted(section_.media);
    }
    return true;
  }

  // It comes back in the answer.
  bool check_first_format() {
    section_.first_format =
        gst_sdp_media_formats_len(media_) > 0 ? view(gst_sdp_media_get_format(media_, 0)) : "";
    if (sdp::is_token(section_.first_format)) return true;
    return fail("has an m=" + section_.media + " section with an unusable format " +
                quoted(section_.first_format));
  }

  bool check_data() {
    const auto unusable = [this](std::string why) {
      section_.unusable = std::move(why);
      return true;
    };
    if (gst_sdp_media_formats_len(media_) != 1) {
      return fail("has an m=application section that does not name exactly one format");
    }
    const std::string_view proto = section_.protocol;
    const std::string_view format = section_.first_format;
    std::string_view port;
    if (proto == "UDP/DTLS/SCTP" && format == "webrtc-datachannel") {
      const char* value = nullptr;
      if (!single("sctp-port", &value)) return false;
      if (!value) return fail("has an m=application section without a=sctp-port");
      port = value;
    } else if (proto == "DTLS/SCTP") {
      // The form of early drafts: the port is the format, and a=sctpmap says what it carries.
      const char* value = nullptr;
      if (!single("sctpmap", &value)) return false;
      if (!value) return fail("has an m=application section of the old form without a=sctpmap");
      const auto parts = sdp::split(value, ' ');
      if (parts.size() < 2 || parts[0] != format || parts[1] != "webrtc-datachannel") {
        return fail("has an a=sctpmap that does not describe a WebRTC data channel");
      }
      port = format;
    } else {
      return unusable("has an m=application section that is not a WebRTC data channel (" +
                      quoted(proto) + " " + quoted(format) + ")");
    }
    // webrtcbin 1.22 sends to port 5000 whatever the offer says; every known client uses it.
    if (port != "5000") {
      return unusable("uses SCTP port " + quoted(port) + "; only 5000 is supported");
    }
    const char* size = nullptr;
    if (!single("max-message-size", &size)) return false;
    if (size) {
      const auto value = sdp::to_integer<std::uint64_t>(size, 0, UINT64_MAX);
      if (!value) return fail("has an a=max-message-size that is not a number: " + quoted(size));
      // webrtcbin reads it into an int.
      section_.max_message_size = std::min<std::uint64_t>(*value, G_MAXINT);
    }
    return true;
  }

  bool check_media() {
    const char* value = nullptr;
    if (!single("rtcp-mux", &value)) return false;
    if (section_.protocol != "UDP/TLS/RTP/SAVPF") {
      section_.unusable = "has an m=" + section_.media + " section over " +
                          quoted(section_.protocol) + " instead of UDP/TLS/RTP/SAVPF";
    } else if (!value) {
      section_.unusable = "has an m=" + section_.media + " section without a=rtcp-mux";
    }
    int directions = 0;
    section_.receives = section_.sends = true;
    for (const std::string_view direction : {"sendrecv", "recvonly", "sendonly", "inactive"}) {
      if (!single(direction.data(), &value)) return false;
      if (!value) continue;
      ++directions;
      section_.receives = direction == "sendrecv" || direction == "recvonly";
      section_.sends = direction == "sendrecv" || direction == "sendonly";
    }
    if (directions > 1) {
      return fail("has an m=" + section_.media + " section with several directions");
    }
    return check_formats();
  }

  // Keeps the formats that have a well-formed rtpmap. Retransmission and redundancy formats only
  // serve what the peer sends, which is never received.
  bool check_formats() {
    const guint count = gst_sdp_media_formats_len(media_);
    if (count > limits_.max_formats) {
      return fail("lists " + std::to_string(count) + " formats in m=" + section_.media +
                  ", more than the " + std::to_string(limits_.max_formats) + " allowed");
    }
    std::set<std::string> seen;
    for (guint i = 0; i < count; ++i) {
      OfferSection::Format format;
      format.payload_type = gst_sdp_media_get_format(media_, i);
      if (!sdp::to_integer<int>(format.payload_type, 0, 127) || format.payload_type.size() > 3 ||
          !seen.insert(format.payload_type).second) {
        return fail("has an unusable payload type " + quoted(format.payload_type) +
                    " in m=" + section_.media);
      }
      read_format(format);
      if (!format.codec.empty()) section_.formats.push_back(std::move(format));
    }
    if (section_.formats.empty() && section_.unusable.empty()) {
      section_.unusable = "has an m=" + section_.media + " section without a usable format";
    }
    return true;
  }

  void read_format(OfferSection::Format& format) {
    for (guint i = 0; i < gst_sdp_media_attributes_len(media_); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media_, i);
      const std::string_view key = attribute->key;
      if (key != "rtpmap" && key != "fmtp" && key != "rtcp-fb") continue;
      const std::string_view value = view(attribute->value);
      const std::size_t space = value.find(' ');
      if (space == std::string_view::npos) continue;
      const bool wildcard = key == "rtcp-fb" && value.substr(0, space) == "*";
      if (value.substr(0, space) != format.payload_type && !wildcard) continue;
      const std::string_view rest = value.substr(space + 1);
      if (key == "rtpmap" && format.codec.empty() && sdp::is_codec(rest)) {
        format.codec = rest;
      } else if (key == "fmtp" && format.fmtp.empty() && sdp::is_fmtp(rest)) {
        format.fmtp = rest;
      } else if (key == "rtcp-fb" && format.feedback.size() < 8) {
        for (const char* known : {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}) {
          if (rest == known) format.feedback.emplace_back(rest);
        }
      }
    }
  }

  const GstSDPMedia* const media_;
  const OfferLimits& limits_;
  OfferSection section_;
  std::string error_;
};

}  // namespace

bool single_attribute(const GstSDPMedia* media, const char* key, const char** value,
                      std::string& problem) {
  *value = nullptr;
  for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
    const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
    if (g_strcmp0(attribute->key, key) != 0) continue;
    if (*value) {
      problem = std::string("has more than one a=") + key + " in one media section";
      return false;
    }
    *value = attribute->value ? attribute->value : "";
  }
  return true;
}

std::variant<OfferSection, std::string> read_section(const GstSDPMedia* media,
                                                     const OfferLimits& limits) {
  return Reader(media, limits).run();
}

}  // namespace webrtcupload
