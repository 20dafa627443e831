// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/find_webrtcbin.h"

#include <utility>

#include "glib/elements_in.h"

namespace webrtcupload {

GstPtr<GstObject> outermost_parent(GstElement* self) {
  GstPtr<GstObject> top = ref_gst(GST_OBJECT(self));
  while (GstPtr<GstObject> parent{gst_object_get_parent(top.get())}) {
    top = std::move(parent);
  }
  return top;
}

bool is_webrtcbin(GstElement* element) {
  return g_signal_lookup("create-data-channel", G_OBJECT_TYPE(element)) != 0 &&
         g_signal_lookup("on-data-channel", G_OBJECT_TYPE(element)) != 0 &&
         g_object_class_find_property(G_OBJECT_GET_CLASS(element), "connection-state") != nullptr;
}

GstPtr<GstElement> find_webrtcbin(GstElement* self, const char* name, std::string& problem) {
  const GstPtr<GstObject> top = outermost_parent(self);
  if (!GST_IS_BIN(top.get())) {
    problem = std::string("There is no webrtcbin named \"") + name +
              "\": this element is in no bin in which to look for it.";
    return nullptr;
  }
  GstPtr<GstElement> found(gst_bin_get_by_name(GST_BIN(top.get()), name));
  if (!found) {
    problem = std::string("There is no webrtcbin named \"") + name + "\" in \"" +
              GST_OBJECT_NAME(top.get()) + "\".";
    return nullptr;
  }
  if (!is_webrtcbin(found.get())) {
    problem = std::string("The element named \"") + name + "\" is a " +
              G_OBJECT_TYPE_NAME(found.get()) + " and not a webrtcbin.";
    return nullptr;
  }
  return found;
}

bool resolve_webrtcbin(GstElement* self, const std::string& name, GstPtr<GstElement>& webrtcbin) {
  if (webrtcbin) {
    if (is_webrtcbin(webrtcbin.get())) return true;
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("The property \"webrtcbin\" holds the element \"%s\", which is a %s and not "
                       "a webrtcbin.",
                       GST_OBJECT_NAME(webrtcbin.get()), G_OBJECT_TYPE_NAME(webrtcbin.get())),
                      (nullptr));
    return false;
  }
  if (name.empty()) return true;
  std::string problem;
  webrtcbin = find_webrtcbin(self, name.c_str(), problem);
  if (!webrtcbin) GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("%s", problem.c_str()), (nullptr));
  return webrtcbin != nullptr;
}

GstPtr<GstElement> find_upload_server(GstElement* self) {
  const GstPtr<GstObject> top = outermost_parent(self);
  if (!GST_IS_BIN(top.get())) return nullptr;
  return element_made_by(GST_BIN(top.get()), "webrtcuploadserver");
}

bool is_shutting_down(GstElement* self) {
  GstPtr<GstElement> top = ref_gst(self);
  while (!gst_element_is_locked_state(top.get())) {
    GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(top.get())));
    if (!GST_IS_ELEMENT(parent.get())) break;
    top.reset(GST_ELEMENT(parent.release()));
  }
  GST_OBJECT_LOCK(top.get());
  const GstState target = GST_STATE_TARGET(top.get());
  // A change that has failed stays pending.
  const bool changes = GST_STATE_PENDING(top.get()) != GST_STATE_VOID_PENDING &&
                       GST_STATE_RETURN(top.get()) != GST_STATE_CHANGE_FAILURE;
  GST_OBJECT_UNLOCK(top.get());
  return changes && target <= GST_STATE_READY;
}

}  // namespace webrtcupload
