// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is left of many short sessions, one after the other, in the server's process: memory,
// descriptors, threads, children. Fails if resident memory grows by 10 MiB or more after the first
// tenth, or anything else does not go back.
//
//   sessions_bench [SESSIONS [ISOLATION]]     1000, and both kinds

#include <gst/gst.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "clients/flow_support.h"
#include "clients/upload_client.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

constexpr int kFrames = 5;
constexpr double kMiB = 1024 * 1024;
constexpr double kMaxGrowth = 10;

void print(std::size_t session, const Usage& usage) {
  std::printf("%8zu %10.1f MiB %12zu %8zu %9zu\n", session,
              static_cast<double>(usage.resident) / kMiB, usage.descriptors, usage.threads,
              usage.children);
  std::fflush(stdout);
}

bool run(const std::string& isolation, std::size_t sessions) {
  std::printf("isolation: %s\n sessions     resident  descriptors  threads  children\n",
              isolation.c_str());
  const std::string film = draw_film(kFrames);
  Server server({"--isolation", isolation}, kTrivialAnalyser);
  const pid_t pid = server.process().pid();
  const std::size_t warm_up = sessions / 10;
  print(0, usage_of(pid));
  Usage before;
  for (std::size_t session = 1; session <= sessions; ++session) {
    {
      UploadClient client({.url = server.url(), .film = film, .data_output = {"predictions"}});
      if (!client.wait_closed() || client.results().size() != kFrames + 1) {
        std::printf("session %zu failed: %s\n", session, client.problem().c_str());
        return false;
      }
    }
    if (server.wait_for_end(static_cast<int>(session)).status != "done") return false;
    if (session == warm_up) before = settled_usage_of(pid, usage_of(pid));
    if (warm_up > 0 && session % warm_up == 0) print(session, usage_of(pid));
  }
  const Usage after = settled_usage_of(pid, before);
  const double growth =
      (static_cast<double>(after.resident) - static_cast<double>(before.resident)) / kMiB;
  std::printf("after the first %zu: %+.1f MiB, %+ld descriptors, %+ld threads, %zu children\n\n",
              warm_up, growth,
              static_cast<long>(after.descriptors) - static_cast<long>(before.descriptors),
              static_cast<long>(after.threads) - static_cast<long>(before.threads), after.children);
  return growth < kMaxGrowth && after.descriptors <= before.descriptors &&
         after.threads <= before.threads && after.children == 0;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const std::size_t sessions = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
  std::vector<std::string> isolations = {"process", "none"};
  if (argc > 2) isolations = {argv[2]};
  bool good = true;
  for (const std::string& isolation : isolations) {
    good = webrtcupload::test::run(isolation, sessions) && good;
  }
  return good ? 0 : 1;
}
