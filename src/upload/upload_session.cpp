// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_session.h"

#include <algorithm>
#include <chrono>
#include <pthread.h>
#include <signal.h>
#include <utility>
#include <vector>

#include "core/film_check.h"
#include "core/wire_v1.h"
#include "glib/debug.h"
#include "webrtc/socket_buffers.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

TimePoint now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// How long stop() waits for an application's handler before it leaves it behind.
constexpr std::chrono::milliseconds kHandlerGrace(200);

Error over_quota() { return {ErrorCode::kQuotaExceeded, "the quota is used up"}; }

// Writing past RLIMIT_FSIZE has to end in EFBIG for one upload and not in the death of the process.
void block_file_size_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

std::shared_ptr<UploadSession> UploadSession::start(Settings settings, Upload upload,
                                                    GstPtr<GstElement> webrtcbin,
                                                    UploadObserver* observer) {
  auto channel = std::move(upload.channel);
  std::shared_ptr<UploadSession> session(
      new UploadSession(std::move(settings), std::move(upload), std::move(webrtcbin), observer));
  // Before the worker starts, which may find messages of the channel waiting.
  if (channel) session->adopt(std::move(channel));
  // The worker keeps the session: it may outlive stop(), when an application's handler does.
  session->thread_ = std::thread([session] { session->run(); });
  return session;
}

UploadSession::UploadSession(Settings settings, Upload upload, GstPtr<GstElement> webrtcbin,
                             UploadObserver* observer)
    : settings_(std::move(settings)),
      storage_(std::move(upload.storage)),
      inbox_(std::move(upload.inbox)),
      observer_(observer),
      told_start_(upload.start_told),
      receiver_(std::move(upload.receiver)),
      webrtcbin_(std::move(webrtcbin)),
      told_state_(settings_.known_state),
      completion_told_(upload.completion_told) {
  if (receiver_) {
    receiver_->resume(settings_.limits, now());
  } else {
    receiver_ = std::make_unique<Receiver>(settings_.limits, std::make_unique<V1Parser>());
  }
}

std::optional<UploadSession::Upload> UploadSession::stop(bool keep) {
  std::shared_ptr<UploadChannel> channel;
  GstPtr<GstElement> webrtcbin;
  bool unfinished;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    flushing_ = true;
    const UploadState state = receiver_->state();
    unfinished = state == UploadState::kUploading || refusal_;
    keep = keep && channel_ && !was_read_ && !requested_failure_ && state != UploadState::kError &&
           thread_.get_id() != std::this_thread::get_id();
    webrtcbin = ref_gst(webrtcbin_.get());
  }
  changed_.notify_all();
  inbox_->wake();
  if (keep) {
    // Nobody is there whose backlog could shrink.
    inbox_->stop_holding_back();
    if (join()) {
      if (auto upload = give_back()) return upload;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    channel = std::move(channel_);
  }
  inbox_->close();
  // So that the sender does not go on for nobody. Only with the webrtcbin at hand: the channel does
  // not keep it alive, and uses it for this.
  if (channel && unfinished && webrtcbin) channel->close();
  channel.reset();
  join();
  return std::nullopt;
}

std::optional<UploadSession::Upload> UploadSession::give_back() {
  // It may have opened meanwhile, and what is to be done then has not been done by who goes on.
  inbox_->stop_holding_back();
  const std::lock_guard lock(mutex_);
  if (receiver_->state() == UploadState::kError || requested_failure_) return std::nullopt;
  Upload upload{.inbox = inbox_,
                .channel = std::move(channel_),
                .storage = std::move(storage_),
                .start_told = told_start_,
                .completion_told = completion_told_};
  // What is moved from still says how far it came.
  upload.receiver = std::make_unique<Receiver>(std::move(*receiver_));
  return upload;
}

bool UploadSession::join() {
  if (!thread_.joinable()) return false;
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
    return false;
  }
  bool ended;
  {
    std::unique_lock lock(mutex_);
    ended = changed_.wait_for(lock, kHandlerGrace, [this] { return worker_ended_; });
    if (!ended) {
      changed_.wait(lock, [this] { return worker_ended_ || detachable_; });
      ended = worker_ended_;
    }
  }
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
  return ended;
}

