// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/enum_nick.h"

namespace webrtcupload {

std::string enum_nick(GObject* object, const char* property) {
  GValue value = G_VALUE_INIT;
  g_object_get_property(object, property, &value);
  std::string nick;
  if (G_VALUE_HOLDS_ENUM(&value)) {
    auto* type = static_cast<GEnumClass*>(g_type_class_ref(G_VALUE_TYPE(&value)));
    if (const GEnumValue* found = g_enum_get_value(type, g_value_get_enum(&value))) {
      nick = found->value_nick;
    }
    g_type_class_unref(type);
  }
  g_value_unset(&value);
  return nick;
}

}  // namespace webrtcupload
