// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/error_details.h"

#include <string>

namespace webrtcupload {

void add_error(GstStructure* structure, const Error& error) {
  const std::string code(to_string(error.code));
  gst_structure_set(structure, kErrorCodeField, G_TYPE_STRING, code.c_str(), kErrorMessageField,
                    G_TYPE_STRING, error.message.c_str(), nullptr);
}

GstStructure* error_details(const Error& error) {
  GstStructure* details = gst_structure_new_empty("application/x-webrtcupload-error");
  add_error(details, error);
  return details;
}

}  // namespace webrtcupload
