// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What lies between a client and `webrtc-upload serve`: a proxy for the signalling and a relay for
// the packets of each connection. Either can be cut, and the proxy can say something else than the
// server does.

#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hook_server.h"
#include "server.h"
#include "support/udp_relay.h"

namespace webrtcupload::test {

class Network {
 public:
  // On the proxy's thread: what is said in the place of the server, or nothing for what that says.
  using Interfere = std::function<std::optional<HookReply>(const HookQuestion&)>;

  // `relay` is what each connection's packets meet; by default slow enough that an upload is under
  // way for a while.
  explicit Network(const Server& server, Interfere interfere = nullptr,
                   UdpRelay::Options relay = {.bandwidth = 4'000'000});

  // The server is at this path as well, of which it does not know.
  static constexpr const char* kBelow = "/video/";
  // Of the server, as the client knows it.
  [[nodiscard]] std::string url() const { return proxy_.url().substr(0, proxy_.url().rfind('/')); }
  // Nothing passes any more, and nobody says so. Of all connections that there are so far.
  void cut_packets();
  // Of one of them.
  void cut_packets(std::size_t connection);
  void cut_all();
  // The signalling again.
  void restore() { cut_http_ = false; }

  // How many offers have been answered.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] UdpRelay::Counts counts(std::size_t connection) const;
  // "POST /sessions/.../connections", in order.
  [[nodiscard]] std::vector<std::string> requests() const;

 private:
  HookReply answer(const HookQuestion& question);
  HookReply pass_on(const HookQuestion& question);

  const Interfere interfere_;
  const UdpRelay::Options relay_options_;
  const int port_;
  std::atomic<bool> cut_http_ = false;
  mutable std::mutex mutex_;  // A leaf.
  std::vector<std::unique_ptr<UdpRelay>> relays_;
  std::vector<std::string> requests_;
  HookServer proxy_;
};

}  // namespace webrtcupload::test
