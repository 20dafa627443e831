// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the subcommands' command lines have in common.

#pragma once

#include <glib.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace webrtcupload {

// Exit statuses.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// A string option's value, taken over from GOption.
[[nodiscard]] inline std::optional<std::string> take_string(char*& value) {
  if (!value) return std::nullopt;
  std::string result(value);
  g_free(value);
  value = nullptr;
  return result;
}

// Reads `entries`, and GStreamer's own options, out of the command line of `command`; starts
// GStreamer. An empty string, or what is wrong. --help prints `summary`, the options and
// `description`, and exits.
[[nodiscard]] std::string parse_options(const char* command, const char* summary,
                                        const char* description, const GOptionEntry* entries,
                                        int& argc, char**& argv);

// Empty if GStreamer has the element `factory`, or what to do about it.
[[nodiscard]] std::string missing_element(const char* factory);

// Says on standard error what is wrong with the command line; kExitUsage.
inline int usage_error(const char* command, const std::string& problem) {
  g_printerr("webrtc-upload %s: %s\nTry \"webrtc-upload %s --help\".\n", command, problem.c_str(),
             command);
  return kExitUsage;
}

// Seconds, with a fraction, as people give them.
[[nodiscard]] inline std::chrono::milliseconds from_seconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

}  // namespace webrtcupload
