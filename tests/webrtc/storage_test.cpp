// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Disks that fail amid an upload, or when it is read: one error, told once in each way, and nothing
// is left. (A disk that is full, read-only or not there is in upload_errors_test.)

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "support/odd_directory.h"
#include "webrtc/test_storage.h"
#include "webrtc/upload_witness.h"

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
    ReceivingPipeline next(pair_.answerer());
    next.play();
    open();
    ASSERT_TRUE(send_file(channel_.channel.get(), file_));
    ASSERT_TRUE(next.wait_eos());
    EXPECT_EQ(next.bytes(), file_);
  }

  const Bytes file_ = random_bytes(300'000);
  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
};

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
