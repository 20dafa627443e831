// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Offers by HTTP, as both endpoints have them, for a server that has one session at a time.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "signalling/api_keys.h"
#include "signalling/http_server.h"
#include "signalling/offers.h"
#include "signalling/whip.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

class HttpOffers : public OfferSource {
 public:
  struct Settings {
    // Of the element, for the log.
    std::string name = "server";
    std::string address;
    std::uint16_t port = 0;
    AllowedOrigins origins;
    // None: everybody may upload.
    ApiKeys keys;
    // Clients are told of them.
    std::vector<IceServer> ice_servers;
    // What it has to say of uploads; of keys it is known here.
    std::function<LimitsForClients()> limits;
  };

  HttpOffers(Settings settings, std::weak_ptr<OfferTaker> taker);

  [[nodiscard]] std::string start() override { return http_.start(); }
  void stop() override { http_.stop_listening(); }
  [[nodiscard]] std::string url() const override { return http_.url(); }
  [[nodiscard]] std::uint16_t port() const override { return http_.port(); }

 private:
  void on_request(const HttpRequest& request, HttpResponder responder);
  void on_post(const HttpRequest& request, const HttpResponder& responder, OfferTaker& taker) const;

  const Settings settings_;
  const std::weak_ptr<OfferTaker> taker_;
  HttpServer http_;
};

}  // namespace webrtcupload
