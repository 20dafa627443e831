// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/sender_connection.h"

#include <utility>

#include "core/channel_labels.h"
#include "signalling/worker_request.h"

namespace webrtcupload {
namespace {

// For results that wait for this thread: many, since the last one, which is what is wanted, must
// not be dropped. In bytes of memory.
constexpr std::size_t kMaxPendingResults = 64 << 20;

}  // namespace

bool SenderConnection::Failure::may_pass() const {
  switch (status) {
    case 0:
      return passing;
    // For these two the session's address has the last word.
    case 404:
    case 409:
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

SenderConnection::SenderConnection(GMainContext* context, HttpClient& http, Options options,
                                   Events events)
    : context_(context),
      http_(http),
      options_(std::move(options)),
      events_(std::move(events)),
      timer_(context) {}

std::shared_ptr<SenderConnection> SenderConnection::create(GMainContext* context, HttpClient& http,
                                                           Options options, Events events) {
  return std::shared_ptr<SenderConnection>(
      new SenderConnection(context, http, std::move(options), std::move(events)));
}

void SenderConnection::start() {
  std::string problem;
  if (!make_peer(problem)) return fail({.problem = problem});
  timer_.start(options_.timeout, [this] {
    fail({.problem =
              "no connection came about in time: " +
              (answered_ ? missing_at(peer_->stage(), "server")
                         : "the server has not answered the offer, which it was sent over HTTP"),
          .passing = true});
  });
  peer_->offer([weak = weak_from_this()](const std::variant<std::string, PeerError>& result) {
    const auto self = weak.lock();
    if (!self) return;
    if (const auto* error = std::get_if<PeerError>(&result)) {
      // Without a network there are no candidates.
      return self->fail({.problem = error->message, .passing = true});
    }
    self->post_offer(std::get<std::string>(result));
  });
}

bool SenderConnection::make_peer(std::string& problem) {
  const std::weak_ptr<SenderConnection> weak = weak_from_this();
  Peer::Events events;
  events.connected = [weak] {
    const auto self = weak.lock();
    // Otherwise the channel tells.
    if (self && !self->results_) self->on_open();
  };
  events.gone = [weak](const std::string& why) {
    if (const auto self = weak.lock()) self->on_gone(why);
  };
  events.untrusted = [weak](const std::string& why) {
    const auto self = weak.lock();
    if (self && self->end()) self->events_.untrusted(why);
  };
  peer_ = Peer::create(context_, PeerOptions{.local_addresses = ice_addresses_for(options_.host)},
                       std::move(events), problem);
  if (!peer_) return false;
  if (!peer_->start()) {
    problem = "webrtcbin does not start";
    return false;
  }
  if (options_.results) {
    results_ = peer_->create_channel(kResultsLabel, kMaxPendingResults);
    if (!results_) {
      problem = "the data channels could not be made";
      return false;
    }
    watch_results();
  }
  problem = events_.prepare(peer_->webrtcbin());
  return problem.empty();
}

void SenderConnection::watch_results() {
  const std::weak_ptr<SenderConnection> weak = weak_from_this();
  results_->set_events({.open =
                            [weak] {
                              if (const auto self = weak.lock()) self->on_open();
                            },
                        .text = nullptr,
                        .data =
                            [weak](std::span<const std::uint8_t> message) {
                              const auto self = weak.lock();
                              if (self && !self->ended_) self->events_.result(message);
                            },
                        .closed =
                            [weak] {
                              if (const auto self = weak.lock())
                                self->on_gone("the server closed the connection");
                            }});
}

void SenderConnection::post_offer(const std::string& sdp) {
  if (ended_) return;
  WorkerRequest request;
  request.offer_sdp = sdp;
  request.workflow_id = options_.workflow;
  // Every frame, as fast as it goes, and nothing but the data.
  request.realtime = false;
  request.stream_output.emplace();
  call_ = http_.post_json(options_.url, options_.api_key, write_worker_request(request),
                          [weak = weak_from_this()](const HttpClient::Reply& reply) {
                            if (const auto self = weak.lock()) self->on_reply(reply);
                          });
}

void SenderConnection::on_reply(const HttpClient::Reply& reply) {
  using Kind = HttpClient::Reply::Failure;
  if (ended_) return;
  if (reply.failure == Kind::kElsewhere) return fail({.problem = reply.problem});
  if (!reply.problem.empty()) {
    return fail({.problem = "cannot reach " + options_.url + ": " + reply.problem,
                 .passing = reply.failure != Kind::kTooLarge});
  }
  const WorkerReply parsed = parse_worker_reply(reply.status, reply.body);
  if (!parsed.answer_sdp) {
    const bool refused = reply.status != 200 && reply.status != 201;
    return fail({.problem = parsed.problem,
                 .status = refused ? reply.status : 0,
                 .retry_after = reply.retry_after});
  }
  answered_ = true;
  location_ = reply.location;
  if (events_.answered) events_.answered(location_);
  peer_->accept_answer(*parsed.answer_sdp, [weak = weak_from_this()](const std::string& problem) {
    const auto self = weak.lock();
    if (!self || problem.empty()) return;
    self->fail({.problem = "the server's answer does not work: " + problem});
  });
}

void SenderConnection::on_open() {
  if (ended_ || std::exchange(open_, true)) return;
  timer_.cancel();
  events_.open();
}

void SenderConnection::on_gone(const std::string& why) {
  if (!open_) return fail({.problem = why, .passing = true});
  if (end()) events_.lost(why);
}

void SenderConnection::fail(const Failure& failure) {
  if (end()) events_.failed(failure);
}

bool SenderConnection::end() {
  timer_.cancel();
  call_.cancel();
  return !std::exchange(ended_, true);
}

void SenderConnection::probe() {
  // On the results channel a server ignores binary messages.
  constexpr std::uint8_t kNothing[] = {0};
  if (results_ && results_->is_open()) results_->send(kNothing);
}

void SenderConnection::close(std::function<void()> closed) {
  ended_ = true;
  timer_.cancel();
  call_.cancel();
  if (results_ && results_->is_open()) results_->close();
  results_.reset();
  if (!peer_) return post_to(context_, std::move(closed));
  // It is kept until then.
  const auto peer = std::exchange(peer_, nullptr);
  peer->close([peer, closed = std::move(closed)] { closed(); });
}

std::uint64_t SenderConnection::packets_received() const {
  return peer_ ? peer_->packets_received() : 0;
}

}  // namespace webrtcupload
