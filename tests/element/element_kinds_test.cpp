// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the guard refuses, against every element factory that this system has: docs/security.md
// names all that are refused, and all that a file could bring about and that somebody has looked
// at. A plugin that brings a new one fails this test until somebody has looked at that as well.

#include "downstream/element_kinds.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/gst_test.h"

namespace webrtcupload {
namespace {

using FactoryPtr = GstPtr<GstElementFactory>;

std::vector<FactoryPtr> all_factories() {
  std::vector<FactoryPtr> all;
  GList* list = gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_ELEMENT_FACTORY);
  for (GList* item = list; item; item = item->next) {
    // Not those that a test makes.
    if (!gst_plugin_feature_get_plugin_name(GST_PLUGIN_FEATURE(item->data))) continue;
    all.emplace_back(GST_ELEMENT_FACTORY(gst_object_ref(item->data)));
  }
  gst_plugin_feature_list_free(list);
  return all;
}

// What autopluggers choose among.
std::vector<FactoryPtr> choices() {
  std::vector<FactoryPtr> all;
  GList* list =
      gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DECODABLE, GST_RANK_MARGINAL);
  for (GList* item = list; item; item = item->next) {
    all.emplace_back(GST_ELEMENT_FACTORY(gst_object_ref(item->data)));
  }
  gst_plugin_feature_list_free(list);
  return all;
}

std::set<std::string> sink_caps(GstElementFactory* factory) {
  std::set<std::string> names;
  for (const GList* item = gst_element_factory_get_static_pad_templates(factory); item;
       item = item->next) {
    auto* pad = static_cast<GstStaticPadTemplate*>(item->data);
    if (pad->direction != GST_PAD_SINK) continue;
    const GstCapsPtr caps(gst_static_pad_template_get_caps(pad));
    if (gst_caps_is_any(caps.get())) names.insert("ANY");
    for (guint i = 0; !gst_caps_is_any(caps.get()) && i < gst_caps_get_size(caps.get()); ++i) {
      names.insert(gst_structure_get_name(gst_caps_get_structure(caps.get(), i)));
    }
  }
  return names;
}