bool UploadSession::has_channel(const void* wanted) const {
  const auto taken = channel();
  return taken && taken->is(wanted);
}

void UploadSession::offer(GstWebRTCDataChannel* channel) {
  g_autofree char* label = nullptr;
  g_object_get(channel, "label", &label, nullptr);
  if (settings_.channel_label != (label ? label : "")) return;
  g_autofree char* protocol = nullptr;
  g_object_get(channel, "protocol", &protocol, nullptr);
  if (protocol && *protocol) {
    GST_WARNING("left a channel \"%s\" alone: its protocol \"%s\" is not known", label, protocol);
    return;
  }
  if (this->channel()) return;
  if (auto taken = UploadChannel::take(channel, inbox_)) adopt(std::move(taken));
}

void UploadSession::adopt(std::shared_ptr<UploadChannel> late) {
  {
    const std::lock_guard lock(mutex_);
    // One that comes too late is let go when `late` goes out of scope, after the lock.
    if (stopping_ || channel_) return;
    channel_.swap(late);
    adopted_ = true;
  }
  inbox_->wake();
}

void UploadSession::attach(GstElement* webrtcbin) {
  forget_idle_channel();
  GstPtr<GstElement> replaced = ref_gst(webrtcbin);
  const std::lock_guard lock(mutex_);
  if (receiver_->state() == UploadState::kIdle && !channel_) webrtcbin_.swap(replaced);
}

bool UploadSession::forget_idle_channel(const void* gone) {
  std::shared_ptr<UploadChannel> forgotten;
  const std::lock_guard lock(mutex_);
  if (receiver_->state() != UploadState::kIdle || !channel_) return false;
  if (gone && !channel_->is(gone)) return false;
  forgotten.swap(channel_);
  adopted_ = false;
  return true;
}

void UploadSession::cancel() {
  request_failure({ErrorCode::kCancelled, "the application cancelled the upload"});
}

void UploadSession::reject_film(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!rejection_) rejection_ = std::move(error);
  }
  inbox_->wake();
}

void UploadSession::request_failure(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!requested_failure_) requested_failure_ = std::move(error);
  }
  inbox_->wake();
}

bool UploadSession::refuse(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    if (!std::holds_alternative<action::Fail>(receiver_->refuse(error))) return false;
    refusal_ = std::move(error);
  }
  changed_.notify_all();
  inbox_->wake();
  return true;
}

GstPtr<GstElement> UploadSession::webrtcbin() const {
  const std::lock_guard lock(mutex_);
  return ref_gst(webrtcbin_.get());
}

std::shared_ptr<UploadChannel> UploadSession::channel() const {
  const std::lock_guard lock(mutex_);
  return channel_;
}

// ----------------------------------------------------------------------------------------------------------
// the worker

void UploadSession::run() {
  block_file_size_signal();
  {
    const std::lock_guard lock(mutex_);
    worker_ = std::this_thread::get_id();
  }
  // Of the upload before, if there was one.
  tell_state();
  while (true) {
    std::optional<Error> requested;
    std::optional<Error> rejection;
    bool adopted;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      requested = std::exchange(requested_failure_, std::nullopt);
      rejection = std::exchange(rejection_, std::nullopt);
      adopted = std::exchange(adopted_, false);
    }
    if (adopted) plumb_connection(false);
    if (requested) carry_out(fail(std::move(*requested)));
    if (rejection) carry_out_rejection(*rejection);
    tell_refusal();
    if (auto item = inbox_->pop(next_wake_up()); item && !handle(*item)) {
      inbox_->put_back(std::move(*item));
    }
    check_timers();
    report_progress();
  }
  {
    const std::lock_guard lock(mutex_);
    worker_ended_ = true;
  }
  changed_.notify_all();
}

