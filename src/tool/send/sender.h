// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload as the client: asks what the server speaks, offers, uploads, waits for the other
// side's last word.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/result_framing.h"
#include "glib/main_context.h"
#include "tool/common/http_client.h"
#include "tool/send/completion.h"
#include "tool/send/connection_rule.h"
#include "tool/send/sender_connections.h"
#include "tool/send/sending_pipeline.h"
#include "tool/send/server_limits.h"
#include "tool/send/session_watch.h"

namespace webrtcupload {

// Which wire format is wanted; kAuto: v2 where the server speaks it.
enum class WantedProtocol { kAuto, kV1, kV2 };

struct SenderOptions {
  std::string file;
  // Of the file; nothing for standard input.
  std::optional<std::uint64_t> size;
  WantedProtocol protocol = WantedProtocol::kAuto;
  // Of the upload, with v2; nothing: as many as make it faster.
  std::optional<unsigned> connections;
  ServerUrl server;
  std::optional<std::string> api_key;
  std::optional<std::string> workflow;
  std::optional<unsigned> chunk_size;
  std::optional<std::uint64_t> buffer_limit;
  std::chrono::milliseconds connect_timeout{30000};
};

// How it ended.
struct SenderEnd {
  // Empty if the other side has said that it is done.
  std::string problem;
  std::uint64_t frames = 0;
  // Of the file, which the server has as well; empty with v1.
  std::string sha256;
  // The server has lost the upload, and may take it all the same when it comes again from its
  // beginning.
  bool may_start_anew = false;
};

// All connections are lost, and another one is tried.
struct SenderInterruption {
  int attempt = 0;
  std::chrono::seconds left{0};  // Until the server gives up.
};

// Lives on one context's thread, which is its thread's default.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  struct Events {
    // The channel is open: bytes flow.
    std::function<void()> connected;
    // Everything was handed over; the other side works on it.
    std::function<void()> uploaded;
    // Something that the person should know, and nothing that ends it. A sentence.
    std::function<void(const std::string&)> note;
    // Once, after everything is freed.
    std::function<void(const SenderEnd&)> ended;
  };

  static std::shared_ptr<Sender> create(GMainContext* context, SenderOptions options,
                                        Events events);
  ~Sender();

  void start();
  // Ends it with that problem.
  void stop(const std::string& problem);

  // What has left this program; with v2 what the server has stored.
  [[nodiscard]] std::uint64_t bytes_across() const;
  // What the source has brought.
  [[nodiscard]] std::uint64_t bytes_taken() const;
  [[nodiscard]] std::optional<SenderInterruption> interruption() const;

 private:
  Sender(GMainContext* context, SenderOptions options, Events events);

  using Clock = std::chrono::steady_clock;
  struct Loss {
    std::string why;
    Clock::time_point deadline;
    std::uint64_t stored = 0;  // By the server, until then.
    std::string problem;       // Of the last try.
  };

  void ask_limits();
  void on_limits(const HttpClient::Reply& reply);
  // Which wire format is spoken, or why none is.
  [[nodiscard]] std::string choose(const ServerLimits& limits);
  void connect();
  void make_pipeline();
  [[nodiscard]] SenderConnections::Events connection_events();
  void on_open();
  void on_complete();
  void on_pipeline_failed(const SendingPipeline::Failure& failure);
  void on_results(std::span<const std::uint8_t> message);
  // What the server says of a session whose connection says nothing more.
  void on_session_ended(const SessionStatus& status);
  void on_server_gone(const std::string& why);

  // How many connections there are: sender_connecting.cpp.
  void on_ready(const SendingPipeline::Ready& ready);
  void want(unsigned connections);
  // Says it when there are to be more than the server accepts.
  void note_most(unsigned most);
  void look();
  void on_not_added();
  // The upload can go on over another connection.
  [[nodiscard]] bool can_go_on() const;
  void on_all_lost(const std::string& why);
  void on_refused(const SenderConnection::Failure& failure);
  // The server has nothing that a further connection could go on with, and should know why.
  void ask_how_it_ended();
  void on_told_how_it_ended(const HttpClient::Reply& reply);
  void on_resumed();
  void give_up();

  // The other side says that all is well.
  void succeed();
  // Something went wrong; if the other side is about to say why, that is the better reason.
  void fail_softly(const std::string& problem, std::chrono::milliseconds grace);
  // The same when it can say nothing more.
  void fail_at_last(const std::string& problem);
  // `lost_there`: the server has nothing of the upload any more.
  void finish(const std::string& problem, bool lost_there = false);
  void disconnect();
  void conclude();

  GMainContext* context_;
  const SenderOptions options_;
  Events events_;
  Timer timer_;
  Timer resume_timer_;
  Timer look_timer_;
  HttpClient http_;
  HttpClient::Call call_;
  SessionWatch watch_;
  bool v2_ = false;
  std::unique_ptr<SenderConnections> connections_;
  std::unique_ptr<SendingPipeline> pipeline_;
  std::string location_;
  // What is known of how many there may be.
  unsigned most_ = kMostConnections;
  unsigned wanted_ = 1;
  std::optional<ConnectionRule> rule_;
  std::optional<SendingPipeline::Ready> ready_;
  std::optional<Loss> loss_;
  bool uploaded_ = false;
  bool ended_there_ = false;
  std::string failure_;  // The first of them.
  bool ending_ = false;
  SenderEnd end_;
  // One that is too large for this is too large for a last one as well.
  ResultAssembler assembler_{ResultAssembler::Limits{.max_memory = 4 << 20}};
  std::optional<Completion> completion_;
};

}  // namespace webrtcupload
