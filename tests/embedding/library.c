/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An application in C that uses the installed library: compiled with what pkg-config says, and nothing else.
 * Its output is what install_test.py expects.
 */

#include <stdio.h>
#include <webrtcupload/webrtcupload.h>

static const GEnumValue *value_of(GType type, const char *nick) {
  GEnumClass *values = g_type_class_ref(type);
  const GEnumValue *value = g_enum_get_value_by_nick(values, nick);
  g_type_class_unref(values);
  return value;
}

int main(void) {
  const GEnumValue *error = value_of(GST_TYPE_WEBRTC_UPLOAD_ERROR, "too-large");
  const GEnumValue *state = value_of(GST_TYPE_WEBRTC_UPLOAD_STATE, "processing");
  GError *made = g_error_new_literal(GST_WEBRTC_UPLOAD_ERROR, GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE, "");
  if (!error || error->value != GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE) return 1;
  if (!state || state->value != GST_WEBRTC_UPLOAD_STATE_PROCESSING) return 2;
  printf("%s %s %s\n", error->value_name, g_quark_to_string(made->domain), state->value_nick);
  g_error_free(made);
  return 0;
}
