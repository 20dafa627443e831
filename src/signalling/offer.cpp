// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/offer.h"

#include <gio/gio.h>
#include <gst/sdp/gstsdpmessage.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace webrtcupload {
namespace {

using MessagePtr = std::unique_ptr<GstSDPMessage, decltype(&gst_sdp_message_free)>;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return g_ascii_isalnum(c); }
// RFC 8839's ice-char.
bool is_ice_char(char c) { return is_alnum(c) || c == '+' || c == '/'; }
bool is_mid_char(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }

template <typename Integer>
std::optional<Integer> to_integer(std::string_view text, Integer lowest, Integer highest) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < lowest || value > highest) return std::nullopt;
  return value;
}

// Text from the peer as it may appear in a message: short, and printable.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 64)) out += g_ascii_isprint(c) && c != '"' ? c : '?';
  if (text.size() > 64) out += "...";
  return out + "\"";
}

// One a=fingerprint value that has the form its hash function demands.
bool is_fingerprint(std::string_view value, std::string_view* algorithm) {
  const auto parts = split(value, ' ');
  if (parts.size() != 2) return false;
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 4> kAlgorithms = {
      {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}, {"sha-1", 20}}};
  for (const auto& [name, bytes] : kAlgorithms) {
    if (g_ascii_strncasecmp(parts[0].data(), name.data(), name.size()) != 0 ||
        parts[0].size() != name.size()) {
      continue;
    }
    if (parts[1].size() != bytes * 3 - 1) return false;
    for (std::size_t i = 0; i < parts[1].size(); ++i) {
      const char c = parts[1][i];
      if (i % 3 == 2 ? c != ':' : !g_ascii_isxdigit(c)) return false;
    }
    *algorithm = name;
    return true;
  }
  return false;
}

// "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX.local", the names browsers hide addresses behind. No other
// name is let through: resolving it would make the server look up whatever a stranger says.
bool is_mdns_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".local";
  if (name.size() != 36 + kSuffix.size() || !name.ends_with(kSuffix)) return false;
  return all_of(name.substr(0, 36), [](char c) { return g_ascii_isxdigit(c) || c == '-'; });
}

bool is_usable_address(std::string_view text) {
  const std::string copy(text);
  GInetAddress* address = g_inet_address_new_from_string(copy.c_str());
  if (!address) return is_mdns_name(text);
  const bool usable = !g_inet_address_get_is_any(address) &&
                      !g_inet_address_get_is_multicast(address) && copy != "255.255.255.255";
  g_object_unref(address);
  return usable;
}

// The candidate rewritten from its checked parts, or nothing if it is of no use here: TCP ones
// would make the server connect to addresses of a stranger's choice.
std::optional<std::string> rewrite_candidate(std::string_view value) {
  const auto part = split(value, ' ');
  if (part.size() < 8 || part.size() > 64) return std::nullopt;
  if (part[0].size() > 32 || !all_of(part[0], is_ice_char)) return std::nullopt;
  if (part[1] != "1" || part[2].size() != 3 || g_ascii_strncasecmp(part[2].data(), "udp", 3) != 0) {
    return std::nullopt;
  }
  const auto priority = to_integer<std::uint32_t>(part[3], 1, 0x7fffffff);
  const auto port = to_integer<std::uint32_t>(part[5], 1, 65535);
  if (!priority || !port || !is_usable_address(part[4]) || part[6] != "typ") return std::nullopt;
  const std::string_view type = part[7];
  if (type != "host" && type != "srflx" && type != "prflx" && type != "relay") return std::nullopt;
  std::string out(part[0]);
  out += " 1 UDP " + std::to_string(*priority) + " " + std::string(part[4]) + " " +
         std::to_string(*port) + " typ " + std::string(type);
  // libnice wants the related address of reflexive and relayed candidates, and never uses it.
  if (type != "host") out += " raddr 0.0.0.0 rport 0";
  return out;
}

// What one media section has to say.
struct Section {
  enum class Kind { kData, kVideo, kAudio };
  Kind kind = Kind::kData;
  std::string mid;
  // Data.
  std::uint64_t max_message_size = 65536;
  // Media.
  struct Format {
    std::string payload_type;
    std::string rtpmap;
    std::string fmtp;
    std::vector<std::string> feedback;
  };
  std::vector<Format> formats;
  bool receives = false;
};

