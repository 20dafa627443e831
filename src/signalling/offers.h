// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a server's offers come from, HTTP or a signaller of the application's, and how whoever has
// handed one in hears what becomes of it.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "signalling/http_error.h"
#include "signalling/session_status.h"

namespace webrtcupload {

// How the session of an offer ended: with a code of the protocol's errors and a sentence, or well
// (both empty).
struct OfferOutcome {
  std::string code;
  std::string message;
};

// What is said to whoever has handed in an offer: an answer and later its session's end, or a
// refusal. Each at most once, and nothing is left out: what has not been said is said by the
// destructor. Of the server's thread.
class OfferReply {
 public:
  struct Events {
    std::function<void(const std::string& sdp)> answered;
    std::function<void(const HttpError& error)> refused;
    // After answered() only.
    std::function<void(const OfferOutcome& why)> ended;
  };

  explicit OfferReply(Events events) : events_(std::move(events)) {}
  ~OfferReply() { end({}); }
  OfferReply(const OfferReply&) = delete;
  OfferReply& operator=(const OfferReply&) = delete;

  void answer(const std::string& sdp) {
    if (state_ != State::kOpen) return;
    state_ = State::kAnswered;
    events_.answered(sdp);
  }
  void refuse(const HttpError& error) {
    if (state_ != State::kOpen) return;
    state_ = State::kEnded;
    events_.refused(error);
  }
  void end(const OfferOutcome& why) {
    refuse({500, "InternalError", "No reply was made.", {}});
    if (std::exchange(state_, State::kEnded) == State::kAnswered && events_.ended) {
      events_.ended(why);
    }
  }

 private:
  enum class State { kOpen, kAnswered, kEnded };

  const Events events_;
  State state_ = State::kOpen;
};

// The server, as a source of offers knows it. On the server's thread.
class OfferTaker {
 public:
  virtual ~OfferTaker() = default;
  // `id` names the session from then on.
  virtual void take_offer(std::string id, const std::string& offer_sdp,
                          std::shared_ptr<OfferReply> reply) = 0;
  // A further connection of that session, called `id` from then on.
  virtual void take_further_offer(const std::string& session, std::string id,
                                  const std::string& offer_sdp,
                                  std::shared_ptr<OfferReply> reply) = 0;
  // The client is done with it. False if there is none.
  virtual bool withdraw_further(const std::string& session, const std::string& id) = 0;
  // The peer of that session has no more to do with it. False if there is none.
  virtual bool withdraw(const std::string& id) = 0;
  // Of the session that is there, or of a former one; nothing if its peer has ended it, or if there
  // was none.
  [[nodiscard]] virtual std::optional<SessionStatus> status(const std::string& id) const = 0;
};

// Made and destroyed on the server's thread.
class OfferSource {
 public:
  virtual ~OfferSource() = default;
  // An empty string, or why it cannot start.
  [[nodiscard]] virtual std::string start() = 0;
  // No more offers.
  virtual void stop() = 0;
  // Where it listens; empty, and 0, if it does not.
  [[nodiscard]] virtual std::string url() const { return ""; }
  [[nodiscard]] virtual std::uint16_t port() const { return 0; }
};

}  // namespace webrtcupload
