// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_session.h"

#include <algorithm>
#include <utility>

#include "glib/debug.h"
#include "upload/upload_log.h"
#include "upload/upload_stats.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

Error UploadSession::over_quota() { return {ErrorCode::kQuotaExceeded, "the quota is used up"}; }

std::shared_ptr<UploadSession> UploadSession::start(Settings settings, Upload upload,
                                                    GstPtr<GstElement> webrtcbin,
                                                    UploadObserver* observer) {
  auto channels = std::exchange(upload.channels, {});
  std::shared_ptr<UploadSession> session(
      new UploadSession(std::move(settings), std::move(upload), std::move(webrtcbin), observer));
  // Before the worker starts, which may find messages of the channels waiting.
  for (auto& channel : channels) session->connection_.adopt(std::move(channel));
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
  shared_.inbox->set_marks(marks_of(upload.version));
  const MutexLock lock(shared_.mutex);
  if (shared_.receiver) {
    shared_.receiver->resume(settings_.limits, now());
    protocol_ = make_protocol(upload.version, *shared_.receiver);
    connection_.speak(upload.version, shared_);
  } else {
    // Until a channel of another version comes. Of this one there is no error.
    shared_.receiver =
        std::move(make_receiver(WireVersion::kV1, settings_.limits, time_begins()).value());
    protocol_ = make_protocol(WireVersion::kV1, *shared_.receiver);
    owes_end_ = progress_.has_begun();
  }
}

std::optional<UploadSession::Upload> UploadSession::stop(bool keep, bool tells) {
  bool unfinished;
  const bool wanted = keep;
  {
    const MutexLock lock(shared_.mutex);
    shared_.stopping = true;
    shared_.flushing = true;
    const UploadState state = shared_.receiver->state();
    unfinished = state == UploadState::kUploading || refusal_;
    const bool has_channel = !connection_.channels(shared_).empty();
    keep = keep && has_channel && !reader_.was_read(shared_) && !shared_.requested_failure &&
           state != UploadState::kError && !worker_.is_this_thread();
    tells_stop_ = tells && !keep;
    log_stop(shared_.name, {.state = state,
                            .has_channel = has_channel,
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
  dismiss_channels(unfinished);
  worker_.join();
  return std::nullopt;
}

// There is no time to wait until a peer has read its last word, and a channel that is closed may
// lose it. So one that has been told is left to its peer to close.
void UploadSession::dismiss_channels(bool is_unfinished) {
  std::set<Inbox::Serial> told;
  if (is_unfinished) {
    std::vector<Output> outputs;
    {
      const MutexLock lock(shared_.mutex);
      protocol_->dismiss({ErrorCode::kCancelled, "the receiver has stopped"});
      outputs = protocol_->take_outputs();
    }
    for (const Output& output : outputs) {
      if (!output.message) continue;
      connection_.say(output.channel, *output.message);
      told.insert(output.channel);
    }
  }
  UploadConnection::Channels open;
  UploadConnection::Channels closing;
  {
    const MutexLock lock(shared_.mutex);
    open = connection_.release_channels(shared_);
    closing = connection_.release_closing(shared_);
  }
  shared_.inbox->close();
  for (const auto& channel : closing) {
    if (!channel->was_told()) channel->close();
  }
  // So that the sender does not go on for nobody.
  if (!is_unfinished) return;
  for (const auto& channel : open) {
    if (!told.contains(channel->serial())) channel->close();
  }
}

std::optional<UploadSession::Upload> UploadSession::give_back() {
  // It may have opened meanwhile, and what is to be done then has not been done by who goes on.
  shared_.inbox->stop_holding_back();
  // A channel tells of its end once.
  while (!untold_ends_.empty()) {
    shared_.inbox->put_back(std::move(untold_ends_.back()));
    untold_ends_.pop_back();
  }
  // Those that have been told their last word go with this run.
  connection_.close_due(TimePoint::max());
  const MutexLock lock(shared_.mutex);
  if (shared_.receiver->state() == UploadState::kError || shared_.requested_failure) {
    return std::nullopt;
  }
  Upload upload{.inbox = shared_.inbox,
                .channels = connection_.release_channels(shared_),
                .storage = std::move(shared_.storage),
                .version = protocol_->version(),
                .completion_told = shared_.completion_told,
                .progress = progress_};
  // What is moved from still says how far it came.
  upload.receiver = protocol_->hand_over();
  return upload;
}

bool UploadSession::may_attach() const {
  if (settings_.outlives_idle_peers) return true;
  const MutexLock lock(shared_.mutex);
  return protocol_->version() == WireVersion::kV2 &&
         shared_.receiver->state() != UploadState::kIdle;
}

bool UploadSession::may_be_joined() const {
  const MutexLock lock(shared_.mutex);
  return protocol_->version() == WireVersion::kV2 &&
         shared_.receiver->state() == UploadState::kUploading;
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
    std::vector<Inbox::Serial> taken;
    {
      const MutexLock lock(shared_.mutex);
      if (shared_.stopping) break;
      requested = std::exchange(shared_.requested_failure, std::nullopt);
      rejection = std::exchange(rejection_, std::nullopt);
      taken = connection_.take_news(shared_);
    }
    for (const Inbox::Serial channel : taken) meet(channel);
    if (requested) perform(fail(std::move(*requested)));
    if (rejection) carry_out_rejection(*rejection);
    tell_refusal();
    if (auto item = shared_.inbox->pop(next_wake_up()); item && !handle(*item)) {
      shared_.inbox->put_back(std::move(*item));
    }
    look_at_untold_ends();
    check_timers();
    report_progress();
  }
  tell_stop();
}

void UploadSession::carry_out_rejection(const Error& error) {
  perform(fail(error));
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
    action = protocol_->tick(moment);
  }
  perform(std::move(action));
  connection_.close_due(moment);
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
    perform(fail(over_quota()));
  }
}

std::optional<TimePoint> UploadSession::next_wake_up() const {
  std::optional<TimePoint> next = earlier(connection_.next_close(), next_quota_check_);
  if (!untold_ends_.empty()) next = earlier(next, next_look_at_ends_);
  const MutexLock lock(shared_.mutex);
  return earlier(next, protocol_->deadline());
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
  const UploadLife& receiver = *shared_.receiver;
  return make_upload_stats(receiver, protocol_->facts(), backlog, reader_.times(shared_),
                           connection_.socket_buffer_granted(shared_),
                           receiver.error() ? receiver.error() : rejected_);
}

}  // namespace webrtcupload
