// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The figures of one upload as the application sees them.

#pragma once

#include "core/upload_life.h"
#include "glib/glib_ptr.h"
#include "upload/inbox.h"
#include "upload/upload_protocol.h"
#include "upload/upload_reader.h"

namespace webrtcupload {

// A structure application/x-webrtcupload-stats; docs/elements.md names its fields. `error` is what
// the upload or the work on it has failed with, if anything; `facts` there are of v2.
[[nodiscard]] GstStructurePtr make_upload_stats(
    const UploadLife& receiver, const std::optional<V2Facts>& facts, Inbox::Backlog backlog,
    UploadReader::Times processing, int socket_buffer_size, const std::optional<Error>& error);

}  // namespace webrtcupload
