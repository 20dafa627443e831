// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two places where a session can live, as the server sees them: a process of its own, or the
// server's.

#pragma once

#include <glib.h>

#include <chrono>
#include <memory>
#include <string>

#include "tool/common/session_types.h"

namespace webrtcupload {

class EventOutput;

// For a process to say something to a further offer. More than it allows itself, so that one which
// says nothing hangs.
inline constexpr std::chrono::milliseconds kFurtherAnswerTimeout{75000};

class SessionRunner {
 public:
  virtual ~SessionRunner() = default;

  virtual void start() = 0;
  // A further offer of its client, once it has been answered; what becomes of it comes by
  // SessionObserver::connection. False if the session is ending.
  [[nodiscard]] virtual bool connect(const std::string& connection,
                                     const std::string& offer_sdp) = 0;
  // The client is done with that connection.
  virtual void disconnect(const std::string& connection) = 0;
  // Ends it in order and tells the client why; `ended` (or `refused`) follows.
  virtual void stop(const std::string& why) = 0;
  // Ends it at once.
  virtual void kill() = 0;
  // The output's congestion is over.
  virtual void resume() = 0;
};

// Observers are called on the context. `frame` and `ask` come there too for a child process; the
// child waits while `output` is congested.
[[nodiscard]] std::unique_ptr<SessionRunner> make_child_session(
    GMainContext* context, const EventOutput& output, SessionConfig config,
    SessionObserver observer,
    std::chrono::milliseconds further_answer_timeout = kFurtherAnswerTimeout);
[[nodiscard]] std::unique_ptr<SessionRunner> make_local_session(GMainContext* context,
                                                                SessionConfig config,
                                                                SessionObserver observer);

}  // namespace webrtcupload
