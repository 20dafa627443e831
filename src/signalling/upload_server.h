// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcuploadserver does beside being an element: it answers offers, of one peer at a time,
// on a thread of its own, and tells the application on another. The offers come by HTTP, or by a
// signaller of the application's. A peer that came by HTTP may make further connections.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "glib/announcer.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "signalling/allowed_origins.h"
#include "signalling/api_keys.h"
#include "signalling/offers.h"
#include "signalling/whip.h"
#include "webrtc/ice_network.h"
#include "webrtc/ice_server.h"
#include "webrtcupload/gstwebrtcuploadsignaller.h"

namespace webrtcupload {

class UploadServer {
 public:
  struct Settings {
    // Of the element, for the log.
    std::string name = "server";
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;  // 0 = any that is free.
    std::vector<IceServer> ice_servers;
    IceNetwork network;
    // None: everybody may upload.
    ApiKeys keys;
    // Which web pages may use it.
    AllowedOrigins origins;
    // For webrtcbin and the application to answer an offer. A peer's time begins with its answer.
    std::chrono::milliseconds answer_timeout{60000};
    // For a peer to connect and send its first chunk; then its place is free again.
    std::chrono::milliseconds connect_timeout{30000};
    // Brings the offers, in place of HTTP: port, keys and origins are of no use then.
    GObjectPtr<GstWebrtcUploadSignaller> signaller;
  };

  struct Events {
    // On a thread where the application may take its time and do what it likes, with a reference
    // held on what hold() returns; all of them one after the other.
    //
    // A peer is about to be answered, when this has returned: whoever wants channels of this
    // webrtcbin listens from now on.
    std::function<void(GstElement* webrtcbin)> peer_added;
    // That one will be heard of no more. May still come after the server's end, if a handler of
    // the application's was running then.
    std::function<void(GstElement* webrtcbin)> peer_removed;
    // The peer's time to begin has passed, and its place is given to others.
    std::function<void(const std::string& why)> not_begun;
    // What the peer has uploaded is given up.
    std::function<void(const std::string& why)> distrusted;
    // The signaller brings no more offers.
    std::function<void(const std::string& why)> signaller_failed;

    // The others on the server's thread, which no code of the application's may hold up.
    //
    // A new reference on the object whose events these are.
    std::function<GObjectPtr<GObject>()> hold;
    // Before peer_added(): for the element that takes the upload.
    std::function<void(GstElement* webrtcbin)> attach;
    // The same for a further connection of the peer whose upload is under way. False: it is none
    // that others may join.
    std::function<bool(GstElement* webrtcbin)> join;
    // Whether join() would work: the upload is under way, in wire format v2.
    std::function<bool()> may_be_joined;
    // Before peer_removed(): that element lets go of all that it has of this webrtcbin.
    std::function<void(GstElement* webrtcbin)> detach;
    // The label of the channel that the upload comes over.
    std::function<std::string()> upload_label;
    // Whether the upload of the peer has begun; no other is taken then until stop().
    std::function<bool()> upload_begun;
    // Whether the peer's first chunk is here. The upload begins with it, once the application has
    // said that it may.
    std::function<bool()> has_a_chunk;
    // What clients are told of uploads, but for keys.
    std::function<LimitsForClients()> limits;
    // How the upload ended, for a peer to whom nobody else says it.
    std::function<OfferOutcome()> outcome;
    // The error that the upload has failed with, if it has; both empty otherwise.
    std::function<OfferOutcome()> failure;
    // Calls `changed`, on any thread, whenever failure() may have come to say something, until what
    // it returns is destroyed.
    std::function<SignalConnection(std::function<void()> changed)> watch;
    // What the peer has uploaded must not be used.
    std::function<void()> give_up;
  };

  // Null, with `problem` set, if it cannot listen. Returns when it does. Whoever starts it starts
  // the signaller after it, and stops that one when it is destroyed.
  static std::unique_ptr<UploadServer> start(Settings settings, Events events,
                                             std::string& problem);
  // Says good-bye to the peer, and waits until that is done, a few seconds at most; then until the
  // application has been told, but not long for a handler of its, which may be what calls this.
  ~UploadServer();
  UploadServer(const UploadServer&) = delete;
  UploadServer& operator=(const UploadServer&) = delete;

  // Runs `what`, which holds the references it needs, on the thread of peer_added().
  void tell(std::function<void()> what) { announcer_->tell(std::move(what)); }

  // Both empty with a signaller.
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  class Worker;

  UploadServer() = default;

  std::string url_;
  std::uint16_t port_ = 0;
  GMainContext* context_ = nullptr;
  // The thread owns it.
  std::weak_ptr<Worker> worker_;
  std::shared_ptr<Announcer> announcer_;
  std::thread thread_;
};

}  // namespace webrtcupload
