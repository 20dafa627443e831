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
  State(std::shared_ptr<Bell> the_bell, Listener the_listener)
      : bell(std::move(the_bell)), listener(std::move(the_listener)) {}

  const std::shared_ptr<Bell> bell;
  const Listener listener;
  // A leaf: nothing else is locked or called under it.
  mutable Mutex mutex;
  bool gone GUARDED_BY(mutex) = false;
  bool gone_before_drop GUARDED_BY(mutex) = false;
  std::string why_gone GUARDED_BY(mutex);
  bool awaits_echo GUARDED_BY(mutex) = false;
  bool echoed GUARDED_BY(mutex) = false;

  void tell(Message::Kind kind, ByteView bytes) const {
    listener({kind, bytes});
    bell->ring();
  }

  void go(const std::string& why) EXCLUDES(mutex) {
    {
      const MutexLock lock(mutex);
      if (std::exchange(gone, true)) return;
      why_gone = why;
    }
    bell->ring();
  }
};

SenderChannel::SenderChannel(GstPtr<GstWebRTCDataChannel> channel, GstPtr<GstElement> webrtcbin,
                             std::shared_ptr<Bell> bell, Listener listener)
    : channel_(std::move(channel)),
      webrtcbin_(std::move(webrtcbin)),
      state_(std::make_shared<State>(std::move(bell), std::move(listener))),
      peer_watch_([state = state_](const std::string& why) { state->go(why); }) {
  using Closure = std::shared_ptr<State>;
  if (webrtcbin_) {
    keep_channels(webrtcbin_.get());
    keep_channel(webrtcbin_.get(), channel_.get());
  }
  // On the pc thread, with the PC lock held.
  connections_.emplace_back(
      channel_.get(), "on-open",
      G_CALLBACK(+[](GstWebRTCDataChannel*, Closure* state) { (*state)->bell->ring(); }), state_);
  // On the thread that sends and on the channel's own when SCTP takes a message; without locks.
  // on-buffered-amount-low would come by way of the pc thread, and its threshold belongs to the
  // application.
  connections_.emplace_back(channel_.get(), "notify::buffered-amount",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, GParamSpec*, Closure* state) {
                              (*state)->bell->ring();
                            }),
                            state_);
  // On the pc thread, with the PC lock held; so are the two of the listener.
  connections_.emplace_back(channel_.get(), "on-message-data",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes* data, Closure* state) {
                              if (data && g_bytes_get_size(data) > kV1MaxKeepaliveSize) return;
                              {
                                const MutexLock lock((*state)->mutex);
                                (*state)->echoed = (*state)->awaits_echo;
                              }
                              (*state)->bell->ring();
                            }),
                            state_);
  if (state_->listener) {
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

template <typename Condition>
SenderChannel::Outcome SenderChannel::wait(Condition condition, bool condition_first,
                                           Deadline deadline) {
  Bell& bell = *state_->bell;
  for (;;) {
    const std::uint64_t seen = bell.rings();
    if (bell.is_interrupted()) return Outcome::kInterrupted;
    const bool was_gone = is_gone();
    if (was_gone && !condition_first) return Outcome::kGone;
    if (condition()) return Outcome::kDone;
    if (was_gone) return Outcome::kGone;
    const auto moment = Bell::Clock::now();
    if (deadline && moment >= *deadline) return Outcome::kTimedOut;
    const auto next_look = moment + kOwnerInterval;
    bell.wait(seen, deadline ? std::min(*deadline, next_look) : next_look);
  }
}

SenderChannel::Outcome SenderChannel::wait_open() {
  return wait([this] { return is_open(); }, false);
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
    if (!send(std::vector<std::uint8_t>{0}, problem)) {
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

bool SenderChannel::is_open() const {
  return ready_state(channel_.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

bool SenderChannel::is_gone() {
  if (owner_of(channel_.get()).has_gone()) state_->go(kOwnerHasGone);
  const MutexLock lock(state_->mutex);
  return state_->gone;
}

PeerTrust SenderChannel::peer_trust() const {
  return webrtcupload::peer_trust(channel_.get(), webrtcbin_.get());
}

bool SenderChannel::send(std::vector<std::uint8_t> message, std::string& problem) {
  return send_on(channel_.get(), std::move(message), &problem);
}

bool SenderChannel::send(const SharedMessage& message, std::string& problem) {
  return send_on(channel_.get(), message, &problem);
}

bool SenderChannel::send_text(const std::string& text, std::string& problem) {
  return send_text_on(channel_.get(), text, &problem);
}

void SenderChannel::close() { close_channel(channel_.get()); }

void SenderChannel::drop() {
  const int id = id_of(channel_.get());
  // Without an id it has never been connected.
  if (webrtcbin_ && id >= 0) drop_outgoing(webrtcbin_.get(), id);
  {
    // Closing makes it look gone.
    const MutexLock lock(state_->mutex);
    state_->gone_before_drop = state_->gone;
  }
  close();
}

void SenderChannel::abandon(Bell::Clock::time_point until) {
  const int id = id_of(channel_.get());
  // Without a webrtcbin there is no more to be done than to close the channel, which waits for the
  // peer to take what is queued.
  if (!webrtcbin_ || id < 0) return;
  const bool may_drain = [this] {
    const MutexLock lock(state_->mutex);
    return !state_->gone_before_drop;
  }();
  Bell& bell = *state_->bell;
  for (;;) {
    const std::uint64_t seen = bell.rings();
    if (buffered_amount() == 0) return;
    if (!may_drain || !bell.wait_despite_all(seen, until)) break;
  }
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
