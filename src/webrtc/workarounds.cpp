// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/workarounds.h"

#include "webrtc/association.h"

namespace webrtcupload {

bool element_has_property(const char* factory, const char* property) {
  GstElementFactory* found = gst_element_factory_find(factory);
  if (!found) return false;
  GstPluginFeature* loaded = gst_plugin_feature_load(GST_PLUGIN_FEATURE(found));
  gst_object_unref(found);
  if (!loaded) return false;
  const GType type = gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(loaded));
  gst_object_unref(loaded);
  auto* element_class = static_cast<GObjectClass*>(g_type_class_ref(type));
  const bool has = g_object_class_find_property(element_class, property) != nullptr;
  g_type_class_unref(element_class);
  return has;
}

const std::vector<std::string>& workarounds_in_use() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> in_use;
    if (!draws_unused_associations()) in_use.emplace_back("own-association");
    // No version tells by its properties or types that it needs these no more, and they cost
    // nothing where it does not.
    in_use.emplace_back("keep-channels");
    in_use.emplace_back("close-once");
    in_use.emplace_back("stop-receiving");
    in_use.emplace_back("stop-sending");
    in_use.emplace_back("finish-tasks");
    in_use.emplace_back("say-goodbye");
    return in_use;
  }();
  return names;
}

const std::string& workarounds_text() {
  static const std::string text = [] {
    std::string joined;
    for (const auto& name : workarounds_in_use()) joined += (joined.empty() ? "" : ", ") + name;
    return joined;
  }();
  return text;
}

void tell_workarounds(GstStructure* stats) {
  gst_structure_set(stats, "workarounds", G_TYPE_STRING, workarounds_text().c_str(), nullptr);
}

}  // namespace webrtcupload
