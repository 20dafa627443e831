// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/far_network.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <optional>
#include <poll.h>
#include <random>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace webrtcupload::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kNsenter = "/usr/bin/nsenter";
// Packets that may wait at an end until they are carried off: what SCTP sends at once at most.
constexpr int kQueueLength = 20'000;
constexpr std::size_t kMaxPacket = 65'536;
constexpr std::uint8_t kUdp = 17;

// A TUN device in this process's namespace, without an address yet; or -1.
int open_device() {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, "far0", sizeof request.ifr_name - 1);
  if (ioctl(fd, TUNSETIFF, &request) == 0) return fd;
  close(fd);
  return -1;
}

// Gives a descriptor to the process at the other end of `socket`; -1 for none.
void hand_over(int socket, int fd) {
  char byte = fd < 0 ? '-' : '+';
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  sendmsg(socket, &message, 0);
}

// What hand_over() gave.
int receive_descriptor(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  int fd = -1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

// The process that keeps a namespace, until its parent ends or kills it.
[[noreturn]] void hold(int socket, const char* own, const char* other) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int device = -1;
  if (unshare(CLONE_NEWNET) == 0) device = open_device();
  // Of this namespace. ICE would take the way that is not looked at.
  std::ofstream("/proc/sys/net/ipv6/conf/all/disable_ipv6") << "1";
  const std::string commands = "ip link set lo up && ip addr add " + std::string(own) + " peer " +
                               other + " dev far0 && ip link set far0 mtu 1500 txqueuelen " +
                               std::to_string(kQueueLength) + " up";
  if (device >= 0 && std::system(commands.c_str()) != 0) device = -1;
  hand_over(socket, device);
  for (;;) pause();
}

// The ports of an UDP packet over IPv4, source first.
std::optional<std::pair<std::uint16_t, std::uint16_t>> udp_ports(
    std::span<const std::uint8_t> packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4 || packet[9] != kUdp) return std::nullopt;
  const std::size_t header = std::size_t{packet[0] & 0xFU} * 4;
  if (packet.size() < header + 4) return std::nullopt;
  const auto port = [&](std::size_t at) {
    return static_cast<std::uint16_t>(packet[at] << 8 | packet[at + 1]);
  };
  return std::pair{port(header), port(header + 2)};
}

}  // namespace

std::unique_ptr<FarNetwork> FarNetwork::create(const Options& options, std::string& problem) {
  if (access(kNsenter, X_OK) != 0) {
    problem = std::string("there is no ") + kNsenter;
    return nullptr;
  }
  std::unique_ptr<FarNetwork> network(new FarNetwork(options));
  if (!network->make(network->ends_[0], kNearAddress, kFarAddress, problem)) return nullptr;
  if (!network->make(network->ends_[1], kFarAddress, kNearAddress, problem)) return nullptr;
  for (const std::size_t from : {0, 1}) {
    network->carriers_[from] = std::thread([far = network.get(), from] { far->carry(from); });
  }
  return network;
}

FarNetwork::FarNetwork(const Options& options)
    : options_(options), stop_(eventfd(0, EFD_CLOEXEC)) {}

FarNetwork::~FarNetwork() {
  eventfd_write(stop_, 1);
  for (std::thread& carrier : carriers_) {
    if (carrier.joinable()) carrier.join();
  }
  for (const End& end : ends_) {
    if (end.device >= 0) close(end.device);
    if (end.holder < 0) continue;
    kill(end.holder, SIGKILL);
    waitpid(end.holder, nullptr, 0);
  }
  close(stop_);
}

bool FarNetwork::make(End& end, const char* own, const char* other, std::string& problem) {
  std::array<int, 2> sockets{};
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) std::abort();
  end.holder = fork();
  if (end.holder == 0) hold(sockets[1], own, other);
  if (end.holder > 0) end.device = receive_descriptor(sockets[0]);
  for (const int socket : sockets) close(socket);
  if (end.device < 0) problem = "no network namespace with a TUN device can be made (as root?)";
  return end.device >= 0;
}

std::vector<std::string> FarNetwork::command_at(std::size_t end) const {
  return {kNsenter, "--net=/proc/" + std::to_string(ends_.at(end).holder) + "/ns/net", "--"};
}

void FarNetwork::cut_connections() {
  const std::lock_guard lock(mutex_);
  dead_.insert(used_.begin(), used_.end());
}

FarNetwork::Counts FarNetwork::counts() const {
  Counts counts;
  {
    const std::lock_guard lock(mutex_);
    counts = counts_;
  }
  for (const End& end : ends_) {
    std::ifstream devices("/proc/" + std::to_string(end.holder) + "/net/dev");
    for (std::string line; std::getline(devices, line);) {
      unsigned long long sent[5] = {};
      // Eight figures of what the device has received, then bytes, packets, errors and drops of
      // what it was to send.
      if (std::sscanf(line.c_str(), " far0: %*u %*u %*u %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                      &sent[0], &sent[1], &sent[2], &sent[3]) == 4) {
        counts.dropped += sent[3];
      }
    }
  }
  return counts;
}

bool FarNetwork::passes(std::span<const std::uint8_t> packet, std::size_t from, double chance) {
  const auto ports = udp_ports(packet);
  if (!ports) return true;
  const Flow flow = from == 0 ? *ports : Flow{ports->second, ports->first};
  const std::lock_guard lock(mutex_);
  used_.insert(flow);
  std::uint64_t Counts::*const becomes = dead_.contains(flow)     ? &Counts::cut
                                         : chance < options_.loss ? &Counts::lost
                                                                  : &Counts::forwarded;
  ++(counts_.*becomes);
  if (from == 1) counts_.from_far += packet.size();
  return becomes == &Counts::forwarded;
}

void FarNetwork::carry(std::size_t from) {
  struct Packet {
    Clock::time_point due;
    std::vector<std::uint8_t> bytes;
  };
  const int source = ends_.at(from).device;
  const int target = ends_.at(1 - from).device;
  std::seed_seq seeds{options_.seed, static_cast<std::uint32_t>(from)};
  std::mt19937 random(seeds);
  std::uniform_real_distribution<> share(0, 1);
  std::deque<Packet> under_way;
  std::vector<std::uint8_t> buffer(kMaxPacket);
  for (;;) {
    ssize_t size = 0;
    while ((size = read(source, buffer.data(), buffer.size())) > 0) {
      const std::span<const std::uint8_t> packet(buffer.data(), static_cast<std::size_t>(size));
      if (!passes(packet, from, share(random))) continue;
      under_way.push_back({Clock::now() + options_.delay, {packet.begin(), packet.end()}});
    }
    while (!under_way.empty() && under_way.front().due <= Clock::now()) {
      const auto& bytes = under_way.front().bytes;
      // The device takes a packet at once or never.
      if (write(target, bytes.data(), bytes.size()) < 0) {
        const std::lock_guard lock(mutex_);
        ++counts_.dropped;
      }
      under_way.pop_front();
    }
    timespec timeout{};
    if (!under_way.empty()) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::max(under_way.front().due - Clock::now(), Clock::duration::zero()));
      timeout.tv_sec = left.count() / 1'000'000'000;
      timeout.tv_nsec = left.count() % 1'000'000'000;
    }
    std::array<pollfd, 2> fds{{{source, POLLIN, 0}, {stop_, POLLIN, 0}}};
    ppoll(fds.data(), fds.size(), under_way.empty() ? nullptr : &timeout, nullptr);
    if (fds[1].revents != 0) return;
  }
}

}  // namespace webrtcupload::test
