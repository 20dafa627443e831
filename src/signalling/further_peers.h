// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections of a session beyond its first one, which the upload of a client joins or goes on
// over: each is made for an offer, answered, and ended, and none of them ends the session.

#pragma once

#include <glib.h>
#include <gst/gst.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "glib/main_context.h"
#include "signalling/http_error.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {

// Lives on one context's thread.
class FurtherPeers : public std::enable_shared_from_this<FurtherPeers> {
 public:
  struct Settings {
    PeerOptions peer;
    // For each, to be announced and answered.
    std::chrono::milliseconds answer_timeout{60000};
    // For each to connect, from its answer on.
    std::chrono::milliseconds connect_timeout{30000};
  };
  // On the context.
  struct Events {
    // Whether there is an upload that a connection could join.
    std::function<bool()> may_be_joined;
    // The upload's element takes channels of this webrtcbin from now on. False: there is no upload
    // that it could join, and nothing has been done.
    std::function<bool(GstElement* webrtcbin)> attach;
    // `ready` is to be called on the context as soon as whoever else wants channels of this
    // webrtcbin listens to it.
    std::function<void(const std::string& id, GstElement* webrtcbin, std::function<void()> ready)>
        announce;
    // It has stopped, and is heard of no more.
    std::function<void(GstElement* webrtcbin)> detach;
    // The connection is no longer there, after its answer. Follows detach().
    std::function<void(const std::string& id)> ended;
  };
  // An answer, or why there is none.
  using Reply = std::function<void(const std::variant<std::string, HttpError>&)>;

  FurtherPeers(GMainContext* context, Settings settings, Events events);
  // Those that are there do not wait, and nobody hears of them.
  ~FurtherPeers();
  FurtherPeers(const FurtherPeers&) = delete;
  FurtherPeers& operator=(const FurtherPeers&) = delete;

  // How many there may be, and the session's first one, unless that is null, with how to end it.
  struct Room {
    unsigned max_connections = 0;
    const Peer* first = nullptr;
    std::function<void()> end_first;
  };
  // `id` is the caller's name for it, and new. `reply` is called once. Another one makes room for
  // it only if nothing else is wrong with it.
  void connect(const std::string& id, const std::string& offer_sdp, const Room& room, Reply reply);
  // Says good-bye to it. False if there is none.
  bool disconnect(const std::string& id);
  // To all that are there.
  void end_all(const HttpError& refusal);
  // The same, and takes no more; `done` is called on the context when none is left.
  void close(std::function<void()> done);
  // Nobody waits for them any more: they are told of at once, and end by themselves.
  void abandon();

  // Those that are not quite gone included.
  [[nodiscard]] std::size_t size() const { return connections_.size(); }
  // Null if there is none, or if it is ending.
  [[nodiscard]] std::shared_ptr<Peer> find(const std::string& id) const;

 private:
  struct Connection {
    Connection(GMainContext* context, std::shared_ptr<Peer> of, Reply to)
        : peer(std::move(of)), reply(std::move(to)), timer(context) {}

    const std::shared_ptr<Peer> peer;
    Reply reply;  // Null once it has been called.
    Timer timer;
    bool answered = false;
    bool ends = false;
  };

  [[nodiscard]] std::shared_ptr<Peer> make_peer(const std::string& id, std::string& problem);
  // Whether there is room for one more, those that end not counted. If there is none, the one ends
  // from which nothing has come for some seconds, and longest: a client that has changed its
  // network has lost all of its connections at once, which nobody notices before half a minute has
  // passed.
  [[nodiscard]] bool make_room(const Room& room);
  void answer(const std::string& id, const Offer& offer);
  void on_answer(const std::string& id, const std::variant<std::string, PeerError>& result);
  void log_end(const std::string& id, const std::string& why) const;
  // The upload may have become complete meanwhile. Then that is why, whatever `why` is: a sandbox
  // may have taken away what a connection needs.
  [[nodiscard]] HttpError why_not(HttpError why) const;
  // `refusal` is for whoever has not had an answer.
  void end(const std::string& id, const HttpError& refusal);
  void drop(const std::string& id);

  const std::shared_ptr<GMainContext> context_;
  const Settings settings_;
  const Events events_;
  std::map<std::string, Connection> connections_;
  bool closes_ = false;
  std::function<void()> closed_;
};

}  // namespace webrtcupload