// What the first section decides for the whole connection.
struct Transport {
  std::string ufrag;
  std::string password;
  std::string fingerprint;
  std::string setup;
  std::vector<std::string> candidates;
  bool ice_lite = false;
};

class Checker {
 public:
  explicit Checker(const OfferLimits& limits) : limits_(limits) {}

  std::variant<Offer, OfferError> run(std::string_view text) {
    Offer offer;
    if (check_text(text) && parse(text) && check_sections() && check_bundle() &&
        check_transport()) {
      offer.sdp = write();
      for (const Section& section : sections_) {
        if (section.kind == Section::Kind::kVideo) {
          offer.has_video = true;
          if (section.receives) offer.video_formats = sendable_formats(section);
        }
        offer.has_audio |= section.kind == Section::Kind::kAudio;
      }
      return offer;
    }
    return OfferError{"the offer " + error_};
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
      if (!all_of(line, [](char c) { return (c >= 0x20 && c < 0x7f) || (c & 0x80); })) {
        return fail("has a control character in " + where);
      }
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
    return true;
  }

  // The value of an attribute that may appear once in a section; nullptr and an error if it
  // appears more often.
  bool single(const GstSDPMedia* media, const char* key, const char** value) {
    *value = nullptr;
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
      if (g_strcmp0(attribute->key, key) != 0) continue;
      if (*value) {
        return fail(std::string("has more than one a=") + key + " in one media section");
      }
      *value = attribute->value ? attribute->value : "";
    }
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

  bool check_sections() {
    const guint count = gst_sdp_message_medias_len(message_.get());
    if (count == 0) return fail("has no media section");
    if (count > 3) {
      return fail("has " + std::to_string(count) +
                  " media sections; at most one each of application, video and audio is allowed");
    }
    for (guint i = 0; i < count; ++i) {
      const GstSDPMedia* media = gst_sdp_message_get_media(message_.get(), i);
      Section section;
      if (!check_section(media, section)) return false;
      for (const Section& other : sections_) {
        if (other.kind == section.kind) {
          return fail(std::string("has more than one m=") + gst_sdp_media_get_media(media) +
                      " section");
        }
        if (other.mid == section.mid) {
          return fail("uses the mid " + quoted(section.mid) + " twice");
        }
      }
      sections_.push_back(std::move(section));
    }
    if (std::none_of(sections_.begin(), sections_.end(),
                     [](const Section& s) { return s.kind == Section::Kind::kData; })) {
      return fail("has no m=application section, so there is no data channel to upload over");
    }
    return true;
  }

  bool check_section(const GstSDPMedia* media, Section& section) {
    const char* mid = nullptr;
    if (!single(media, "mid", &mid)) return false;
    if (!mid) return fail("has a media section without a=mid");
    section.mid = mid;
    if (section.mid.empty() || section.mid.size() > 32 || !all_of(section.mid, is_mid_char)) {
      return fail("has an unusable mid " + quoted(section.mid));
    }
    if (gst_sdp_media_get_num_ports(media) > 1) {
      return fail("asks for several ports in section " + quoted(section.mid));
    }
    const char* bundle_only = nullptr;
    if (!single(media, "bundle-only", &bundle_only)) return false;
    if (gst_sdp_media_get_port(media) == 0 && !bundle_only) {
      return fail("has a rejected section (port 0) " + quoted(section.mid));
    }
    const std::string_view kind =
        gst_sdp_media_get_media(media) ? gst_sdp_media_get_media(media) : "";
    if (kind == "application") return check_data(media, section);
    if (kind == "video" || kind == "audio") {
      section.kind = kind == "video" ? Section::Kind::kVideo : Section::Kind::kAudio;
      return check_media(media, section);
    }
    return fail("has a section of the unknown kind " + quoted(kind));
  }

