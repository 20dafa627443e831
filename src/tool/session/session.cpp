// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "core/channel_labels.h"
#include "core/redaction.h"
#include "json/json.h"
#include "signalling/worker_request.h"

namespace webrtcupload {
namespace {

// How often progress is looked at.
constexpr std::chrono::milliseconds kLook{500};
// SCTP acknowledges within a quarter of a second: who is sent results and says nothing at all for
// so long is gone. webrtcbin itself notices after 50 s with libnice 0.1.21, after 30 s where
// libnice keeps RFC 7675, from 0.1.22 on.
constexpr std::chrono::seconds kSilence{10};
// How long the pipeline may take for the first thing that comes out of a complete file. Some
// demuxers take what they do not know for the beginning of more.
constexpr std::chrono::seconds kFirstOutput{10};
// To tell a client the end, have it acknowledge what it got, drain and close. A slow client that
// acknowledges, with a window of results before it, may need most of it.
constexpr std::chrono::seconds kDeliveryTimeout{300};
// The same when the session is to stop. Less than a process has for that.
constexpr std::chrono::seconds kHurriedDelivery{3};
static_assert(kDeliveryTimeout < kLongestEnding);
// As many control messages as this may wait to be looked at; further ones are lost.
constexpr int kMaxControls = 64;

std::string format_seconds(std::chrono::milliseconds time) {
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  return g_ascii_formatd(text, sizeof text, "%g", std::chrono::duration<double>(time).count());
}

}  // namespace

Session::Session(GMainContext* context, SessionConfig config, SessionObserver observer)
    : context_(g_main_context_ref(context)),
      config_(std::move(config)),
      observer_(std::move(observer)),
      timer_(context),
      delivery_timer_(context),
      processing_timer_(context),
      watchdog_(context) {}

Session::~Session() {
  stop_analysis();
  pipeline_.reset();
  results_.reset();
  video_.reset();
  further_.reset();
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
  const Offer& offer = std::get<Offer>(checked);
  if (const std::string problem = make_peer(); !problem.empty()) {
    return refuse(500, "InternalError", problem);
  }
  if (const std::string problem = make_pipeline(); !problem.empty()) {
    return refuse(500, "PipelineError", problem);
  }
  make_further_peers();
  make_video_track(offer);
  make_results();
  if (const std::string problem = start_pipeline(); !problem.empty()) {
    return refuse(500, "PipelineError", problem);
  }
  if (!peer_->start()) return refuse(500, "InternalError", "webrtcbin does not start.");
  answer(offer);
}

void Session::make_results() {
  const std::weak_ptr<Session> weak = shared_from_this();
  SessionResults::Events events;
  // On threads that must not wait for ours.
  events.control = [weak, context = context_,
                    waiting = std::make_shared<std::atomic<int>>(0)](const std::string& json) {
    if (*waiting >= kMaxControls) return;
    ++*waiting;
    post_to(context, [weak, json, waiting] {
      --*waiting;
      if (const auto self = weak.lock()) self->on_control(json);
    });
  };
  events.finished = [weak, context = context_](bool all) {
    post_to(context, [weak, all] {
      const auto self = weak.lock();
      if (!self) return;
      self->cut_short_ = !all;
      self->on_delivered();
    });
  };
  GstElement* webrtcbin = peer_->webrtcbin();
  if (const auto sink = pipeline_->result_sink()) {
    results_ = SessionResults::of_sink(sink.get(), config_, webrtcbin, video_ != nullptr,
                                       std::move(events));
  } else {
    results_ = SessionResults::of_frames(config_, webrtcbin, video_ != nullptr, std::move(events));
  }
}

void Session::make_video_track(const Offer& offer) {
  if (!config_.video_output || offer.video_formats.empty()) return;
  std::string problem;
  video_ =
      VideoTrack::create(peer_->webrtcbin(), offer.video_formats,
                         {.codec = config_.video_codec, .realtime = config_.realtime}, problem);
  // Everything else works without.
  if (!video_) g_message("session %s has no video track: %s", config_.id.c_str(), problem.c_str());
}

std::string Session::make_pipeline() {
  const std::weak_ptr<Session> weak = shared_from_this();
  SessionPipeline::Events events;
  events.finished = [weak] {
    if (const auto self = weak.lock()) self->finish(SessionEnd{.done = true});
  };
  events.failed = [weak](std::string code, std::string message) {
    if (const auto self = weak.lock()) self->fail(std::move(code), std::move(message));
  };
  events.asks = [weak] {
    if (const auto self = weak.lock()) self->on_asked();
  };
  events.state_changed = [weak] {
    if (const auto self = weak.lock()) self->on_state_changed();
  };
  // The pipeline ends before this does, and its threads with it.
  events.frame = [this](const FrameObserver::Frame& frame) { on_frame(frame); };
  events.complete = [this](const std::string& sha256) { results_->set_sha256(sha256); };
  events.ask = observer_.ask;
  events.feeding = observer_.feeding;
  events.fed = observer_.fed;
  std::string problem;
  pipeline_ =
      SessionPipeline::create(context_, config_, peer_->webrtcbin(), std::move(events), problem);
  return pipeline_ ? "" : "The pipeline does not work: " + problem;
}

// First the upload's element, so that it hears of its channel, then webrtcbin.
std::string Session::start_pipeline() {
  const std::string problem = pipeline_->start();
  return problem.empty() ? "" : "The server's pipeline does not start: " + problem;
}

void Session::stop(const std::string& why) {
  const auto keep = shared_from_this();
  fail("cancelled", why);
  if (!awaits_delivery_) return;
  results_->hurry();
  delivery_timer_.start(kHurriedDelivery, [this] { on_delivered(); });
}

// Clients and the operator's lines have the same text; the log has what is left out of it.
std::string Session::for_client(const std::string& text) const {
  std::string told = text_for_client(text);
  if (told != text) g_message("session %s: %s", config_.id.c_str(), text.c_str());
  return told;
}

void Session::refuse(unsigned status, const char* type, const std::string& message) {
  if (phase_ >= Phase::kEnding) return;
  phase_ = Phase::kEnded;
  timer_.cancel();
  const auto keep = shared_from_this();
  stop_analysis();
  pipeline_.reset();
  results_.reset();
  video_.reset();
  further_.reset();
  peer_.reset();
  observer_.refused(HttpError{status, type, for_client(message), {}});
}

void Session::on_frame(const FrameObserver::Frame& frame) {
  observer_.frame(frame_line(config_.id, frame));
  if (video_) video_->push(frame.buffer, frame.caps);
  results_->on_frame(frame);
}

// Unknown members and wrong types change nothing: a peer's message must not end its session. Nor do
// names that there are not: the result just has no such output.
void Session::on_control(const std::string& json) {
  auto parsed = parse_json_object(json);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return;
  JsonObject* object = json_node_get_object(node->get());
  if (const auto names = json_names(object, "stream_output"); names && video_) {
    video_->set_enabled(std::ranges::find(*names, kImageOutput) != names->end());
  }
  if (auto names = json_names(object, "data_output"); names && results_) {
    results_->set_data_output(std::move(*names));
  }
}

// The client has done its part, whatever time the answer takes.
void Session::on_asked() {
  const bool waits = phase_ == Phase::kConnecting || phase_ == Phase::kWaitingForUpload;
  if (!waits || peer_gone_) return;
  has_asked_ = true;
  timer_.cancel();
}

void Session::on_connected() {
  if (phase_ != Phase::kConnecting) return;
  phase_ = Phase::kWaitingForUpload;
  if (has_asked_) return on_state_changed();
  timer_.start(config_.connect_timeout, [this] {
    fail("connect-timeout",
         "the client did not begin to upload in time: " + peer_->why_no_upload(kUploadLabel));
  });
  on_state_changed();
}

void Session::on_state_changed() {
  if (phase_ >= Phase::kEnding || !pipeline_) return;
  if ((phase_ == Phase::kConnecting || phase_ == Phase::kWaitingForUpload) &&
      pipeline_->upload_begun()) {
    phase_ = Phase::kRunning;
    timer_.cancel();
    progress_at_ = std::chrono::steady_clock::now();
    watch();
  }
  if (config_.processing_timeout && !processing_timer_.armed() && pipeline_->upload_complete()) {
    processing_timer_.start(*config_.processing_timeout, [this] {
      if (awaits_reader()) return;  // It was not the processing that took so long.
      fail("timeout_reached", "the processing took longer than the client allowed");
    });
  }
  if (!complete_since_ && pipeline_->upload_complete()) {
    complete_since_ = std::chrono::steady_clock::now();
  }
  end_without_reader();
}

void Session::watch() {
  const auto now = std::chrono::steady_clock::now();
  if (awaits_reader() && !delivery_timer_.armed()) {
    delivery_timer_.start(kDeliveryTimeout, [this] {
      const auto keep = shared_from_this();
      finish(SessionEnd{.done = true});
      on_delivered();
    });
  }
  if (is_fruitless(now)) {
    auto why = pipeline_->why_unused().value_or(ClientError{
        kProcessingFailed,
        "nothing could be read of this file within " + format_seconds(kFirstOutput) + " seconds"});
    return fail(std::move(why.code), std::move(why.message));
  }
  if (const auto stalled = stalled_for(now)) {
    return fail("stalled", "neither a chunk nor a frame came for " + *stalled + " seconds");
  }
  end_if_silent(now);
  if (phase_ == Phase::kRunning) watchdog_.start(kLook, [this] { watch(); });
}

// The last word is waited for as well: a peer that has vanished would keep its place for as long as
// one that reads slowly.
void Session::watch_delivery() {
  if (!awaits_delivery_) return;
  const auto keep = shared_from_this();
  end_if_silent(std::chrono::steady_clock::now());
  if (awaits_delivery_) watchdog_.start(kLook, [this] { watch_delivery(); });
}

bool Session::awaits_reader() const { return !delivered_ && results_->is_ending(); }

bool Session::is_fruitless(Moment now) const {
  if (!config_.stall_timeout || !complete_since_ || now - *complete_since_ < kFirstOutput) {
    return false;
  }
  return pipeline_->counts().buffers == 0 && !pipeline_->is_pacing() && !awaits_reader();
}

std::optional<std::string> Session::stalled_for(Moment now) {
  const SessionPipeline::Counts counts = pipeline_->counts();
  // Waiting for the time of a frame, or for the client to read its results or to come back, is no
  // standstill.
  if (counts != progress_ || counts.interrupted || pipeline_->is_pacing() || awaits_reader()) {
    progress_ = counts;
    progress_at_ = now;
  }
  if (!config_.stall_timeout || now - progress_at_ < *config_.stall_timeout) return std::nullopt;
  return format_seconds(*config_.stall_timeout);
}

// Whether results were sent and nothing came back, not even an acknowledgement of the packets.
bool Session::is_silent(Moment now) {
  const auto peer = results_peer();
  if (!peer) return false;
  const std::uint64_t packets = peer->packets_received();
  const std::uint64_t sent = results_->messages();
  if (packets != packets_) {
    packets_ = packets;
    sent_ = sent;
    unanswered_since_.reset();
  } else if (sent != sent_ && !unanswered_since_) {
    unanswered_since_ = now;
  }
  return !peer_gone_ && unanswered_since_ && now - *unanswered_since_ >= kSilence;
}

void Session::end_if_silent(Moment now) {
  if (!is_silent(now)) return;
  on_peer_gone("the peer has not answered for " + std::to_string(kSilence.count()) + " seconds");
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
  processing_timer_.cancel();
  watchdog_.cancel();
  const auto keep = shared_from_this();
  end_ = std::move(end);
  end_.message = for_client(end_.message);
  if (observer_.ending) observer_.ending();
  if (end_.done && cut_short_) {
    end_ = {.done = false, .code = "peer-gone", .message = "the peer left before the last result"};
  }
  if (!pipeline_) {
    // Stopped before it was started.
    return conclude();
  }
  // What an operator's hook had to say is for the client.
  const auto denial = pipeline_->denial();
  if (!end_.done && denial && (end_.code == "unauthorized" || end_.code == "quota-exceeded")) {
    // Which of the two depends on the answer, and not on when it was asked for.
    end_.code = denial->over_quota ? "quota-exceeded" : "unauthorized";
    if (!denial->message.empty()) end_.message = denial->message;
  }
  const SessionPipeline::Counts counts = pipeline_->counts();
  end_.frames = counts.frames;
  end_.bytes = counts.bytes;
  end_.chunks = counts.chunks;
  end_.film = pipeline_->film();

  steps_left_ = 1;
  if (video_) video_->stop();
  if (!peer_gone_ && !delivered_ && connected) {
    ++steps_left_;
    awaits_delivery_ = true;
    delivery_timer_.start(kDeliveryTimeout, [this] { on_delivered(); });
    // What has been sent and received up to here does not count.
    static_cast<void>(is_silent(std::chrono::steady_clock::now()));
    watchdog_.start(kLook, [this] { watch_delivery(); });
    results_->finish(end_.done ? "" : end_.code,
                     end_.done ? std::vector<std::string>{} : std::vector{end_.message});
  } else {
    results_->abandon();
  }
  if (!awaits_delivery_ || !results_->needs_pipeline()) stop_pipeline();
}

void Session::on_delivered() {
  // A sink in the pipeline delivers before the pipeline's end is known.
  delivered_ = true;
  delivery_timer_.cancel();
  if (!std::exchange(awaits_delivery_, false)) return;
  stop_pipeline();
  step_down();
}

void Session::stop_pipeline() {
  if (!std::exchange(pipeline_stops_, true)) pipeline_->stop(step());
}

// Whatever holds the streaming threads lets go of them.
void Session::stop_analysis() {
  if (video_) video_->stop();
  if (results_) results_->abandon();
}

std::function<void()> Session::step() {
  return [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->step_down();
  };
}

void Session::step_down() {
  if (--steps_left_ == 0) close_connections();
}

void Session::conclude() {
  phase_ = Phase::kEnded;
  const auto keep = shared_from_this();
  pipeline_.reset();
  results_.reset();
  video_.reset();
  further_.reset();
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
