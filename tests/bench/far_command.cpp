// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs a command at the far end of a slow, lossy network, as root. FAR_NETWORK_NEAR in its
// environment is what a command has to begin with to run at the near end instead, whose address is
// FAR_NETWORK_ADDRESS. Says afterwards what became of the packets.
//
//   far-command ROUND_TRIP_MS LOSS COMMAND...     LOSS: 0..1, each way

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "support/far_network.h"

namespace {

using webrtcupload::test::FarNetwork;

int run(const std::vector<std::string>& command) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: far-command ROUND_TRIP_MS LOSS COMMAND...\n");
    return 2;
  }
  const auto one_way = std::chrono::microseconds(static_cast<long>(std::atof(argv[1]) * 500));
  std::string problem;
  const auto network = FarNetwork::create({.delay = one_way, .loss = std::atof(argv[2])}, problem);
  if (!network) {
    std::fprintf(stderr, "far-command: %s\n", problem.c_str());
    return 1;
  }
  std::string near;
  for (const std::string& word : network->near()) near += (near.empty() ? "" : " ") + word;
  setenv("FAR_NETWORK_NEAR", near.c_str(), 1);
  setenv("FAR_NETWORK_ADDRESS", FarNetwork::kNearAddress, 1);
  std::vector<std::string> command = network->far();
  command.insert(command.end(), argv + 3, argv + argc);
  const int status = run(command);
  const auto counts = network->counts();
  std::printf("packets: %llu forwarded, %llu lost, %llu dropped by the network itself\n",
              static_cast<unsigned long long>(counts.forwarded),
              static_cast<unsigned long long>(counts.lost),
              static_cast<unsigned long long>(counts.dropped));
  return counts.dropped > 0 ? 1 : status;
}
