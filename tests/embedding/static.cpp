// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An application that has the plugins inside itself: linked as static libraries, and registered by
// hand. The environment names no folder where GStreamer would find ours.

#include <gst/gst.h>

#include <cstdlib>
#include <iostream>

// The macro alone declares functions of C++; the plugins' are functions of C.
G_BEGIN_DECLS
GST_PLUGIN_STATIC_DECLARE(webrtcupload);
#if HAVE_SERVER
GST_PLUGIN_STATIC_DECLARE(webrtcuploadserver);
#endif
G_END_DECLS

namespace {

// Whether the element comes from inside this program, and can be started.
bool works(const char* name) {
  g_autoptr(GstElement) element = gst_element_factory_make(name, nullptr);
  if (!element) {
    std::cerr << name << ": there is no such element" << std::endl;
    return false;
  }
  gst_object_ref_sink(element);
  g_autoptr(GstPlugin) plugin =
      gst_plugin_feature_get_plugin(GST_PLUGIN_FEATURE(gst_element_get_factory(element)));
  const char* file = gst_plugin_get_filename(plugin);
  const bool ready = gst_element_set_state(element, GST_STATE_READY) == GST_STATE_CHANGE_SUCCESS;
  gst_element_set_state(element, GST_STATE_NULL);
  std::cout << name << ": of plugin " << gst_plugin_get_name(plugin) << ", file "
            << (file ? file : "none") << (ready ? "" : ", does not go to READY") << std::endl;
  return ready && !file;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (g_autoptr(GstElementFactory) known = gst_element_factory_find("webrtcupload")) {
    std::cerr << "webrtcupload is there before it is registered: nothing is tested" << std::endl;
    return 1;
  }
  GST_PLUGIN_STATIC_REGISTER(webrtcupload);
  bool all = works("webrtcupload") && works("webrtcuploadsink") && works("webrtcresultsink") &&
             works("webrtcuploadopaque");
#if HAVE_SERVER
  GST_PLUGIN_STATIC_REGISTER(webrtcuploadserver);
  all = works("webrtcuploadserver") && all;
#endif
  return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
