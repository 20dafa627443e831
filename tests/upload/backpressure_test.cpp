// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A sender at full speed against a storage that is slow or stands still: the sender is held back,
// and nothing is lost.
//
// How far the backlog passes its high mark is not told exactly: a gate that closes lets through
// what is in webrtcbin's queues by then, which is what came while its threads waited for a
// processor.

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "upload/inbox.h"
#include "upload/receiving_pipeline.h"
#include "upload/test_storage.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

constexpr guint64 kHighMark = 4 * 1024 * 1024;
constexpr guint64 kMiB = 1024 * 1024;
// The address sanitizer keeps freed memory for a while, and makes the sender ten times slower: for
// the storage to be the slower one still, it has to be slowed as well.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

guint64 resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

class BackPressure : public testing::Test {
 protected:
  void TearDown() override { intercept_storage(nullptr); }

  GstPtr<GstElement> make_sender(guint64 size) { return make_noise_sender(pair_.offerer(), size); }

  PeerPair pair_{{.observe_incoming = false}};
};

struct Disk {
  const char* name;
  std::function<std::chrono::nanoseconds(std::size_t)> time_of_write;
  guint64 size;
};

class SlowDisk : public BackPressure, public testing::WithParamInterface<Disk> {};

TEST_P(SlowDisk, HoldsTheSenderBackAgainAndAgain) {
  const Disk& disk = GetParam();
  const guint64 size = kSanitized ? 12 * kMiB : disk.size;
  // The sleep is what is simulated here, a slow disk; nothing waits for it.
  delay_storage([&](std::size_t bytes) {
    std::this_thread::sleep_for(disk.time_of_write(bytes) * (kSanitized ? 10 : 1));
  });
  ReceivingPipeline receiver(pair_.answerer(), "upload-timeout=0", "fakesink name=sink sync=false");
  receiver.play();
  const auto sender = make_sender(size);
  BusLog sender_bus(sender.get());
  ASSERT_TRUE(pair_.start());
  ASSERT_NE(gst_element_set_state(sender.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  ASSERT_TRUE(pair_.negotiate());

  ASSERT_TRUE(eventually([&] { return receiver.stat_u64("bytes") > size / 8; }, kDeadline));
  const guint64 resident_early = resident_bytes();
  ASSERT_TRUE(receiver.wait_eos());
  const guint64 resident_late = resident_bytes();

  EXPECT_EQ(receiver.stat_u64("bytes"), size);
  EXPECT_EQ(receiver.state(), "done");
  // Without back-pressure seven eighths of the upload would have piled up in between.
  if (!kSanitized) {
    EXPECT_LT(receiver.stat_u64("backlog-peak"), size / 3);
    EXPECT_LT(resident_late, resident_early + size / 2);
  }
  stop_promptly(sender.get());
}

INSTANTIATE_TEST_SUITE_P(
    , SlowDisk,
    testing::Values(Disk{"FiveMillisecondsAWrite",
                         [](std::size_t) { return std::chrono::milliseconds(5); }, 96 * kMiB},
                    Disk{"FiveMegabytesASecond",
                         [](std::size_t bytes) { return std::chrono::nanoseconds(bytes * 200); },
                         40 * kMiB}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(BackPressure, StorageThatStandsStillHoldsTheSenderBack) {
  constexpr guint64 kSize = (kSanitized ? 12 : 48) * kMiB;
  const auto storage = stop_storage();
  ReceivingPipeline receiver(pair_.answerer(), "upload-timeout=0 idle-timeout=0",
                             "fakesink name=sink sync=false");
  receiver.play();
  const auto sender = make_sender(kSize);
  BusLog sender_bus(sender.get());
  ASSERT_TRUE(pair_.start());
  ASSERT_NE(gst_element_set_state(sender.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  ASSERT_TRUE(pair_.negotiate());

  EXPECT_TRUE(eventually([&] { return is_held_back(pair_.answerer()); }, kDeadline));
  EXPECT_TRUE(storage->wait_blocked());
  EXPECT_GT(receiver.stat_u64("backlog-peak"), kHighMark);
  storage->release();

  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.stat_u64("bytes"), kSize);
  stop_promptly(sender.get());
}

// The receiving side makes the channel, and the element has it before there is a connection whose
// SCTP decoder or sockets could be found.
TEST_F(BackPressure, ChannelMadeBeforeTheNegotiationIsHeldBackToo) {
  constexpr guint64 kSize = 16 * kMiB;
  constexpr guint64 kLowestHighMark = 64 * 1024;
  auto sender = parse_pipeline(
      "fakesrc sizetype=fixed filltype=random sizemax=65536 num-buffers=256 "
      "! webrtcuploadsink name=sink size=" +
      std::to_string(kSize));
  const auto sink = element_named(sender, "sink");
  BusLog sender_bus(sender.get());
  ASSERT_TRUE(pair_.start());
  const auto channel = pair_.create_channel("video_upload");
  const auto storage = stop_storage();
  ReceivingPipeline receiver(pair_.offerer(),
                             "upload-timeout=0 idle-timeout=0 backlog-high=65536 backlog-low=0",
                             "fakesink name=sink sync=false");
  g_object_set(receiver.upload(), "data-channel", channel.get(), nullptr);
  receiver.play();
  SignalConnection on_channel(
      pair_.answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* incoming, GstElement** to) {
        g_object_set(*to, "data-channel", incoming, nullptr);
        gst_element_set_state(GST_ELEMENT(GST_OBJECT_PARENT(*to)), GST_STATE_PLAYING);
      }),
      sink.get());
  ASSERT_TRUE(pair_.negotiate());

  EXPECT_TRUE(eventually([&] { return is_held_back(pair_.offerer()); }, kDeadline));
  EXPECT_TRUE(storage->wait_blocked());
  EXPECT_GT(receiver.stat_u64("backlog-peak"), kLowestHighMark);
  storage->release();
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.stat_u64("bytes"), kSize);
  int granted = 0;
  gst_structure_get_int(receiver.stats().get(), "socket-buffer-size", &granted);
  EXPECT_GT(granted, 0);
  stop_promptly(sender.get());
}

}  // namespace
}  // namespace webrtcupload::test
