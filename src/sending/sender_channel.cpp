// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/sender_channel.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/chunk_sender.h"
#include "core/mutex.h"
#include "core/wire_v1.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"
#include "webrtc/channel_sending.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"
#include "webrtc/outgoing.h"

namespace webrtcupload {

// Shared with the handlers, which can still run when the channel object is gone.
struct SenderChannel::State {
  // A leaf: nothing else is locked or called under it.
  mutable Mutex mutex;
  ConditionVariable changed;
  Listener listener;
  // Counts what happened on the channel, so that a wait can look at the channel without holding
  // the mutex and still miss nothing.
  std::uint64_t events GUARDED_BY(mutex) = 0;
  bool interrupted GUARDED_BY(mutex) = false;
  bool gone GUARDED_BY(mutex) = false;
  std::string why_gone GUARDED_BY(mutex);
  bool awaits_echo GUARDED_BY(mutex) = false;
  bool echoed GUARDED_BY(mutex) = false;

  void tell(Message::Kind kind, ByteView bytes) EXCLUDES(mutex) {
    listener({kind, bytes});
    something_happened();
  }

  void something_happened() EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    ++events;
    changed.notify_all();
  }
};

SenderChannel::SenderChannel(GstPtr<GstWebRTCDataChannel> channel, GstPtr<GstElement> webrtcbin,
                             Listener listener)
    : channel_(std::move(channel)),
      webrtcbin_(std::move(webrtcbin)),
      state_(std::make_shared<State>()),
      peer_watch_([state = state_](const std::string& why) {
        const MutexLock lock(state->mutex);
        state->gone = true;
        state->why_gone = why;
        ++state->events;
        state->changed.notify_all();
      }) {
  using Closure = std::shared_ptr<State>;
  if (webrtcbin_) {
    keep_channels(webrtcbin_.get());
    keep_channel(webrtcbin_.get(), channel_.get());
  }
  // On the pc thread, with the PC lock held.
  connections_.emplace_back(
      channel_.get(), "on-open",
      G_CALLBACK(+[](GstWebRTCDataChannel*, Closure* state) { (*state)->something_happened(); }),
      state_);
  // On the thread that sends and on the channel's own when SCTP takes a message; without locks.
  // on-buffered-amount-low would come by way of the pc thread, and its threshold belongs to the
  // application.
  connections_.emplace_back(channel_.get(), "notify::buffered-amount",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, GParamSpec*, Closure* state) {
                              (*state)->something_happened();
                            }),
                            state_);
  // On the pc thread, with the PC lock held; so are the two of the listener.
  connections_.emplace_back(channel_.get(), "on-message-data",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes* data, Closure* state) {
                              if (data && g_bytes_get_size(data) > kV1MaxKeepaliveSize) return;
                              const MutexLock lock((*state)->mutex);
                              (*state)->echoed = (*state)->awaits_echo;
                              (*state)->changed.notify_all();
                            }),
                            state_);
  if (listener) {
    state_->listener = std::move(listener);
    connections_.emplace_back(channel_.get(), "on-message-data",
                              G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes* data, Closure* state) {
                                gsize size = 0;
                                const auto* bytes = data ? g_bytes_get_data(data, &size) : nullptr;
                                (*state)->tell(
                                    Message::Kind::kBinary,
                                    ByteView(static_cast<const std::uint8_t*>(bytes), size));
                              }),
                              state_);
    connections_.emplace_back(
        channel_.get(), "on-message-string",
        G_CALLBACK(+[](GstWebRTCDataChannel*, const char* text, Closure* state) {
          const std::string_view view = text ? text : "";
          (*state)->tell(Message::Kind::kText,
                         ByteView(reinterpret_cast<const std::uint8_t*>(view.data()), view.size()));
        }),
        state_);
  }
  peer_watch_.watch_channel(channel_.get());
  if (webrtcbin_) peer_watch_.watch_connection(webrtcbin_.get());
}

SenderChannel::~SenderChannel() = default;

GstPtr<GstWebRTCDataChannel> SenderChannel::create(GstElement* webrtcbin, const char* label,
                                                   const char* protocol, std::string& problem) {
  GstState current = GST_STATE_NULL;
  gst_element_get_state(webrtcbin, &current, nullptr, 0);
  if (current < GST_STATE_READY) {
    problem = std::string("\"") + GST_OBJECT_NAME(webrtcbin) +
              "\" is in state NULL, and a data channel can be created from READY on. Bring it (or "
              "its pipeline) to READY first.";
    return nullptr;
  }
  const GstStructurePtr options(protocol ? gst_structure_new("application/data-channel", "protocol",
                                                             G_TYPE_STRING, protocol, nullptr)
                                         : nullptr);
  GstWebRTCDataChannel* channel = nullptr;
  g_signal_emit_by_name(webrtcbin, "create-data-channel", label, options.get(), &channel);
  if (!channel) {
    problem = std::string("\"") + GST_OBJECT_NAME(webrtcbin) +
              "\" did not create a data channel; GST_DEBUG=webrtcbin:5 says why (are the sctp "
              "and dtls plugins installed?).";
  }
  return GstPtr<GstWebRTCDataChannel>(channel);
}

void SenderChannel::look_at_owner() {
  if (!owner_of(channel_.get()).has_gone()) return;
  const MutexLock lock(state_->mutex);
  if (state_->gone) return;
  state_->gone = true;
  state_->why_gone = kOwnerHasGone;
}

