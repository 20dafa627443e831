// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/upload_settings.h"

#include "core/spool.h"
#include "upload/v2_properties.h"

namespace webrtcupload {
namespace {

// Lower marks would hold the peer back for single messages, higher ones would need their overload
// limit, 16 times as much, beyond what a process can have.
constexpr guint64 kMinBacklogMark = 64ULL * 1024;
constexpr guint64 kMaxBacklogMark = 1024ULL * 1024 * 1024;
// Durations are signed inside.
constexpr guint64 kMaxTime = G_MAXINT64;

// Values of when-full.
enum WhenFull { kHold, kFail };

GType when_full_get_type() {
  static const GEnumValue values[] = {
      {kHold, "The peer is held back", "hold"},
      {kFail, "The upload fails", "fail"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstWebrtcUploadWhenFull", values);
  return type;
}

void add_v2_settings(SettingsProperties<UploadSource::Settings>& properties) {
  using Settings = UploadSource::Settings;
  const Settings defaults;
  properties.add(
      protocols_spec(),
      [](Settings& settings, const GValue* value, GParamSpec*) {
        settings.versions = g_value_get_flags(value);
      },
      [](const Settings& settings, GValue* value) { g_value_set_flags(value, settings.versions); });
  properties.add(
      g_param_spec_uint64(
          "window", "Receive window",
          "With v2, bytes that a client may have under way or waiting to be stored, "
          "over all its channels together; up to half as much again when another "
          "channel joins, and at least a block for each (error credit-exceeded at "
          "twice as much)",
          1, G_MAXINT64, defaults.limits.window, kReadyFlags),
      [](auto& s) -> auto& { return s.limits.window; });
  properties.add(
      resume_timeout_spec(), [](auto& s) -> auto& { return s.limits.resume_timeout; });
  properties.add(
      max_connections_spec(), [](auto& s) -> auto& { return s.limits.max_connections; });
}

}  // namespace

void add_upload_settings(SettingsProperties<UploadSource::Settings>& properties) {
  using Settings = UploadSource::Settings;
  const Settings defaults;
  properties.add(
      g_param_spec_uint64("max-size", "Maximum size",
                          "Largest file accepted, in bytes (error too-large)", 1, G_MAXINT64,
                          defaults.limits.max_size, kReadyFlags),
      [](auto& s) -> auto& { return s.limits.max_size; });
  properties.add(
      g_param_spec_uint("max-chunks", "Maximum number of chunks",
                        "Largest number of chunks accepted (error too-many-chunks). 0 = what a "
                        "file of max-size bytes needs in chunks of 16384 bytes, but at least 16384 "
                        "and at most 4194304",
                        0, G_MAXUINT, defaults.limits.max_chunks, kReadyFlags),
      [](auto& s) -> auto& { return s.limits.max_chunks; });
  properties.add(
      g_param_spec_uint("max-chunk-size", "Maximum size of a chunk",
                        "Largest payload of one chunk accepted, in bytes (error "
                        "chunk-too-large). Above 65528 it changes nothing: a message has at "
                        "most 65536 bytes, 8 of which are its header",
                        1, G_MAXUINT, defaults.limits.max_chunk_size, kReadyFlags),
      [](auto& s) -> auto& { return s.limits.max_chunk_size; });
  properties.add(
      g_param_spec_uint64("upload-timeout", "Upload time-out",
                          "Time from the channel's opening within which the upload has to be "
                          "complete, in nanoseconds "
                          "(error upload-timeout; 0 = no limit)",
                          0, kMaxTime, nanoseconds(defaults.limits.upload_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.limits.upload_timeout; });
  properties.add(
      g_param_spec_uint64("idle-timeout", "Idle time-out",
                          "Time without a new valid chunk after which the upload fails, in "
                          "nanoseconds; keepalives and "
                          "repeated chunks do not count (error idle-timeout; 0 = no limit)",
                          0, kMaxTime, nanoseconds(defaults.limits.idle_timeout), kReadyFlags),
      [](auto& s) -> auto& { return s.limits.idle_timeout; });
  properties.add(
      g_param_spec_uint64(
          "min-rate", "Minimum rate",
          "Bytes a second that have to arrive in new chunks, on average over each minute from the "
          "first chunk on (error too-slow; 0 = no limit). Time for which this side keeps the peer "
          "waiting does not count",
          0, G_MAXUINT64, defaults.limits.min_rate, kReadyFlags),
      [](auto& s) -> auto& { return s.limits.min_rate; });
  properties.add(
      g_param_spec_uint64("max-pixels", "Maximum size of the picture",
                          "Most pixels of a picture, width times height, that a decoder behind "
                          "this element is given "
                          "(error too-large-picture; 0 = no limit)",
                          0, G_MAXUINT64, defaults.film.max_pixels, kReadyFlags),
      [](auto& s) -> auto& { return s.film.max_pixels; });
  properties.add(
      g_param_spec_uint64(
          "max-duration", "Maximum duration",
          "Longest film accepted, in nanoseconds, by what it says and by its timestamps (error "
          "too-long; 0 = no limit)",
          0, kMaxTime, nanoseconds(defaults.film.max_duration), kReadyFlags),
      [](auto& s) -> auto& { return s.film.max_duration; });
  properties.add(
      g_param_spec_uint64("max-frames", "Maximum number of frames",
                          "Most frames of a stream of pictures accepted, by what the film says and "
                          "by counting (error "
                          "too-many-frames; 0 = no limit)",
                          0, G_MAXUINT64, defaults.film.max_frames, kReadyFlags),
      [](auto& s) -> auto& { return s.film.max_frames; });
  properties.add(
      g_param_spec_uint(
          "max-streams", "Maximum number of streams",
          "Most streams of a film accepted: video, audio, text and others together (error "
          "too-many-streams; 0 = no limit)",
          0, G_MAXUINT, static_cast<guint>(defaults.film.max_streams), kReadyFlags),
      [](auto& s) -> auto& { return s.film.max_streams; });
  properties.add(
      g_param_spec_uint64("quota-interval", "Quota interval",
                          "Time between two emissions of check-quota, in nanoseconds (0 = only "
                          "before the first chunk is stored)",
                          0, kMaxTime, nanoseconds(defaults.quota_interval), kReadyFlags),
      [](auto& s) -> auto& { return s.quota_interval; });
  properties.add(
      g_param_spec_string("spool-directory", "Spool directory",
                          "Where the nameless spool file is made (error storage-failed when that "
                          "fails); unset = what the environment variable TMPDIR says, otherwise "
                          "/var/tmp. A warning is posted when files there are in memory (tmpfs)",
                          nullptr, kReadyFlags),
      [](Settings& settings, const GValue* value, GParamSpec* pspec) {
        store_value(value, pspec, settings.spool_directory);
      },
      [](const Settings& settings, GValue* value) {
        g_value_set_string(value, settings.spool_directory.empty()
                                      ? Spool::default_directory().c_str()
                                      : settings.spool_directory.c_str());
      });
  properties.add(
      g_param_spec_int("spool-fd", "Spool file descriptor",
                       "An open file to keep the upload in, instead of one made in "
                       "spool-directory: for programs that "
                       "open no more files. It is emptied at each start and stays open (-1 = none)",
                       -1, G_MAXINT, -1, kReadyFlags),
      [](auto& s) -> auto& { return s.spool_fd; });
  properties.add(
      g_param_spec_boolean(
          "wait-for-peer", "Wait for a peer",
          "Start with nothing to receive from; the application hands over a webrtcbin later, with "
          "the action attach. A peer that leaves before its first chunk is no failure then, and no "
          "time-out runs before that chunk: another peer may be attached",
          defaults.waits_for_peer, kReadyFlags),
      [](auto& s) -> auto& { return s.waits_for_peer; });
  properties.add(
      g_param_spec_boolean("progressive", "Progressive",
                           "Send bytes out as soon as they and all before them have arrived, "
                           "rather than when the upload "
                           "is complete; src is then used in push mode only",
                           defaults.progressive, kReadyFlags),
      [](auto& s) -> auto& { return s.progressive; });
  properties.add(
      g_param_spec_uint64(
          "backlog-high", "High mark of the backlog",
          "Bytes of received messages waiting to be stored above which the peer is held back, "
          "unless when-full says otherwise. Nothing of its connection is received then, the media "
          "and RTCP of a call included. At 16 times as many, but not below 16 MiB, the upload "
          "fails, which can only be when the peer is not held back (error overloaded)",
          kMinBacklogMark, kMaxBacklogMark, defaults.marks.high, kReadyFlags),
      [](auto& s) -> auto& { return s.marks.high; });
  properties.add(
      g_param_spec_uint64(
          "backlog-low", "Low mark of the backlog",
          "Bytes of received messages waiting to be stored down to which the peer is held back", 0,
          kMaxBacklogMark, defaults.marks.low, kReadyFlags),
      [](auto& s) -> auto& { return s.marks.low; });
  gst_type_mark_as_plugin_api(when_full_get_type(), GstPluginAPIFlags(0));
  properties.add(
      g_param_spec_enum(
          "when-full", "When the backlog is full",
          "What is done when messages come faster than they are stored. hold: the peer is held "
          "back above backlog-high, and with it all media and RTCP that it sends over the same "
          "transport. fail: for a connection that carries a call; the backlog grows, and at 16 "
          "times backlog-high, but not below 16 MiB, the upload fails (error overloaded)",
          when_full_get_type(), kHold, kReadyFlags),
      [](Settings& settings, const GValue* value, GParamSpec*) {
        settings.holds_back = g_value_get_enum(value) == kHold;
      },
      [](const Settings& settings, GValue* value) {
        g_value_set_enum(value, settings.holds_back ? kHold : kFail);
      });
  properties.add(
      g_param_spec_int("socket-buffer-size", "Socket receive buffer",
                       "SO_RCVBUF for the sockets of webrtcbin's streams, in bytes (0 = leave as "
                       "they are). What the "
                       "kernel granted is in stats",
                       0, G_MAXINT / 2, defaults.socket_buffer_size, kReadyFlags),
      [](auto& s) -> auto& { return s.socket_buffer_size; });
  properties.add(
      g_param_spec_boolean("check-certificate", "Check the certificate",
                           "Take nothing from a peer whose certificate is not the one that its "
                           "session description announced (error untrusted-peer). Looked at before "
                           "the first byte counts, where the webrtcbin is known",
                           defaults.check_certificate, kReadyFlags),
      [](auto& s) -> auto& { return s.check_certificate; });
  properties.add(
      g_param_spec_string(
          "allow-elements", "Elements allowed",
          "Names of element factories, with commas between, that decodebin and its like may choose "
          "for "
          "the upload although they open sources of their own, such as hlsdemux: the peer then "
          "names "
          "files and addresses that this program opens (otherwise error not-a-video)",
          "", kReadyFlags),
      [](auto& s) -> auto& { return s.allow_elements; });
  properties.add(
      g_param_spec_string("deny-elements", "Elements denied",
                          "Names of element factories, with commas between, that decodebin and its "
                          "like never choose "
                          "for the upload",
                          "", kReadyFlags),
      [](auto& s) -> auto& { return s.deny_elements; });
  add_v2_settings(properties);
}

}  // namespace webrtcupload
