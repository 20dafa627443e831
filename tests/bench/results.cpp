// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many results a second reach a client that acknowledges each of them, over networks with
// different round trips. Fails if it is fewer than 300 at 50 ms.
//
//   results_bench [FRAMES]     3000

#include <gst/gst.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "clients/flow_support.h"
#include "clients/upload_client.h"
#include "support/udp_relay.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

constexpr double kRequired = 300;
constexpr int kRequiredAt = 50;

// Results a second, from the first to the last; 0 if it fails.
double measure(const std::string& film, std::size_t frames, int round_trip) {
  UdpRelay relay({.delay = std::chrono::microseconds(round_trip * 500)});
  Server server({}, kTrivialAnalyser);
  UploadClient client(
      {.url = server.url(),
       .film = film,
       .data_output = {"predictions"},
       .rewrite_offer = [&](const std::string& sdp) { return relay.rewrite_offer(sdp); },
       .rewrite_answer = [&](const std::string& sdp) { return relay.rewrite_answer(sdp); }});
  if (!client.wait_closed()) {
    std::printf("failed: %s%s\n", client.problem().c_str(), server.process().errors().c_str());
    return 0;
  }
  const auto results = client.results();
  if (results.size() != frames + 1) {
    std::printf("%zu results of %zu frames\n", results.size(), frames);
    return 0;
  }
  const std::chrono::duration<double> time = results[frames - 1].when - results[0].when;
  return static_cast<double>(frames - 1) / time.count();
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  using namespace webrtcupload::test;
  const std::size_t frames = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 3000;
  const std::string film = draw_film(static_cast<int>(frames));
  bool good = true;
  std::printf("%zu frames, batch, every result acknowledged\n", frames);
  std::printf("round trip   results a second   results a round trip\n");
  for (const int round_trip : {0, 10, kRequiredAt, 100, 200}) {
    const double rate = measure(film, frames, round_trip);
    std::printf("%7d ms   %16.0f   %20.1f\n", round_trip, rate, rate * round_trip / 1000);
    std::fflush(stdout);
    if (round_trip == kRequiredAt && rate < kRequired) {
      std::printf("required are %.0f\n", kRequired);
      good = false;
    }
  }
  return good ? 0 : 1;
}
