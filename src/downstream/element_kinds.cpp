// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/element_kinds.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

// Names of GStreamer's own typefinders, and those that multipart bodies and servers use for the
// same formats: a demuxer of parts takes its caps from a line of the file.
constexpr std::array<std::string_view, 45> kPlaylists{
    // HLS, M3U.
    "application/x-hls",
    "application/vnd.apple.mpegurl",
    "application/vnd.apple.mpegurl.audio",
    "application/x-mpegurl",
    "application/mpegurl",
    "audio/mpegurl",
    "audio/x-mpegurl",
    "video/x-mpegurl",
    "application/vnd.apple.steering-list",
    // DASH, Smooth Streaming, HDS.
    "application/dash+xml",
    "application/dash-patch+xml",
    "video/vnd.mpeg.dash.mpd",
    "application/vnd.ms-sstr+xml",
    "application/f4m+xml",
    "application/f4m",
    // Descriptions of sessions.
    "application/sdp",
    "application/x-sdp",
    "application/rtsp",
    "application/x-rtsp",
    "application/x-rtsp-udp",
    // Lists of addresses.
    "text/uri-list",
    "audio/x-scpls",
    "audio/scpls",
    "application/pls+xml",
    "application/xspf+xml",
    "application/x-xspf+xml",
    "application/vnd.ms-wpl",
    "application/vnd.ms-asf-playlist",
    "application/x-ms-asx",
    "video/x-ms-asx",
    "video/x-ms-wvx",
    "video/x-ms-wmx",
    "audio/x-ms-wax",
    "audio/x-ms-asx",
    "application/smil",
    "application/smil+xml",
    "application/ram",
    "audio/x-pn-realaudio-plugin",
    "application/x-quicktime-media-link",
    "application/x-quicktimeplayer",
    "application/x-cue",
    "application/metalink+xml",
    "application/metalink4+xml",
    "application/atom+xml",
    "application/rss+xml",
};

constexpr std::array<std::string_view, 8> kDocuments{
    "image/svg+xml",
    "image/svg",
    "image/svg+xml-compressed",
    "application/xges",
    "application/vnd.apple-xmeml+xml",
    "application/vnd.apple-fcp+xml",
    "application/vnd.pixar.opentimelineio+json",
    "application/xhtml+xml",
};

// Formats of libavformat that open other files or addresses. gst-libav leaves nearly all of them
// out, and which ones is a matter of its version.
constexpr std::array<std::string_view, 32> kOpeningFormats{
    "hls",        "applehttp",
    "dash",       "webm_dash_manifest",
    "concat",     "concatf",
    "ffconcat",   "hds",
    "imf",        "image2",
    "image2pipe", "image2_alias_pix",
    "vobsub",     "mlv",
    "mpegtsraw",  "sdp",
    "rtsp",       "rtp",
    "sap",        "rtmp",
    "ism",        "smoothstreaming",
    "lavfi",      "libcdio",
    "libdvdread", "dvdvideo",
    "mov",        "mov_mp4_m4a_3gp_3g2_mj2",
    "mov,mp4",    "tedcaptions",
    "bluray",     "dv1394",
};

bool is_among(const auto& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

// Media types are the same in any case.
bool names_one_of(const GstCaps* caps, const auto& list) {
  if (!caps || gst_caps_is_any(caps)) return false;
  for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
    const GCharPtr name(
        g_ascii_strdown(gst_structure_get_name(gst_caps_get_structure(caps, i)), -1));
    if (is_among(list, name.get())) return true;
  }
  return false;
}

