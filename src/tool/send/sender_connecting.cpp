// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Of an upload in wire format v2: how many connections it has, and what happens when they are lost.

#include <algorithm>
#include <utility>

#include "tool/send/sender.h"

namespace webrtcupload {
namespace {

// Between looks at how it gets on.
constexpr std::chrono::milliseconds kLookInterval{250};
// For the server to say how a session has ended.
constexpr std::chrono::milliseconds kStatusTimeout{5000};

}  // namespace

void Sender::on_ready(const SendingPipeline::Ready& ready) {
  if (ending_ || uploaded_) return;
  ready_ = ready;
  note_most(ready.max_connections);
  if (!options_.connections) rule_.emplace(most_);
  want(std::min(options_.connections.value_or(1), most_));
  look();
}

void Sender::note_most(unsigned most) {
  most = std::clamp(most, 1U, kMostConnections);
  if (most >= most_) return;
  if (options_.connections && most < std::min(*options_.connections, most_)) {
    events_.note("the server takes at most " + std::to_string(most) +
                 (most == 1 ? " connection" : " connections") + " for one upload");
  }
  most_ = most;
}

void Sender::want(unsigned connections) {
  wanted_ = std::max(connections, 1U);
  connections_->keep(wanted_);
}

void Sender::look() {
  look_timer_.start(kLookInterval, [this] { look(); });
  const auto figures = pipeline_->figures();
  // The sink may never have noticed the loss.
  if (loss_ && figures.bytes > loss_->stored) on_resumed();
  if (loss_ || !rule_) return;
  std::optional<std::uint64_t> left;
  if (options_.size) left = *options_.size - std::min(*options_.size, figures.bytes);
  const unsigned wanted =
      rule_->wanted({.now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         Clock::now().time_since_epoch()),
                     .stored = figures.bytes,
                     .left = left,
                     .waited_for_room = figures.waited_for_room,
                     .round_trip = figures.round_trip,
                     .connections = figures.connections});
  if (wanted > wanted_) want(wanted);
}

void Sender::on_not_added() {
  if (ending_ || !rule_) return;
  rule_->note_failure();
  want(static_cast<unsigned>(connections_->open_count()));
}

bool Sender::can_go_on() const {
  return ready_ && ready_->resume_timeout.count() > 0 && !location_.empty() && !uploaded_ &&
         !completion_ && !ending_ && failure_.empty();
}

void Sender::on_all_lost(const std::string& why) {
  if (!can_go_on()) return fail_at_last(why);
  // It had not joined yet.
  if (loss_) {
    loss_->problem = why;
    return;
  }
  // While it is waited for, the tries show whether the session is there.
  watch_.stop();
  loss_ = Loss{.why = why,
               .deadline = Clock::now() + ready_->resume_timeout,
               .stored = pipeline_->figures().bytes};
  resume_timer_.start(ready_->resume_timeout, [this] { give_up(); });
}

void Sender::on_refused(const SenderConnection::Failure& failure) {
  if (ending_ || !loss_) return;
  loss_->problem = failure.problem;
  // There is no such session, or nothing of it that could go on.
  if (failure.status == 404 || failure.status == 409) return ask_how_it_ended();
  if (!failure.may_pass()) give_up();
}

void Sender::ask_how_it_ended() {
  call_ = http_.get(location_, options_.api_key, kStatusTimeout,
                    [this](const HttpClient::Reply& reply) { on_told_how_it_ended(reply); });
}

void Sender::on_told_how_it_ended(const HttpClient::Reply& reply) {
  if (ending_ || !loss_) return;
  if (reply.failure == HttpClient::Reply::Failure::kElsewhere) return finish(reply.problem);
  if (reply.status == 404) {
    ended_there_ = true;
    return finish("peer-gone: the server does not know this upload any more", true);
  }
  const auto status = reply.status == 200 ? parse_session_status(reply.body) : std::nullopt;
  if (status && status->ended) return on_session_ended(*status);
  // It cannot say just now, or it runs and has everything: the next try shows more.
  want(wanted_);
}

void Sender::on_resumed() {
  if (ending_ || !loss_ || connections_->open_count() == 0) return;
  loss_.reset();
  resume_timer_.cancel();
  connections_->note_resumed();
  watch_.start(location_, options_.api_key);
  events_.note("connected again");
}

void Sender::give_up() {
  const Loss loss = *loss_;
  std::string problem = "peer-gone: the connection was lost (" + loss.why + ")";
  if (Clock::now() >= loss.deadline) {
    problem += " and did not come back within " +
               std::to_string(ready_->resume_timeout.count() / 1000) + " s";
  } else {
    problem += " and cannot come back";
  }
  finish(loss.problem.empty() ? problem : problem + ": " + loss.problem);
}

std::optional<SenderInterruption> Sender::interruption() const {
  if (!loss_ || ending_) return std::nullopt;
  const auto left = std::chrono::ceil<std::chrono::seconds>(loss_->deadline - Clock::now());
  return SenderInterruption{.attempt = std::max(connections_->attempts(), 1),
                            .left = std::max(left, std::chrono::seconds(0))};
}

}  // namespace webrtcupload
