// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/wire_v1.h"
#include "glib/debug.h"
#include "upload/upload_log.h"
#include "upload/upload_stats.h"
#include "webrtc/dtls_check.h"
#include "webrtc/find_webrtcbin.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {
namespace {

Error over_quota() { return {ErrorCode::kQuotaExceeded, "the quota is used up"}; }

}  // namespace

std::shared_ptr<UploadSession> UploadSession::start(Settings settings, Upload upload,
                                                    GstPtr<GstElement> webrtcbin,
                                                    UploadObserver* observer) {
  auto channel = std::move(upload.channel);
  std::shared_ptr<UploadSession> session(
      new UploadSession(std::move(settings), std::move(upload), std::move(webrtcbin), observer));
  // Before the worker starts, which may find messages of the channel waiting.
  if (channel) session->connection_.adopt(std::move(channel));
  // The worker keeps the session: it may outlive stop(), when an application's handler does.
  session->worker_.start([session] { session->run(); });
  return session;
}

UploadSession::UploadSession(Settings settings, Upload upload, GstPtr<GstElement> webrtcbin,
                             UploadObserver* observer)
    : settings_(std::move(settings)),
      observer_(observer),
      shared_{.name = settings_.name,
              .storage = std::move(upload.storage),
              .inbox = std::move(upload.inbox),
              .receiver = std::move(upload.receiver),
              .told_state = settings_.known_state,
              .completion_told = upload.completion_told},
      connection_(shared_, settings_.connection, std::move(webrtcbin)),
      worker_(shared_, [observer] { return observer->hold(); }),
      reader_(shared_, settings_.progressive, [this] { tell_state(); }),
      progress_(upload.progress) {
  if (shared_.receiver) {
    shared_.receiver->resume(settings_.limits, now());
  } else {
    shared_.receiver = make_receiver();
    owes_end_ = progress_.has_begun();
  }
}

std::optional<UploadSession::Upload> UploadSession::stop(bool keep, bool tells) {
  std::shared_ptr<UploadChannel> channel;
  bool unfinished;
  const bool wanted = keep;
  {
    const MutexLock lock(shared_.mutex);
    shared_.stopping = true;
    shared_.flushing = true;
    const UploadState state = shared_.receiver->state();
    unfinished = state == UploadState::kUploading || refusal_;
    keep = keep && connection_.current_channel(shared_) && !reader_.was_read(shared_) &&
           !shared_.requested_failure && state != UploadState::kError && !worker_.is_this_thread();
    tells_stop_ = tells && !keep;
    log_stop(shared_.name, {.state = state,
                            .has_channel = connection_.current_channel(shared_) != nullptr,
                            .is_wanted = wanted,
                            .was_read = reader_.was_read(shared_),
                            .is_failing = shared_.requested_failure.has_value(),
                            .is_kept = keep});
  }
  shared_.changed.notify_all();
  shared_.inbox->wake();
  if (keep) {
    // Nobody is there whose backlog could shrink.
    shared_.inbox->stop_holding_back();
    if (worker_.join()) {
      if (auto upload = give_back()) return upload;
      GST_DEBUG_ID(shared_.name.c_str(), "the channel is not kept: the upload failed meanwhile");
    } else {
      GST_DEBUG_ID(shared_.name.c_str(), "the channel is not kept: a handler is still running");
    }
  }
  {
    const MutexLock lock(shared_.mutex);
    channel = connection_.release_channel(shared_);
  }
  shared_.inbox->close();
  // So that the sender does not go on for nobody.
  if (channel && unfinished) channel->close();
  channel.reset();
  worker_.join();
  return std::nullopt;
}

std::optional<UploadSession::Upload> UploadSession::give_back() {
  // It may have opened meanwhile, and what is to be done then has not been done by who goes on.
  shared_.inbox->stop_holding_back();
  // The channel tells of its end once.
  if (untold_end_) shared_.inbox->put_back(std::move(*untold_end_));
  const MutexLock lock(shared_.mutex);
  if (shared_.receiver->state() == UploadState::kError || shared_.requested_failure) {
    return std::nullopt;
  }
  Upload upload{.inbox = shared_.inbox,
                .channel = connection_.release_channel(shared_),
                .storage = std::move(shared_.storage),
                .completion_told = shared_.completion_told,
                .progress = progress_};
  // What is moved from still says how far it came.
  upload.receiver = std::make_unique<Receiver>(std::move(*shared_.receiver));
  return upload;
}