// One of the words of a class such as "Codec/Demuxer/Adaptive".
bool has_word(const char* klass, std::initializer_list<std::string_view> words) {
  std::string_view rest = klass ? klass : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    if (std::ranges::find(words, rest.substr(0, end)) != words.end()) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

bool opens_by_its_name(std::string_view factory) {
  constexpr std::string_view kPrefix = "avdemux_";
  return factory.starts_with(kPrefix) && is_among(kOpeningFormats, factory.substr(kPrefix.size()));
}

ElementKind kind_of_type(GType type) {
  for (; type != 0 && type != GST_TYPE_ELEMENT; type = g_type_parent(type)) {
    const std::string_view name = g_type_name(type);
    if (name.starts_with("GstAdaptiveDemux")) return ElementKind::kPlaylist;
    if (name == "GstBaseSrc") return ElementKind::kSource;
  }
  return ElementKind::kHarmless;
}

}  // namespace

ElementKind kind_of(const GstCaps* caps) {
  if (names_one_of(caps, kPlaylists)) return ElementKind::kPlaylist;
  if (names_one_of(caps, kDocuments)) return ElementKind::kDocument;
  return ElementKind::kHarmless;
}

bool is_plain_text(const GstCaps* caps) {
  constexpr std::array<std::string_view, 6> kTexts{"text/plain",  "text/html",   "text/xml",
                                                   "text/utf-16", "text/utf-32", "application/xml"};
  return names_one_of(caps, kTexts);
}

ElementKind kind_of(GstElementFactory* factory) {
  if (!factory) return ElementKind::kHarmless;
  const char* klass = gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS);
  if (has_word(klass, {"Adaptive"}) || opens_by_its_name(GST_OBJECT_NAME(factory))) {
    return ElementKind::kPlaylist;
  }
  if (gst_element_factory_get_uri_type(factory) == GST_URI_SRC) return ElementKind::kSource;
  bool takes_data = false;
  bool gives_data = false;
  ElementKind of_caps = ElementKind::kHarmless;
  for (const GList* item = gst_element_factory_get_static_pad_templates(factory); item;
       item = item->next) {
    auto* pad = static_cast<GstStaticPadTemplate*>(item->data);
    if (pad->direction == GST_PAD_SRC) gives_data = true;
    if (pad->direction != GST_PAD_SINK) continue;
    takes_data = true;
    const GstCapsPtr caps(gst_static_pad_template_get_caps(pad));
    if (of_caps == ElementKind::kHarmless) of_caps = kind_of(caps.get());
  }
  if (of_caps != ElementKind::kHarmless) return of_caps;
  // Also what only gives, whatever it calls itself.
  if (has_word(klass, {"Source", "Src"}) || (gives_data && !takes_data)) {
    return ElementKind::kSource;
  }
  return ElementKind::kHarmless;
}

ElementKind kind_of(GstElement* element) {
  const ElementKind kind = kind_of(gst_element_get_factory(element));
  if (kind != ElementKind::kHarmless) return kind;
  if (GST_IS_URI_HANDLER(element) &&
      gst_uri_handler_get_uri_type(GST_URI_HANDLER(element)) == GST_URI_SRC) {
    return ElementKind::kSource;
  }
  return kind_of_type(G_OBJECT_TYPE(element));
}

bool is_autoplugger(GstElement* element) {
  const GType type = G_OBJECT_TYPE(element);
  return GST_IS_BIN(element) &&
         (g_signal_lookup("autoplug-select", type) || g_signal_lookup("autoplug-continue", type) ||
          g_signal_lookup("select-stream", type));
}

bool ElementPolicy::refuses(GstElementFactory* factory) const {
  if (!factory) return false;
  const std::string_view name = GST_OBJECT_NAME(factory);
  if (denied.contains(name)) return true;
  return !allowed.contains(name) && kind_of(factory) != ElementKind::kHarmless;
}

bool ElementPolicy::has_reader_of(const GstCaps* caps) const {
  for (const std::string& name : allowed) {
    const GstPtr<GstElementFactory> factory(gst_element_factory_find(name.c_str()));
    if (factory && !denied.contains(name) &&
        gst_element_factory_can_sink_any_caps(factory.get(), const_cast<GstCaps*>(caps))) {
      return true;
    }
  }
  return false;
}

}  // namespace webrtcupload
