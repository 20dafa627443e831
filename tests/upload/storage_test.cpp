// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How much of a disk is taken, and what is said of one that is memory. Disks that fail amid an
// upload, or when it is read: one error, told once in each way, and nothing is left. (A disk that
// is full, read-only or not there is in upload_errors_test.)

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "core/upload_limits.h"
#include "support/odd_directory.h"
#include "upload/test_storage.h"
#include "upload/upload_witness.h"
#include "webrtc/audio_call.h"

namespace webrtcupload::test {
namespace {

const Error kBroken{ErrorCode::kStorageFailed, "cannot read: Input/output error"};

class BrokenDisk : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(pair_.connect("first").channel); }
  void TearDown() override { intercept_storage(nullptr); }

  void open() {
    channel_ = open_channel(pair_);
    ASSERT_TRUE(channel_.channel);
  }

  // It failed, once, and everybody knows.
  void expect_failure(ReceivingPipeline& receiver, const UploadWitness& witness) {
    const ErrorText error = receiver.wait_error();
    EXPECT_EQ(error.code, "storage-failed");
    EXPECT_NE(error.message.find("Input/output error"), std::string::npos) << error.message;
    EXPECT_TRUE(witness.wait_failed());
    EXPECT_EQ(receiver.state(), "error");
    EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender did not notice";
    stop_promptly(receiver.pipeline());
    EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 1U);
    EXPECT_EQ(receiver.bus().count(GST_MESSAGE_EOS), 0U);
    EXPECT_EQ(witness.failures().size(), 1U);
  }

  // With a disk that works, on the same connection.
  void expect_next_upload_works() {
    intercept_storage(nullptr);
    expect_upload_works(pair_);
  }

  const Bytes file_ = random_bytes(300'000);
  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
};

// Of a peer that announces a large file and sends nothing more.
TEST(Disk, IsTakenInSteps) {
  const TemporaryDirectory directory;
  const int fd = open(directory.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  PeerPair pair{{.observe_incoming = false}};
  ASSERT_TRUE(pair.connect("first").channel);
  ReceivingPipeline receiver(pair.answerer(), "spool-fd=" + std::to_string(fd));
  receiver.play();
  const auto channel = open_channel(pair);
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 8000, random_bytes(65'000)));
  ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == 1; }));
  struct stat status {};
  ASSERT_EQ(fstat(fd, &status), 0);
  const auto taken = static_cast<std::uint64_t>(status.st_blocks) * 512;
  EXPECT_LE(taken, kReserveStep + 1024 * 1024);
  // The space is there, where the filesystem can do that.
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1) == 0) {
    EXPECT_GE(taken, kReserveStep);
  }
  stop_promptly(receiver.pipeline());
  EXPECT_EQ(close(fd), 0);
}