bool UploadSession::has_channel(const void* wanted) const {
  const auto taken = connection_.channel();
  return taken && taken->is(wanted);
}

bool UploadSession::has_a_chunk() const {
  const auto taken = connection_.channel();
  return taken && taken->has_brought_a_chunk();
}

void UploadSession::cancel() {
  shared_.request_failure({ErrorCode::kCancelled, "the application cancelled the upload"});
}

void UploadSession::reject_film(Error error) {
  {
    const MutexLock lock(shared_.mutex);
    if (!rejection_) rejection_ = std::move(error);
  }
  shared_.inbox->wake();
}

bool UploadSession::refuse(Error error) {
  {
    const MutexLock lock(shared_.mutex);
    if (shared_.stopping) return false;
    if (!std::holds_alternative<action::Fail>(shared_.receiver->refuse(error))) return false;
    refusal_ = std::move(error);
  }
  shared_.changed.notify_all();
  shared_.inbox->wake();
  return true;
}

// ----------------------------------------------------------------------------------------------------------
// the worker

void UploadSession::run() {
  log_limits(shared_.name, settings_.limits);
  // Of the upload before, if there was one.
  tell_state();
  if (owes_end_) {
    tell_progress(ProgressEvent::kStop);
    const MutexLock lock(shared_.mutex);
    if (!progress_.is_underway()) progress_ = {};
  }
  while (true) {
    std::optional<Error> requested;
    std::optional<Error> rejection;
    bool adopted;
    {
      const MutexLock lock(shared_.mutex);
      if (shared_.stopping) break;
      requested = std::exchange(shared_.requested_failure, std::nullopt);
      rejection = std::exchange(rejection_, std::nullopt);
      adopted = connection_.take_news(shared_);
    }
    if (adopted) plumb_connection(false);
    if (requested) carry_out(fail(std::move(*requested)));
    if (rejection) carry_out_rejection(*rejection);
    tell_refusal();
    if (auto item = shared_.inbox->pop(next_wake_up()); item && !handle(*item)) {
      shared_.inbox->put_back(std::move(*item));
    }
    look_at_untold_end();
    check_timers();
    report_progress();
  }
  tell_stop();
}

std::unique_ptr<Receiver> UploadSession::make_receiver() const {
  // Where peers may come and go, no time runs for one that only keeps its connection alive.
  return std::make_unique<Receiver>(
      settings_.limits, std::make_unique<V1Parser>(),
      settings_.outlives_idle_peers ? TimeBegins::kWithAChunk : TimeBegins::kWithTheChannel);
}

bool UploadSession::is_of_former_peer(const Inbox::Item& item) const {
  const auto channel = Inbox::channel_of(item);
  return settings_.outlives_idle_peers && channel && !connection_.is_current(*channel);
}

bool UploadSession::handle(const Inbox::Item& item) {
  if (is_of_former_peer(item)) return true;
  if (const auto* received = std::get_if<Inbox::Received>(&item)) {
    if (connection_.is_unchecked() && state() != UploadState::kError) {
      PeerTrust trust = PeerTrust::kTrusted;
      if (!worker_.call_out([&] { trust = connection_.check_peer(); })) return false;
      // Another peer may have taken its place meanwhile, which then is who was looked at.
      if (is_of_former_peer(item)) return true;
      if (trust != PeerTrust::kTrusted) {
        leave_untrusted(received->channel, trust);
        return true;
      }
    }
    return handle_message(*received);
  }
  if (std::holds_alternative<Inbox::Opened>(item)) {
    // Time runs from here on; but where peers may come and go, from the first chunk on.
    if (!settings_.outlives_idle_peers) {
      const MutexLock lock(shared_.mutex);
      shared_.receiver->opened(now());
    }
    log_opened(shared_.name, settings_.limits, settings_.outlives_idle_peers);
    plumb_connection(true);
  } else if (const auto* gone = std::get_if<Inbox::Gone>(&item)) {
    GST_DEBUG_ID(shared_.name.c_str(), "the peer is gone: %s", gone->why.c_str());
    return handle_gone(*gone);
  } else if (const auto* overloaded = std::get_if<Inbox::Overloaded>(&item)) {
    carry_out(fail({ErrorCode::kOverloaded,
                    std::to_string(overloaded->backlog) +
                        " bytes of messages wait to be stored and the peer " +
                        (settings_.connection.holds_back ? "cannot be held back"
                                                         : "is not to be held back")}));
  }
  return true;
}