bool UploadSession::handle(const Inbox::Item& item) {
  if (const auto* received = std::get_if<Inbox::Received>(&item)) {
    return handle_message(received->message());
  }
  if (std::holds_alternative<Inbox::Opened>(item)) {
    // Time runs from here on; but where peers may come and go, from the first chunk on.
    if (!settings_.outlives_idle_peers) {
      const std::lock_guard lock(mutex_);
      receiver_->opened(now());
    }
    plumb_connection(true);
  } else if (const auto* gone = std::get_if<Inbox::Gone>(&item)) {
    bool shutting_down = false;
    if (!run_detachable([&] { shutting_down = observer_->shutting_down(); })) return false;
    if (shutting_down) return true;
    if (settings_.outlives_idle_peers) {
      const auto taken = channel();
      if (forget_idle_channel(gone->channel) || !taken || !taken->is(gone->channel)) return true;
    }
    Error error{ErrorCode::kPeerGone, gone->why};
    {
      const std::lock_guard lock(mutex_);
      const ReceiverStatistics& statistics = receiver_->statistics();
      error.message += " after " + std::to_string(statistics.chunks) + " chunks";
      if (statistics.chunks_announced > 0) {
        error.message += " of " + std::to_string(statistics.chunks_announced);
      }
    }
    carry_out(fail(std::move(error)));
  } else if (const auto* overloaded = std::get_if<Inbox::Overloaded>(&item)) {
    carry_out(fail({ErrorCode::kOverloaded,
                    std::to_string(overloaded->backlog) +
                        " bytes of messages wait to be stored and the peer cannot be held back"}));
  }
  return true;
}

void UploadSession::plumb_connection(bool is_open) {
  const auto taken = channel();
  if (!taken) return;
  if (plumbed_.lock() != taken) {
    plumbed_ = taken;
    holds_back_ = watches_connection_ = has_sockets_ = false;
  }
  // The channel may have opened before it was adopted, which then brings us here again. And amid
  // the negotiation there is a decoder, but no socket yet.
  const bool wants_sockets = settings_.socket_buffer_size > 0 && !has_sockets_;
  if (holds_back_ && !wants_sockets) return;
  const GstPtr<GstElement> webrtcbin = this->webrtcbin();
  if (!webrtcbin) {
    if (is_open) {
      GST_WARNING("no webrtcbin is known for this data channel: its peer cannot be held back");
    }
    return;
  }
  // All of this reads properties of webrtcbin, which waits for its PC lock.
  run_detachable([&] {
    auto gate = holds_back_ ? nullptr : ReceiveGate::find(webrtcbin.get());
    if (gate) {
      holds_back_ = true;
      inbox_->hold_back_with(std::move(gate));
    } else if (!holds_back_ && is_open) {
      GST_WARNING("%" GST_PTR_FORMAT " has no sctpdec: its peer cannot be held back",
                  static_cast<void*>(webrtcbin.get()));
    }
    if (!std::exchange(watches_connection_, true)) taken->watch_connection(webrtcbin.get());
    if (wants_sockets) {
      const auto granted = grow_receive_buffers(webrtcbin.get(), settings_.socket_buffer_size);
      GST_INFO("receive buffers: %d bytes granted", granted.value_or(0));
      has_sockets_ = granted.has_value();
      const std::lock_guard lock(mutex_);
      socket_buffer_granted_ = granted.value_or(0);
    }
  });
}

bool UploadSession::handle_message(const Message& message) {
  Action action;
  unanswered_ = false;
  {
    const std::lock_guard lock(mutex_);
    action = receiver_->receive(message, now());
  }
  while (!std::holds_alternative<action::Nothing>(action)) action = carry_out(action);
  return !unanswered_;
}

Action UploadSession::carry_out(const Action& action) {
  if (const auto* store = std::get_if<action::Store>(&action)) return carry_out(*store);
  if (const auto* compare = std::get_if<action::Compare>(&action)) return carry_out(*compare);
  if (const auto* authorize = std::get_if<action::Authorize>(&action)) return carry_out(*authorize);
  if (const auto* reply = std::get_if<action::Reply>(&action)) {
    if (const auto taken = channel()) taken->echo(reply->message);
  } else if (const auto* failure = std::get_if<action::Fail>(&action)) {
    // The readers first, then the peer, then the application, which may take everything down.
    changed_.notify_all();
    if (const auto taken = channel()) taken->close();
    tell_state();
    run_detachable([this, failure] { observer_->failing(failure->error); });
    // Not when the application has stopped the element meanwhile.
    run_detachable([this, failure] { observer_->failed(failure->error); });
  }
  return action::Nothing{};
}

