// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/sdp/offer_check.h"

#include <glib.h>
#include <gst/sdp/gstsdpmessage.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "webrtc/sdp/offer_description.h"
#include "webrtc/sdp/offer_sections.h"
#include "webrtc/sdp/sdp_syntax.h"

namespace webrtcupload {
namespace {

using sdp::quoted;
using Kind = OfferSection::Kind;
using How = AnswerSection::How;
using MessagePtr = std::unique_ptr<GstSDPMessage, decltype(&gst_sdp_message_free)>;

std::string_view view(const char* text) { return text ? text : ""; }

std::vector<VideoFormat> sendable_formats(const OfferSection& section) {
  std::vector<VideoFormat> formats;
  for (const OfferSection::Format& format : section.formats) {
    std::string codec(sdp::split(format.codec, '/')[0]);
    std::transform(codec.begin(), codec.end(), codec.begin(), g_ascii_toupper);
    const bool sendable =
        codec == "H264"  ? format.fmtp.find("packetization-mode=1") != std::string::npos
        : codec == "VP9" ? format.fmtp.find("profile-id=") == std::string::npos ||
                               format.fmtp.find("profile-id=0") != std::string::npos
                         : true;
    const auto type = sdp::to_integer<int>(format.payload_type, 0, 127);
    if (sendable && type) formats.push_back({*type, std::move(codec)});
  }
  return formats;
}

class Checker {
 public:
  explicit Checker(const OfferLimits& limits) : limits_(limits) {}

  std::variant<Offer, OfferError> run(std::string_view text) {
    if (!check_text(text) || !parse(text) || !check_sections() || !check_groups() ||
        !check_transport()) {
      return OfferError{"the offer " + error_};
    }
    Offer offer;
    if (const OfferSection* video = choose_video()) offer.video_formats = sendable_formats(*video);
    offer.sdp = write_offer(offer_);
    offer.answer = plan_answer(offer_);
    return offer;
  }

 private:
  bool fail(std::string why) {
    error_ = std::move(why);
    return false;
  }

  // The shape that GstSDPMessage's lenient parser would let pass.
  bool check_text(std::string_view text) {
    if (text.size() > limits_.max_bytes) {
      return fail("has " + std::to_string(text.size()) + " bytes, more than the " +
                  std::to_string(limits_.max_bytes) + " allowed");
    }
    std::size_t lines = 0;
    std::string_view rest = text;
    while (rest.ends_with('\n') || rest.ends_with('\r')) rest.remove_suffix(1);
    while (!rest.empty()) {
      std::size_t end = rest.find('\n');
      if (end == std::string_view::npos) end = rest.size();
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++lines;
      const std::string where = "line " + std::to_string(lines);
      if (lines > limits_.max_lines) {
        return fail("has more than the " + std::to_string(limits_.max_lines) + " lines allowed");
      }
      if (line.size() > limits_.max_line_bytes) {
        return fail("has a " + where + " longer than " + std::to_string(limits_.max_line_bytes) +
                    " bytes");
      }
      if (line.size() < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=') {
        return fail("is not SDP: " + where + " is not of the form x=...");
      }
      if (!sdp::is_printable(line)) return fail("has a control character in " + where);
      if (line[0] == 'k') return fail("carries a key (a k= line), which is not supported");
      if (lines == 1 && line != "v=0") return fail("is not SDP: it does not begin with v=0");
    }
    if (lines == 0) return fail("is empty");
    return true;
  }

  bool parse(std::string_view text) {
    GstSDPMessage* message = nullptr;
    if (gst_sdp_message_new(&message) != GST_SDP_OK) return fail("could not be parsed");
    message_.reset(message);
    if (gst_sdp_message_parse_buffer(reinterpret_cast<const guint8*>(text.data()),
                                     static_cast<guint>(text.size()), message) != GST_SDP_OK) {
      return fail("is not valid SDP");
    }
    // The origin's numbers come back in the answer, and matter to nobody.
    const auto number = [](const char* value) {
      return sdp::is_digits(view(value)) && view(value).size() <= 20 ? value : "0";
    };
    const GstSDPOrigin* origin = gst_sdp_message_get_origin(message);
    offer_.session_id = number(origin->sess_id);
    offer_.session_version = number(origin->sess_version);
    return true;
  }