std::size_t warnings_about(BusLog& bus, const std::string& directory) {
  std::size_t found = 0;
  for (const auto& message : bus.all(GST_MESSAGE_WARNING)) {
    GError* raw = nullptr;
    gst_message_parse_warning(message.get(), &raw, nullptr);
    const GErrorPtr warning(raw);
    EXPECT_TRUE(g_error_matches(raw, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
    if (std::string(raw->message).find("\"" + directory + "\"") != std::string::npos) ++found;
  }
  return found;
}

// Once for a directory, however often it starts.
TEST(Disk, ThatIsMemoryIsWarnedOf) {
  const TemporaryDirectory directory;
  const int error = run_with_tmpfs(directory.path(), "size=64k", 0, [&] {
    const auto pipeline = parse_pipeline(
        "webrtcbin name=pc webrtcupload name=upload webrtcbin-name=pc "
        "spool-directory=" +
        directory.path() + " ! fakesink");
    BusLog bus(pipeline.get());
    for (int i = 0; i < 2; ++i) {
      EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
      stop_promptly(pipeline.get());
    }
    EXPECT_EQ(warnings_about(bus, directory.path()), 1U);
    EXPECT_EQ(bus.count(GST_MESSAGE_ERROR), 0U);
    // Whoever gives a file knows where that is.
    const int fd = open(directory.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const auto given = parse_pipeline(
        "webrtcbin name=pc webrtcupload webrtcbin-name=pc spool-fd=" + std::to_string(fd) +
        " spool-directory=" + directory.path() + " ! fakesink");
    BusLog given_bus(given.get());
    EXPECT_NE(gst_element_set_state(given.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    stop_promptly(given.get());
    EXPECT_EQ(given_bus.count(GST_MESSAGE_WARNING), 0U);
    EXPECT_EQ(close(fd), 0);
  });
  if (error == EPERM) GTEST_SKIP() << "this user may not mount";
  ASSERT_EQ(error, 0);
}

// The kernel's own error: for the worker that stores chunks, since the thread that starts it may
// not write either. (What it writes beyond 64 KiB has that bit in its position.)
TEST_F(BrokenDisk, MetByAWrite) {
  ReceivingPipeline receiver(pair_.answerer());
  const UploadWitness witness(receiver.upload());
  if (!run_with_failing_writes(1 << 16, EIO, [&] { receiver.play(); })) {
    GTEST_SKIP() << "no seccomp filters here";
  }
  open();
  ASSERT_TRUE(send_file(channel_.channel.get(), file_, 40'000));
  expect_failure(receiver, witness);
  EXPECT_EQ(receiver.stat_uint("chunks-received"), 2U);
  EXPECT_TRUE(receiver.bytes().empty());
  EXPECT_EQ(witness.completions(), 0);
  expect_next_upload_works();
}

struct Reader {
  const char* name;
  const char* properties;
  const char* tail;
};

class BrokenDiskMetByARead : public BrokenDisk, public testing::WithParamInterface<Reader> {};

// All but the first part of the file cannot be read back.
TEST_P(BrokenDiskMetByARead, FailsTheUploadOnce) {
  intercept_storage([](const Access& access) -> std::optional<Error> {
    if (access.is_write || access.position + access.size <= 100'000) return std::nullopt;
    return kBroken;
  });
  ReceivingPipeline receiver(pair_.answerer(), GetParam().properties, GetParam().tail);
  const UploadWitness witness(receiver.upload());
  receiver.play();
  open();
  // Its sender may be told before it has sent everything.
  static_cast<void>(send_file(channel_.channel.get(), file_));
  expect_failure(receiver, witness);
  expect_next_upload_works();
}

INSTANTIATE_TEST_SUITE_P(, BrokenDiskMetByARead,
                         testing::Values(Reader{"Pushed", "", ReceivingPipeline::kCollectBytes},
                                         Reader{"Pulled", "", "typefind ! fakesink"},
                                         Reader{"AsItComes", "progressive=true",
                                                ReceivingPipeline::kCollectBytes}),
                         [](const auto& test_case) { return std::string(test_case.param.name); });

// A disk that stands still while a call goes on over the same connection: with when-full=fail the
// call is not held back with the upload, which fails instead.
TEST(DiskBesideACall, FailsTheUploadAndNotTheCall) {
  constexpr guint64 kHigh = 1 << 20;
  constexpr std::size_t kChunk = 60'000;
  PeerPair pair{{.observe_incoming = false}};
  AudioCall call(pair, PeerPair::Side::kOfferer);
  Blocker disk;
  intercept_storage([&disk](const Access& access) -> std::optional<Error> {
    if (access.is_write) disk.block();
    return std::nullopt;
  });
  ReceivingPipeline receiver(pair.answerer(),
                             "when-full=fail backlog-high=" + std::to_string(kHigh));
  const UploadWitness witness(receiver.upload());
  receiver.play();
  const auto channel = pair.connect();
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(call.goes_on());

  const Bytes payload = random_bytes(kChunk);
  const std::uint32_t total = 1000;
  std::uint32_t sent = 0;
  const auto send = [&](std::uint64_t bytes) {
    for (const std::uint32_t end = sent + bytes / kChunk; sent < end; ++sent) {
      ASSERT_TRUE(send_chunk(channel.channel.get(), sent, total, payload));
    }
  };
  send(10 * kHigh);
  ASSERT_TRUE(disk.wait_blocked());
  ASSERT_TRUE(eventually([&] { return receiver.stat_u64("backlog") > 8 * kHigh; }))
      << "held back at " << receiver.stat_u64("backlog");
  EXPECT_FALSE(is_held_back(pair.answerer()));
  EXPECT_TRUE(call.goes_on());
  EXPECT_EQ(receiver.state(), "uploading");

  send(10 * kHigh);
  ASSERT_TRUE(eventually([&] { return receiver.stat_u64("backlog-peak") > 16 * kHigh; }));
  disk.release();
  const ErrorText error = receiver.wait_error();
  EXPECT_EQ(error.code, "overloaded");
  EXPECT_NE(error.message.find("not to be held back"), std::string::npos) << error.message;
  EXPECT_TRUE(witness.wait_failed());
  EXPECT_TRUE(call.goes_on()) << "it is the upload that has failed";
  stop_promptly(receiver.pipeline());
  intercept_storage(nullptr);
}

// A chunk that comes again is compared with what is stored.
TEST_F(BrokenDisk, MetByAComparison) {
  intercept_storage([](const Access& access) -> std::optional<Error> {
    if (access.is_write) return std::nullopt;
    return kBroken;
  });
  ReceivingPipeline receiver(pair_.answerer());
  const UploadWitness witness(receiver.upload());
  receiver.play();
  open();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(send_chunk(channel_.channel.get(), 0, 3, Bytes(1000)));
  }
  expect_failure(receiver, witness);
  expect_next_upload_works();
}

}  // namespace
}  // namespace webrtcupload::test