Action UploadSession::carry_out(const action::Store& store) {
  std::optional<Error> error;
  const TimePoint begin = now();
  if (store.reserve > 0) error = storage_->reserve(store.reserve);
  if (!error) error = storage_->write(store.position, store.bytes);
  if (error) return fail(std::move(*error));
  {
    const std::lock_guard lock(mutex_);
    const TimePoint end = now();
    receiver_->kept_waiting(end - begin);
    receiver_->stored(end);
  }
  changed_.notify_all();
  return action::Nothing{};
}

Action UploadSession::carry_out(const action::Compare& compare) {
  std::vector<std::uint8_t> stored(compare.stored.length);
  if (auto error = storage_->read(compare.stored.position, stored)) return fail(std::move(*error));
  const bool equal = std::equal(stored.begin(), stored.end(), compare.bytes.begin());
  const std::lock_guard lock(mutex_);
  return receiver_->compared(equal);
}

Action UploadSession::carry_out(const action::Authorize& authorize) {
  const auto taken = channel();
  if (!taken) return forget_request();
  std::optional<bool> allowed;
  run_detachable([&] {
    allowed = observer_->authorize(authorize.request, taken->label(), taken->protocol());
  });
  std::optional<bool> within_quota;
  if (allowed.value_or(false)) {
    run_detachable([&] { within_quota = observer_->check_quota(); });
  }
  std::unique_lock lock(mutex_);
  // Not everybody was asked, since the element stops; or who was has stopped it.
  unanswered_ = stopping_ || !allowed || (*allowed && !within_quota);
  if (unanswered_) return action::Nothing{};
  // The answers were about a peer that has gone meanwhile. Another one's upload is asked about
  // anew.
  if (channel_ != taken) {
    lock.unlock();
    return forget_request();
  }
  if (*allowed && !*within_quota) return receiver_->fail(over_quota());
  return receiver_->authorized(*allowed);
}

// Of a peer that has gone before its upload began: no chunk of its becomes part of another one's
// upload, and its time does not run on.
Action UploadSession::forget_request() {
  const std::lock_guard lock(mutex_);
  if (!stopping_ && receiver_->state() == UploadState::kIdle) {
    receiver_ = std::make_unique<Receiver>(settings_.limits, std::make_unique<V1Parser>());
  }
  return action::Nothing{};
}

void UploadSession::carry_out_rejection(const Error& error) {
  const Action action = fail(error);
  carry_out(action);
  {
    // What is done cannot fail any more, but those who still work on it have to be told.
    const std::lock_guard lock(mutex_);
    if (receiver_->state() != UploadState::kDone) return;
    rejected_ = error;
  }
  run_detachable([&] { observer_->failed(error); });
}

Action UploadSession::fail(Error error) {
  const std::lock_guard lock(mutex_);
  return receiver_->fail(std::move(error));
}

void UploadSession::tell_refusal() {
  std::optional<Error> refusal;
  {
    const std::lock_guard lock(mutex_);
    refusal = std::exchange(refusal_, std::nullopt);
  }
  if (!refusal) return;
  // The error is on the bus already.
  if (const auto taken = channel()) taken->close();
  tell_state();
  run_detachable([&] { observer_->failing(*refusal); });
}

