// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/connection_offers.h"

#include <utility>
#include <variant>

#include "signalling/session_request.h"
#include "signalling/session_status.h"

namespace webrtcupload {

ConnectionOffers::ConnectionOffers(Settings settings, Policy& policy, SessionRunner& runner)
    : settings_(std::move(settings)), policy_(policy), runner_(runner) {}

ConnectionOffers::~ConnectionOffers() { refuse_all(no_such_session()); }

void ConnectionOffers::refuse_all(const HttpError& why) {
  for (auto& [id, connection] : connections_) {
    const auto responder = std::exchange(connection.responder, std::nullopt);
    if (responder) responder->fail(why);
  }
}

void ConnectionOffers::take(Asked asked, HttpResponder responder) {
  // The session, which knows whether one of them has died, decides about one more than there may
  // be.
  if (count() > most_connections(settings_.max_connections)) {
    return responder.fail(too_many_connections(settings_.max_connections));
  }
  if (const auto error = policy_.check_hook()) return responder.fail(*error);
  const auto id = make_session_id();
  if (!id) return responder.fail(no_randomness());
  responder.on_gone([weak = weak_from_this(), id = *id] {
    if (const auto self = weak.lock()) static_cast<void>(self->end(id));
  });
  Connection& connection = connections_[*id];
  connection.offer_sdp = std::move(asked.offer_sdp);
  connection.responder = std::move(responder);
  connection.whip = asked.whip;
  if (!policy_.asks_sessions()) return begin(*id);
  connection.question = policy_.ask_connection(
      asked.facts, [weak = weak_from_this(), id = *id](const HookVerdict& verdict) {
        if (const auto self = weak.lock()) self->on_verdict(id, verdict);
      });
}

void ConnectionOffers::on_verdict(const std::string& connection, const HookVerdict& verdict) {
  if (!connections_.contains(connection)) return;
  if (const auto* error = std::get_if<HttpError>(&verdict)) return on_news(connection, *error);
  begin(connection);
}

// The session may reply at once.
void ConnectionOffers::begin(const std::string& connection) {
  Connection& begins = connections_.at(connection);
  begins.begun = true;
  const std::string offer_sdp = std::exchange(begins.offer_sdp, {});
  if (!runner_.connect(connection, offer_sdp)) on_news(connection, no_such_session());
}

bool ConnectionOffers::end(const std::string& connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return false;
  if (found->second.begun) {
    // It is there until the session says that it is not.
    runner_.disconnect(connection);
  } else {
    on_news(connection, withdrawn());
  }
  return true;
}

void ConnectionOffers::on_news(const std::string& connection, const ConnectionNews& news) {
  if (connection == kFirstConnection) {
    has_first_ = false;
    return;
  }
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  const auto responder = std::exchange(found->second.responder, std::nullopt);
  if (const auto* answer = std::get_if<ConnectionAnswer>(&news)) {
    if (!responder) return;
    return reply_further_answer(*responder, found->second.whip, answer->sdp, settings_.session,
                                connection, settings_.ice_servers);
  }
  connections_.erase(found);
  if (!responder) return;
  const auto* error = std::get_if<HttpError>(&news);
  responder->fail(error ? *error : withdrawn());
}

}  // namespace webrtcupload
