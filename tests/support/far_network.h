// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two machines that are far from each other, in one: two network namespaces with a cable between
// them that takes its time and loses packets. Whatever programs run at its ends need not know of
// it, and may make as many connections as they like. Needs root. Nothing of it stays behind.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

namespace webrtcupload::test {

class FarNetwork {
 public:
  static constexpr const char* kNearAddress = "10.79.0.1";
  static constexpr const char* kFarAddress = "10.79.0.2";

  struct Options {
    // Each way.
    std::chrono::microseconds delay{0};
    // Of the packets, 0..1, each way. Only UDP is lost.
    double loss = 0;
    std::uint32_t seed = 1;
  };
  // UDP packets, both ways together.
  struct Counts {
    std::uint64_t forwarded = 0;
    std::uint64_t lost = 0;  // By `loss`.
    std::uint64_t cut = 0;   // After cut_connections().
    // Lost by the cable's ends for want of room, which no measurement may have.
    std::uint64_t dropped = 0;
    // Bytes that the far end has sent, IP's header included, whatever has become of them.
    std::uint64_t from_far = 0;
  };

  // Null, with the reason in `problem`, where there can be none. Before other threads are started.
  static std::unique_ptr<FarNetwork> create(const Options& options, std::string& problem);
  ~FarNetwork();
  FarNetwork(const FarNetwork&) = delete;
  FarNetwork& operator=(const FarNetwork&) = delete;

  // What a command has to begin with to run at that end.
  [[nodiscard]] std::vector<std::string> near() const { return command_at(0); }
  [[nodiscard]] std::vector<std::string> far() const { return command_at(1); }

  // Every pair of UDP ports that has been used until now is dead for good. New ones are not.
  void cut_connections();
  [[nodiscard]] Counts counts() const;

 private:
  using Flow = std::pair<std::uint16_t, std::uint16_t>;

  struct End {
    // Keeps the namespace.
    pid_t holder = -1;
    // Packets go in and come out here.
    int device = -1;
  };

  explicit FarNetwork(const Options& options);
  bool make(End& end, const char* own, const char* other, std::string& problem);
  void carry(std::size_t from);
  // Whether a packet that came out of `from` goes on.
  [[nodiscard]] bool passes(std::span<const std::uint8_t> packet, std::size_t from, double chance);
  [[nodiscard]] std::vector<std::string> command_at(std::size_t end) const;

  const Options options_;
  std::array<End, 2> ends_;
  int stop_ = -1;
  mutable std::mutex mutex_;  // A leaf.
  Counts counts_;             // Under mutex_.
  std::set<Flow> used_;       // Under mutex_; the near end's port first.
  std::set<Flow> dead_;       // Under mutex_.
  std::array<std::thread, 2> carriers_;
};

}  // namespace webrtcupload::test
