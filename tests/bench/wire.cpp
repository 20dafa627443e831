// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What wire format v2, with its checksums and the SHA-256, costs over v1: throughput and the
// server's processor time, over one connection on loopback. Both send the same file in turns, each
// first in every second round. What a session costs that carries next to nothing is taken off.
// Fails below 0.97 of v1's throughput, or above 1.05 of its processor time.
//
//   wire_bench [ROUNDS [MEBIBYTES]]     5 rounds, 256 MiB

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/send_runs.h"

namespace webrtcupload::test {
namespace {

constexpr double kLeastThroughput = 0.97;
constexpr double kMostCpu = 1.05;
constexpr std::uint64_t kMiB = 1 << 20;

struct Side {
  std::string protocol;
  std::vector<double> rates;  // MiB/s.
  std::vector<double> cpu;    // Seconds for each GB.
  SendRuns::Run empty;        // Of a small file.
};

bool measure(SendRuns& runs, Side& side, const RandomFile& file) {
  const auto run = runs.run(file, {"--protocol", side.protocol, "--connections", "1"});
  if (!run) return false;
  const double mebibytes = static_cast<double>(file.size()) / kMiB;
  side.rates.push_back(mebibytes / (run->seconds - side.empty.seconds));
  side.cpu.push_back((run->server_cpu_seconds - side.empty.server_cpu_seconds) * 1e9 /
                     static_cast<double>(file.size()));
  std::printf("  %s %8.1f MiB/s %8.2f s/GB\n", side.protocol.c_str(), side.rates.back(),
              side.cpu.back());
  std::fflush(stdout);
  return true;
}

bool run(int rounds, std::uint64_t mebibytes) {
  SendRuns runs(nullptr);
  const RandomFile file(mebibytes * kMiB);
  const RandomFile small(64 << 10);
  std::array<Side, 2> sides{{{.protocol = "v1"}, {.protocol = "v2"}}};
  for (Side& side : sides) {
    // The first one fills caches.
    for (int i = 0; i < 2; ++i) {
      const auto empty = runs.run(small, {"--protocol", side.protocol, "--connections", "1"});
      if (!empty) return false;
      side.empty = *empty;
    }
  }
  for (int round = 0; round < rounds; ++round) {
    for (const std::size_t turn : {0, 1}) {
      if (!measure(runs, sides.at((static_cast<std::size_t>(round) + turn) % 2), file)) {
        return false;
      }
    }
  }
  for (const Side& side : sides) {
    std::printf("%s: median %.1f MiB/s, %.2f processor seconds of the server for each GB\n",
                side.protocol.c_str(), median(side.rates), median(side.cpu));
  }
  const double throughput = median(sides[1].rates) / median(sides[0].rates);
  const double cpu = median(sides[1].cpu) / median(sides[0].cpu);
  std::printf("v2 over v1: throughput %.3f (at least %.2f), processor time %.3f (at most %.2f)\n",
              throughput, kLeastThroughput, cpu, kMostCpu);
  return throughput >= kLeastThroughput && cpu <= kMostCpu;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::uint64_t mebibytes = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 256;
  return webrtcupload::test::run(rounds, mebibytes) ? 0 : 1;
}
