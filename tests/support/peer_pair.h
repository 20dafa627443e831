// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two real webrtcbins in one process, connected over 127.0.0.1 without any signalling server.

#pragma once

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "support/channel_observer.h"
#include "support/gst_test.h"

namespace webrtcupload::test {

class PeerPair {
 public:
  enum class Side { kOfferer, kAnswerer };

  struct Options {
    // Whether channels the other side creates are given a ChannelObserver (which keeps all that
    // arrives). Turn it off where an element takes the channel and the upload is large.
    bool observe_incoming = true;
    // What each side is told of the other, for a relay between them. Null: what the other says.
    std::function<std::string(const std::string& sdp)> rewrite_offer;
    std::function<std::string(const std::string& sdp)> rewrite_answer;
  };

  // Both pipelines are made but still in NULL; add elements to them before start(), if any.
  PeerPair();
  explicit PeerPair(Options options);
  // Stops both.
  ~PeerPair();
  PeerPair(const PeerPair&) = delete;
  PeerPair& operator=(const PeerPair&) = delete;

  // The pipelines are called "offerer" and "answerer", each webrtcbin is called "pc" in its own.
  [[nodiscard]] GstElement* pipeline(Side side) const { return peer(side).pipeline.get(); }
  [[nodiscard]] GstElement* webrtcbin(Side side) const { return peer(side).webrtcbin.get(); }
  [[nodiscard]] GstElement* offerer() const { return webrtcbin(Side::kOfferer); }
  [[nodiscard]] GstElement* answerer() const { return webrtcbin(Side::kAnswerer); }
  [[nodiscard]] BusLog& bus(Side side) { return *peer(side).bus; }

  // Adds an element that was just made to a pipeline.
  void add(Side side, GstElement* element);

  // Both pipelines to PLAYING.
  testing::AssertionResult start();

  // Creates a channel; start() must have been called. The offerer must have one before
  // negotiate(). Waits until channels closed on this side are closed on the other: webrtcbin 1.22
  // gives their numbers away at once, and the other side takes the new channel for the old one.
  GstPtr<GstWebRTCDataChannel> create_channel(const char* label, Side side = Side::kOfferer,
                                              GstStructure* options = nullptr);

  // Offer, answer and candidates, all in this process; returns when both are connected.
  testing::AssertionResult negotiate();

  // The usual beginning: start(), one channel on the offerer, negotiate(). The channel is open.
  struct Channel {
    GstPtr<GstWebRTCDataChannel> channel;
    std::shared_ptr<ChannelObserver> observer;
  };
  Channel connect(const char* label = "video_upload");

  // The first channel with this label that the other side of `side` created; null after the
  // deadline, or always without observe_incoming.
  std::shared_ptr<ChannelObserver> incoming(Side side, std::string_view label = "video_upload",
                                            std::chrono::milliseconds deadline = kDeadline);

  // This side closes the connection as a well-behaved peer does (DTLS close_notify), then stops.
  // Fails the test, and only stops, if there is no connection.
  void close_connection(Side side);
  // This side stops without a word more than webrtcbin says by itself.
  void stop(Side side);

 private:
  struct Incoming;
  struct Channels;
  struct Peer {
    GstPtr<GstElement> pipeline;
    GstPtr<GstElement> webrtcbin;
    std::unique_ptr<BusLog> bus;
    std::shared_ptr<Incoming> incoming;
    SignalConnection on_data_channel;
    SignalConnection on_any_channel;
  };

  Peer& peer(Side side) { return side == Side::kOfferer ? offerer_ : answerer_; }
  const Peer& peer(Side side) const { return side == Side::kOfferer ? offerer_ : answerer_; }
  void make_peer(Peer& peer, const char* name, const Options& options);

  const std::function<std::string(const std::string& sdp)> rewrite_offer_;
  const std::function<std::string(const std::string& sdp)> rewrite_answer_;
  // All of both sides, kept until both have stopped: 1.22's sending thread uses a channel after it
  // has caused its end (on_appsrc_data() in webrtcdatachannel.c).
  std::shared_ptr<Channels> channels_;
  Peer offerer_;
  Peer answerer_;
};

}  // namespace webrtcupload::test