// The words in backticks of one section of docs/security.md. One that ends in a star stands for all
// that begin like it.
class Words {
 public:
  explicit Words(const std::string& heading) {
    std::ifstream file(SECURITY_DOCUMENT);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t begin = text.find("\n### " + heading + "\n");
    EXPECT_NE(begin, std::string::npos) << heading << " in " << SECURITY_DOCUMENT;
    if (begin == std::string::npos) return;
    text = text.substr(begin, text.find("\n#", begin + 2) - begin);
    for (std::size_t at = 0; (at = text.find('`', at)) != std::string::npos;) {
      const std::size_t end = text.find('`', at + 1);
      if (end == std::string::npos) break;
      words_.insert(text.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  }

  [[nodiscard]] bool have(const std::string& name) const {
    if (words_.contains(name)) return true;
    for (const std::string& word : words_) {
      if (word.ends_with('*') && name.starts_with(word.substr(0, word.size() - 1))) return true;
    }
    return false;
  }

 private:
  std::set<std::string> words_;
};

TEST(ElementKinds, EverythingThatIsRefusedIsInTheTable) {
  const Words refused("Refused");
  for (const FactoryPtr& factory : all_factories()) {
    const std::string name = GST_OBJECT_NAME(factory.get());
    if (kind_of(factory.get()) == ElementKind::kHarmless) continue;
    EXPECT_TRUE(refused.have(name)) << name << " is refused, and not in the table";
  }
}

// By what the factory says, and not by its name.
TEST(ElementKinds, KnowsThemByTheirKind) {
  const auto expect_kind = [](const char* name, ElementKind kind) {
    const FactoryPtr factory(gst_element_factory_find(name));
    // Not every release has each of them.
    if (factory) {
      EXPECT_EQ(kind_of(factory.get()), kind) << name;
    }
    return factory != nullptr;
  };
  int found = 0;
  for (const char* name :
       {"hlsdemux", "dashdemux", "mssdemux", "hlsdemux2", "dashdemux2", "mssdemux2", "sdpdemux"}) {
    found += expect_kind(name, ElementKind::kPlaylist);
  }
  EXPECT_GE(found, 4);
  for (const char* name : {"filesrc", "souphttpsrc", "udpsrc", "rtspsrc", "fakesrc", "appsrc",
                           "videotestsrc", "uridecodebin", "urisourcebin", "splitmuxsrc"}) {
    EXPECT_TRUE(expect_kind(name, ElementKind::kSource)) << name;
  }
  EXPECT_TRUE(expect_kind("rsvgdec", ElementKind::kDocument));
  for (const char* name :
       {"decodebin",  "decodebin3",         "parsebin",  "typefind",   "qtdemux",
        "avidemux",   "matroskademux",      "tsdemux",   "oggdemux",   "flvdemux",
        "id3demux",   "multipartdemux",     "h264parse", "avdec_h264", "vp8dec",
        "multiqueue", "webrtcuploadvp8dec", "subparse",  "wavparse",   "jpegdec"}) {
    EXPECT_TRUE(expect_kind(name, ElementKind::kHarmless)) << name;
  }
}

// No playlist has caps of which the guard knows nothing: all that are no audio, video or picture.
TEST(ElementKinds, EveryKindOfDocumentHasBeenLookedAt) {
  const Words known("Looked at");
  for (const FactoryPtr& factory : choices()) {
    if (kind_of(factory.get()) != ElementKind::kHarmless) continue;
    for (const std::string& caps : sink_caps(factory.get())) {
      const bool is_media = caps.starts_with("audio/") || caps.starts_with("video/") ||
                            (caps.starts_with("image/") && caps.find("xml") == std::string::npos);
      EXPECT_TRUE(is_media || known.have(caps))
          << GST_OBJECT_NAME(factory.get()) << " takes " << caps << ", which nobody has looked at";
    }
  }
}

// What could make elements inside itself, or has a property for a place, could open something.
TEST(ElementKinds, EverythingThatCouldOpenSomethingHasBeenLookedAt) {
  const Words known("Looked at");
  for (const FactoryPtr& factory : choices()) {
    const std::string name = GST_OBJECT_NAME(factory.get());
    if (kind_of(factory.get()) != ElementKind::kHarmless || known.have(name)) continue;
    const FactoryPtr loaded(
        GST_ELEMENT_FACTORY(gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory.get()))));
    ASSERT_TRUE(loaded) << name;
    const GType type = gst_element_factory_get_element_type(loaded.get());
    EXPECT_FALSE(g_type_is_a(type, GST_TYPE_BIN)) << name << " is a bin";
    EXPECT_FALSE(g_type_is_a(type, GST_TYPE_URI_HANDLER)) << name << " knows addresses";
    auto* object_class = static_cast<GObjectClass*>(g_type_class_ref(type));
    for (const char* property : {"uri", "location", "url", "filename", "file", "path", "host",
                                 "address", "playlist", "base-uri", "user-agent"}) {
      EXPECT_FALSE(g_object_class_find_property(object_class, property))
          << name << " has a property " << property;
    }
    g_type_class_unref(object_class);
  }
}

TEST(ElementKinds, CapsInAnyCaseAndAmongOthers) {
  const auto kind = [](const char* text) {
    const GstCapsPtr caps(gst_caps_from_string(text));
    return kind_of(caps.get());
  };
  EXPECT_EQ(kind("application/x-hls"), ElementKind::kPlaylist);
  EXPECT_EQ(kind("application/x-mpegURL"), ElementKind::kPlaylist);
  EXPECT_EQ(kind("video/mpeg; application/dash+xml"), ElementKind::kPlaylist);
  EXPECT_EQ(kind("application/sdp, version=(int)0"), ElementKind::kPlaylist);
  EXPECT_EQ(kind("image/svg+xml"), ElementKind::kDocument);
  EXPECT_EQ(kind("video/mpegts"), ElementKind::kHarmless);
  EXPECT_EQ(kind("ANY"), ElementKind::kHarmless);
  EXPECT_EQ(kind("EMPTY"), ElementKind::kHarmless);
}

