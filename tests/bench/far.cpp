// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload send` to `serve` at a distance, over a network of two namespaces (as root):
//
// - 50 ms there and back, one packet in a thousand lost: four connections against one, in turns.
//   Fails below 3 times.
// - The same network without loss, and every connection cut for good when half of the file is
//   there: how much more than the file was sent. Fails above 9 MiB.
// - On loopback, most memory of the session's process by the size of the file, over one connection
//   and over four. Fails when it grows by more than 8 MiB.
//
//   far_bench [ROUNDS [MEBIBYTES [WHAT]]]     5 rounds, 20 MiB, 200 MiB for what is cut; WHAT:
//                                             loss, cut or memory

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/send_runs.h"

namespace webrtcupload::test {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kLeastGain = 3;
constexpr double kMostAgain = 9 * kMiB;
constexpr double kMostGrowth = 8 * kMiB;
constexpr std::chrono::milliseconds kOneWay{25};

std::unique_ptr<FarNetwork> make_network(double loss) {
  std::string problem;
  auto network = FarNetwork::create({.delay = kOneWay, .loss = loss}, problem);
  if (!network) std::printf("%s\n", problem.c_str());
  return network;
}

std::vector<std::string> over(int connections) {
  return {"--protocol", "v2", "--connections", std::to_string(connections)};
}

// A figure of a lossy network is worth nothing if the network has lost more than it was told to.
bool is_fair(const FarNetwork& network) {
  const auto counts = network.counts();
  std::printf("  packets: %llu forwarded, %llu lost, %llu dropped by the network itself\n",
              static_cast<unsigned long long>(counts.forwarded),
              static_cast<unsigned long long>(counts.lost),
              static_cast<unsigned long long>(counts.dropped));
  return counts.dropped == 0;
}

bool measure_loss(int rounds, std::uint64_t bytes) {
  std::printf("50 ms there and back, 0.1 %% of the packets lost\n");
  const auto network = make_network(0.001);
  if (!network) return false;
  SendRuns runs(network.get());
  const RandomFile file(bytes);
  std::array<std::vector<double>, 2> rates;
  for (int round = 0; round < rounds; ++round) {
    for (const std::size_t turn : {0, 1}) {
      const std::size_t side = (static_cast<std::size_t>(round) + turn) % 2;
      const auto run = runs.run(file, over(side == 0 ? 1 : 4));
      if (!run) return false;
      rates.at(side).push_back(static_cast<double>(bytes) / kMiB / run->seconds);
      std::printf("  %d connection(s) %8.2f MiB/s\n", side == 0 ? 1 : 4, rates.at(side).back());
      std::fflush(stdout);
    }
  }
  const double gain = median(rates[1]) / median(rates[0]);
  std::printf("four connections over one: %.2f times (at least %.1f)\n", gain, kLeastGain);
  return is_fair(*network) && gain >= kLeastGain;
}

// Bytes that the sender has put on the wire for one upload; nothing when it has failed.
std::optional<double> sent_for(const RandomFile& file, bool cuts) {
  const auto network = make_network(0);
  if (!network) return std::nullopt;
  SendRuns runs(network.get());
  bool cut = !cuts;
  const auto run = runs.run(file, over(1), [&](std::uint64_t spooled) {
    if (cut || spooled < file.size() / 2) return;
    cut = true;
    network->cut_connections();
  });
  if (!run || !cut || !is_fair(*network)) return std::nullopt;
  const auto sent = static_cast<double>(network->counts().from_far);
  std::printf("  %s %8.1f s, %.1f MiB on the wire\n", cuts ? "cut    " : "not cut", run->seconds,
              sent / kMiB);
  std::fflush(stdout);
  return sent;
}

bool measure_cut(int rounds, std::uint64_t bytes) {
  std::printf("50 ms there and back, every connection cut when half of the file is there\n");
  const RandomFile file(bytes);
  std::array<std::vector<double>, 2> sent;
  for (int round = 0; round < rounds; ++round) {
    for (const bool cuts : {false, true}) {
      const auto bytes_sent = sent_for(file, cuts);
      if (!bytes_sent) return false;
      sent.at(cuts ? 1 : 0).push_back(*bytes_sent);
    }
  }
  const double again = median(sent[1]) - median(sent[0]);
  std::printf("cut, %.1f MiB more were sent (at most %.0f)\n", again / kMiB, kMostAgain / kMiB);
  return again <= kMostAgain;
}

bool measure_memory() {
  std::printf("most memory of the session's process, on loopback\n");
  SendRuns runs(nullptr);
  const RandomFile small(10'000'000);
  const RandomFile large(1'990'000'000);
  bool good = true;
  for (const int connections : {1, 4}) {
    std::array<double, 2> peaks{};
    for (const bool is_large : {false, true}) {
      const auto run = runs.run(is_large ? large : small, over(connections));
      if (!run) return false;
      peaks.at(is_large ? 1 : 0) = static_cast<double>(run->peak_bytes);
    }
    const double growth = peaks[1] - peaks[0];
    std::printf("%d connection(s): 10 MB %.1f MiB, 1990 MB %.1f MiB: %+.1f MiB (at most %.0f)\n",
                connections, peaks[0] / kMiB, peaks[1] / kMiB, growth / kMiB, kMostGrowth / kMiB);
    std::fflush(stdout);
    good = growth <= kMostGrowth && good;
  }
  return good;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  using namespace webrtcupload::test;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::uint64_t mebibytes = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20;
  const std::string what = argc > 3 ? argv[3] : "";
  bool good = true;
  // The networks come before the threads that the rest starts.
  if (what.empty() || what == "loss") good = measure_loss(rounds, mebibytes << 20) && good;
  if (what.empty() || what == "cut") good = measure_cut(rounds, 10 * (mebibytes << 20)) && good;
  if (what.empty() || what == "memory") good = measure_memory() && good;
  return good ? 0 : 1;
}
