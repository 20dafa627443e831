// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/sender.h"

#include <utility>

namespace webrtcupload {
namespace {

// For the server to say what it speaks.
constexpr std::chrono::milliseconds kLimitsTimeout{10000};
// For the other side to say why, when the upload failed first. It does, or it goes.
constexpr std::chrono::milliseconds kReasonGrace{10000};
// For what it has said to reach us on another thread, once it can say no more; and for ours to tell
// that all was handed over.
constexpr std::chrono::milliseconds kThreadGrace{2000};

// "hash-mismatch: the file has ..."
std::string with_code(const std::string& code, const std::string& message) {
  if (code.empty() || message.empty()) return code + message;
  return code + ": " + message;
}

// Whether a session that ended with this has only lost its client, or been lost itself: all that is
// wrong with the upload is that it is not there any more.
bool is_loss(const std::string& code) {
  return code == "crashed" || code == "peer-gone" || code == "idle-timeout" || code == "stalled";
}

}  // namespace

Sender::Sender(GMainContext* context, SenderOptions options, Events events)
    : context_(g_main_context_ref(context)),
      options_(std::move(options)),
      events_(std::move(events)),
      timer_(context),
      resume_timer_(context),
      look_timer_(context),
      watch_(
          context, http_,
          {.sign_of_life = [this] { return connections_ ? connections_->packets_received() : 0; },
           .ended = [this](const SessionStatus& status) { on_session_ended(status); },
           .server_gone = [this](const std::string& why) { on_server_gone(why); }}) {}

Sender::~Sender() {
  connections_.reset();
  pipeline_.reset();
  g_main_context_unref(context_);
}

std::shared_ptr<Sender> Sender::create(GMainContext* context, SenderOptions options,
                                       Events events) {
  return std::shared_ptr<Sender>(new Sender(context, std::move(options), std::move(events)));
}

void Sender::start() {
  if (options_.protocol == WantedProtocol::kV1) {
    connect();
  } else {
    ask_limits();
  }
}

void Sender::ask_limits() {
  call_ = http_.get(limits_url(options_.server.text), options_.api_key, kLimitsTimeout,
                    [weak = weak_from_this()](const HttpClient::Reply& reply) {
                      if (const auto self = weak.lock()) self->on_limits(reply);
                    });
}

void Sender::on_limits(const HttpClient::Reply& reply) {
  using Failure = HttpClient::Reply::Failure;
  if (ending_) return;
  if (reply.failure == Failure::kElsewhere) return finish(reply.problem);
  if (reply.failure == Failure::kUnreachable || reply.failure == Failure::kTimeout) {
    return finish("cannot reach " + options_.server.text + ": " + reply.problem);
  }
  // Anything else that is wrong is wrong with the offer as well, whose reply tells of it.
  const ServerLimits limits = reply.failure == Failure::kNone
                                  ? parse_server_limits(reply.status, reply.body)
                                  : ServerLimits{};
  if (const std::string problem = choose(limits); !problem.empty()) return finish(problem);
  connect();
}

std::string Sender::choose(const ServerLimits& limits) {
  v2_ = limits.v2;
  if (v2_) {
    note_most(limits.max_connections);
    return "";
  }
  if (options_.protocol == WantedProtocol::kV2) return "the server does not speak wire format v2";
  if (!limits.v1) return "the server speaks neither wire format v1 nor v2";
  if (options_.size) return "";
  return "the server speaks wire format v1 only, in which nothing can be sent whose size is not "
         "known beforehand, as that of standard input is not";
}

void Sender::connect() {
  if (!v2_ && options_.connections.value_or(1) > 1) {
    events_.note("the server speaks wire format v1, which takes one connection");
  }
  make_pipeline();
  connections_ = std::make_unique<SenderConnections>(
      context_, http_,
      SenderConnections::Options{.server = options_.server,
                                 .api_key = options_.api_key,
                                 .workflow = options_.workflow,
                                 .connect_timeout = options_.connect_timeout},
      connection_events());
  connections_->start();
}

void Sender::make_pipeline() {
  SendingPipeline::Events events;
  events.ready = [this](const SendingPipeline::Ready& ready) { on_ready(ready); };
  events.connection_lost = [this](GstElement* webrtcbin, const std::string& why) {
    if (!ending_) connections_->lose(webrtcbin, why);
  };
  events.resumed = [this] { on_resumed(); };
  events.complete = [this] { on_complete(); };
  events.failed = [this](const SendingPipeline::Failure& failure) { on_pipeline_failed(failure); };
  pipeline_ =
      std::make_unique<SendingPipeline>(context_,
                                        SendingOptions{.file = options_.file,
                                                       .v2 = v2_,
                                                       .chunk_size = options_.chunk_size,
                                                       .buffer_limit = options_.buffer_limit},
                                        std::move(events));
}

SenderConnections::Events Sender::connection_events() {
  SenderConnections::Events events;
  events.prepare = [this](GstElement* webrtcbin) { return pipeline_->prepare(webrtcbin); };
  events.attach = [this](GstElement* webrtcbin) { return pipeline_->attach(webrtcbin); };
  events.answered = [this](const std::string& location) {
    location_ = location;
    watch_.start(location, options_.api_key);
  };
  events.open = [this] { on_open(); };
  events.result = [this](std::span<const std::uint8_t> message) { on_results(message); };
  events.failed = [this](const std::string& problem) { finish(problem); };
  events.lost = [this](const std::string& why) { on_all_lost(why); };
  events.refused = [this](const SenderConnection::Failure& failure) { on_refused(failure); };
  events.not_added = [this] { on_not_added(); };
  events.untrusted = [this](const std::string& why) { finish(why); };
  return events;
}

void Sender::on_open() {
  if (ending_) return;
  if (events_.connected) events_.connected();
  pipeline_->play();
}

void Sender::on_complete() {
  if (ending_) return;
  uploaded_ = true;
  // All is there, however the last word of it has come.
  if (std::exchange(loss_, std::nullopt)) watch_.start(location_, options_.api_key);
  resume_timer_.cancel();
  look_timer_.cancel();
  connections_->settle();
  end_.sha256 = pipeline_->sha256();
  if (events_.uploaded) events_.uploaded();
  if (completion_) succeed();
}

void Sender::on_pipeline_failed(const SendingPipeline::Failure& failure) {
  if (ending_ || !failure_.empty()) return;
  // The sink waits no longer than this does.
  if (loss_ && !failure.by_server) return give_up();
  // The upload's receiver says what it knows, and the session behind it may know better.
  fail_softly(with_code(failure.code, failure.message),
              failure.by_server ? kThreadGrace : kReasonGrace);
}

void Sender::on_results(std::span<const std::uint8_t> message) {
  if (ending_ || completion_) return;
  const auto result = assembler_.add(message);
  if (!result) return;
  auto completion = read_completion(*result);
  if (!completion) return;
  completion_ = std::move(completion);
  end_.frames = completion_->frame_id > 0 ? completion_->frame_id - 1 : 0;
  const std::string problem =
      with_code(completion_->termination_reason,
                completion_->errors.empty() ? "" : completion_->errors.front());
  if (problem.empty()) return succeed();
  finish(problem);
}

void Sender::on_session_ended(const SessionStatus& status) {
  if (ending_ || completion_) return;
  ended_there_ = true;
  if (status.done) {
    // With v1 nothing else than its last word says that it has the file. With v2 it has named the
    // file's hash before, or is not believed.
    if (!v2_) return fail_at_last("the server is done, but its last word did not arrive");
    completion_.emplace();
    end_.frames = status.frames.value_or(0);
    return succeed();
  }
  finish(with_code(status.code, status.code == "crashed"
                                    ? "the server could not cope with this video: " + status.message
                                    : status.message),
         is_loss(status.code));
}

void Sender::succeed() {
  if (uploaded_) return finish("");
  // Its word was faster than the news from our own pipeline that all was handed over.
  timer_.start(kThreadGrace, [this] {
    const bool handed_over = !v2_ && options_.size && pipeline_->taken() >= *options_.size;
    finish(handed_over ? "" : "the server ended before everything was sent");
  });
}

void Sender::fail_softly(const std::string& problem, std::chrono::milliseconds grace) {
  // With success announced, the other side may close at once.
  if (ending_ || completion_) return;
  if (failure_.empty()) failure_ = problem;
  if (!connections_->was_open()) return finish(failure_);
  connections_->halt();
  timer_.start(grace, [this] { finish(failure_); });
  watch_.lost();
}

// A server that stops takes no questions any more, while its last word is still on its way to us.
void Sender::on_server_gone(const std::string& why) {
  if (ending_ || completion_) return;
  if (can_go_on()) return connections_->lose_all(why);
  failure_ = why;
  timer_.start(kThreadGrace, [this] { finish(failure_); });
}

void Sender::fail_at_last(const std::string& problem) { fail_softly(problem, kThreadGrace); }

void Sender::stop(const std::string& problem) { finish(problem); }

void Sender::finish(const std::string& problem, bool lost_there) {
  if (std::exchange(ending_, true)) return;
  end_.problem = problem;
  end_.may_start_anew = lost_there && v2_ && !uploaded_ && options_.size;
  for (Timer* timer : {&timer_, &resume_timer_, &look_timer_}) timer->cancel();
  watch_.stop();
  call_.cancel();
  if (connections_) connections_->halt();
  const auto next = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->disconnect();
  };
  if (!pipeline_) return post_to(context_, next);
  pipeline_->stop(next);
}

void Sender::disconnect() {
  const auto next = [context = context_, weak = weak_from_this()] {
    post_to(context, [weak] {
      if (const auto self = weak.lock()) self->conclude();
    });
  };
  if (!connections_) return next();
  // Otherwise the server knows by what came over the connection, or has ended it.
  const bool waits_there = v2_ && !end_.problem.empty() && !ended_there_ && !end_.may_start_anew &&
                           connections_->open_count() == 0;
  connections_->close(waits_there, next);
}

void Sender::conclude() {
  const auto keep = shared_from_this();
  pipeline_.reset();
  connections_.reset();
  events_.ended(end_);
}

std::uint64_t Sender::bytes_across() const { return pipeline_ ? pipeline_->figures().bytes : 0; }

std::uint64_t Sender::bytes_taken() const { return pipeline_ ? pipeline_->taken() : 0; }

}  // namespace webrtcupload
