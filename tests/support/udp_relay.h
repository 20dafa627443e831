// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A slow, lossy, narrow network between two WebRTC peers on one machine, whose kernel offers none:
// each peer is told, in the other's session description, that the other lives at a socket of the
// relay. It can also change the order of packets, deliver some twice, and fail altogether for a
// while.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace webrtcupload::test {

class UdpRelay {
 public:
  struct Options {
    // Each way.
    std::chrono::microseconds delay{0};
    // Of the packets, 0..1, each way. What happens to the first, the second, ... packet one way
    // follows from `seed` alone, and none of these three changes what the others do.
    double loss = 0;
    double duplication = 0;
    // These wait for `detour` longer than others, which may overtake them meanwhile.
    double reordering = 0;
    std::chrono::microseconds detour{10'000};
    std::uint32_t seed = 1;
    // Each way, in bytes a second; 0 = any number.
    std::uint64_t bandwidth = 0;
    // Each way: packets beyond this many bytes that wait are lost, as in a router.
    std::size_t queue_limit = 1 << 20;
  };
  struct Counts {
    std::uint64_t came = 0;
    std::uint64_t forwarded = 0;  // With those that are duplicates.
    std::uint64_t lost = 0;       // By `loss`.
    std::uint64_t overflow = 0;   // By `queue_limit`.
    std::uint64_t duplicated = 0;
    std::uint64_t overtaken = 0;    // Forwarded after a packet that had come later.
    std::uint64_t blacked_out = 0;  // Lost in a blackout.
  };

  explicit UdpRelay(const Options& options);
  ~UdpRelay();
  UdpRelay(const UdpRelay&) = delete;
  UdpRelay& operator=(const UdpRelay&) = delete;

  // The description with the relay in the place of its candidates, for the other side. An empty
  // string if it has no UDP candidate on 127.0.0.1.
  [[nodiscard]] std::string rewrite_offer(const std::string& sdp) { return rewrite(sdp, 0); }
  [[nodiscard]] std::string rewrite_answer(const std::string& sdp) { return rewrite(sdp, 1); }

  // While they are off, nothing is lost, reordered or delivered twice. They are on from the start.
  void set_faults(bool on) { faults_ = on; }
  // While it is on, every packet is lost: those that come, and those that are under way.
  void set_blackout(bool on) { blackout_ = on; }

  [[nodiscard]] Counts counts() const;

 private:
  using Clock = std::chrono::steady_clock;

  // sides_[0] stands for the offerer: what arrives at its socket was sent by the answerer, to the
  // offerer, and leaves from the other side's socket.
  struct Side {
    int fd = -1;
    std::uint16_t port = 0;
    std::optional<sockaddr_in> real;  // Under mutex_.
    // When the last byte that was taken will have left.
    Clock::time_point free_at;
    std::size_t queued = 0;
    std::mt19937 random;
    // The largest of those forwarded.
    std::uint64_t last_number = 0;
  };
  struct Packet {
    Clock::time_point due;
    std::uint64_t number;
    std::size_t to;
    std::vector<std::uint8_t> bytes;
    bool operator>(const Packet& other) const {
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  [[nodiscard]] std::string rewrite(const std::string& sdp, std::size_t side);
  void run();
  void take(std::size_t to);
  void forward(const Packet& packet);
  void count(std::uint64_t Counts::*what);

  const Options options_;
  Side sides_[2];
  int stop_fd_ = -1;
  mutable std::mutex mutex_;  // A leaf.
  Counts counts_;             // Under mutex_.
  std::atomic<bool> faults_ = true;
  std::atomic<bool> blackout_ = false;
  // Of the thread only.
  std::priority_queue<Packet, std::vector<Packet>, std::greater<>> waiting_;
  std::uint64_t next_number_ = 1;
  std::thread thread_;
};

}  // namespace webrtcupload::test
