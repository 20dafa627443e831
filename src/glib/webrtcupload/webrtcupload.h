/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All of the library's header files. Installed; C headers, so that C and C++ applications can use
 * them, and GObject introspection can read them for all other languages.
 */

#pragma once

#include <webrtcupload/gstwebrtcuploaderror.h>
#include <webrtcupload/gstwebrtcuploadsignaller.h>
#include <webrtcupload/gstwebrtcuploadstate.h>
