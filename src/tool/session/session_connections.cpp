// SPDX-License-Identifier: LGPL-2.1-or-later

#include <utility>
#include <variant>

#include "core/channel_labels.h"
#include "core/upload_limits.h"
#include "glib/glib_ptr.h"
#include "signalling/session_request.h"
#include "tool/session/session.h"
#include "webrtc/channel_getters.h"

namespace webrtcupload {
namespace {

// When the connection is lost before the upload is complete, what has arrived may still be on its
// way through the element, which then completes, or reports the loss itself.
constexpr std::chrono::milliseconds kLossGrace{5000};

}  // namespace

// The sandbox may end a process that opens a socket for a further connection: what needs one is
// done at the begin.
PeerOptions Session::peer_options() const {
  const bool this_machine = only_loopback(config_.ice_addresses);
  return {.local_addresses = config_.ice_addresses,
          .this_machine = this_machine,
          .machine = this_machine ? std::optional(look_at_machine()) : std::nullopt,
          .network = config_.ice_network,
          .ice_servers = config_.ice_servers};
}

std::string Session::make_peer() {
  const std::weak_ptr<Session> weak = shared_from_this();
  Peer::Events events;
  events.connected = [weak] {
    if (const auto self = weak.lock()) self->on_connected();
  };
  events.gone = [weak](const std::string& why) {
    if (const auto self = weak.lock()) self->on_first_gone(why);
  };
  events.untrusted = [weak](const std::string& why) {
    const auto self = weak.lock();
    if (!self) return;
    self->peer_gone_ = true;
    self->fail("untrusted-peer", why);
  };
  events.too_many_channels = [weak](const std::string& why) {
    const auto self = weak.lock();
    if (!self) return;
    // Whatever it would say to what it is told is not heard.
    self->peer_gone_ = true;
    self->fail("too-many-channels", why);
  };
  std::string problem;
  peer_ = Peer::create(context_, peer_options(), std::move(events), problem);
  return problem;
}

void Session::make_further_peers() {
  const std::weak_ptr<Session> weak = shared_from_this();
  FurtherPeers::Events events;
  events.may_be_joined = [weak] {
    const auto self = weak.lock();
    return self && self->pipeline_->may_be_joined();
  };
  events.attach = [weak](GstElement* webrtcbin) {
    const auto self = weak.lock();
    return self && self->pipeline_->attach(webrtcbin);
  };
  events.announce = [weak](const std::string& connection, GstElement* webrtcbin,
                           const std::function<void()>& ready) {
    const auto self = weak.lock();
    if (!self) return;
    self->watch_results_channel(connection, webrtcbin);
    ready();
  };
  events.detach = [weak](GstElement* webrtcbin) {
    const auto self = weak.lock();
    if (!self) return;
    self->results_watches_.erase(webrtcbin);
    self->pipeline_->detach(webrtcbin);
    self->detach_results(webrtcbin);
    self->end_without_reader();
  };
  events.ended = [weak](const std::string& connection) {
    const auto self = weak.lock();
    if (!self || self->closes_all_) return;
    self->observer_.connection(connection, ConnectionEnded{});
    if (connection == self->results_on_) self->on_peer_gone("the connection has ended");
  };
  further_ = std::make_shared<FurtherPeers>(
      context_,
      FurtherPeers::Settings{.peer = peer_options(), .connect_timeout = config_.connect_timeout},
      std::move(events));
}

void Session::answer(const Offer& offer) {
  const std::weak_ptr<Session> weak = shared_from_this();
  peer_->answer(offer, [weak](std::variant<std::string, PeerError> result) {
    const auto self = weak.lock();
    if (!self || self->phase_ != Phase::kNegotiating) return;
    if (const auto* error = std::get_if<PeerError>(&result)) {
      const HttpError refusal = not_answered(*error);
      return self->refuse(refusal.status, refusal.error_type.c_str(), refusal.message);
    }
    self->phase_ = Phase::kConnecting;
    self->answered_ = true;
    self->timer_.start(self->config_.connect_timeout, [raw = self.get()] {
      raw->fail("connect-timeout",
                "the client did not connect in time: " + raw->peer_->why_no_upload(kUploadLabel));
    });
    self->observer_.answered(VideoTrack::announce(std::move(std::get<std::string>(result))));
  });
}

void Session::connect(const std::string& connection, const std::string& offer_sdp) {
  // The upload may have begun without this thread's having heard of it.
  on_state_changed();
  if (phase_ >= Phase::kEnding) return observer_.connection(connection, no_such_session());
  if (phase_ != Phase::kRunning) return observer_.connection(connection, nothing_to_join());
  further_->connect(
      connection, offer_sdp,
      {.max_connections = config_.max_connections.value_or(Limits{}.max_connections),
       .first = peer_.get(),
       .end_first = [this] { on_first_gone("nothing comes from it any more"); }},
      [weak = weak_from_this(), connection](const std::variant<std::string, HttpError>& reply) {
        const auto self = weak.lock();
        if (!self || self->closes_all_) return;
        if (const auto* error = std::get_if<HttpError>(&reply)) {
          return self->observer_.connection(connection, *error);
        }
        self->observer_.connection(connection, ConnectionAnswer{std::get<std::string>(reply)});
      });
}

void Session::disconnect(const std::string& connection) {
  if (further_) static_cast<void>(further_->disconnect(connection));
}

// Called before the connection is negotiated, and so before the peer can open a channel.
void Session::watch_results_channel(const std::string& connection, GstElement* webrtcbin) {
  struct Closure {
    std::weak_ptr<Session> session;
    GMainContext* context;
    std::string connection;
  };
  // The handler holds the PC lock, for which others wait.
  results_watches_[webrtcbin] = SignalConnection(
      webrtcbin, "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, Closure* closure) {
        if (label_of(channel) != kResultsLabel) return;
        const std::shared_ptr<GstWebRTCDataChannel> held(ref_gst(channel).release(),
                                                         gst_object_unref);
        post_to(closure->context,
                [weak = closure->session, connection = closure->connection, held] {
                  const auto self = weak.lock();
                  if (self) self->move_results(connection, held.get());
                });
      }),
      Closure{weak_from_this(), context_, connection});
}

