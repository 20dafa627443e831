// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which files a session's process may open: those that every session needs, and those that an
// operator's pipeline names.

#pragma once

#include <gst/gst.h>

#include "tool/common/sandbox_config.h"

namespace webrtcupload {

// Libraries, plugins, fonts, the resolver's files, what the kernel says about this process and this
// machine. Asks GStreamer's registry where plugins are.
[[nodiscard]] SandboxPaths paths_of_every_session();

// The render nodes of graphics hardware, and what its libraries read.
[[nodiscard]] SandboxPaths paths_of_hardware();

// What the text properties of the pipeline's elements name, unless it is the property's default: a
// file that is there may be read, as may those whose names begin like its name (a model and what
// belongs to it); a directory, with all that is in it. Where a sink names a file, or where a file
// is named that is not there in a directory that is, that directory may be written to.
[[nodiscard]] SandboxPaths paths_named_in(GstElement* pipeline);

// Whether an element of the pipeline is made for graphics hardware.
[[nodiscard]] bool uses_hardware(GstElement* pipeline);

}  // namespace webrtcupload
