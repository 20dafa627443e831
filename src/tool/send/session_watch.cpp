// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/session_watch.h"

#include <utility>

namespace webrtcupload {
namespace {

// A server that is restarted, or a proxy before it, may refuse a connection and be there again.
constexpr int kEnoughRefusals = 2;

// A proxy says these of a server that does not answer it.
bool is_without_server(unsigned status) { return status >= 502 && status <= 504; }

}  // namespace

SessionWatch::SessionWatch(GMainContext* context, HttpClient& http, Events events)
    : SessionWatch(context, http, std::move(events), Times()) {}

SessionWatch::SessionWatch(GMainContext* context, HttpClient& http, Events events, Times times)
    : http_(http), events_(std::move(events)), times_(times), timer_(context) {}

void SessionWatch::start(std::string address, std::optional<std::string> bearer_token) {
  address_ = std::move(address);
  token_ = std::move(bearer_token);
  sign_ = events_.sign_of_life();
  quiet_since_ = Clock::now();
  if (!address_.empty()) look();
}

void SessionWatch::lost() {
  if (std::exchange(lost_, true)) return;
  ask();
}

void SessionWatch::stop() {
  address_.clear();
  timer_.cancel();
  call_.cancel();
}

void SessionWatch::look() {
  const std::uint64_t sign = events_.sign_of_life();
  const auto now = Clock::now();
  if (sign != sign_) {
    sign_ = sign;
    quiet_since_ = now;
    unanswered_ = 0;
  } else if (now - quiet_since_ >= (lost_ ? times_.look : times_.silence)) {
    ask();
  }
  if (!address_.empty()) timer_.start(times_.look, [this] { look(); });
}

void SessionWatch::ask() {
  if (asking_ || address_.empty()) return;
  asking_ = true;
  call_ = http_.get(address_, token_, times_.reply, [this](const HttpClient::Reply& reply) {
    asking_ = false;
    quiet_since_ = Clock::now();
    on_reply(reply);
  });
}

void SessionWatch::on_reply(const HttpClient::Reply& reply) {
  using Failure = HttpClient::Reply::Failure;
  if (reply.failure == Failure::kUnreachable || is_without_server(reply.status)) {
    const std::string why =
        reply.problem.empty() ? "status " + std::to_string(reply.status) : reply.problem;
    if (++unanswered_ < kEnoughRefusals && !lost_) return;
    return end([this, why] { events_.server_gone("the server is gone: " + why); });
  }
  // Whoever is asked there is not told the key.
  if (reply.failure == Failure::kElsewhere) return stop();
  // No reply in time: the network, as it seems, and that may come back.
  if (reply.failure != Failure::kNone) return;
  unanswered_ = 0;
  if (reply.status == 404) {
    // Of several servers behind one address another one may have been asked.
    if (!lost_) return;
    return end([this] {
      events_.server_gone("the server is gone: the one that is there does not know this upload");
    });
  }
  const auto status = reply.status == 200 ? parse_session_status(reply.body) : std::nullopt;
  // It does not speak of its sessions.
  if (!status) return stop();
  if (status->ended) end([this, status] { events_.ended(*status); });
}

void SessionWatch::end(const std::function<void()>& tell) {
  stop();
  tell();
}

}  // namespace webrtcupload
