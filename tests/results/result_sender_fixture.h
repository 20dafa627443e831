// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A ResultSender over a real connection, with a client at the other end.

#pragma once

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "results/result_client.h"
#include "results/result_sender.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

inline constexpr std::chrono::seconds kForever{3600};

inline GstVideoInfo video(int width = 320, int height = 240) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, static_cast<guint>(width),
                            static_cast<guint>(height));
  info.fps_n = 25;
  info.fps_d = 1;
  return info;
}

inline GstBufferPtr frame(std::uint32_t number = 0, std::size_t size = 1) {
  GstBufferPtr buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(buffer.get(), 0, 128, size);
  GST_BUFFER_PTS(buffer.get()) = 40 * GST_MSECOND * number;
  return buffer;
}

// A text of that many bytes makes a result a little larger than that.
inline std::vector<Detection> detection_with_text(std::size_t bytes) {
  return {{"thing", Box{1, 2, 3, 4}, 0.5, std::string(bytes, 'x')}};
}

// The sender at the answering side, a client at the other, and what the sender's events said.
class ResultSenderTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(peers_.start()); }

  void TearDown() override {
    if (client_) client_->set_stuck(false);
    // As an application has to that stops a webrtcbin with something unsent.
    if (sender_) sender_->cancel("cancelled", {}, kPrompt, true);
    sender_.reset();
  }

  void make_sender(ResultSettings settings = {}) {
    // A webrtcbin that is told of a channel's end throws away what it has received and not
    // delivered yet. So the client closes it, unless a test is about that.
    if (!keep_linger_) settings.linger = kForever;
    if (settings.channel_timeout == ResultSettings().channel_timeout) {
      settings.channel_timeout = kForever;
    }
    ResultEvents events;
    events.control = [this](const std::string& text) {
      std::function<void()> handler;
      {
        const std::lock_guard lock(mutex_);
        control_.push_back(text);
        handler = on_control_;
        changed_.notify_all();
      }
      if (handler) handler();
    };
    events.gone = [this](const Error& why) {
      const std::lock_guard lock(mutex_);
      gone_ = why.message;
      changed_.notify_all();
    };
    events.finished = [this](const Delivery& delivery) {
      const std::lock_guard lock(mutex_);
      delivery_ = delivery;
      changed_.notify_all();
    };
    sender_ = ResultSender::create(std::move(settings), std::move(events));
    sender_->attach(peers_.answerer());
  }

  // Sender and client, connected.
  void connect(ResultSettings settings = {}) {
    make_sender(std::move(settings));
    client_ = std::make_unique<ResultClient>(peers_);
    ASSERT_TRUE(peers_.negotiate());
    ASSERT_TRUE(client_->observer().wait_open());
  }

  // In a file that begins at 0.
  static StreamTime time_of(const GstBuffer* buffer) {
    return static_cast<std::int64_t>(GST_BUFFER_PTS(buffer));
  }

  bool send(std::uint32_t number = 0, const std::vector<Detection>& detections = {}) {
    const GstBufferPtr buffer = frame(number);
    return sender_->send_frame(buffer.get(), time_of(buffer.get()), info_, detections);
  }

  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, condition);
  }
  std::optional<Delivery> wait_finished() {
    wait([this] { return delivery_.has_value(); });
    const std::lock_guard lock(mutex_);
    return delivery_;
  }

  // The client has everything and closes the channel.
  std::optional<Delivery> wait_end() {
    EXPECT_TRUE(client_->wait_completion());
    client_->close();
    return wait_finished();
  }

  PeerPair peers_;
  bool keep_linger_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> control_;
  std::function<void()> on_control_;
  std::optional<std::string> gone_;
  std::optional<Delivery> delivery_;
  std::shared_ptr<ResultSender> sender_;
  std::unique_ptr<ResultClient> client_;
  GstVideoInfo info_ = video();
};

}  // namespace webrtcupload::test
