// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/printable.h"

#include <glib.h>

#include <memory>

namespace webrtcupload {

std::string printable(std::string_view text) {
  if (text.empty()) return "";
  const std::unique_ptr<char, decltype(&g_free)> valid(
      g_utf8_make_valid(text.data(), static_cast<gssize>(text.size())), g_free);
  std::string out;
  for (const char* at = valid.get(); *at != '\0'; at = g_utf8_next_char(at)) {
    if (g_unichar_iscntrl(g_utf8_get_char(at))) {
      out += '?';
    } else {
      out.append(at, static_cast<std::size_t>(g_utf8_next_char(at) - at));
    }
  }
  return out;
}

}  // namespace webrtcupload
