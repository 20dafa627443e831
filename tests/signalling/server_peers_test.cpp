// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers of webrtcuploadserver that come and go: the application is told of each once, and nothing
// of a peer that has left stays behind.

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "tool/process.h"
#include "tool/worker_client.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::BusLog;
using test::Bytes;
using test::eventually;
using test::WorkerClient;

// The threads of all webrtcbins in this process, and the sockets of whatever is in it.
struct Resources {
  std::size_t threads = 0;
  std::size_t sockets = 0;

  static Resources now() {
    Resources found;
    for (const auto& entry : fs::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(entry.path() / "comm"), name);
      // webrtcbin's own thread and that of its ICE. Its elements' threads go back to a pool.
      if (name == "gst-pc-ops" || name == "gst-nice-ops") ++found.threads;
    }
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const fs::path target = fs::read_symlink(entry.path(), gone);
      if (target.string().starts_with("socket:")) ++found.sockets;
    }
    return found;
  }
  bool operator<=(const Resources& other) const {
    return threads <= other.threads && sockets <= other.sockets;
  }
};

class ServerPeers : public ::testing::Test {
 protected:
  struct Peers {
    std::mutex mutex;
    // In the order of the signals. Only to be compared, but for `alive`.
    std::vector<GstElement*> added;
    std::vector<GstElement*> removed;
    int alive = 0;

    std::size_t count_removed() {
      const std::lock_guard lock(mutex);
      return removed.size();
    }
    int count_alive() {
      const std::lock_guard lock(mutex);
      return alive;
    }
    static void on_finalized(gpointer self, GObject*) {
      auto* peers = static_cast<Peers*>(self);
      const std::lock_guard lock(peers->mutex);
      --peers->alive;
    }
  };

  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-test-XXXXXX";
    directory_ = mkdtemp(name);
    std::ofstream(path(), std::ios::binary) << std::string(kSize, 'x');
  }
  void TearDown() override {
    if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    EXPECT_TRUE(eventually([&] { return peers_.count_alive() == 0; }));
    EXPECT_EQ(peers_.removed, peers_.added) << "each once, in the order in which they came";
    bus_.reset();
    pipeline_.reset();
    server_.reset();
    fs::remove_all(directory_);
  }

  void start(const std::string& rest) {
    pipeline_ = test::parse_pipeline("webrtcuploadserver name=server port=0 ! " + rest);
    ASSERT_TRUE(pipeline_);
    bus_ = std::make_unique<BusLog>(pipeline_.get());
    server_ = test::element_named(pipeline_, "server");
    g_signal_connect(server_.get(), "peer-added",
                     G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, Peers* peers) {
                       const std::lock_guard lock(peers->mutex);
                       peers->added.push_back(webrtcbin);
                       ++peers->alive;
                       g_object_weak_ref(G_OBJECT(webrtcbin), Peers::on_finalized, peers);
                     }),
                     &peers_);
    g_signal_connect(server_.get(), "peer-removed",
                     G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, Peers* peers) {
                       const std::lock_guard lock(peers->mutex);
                       peers->removed.push_back(webrtcbin);
                     }),
                     &peers_);
    play();
  }
  void play() {
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    before_ = Resources::now();
  }
  [[nodiscard]] int port() const {
    guint port = 0;
    g_object_get(server_.get(), "port", &port, nullptr);
    return static_cast<int>(port);
  }
  [[nodiscard]] std::string path() const { return directory_ + "/file"; }
  std::unique_ptr<WorkerClient> connect() const {
    auto client = std::make_unique<WorkerClient>();
    WorkerRequest request;
    request.realtime = false;
    EXPECT_EQ(client->connect(port(), request), 200);
    EXPECT_TRUE(client->wait_open());
    return client;
  }

  // What there was of the peers up to the `count`th has gone, while the element goes on.
  void expect_left(std::size_t count) {
    EXPECT_TRUE(eventually([&] { return peers_.count_removed() == count; }));
    EXPECT_TRUE(eventually([&] { return peers_.count_alive() == 0; }, test::kPrompt))
        << "something keeps the connection";
    EXPECT_TRUE(eventually([&] { return Resources::now() <= before_; }, test::kPrompt))
        << Resources::now().threads << " threads and " << Resources::now().sockets
        << " sockets, and " << before_.threads << " and " << before_.sockets << " before";
    EXPECT_EQ(peers_.count_removed(), count);
  }

  static constexpr std::size_t kSize = 200'000;
  std::string directory_;
  Peers peers_;
  Resources before_;
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> server_;
  std::unique_ptr<BusLog> bus_;
};

