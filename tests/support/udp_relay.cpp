// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/udp_relay.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdlib>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace webrtcupload::test {
namespace {

// Of the relay's own sockets: no packet is to be lost in them.
constexpr int kSocketBuffer = 4 << 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// "candidate:1 1 UDP 2015363327 127.0.0.1 34567 typ host": the words of one such line.
struct Candidate {
  std::string foundation, component, transport, priority, address, port;
};

std::optional<Candidate> parse_candidate(const std::string& line) {
  std::istringstream words(line);
  Candidate candidate;
  words >> candidate.foundation >> candidate.component >> candidate.transport >>
      candidate.priority >> candidate.address >> candidate.port;
  if (!words || candidate.component != "1") return std::nullopt;
  if (candidate.transport != "UDP" && candidate.transport != "udp") return std::nullopt;
  if (candidate.address != "127.0.0.1") return std::nullopt;
  return candidate;
}

}  // namespace

UdpRelay::UdpRelay(const Options& options) : options_(options) {
  std::uint32_t number = 0;
  for (Side& side : sides_) {
    std::seed_seq seeds{options_.seed, number++};
    side.random.seed(seeds);
    side.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // The kernel may allow less; queues are short at the rates of tests.
    setsockopt(side.fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (side.fd < 0 || bind(side.fd, generic(address), sizeof address) != 0 ||
        getsockname(side.fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    side.port = ntohs(address.sin_port);
  }
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  if (stop_fd_ < 0) std::abort();
  thread_ = std::thread([this] { run(); });
}

UdpRelay::~UdpRelay() {
  eventfd_write(stop_fd_, 1);
  thread_.join();
  for (const Side& side : sides_) close(side.fd);
  close(stop_fd_);
}

UdpRelay::Counts UdpRelay::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::string UdpRelay::rewrite(const std::string& sdp, std::size_t side) {
  const std::string kPrefix = "a=candidate:";
  std::istringstream lines(sdp);
  std::string result;
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with(kPrefix)) {
      const auto candidate = parse_candidate(line);
      if (!candidate) continue;
      // All sections of a bundle are one connection; the first candidate is its address.
      if (!found) {
        const std::lock_guard lock(mutex_);
        sides_[side].real = loopback(static_cast<std::uint16_t>(std::stoi(candidate->port)));
      }
      if (std::exchange(found, true)) continue;
      line = candidate->foundation + " 1 UDP " + candidate->priority + " 127.0.0.1 " +
             std::to_string(sides_[side].port) + " typ host";
    }
    result += line + "\r\n";
  }
  return found ? result : "";
}

void UdpRelay::run() {
  while (true) {
    const Clock::time_point now = Clock::now();
    while (!waiting_.empty() && waiting_.top().due <= now) {
      forward(waiting_.top());
      waiting_.pop();
    }
    timespec timeout{};
    if (!waiting_.empty()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::nanoseconds>(waiting_.top().due - now).count();
      timeout.tv_sec = left / 1'000'000'000;
      timeout.tv_nsec = left % 1'000'000'000;
    }
    std::array<pollfd, 3> fds{
        {{sides_[0].fd, POLLIN, 0}, {sides_[1].fd, POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
    ppoll(fds.data(), fds.size(), waiting_.empty() ? nullptr : &timeout, nullptr);
    if (fds[2].revents) return;
    for (const std::size_t side : {0, 1}) {
      if (fds[side].revents) take(side);
    }
  }
}

void UdpRelay::count(std::uint64_t Counts::*what) {
  const std::lock_guard lock(mutex_);
  ++(counts_.*what);
}

// Everything that waits at the socket that stands for `to`.
void UdpRelay::take(std::size_t to) {
  std::array<std::uint8_t, 65536> buffer;
  Side& side = sides_[to];
  ssize_t size = 0;
  while ((size = recv(side.fd, buffer.data(), buffer.size(), 0)) >= 0) {
    const auto bytes = static_cast<std::size_t>(size);
    count(&Counts::came);
    // For every packet all of them, so that the next one's do not depend on what becomes of it.
    const bool faults = faults_;
    std::uniform_real_distribution<> share(0, 1);
    const bool is_lost = share(side.random) < options_.loss && faults;
    const bool comes_twice = share(side.random) < options_.duplication && faults;
    const bool takes_detour = share(side.random) < options_.reordering && faults;
    if (blackout_) {
      count(&Counts::blacked_out);
      continue;
    }
    if (is_lost) {
      count(&Counts::lost);
      continue;
    }
    if (comes_twice) count(&Counts::duplicated);
    for (int copies = comes_twice ? 2 : 1; copies > 0; --copies) {
      if (side.queued + bytes > options_.queue_limit) {
        count(&Counts::overflow);
        continue;
      }
      const Clock::time_point now = Clock::now();
      side.free_at = std::max(side.free_at, now);
      if (options_.bandwidth > 0) {
        side.free_at += std::chrono::nanoseconds(bytes * 1'000'000'000 / options_.bandwidth);
      }
      side.queued += bytes;
      const auto detour = takes_detour ? options_.detour : std::chrono::microseconds(0);
      waiting_.push({side.free_at + options_.delay + detour,
                     next_number_++,
                     to,
                     {buffer.begin(), buffer.begin() + size}});
    }
  }
}

void UdpRelay::forward(const Packet& packet) {
  Side& side = sides_[packet.to];
  side.queued -= packet.bytes.size();
  if (blackout_) return count(&Counts::blacked_out);
  std::optional<sockaddr_in> real;
  {
    const std::lock_guard lock(mutex_);
    real = side.real;
    // Before that side's description has come there is nobody to send to.
    if (!real) return;
    ++counts_.forwarded;
    if (packet.number < side.last_number) ++counts_.overtaken;
  }
  side.last_number = std::max(side.last_number, packet.number);
  sendto(sides_[1 - packet.to].fd, packet.bytes.data(), packet.bytes.size(), 0, generic(*real),
         sizeof *real);
}

}  // namespace webrtcupload::test
