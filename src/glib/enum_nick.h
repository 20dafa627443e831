// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an object's enumeration stands at, by name: for one whose header is not there.

#pragma once

#include <glib-object.h>

#include <string>

namespace webrtcupload {

// The nick of the property's value; empty when it has none.
[[nodiscard]] std::string enum_nick(GObject* object, const char* property);
// That of a value of `type`; empty when it has none.
[[nodiscard]] std::string enum_nick(GType type, int value);

}  // namespace webrtcupload
