// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_limits.h"

#include <glib.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/upload_limits.h"

namespace webrtcupload {
namespace {

// To connect, to wait for a slow reader of the results, to end.
constexpr std::uint64_t kBesideTheAnalysis = 600;
// No upload costs a second of processor time for so many bytes.
constexpr std::uint64_t kBytesASecond = 1 << 20;
// Between the signal that ends the process and the one that nothing can stop.
constexpr std::uint64_t kGrace = 5;
// Lines of the log while the session runs, and the end of the last block.
constexpr std::uint64_t kSpareBytes = 64 << 20;

std::uint64_t max_size(const SessionConfig& config) {
  return config.max_size.value_or(Limits{}.max_size);
}

void limit(__rlimit_resource_t resource, std::uint64_t soft, std::uint64_t hard, const char* what) {
  rlimit now{};
  getrlimit(resource, &now);
  const rlimit wanted{std::min<rlim_t>(soft, now.rlim_max), std::min<rlim_t>(hard, now.rlim_max)};
  if (setrlimit(resource, &wanted) != 0) g_warning("cannot limit %s", what);
}

}  // namespace

std::optional<std::uint64_t> most_processor_time(const SessionConfig& config,
                                                 std::uint64_t processors) {
  if (!config.processing_timeout) return std::nullopt;
  const auto analysis = static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::seconds>(*config.processing_timeout).count());
  return (analysis + kBesideTheAnalysis) * std::max<std::uint64_t>(processors, 1) +
         max_size(config) / kBytesASecond;
}

std::optional<std::uint64_t> largest_file(const SessionConfig& config, std::uint64_t log_size) {
  if (!config.sandbox.paths.write.empty()) return std::nullopt;
  return max_size(config) + log_size + kSpareBytes;
}

void limit_time_and_files(const SessionConfig& config) {
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (const auto seconds =
          most_processor_time(config, static_cast<std::uint64_t>(std::max(processors, 1L)))) {
    limit(RLIMIT_CPU, *seconds, *seconds + kGrace, "processor time");
  }
  struct stat log {};
  const bool to_file = fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode);
  if (const auto size =
          largest_file(config, to_file ? static_cast<std::uint64_t>(log.st_size) : 0)) {
    // So that it is an error of write().
    signal(SIGXFSZ, SIG_IGN);
    limit(RLIMIT_FSIZE, *size, *size, "the size of files");
  }
}

}  // namespace webrtcupload
