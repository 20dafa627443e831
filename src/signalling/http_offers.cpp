// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_offers.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "signalling/session_path.h"
#include "signalling/session_request.h"
#include "signalling/session_status.h"
#include "signalling/worker_request.h"

namespace webrtcupload {

HttpOffers::HttpOffers(Settings settings, std::weak_ptr<OfferTaker> taker)
    : settings_(std::move(settings)),
      taker_(std::move(taker)),
      http_({.name = settings_.name,
             .address = settings_.address,
             .port = settings_.port,
             .origins = settings_.origins,
             .keys_required = !settings_.keys.empty(),
             // Credentials are for those who have shown the key.
             .ice_servers =
                 [this](const std::optional<std::string>& key) {
                   return settings_.keys.check(key) ? without_credentials(settings_.ice_servers)
                                                    : settings_.ice_servers;
                 },
             .limits =
                 [this] {
                   LimitsForClients limits = settings_.limits();
                   limits.keys_required = !settings_.keys.empty();
                   return limits_json(limits);
                 }},
            [this](HttpRequest request, HttpResponder responder) {
              on_request(request, std::move(responder));
            }) {}

void HttpOffers::on_request(const HttpRequest& request, HttpResponder responder) {
  const auto taker = taker_.lock();
  if (!taker) return;
  if (request.method != "GET" && request.method != "DELETE") {
    return on_post(request, responder, *taker);
  }
  const SessionPath path = parse_session_path(request.path);
  if (const auto error = settings_.keys.check(request.bearer_token)) return responder.fail(*error);
  if (request.method == "GET") {
    const auto status = taker->status(path.session);
    return status ? reply_status(responder, *status) : responder.fail(no_such_session());
  }
  const bool ended = path.what == SessionPath::What::kConnection
                         ? taker->withdraw_further(path.session, path.connection)
                         : taker->withdraw(path.session);
  return ended ? responder.reply_json(200, "") : responder.fail(no_such_session());
}

void HttpOffers::on_post(const HttpRequest& request, const HttpResponder& responder,
                         OfferTaker& taker) const {
  const auto read = read_session_request(request, settings_.keys);
  if (const auto* error = std::get_if<HttpError>(&read)) return responder.fail(*error);
  const auto& asked = std::get<SessionRequest>(read);
  const auto id = make_session_id();
  if (!id) return responder.fail(no_randomness());
  const SessionPath path = parse_session_path(request.path);
  const bool further = path.what == SessionPath::What::kConnections;
  OfferReply::Events events;
  events.answered = [responder, further, session = path.session, id = *id, whip = asked.whip,
                     servers = settings_.ice_servers](const std::string& sdp) {
    if (further) return reply_further_answer(responder, whip, sdp, session, id, servers);
    reply_answer(responder, whip, sdp, id, servers);
  };
  events.refused = [responder](const HttpError& error) { responder.fail(error); };
  responder.on_gone([weak = taker_, further, session = path.session, id = *id] {
    const auto alive = weak.lock();
    if (!alive) return;
    static_cast<void>(further ? alive->withdraw_further(session, id) : alive->withdraw(id));
  });
  const auto reply = std::make_shared<OfferReply>(std::move(events));
  if (further) return taker.take_further_offer(path.session, *id, asked.worker.offer_sdp, reply);
  taker.take_offer(*id, asked.worker.offer_sdp, reply);
}

}  // namespace webrtcupload
