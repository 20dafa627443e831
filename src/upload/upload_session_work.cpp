// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes over an upload's channels: the worker hands it to the receiver, and does what that
// wants.

#include <algorithm>
#include <utility>
#include <vector>

#include "glib/debug.h"
#include "json/control_reader.h"
#include "upload/upload_log.h"
#include "upload/upload_session.h"
#include "webrtc/dtls_check.h"
#include "webrtc/find_webrtcbin.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {
// -------------------------------------------------------------------------------------------------
// versions

WireVersion UploadSession::version() const {
  const MutexLock lock(shared_.mutex);
  return protocol_->version();
}

// Where peers may come and go, no time runs for one that only keeps its connection alive.
TimeBegins UploadSession::time_begins() const {
  return settings_.outlives_idle_peers ? TimeBegins::kWithAChunk : TimeBegins::kWithTheChannel;
}

// What a v2 peer may send is bounded by its credit, and one that sends more is an error of its own.
// So these are not met but by one whose blocks are so small that their messages, and not their
// bytes, would fill the memory.
Inbox::Marks UploadSession::marks_of(WireVersion version) const {
  if (version == WireVersion::kV1) return settings_.marks;
  const std::uint64_t window = std::clamp<std::uint64_t>(
      settings_.limits.window, std::uint64_t{512} * 1024, std::uint64_t{1} << 40);
  return {.high = 2 * window + window / 2, .low = window, .overload_factor = 4};
}

std::optional<Error> UploadSession::renew_receiver(WireVersion version) {
  auto made = make_receiver(version, settings_.limits, time_begins());
  if (!made) return made.error();
  introduced_.clear();
  {
    const MutexLock lock(shared_.mutex);
    protocol_.reset();
    shared_.receiver = std::move(made.value());
    protocol_ = make_protocol(version, *shared_.receiver);
    connection_.speak(version, shared_);
  }
  shared_.inbox->set_marks(marks_of(version));
  return std::nullopt;
}

void UploadSession::speak(WireVersion version) {
  {
    const MutexLock lock(shared_.mutex);
    if (protocol_->version() == version) return;
    if (shared_.stopping || shared_.receiver->state() != UploadState::kIdle) return;
  }
  if (auto error = renew_receiver(version)) return perform(fail(std::move(*error)));
  GST_INFO_ID(shared_.name.c_str(), "wire format %s", to_string(version));
}

void UploadSession::meet(Inbox::Serial serial) {
  forget_left_channels();
  plumb_connection(serial, false);
  const auto channel = connection_.channel(serial);
  if (channel && channel->is_open()) introduce(serial);
}

// Before another one is taken for one too many: that these are gone may still be in the inbox.
void UploadSession::forget_left_channels() {
  std::set<Inbox::Serial> left;
  for (const Inbox::Serial known : introduced_) {
    if (!connection_.channel(known)) left.insert(known);
  }
  for (const Inbox::Serial channel : left) {
    introduced_.erase(channel);
    if (version() == WireVersion::kV1) continue;
    Action action;
    {
      const MutexLock lock(shared_.mutex);
      action = protocol_->channel_closed(channel, "the peer has left", now());
    }
    perform(std::move(action));
  }
}

void UploadSession::introduce(Inbox::Serial serial) {
  const auto channel = connection_.channel(serial);
  if (!channel) return;
  speak(channel->version());
  if (!introduced_.insert(serial).second) return;
  {
    const MutexLock lock(shared_.mutex);
    protocol_->channel_opened(serial, now());
  }
  put_out();
}

// -------------------------------------------------------------------------------------------------
// what comes

bool UploadSession::is_of_former_peer(const Inbox::Item& item) const {
  const auto channel = Inbox::channel_of(item);
  const bool may_change = settings_.outlives_idle_peers || version() == WireVersion::kV2;
  return may_change && channel && !connection_.is_current(*channel);
}