  bool session_single(const char* key, const char** value) {
    *value = nullptr;
    for (guint i = 0; i < gst_sdp_message_attributes_len(message_.get()); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_message_get_attribute(message_.get(), i);
      if (g_strcmp0(attribute->key, key) != 0) continue;
      if (*value) return fail(std::string("has more than one a=") + key + " for the session");
      *value = attribute->value ? attribute->value : "";
    }
    return true;
  }

  // --- sections: what each is, and whether it can be used

  bool check_sections() {
    const guint count = gst_sdp_message_medias_len(message_.get());
    if (count == 0) return fail("has no media section");
    if (count > limits_.max_sections) {
      return fail("has " + std::to_string(count) + " media sections, more than the " +
                  std::to_string(limits_.max_sections) + " allowed");
    }
    for (guint i = 0; i < count; ++i) {
      auto read = read_section(gst_sdp_message_get_media(message_.get(), i), limits_);
      if (auto* problem = std::get_if<std::string>(&read)) return fail(std::move(*problem));
      auto& section = std::get<OfferSection>(read);
      for (const OfferSection& other : offer_.sections) {
        if (!section.mid.empty() && other.mid == section.mid) {
          return fail("uses the mid " + quoted(section.mid) + " twice");
        }
      }
      offer_.sections.push_back(std::move(section));
    }
    return choose_data();
  }

  bool choose_data() {
    std::string unusable;
    for (std::size_t i = 0; i < offer_.sections.size(); ++i) {
      const OfferSection& section = offer_.sections[i];
      if (section.kind != Kind::kData) continue;
      if (section.unusable.empty()) {
        data_ = i;
        return true;
      }
      if (unusable.empty()) unusable = section.unusable;
    }
    return fail(unusable.empty()
                    ? "has no m=application section, so there is no data channel to upload over"
                    : unusable);
  }

  // --- groups: which sections share the transport with the data section

  // RFC 5888 allows groups of other kinds, and RFC 9143 several bundles.
  bool check_groups() {
    std::optional<std::vector<std::size_t>> bundle;
    for (guint i = 0; i < gst_sdp_message_attributes_len(message_.get()); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_message_get_attribute(message_.get(), i);
      if (g_strcmp0(attribute->key, "group") != 0) continue;
      auto mids = sdp::split(view(attribute->value), ' ');
      if (mids.empty()) return fail("has an a=group that says nothing");
      if (mids[0] != "BUNDLE") continue;
      mids.erase(mids.begin());
      std::vector<std::size_t> indices;
      if (!find_sections(mids, indices)) return false;
      if (std::find(indices.begin(), indices.end(), data_) == indices.end()) continue;
      if (bundle) return fail("has two BUNDLE groups with the data channel's section");
      bundle = std::move(indices);
    }
    offer_.grouped = bundle.has_value();
    // Every section then has its own transport, and only the data channel's is used.
    if (!bundle) bundle = {{data_}};
    for (const std::size_t index : *bundle) {
      OfferSection& section = offer_.sections[index];
      if (!section.unusable.empty() || (section.kind == Kind::kData && index != data_)) continue;
      section.answer = index == data_ ? How::kByWebrtcbin : How::kInactive;
      offer_.bundle.push_back(index);
    }
    return true;
  }

  bool find_sections(const std::vector<std::string_view>& mids, std::vector<std::size_t>& indices) {
    for (const std::string_view mid : mids) {
      const auto found =
          std::find_if(offer_.sections.begin(), offer_.sections.end(),
                       [mid](const OfferSection& section) { return section.mid == mid; });
      if (found == offer_.sections.end()) {
        return fail("has a BUNDLE group that names " + quoted(mid) + ", which is no section");
      }
      const auto index = static_cast<std::size_t>(found - offer_.sections.begin());
      if (std::find(indices.begin(), indices.end(), index) != indices.end()) {
        return fail("has a BUNDLE group that names " + quoted(mid) + " twice");
      }
      indices.push_back(index);
    }
    return true;
  }