void UploadSession::check_timers() {
  const TimePoint moment = now();
  Action action;
  {
    const std::lock_guard lock(mutex_);
    action = receiver_->tick(moment);
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
  run_detachable([&] { within_quota = observer_->check_quota(); });
  next_quota_check_ = now() + settings_.quota_interval;
  if (!within_quota) {
    carry_out(fail(over_quota()));
  }
}

void UploadSession::report_progress() {
  tell_state();
  ReceiverStatistics statistics;
  int percent;
  {
    const std::lock_guard lock(mutex_);
    statistics = receiver_->statistics();
    percent = receiver_->percent();
  }
  if (statistics.first_chunk_at && !told_start_) {
    told_start_ = run_detachable([this] { observer_->started(); });
  }
  if (statistics.completed_at) {
    tell_completion(statistics);
  } else if (told_start_ && state() == UploadState::kUploading && progress_.due(percent, now())) {
    run_detachable([&] { observer_->progressed(percent, statistics); });
  }
}

void UploadSession::tell_completion(const ReceiverStatistics& statistics) {
  {
    const std::lock_guard lock(mutex_);
    if (completion_told_ || !receiver_->complete()) return;
  }
  if (auto error = check_film()) {
    carry_out(fail(std::move(*error)));
    return;
  }
  if (!run_detachable([&] { observer_->completed(statistics); })) return;
  {
    const std::lock_guard lock(mutex_);
    completion_told_ = true;
  }
  changed_.notify_all();
}

// Before anybody can read it, unless bytes go out as they come.
std::optional<Error> UploadSession::check_film() {
  std::uint64_t size;
  {
    const std::lock_guard lock(mutex_);
    size = receiver_->statistics().bytes;
  }
  FilmReader film(
      [this](std::uint64_t offset, std::span<std::uint8_t> out) {
        {
          const std::lock_guard lock(mutex_);
          if (stopping_) return false;
        }
        // Whoever needs these bytes will find that out as well.
        return !read_stored(offset, out);
      },
      size);
  return webrtcupload::check_film(film, settings_.film);
}

std::optional<TimePoint> UploadSession::next_wake_up() const {
  const std::lock_guard lock(mutex_);
  const auto deadline = receiver_->deadline();
  if (!deadline || !next_quota_check_) return deadline ? deadline : next_quota_check_;
  return std::min(*deadline, *next_quota_check_);
}

void UploadSession::tell_state() {
  UploadState current;
  {
    const std::lock_guard lock(mutex_);
    current = receiver_->state();
    if (current == told_state_) return;
  }
  run_detachable([this] { observer_->state_changed(); });
  {
    const std::lock_guard lock(mutex_);
    told_state_ = current;
  }
  changed_.notify_all();
}

template <typename Work>
bool UploadSession::run_detachable(Work work) {
  GObjectPtr<GObject> held;
  // What the observer calls may bring the worker here once more.
  bool outer;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    outer = std::exchange(detachable_, true);
    // Before stop() can return, and with it the element go.
    held = observer_->hold();
  }
  // stop() may have begun to wait before.
  changed_.notify_all();
  const TimePoint begin = now();
  work();
  const std::lock_guard lock(mutex_);
  detachable_ = outer;
  if (!outer) receiver_->kept_waiting(now() - begin);
  return true;
}

// ---------------------------------------------------------------------------------------------------
// any other thread

void UploadSession::wait_until_told() {
  std::unique_lock lock(mutex_);
  const auto told = [this] {
    return flushing_ || receiver_->error() || told_state_ == receiver_->state();
  };
  if (told()) return;
  const bool is_worker = worker_ == std::this_thread::get_id();
  lock.unlock();
  // A handler may well push an event itself.
  if (is_worker) return tell_state();
  inbox_->wake();
  lock.lock();
  changed_.wait(lock, told);
}

void UploadSession::begin_processing() {
  if (receiver_->begin_processing()) processing_began_at_ = now();
}

UploadSession::Availability UploadSession::wait_for(std::uint64_t offset) {
  Availability result{Readable::kFlushing};
  {
    std::unique_lock lock(mutex_);
    const auto available = [this] {
      return finished() || settings_.progressive ? receiver_->chunks().contiguous_bytes() : 0;
    };
    changed_.wait(lock, [&] {
      return flushing_ || receiver_->error() || finished() || offset < available();
    });
    if (!flushing_ && !receiver_->error()) {
      if (finished()) begin_processing();
      result = offset < available() ? Availability{Readable::kYes, available() - offset}
                                    : Availability{Readable::kEndOfFile};
    }
  }
  wait_until_told();
  return result;
}

std::optional<Error> UploadSession::read(std::uint64_t offset, std::span<std::uint8_t> out) {
  {
    const std::lock_guard lock(mutex_);
    read_.add(offset, out.size());
    was_read_ = true;
  }
  auto error = read_stored(offset, out);
  if (error) request_failure(*error);
  return error;
}

