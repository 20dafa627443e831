// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections of one session beyond its first, as the server sees them: who waits for an
// answer, what the policy says, and how many there are. The session itself makes them.

#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "signalling/http_server.h"
#include "tool/common/session_types.h"
#include "tool/serve/policy.h"
#include "tool/serve/session_runner.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// Lives on the server's context.
class ConnectionOffers : public std::enable_shared_from_this<ConnectionOffers> {
 public:
  struct Settings {
    std::string session;
    // See most_connections().
    unsigned max_connections = 0;
    // Clients are told of them.
    std::vector<IceServer> ice_servers;
  };
  // A further offer of the session's client.
  struct Asked {
    SessionFacts facts;
    std::string offer_sdp;
    bool whip = false;  // To be answered in WHIP's way.
  };

  // Both have to live longer.
  ConnectionOffers(Settings settings, Policy& policy, SessionRunner& runner);
  // Whoever waits is told that there is no such session.
  ~ConnectionOffers();
  ConnectionOffers(const ConnectionOffers&) = delete;
  ConnectionOffers& operator=(const ConnectionOffers&) = delete;

  void take(Asked asked, HttpResponder responder);
  // The client is done with it. False if there is none.
  bool end(const std::string& connection);
  // For those who wait for an answer, which will not come.
  void refuse_all(const HttpError& why);
  // What the session says.
  void on_news(const std::string& connection, const ConnectionNews& news);

 private:
  struct Connection {
    // Until it is made.
    std::string offer_sdp;
    AuthHook::Question question;
    // Until there is a reply.
    std::optional<HttpResponder> responder;
    bool whip = false;
    bool begun = false;
  };

  [[nodiscard]] std::size_t count() const { return connections_.size() + (has_first_ ? 1 : 0); }
  void on_verdict(const std::string& connection, const HookVerdict& verdict);
  void begin(const std::string& connection);

  const Settings settings_;
  Policy& policy_;
  SessionRunner& runner_;
  std::map<std::string, Connection> connections_;
  bool has_first_ = true;
};

}  // namespace webrtcupload
