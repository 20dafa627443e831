// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An upload whose element is stopped: at once, without a word on the bus, and so that the
// connection and the element itself can be used again.

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/spool.h"
#include "support/odd_directory.h"
#include "upload/storage_factory.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {

// A real spool on a disk that stands still until `disk` is released, and is slow from then on. The
// sleep is what is simulated; nothing waits for it.
class SlowSpool final : public Storage {
 public:
  SlowSpool(std::unique_ptr<Spool> spool, std::shared_ptr<Blocker> disk)
      : spool_(std::move(spool)), disk_(std::move(disk)) {}

  std::optional<Error> reserve(std::uint64_t size, std::uint64_t expected) override {
    return spool_->reserve(size, expected);
  }
  std::optional<Error> write(std::uint64_t position, ByteView bytes) override {
    disk_->block();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return spool_->write(position, bytes);
  }
  std::optional<Error> read(std::uint64_t position, std::span<std::uint8_t> out) const override {
    return spool_->read(position, out);
  }

 private:
  const std::unique_ptr<Spool> spool_;
  const std::shared_ptr<Blocker> disk_;
};

// Raised when `webrtcbin` has seen a channel of its peer, which is some time after that one opened.
// Connect it last, and the elements' handlers have run before.
inline std::pair<SignalConnection, std::shared_ptr<Count>> count_channels(GstElement* webrtcbin) {
  using Closure = std::shared_ptr<Count>;
  auto count = std::make_shared<Count>();
  SignalConnection connection(webrtcbin, "on-data-channel",
                              G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel*, Closure* closure) {
                                (*closure)->raise();
                              }),
                              count);
  return {std::move(connection), std::move(count)};
}

inline void cause_failure(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 3, 2, Bytes(10)));
}

class Teardown : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The first pair opens what the process then keeps.
    PeerPair({.observe_incoming = false}).connect();
  }

  void SetUp() override {
    descriptors_ = std::make_unique<FdGuard>();
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
  }

  void TearDown() override {
    disk_->release();
    replace_storage_factory(nullptr);
    channel_ = {};
    connections_.clear();
    witness_.reset();
    receiver_.reset();
    pair_.reset();
    descriptors_->expect_none_new();
  }

  void make_receiver(const std::string& properties = "",
                     const std::string& tail = ReceivingPipeline::kCollectBytes) {
    receiver_ = std::make_unique<ReceivingPipeline>(
        pair_->answerer(), "spool-directory=" + spool_.path() + " " + properties, tail);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
  }
  void connect(const char* label = "video_upload") {
    channel_ = pair_->connect(label);
    ASSERT_TRUE(channel_.channel);
  }
  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }
  [[nodiscard]] GstElement* upload() const { return receiver_->upload(); }

  // An upload of which nothing gets onto the disk, until its peer is held back: then the disk goes
  // on, slowly, so that what is tested next meets a peer that still is.
  void upload_until_held_back() {
    constexpr guint64 kHighMark = 256 * 1024;
    replace_storage_factory([disk = disk_](
                                const std::string& directory) -> Result<std::unique_ptr<Storage>> {
      auto spool = Spool::open(directory);
      if (!spool) return spool.error();
      return std::unique_ptr<Storage>(std::make_unique<SlowSpool>(std::move(spool.value()), disk));
    });
    make_receiver("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0");
    receiver_->play();
    connect();
    // In two parts: the gate has closed when the second one leaves, which therefore meets it.
    const auto chunks = cut(random_bytes(8'000'000), 49152);
    const auto total = static_cast<std::uint32_t>(chunks.size());
    constexpr std::uint32_t kEarly = 20;
    for (std::uint32_t i = 0; i < total; ++i) {
      ASSERT_TRUE(send_chunk(channel(), i, total, chunks[i]));
      if (i + 1 == kEarly) {
        ASSERT_TRUE(disk_->wait_blocked());
        ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("backlog") > kHighMark; }))
            << where_it_stands();
      }
    }
    ASSERT_TRUE(eventually([&] { return is_held_back(pair_->answerer()); }));
    disk_->release();
  }

  // Where the bytes are that should have arrived.
  [[nodiscard]] std::string where_it_stands() const {
    const GCharPtr stats(gst_structure_to_string(receiver_->stats().get()));
    return std::string(stats.get()) + "; the sender's buffered-amount: " +
           std::to_string(channel_.observer->buffered_amount()) + "; the gate is " +
           (is_held_back(pair_->answerer()) ? "closed" : "open");
  }

  // To NULL, and nobody was told anything.
  void stop_silently() {
    stop_promptly(receiver_->pipeline());
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
    EXPECT_TRUE(witness_->failures().empty());
    expect_no_spool_file();
  }

  // The spool file goes with the element, or with a handler that has outlived it.
  void expect_no_spool_file() {
    EXPECT_EQ(spool_.entries(), 0U);
    EXPECT_TRUE(eventually([&] { return !spool_file_open(); }));
  }
  [[nodiscard]] bool spool_file_open() const {
    for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
      if (target.find(spool_.path()) != std::string::npos) return true;
    }
    return false;
  }

  // On the connection that is there, with a fresh element.
  void expect_next_upload_works() {
    replace_storage_factory(nullptr);
    expect_upload_works(*pair_);
  }

  TemporaryDirectory spool_;
  const std::shared_ptr<Blocker> disk_ = std::make_shared<Blocker>();
  std::unique_ptr<FdGuard> descriptors_;
  std::unique_ptr<PeerPair> pair_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  std::vector<SignalConnection> connections_;
  PeerPair::Channel channel_;
};

}  // namespace webrtcupload::test
