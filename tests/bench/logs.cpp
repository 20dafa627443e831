// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much the log's lines slow an upload while the log is off. Two servers, one as it is and one
// whose own lines are compiled out, take the same uploads in turns, each of them first in every
// second round, at the default level. What else a machine does only ever slows an upload down, so
// throughput is compared by the best quarter of the rounds; the medians are printed beside it.
// Fails below 0.99.
//
//   logs_rounds PROGRAM PLUGINS [ROUNDS [MEBIBYTES]]     32 rounds, 64 MiB
//
// PROGRAM and PLUGINS are those without lines; the others are in the environment, as tests have it.

#include <gst/gst.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "clients/upload_client.h"
#include "tool/process.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

constexpr double kLeast = 0.99;
constexpr double kMiB = 1 << 20;

class Side {
 public:
  explicit Side(std::string name)
      : name_(std::move(name)), server_({"--max-size", "4000000000"}, "fakesink") {}

  // False if it failed.
  bool upload(const std::string& film) {
    const auto start = std::chrono::steady_clock::now();
    {
      UploadClient client({.url = server_.url(), .film = film});
      if (!client.wait_closed()) {
        std::printf("%s: %s\n", name_.c_str(), client.problem().c_str());
        return false;
      }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    rates_.push_back(static_cast<double>(film.size()) / kMiB / took.count());
    return server_.wait_for_end(++sessions_).status == "done";
  }

  [[nodiscard]] double median() const { return sorted()[rates_.size() / 2]; }
  // The median of the best quarter.
  [[nodiscard]] double best() const { return sorted()[rates_.size() / 8]; }
  void print() const {
    std::printf("%-14s %8.1f MiB/s (best quarter %.1f)\n", name_.c_str(), median(), best());
  }

 private:
  [[nodiscard]] std::vector<double> sorted() const {
    std::vector<double> rates = rates_;
    std::ranges::sort(rates, std::greater());
    return rates;
  }

  const std::string name_;
  Server server_;
  int sessions_ = 0;
  std::vector<double> rates_;
};

bool run(const char* program, const char* plugins, int rounds, std::size_t mebibytes) {
  std::string film(mebibytes << 20, '\0');
  for (std::size_t i = 0; i < film.size(); ++i) film[i] = static_cast<char>(i * 2654435761U >> 16);
  g_unsetenv("GST_DEBUG");
  Side with("with lines");
  g_setenv("WEBRTC_UPLOAD", program, TRUE);
  g_setenv("GST_PLUGIN_PATH", plugins, TRUE);
  // Plugins of its own, so that neither makes the other look for them anew.
  const std::string registry = std::string(plugins) + "/registry.bin";
  g_setenv("GST_REGISTRY", registry.c_str(), TRUE);
  Side without("without lines");
  for (int round = 0; round < rounds; ++round) {
    Side* const first = round % 2 == 0 ? &with : &without;
    Side* const second = first == &with ? &without : &with;
    if (!first->upload(film) || !second->upload(film)) return false;
  }
  with.print();
  without.print();
  const double share = with.best() / without.best();
  std::printf("with lines of the log %.3f of the throughput without (medians %.3f)\n", share,
              with.median() / without.median());
  return share >= kLeast;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc < 3) return 2;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 32;
  const std::size_t mebibytes = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 64;
  return webrtcupload::test::run(argv[1], argv[2], std::max(rounds, 1), mebibytes) ? 0 : 1;
}