// --------------------------------------------------------------------------------------------
// elements that call themselves something else

struct Pretender {
  const char* name;
  const char* klass;
  GstPadDirection direction;
  const char* caps;
};

GstElementFactory* make_factory(const Pretender& pretender) {
  GTypeInfo info{};
  info.class_size = sizeof(GstElementClass);
  info.instance_size = sizeof(GstElement);
  info.class_data = &pretender;
  info.class_init = [](gpointer klass, gpointer data) {
    const auto* self = static_cast<const Pretender*>(data);
    auto* element_class = GST_ELEMENT_CLASS(klass);
    gst_element_class_set_metadata(element_class, self->name, self->klass, "-", "-");
    const GstCapsPtr caps(gst_caps_from_string(self->caps));
    gst_element_class_add_pad_template(
        element_class, gst_pad_template_new("pad", self->direction, GST_PAD_ALWAYS, caps.get()));
  };
  const GType type = g_type_register_static(GST_TYPE_ELEMENT, pretender.name, &info, GTypeFlags(0));
  EXPECT_TRUE(gst_element_register(nullptr, pretender.name, GST_RANK_NONE, type));
  return gst_element_factory_find(pretender.name);
}

TEST(ElementKinds, ANewOneIsKnownByItsKind) {
  static const Pretender kPretenders[] = {
      {"testnewadaptive", "Codec/Demuxer/Adaptive", GST_PAD_SINK, "application/x-new"},
      {"testnewmanifest", "Codec/Demuxer", GST_PAD_SINK, "application/f4m+xml"},
      {"testnewsource", "Filter", GST_PAD_SRC, "video/x-raw"},
      {"avdemux_concat", "Codec/Demuxer", GST_PAD_SINK, "application/x-gst-av-concat"},
      {"testnewdemuxer", "Codec/Demuxer", GST_PAD_SINK, "video/x-new"},
  };
  const ElementKind kinds[] = {ElementKind::kPlaylist, ElementKind::kPlaylist, ElementKind::kSource,
                               ElementKind::kPlaylist, ElementKind::kHarmless};
  for (std::size_t i = 0; i < std::size(kPretenders); ++i) {
    const FactoryPtr factory(make_factory(kPretenders[i]));
    ASSERT_TRUE(factory);
    EXPECT_EQ(kind_of(factory.get()), kinds[i]) << kPretenders[i].name;
    gst_registry_remove_feature(gst_registry_get(), GST_PLUGIN_FEATURE(factory.get()));
  }
}

TEST(ElementPolicy, NamesOverrideKinds) {
  const FactoryPtr hls(gst_element_factory_find("sdpdemux"));
  const FactoryPtr film(gst_element_factory_find("qtdemux"));
  ASSERT_TRUE(hls && film);
  EXPECT_TRUE(ElementPolicy{}.refuses(hls.get()));
  EXPECT_FALSE(ElementPolicy{}.refuses(film.get()));
  const ElementPolicy allows{.allowed = {"x", "sdpdemux"}, .denied = {}};
  EXPECT_FALSE(allows.refuses(hls.get()));
  const ElementPolicy both{.allowed = {"sdpdemux"}, .denied = {"sdpdemux", "qtdemux"}};
  EXPECT_TRUE(both.refuses(hls.get()));
  EXPECT_TRUE(both.refuses(film.get()));
  const GstCapsPtr caps(gst_caps_from_string("application/sdp"));
  EXPECT_TRUE(allows.has_reader_of(caps.get()));
  EXPECT_FALSE(both.has_reader_of(caps.get()));
  EXPECT_FALSE(ElementPolicy{}.has_reader_of(caps.get()));
}

}  // namespace
}  // namespace webrtcupload
