// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What fails an upload besides its messages: time, the peer, the application, the disk.

#include <gtest/gtest.h>

#include <string>
#include <sys/mount.h>
#include <thread>

#include "core/spool.h"
#include "support/odd_directory.h"
#include "upload/upload_faults.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// time

// The first chunk is there when the element starts, so only its own worker stands between the
// opening and that chunk.
constexpr char kIdleAfterASecond[] = "idle-timeout=1000000000";

void send_first_of_three(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 0, 3, random_bytes(100)));
}

TEST_F(UploadFaults, IdleWithinTheUpload) {
  start_with_waiting(kIdleAfterASecond, 1, send_first_of_three);
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT, "idle-timeout", {"1 s", "1 of 3 chunks"}});
}

TEST_F(UploadFaults, UploadTimeout) {
  start_with_waiting("upload-timeout=1000000000", 1, send_first_of_three);
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT, "upload-timeout", {"1 s", "1 of 3 chunks"}});
}

// The minute that the rate is measured over is a real one.
TEST_F(UploadFaults, TooSlow) {
  start_with_waiting("idle-timeout=0 min-rate=1000", 1, send_first_of_three);
  EXPECT_TRUE(witness_->wait_failed(kDeadline + std::chrono::seconds(60)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_TOO_SLOW,
                      "too-slow",
                      {"100 bytes came in 60 s", "1000 a second", "1 of 3 chunks"}});
}

TEST_F(UploadFaults, RepetitionsAndKeepalivesDoNotKeepAnUploadAlive) {
  start_with_waiting(kIdleAfterASecond, 2, [](GstWebRTCDataChannel* object) {
    send_first_of_three(object);
    send_first_of_three(object);
  });
  EXPECT_TRUE(ping_until(
      channel_, [&] { return !witness_->failures().empty(); },
      [&] { (void)send_chunk(channel(), 0, 3, random_bytes(100)); }));
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT, "idle-timeout", {"1 s", "1 of 3 chunks"}});
  EXPECT_GE(receiver_->stat_u64("duplicates"), 1U);
}

// The first chunk takes longer than the idle time-out allows, and counts all the same; then the
// time for all of it is over before that for the next one is. However long anything takes, the one
// for all of it is looked at first.
TEST_F(UploadFaults, NewChunksKeepAnUploadAliveButNotForEver) {
  const auto begin = std::chrono::steady_clock::now();
  SignalConnection connection;
  start_with_waiting(std::string(kIdleAfterASecond) + " upload-timeout=2000000000", 1,
                     [&](GstWebRTCDataChannel* object) {
                       // An application that takes its time.
                       connection = on_authorize(receiver_->upload(), [](auto*) {
                         std::this_thread::sleep_for(std::chrono::milliseconds(1300));
                         return true;
                       });
                       send_first_of_three(object);
                     });
  expect_failure(
      {GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT, "upload-timeout", {"2 s", "1 of 3 chunks"}});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_TRUE(channel_.observer->wait_closed());
  expect_told_once();
}

TEST_F(UploadFaults, ZeroTurnsTimeoutsOff) {
  start("idle-timeout=0 upload-timeout=0 min-rate=0");
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  EXPECT_TRUE(ping_until(channel_, [&] { return std::chrono::steady_clock::now() >= until; }));
  ASSERT_TRUE(send_chunk(channel(), 1, 2, Bytes(10)));
  ASSERT_TRUE(receiver_->wait_eos());
}

// -------------------------------------------------------------------------------------------------
// a peer that leaves

TEST_F(UploadFaults, PeerClosesTheChannel) {
  start();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  gst_webrtc_data_channel_close(channel());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"1 chunks of 3"}});
}

TEST_F(UploadFaults, PeerClosesTheChannelBeforeTheFirstChunk) {
  start();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  gst_webrtc_data_channel_close(channel());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"0 chunks"}});
}

TEST_F(UploadFaults, PeerClosesTheConnection) {
  start();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  const auto begin = std::chrono::steady_clock::now();
  pair_->close_connection(Side::kOfferer);
  expect_failure({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"1 chunks of 3"}});
  EXPECT_LE(std::chrono::steady_clock::now() - begin, kPrompt);
  expect_told_once();
}

