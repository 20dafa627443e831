// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/result_settings.h"

#include <optional>

#include "gst/webrtcupload/channel_properties.h"

namespace webrtcupload {

void add_result_settings(SettingsProperties<ResultSettings>& properties) {
  const ResultSettings defaults;
  properties.add(
      g_param_spec_string("output-name", "Output name",
                          "The name in the result under which detections stand, or the text or "
                          "JSON that comes in instead of video",
                          defaults.output_name.c_str(), kReadyFlags),
      [](auto& s) -> auto& { return s.output_name; });
  properties.add(
      g_param_spec_uint("ack-window", "Acknowledgement window",
                        "Results that may be sent ahead of the last one the peer has acknowledged, "
                        "from its first {\"ack\": N} on. Without effect in realtime mode, and on "
                        "peers that acknowledge nothing. 0: any number",
                        0, 65536, defaults.ack_window, kReadyFlags),
      [](auto& s) -> auto& { return s.ack_window; });
  properties.add(
      g_param_spec_uint64("buffer-limit", "Buffer limit",
                          "Bytes waiting in the channel from which on no further result is sent. "
                          "The one that crosses it is sent whole",
                          0, G_MAXUINT64, defaults.buffer_limit, kReadyFlags),
      [](auto& s) -> auto& { return s.buffer_limit; });
  properties.add(
      g_param_spec_double("declared-fps", "Declared frame rate",
                          "The frames per second that results name as declared. 0: those of the "
                          "video's caps",
                          0, 10000, 0, kReadyFlags),
      [](ResultSettings& settings, const GValue* value, GParamSpec*) {
        const double fps = g_value_get_double(value);
        settings.declared_fps = fps > 0 ? std::optional(fps) : std::nullopt;
      },
      [](const ResultSettings& settings, GValue* value) {
        g_value_set_double(value, settings.declared_fps.value_or(0));
      });
  properties.add(
      g_param_spec_int("image-quality", "Image quality", "JPEG quality of images", 0, 100,
                       defaults.jpeg_quality, kReadyFlags),
      [](auto& s) -> auto& { return s.jpeg_quality; });
  properties.add(
      g_param_spec_boolean("pts-from-first", "PTS from first",
                           "Count the pts of results from the first result on, for a peer that "
                           "pairs them with the frames of a video track. FALSE: pts is the time "
                           "in the file (stream time)",
                           defaults.pts_from_first, kReadyFlags),
      [](auto& s) -> auto& { return s.pts_from_first; });
  properties.add(
      g_param_spec_uint64("channel-timeout", "Channel timeout",
                          "How long the first result, or the end, waits for the peer to open the "
                          "channel, in nanoseconds. Afterwards results are dropped until it does",
                          0, G_MAXINT64 / 2, nanoseconds(defaults.channel_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.channel_timeout; });
  properties.add(
      g_param_spec_uint64(
          "ack-timeout", "Acknowledgement timeout",
          "How long the end waits, in nanoseconds, for a peer that acknowledges: from the last "
          "message or its last new acknowledgement on, until it has acknowledged all results or "
          "closed the channel",
          0, G_MAXINT64 / 2, nanoseconds(defaults.ack_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.ack_timeout; });
  properties.add(
      g_param_spec_boolean("check-certificate", "Check the certificate", kCheckCertificateOfSink,
                           defaults.check_certificate, kReadyFlags),
      [](auto& s) -> auto& { return s.check_certificate; });
  properties.add(
      g_param_spec_uint64("linger", "Linger",
                          "Nanoseconds between the last message and the closing of the channel, "
                          "for a peer that has acknowledged nothing: some clients lose what they "
                          "have not read when it closes. A peer that closes it ends the wait",
                          0, G_MAXINT64 / 2, nanoseconds(defaults.linger), kReadyFlags),
      [](auto& s) -> auto& { return s.linger; });
}

}  // namespace webrtcupload
