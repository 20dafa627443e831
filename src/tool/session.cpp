// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session.h"

#include <utility>

#include "signalling/offer.h"

namespace webrtcupload {
namespace {

// How many of the client's messages on the results channel may wait for us. They are few and small.
constexpr std::size_t kMaxPendingMessages = 256;
// When the connection is lost before the upload is complete, what has arrived may still be on its
// way through the element, which then completes, or reports the loss itself.
constexpr std::chrono::milliseconds kLossGrace{5000};
// How long a session that is over waits for a client's results channel. Channels open one by one,
// and a small file can be uploaded and analysed before the second one is there.
constexpr std::chrono::milliseconds kResultsGrace{1000};

}  // namespace

Session::Session(GMainContext* context, SessionConfig config, SessionObserver observer)
    : context_(g_main_context_ref(context)),
      config_(std::move(config)),
      observer_(std::move(observer)),
      timer_(context) {}

Session::~Session() {
  results_.reset();
  pipeline_.reset();
  peer_.reset();
  g_main_context_unref(context_);
}

std::shared_ptr<Session> Session::create(GMainContext* context, SessionConfig config,
                                         SessionObserver observer) {
  return std::shared_ptr<Session>(new Session(context, std::move(config), std::move(observer)));
}

void Session::start() {
  auto checked = check_offer(config_.offer_sdp);
  if (const auto* error = std::get_if<OfferError>(&checked)) {
    return refuse(400, "InvalidOffer", error->message);
  }
  const std::weak_ptr<Session> weak = shared_from_this();
  std::string problem;

  Peer::Events peer_events;
  peer_events.connected = [weak] {
    if (const auto self = weak.lock()) self->on_connected();
  };
  peer_events.gone = [weak](const std::string& why) {
    if (const auto self = weak.lock()) self->on_peer_gone(why);
  };
  peer_events.untrusted = [weak](const std::string& why) {
    const auto self = weak.lock();
    if (!self) return;
    self->peer_gone_ = true;
    self->fail("untrusted-peer", why);
  };
  peer_events.channel = [weak](std::shared_ptr<DataChannel> channel) {
    const auto self = weak.lock();
    if (self && !self->results_) {
      self->results_ = std::make_unique<ResultsChannel>(self->context_, std::move(channel));
      if (self->awaits_results_channel_) self->tell_end();
    }
  };
  peer_ = Peer::create(context_, PeerOptions{.local_addresses = config_.ice_addresses},
                       std::move(peer_events), problem);
  if (!peer_) return refuse(500, "InternalError", problem);
  peer_->watch_channel(kResultsLabel, kMaxPendingMessages);

  SessionPipeline::Events events;
  events.finished = [weak] {
    if (const auto self = weak.lock()) self->finish(SessionEnd{.done = true});
  };
  events.failed = [weak](std::string code, std::string message) {
    if (const auto self = weak.lock()) self->fail(std::move(code), std::move(message));
  };
  events.state_changed = [weak] {
    if (const auto self = weak.lock()) self->on_state_changed();
  };
  events.frame = observer_.frame;
  pipeline_ =
      SessionPipeline::create(context_, config_, peer_->webrtcbin(), std::move(events), problem);
  if (!pipeline_) return refuse(500, "PipelineError", "The pipeline does not work: " + problem);
  // First the upload's element, so that it hears of its channel, then webrtcbin.
  if (problem = pipeline_->start(); !problem.empty()) {
    return refuse(500, "PipelineError", "The server's pipeline does not start: " + problem);
  }
  if (!peer_->start()) return refuse(500, "InternalError", "webrtcbin does not start.");

  peer_->answer(std::get<Offer>(checked).sdp, [weak](std::variant<std::string, PeerError> result) {
    const auto self = weak.lock();
    if (!self || self->phase_ != Phase::kNegotiating) return;
    if (const auto* error = std::get_if<PeerError>(&result)) {
      return self->refuse(400, "InvalidOffer",
                          "The offer could not be answered: " + error->message);
    }
    self->phase_ = Phase::kConnecting;
    self->answered_ = true;
    self->timer_.start(self->config_.connect_timeout, [raw = self.get()] {
      raw->fail("connect-timeout", "the client did not connect in time");
    });
    self->observer_.answered(std::get<std::string>(result));
  });
}

void Session::stop(const std::string& why) { fail("cancelled", why); }

void Session::refuse(unsigned status, const char* type, const std::string& message) {
  if (phase_ >= Phase::kEnding) return;
  phase_ = Phase::kEnded;
  timer_.cancel();
  const auto keep = shared_from_this();
  pipeline_.reset();
  peer_.reset();
  observer_.refused(HttpError{status, type, message, {}});
}

void Session::on_connected() {
  if (phase_ != Phase::kConnecting) return;
  phase_ = Phase::kWaitingForUpload;
  timer_.start(config_.connect_timeout, [this] {
    fail("connect-timeout", "the client connected but did not begin to upload in time");
  });
  on_state_changed();
}

void Session::on_state_changed() {
  if (phase_ != Phase::kConnecting && phase_ != Phase::kWaitingForUpload) return;
  if (!pipeline_->upload_begun()) return;
  phase_ = Phase::kRunning;
  timer_.cancel();
}

void Session::on_peer_gone(const std::string& why) {
  peer_gone_ = true;
  if (awaits_results_channel_) stop_waiting_for_results_channel();
  if (phase_ == Phase::kEnding && results_) results_->abandon();
  if (phase_ >= Phase::kEnding) return;
  if (phase_ == Phase::kNegotiating) {
    return refuse(400, "InvalidOffer", "The offer could not be answered: " + why);
  }
  // Whoever has uploaded everything may leave: the work goes on.
  if (pipeline_->upload_complete()) return;
  timer_.start(kLossGrace, [this, why] {
    if (!pipeline_->upload_complete()) fail("peer-gone", why);
  });
}

void Session::fail(std::string code, std::string message) {
  finish(SessionEnd{.done = false, .code = std::move(code), .message = std::move(message)});
}

void Session::finish(SessionEnd end) {
  if (phase_ >= Phase::kEnding) return;
  const bool connected =
      phase_ >= Phase::kWaitingForUpload || (pipeline_ && pipeline_->upload_begun());
  phase_ = Phase::kEnding;
  timer_.cancel();
  const auto keep = shared_from_this();
  end_ = std::move(end);
  if (!pipeline_) {
    // Stopped before it was started.
    return conclude();
  }
  const SessionPipeline::Counts counts = pipeline_->counts();
  end_.frames = counts.frames;
  end_.bytes = counts.bytes;
  end_.chunks = counts.chunks;

  steps_left_ = 1;
  if (!peer_gone_ && (connected || results_)) {
    ++steps_left_;
    if (results_) {
      tell_end();
    } else {
      awaits_results_channel_ = true;
      timer_.start(kResultsGrace, [this] { stop_waiting_for_results_channel(); });
    }
  }
  pipeline_->stop(step());
}

std::function<void()> Session::step() {
  return [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->step_down();
  };
}

void Session::tell_end() {
  awaits_results_channel_ = false;
  timer_.cancel();
  Completion completion;
  completion.frame_id = static_cast<std::uint32_t>(end_.frames + 1);
  if (!end_.done) {
    completion.termination_reason = end_.code;
    completion.errors = {end_.message};
  }
  results_->finish(completion, step());
}

void Session::stop_waiting_for_results_channel() {
  awaits_results_channel_ = false;
  timer_.cancel();
  step_down();
}

void Session::step_down() {
  if (--steps_left_ == 0) disconnect();
}

void Session::disconnect() {
  peer_->close([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->conclude();
  });
}

void Session::conclude() {
  phase_ = Phase::kEnded;
  const auto keep = shared_from_this();
  results_.reset();
  pipeline_.reset();
  peer_.reset();
  if (answered_) {
    observer_.ended(end_);
  } else {
    const bool stopped = end_.code == "cancelled";
    observer_.refused(
        HttpError{stopped ? 503u : 500u, stopped ? "Stopped" : "PipelineError", end_.message, {}});
  }
}

}  // namespace webrtcupload