  // Where video goes back: preferably where the peer has no video of its own to send.
  OfferSection* choose_video() {
    OfferSection* chosen = nullptr;
    for (OfferSection& section : offer_.sections) {
      if (section.kind != Kind::kVideo || section.answer != How::kInactive) continue;
      if (!section.receives) continue;
      if (!chosen || (chosen->sends && !section.sends)) chosen = &section;
    }
    if (chosen) chosen->answer = How::kByWebrtcbin;
    return chosen;
  }

  // --- transport: that of the bundle's first section

  [[nodiscard]] const GstSDPMedia* tagged() const {
    return gst_sdp_message_get_media(message_.get(), static_cast<guint>(offer_.bundle.front()));
  }

  bool check_transport() {
    OfferTransport& transport = offer_.transport;
    const char* value = nullptr;
    if (!find("ice-ufrag", &value)) return false;
    transport.ufrag = value;
    if (!sdp::is_ice_text(transport.ufrag, 4)) {
      return fail("has an unusable a=ice-ufrag " + quoted(transport.ufrag));
    }
    if (!find("ice-pwd", &value)) return false;
    transport.password = value;
    if (!sdp::is_ice_text(transport.password, 22)) {
      return fail("has an a=ice-pwd that is not 22 to 256 ICE characters");
    }
    if (!find("setup", &value)) return false;
    transport.setup = value;
    if (transport.setup != "actpass" && transport.setup != "active" &&
        transport.setup != "passive") {
      return fail("has an unusable a=setup " + quoted(transport.setup));
    }
    if (!session_single("ice-lite", &value)) return false;
    transport.ice_lite = value != nullptr;
    const GstSDPMedia* media = tagged();
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
      if (g_strcmp0(attribute->key, "candidate") != 0 || !attribute->value) continue;
      if (transport.candidates.size() == limits_.max_candidates) break;
      if (auto candidate = sdp::rewrite_candidate(attribute->value)) {
        transport.candidates.push_back(std::move(*candidate));
      }
    }
    return check_fingerprint(media);
  }

  // How messages name the section that the transport is taken from.
  [[nodiscard]] std::string where() const {
    return offer_.bundle.front() == 0
               ? "in its first media section"
               : "in its media section " + quoted(offer_.sections[offer_.bundle.front()].mid);
  }

  // From the bundle's first section, or from the session level.
  bool find(const char* key, const char** value) {
    std::string problem;
    if (!single_attribute(tagged(), key, value, problem)) return fail(std::move(problem));
    if (!*value && !session_single(key, value)) return false;
    if (!*value) return fail("has no a=" + std::string(key) + " " + where());
    return true;
  }

  // Several may be given, one per hash function; SHA-256 is preferred and one is enough.
  bool check_fingerprint(const GstSDPMedia* media) {
    std::vector<std::string_view> values;
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
      if (g_strcmp0(attribute->key, "fingerprint") == 0 && attribute->value) {
        values.emplace_back(attribute->value);
      }
    }
    for (guint i = 0; values.empty() && i < gst_sdp_message_attributes_len(message_.get()); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_message_get_attribute(message_.get(), i);
      if (g_strcmp0(attribute->key, "fingerprint") == 0 && attribute->value) {
        values.emplace_back(attribute->value);
      }
    }
    if (values.empty()) return fail("has no a=fingerprint " + where());
    std::string& chosen = offer_.transport.fingerprint;
    std::string_view chosen_algorithm;
    for (const std::string_view value : values) {
      const auto algorithm = sdp::fingerprint_algorithm(value);
      if (!algorithm) return fail("has an unusable a=fingerprint " + quoted(value));
      if (!chosen.empty() && *algorithm == chosen_algorithm && *algorithm == "sha-256" &&
          value != chosen) {
        return fail("has two different SHA-256 fingerprints");
      }
      if (chosen.empty() || *algorithm == "sha-256") {
        chosen = value;
        chosen_algorithm = *algorithm;
      }
    }
    return true;
  }

  const OfferLimits& limits_;
  MessagePtr message_{nullptr, gst_sdp_message_free};
  OfferDescription offer_;
  std::size_t data_ = 0;
  std::string error_;
};

}  // namespace

std::variant<Offer, OfferError> check_offer(std::string_view sdp, const OfferLimits& limits) {
  return Checker(limits).run(sdp);
}

}  // namespace webrtcupload