  bool check_data(const GstSDPMedia* media, Section& section) {
    section.kind = Section::Kind::kData;
    const std::string_view proto =
        gst_sdp_media_get_proto(media) ? gst_sdp_media_get_proto(media) : "";
    if (gst_sdp_media_formats_len(media) != 1) {
      return fail("has an m=application section that does not name exactly one format");
    }
    const std::string_view format = gst_sdp_media_get_format(media, 0);
    std::string_view port;
    if (proto == "UDP/DTLS/SCTP" && format == "webrtc-datachannel") {
      const char* value = nullptr;
      if (!single(media, "sctp-port", &value)) return false;
      if (!value) return fail("has an m=application section without a=sctp-port");
      port = value;
    } else if (proto == "DTLS/SCTP") {
      // The form of early drafts: the port is the format, and a=sctpmap says what it carries.
      const char* value = nullptr;
      if (!single(media, "sctpmap", &value)) return false;
      if (!value) return fail("has an m=application section of the old form without a=sctpmap");
      const auto parts = split(value, ' ');
      if (parts.size() < 2 || parts[0] != format || parts[1] != "webrtc-datachannel") {
        return fail("has an a=sctpmap that does not describe a WebRTC data channel");
      }
      port = format;
    } else {
      return fail("has an m=application section that is not a WebRTC data channel (" +
                  quoted(proto) + " " + quoted(format) + ")");
    }
    // webrtcbin 1.22 sends to port 5000 whatever the offer says; every known client uses it.
    if (port != "5000") return fail("uses SCTP port " + quoted(port) + "; only 5000 is supported");
    const char* size = nullptr;
    if (!single(media, "max-message-size", &size)) return false;
    if (size) {
      const auto value = to_integer<std::uint64_t>(size, 0, UINT64_MAX);
      if (!value) return fail("has an a=max-message-size that is not a number: " + quoted(size));
      // webrtcbin reads it into an int.
      section.max_message_size = std::min<std::uint64_t>(*value, G_MAXINT);
    }
    return true;
  }

  bool check_media(const GstSDPMedia* media, Section& section) {
    const std::string name = gst_sdp_media_get_media(media);
    const std::string_view proto =
        gst_sdp_media_get_proto(media) ? gst_sdp_media_get_proto(media) : "";
    if (proto != "UDP/TLS/RTP/SAVPF") {
      return fail("has an m=" + name + " section over " + quoted(proto) +
                  " instead of UDP/TLS/RTP/SAVPF");
    }
    const char* value = nullptr;
    if (!single(media, "rtcp-mux", &value)) return false;
    if (!value) return fail("has an m=" + name + " section without a=rtcp-mux");
    int directions = 0;
    section.receives = true;
    for (const char* direction : {"sendrecv", "recvonly", "sendonly", "inactive"}) {
      if (!single(media, direction, &value)) return false;
      if (!value) continue;
      ++directions;
      const std::string_view text = direction;
      section.receives = text == "sendrecv" || text == "recvonly";
    }
    if (directions > 1) return fail("has an m=" + name + " section with several directions");
    return check_formats(media, name, section);
  }

  // Keeps the formats that have a well-formed rtpmap. Retransmission and redundancy formats only
  // serve what the peer sends, which is never received.
  bool check_formats(const GstSDPMedia* media, const std::string& name, Section& section) {
    const guint count = gst_sdp_media_formats_len(media);
    if (count > limits_.max_formats) {
      return fail("lists " + std::to_string(count) + " formats in m=" + name + ", more than the " +
                  std::to_string(limits_.max_formats) + " allowed");
    }
    std::set<std::string> seen;
    for (guint i = 0; i < count; ++i) {
      Section::Format format;
      format.payload_type = gst_sdp_media_get_format(media, i);
      if (!to_integer<int>(format.payload_type, 0, 127) || format.payload_type.size() > 3 ||
          !seen.insert(format.payload_type).second) {
        return fail("has an unusable payload type " + quoted(format.payload_type) +
                    " in m=" + name);
      }
      read_format(media, format);
      if (!format.rtpmap.empty()) section.formats.push_back(std::move(format));
    }
    if (section.formats.empty()) {
      return fail("has an m=" + name + " section without a usable format");
    }
    return true;
  }

