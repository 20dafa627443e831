// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client for tests and benchmarks that plays the public SDKs' part over HTTP and data channels,
// with a test's hand on what it acknowledges and on what lies between it and the server.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "glib/main_context.h"
#include "tool/common/http_client.h"
#include "webrtc/peer.h"

namespace webrtcupload::test {

class UploadClient {
 public:
  struct Options {
    std::string url;
    // The file's bytes.
    std::string film;
    // What is sent in place of it, each as one message, if there are any.
    std::vector<std::string> messages;
    // After the last of those, the upload channel is closed.
    bool closes_upload = false;
    std::vector<std::string> data_output;
    bool realtime = false;
    // Whether each result is acknowledged as it comes, as the SDKs do.
    bool acknowledges = true;
    // What each side is told of the other, for a relay between them. Null: what the other says.
    std::function<std::string(const std::string& sdp)> rewrite_offer;
    std::function<std::string(const std::string& sdp)> rewrite_answer;
  };
  struct Result {
    std::uint32_t frame_id = 0;
    std::string json;
    std::chrono::steady_clock::time_point when;
  };

  // Starts at once. It runs on a thread of its own; everything here may be called from any other.
  explicit UploadClient(Options options);
  // Hangs up, whatever the state.
  ~UploadClient();
  UploadClient(const UploadClient&) = delete;
  UploadClient& operator=(const UploadClient&) = delete;

  // Each false when the deadline has passed, or when it cannot happen any more.
  [[nodiscard]] bool wait_results(std::size_t count);
  // Until all is handed to the channel.
  [[nodiscard]] bool wait_sent();
  // Until the results channel was closed by the server.
  [[nodiscard]] bool wait_closed();

  // The completion is the last of them.
  [[nodiscard]] std::vector<Result> results() const;
  void acknowledge(std::uint32_t frame_id);
  // Why it does not work, if it does not.
  [[nodiscard]] std::string problem() const;

 private:
  struct ContextDeleter {
    void operator()(GMainContext* context) const { g_main_context_unref(context); }
  };

  void run();
  void start();
  void post_offer(const std::string& sdp);
  void upload();
  // The next message into `message`; false when there are no more.
  bool next_message(std::vector<std::uint8_t>& message) const;
  void on_data(std::span<const std::uint8_t> message);
  void send_ack(std::uint32_t frame_id);
  void fail(const std::string& problem);
  // Under the lock that is held, until then.
  bool wait(const std::function<bool()>& condition);

  const Options options_;
  const std::unique_ptr<GMainContext, ContextDeleter> context_;

  // Of the thread only.
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<HttpClient> http_;
  HttpClient::Call call_;
  std::shared_ptr<DataChannel> results_channel_;
  std::shared_ptr<DataChannel> upload_channel_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> gone_timer_;
  std::size_t chunks_sent_ = 0;
  std::string partial_;
  std::uint32_t parts_ = 0;

  mutable std::mutex mutex_;  // The below.
  std::condition_variable changed_;
  std::vector<Result> results_;
  std::string problem_;
  bool closed_ = false;
  bool sent_ = false;
  bool leaving_ = false;
  bool left_ = false;

  std::thread thread_;
};

}  // namespace webrtcupload::test
