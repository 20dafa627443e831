// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/further_peers.h"

#include <utility>
#include <vector>

#include "core/redaction.h"
#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "signalling/session_request.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {
namespace {

// From a connection in use something comes many times a second.
constexpr std::chrono::seconds kSilence{5};

HttpError internal(const std::string& problem) {
  return {500, "InternalError", text_for_client(problem), {}};
}

}  // namespace

FurtherPeers::FurtherPeers(GMainContext* context, Settings settings, Events events)
    : context_(g_main_context_ref(context), g_main_context_unref),
      settings_(std::move(settings)),
      events_(std::move(events)) {}

FurtherPeers::~FurtherPeers() = default;

std::shared_ptr<Peer> FurtherPeers::find(const std::string& id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() || found->second.ends ? nullptr : found->second.peer;
}

std::shared_ptr<Peer> FurtherPeers::make_peer(const std::string& id, std::string& problem) {
  const auto weak = weak_from_this();
  const auto ends = [weak, id](const std::string& why) {
    const auto self = weak.lock();
    if (!self) return;
    self->log_end(id, why);
    self->end(id, self->why_not({400, "InvalidOffer", text_for_client(why), {}}));
  };
  Peer::Events events;
  events.connected = [weak, id] {
    const auto self = weak.lock();
    if (!self) return;
    const auto found = self->connections_.find(id);
    if (found != self->connections_.end()) found->second.timer.cancel();
  };
  events.gone = ends;
  // What came of it has not been taken: the upload's element looks at certificates itself.
  events.untrusted = ends;
  events.too_many_channels = ends;
  return Peer::create(context_.get(), settings_.peer, std::move(events), problem);
}

HttpError FurtherPeers::why_not(HttpError why) const {
  return events_.may_be_joined() ? std::move(why) : nothing_to_join();
}

void FurtherPeers::connect(const std::string& id, const std::string& offer_sdp, const Room& room,
                           Reply reply) {
  if (closes_) return reply(server_stops());
  const auto checked = check_offer(offer_sdp);
  if (const auto* error = std::get_if<OfferError>(&checked)) {
    return reply(HttpError{400, "InvalidOffer", error->message, {}});
  }
  if (!events_.may_be_joined()) return reply(nothing_to_join());
  if (!make_room(room)) return reply(too_many_connections(room.max_connections));
  std::string problem;
  const auto peer = make_peer(id, problem);
  if (!peer) return reply(why_not(internal(problem)));
  if (!events_.attach(peer->webrtcbin())) return reply(nothing_to_join());
  const auto made = connections_.try_emplace(id, context_.get(), peer, std::move(reply)).first;
  made->second.timer.start(settings_.answer_timeout, [this, id] { end(id, not_in_time()); });
  events_.announce(id, peer->webrtcbin(),
                   [weak = weak_from_this(), id, offer = std::get<Offer>(checked)] {
                     if (const auto self = weak.lock()) self->answer(id, offer);
                   });
}

void FurtherPeers::answer(const std::string& id, const Offer& offer) {
  const auto peer = find(id);
  if (!peer) return;
  if (!peer->start()) return end(id, why_not(internal("webrtcbin does not start.")));
  peer->answer(offer,
               [weak = weak_from_this(), id](const std::variant<std::string, PeerError>& result) {
                 if (const auto self = weak.lock()) self->on_answer(id, result);
               });
}

void FurtherPeers::on_answer(const std::string& id,
                             const std::variant<std::string, PeerError>& result) {
  if (const auto* error = std::get_if<PeerError>(&result)) {
    HttpError refusal = not_answered(*error);
    refusal.message = text_for_client(refusal.message);
    return end(id, why_not(std::move(refusal)));
  }
  const auto found = connections_.find(id);
  if (found == connections_.end() || found->second.ends) return;
  Connection& connection = found->second;
  connection.answered = true;
  connection.timer.start(settings_.connect_timeout, [this, id] {
    log_end(id, "it did not connect in time");
    static_cast<void>(disconnect(id));
  });
  std::exchange(connection.reply, nullptr)(std::get<std::string>(result));
}

bool FurtherPeers::make_room(const Room& room) {
  std::size_t there = room.first ? 1 : 0;
  auto longest = room.first ? room.first->silent_for() : std::chrono::microseconds(0);
  std::string silent;
  for (const auto& [id, connection] : connections_) {
    if (connection.ends) continue;
    ++there;
    const auto silence = connection.peer->silent_for();
    if (silence <= longest) continue;
    longest = silence;
    silent = id;
  }
  if (there < most_connections(room.max_connections)) return true;
  if (longest < kSilence) return false;
  if (silent.empty()) {
    room.end_first();
  } else {
    log_end(silent, "it makes room for another, and nothing has come from it for " +
                        std::to_string(longest.count() / 1000) + " ms");
    end(silent, withdrawn());
  }
  return true;
}

// Without its id, with which it can be ended.
void FurtherPeers::log_end(const std::string& id, const std::string& why) const {
  if (const auto peer = find(id)) {
    GST_INFO_OBJECT(peer->webrtcbin(), "the further connection ends: %s", why.c_str());
  }
}

bool FurtherPeers::disconnect(const std::string& id) {
  if (!find(id)) return false;
  end(id, withdrawn());
  return true;
}

void FurtherPeers::end(const std::string& id, const HttpError& refusal) {
  const auto found = connections_.find(id);
  if (found == connections_.end() || std::exchange(found->second.ends, true)) return;
  Connection& connection = found->second;
  connection.timer.cancel();
  const auto peer = connection.peer;
  if (const auto reply = std::exchange(connection.reply, nullptr)) reply(refusal);
  peer->close([weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->drop(id);
  });
}

void FurtherPeers::drop(const std::string& id) {
  auto dropped = connections_.extract(id);
  if (dropped.empty()) return;
  events_.detach(dropped.mapped().peer->webrtcbin());
  if (dropped.mapped().answered && events_.ended) events_.ended(id);
  if (!connections_.empty()) return;
  if (const auto done = std::exchange(closed_, nullptr)) done();
}

void FurtherPeers::abandon() {
  closes_ = true;
  closed_ = nullptr;
  for (const auto& [id, connection] : std::exchange(connections_, {})) {
    events_.detach(connection.peer->webrtcbin());
  }
}

void FurtherPeers::close(std::function<void()> done) {
  closes_ = true;
  if (connections_.empty()) return post_to(context_.get(), std::move(done));
  closed_ = std::move(done);
  end_all(server_stops());
}

void FurtherPeers::end_all(const HttpError& refusal) {
  std::vector<std::string> ids;
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  for (const std::string& id : ids) end(id, refusal);
}

}  // namespace webrtcupload
