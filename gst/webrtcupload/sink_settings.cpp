// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/sink_settings.h"

#include "core/wire_v1.h"
#include "gst/webrtcupload/channel_properties.h"

namespace webrtcupload {
namespace {

guint64 nanoseconds(std::chrono::nanoseconds time) { return static_cast<guint64>(time.count()); }

}  // namespace

void add_sink_settings(SettingsProperties<SenderSettings>& properties) {
  const SenderSettings defaults;
  properties.add(
      g_param_spec_uint("chunk-size", "Chunk size",
                        "Bytes of the file in each message; the last one may be shorter. Each also "
                        "has a header of 8 bytes, with v2 of 16, and a message has at most 65536. "
                        "With v2 it is less if the receiver wants that",
                        1, kMaxChunkPayload, defaults.chunk_size, kReadyFlags),
      [](auto& s) -> auto& { return s.chunk_size; });
  properties.add(
      g_param_spec_uint64("buffer-limit", "Buffer limit",
                          "Bytes that may wait in the channel before SCTP takes them; with v2 in "
                          "each channel. More does not make the upload faster. A limit below one "
                          "message lets one message wait at a time",
                          0, G_MAXUINT64, defaults.buffer_limit, kReadyFlags),
      [](auto& s) -> auto& { return s.buffer_limit; });
  properties.add(
      g_param_spec_uint64("size", "Size",
                          "Bytes that upstream is going to deliver, for sources that cannot say "
                          "(pipes, live streams); it has to be exact. 0: ask upstream",
                          0, G_MAXUINT64, 0, kReadyFlags),
      [](auto& s) -> auto& { return s.size; });
  properties.add(
      g_param_spec_boolean(
          "confirm", "Confirm",
          "Whether EOS waits until the peer has everything: after the last chunk a "
          "keepalive of one byte is sent, which receivers echo. Otherwise EOS "
          "means that SCTP has taken everything, and closing the connection at "
          "once can still lose the end of the file. v2 always waits for the receiver's word",
          defaults.confirm, kReadyFlags),
      [](auto& s) -> auto& { return s.confirm; });
  properties.add(
      g_param_spec_uint64("confirm-timeout", "Confirm timeout",
                          "How long \"confirm\" waits, in nanoseconds, before a warning is posted "
                          "and EOS follows without confirmation. With v2: how long the receiver "
                          "may store nothing more, after the last byte, before the upload fails; "
                          "0 = no limit",
                          0, G_MAXINT64 / 2, nanoseconds(defaults.confirm_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.confirm_timeout; });
  properties.add(
      g_param_spec_boolean("check-certificate", "Check the certificate", kCheckCertificateOfSink,
                           TRUE, kReadyFlags),
      [](auto& s) -> auto& { return s.check_certificate; });
  properties.add(
      g_param_spec_uint64("resume-timeout", "Resume timeout",
                          "With v2, how long an upload that has lost the last of its connections "
                          "waits for \"attach\" to bring another one, in nanoseconds; never longer "
                          "than the receiver waits (error peer-gone; 0 = not at all)",
                          0, G_MAXINT64 / 2, nanoseconds(defaults.resume_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.resume_timeout; });
  properties.add(
      g_param_spec_string("file-name", "File name",
                          "What the receiver is told that the file is called: at most 255 bytes, "
                          "and more is cut off. v1 ignores it",
                          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.file_name; });
  properties.add(
      g_param_spec_string("content-type", "Content type",
                          "What the receiver is told that the file is, as \"video/mp4\": at most "
                          "255 bytes, and more is cut off. v1 ignores it",
                          nullptr, kReadyFlags),
      [](auto& s) -> auto& { return s.content_type; });
}

}  // namespace webrtcupload
