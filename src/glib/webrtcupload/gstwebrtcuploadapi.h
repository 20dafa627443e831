/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What marks the library's functions. Installed.
 */

#pragma once

/* Everything else in the library is hidden. */
#if defined(__GNUC__)
#define GST_WEBRTC_UPLOAD_API __attribute__((visibility("default"))) extern
#else
#define GST_WEBRTC_UPLOAD_API extern
#endif
