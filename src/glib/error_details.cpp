// SPDX-License-Identifier: LGPL-2.1-or-later

#include "glib/error_details.h"

namespace webrtcupload {

ErrorText error_text(const Error& error) {
  return {.code = std::string(to_string(error.code)), .message = error.message};
}

void add_error(GstStructure* structure, const ErrorText& error) {
  gst_structure_set(structure, kErrorCodeField, G_TYPE_STRING, error.code.c_str(),
                    kErrorMessageField, G_TYPE_STRING, error.message.c_str(), nullptr);
}

void add_error(GstStructure* structure, const Error& error) {
  add_error(structure, error_text(error));
}

GstStructure* error_details(const ErrorText& error) {
  GstStructure* details = gst_structure_new_empty("application/x-webrtcupload-error");
  add_error(details, error);
  return details;
}

GstStructure* error_details(const Error& error) { return error_details(error_text(error)); }

}  // namespace webrtcupload