template <typename Condition>
SenderChannel::Outcome SenderChannel::wait(Condition condition, bool condition_first,
                                           Deadline deadline) {
  State& state = *state_;
  for (;;) {
    look_at_owner();
    MutexLock lock(state.mutex);
    if (state.interrupted) return Outcome::kInterrupted;
    if (state.gone && !condition_first) return Outcome::kGone;
    const bool was_gone = state.gone;
    const std::uint64_t seen = state.events;
    // It takes the channel's own lock.
    lock.unlock();
    const bool holds = condition();
    lock.lock();
    if (holds) return Outcome::kDone;
    if (was_gone) return Outcome::kGone;
    const auto moment = std::chrono::steady_clock::now();
    if (deadline && moment >= *deadline) return Outcome::kTimedOut;
    const auto next_look = moment + kOwnerInterval;
    state.changed.wait_until(state.mutex, deadline ? std::min(*deadline, next_look) : next_look,
                             [&]() REQUIRES(state.mutex) {
                               return state.events != seen || state.interrupted || state.gone ||
                                      state.echoed;
                             });
  }
}

SenderChannel::Outcome SenderChannel::wait_open() {
  return wait([this] { return ready_state(channel_.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN; },
              false);
}

SenderChannel::Outcome SenderChannel::wait_room(std::uint64_t message_size,
                                                std::uint64_t buffer_limit) {
  return wait([&] { return may_hand_over(message_size, buffered_amount(), buffer_limit); }, false);
}

SenderChannel::Outcome SenderChannel::wait_drained() {
  // A channel that drained and then closed did drain.
  return wait([this] { return buffered_amount() == 0; }, true);
}

SenderChannel::Outcome SenderChannel::wait_confirmed(std::chrono::nanoseconds timeout) {
  if (!confirm_deadline_) {
    {
      const MutexLock lock(state_->mutex);
      state_->awaits_echo = true;
    }
    std::string problem;
    if (!send({0}, problem)) {
      const MutexLock lock(state_->mutex);
      if (!state_->gone) state_->why_gone = problem;
      return Outcome::kGone;
    }
    confirm_deadline_ = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout);
  }
  return wait(
      [this] {
        const MutexLock lock(state_->mutex);
        return state_->echoed;
      },
      true, confirm_deadline_);
}

SenderChannel::Outcome SenderChannel::wait_interrupted(std::chrono::milliseconds timeout) {
  State& state = *state_;
  const MutexLock lock(state.mutex);
  const bool is_interrupted = state.changed.wait_for(
      state.mutex, timeout, [&]() REQUIRES(state.mutex) { return state.interrupted; });
  return is_interrupted ? Outcome::kInterrupted : Outcome::kTimedOut;
}

SenderChannel::Outcome SenderChannel::wait_told(const std::function<bool()>& condition,
                                                std::optional<std::chrono::nanoseconds> timeout) {
  const auto deadline =
      timeout ? Deadline(std::chrono::steady_clock::now() +
                         std::chrono::duration_cast<std::chrono::steady_clock::duration>(*timeout))
              : std::nullopt;
  return wait(condition, true, deadline);
}

template <typename Condition>
bool SenderChannel::wait_until(Condition condition, std::chrono::steady_clock::time_point until) {
  MutexLock lock(state_->mutex);
  for (;;) {
    const std::uint64_t seen = state_->events;
    lock.unlock();
    const bool holds = condition();
    lock.lock();
    if (holds) return true;
    if (!state_->changed.wait_until(
            state_->mutex, until, [&]() REQUIRES(state_->mutex) { return state_->events != seen; }))
      return false;
  }
}

bool SenderChannel::wait_despite_all(const std::function<bool()>& condition,
                                     std::chrono::steady_clock::time_point until) {
  return wait_until(condition, until);
}

PeerTrust SenderChannel::peer_trust() const {
  return webrtcupload::peer_trust(channel_.get(), webrtcbin_.get());
}

bool SenderChannel::send(std::vector<std::uint8_t> message, std::string& problem) {
  return send_on(channel_.get(), std::move(message), &problem);
}

bool SenderChannel::send_text(const std::string& text, std::string& problem) {
  return send_text_on(channel_.get(), text, &problem);
}

void SenderChannel::interrupt() {
  const MutexLock lock(state_->mutex);
  state_->interrupted = true;
  state_->changed.notify_all();
}

void SenderChannel::calm() {
  const MutexLock lock(state_->mutex);
  state_->interrupted = false;
}

void SenderChannel::close() { close_channel(channel_.get()); }

bool SenderChannel::is_gone() const {
  const MutexLock lock(state_->mutex);
  return state_->gone;
}

void SenderChannel::abandon(const std::optional<std::string>& last_words) {
  const auto drained = [this] { return buffered_amount() == 0; };
  std::string problem;
  if (last_words && !is_gone() && send_text(*last_words, problem)) {
    // Until the peer closes the channel. Closed from here, a channel may lose what has left it and
    // was not handed on at the other end.
    wait_until([this] { return is_gone(); }, std::chrono::steady_clock::now() + kPatience);
  }
  const int id = id_of(channel_.get());
  // Without an id it has never been connected. Without a webrtcbin there is no more to be done than
  // to close the channel, which waits for the peer to take what is queued.
  const bool is_connected = webrtcbin_ && id >= 0;
  if (is_connected) drop_outgoing(webrtcbin_.get(), id);
  // Nothing drains any more when the peer is gone. (Closing makes it look gone, so this is first.)
  const auto patience = is_gone() ? std::chrono::milliseconds(0) : kPatience;
  close();
  if (!is_connected) return;
  if (wait_until(drained, std::chrono::steady_clock::now() + patience)) return;
  abandon_outgoing(webrtcbin_.get(), id);
}

std::uint64_t SenderChannel::buffered_amount() const {
  return webrtcupload::buffered_amount(channel_.get());
}

std::string SenderChannel::why_gone() const {
  const MutexLock lock(state_->mutex);
  return state_->why_gone;
}

}  // namespace webrtcupload
