// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/peer_watch.h"

#include <optional>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "glib/signal_connection.h"
#include "webrtc/channel_getters.h"
#include "webrtc/peer_gone.h"
#include "webrtc/transports.h"

namespace webrtcupload {

struct PeerWatch::State : std::enable_shared_from_this<PeerWatch::State> {
  // Handlers hold the state weakly: it owns the connections, which own the handlers.
  using Closure = std::weak_ptr<State>;

  // Protects everything below; a leaf, never held while calling out.
  Mutex mutex;
  OnGone on_gone GUARDED_BY(mutex);  // Empty once it has run, or once the watch has ended.
  bool watches_transports GUARDED_BY(mutex) = false;
  bool ended GUARDED_BY(mutex) = false;
  std::vector<SignalConnection> connections GUARDED_BY(mutex);

  void report(const std::optional<std::string>& why) EXCLUDES(mutex) {
    if (!why) {
      return;
    }
    OnGone callback;
    {
      const MutexLock lock(mutex);
      callback = std::exchange(on_gone, nullptr);
    }
    if (callback) {
      callback(*why);
    }
  }

  void connect(gpointer instance, const char* signal, GCallback handler) EXCLUDES(mutex) {
    SignalConnection connection(instance, signal, handler, Closure(weak_from_this()));
    const MutexLock lock(mutex);
    // A watch that ended meanwhile has disconnected what it knew of; this one ends here, after the
    // lock is released.
    if (!ended) {
      connections.push_back(std::move(connection));
    }
  }

  void check_channel(GstWebRTCDataChannel* channel);
  void check_connection(GstElement* webrtcbin);
  void check_sctp(GObject* sctp);
  void check_dtls(GObject* dtls);
  void watch_transports(GstElement* webrtcbin);
};

namespace {

template <typename Enum>
Enum get_enum(gpointer object, const char* property) {
  gint value = 0;
  g_object_get(object, property, &value, nullptr);
  return static_cast<Enum>(value);
}

}  // namespace

// The channel's own getters take no webrtcbin lock.
void PeerWatch::State::check_channel(GstWebRTCDataChannel* channel) {
  report(why_gone(ready_state(channel)));
}

void PeerWatch::State::check_connection(GstElement* webrtcbin) {
  report(why_gone(get_enum<GstWebRTCPeerConnectionState>(webrtcbin, "connection-state")));
}

void PeerWatch::State::check_sctp(GObject* sctp) {
  report(why_gone(get_enum<GstWebRTCSCTPTransportState>(sctp, "state")));
}

void PeerWatch::State::check_dtls(GObject* dtls) {
  report(why_gone(get_enum<GstWebRTCDTLSTransportState>(dtls, "state")));
}

// The transports appear during negotiation and have no notification of their own, so this is tried
// again at every change of the connection's state (they exist when it reaches "connected", before
// which no peer can have said goodbye over them).
void PeerWatch::State::watch_transports(GstElement* webrtcbin) {
  const auto sctp = sctp_transport_of(webrtcbin);
  const auto dtls = transport_below(sctp.get());
  if (!dtls) {
    return;
  }
  {
    const MutexLock lock(mutex);
    if (std::exchange(watches_transports, true)) {
      return;
    }
  }

  connect(sctp.get(), "notify::state",
          G_CALLBACK(+[](GObject* object, GParamSpec*, Closure* closure) {
            if (const auto state = closure->lock()) {
              state->check_sctp(object);
            }
          }));
  connect(dtls.get(), "notify::state",
          G_CALLBACK(+[](GObject* object, GParamSpec*, Closure* closure) {
            if (const auto state = closure->lock()) {
              state->check_dtls(object);
            }
          }));
  // What happened before the handlers were connected.
  check_sctp(sctp.get());
  check_dtls(dtls.get());
}

PeerWatch::PeerWatch(OnGone on_gone) : state_(std::make_shared<State>()) {
  state_->on_gone = std::move(on_gone);
}

PeerWatch::~PeerWatch() {
  std::vector<SignalConnection> connections;
  OnGone callback;
  {
    const MutexLock lock(state_->mutex);
    state_->ended = true;
    connections = std::move(state_->connections);
    callback = std::move(state_->on_gone);
  }
}

void PeerWatch::watch_channel(GstWebRTCDataChannel* channel) {
  // on-close as well as the state, since it is the documented signal; the callback runs once either
  // way.
  state_->connect(channel, "on-close",
                  G_CALLBACK(+[](GstWebRTCDataChannel* object, State::Closure* closure) {
                    if (const auto state = closure->lock()) {
                      state->check_channel(object);
                    }
                  }));
  state_->connect(
      channel, "notify::ready-state",
      G_CALLBACK(+[](GstWebRTCDataChannel* object, GParamSpec*, State::Closure* closure) {
        if (const auto state = closure->lock()) {
          state->check_channel(object);
        }
      }));
  state_->check_channel(channel);
}

void PeerWatch::watch_connection(GstElement* webrtcbin) {
  // webrtcbin notifies this property with the PC lock released.
  state_->connect(webrtcbin, "notify::connection-state",
                  G_CALLBACK(+[](GstElement* object, GParamSpec*, State::Closure* closure) {
                    if (const auto state = closure->lock()) {
                      state->check_connection(object);
                      state->watch_transports(object);
                    }
                  }));
  state_->check_connection(webrtcbin);
  state_->watch_transports(webrtcbin);
}

}  // namespace webrtcupload
