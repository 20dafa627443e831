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

}  // namespace

Sender::Sender(GMainContext* context, SenderOptions options, Events events)
    : context_(g_main_context_ref(context)),
      options_(std::move(options)),
      events_(std::move(events)),
      timer_(context),
      watch_(context, http_,
             {.sign_of_life = [this] { return connection_ ? connection_->packets_received() : 0; },
              .ended = [this](const SessionStatus& status) { on_session_ended(status); },
              .server_gone = [this](const std::string& why) { on_server_gone(why); }}) {}

Sender::~Sender() {
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
  if (v2_) return "";
  if (options_.protocol == WantedProtocol::kV2) return "the server does not speak wire format v2";
  if (!limits.v1) return "the server speaks neither wire format v1 nor v2";
  if (options_.size) return "";
  return "the server speaks wire format v1 only, in which nothing can be sent whose size is not "
         "known beforehand, as that of standard input is not";
}

void Sender::connect() {
  pipeline_ = std::make_unique<SendingPipeline>(
      context_,
      SendingOptions{.file = options_.file,
                     .v2 = v2_,
                     .chunk_size = options_.chunk_size,
                     .buffer_limit = options_.buffer_limit},
      SendingPipeline::Events{
          .complete = [this] { on_complete(); },
          .failed =
              [this](const SendingPipeline::Failure& failure) { on_pipeline_failed(failure); }});
  const std::weak_ptr<Sender> weak = weak_from_this();
  // Calls what is there while this is.
  const auto guarded = [weak](auto function) {
    return [weak, function](auto&&... values) {
      if (const auto self = weak.lock()) function(*self, values...);
    };
  };
  SenderConnection::Events events;
  events.prepare = [this](GstElement* webrtcbin) { return prepare(webrtcbin); };
  events.answered = guarded([](Sender& self, const std::string& location) {
    self.watch_.start(location, self.options_.api_key);
  });
  events.open = guarded([](Sender& self) { self.on_open(); });
  events.result = guarded(
      [](Sender& self, std::span<const std::uint8_t> message) { self.on_results(message); });
  events.failed = guarded(
      [](Sender& self, const SenderConnection::Failure& failure) { self.finish(failure.problem); });
  events.lost = guarded([](Sender& self, const std::string& why) { self.fail_at_last(why); });
  events.untrusted = guarded([](Sender& self, const std::string& why) { self.finish(why); });
  connection_ = SenderConnection::create(context_, http_,
                                         {.url = options_.server.text,
                                          .host = options_.server.host,
                                          .api_key = options_.api_key,
                                          .workflow = options_.workflow,
                                          .timeout = options_.connect_timeout},
                                         std::move(events));
  connection_->start();
}

std::string Sender::prepare(GstElement* webrtcbin) { return pipeline_->prepare(webrtcbin); }

void Sender::on_open() {
  if (ending_) return;
  if (events_.connected) events_.connected();
  pipeline_->play();
}

void Sender::on_complete() {
  if (ending_) return;
  uploaded_ = true;
  end_.sha256 = pipeline_->sha256();
  if (events_.uploaded) events_.uploaded();
  if (completion_) succeed();
}

void Sender::on_pipeline_failed(const SendingPipeline::Failure& failure) {
  if (ending_ || !failure_.empty()) return;
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
  if (status.done) {
    // With v2 the server has named the file's hash before. With v1 nothing but its word counts.
    if (!v2_ || !uploaded_) {
      return fail_at_last("the server is done, but its last word did not arrive");
    }
    end_.frames = status.frames.value_or(0);
    return finish("");
  }
  finish(with_code(status.code, status.code == "crashed"
                                    ? "the server could not cope with this video: " + status.message
                                    : status.message));
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
  if (!connection_->is_open()) return finish(failure_);
  timer_.start(grace, [this] { finish(failure_); });
  watch_.lost();
}

// A server that stops takes no questions any more, while its last word is still on its way to us.
void Sender::on_server_gone(const std::string& why) {
  if (ending_ || completion_) return;
  failure_ = why;
  timer_.start(kThreadGrace, [this] { finish(failure_); });
}

void Sender::fail_at_last(const std::string& problem) { fail_softly(problem, kThreadGrace); }

void Sender::stop(const std::string& problem) { finish(problem); }

void Sender::finish(const std::string& problem) {
  if (std::exchange(ending_, true)) return;
  end_.problem = problem;
  timer_.cancel();
  watch_.stop();
  call_.cancel();
  const auto next = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->disconnect();
  };
  if (!pipeline_) return post_to(context_, next);
  pipeline_->stop(next);
}

void Sender::disconnect() {
  const auto next = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->conclude();
  };
  if (!connection_) return next();
  connection_->close(next);
}

void Sender::conclude() {
  const auto keep = shared_from_this();
  pipeline_.reset();
  connection_.reset();
  events_.ended(end_);
}

std::uint64_t Sender::bytes_across() const { return pipeline_ ? pipeline_->figures().bytes : 0; }

std::uint64_t Sender::bytes_taken() const { return pipeline_ ? pipeline_->taken() : 0; }

}  // namespace webrtcupload