TEST_F(ServerPeers, LeavesBeforeItsUpload) {
  start("fakesink");
  connect()->hang_up();
  expect_left(1);
}

TEST_F(ServerPeers, LeavesAmidItsUpload) {
  start("fakesink");
  auto client = connect();
  client->upload_part(path(), 2);
  ASSERT_TRUE(client->wait_stored());
  client->hang_up();
  client.reset();
  expect_left(1);
  // Its upload has failed, and nothing else has.
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_ERROR));
  EXPECT_EQ(bus_->count(GST_MESSAGE_ERROR), 1U);
}

TEST_F(ServerPeers, LeavesAfterItsUpload) {
  start("fakesink");
  auto client = connect();
  client->upload(path());
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  client->hang_up();
  client.reset();
  expect_left(1);
  EXPECT_EQ(bus_->count(GST_MESSAGE_ERROR), 0U);
  // The upload is there still: there is no place for another one.
  WorkerClient next;
  EXPECT_EQ(next.connect(port()), 429);
}

// What a result sink of the same pipeline has of it goes too.
TEST_F(ServerPeers, LeavesAResultSink) {
  start("webrtcresultsink");
  auto client = connect();
  client->upload_part(path(), 2);
  ASSERT_TRUE(client->wait_stored());
  client->hang_up();
  client.reset();
  expect_left(1);
}

// libnice's time, 30 to 50 s, is what it takes to notice.
TEST_F(ServerPeers, IsKilledAfterItsUpload) {
  start("fakesink");
  auto client = connect();
  client->upload(path());
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  client->vanish();
  client.reset();
  EXPECT_TRUE(eventually([&] { return peers_.count_removed() == 1; }, 2 * test::kDeadline));
  expect_left(1);
}

TEST_F(ServerPeers, IsThereWhenTheElementStops) {
  start("fakesink");
  auto client = connect();
  client->upload_part(path(), 2);
  ASSERT_TRUE(client->wait_stored());
  ASSERT_EQ(test::set_state(pipeline_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  client.reset();
  expect_left(1);
}

TEST_F(ServerPeers, HasLeftWhenTheElementStartsAgain) {
  start("fakesink");
  for (std::size_t round = 1; round <= 2; ++round) {
    auto client = connect();
    client->upload(path());
    ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
    client->hang_up();
    client.reset();
    expect_left(round);
    ASSERT_EQ(test::set_state(pipeline_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(peers_.count_removed(), round);
    play();
  }
}

// By its request, which leaves the place taken once an upload has begun.
TEST_F(ServerPeers, EndsItsSessionAfterItsUpload) {
  start("fakesink");
  auto client = connect();
  client->upload(path());
  ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
  const std::string request =
      client->location() + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_NE(test::http_exchange(port(), "DELETE " + request).find(" 200 "), std::string::npos);
  EXPECT_TRUE(eventually([&] { return peers_.count_removed() == 1; }));
  client.reset();
  expect_left(1);
  EXPECT_NE(test::http_exchange(port(), "GET " + request).find(" 200 "), std::string::npos);
  WorkerClient next;
  EXPECT_EQ(next.connect(port()), 429);
}

}  // namespace
}  // namespace webrtcupload