TEST_F(UploadFaults, PeerMayLeaveOnceEverythingHasArrived) {
  make_receiver("");
  // Not read any further than the preroll: the file is still needed when the peer leaves.
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  const Bytes file = random_bytes(300'000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(witness_->wait_complete());
  pair_->close_connection(Side::kOfferer);
  receiver_->play();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

// -------------------------------------------------------------------------------------------------
// the application says no

TEST_F(UploadFaults, Unauthorized) {
  make_receiver("");
  const auto connection = on_authorize(receiver_->upload(), [](auto*) { return false; });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(10'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED, "unauthorized", {}});
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 0U);
}

TEST_F(UploadFaults, OverQuotaWhileUploading) {
  make_receiver("quota-interval=20000000");
  const auto connection = on_check_quota(receiver_->upload(), [] { return false; });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED, "quota-exceeded", {}});
}

TEST_F(UploadFaults, OverQuotaWhileProcessing) {
  make_receiver("quota-interval=20000000");
  GstElement* upload = receiver_->upload();
  const UploadWitness* witness = witness_.get();
  const auto connection = on_check_quota(upload, [witness] {
    return !witness->wait_state("processing", std::chrono::milliseconds(0));
  });
  // The sink keeps its first buffer, so the reading never ends by itself.
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(witness_->wait_complete());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED, "quota-exceeded", {}});
  EXPECT_EQ(witness_->completions(), 1);
}

// -------------------------------------------------------------------------------------------------
// storage

TEST_F(UploadFaults, SpoolDirectoryMissing) {
  make_receiver("");
  const std::string missing = spool_.path() + "/not/there";
  g_object_set(receiver_->upload(), "spool-directory", missing.c_str(), nullptr);
  EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find(missing), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("No such file or directory"), std::string::npos) << error.message;
  expect_only_start_errors();
  // Not for good: it works once the directory is right.
  ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  g_object_set(receiver_->upload(), "spool-directory", spool_.path().c_str(), nullptr);
  receiver_->play();
  connect();
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(receiver_->bytes(), file);
}

// Skips where this process may not mount.
#define RUN_WITH_TMPFS(options, flags, ...)                                             \
  {                                                                                     \
    const int mount_error = run_with_tmpfs(spool_.path(), options, flags, __VA_ARGS__); \
    if (mount_error == EPERM) GTEST_SKIP() << "cannot mount: " << g_strerror(EPERM);    \
    ASSERT_EQ(mount_error, 0) << g_strerror(mount_error);                               \
  }

TEST_F(UploadFaults, SpoolDirectoryReadOnly) {
  make_receiver("");
  RUN_WITH_TMPFS("size=1m", MS_RDONLY, [&] {
    EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_FAILURE);
  });
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find("Read-only file system"), std::string::npos) << error.message;
  expect_only_start_errors();
}

// The spool file's descriptor is opened by the thread that starts the element, so its filesystem is
// the one that thread saw.
TEST_F(UploadFaults, SpoolTooSmallIsMetAtTheFirstChunk) {
  make_receiver("");
  spool_in_memory_ = true;
  RUN_WITH_TMPFS("size=64k", 0, [&] { receiver_->play(); });
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 100, random_bytes(10'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED,
                      "storage-failed",
                      {"1000000 bytes", "No space left on device"}});
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
}

TEST_F(UploadFaults, SpoolFullInTheMiddle) {
  make_receiver("");
  spool_in_memory_ = true;
  RUN_WITH_TMPFS("size=64k", 0, [&] { receiver_->play(); });
  connect();
  // The first chunk lets expect that all will fit, the second one that it will not.
  ASSERT_TRUE(send_chunk(channel(), 0, 4, random_bytes(100)));
  ASSERT_TRUE(send_chunk(channel(), 1, 4, random_bytes(50'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED,
                      "storage-failed",
                      {"cannot reserve", "No space left on device"}});
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 1U);
}

}  // namespace
}  // namespace webrtcupload::test
