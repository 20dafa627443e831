// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A session in the server's own process (--isolation none).

#include <utility>

#include "tool/serve/session_runner.h"
#include "tool/session/session.h"

namespace webrtcupload {
namespace {

class LocalSession final : public SessionRunner {
 public:
  LocalSession(GMainContext* context, SessionConfig config, SessionObserver observer)
      : session_(Session::create(context, std::move(config), std::move(observer))) {}

  void start() override { session_->start(); }
  bool connect(const std::string& connection, const std::string& offer_sdp) override {
    if (!session_) return false;
    session_->connect(connection, offer_sdp);
    return true;
  }
  void disconnect(const std::string& connection) override {
    if (session_) session_->disconnect(connection);
  }
  void stop(const std::string& why) override {
    if (session_) session_->stop(why);
  }
  void kill() override { session_.reset(); }
  void resume() override {}

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<SessionRunner> make_local_session(GMainContext* context, SessionConfig config,
                                                  SessionObserver observer) {
  return std::make_unique<LocalSession>(context, std::move(config), std::move(observer));
}

}  // namespace webrtcupload
