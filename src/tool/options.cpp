// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/options.h"

#include <gst/gst.h>

#include <memory>

#include "gst/glib_ptr.h"

namespace webrtcupload {

std::string parse_options(const char* summary, const char* description, const GOptionEntry* entries,
                          int& argc, char**& argv) {
  const std::unique_ptr<GOptionContext, FunctionDeleter<g_option_context_free>> context(
      g_option_context_new(summary));
  g_option_context_set_description(context.get(), description);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  g_option_context_add_group(context.get(), gst_init_get_option_group());
  g_autoptr(GError) error = nullptr;
  if (g_option_context_parse(context.get(), &argc, &argv, &error)) return "";
  return error->message;
}

}  // namespace webrtcupload
