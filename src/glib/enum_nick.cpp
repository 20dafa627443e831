// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/enum_nick.h"

namespace webrtcupload {

std::string enum_nick(GObject* object, const char* property) {
  GValue value = G_VALUE_INIT;
  g_object_get_property(object, property, &value);
  std::string nick;
  if (G_VALUE_HOLDS_ENUM(&value)) nick = enum_nick(G_VALUE_TYPE(&value), g_value_get_enum(&value));
  g_value_unset(&value);
  return nick;
}

std::string enum_nick(GType type, int value) {
  std::string nick;
  auto* values = static_cast<GEnumClass*>(g_type_class_ref(type));
  if (const GEnumValue* found = g_enum_get_value(values, value)) nick = found->value_nick;
  g_type_class_unref(values);
  return nick;
}

}  // namespace webrtcupload