  static void read_format(const GstSDPMedia* media, Section::Format& format) {
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
      const std::string_view key = attribute->key;
      if (key != "rtpmap" && key != "fmtp" && key != "rtcp-fb") continue;
      const std::string_view value = attribute->value ? attribute->value : "";
      const std::size_t space = value.find(' ');
      if (space == std::string_view::npos) continue;
      const bool wildcard = key == "rtcp-fb" && value.substr(0, space) == "*";
      if (value.substr(0, space) != format.payload_type && !wildcard) continue;
      const std::string_view rest = value.substr(space + 1);
      if (key == "rtpmap" && format.rtpmap.empty() && is_rtpmap(rest)) {
        format.rtpmap = rest;
      } else if (key == "fmtp" && format.fmtp.empty() && is_fmtp(rest)) {
        format.fmtp = rest;
      } else if (key == "rtcp-fb" && format.feedback.size() < 8) {
        for (const char* known : {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}) {
          if (rest == known) format.feedback.emplace_back(rest);
        }
      }
    }
  }

  static bool is_rtpmap(std::string_view value) {
    const auto parts = split(value, '/');
    if (parts.size() != 2 && parts.size() != 3) return false;
    if (parts[0].empty() || parts[0].size() > 32 || !all_of(parts[0], is_mid_char)) return false;
    std::string lower(parts[0]);
    std::transform(lower.begin(), lower.end(), lower.begin(), g_ascii_tolower);
    for (const char* skipped : {"rtx", "red", "ulpfec", "flexfec-03"}) {
      if (lower == skipped) return false;
    }
    if (!to_integer<std::uint32_t>(parts[1], 1, 1000000)) return false;
    return parts.size() == 2 || to_integer<int>(parts[2], 1, 255).has_value();
  }

  static bool is_fmtp(std::string_view value) {
    return !value.empty() && value.size() <= 256 && all_of(value, [](char c) {
      return is_alnum(c) || std::string_view("-_.+/=,:; ").find(c) != std::string_view::npos;
    });
  }

  static std::vector<VideoFormat> sendable_formats(const Section& section) {
    std::vector<VideoFormat> formats;
    for (const Section::Format& format : section.formats) {
      std::string codec(split(format.rtpmap, '/')[0]);
      std::transform(codec.begin(), codec.end(), codec.begin(), g_ascii_toupper);
      const bool sendable =
          codec == "H264"  ? format.fmtp.find("packetization-mode=1") != std::string::npos
          : codec == "VP9" ? format.fmtp.find("profile-id=") == std::string::npos ||
                                 format.fmtp.find("profile-id=0") != std::string::npos
                           : true;
      const auto type = to_integer<int>(format.payload_type, 0, 127);
      if (sendable && type) formats.push_back({*type, std::move(codec)});
    }
    return formats;
  }

  // One BUNDLE group that names every section, the first one first: webrtcbin answers with the
  // sections' own order, and aborts when the two orders begin differently.
  bool check_bundle() {
    const char* group = nullptr;
    if (!session_single("group", &group)) return false;
    if (!group) return fail("has no a=group:BUNDLE");
    auto mids = split(group, ' ');
    if (mids.empty() || mids[0] != "BUNDLE") return fail("has no a=group:BUNDLE");
    mids.erase(mids.begin());
    if (mids.size() != sections_.size()) {
      return fail("bundles " + std::to_string(mids.size()) + " of its " +
                  std::to_string(sections_.size()) + " media sections; all must be bundled");
    }
    for (std::size_t i = 0; i < mids.size(); ++i) {
      if (mids[i] != sections_[i].mid) {
        return fail("has a BUNDLE group that names " + quoted(mids[i]) + " where section " +
                    quoted(sections_[i].mid) + " is expected");
      }
    }
    return true;
  }

  bool check_transport() {
    const GstSDPMedia* media = gst_sdp_message_get_media(message_.get(), 0);
    const char* value = nullptr;
    if (!find("ice-ufrag", &value)) return false;
    transport_.ufrag = value;
    if (transport_.ufrag.size() < 4 || transport_.ufrag.size() > 256 ||
        !all_of(transport_.ufrag, is_ice_char)) {
      return fail("has an unusable a=ice-ufrag " + quoted(transport_.ufrag));
    }
    if (!find("ice-pwd", &value)) return false;
    transport_.password = value;
    if (transport_.password.size() < 22 || transport_.password.size() > 256 ||
        !all_of(transport_.password, is_ice_char)) {
      return fail("has an a=ice-pwd that is not 22 to 256 ICE characters");
    }
    if (!find("setup", &value)) return false;
    transport_.setup = value;
    if (transport_.setup != "actpass" && transport_.setup != "active" &&
        transport_.setup != "passive") {
      return fail("has an unusable a=setup " + quoted(transport_.setup));
    }
    if (!session_single("ice-lite", &value)) return false;
    transport_.ice_lite = value != nullptr;
    for (guint i = 0; i < gst_sdp_media_attributes_len(media); ++i) {
      const GstSDPAttribute* attribute = gst_sdp_media_get_attribute(media, i);
      if (g_strcmp0(attribute->key, "candidate") != 0 || !attribute->value) continue;
      if (transport_.candidates.size() == limits_.max_candidates) break;
      if (auto candidate = rewrite_candidate(attribute->value)) {
        transport_.candidates.push_back(std::move(*candidate));
      }
    }
    return check_fingerprint(media);
  }

  // From the first section, or from the session level.
  bool find(const char* key, const char** value) {
    const GstSDPMedia* media = gst_sdp_message_get_media(message_.get(), 0);
    if (!single(media, key, value)) return false;
    if (!*value && !session_single(key, value)) return false;
    if (!*value) {
      return fail("has no a=" + std::string(key) + " in its first media section");
    }
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
    if (values.empty()) return fail("has no a=fingerprint in its first media section");
    std::string_view best_algorithm;
    for (const std::string_view value : values) {
      std::string_view algorithm;
      if (!is_fingerprint(value, &algorithm)) {
        return fail("has an unusable a=fingerprint " + quoted(value));
      }
      if (!transport_.fingerprint.empty() && algorithm == best_algorithm &&
          algorithm == "sha-256" && value != transport_.fingerprint) {
        return fail("has two different SHA-256 fingerprints");
      }
      if (transport_.fingerprint.empty() || algorithm == "sha-256") {
        transport_.fingerprint = value;
        best_algorithm = algorithm;
      }
    }
    return true;
  }

  // The origin's numbers come back in the answer, and matter to nobody.
  std::string origin_number(const char* value) const {
    const std::string_view text = value ? value : "";
    return !text.empty() && text.size() <= 20 && all_of(text, is_digit) ? std::string(text) : "0";
  }

  std::string write() const {
    const GstSDPOrigin* origin = gst_sdp_message_get_origin(message_.get());
    std::string out = "v=0\r\no=- " + origin_number(origin->sess_id) + " " +
                      origin_number(origin->sess_version) +
                      " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE";
    for (const Section& section : sections_) out += " " + section.mid;
    out += "\r\n";
    if (transport_.ice_lite) out += "a=ice-lite\r\n";
    for (const Section& section : sections_) {
      write_section(section, &section == &sections_.front(), out);
    }
    return out;
  }

  void write_section(const Section& section, bool first, std::string& out) const {
    const auto line = [&out](const std::string& text) { out += text + "\r\n"; };
    switch (section.kind) {
      case Section::Kind::kData:
        line("m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
        break;
      case Section::Kind::kVideo:
      case Section::Kind::kAudio: {
        std::string media = section.kind == Section::Kind::kVideo ? "m=video" : "m=audio";
        media += " 9 UDP/TLS/RTP/SAVPF";
        for (const auto& format : section.formats) media += " " + format.payload_type;
        line(media);
        break;
      }
    }
    line("c=IN IP4 0.0.0.0");
    line("a=mid:" + section.mid);
    line("a=ice-ufrag:" + transport_.ufrag);
    line("a=ice-pwd:" + transport_.password);
    line("a=fingerprint:" + transport_.fingerprint);
    line("a=setup:" + transport_.setup);
    if (section.kind == Section::Kind::kData) {
      line("a=sctp-port:5000");
      line("a=max-message-size:" + std::to_string(section.max_message_size));
    } else {
      line(section.receives ? "a=recvonly" : "a=inactive");
      line("a=rtcp-mux");
      for (const auto& format : section.formats) {
        line("a=rtpmap:" + format.payload_type + " " + format.rtpmap);
        if (!format.fmtp.empty()) line("a=fmtp:" + format.payload_type + " " + format.fmtp);
        for (const std::string& feedback : format.feedback) {
          line("a=rtcp-fb:" + format.payload_type + " " + feedback);
        }
      }
    }
    if (!first) return;
    for (const std::string& candidate : transport_.candidates) line("a=candidate:" + candidate);
  }

  const OfferLimits& limits_;
  MessagePtr message_{nullptr, gst_sdp_message_free};
  std::vector<Section> sections_;
  Transport transport_;
  std::string error_;
};

}  // namespace

std::variant<Offer, OfferError> check_offer(std::string_view sdp, const OfferLimits& limits) {
  return Checker(limits).run(sdp);
}

}  // namespace webrtcupload