bool UploadSession::handle_gone(const Inbox::Gone& gone) {
  bool shutting_down = false;
  if (!worker_.call_out([&] { shutting_down = observer_->shutting_down(); })) return false;
  if (shutting_down) {
    if (!untold_end_) {
      GST_DEBUG_ID(shared_.name.c_str(), "no matter: the pipeline is being taken down");
    }
    untold_end_ = gone;
    next_look_at_end_ = now() + kShutdownInterval;
    return true;
  }
  untold_end_.reset();
  if (settings_.outlives_idle_peers && connection_.forget_idle_channel(gone.channel)) return true;
  Error error{ErrorCode::kPeerGone, gone.why};
  {
    const MutexLock lock(shared_.mutex);
    const ReceiverStatistics& statistics = shared_.receiver->statistics();
    error.message += " after " + std::to_string(statistics.chunks) + " chunks";
    if (statistics.chunks_announced > 0) {
      error.message += " of " + std::to_string(statistics.chunks_announced);
    }
  }
  carry_out(fail(std::move(error)));
  return true;
}

// The state change that was under way may have failed, and nothing tells of that.
void UploadSession::look_at_untold_end() {
  if (!untold_end_ || now() < next_look_at_end_) return;
  const Inbox::Gone gone = *untold_end_;
  if (is_of_former_peer(gone)) {
    untold_end_.reset();
  } else if (!handle_gone(gone)) {
    GST_DEBUG_ID(shared_.name.c_str(), "the peer's end stays untold: the element stops");
  }
}

void UploadSession::plumb_connection(bool is_open) {
  if (const auto work = connection_.plumbing(is_open)) worker_.call_out(work);
}

// What has come of it is forgotten. Where peers may come and go, another one may still upload.
void UploadSession::leave_untrusted(Inbox::Serial channel, PeerTrust trust) {
  if (settings_.outlives_idle_peers && connection_.forget_idle_channel(channel)) return;
  carry_out(fail({ErrorCode::kUntrustedPeer, to_string(trust)}));
}

bool UploadSession::handle_message(const Inbox::Received& received) {
  const Message message = received.message();
  handled_ = received.channel;
  GST_LOG_ID(shared_.name.c_str(), "%s message of %" G_GSIZE_FORMAT " bytes",
             message.kind == Message::Kind::kText ? "text" : "binary", message.bytes.size());
  Action action;
  unanswered_ = false;
  {
    const MutexLock lock(shared_.mutex);
    action = shared_.receiver->receive(message, now());
  }
  while (!std::holds_alternative<action::Nothing>(action)) action = carry_out(action);
  return !unanswered_;
}

Action UploadSession::carry_out(const Action& action) {
  if (const auto* store = std::get_if<action::Store>(&action)) return carry_out(*store);
  if (const auto* compare = std::get_if<action::Compare>(&action)) return carry_out(*compare);
  if (const auto* authorize = std::get_if<action::Authorize>(&action)) return carry_out(*authorize);
  if (const auto* reply = std::get_if<action::Reply>(&action)) {
    if (const auto taken = connection_.channel()) taken->echo(reply->message);
  } else if (const auto* failure = std::get_if<action::Fail>(&action)) {
    // The readers first, then the peer, then the application, which may take everything down.
    shared_.changed.notify_all();
    GST_INFO_ID(shared_.name.c_str(), "failed: %s: %s", to_string(failure->error.code).data(),
                failure->error.message.c_str());
    if (const auto taken = connection_.channel()) taken->close();
    tell_state();
    tell_end(failure->error);
    // Not when the application has stopped the element meanwhile.
    worker_.call_out([this, failure] { observer_->failed(failure->error); });
  }
  return action::Nothing{};
}

Action UploadSession::carry_out(const action::Store& store) {
  std::optional<Error> error;
  const TimePoint begin = now();
  if (store.reserve > 0) {
    GST_DEBUG_ID(shared_.name.c_str(), "spool: room for %" G_GUINT64_FORMAT " bytes",
                 guint64{store.reserve});
    error = shared_.storage->reserve(store.reserve, store.expected);
  }
  if (!error) error = shared_.storage->write(store.position, store.bytes);
  if (error) return fail(std::move(*error));
  {
    const MutexLock lock(shared_.mutex);
    const TimePoint end = now();
    shared_.receiver->kept_waiting(end - begin);
    shared_.receiver->stored(end);
  }
  shared_.changed.notify_all();
  return action::Nothing{};
}