bool UploadSession::handle(const Inbox::Item& item) {
  if (const auto* gone = std::get_if<Inbox::Gone>(&item)) {
    if (is_nobodys(*gone)) return true;
    GST_DEBUG_ID(shared_.name.c_str(), "the peer is gone: %s", gone->why.c_str());
    return handle_gone(*gone);
  }
  if (is_of_former_peer(item)) return true;
  if (const auto* received = std::get_if<Inbox::Received>(&item)) {
    const Inbox::Serial channel = received->channel;
    introduce(channel);
    if (connection_.is_unchecked(channel) && state() != UploadState::kError) {
      PeerTrust trust = PeerTrust::kTrusted;
      if (!worker_.call_out([&] { trust = connection_.check_peer(channel); })) return false;
      // Another peer may have taken its place meanwhile, which then is who was looked at.
      if (is_of_former_peer(item)) return true;
      if (trust != PeerTrust::kTrusted) {
        leave_untrusted(channel, trust);
        return true;
      }
    }
    return handle_message(*received);
  }
  if (const auto* opened = std::get_if<Inbox::Opened>(&item)) {
    introduce(opened->channel);
    log_opened(shared_.name, settings_.limits, settings_.outlives_idle_peers);
    plumb_connection(opened->channel, true);
  } else if (const auto* overloaded = std::get_if<Inbox::Overloaded>(&item)) {
    perform(fail({ErrorCode::kOverloaded,
                  std::to_string(overloaded->backlog) +
                      " bytes of messages wait to be stored and the peer " +
                      (settings_.connection.holds_back ? "cannot be held back"
                                                       : "is not to be held back")}));
  }
  return true;
}

// A channel of v2 that is no longer the upload's may still be known to its receiver.
bool UploadSession::is_nobodys(const Inbox::Gone& gone) const {
  return version() == WireVersion::kV1 && is_of_former_peer(gone);
}

bool UploadSession::handle_gone(const Inbox::Gone& gone) {
  const bool is_v1 = version() == WireVersion::kV1;
  bool shutting_down = false;
  if (!worker_.call_out([&] { shutting_down = observer_->shutting_down(); })) return false;
  if (shutting_down) {
    if (!std::exchange(goes_down_, true)) {
      GST_DEBUG_ID(shared_.name.c_str(), "no matter: the pipeline is being taken down");
    }
    untold_ends_.push_back(gone);
    next_look_at_ends_ = now() + kShutdownInterval;
    return true;
  }
  goes_down_ = false;
  if (is_v1 && settings_.outlives_idle_peers && connection_.forget_idle_channel(gone.channel)) {
    return true;
  }
  if (!is_v1) connection_.leave(gone.channel);
  Action action;
  {
    const MutexLock lock(shared_.mutex);
    action = protocol_->channel_closed(gone.channel, gone.why, now());
  }
  perform(std::move(action));
  return true;
}

// The state change that was under way may have failed, and nothing tells of that.
void UploadSession::look_at_untold_ends() {
  if (untold_ends_.empty() || now() < next_look_at_ends_) return;
  for (const Inbox::Gone& gone : std::exchange(untold_ends_, {})) {
    if (is_nobodys(gone) || handle_gone(gone)) continue;
    GST_DEBUG_ID(shared_.name.c_str(), "the peer's end stays untold: the element stops");
    untold_ends_.push_back(gone);
  }
}

void UploadSession::plumb_connection(Inbox::Serial channel, bool is_open) {
  if (const auto work = connection_.plumbing(channel, is_open)) worker_.call_out(work);
}

// What has come of it is forgotten. Where others are there, or may come, they may still upload.
void UploadSession::leave_untrusted(Inbox::Serial serial, PeerTrust trust) {
  const auto channel = connection_.channel(serial);
  const bool others_may_come = state() != UploadState::kIdle || settings_.outlives_idle_peers;
  if (version() == WireVersion::kV2 && others_may_come) {
    GST_WARNING_ID(shared_.name.c_str(), "a channel is closed: %s", to_string(trust));
    connection_.leave(serial);
    if (channel) channel->close();
    Action action;
    {
      const MutexLock lock(shared_.mutex);
      action = protocol_->channel_closed(serial, to_string(trust), now());
    }
    return perform(std::move(action));
  }
  if (settings_.outlives_idle_peers && connection_.forget_idle_channel(serial)) return;
  perform(fail({ErrorCode::kUntrustedPeer, to_string(trust)}));
}

bool UploadSession::handle_message(const Inbox::Received& received) {
  const Message message = received.message();
  handled_ = received.channel;
  GST_LOG_ID(shared_.name.c_str(), "%s message of %" G_GSIZE_FORMAT " bytes",
             message.kind == Message::Kind::kText ? "text" : "binary", message.bytes.size());
  unanswered_ = false;
  const auto channel = connection_.channel(received.channel);
  Action action;
  if (channel) {
    const MutexLock lock(shared_.mutex);
    action = protocol_->waiting(received.channel, channel->waiting(), now());
  }
  perform(std::move(action));
  {
    const MutexLock lock(shared_.mutex);
    action = protocol_->receive(received.channel, message, now());
  }
  perform(std::move(action));
  if (unanswered_) return false;
  if (channel) channel->handled(message);
  return true;
}