void Session::move_results(const std::string& connection, GstWebRTCDataChannel* channel) {
  const auto peer = further_ ? further_->find(connection) : nullptr;
  if (phase_ != Phase::kRunning || !peer || !results_->move(peer->webrtcbin(), channel)) return;
  results_on_ = connection;
  peer_gone_ = false;
  packets_ = 0;
  unanswered_since_.reset();
}

std::shared_ptr<Peer> Session::results_peer() const {
  return results_on_ == kFirstConnection ? peer_ : further_->find(results_on_);
}

void Session::on_first_gone(const std::string& why) {
  results_on_ == kFirstConnection ? on_peer_gone(why) : drop_first(why);
}

bool Session::wants_results() {
  if (results_->has_channel()) wants_results_ = true;
  return wants_results_;
}

void Session::detach_results(GstElement* webrtcbin) {
  static_cast<void>(wants_results());
  results_->detach(webrtcbin);
}

// One that is ending counts as long as it is there: this is asked again when it has gone.
bool Session::is_anybody_left() const {
  const bool has_first = peer_ && !(peer_gone_ && results_on_ == kFirstConnection);
  return has_first || further_->size() > 0;
}

void Session::end_without_reader() {
  if (phase_ != Phase::kRunning || !peer_gone_ || is_anybody_left()) return;
  if (!pipeline_->upload_complete() || std::exchange(without_reader_, true)) return;
  give_up_results("all connections have ended");
}

void Session::on_peer_gone(const std::string& why) {
  peer_gone_ = true;
  if (pipeline_ && phase_ < Phase::kEnding && pipeline_->may_be_joined()) {
    // No time runs any more in which the first connection has to do anything.
    on_state_changed();
    if (results_on_ == kFirstConnection) drop_first(why);
    return;
  }
  give_up_results(why);
}

// Nothing can be delivered any more.
void Session::give_up_results(const std::string& why) {
  if (results_) results_->abandon();
  if (phase_ == Phase::kEnding) on_delivered();
  if (phase_ >= Phase::kEnding) return;
  if (phase_ == Phase::kNegotiating) {
    return refuse(400, "InvalidOffer", "The offer could not be answered: " + why);
  }
  if (pipeline_->upload_complete()) {
    // Who has opened no results channel waits for nothing, and may leave: the work goes on.
    // In real time it would take as long as the film.
    if (!wants_results() && !config_.realtime) return;
    if (!results_->needs_pipeline()) return fail("peer-gone", why);
    // A sink in the pipeline sends the end before we hear of it, and the client may leave on it.
    timer_.start(kLossGrace, [this, why] { fail("peer-gone", why); });
    return;
  }
  timer_.start(kLossGrace, [this, why] {
    if (!pipeline_->upload_complete() || wants_results()) fail("peer-gone", why);
  });
}

void Session::drop_first(const std::string& why) {
  if (!peer_ || closes_all_) return;
  g_message("session %s: its first connection is lost: %s", config_.id.c_str(), why.c_str());
  if (video_) video_->stop();
  const auto lost = std::exchange(peer_, nullptr);
  detach_results(lost->webrtcbin());
  ++closing_;
  lost->close([weak = weak_from_this(), lost] {
    const auto self = weak.lock();
    if (!self) return;
    self->pipeline_->detach(lost->webrtcbin());
    if (!self->closes_all_) self->observer_.connection(kFirstConnection, ConnectionEnded{});
    self->closed();
  });
}

void Session::close_connections() {
  closes_all_ = true;
  const auto done = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->closed();
  };
  closing_ += peer_ ? 2 : 1;
  if (peer_) peer_->close(done);
  further_->close(done);
}

void Session::closed() {
  if (--closing_ == 0 && closes_all_) conclude();
}

}  // namespace webrtcupload
