// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Offers by a signaller of the application's, an object with the interface
// GstWebrtcUploadSignaller.

#pragma once

#include <glib.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glib/announcer.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "signalling/offers.h"
#include "webrtcupload/gstwebrtcuploadsignaller.h"

namespace webrtcupload {

// Neither starts nor stops the signaller: what that brings about has to be on the thread that
// changes the element's state.
class SignallerOffers : public OfferSource {
 public:
  // Offers whose refuse() or end() has not returned yet. A peer chooses how large each is, up to
  // OfferLimits::max_bytes.
  static constexpr int kMostWaiting = 16;
  static constexpr std::size_t kMaxIdBytes = 256;

  // The signaller hears of its offers on the announcer's thread. `failed` comes on the server's.
  SignallerOffers(GstWebrtcUploadSignaller* signaller, GMainContext* context,
                  std::weak_ptr<OfferTaker> taker, std::shared_ptr<Announcer> announcer,
                  std::function<void(std::string why)> failed);
  ~SignallerOffers() override { stop(); }

  [[nodiscard]] std::string start() override { return ""; }
  void stop() override;

 private:
  struct Shared;

  const std::shared_ptr<Shared> shared_;
  std::vector<SignalConnection> connections_;
};

}  // namespace webrtcupload
