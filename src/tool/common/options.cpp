// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/common/options.h"

#include <gst/gst.h>

#include <memory>

#include "glib/glib_ptr.h"

namespace webrtcupload {

std::string parse_options(const char* command, const char* summary, const char* description,
                          const GOptionEntry* entries, int& argc, char**& argv) {
  // The help names the program by this.
  const std::string program = g_get_prgname();
  g_set_prgname((program + " " + command).c_str());
  const std::unique_ptr<GOptionContext, FunctionDeleter<g_option_context_free>> context(
      g_option_context_new(summary));
  g_option_context_set_description(context.get(), description);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  g_option_context_add_group(context.get(), gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  const bool parsed = g_option_context_parse(context.get(), &argc, &argv, &error);
  g_set_prgname(program.c_str());
  return parsed ? "" : error->message;
}

std::string missing_element(const char* factory) {
  const GstPtr<GstElementFactory> found(gst_element_factory_find(factory));
  if (found) return "";
  return std::string("GStreamer has no ") + factory +
         "; is the directory of the plugins in GST_PLUGIN_PATH?";
}

}  // namespace webrtcupload