// -------------------------------------------------------------------------------------------------
// what the receiver wants

void UploadSession::perform(Action action) {
  while (!std::holds_alternative<action::Nothing>(action)) action = carry_out(action);
  put_out();
}

void UploadSession::put_out() {
  std::vector<Output> outputs;
  {
    const MutexLock lock(shared_.mutex);
    outputs = protocol_->take_outputs();
  }
  for (const Output& output : outputs) {
    if (output.message) {
      connection_.say(output.channel, *output.message);
    } else {
      connection_.close(output.channel);
    }
  }
}

Action UploadSession::carry_out(const Action& action) {
  if (const auto* store = std::get_if<action::Store>(&action)) return carry_out(*store);
  if (const auto* compare = std::get_if<action::Compare>(&action)) return carry_out(*compare);
  if (const auto* authorize = std::get_if<action::Authorize>(&action)) return carry_out(*authorize);
  if (const auto* control = std::get_if<action::ReadControl>(&action)) return carry_out(*control);
  if (const auto* hash = std::get_if<action::Hash>(&action)) return carry_out(*hash);
  if (const auto* reply = std::get_if<action::Reply>(&action)) {
    if (const auto from = connection_.channel(handled_)) from->echo(reply->message);
  } else if (const auto* failure = std::get_if<action::Fail>(&action)) {
    carry_out(*failure);
  }
  return action::Nothing{};
}

// The readers first, then the peers, then the application, which may take everything down.
void UploadSession::carry_out(const action::Fail& failure) {
  const Error& error = failure.error;
  shared_.changed.notify_all();
  GST_INFO_ID(shared_.name.c_str(), "failed: %s: %s", to_string(error.code).data(),
              error.message.c_str());
  put_out();
  connection_.close_all();
  tell_state();
  tell_end(error);
  // Not when the application has stopped the element meanwhile.
  worker_.call_out([this, &error] { observer_->failed(error); });
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
  Action next;
  {
    const MutexLock lock(shared_.mutex);
    const TimePoint end = now();
    shared_.receiver->kept_waiting(end - begin);
    next = protocol_->stored(end);
  }
  shared_.changed.notify_all();
  return next;
}

Action UploadSession::carry_out(const action::Compare& compare) {
  std::vector<std::uint8_t> stored(compare.stored.length);
  if (auto error = shared_.storage->read(compare.stored.position, stored)) {
    return fail(std::move(*error));
  }
  const bool equal = std::equal(stored.begin(), stored.end(), compare.bytes.begin());
  const MutexLock lock(shared_.mutex);
  return protocol_->compared(equal);
}

Action UploadSession::carry_out(const action::ReadControl& control) {
  const auto message = read_control(control.text);
  const MutexLock lock(shared_.mutex);
  return protocol_->control(message);
}

Action UploadSession::carry_out(const action::Hash& hash) {
  std::vector<std::uint8_t> stored(hash.stored.length);
  if (auto error = shared_.storage->read(hash.stored.position, stored)) {
    return fail(std::move(*error));
  }
  const MutexLock lock(shared_.mutex);
  // Of a file whose beginning came last there may be much to read.
  if (shared_.stopping) return action::Nothing{};
  return protocol_->hashed(stored);
}

Action UploadSession::carry_out(const action::Authorize& authorize) {
  const auto taken = connection_.channel(handled_);
  // Another peer may have got the place while this message was being handled.
  if (!taken) return forget_request();
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
  const auto& channels = connection_.channels(shared_);
  if (std::ranges::find(channels, taken) == channels.end()) {
    lock.unlock();
    return forget_request();
  }
  if (*allowed && !*within_quota) return shared_.receiver->fail(over_quota());
  return protocol_->authorized(*allowed, now());
}

// Of a peer that has gone before its upload began: no chunk of its becomes part of another one's
// upload, and its time does not run on.
Action UploadSession::forget_request() {
  {
    const MutexLock lock(shared_.mutex);
    if (shared_.stopping || shared_.receiver->state() != UploadState::kIdle) {
      return action::Nothing{};
    }
  }
  const auto known = introduced_;
  if (auto error = renew_receiver(version())) return fail(std::move(*error));
  // Others have opened their channels meanwhile, and need not have said anything yet.
  for (const Inbox::Serial channel : known) introduce(channel);
  return action::Nothing{};
}

}  // namespace webrtcupload