Action UploadSession::carry_out(const action::Compare& compare) {
  std::vector<std::uint8_t> stored(compare.stored.length);
  if (auto error = shared_.storage->read(compare.stored.position, stored)) {
    return fail(std::move(*error));
  }
  const bool equal = std::equal(stored.begin(), stored.end(), compare.bytes.begin());
  const MutexLock lock(shared_.mutex);
  return shared_.receiver->compared(equal);
}

Action UploadSession::carry_out(const action::Authorize& authorize) {
  const auto taken = connection_.channel();
  // Another peer may have got the place while this message was being handled.
  if (!taken || taken->serial() != handled_) return forget_request();
  std::optional<bool> allowed;
  worker_.call_out([&] {
    allowed = observer_->authorize(authorize.request, taken->label(), taken->protocol());
  });
  std::optional<bool> within_quota;
  if (allowed.value_or(false)) {
    worker_.call_out([&] { within_quota = observer_->check_quota(); });
  }
  MutexLock lock(shared_.mutex);
  // Not everybody was asked, since the element stops; or who was has stopped it.
  unanswered_ = shared_.stopping || !allowed || (*allowed && !within_quota);
  log_answers(shared_.name, allowed, within_quota);
  if (unanswered_) return action::Nothing{};
  // The answers were about a peer that has gone meanwhile. Another one's upload is asked about
  // anew.
  if (connection_.current_channel(shared_) != taken) {
    lock.unlock();
    return forget_request();
  }
  if (*allowed && !*within_quota) return shared_.receiver->fail(over_quota());
  return shared_.receiver->authorized(*allowed);
}

// Of a peer that has gone before its upload began: no chunk of its becomes part of another one's
// upload, and its time does not run on.
Action UploadSession::forget_request() {
  const MutexLock lock(shared_.mutex);
  if (!shared_.stopping && shared_.receiver->state() == UploadState::kIdle) {
    shared_.receiver = make_receiver();
  }
  return action::Nothing{};
}

void UploadSession::carry_out_rejection(const Error& error) {
  const Action action = fail(error);
  carry_out(action);
  {
    // What is done cannot fail any more, but those who still work on it have to be told.
    const MutexLock lock(shared_.mutex);
    if (shared_.receiver->state() != UploadState::kDone) return;
    rejected_ = error;
  }
  worker_.call_out([&] { observer_->failed(error); });
}

Action UploadSession::fail(Error error) {
  const MutexLock lock(shared_.mutex);
  return shared_.receiver->fail(std::move(error));
}

void UploadSession::check_timers() {
  const TimePoint moment = now();
  Action action;
  {
    const MutexLock lock(shared_.mutex);
    action = shared_.receiver->tick(moment);
  }
  carry_out(action);
  check_quota(moment);
}

void UploadSession::check_quota(TimePoint moment) {
  // The latter so that no sum is beyond time.
  if (settings_.quota_interval <= Duration::zero() ||
      settings_.quota_interval > Duration::max() / 2) {
    return;
  }
  const UploadState current = state();
  const bool applies = current == UploadState::kUploading || current == UploadState::kComplete ||
                       current == UploadState::kProcessing;
  if (!applies) {
    next_quota_check_.reset();
    return;
  }
  if (!next_quota_check_) next_quota_check_ = moment + settings_.quota_interval;
  if (moment < *next_quota_check_) return;
  bool within_quota = true;
  worker_.call_out([&] { within_quota = observer_->check_quota(); });
  next_quota_check_ = now() + settings_.quota_interval;
  log_quota(shared_.name, within_quota, settings_.quota_interval);
  if (!within_quota) {
    carry_out(fail(over_quota()));
  }
}

std::optional<TimePoint> UploadSession::next_wake_up() const {
  const MutexLock lock(shared_.mutex);
  std::optional<TimePoint> next = shared_.receiver->deadline();
  const auto consider = [&next](TimePoint other) { next = next ? std::min(*next, other) : other; };
  if (next_quota_check_) consider(*next_quota_check_);
  if (untold_end_) consider(next_look_at_end_);
  return next;
}

// -------------------------------------------------------------------------------------------------
// any other thread

UploadState UploadSession::state() const {
  const MutexLock lock(shared_.mutex);
  return shared_.receiver->state();
}

GstStructurePtr UploadSession::stats() const {
  const Inbox::Backlog backlog = shared_.inbox->backlog();
  const MutexLock lock(shared_.mutex);
  const Receiver& receiver = *shared_.receiver;
  return make_upload_stats(receiver, backlog, reader_.times(shared_),
                           connection_.socket_buffer_granted(shared_),
                           receiver.error() ? receiver.error() : rejected_);
}

}  // namespace webrtcupload
