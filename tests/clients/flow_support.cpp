// SPDX-License-Identifier: LGPL-2.1-or-later

#include "clients/flow_support.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include "tool/process.h"

namespace webrtcupload::test {

namespace fs = std::filesystem;

std::string draw_film(int frames, int kilobits) {
  char directory[] = "/tmp/webrtc-upload-film-XXXXXX";
  const char* program = std::getenv("MAKE_NUMBERED_VIDEO");
  std::string film;
  if (!program || !mkdtemp(directory)) return film;
  const std::string file = std::string(directory) + "/film.mp4";
  Process draw({program, file, std::to_string(frames), "25", std::to_string(kilobits)});
  if (draw.wait_for_exit() == 0) {
    std::ifstream stream(file, std::ios::binary);
    film.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::error_code error;
  fs::remove_all(directory, error);
  return film;
}

Usage usage_of(pid_t pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  Usage usage;
  std::ifstream statm(proc + "/statm");
  std::size_t pages = 0;
  statm >> pages >> pages;
  usage.resident = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  usage.descriptors = descriptors_of(pid);
  std::error_code error;
  const fs::directory_iterator tasks(proc + "/task", error);
  usage.threads = static_cast<std::size_t>(std::distance(tasks, fs::directory_iterator()));
  usage.children = children_of(pid).size();
  return usage;
}

Usage settled_usage_of(pid_t pid, const Usage& at_most) {
  Usage now;
  eventually([&] {
    now = usage_of(pid);
    return now.children == 0 && now.descriptors <= at_most.descriptors &&
           now.threads <= at_most.threads;
  });
  return now;
}

}  // namespace webrtcupload::test
