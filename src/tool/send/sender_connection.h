// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One connection of an upload's client: made by an offer that is posted to the server, and told of
// until it is closed.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "glib/main_context.h"
#include "tool/common/http_client.h"
#include "webrtc/peer.h"

namespace webrtcupload {

// Lives on one context's thread, which is its thread's default.
class SenderConnection : public std::enable_shared_from_this<SenderConnection> {
 public:
  struct Options {
    std::string url;   // Where the offer is posted.
    std::string host;  // Its host, which decides about the network.
    std::optional<std::string> api_key;
    std::optional<std::string> workflow;
    // Whether it is the one over which results come.
    bool results = true;
    std::chrono::milliseconds timeout{30000};
  };
  struct Failure {
    std::string problem;
    // Of the server's reply, if it was one that refuses; 0: something else is wrong.
    unsigned status = 0;
    std::optional<std::chrono::seconds> retry_after;
    // Without a status: it is the network, and nothing that was said.
    bool passing = false;

    // Another try may go better.
    [[nodiscard]] bool may_pass() const;
  };
  struct Events {
    // Before the offer is made: the place to make further channels. What is wrong, or nothing.
    std::function<std::string(GstElement* webrtcbin)> prepare;
    // The server has made the connection: the address that it names, if any.
    std::function<void(const std::string& location)> answered;
    // Messages get through.
    std::function<void()> open;
    std::function<void(std::span<const std::uint8_t>)> result;
    // It has never opened. The last event.
    std::function<void(const Failure&)> failed;
    // It was open, and is no more. The last event.
    std::function<void(const std::string& why)> lost;
    // The other side is not who it should be. The last event.
    std::function<void(const std::string& why)> untrusted;
  };

  static std::shared_ptr<SenderConnection> create(GMainContext* context, HttpClient& http,
                                                  Options options, Events events);
  SenderConnection(const SenderConnection&) = delete;
  SenderConnection& operator=(const SenderConnection&) = delete;

  void start();
  // Something that the other side's SCTP has to acknowledge, and nobody reads.
  void probe();
  // No event follows. `closed` comes later, when all of it is freed.
  void close(std::function<void()> closed);

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] bool has_results() const { return options_.results; }
  // As the server calls it; empty before it is answered, or if the server does not say.
  [[nodiscard]] const std::string& location() const { return location_; }
  // Null once it is closed.
  [[nodiscard]] GstElement* webrtcbin() const { return peer_ ? peer_->webrtcbin() : nullptr; }
  // See Peer::packets_received.
  [[nodiscard]] std::uint64_t packets_received() const;

 private:
  SenderConnection(GMainContext* context, HttpClient& http, Options options, Events events);

  [[nodiscard]] bool make_peer(std::string& problem);
  void watch_results();
  void post_offer(const std::string& sdp);
  void on_reply(const HttpClient::Reply& reply);
  void on_open();
  void on_gone(const std::string& why);
  void fail(const Failure& failure);
  // False when nothing is told any more.
  [[nodiscard]] bool end();

  GMainContext* const context_;
  HttpClient& http_;
  const Options options_;
  const Events events_;
  Timer timer_;
  HttpClient::Call call_;
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<DataChannel> results_;
  std::string location_;
  bool answered_ = false;
  bool open_ = false;
  bool ended_ = false;
};

}  // namespace webrtcupload
