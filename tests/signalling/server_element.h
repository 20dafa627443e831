// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadserver in a pipeline, with clients that really connect.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "support/run_to_end.h"
#include "tool/worker_client.h"

namespace webrtcupload::test {

inline constexpr int kFrames = 20;

class ServerElement : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override {
    if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    bus_.reset();
    std::filesystem::remove_all(directory_);
  }

  // "webrtcuploadserver name=server port=0 `properties` ! `rest`".
  void make(const std::string& properties, const std::string& rest) {
    pipeline_ =
        parse_pipeline("webrtcuploadserver name=server port=0 " + properties + " ! " + rest);
    ASSERT_TRUE(pipeline_);
    bus_ = std::make_unique<BusLog>(pipeline_.get());
    server_ = element_named(pipeline_, "server");
    channels() = 0;
    g_signal_connect(
        server_.get(), "peer-added", G_CALLBACK(+[](GstElement*, GstElement* webrtcbin) {
          // After the server's own handler.
          g_signal_connect_after(webrtcbin, "on-data-channel",
                                 G_CALLBACK(+[](GstElement*, gpointer) { ++channels(); }), nullptr);
        }),
        nullptr);
  }
  // Until the server knows both of its peer's channels. Each is announced on a thread of its own,
  // and a last word has to have its channel by then.
  [[nodiscard]] static bool wait_channels() {
    return eventually([] { return channels() == 2; });
  }
  static std::atomic<int>& channels() {
    static std::atomic<int> count = 0;
    return count;
  }
  void start(const std::string& properties, const std::string& rest) {
    make(properties, rest);
    play();
  }
  void play() {
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  }
  [[nodiscard]] int port() const {
    guint port = 0;
    g_object_get(server_.get(), "port", &port, nullptr);
    return static_cast<int>(port);
  }

  // A file of so many bytes, none like the other, and what it holds.
  std::string write_file(std::size_t size, Bytes& bytes) const {
    bytes = random_bytes(size);
    const std::string path = directory_ + "/file";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
    return path;
  }
  [[nodiscard]] std::string write_video() const {
    std::string path = directory_ + "/video.mp4";
    EXPECT_TRUE(run_to_end(
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc ! mp4mux ! filesink location=" +
        path));
    return path;
  }

  // What "filesink location=out" has written.
  [[nodiscard]] std::string out() const { return directory_ + "/out"; }
  [[nodiscard]] Bytes written() const {
    std::ifstream in(out(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  std::string directory_;
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> server_;
  std::unique_ptr<BusLog> bus_;
};

inline WorkerRequest batch() {
  WorkerRequest request;
  request.realtime = false;
  request.data_output = std::vector<std::string>{"*"};
  return request;
}

}  // namespace webrtcupload::test
