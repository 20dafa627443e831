// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload as the client: offers, uploads, waits for the other side's last word.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/result_framing.h"
#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "tool/common/http_client.h"
#include "tool/send/completion.h"
#include "tool/send/session_watch.h"
#include "webrtc/peer.h"

namespace webrtcupload {

struct SenderOptions {
  std::string file;
  std::uint64_t size = 0;  // Of the file.
  ServerUrl server;
  std::optional<std::string> api_key;
  std::optional<std::string> workflow;
  std::optional<unsigned> chunk_size;
  std::optional<std::uint64_t> buffer_limit;
  std::chrono::milliseconds connect_timeout{30000};
};

// Lives on one context's thread, which is its thread's default.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  struct Events {
    // The channel is open: bytes flow.
    std::function<void()> connected;
    // Everything was handed over; the other side works on it.
    std::function<void()> uploaded;
    // Once, after everything is freed: an empty problem if the other side has said that it is done.
    std::function<void(const std::string& problem, const Completion&)> ended;
  };

  static std::shared_ptr<Sender> create(GMainContext* context, SenderOptions options,
                                        Events events);
  ~Sender();

  void start();
  // Ends it with that problem.
  void stop(const std::string& problem);

  // Any thread: what has left this program.
  [[nodiscard]] std::uint64_t bytes_sent() const;

 private:
  Sender(GMainContext* context, SenderOptions options, Events events);

  void post_offer(const std::string& sdp);
  void on_reply(HttpClient::Reply reply);
  void on_open();
  bool build_pipeline(std::string& problem);
  void on_message(GstMessage* message);
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
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<DataChannel> results_;
  std::shared_ptr<DataChannel> upload_;
  GstPtr<GstElement> pipeline_;
  GSource* bus_source_ = nullptr;
  std::atomic<std::uint64_t> bytes_ = 0;
  bool answered_ = false;
  bool open_ = false;
  bool uploaded_ = false;
  std::string failure_;  // The first of them.
  bool ending_ = false;
  std::string problem_;
  // One that is too large for this is too large for a last one as well.
  ResultAssembler assembler_{ResultAssembler::Limits{.max_memory = 4 << 20}};
  std::optional<Completion> completion_;
};

}  // namespace webrtcupload
