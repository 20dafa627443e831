// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether a client's session still runs, when the connection to it says nothing any more. A
// webrtcbin whose peer has died shows nothing for half a minute or more; the server behind the
// session's address knows at once.

#pragma once

#include <glib.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "glib/main_context.h"
#include "signalling/session_status.h"
#include "tool/common/http_client.h"

namespace webrtcupload {

// Lives on one context's thread, its default. An event is the last: nothing is asked after it.
class SessionWatch {
 public:
  struct Events {
    // A number that changes when anything comes from the session.
    std::function<std::uint64_t()> sign_of_life;
    std::function<void(const SessionStatus&)> ended;
    // Nobody answers for the session any more. A sentence.
    std::function<void(const std::string& why)> server_gone;
  };
  struct Times {
    std::chrono::milliseconds look{250};
    // Without a sign of life for so long it asks, and then again and again.
    std::chrono::milliseconds silence{1000};
    std::chrono::milliseconds reply{5000};
  };

  SessionWatch(GMainContext* context, HttpClient& http, Events events);
  SessionWatch(GMainContext* context, HttpClient& http, Events events, Times times);
  SessionWatch(const SessionWatch&) = delete;
  SessionWatch& operator=(const SessionWatch&) = delete;

  // From now on. An empty address: it stays idle, as no session has said where it is.
  void start(std::string address, std::optional<std::string> bearer_token);
  // The connection is lost for certain: asks at once, and takes the first answer for what it says.
  void lost();
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  void look();
  void ask();
  void on_reply(const HttpClient::Reply& reply);
  void end(const std::function<void()>& tell);

  HttpClient& http_;
  const Events events_;
  const Times times_;
  Timer timer_;
  HttpClient::Call call_;
  bool asking_ = false;
  std::string address_;
  std::optional<std::string> token_;
  std::uint64_t sign_ = 0;
  Clock::time_point quiet_since_;  // No sign since, and not asked.
  int unanswered_ = 0;             // Times in a row that nobody answered.
  bool lost_ = false;
};

}  // namespace webrtcupload
