// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections of one session of an upload's client: the first one, and with wire format v2
// further ones, as many as are wanted, and others in the place of those that are lost. One of them
// is for the results.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glib/main_context.h"
#include "tool/common/http_client.h"
#include "tool/send/back_off.h"
#include "tool/send/sender_connection.h"

namespace webrtcupload {

// Lives on one context's thread, which is its thread's default.
class SenderConnections {
 public:
  struct Options {
    ServerUrl server;
    std::optional<std::string> api_key;
    std::optional<std::string> workflow;
    // For the first one.
    std::chrono::milliseconds connect_timeout{30000};
  };
  struct Events {
    // Before the offer of the first is made: the place to make the upload's channel.
    std::function<std::string(GstElement* webrtcbin)> prepare;
    // Likewise of a further one.
    std::function<std::string(GstElement* webrtcbin)> attach;
    // The session's address, if it has one.
    std::function<void(const std::string& location)> answered;
    // The first is open.
    std::function<void()> open;
    std::function<void(std::span<const std::uint8_t>)> result;
    // The first has never opened.
    std::function<void(const std::string& problem)> failed;
    // None is left.
    std::function<void(const std::string& why)> lost;
    // While none is left: a try for another one has failed. If that may pass, there will be
    // another.
    std::function<void(const SenderConnection::Failure&)> refused;
    // One that was wanted beside others has not come about.
    std::function<void()> not_added;
    std::function<void(const std::string& why)> untrusted;
  };

  SenderConnections(GMainContext* context, HttpClient& http, Options options, Events events);
  SenderConnections(const SenderConnections&) = delete;
  SenderConnections& operator=(const SenderConnections&) = delete;

  void start();

  // From now on further ones may be made, until there are so many; what is lost is replaced, and
  // what is silent is given up.
  void keep(unsigned wanted);
  // The upload goes on: the next time the tries begin anew.
  void note_resumed();
  // Makes no more, and gives none up.
  void halt();
  // Likewise, and closes all but the one for the results.
  void settle();
  // The one with that webrtcbin has lost its channel.
  void lose(GstElement* webrtcbin, const std::string& why);
  void lose_all(const std::string& why);
  // All of them, and what is told of them. With `end_session` the server is asked to end it.
  void close(bool end_session, std::function<void()> closed);

  [[nodiscard]] std::size_t open_count() const;
  // Whether one is open, or was before.
  [[nodiscard]] bool was_open() const { return was_open_; }
  // How often another one has been tried, while there was none, since the upload went on.
  [[nodiscard]] int attempts() const { return attempts_; }
  // A number that changes when anything comes.
  [[nodiscard]] std::uint64_t packets_received() const;

 private:
  struct Entry {
    int number = 0;  // From 1, which is the first one.
    std::shared_ptr<SenderConnection> connection;
    std::chrono::steady_clock::time_point opened_at;
    std::uint64_t packets = 0;
    int quiet = 0;  // Looks without a packet.
  };
  using Entries = std::vector<Entry>;

  [[nodiscard]] SenderConnection::Events events_for(int number);
  void add();
  [[nodiscard]] Entry* find(int number);
  void on_answered(int number, const std::string& location);
  void on_open(int number);
  void on_failed(int number, const SenderConnection::Failure& failure);
  void on_lost(int number, const std::string& why);
  void on_untrusted(int number, const std::string& why);
  // Makes another one if there is to be one and none is on its way.
  void maintain();
  void try_again_after(std::optional<std::chrono::seconds> retry_after);
  // Whether anything still comes.
  void look();
  // The number of one that is dead, if there is one.
  [[nodiscard]] std::optional<int> find_dead() const;
  void drop(int number);
  void end_at_server(const std::string& address);
  void when_closed();

  GMainContext* const context_;
  HttpClient& http_;
  const Options options_;
  const Events events_;
  Timer retry_timer_;
  Timer look_timer_;
  BackOff back_off_;
  Entries entries_;
  std::vector<HttpClient::Call> goodbyes_;
  int unanswered_goodbyes_ = 0;
  std::string location_;
  unsigned wanted_ = 0;
  bool was_open_ = false;
  int attempts_ = 0;
  int last_number_ = 0;
  int closing_ = 0;
  std::uint64_t packets_of_gone_ = 0;
  std::function<void()> closed_;
  // For what comes later and finds this gone.
  std::shared_ptr<SenderConnections*> self_ = std::make_shared<SenderConnections*>(this);
};

}  // namespace webrtcupload