std::optional<Error> UploadSession::read_stored(std::uint64_t offset,
                                                std::span<std::uint8_t> out) const {
  while (!out.empty()) {
    std::optional<Extent> extent;
    {
      const std::lock_guard lock(mutex_);
      extent = receiver_->chunks().locate(offset);
    }
    if (!extent) {
      return Error{ErrorCode::kStorageFailed, "nothing is stored at " + std::to_string(offset)};
    }
    const auto piece = out.first(std::min<std::uint64_t>(out.size(), extent->length));
    if (auto error = storage_->read(extent->position, piece)) return error;
    offset += piece.size();
    out = out.subspan(piece.size());
  }
  return std::nullopt;
}

void UploadSession::end_of_file_met() {
  {
    const std::lock_guard lock(mutex_);
    if (!read_.covers(receiver_->statistics().bytes)) return;
  }
  reading_ended();
}

void UploadSession::reading_ended() {
  {
    const std::lock_guard lock(mutex_);
    begin_processing();
    if (receiver_->state() != UploadState::kProcessing) return;
    receiver_->finish_processing();
    processing_ended_at_ = now();
  }
  wait_until_told();
}

void UploadSession::set_flushing(bool flushing) {
  {
    const std::lock_guard lock(mutex_);
    flushing_ = flushing || stopping_;
  }
  changed_.notify_all();
}

std::optional<std::uint64_t> UploadSession::wait_for_size() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return flushing_ || receiver_->error() || finished(); });
  if (flushing_ || !finished()) return std::nullopt;
  return receiver_->statistics().bytes;
}

std::optional<std::uint64_t> UploadSession::size() const {
  const std::lock_guard lock(mutex_);
  if (receiver_->complete()) return receiver_->statistics().bytes;
  return settings_.progressive ? receiver_->expected_size() : std::nullopt;
}

UploadState UploadSession::state() const {
  const std::lock_guard lock(mutex_);
  return receiver_->state();
}

GstStructurePtr UploadSession::stats() const {
  const Inbox::Backlog backlog = inbox_->backlog();
  const std::lock_guard lock(mutex_);
  const ReceiverStatistics& statistics = receiver_->statistics();
  // From `since` to `until`, or to this moment when that is not there yet; 0 when it has not begun.
  const auto span = [](std::optional<TimePoint> since, std::optional<TimePoint> until) -> guint64 {
    if (!since) return 0;
    return static_cast<guint64>((until.value_or(now()) - *since).count());
  };
  const guint64 transfer = span(statistics.first_chunk_at, statistics.completed_at);
  const double throughput =
      transfer > 0 ? static_cast<double>(statistics.bytes) * GST_SECOND / transfer : 0;
  const std::string state(to_string(receiver_->state()));
  GstStructurePtr stats(gst_structure_new(
      "application/x-webrtcupload-stats", "state", G_TYPE_STRING, state.c_str(), "bytes",
      G_TYPE_UINT64, statistics.bytes, "chunks-received", G_TYPE_UINT, statistics.chunks,
      "chunks-announced", G_TYPE_UINT, statistics.chunks_announced, "duplicates", G_TYPE_UINT64,
      statistics.duplicates, "rejected", G_TYPE_UINT64, statistics.rejected, "ignored",
      G_TYPE_UINT64, statistics.ignored, "keepalives", G_TYPE_UINT64, statistics.keepalives,
      "percent", G_TYPE_INT, receiver_->percent(), "throughput", G_TYPE_DOUBLE, throughput,
      "backlog", G_TYPE_UINT64, backlog.now, "backlog-peak", G_TYPE_UINT64, backlog.peak,
      "socket-buffer-size", G_TYPE_INT, socket_buffer_granted_, "first-chunk-delay", G_TYPE_UINT64,
      span(statistics.opened_at, statistics.first_chunk_at), "transfer-time", G_TYPE_UINT64,
      transfer, "processing-time", G_TYPE_UINT64, span(processing_began_at_, processing_ended_at_),
      nullptr));
  if (const auto& error = receiver_->error() ? receiver_->error() : rejected_) {
    const std::string code(to_string(error->code));
    gst_structure_set(stats.get(), "error-code", G_TYPE_STRING, code.c_str(), "error-message",
                      G_TYPE_STRING, error->message.c_str(), nullptr);
  }
  return stats;
}

}  // namespace webrtcupload
