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
#include "tool/send/sender_connection.h"
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
};

// Lives on one context's thread, which is its thread's default.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  struct Events {
    // The channel is open: bytes flow.
    std::function<void()> connected;
    // Everything was handed over; the other side works on it.
    std::function<void()> uploaded;
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

 private:
  Sender(GMainContext* context, SenderOptions options, Events events);

  void ask_limits();
  void on_limits(const HttpClient::Reply& reply);
  // Which wire format is spoken, or why none is.
  [[nodiscard]] std::string choose(const ServerLimits& limits);
  void connect();
  [[nodiscard]] std::string prepare(GstElement* webrtcbin);
  void on_open();
  void on_complete();
  void on_pipeline_failed(const SendingPipeline::Failure& failure);
  void on_results(std::span<const std::uint8_t> message);
  // What the server says of a session whose connection says nothing more.
  void on_session_ended(const SessionStatus& status);
  void on_server_gone(const std::string& why);
  // The other side says that all is well.
  void succeed();
  // Something went wrong; if the other side is about to say why, that is the better reason.
  void fail_softly(const std::string& problem, std::chrono::milliseconds grace);
  // The same when it can say nothing more.
  void fail_at_last(const std::string& problem);
  void finish(const std::string& problem);
  void disconnect();
  void conclude();

  GMainContext* context_;
  const SenderOptions options_;
  Events events_;
  Timer timer_;
  HttpClient http_;
  HttpClient::Call call_;
  SessionWatch watch_;
  bool v2_ = false;
  std::shared_ptr<SenderConnection> connection_;
  std::unique_ptr<SendingPipeline> pipeline_;
  bool uploaded_ = false;
  std::string failure_;  // The first of them.
  bool ending_ = false;
  SenderEnd end_;
  // One that is too large for this is too large for a last one as well.
  ResultAssembler assembler_{ResultAssembler::Limits{.max_memory = 4 << 20}};
  std::optional<Completion> completion_;
};

}  // namespace webrtcupload
