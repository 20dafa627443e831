// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_offers.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "signalling/session_request.h"
#include "signalling/session_status.h"
#include "signalling/whip.h"
#include "signalling/worker_request.h"

namespace webrtcupload {

HttpOffers::HttpOffers(Settings settings, std::weak_ptr<OfferTaker> taker)
    : settings_(std::move(settings)),
      taker_(std::move(taker)),
      http_(
          {.name = settings_.name,
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
           .limits = [this] { return limits_json(settings_.max_size(), !settings_.keys.empty()); }},
          [this](HttpRequest request, HttpResponder responder) {
            on_request(request, std::move(responder));
          }) {}

void HttpOffers::on_request(const HttpRequest& request, HttpResponder responder) {
  const auto taker = taker_.lock();
  if (!taker) return;
  if (request.method != "GET" && request.method != "DELETE") {
    return on_post(request, responder, *taker);
  }
  const std::string id = session_id_of(request);
  if (const auto error = settings_.keys.check(request.bearer_token)) return responder.fail(*error);
  if (id.empty()) return responder.fail(no_such_session());
  if (request.method == "GET") {
    const auto status = taker->status(id);
    return status ? reply_status(responder, *status) : responder.fail(no_such_session());
  }
  return taker->withdraw(id) ? responder.reply_json(200, "") : responder.fail(no_such_session());
}

void HttpOffers::on_post(const HttpRequest& request, const HttpResponder& responder,
                         OfferTaker& taker) const {
  const auto read = read_session_request(request, settings_.keys);
  if (const auto* error = std::get_if<HttpError>(&read)) return responder.fail(*error);
  const auto& session = std::get<SessionRequest>(read);
  const auto id = make_session_id();
  if (!id) return responder.fail(no_randomness());
  OfferReply::Events events;
  events.answered = [responder, id = *id, whip = session.whip,
                     servers = settings_.ice_servers](const std::string& sdp) {
    reply_answer(responder, whip, sdp, id, servers);
  };
  events.refused = [responder](const HttpError& error) { responder.fail(error); };
  responder.on_gone([weak = taker_, id = *id] {
    if (const auto alive = weak.lock()) static_cast<void>(alive->withdraw(id));
  });
  taker.take_offer(*id, session.worker.offer_sdp, std::make_shared<OfferReply>(std::move(events)));
}

}  // namespace webrtcupload
