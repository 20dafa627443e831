// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients of wire format v2 that break its rules, and uploads that end badly: both sides are told
// the same code, and the pipeline never starts.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <ostream>
#include <string>

#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

constexpr char kForeign[] = "ffffffffffffffffffffffffffffffff";

TEST_F(V2Upload, AWrongHashIsTheEndOfTheUpload) {
  connect();
  control::Hello hello = hello_of(file_);
  hello.sha256 = parse_sha256(sha256_of({1}));
  ASSERT_TRUE(say(channel(), hello));
  ASSERT_TRUE(wait_for<control::Ready>(*channel_.observer));
  for (std::uint64_t at = 0; at < file_.size(); at += 50'000) {
    ASSERT_TRUE(send_block(channel(), file_, at, at + 50'000));
  }
  expect_failure("hash-mismatch", *channel_.observer);
  EXPECT_FALSE(wait_for<control::Done>(*channel_.observer, std::chrono::milliseconds(0)));
  EXPECT_EQ(witness_->completions(), 0);
  expect_upload_works(pair_);
}

// Its client may send it again, over another channel.
TEST_F(V2Upload, AWrongChecksumCostsItsChannelOnly) {
  begin();
  Bytes block = block_of(file_, 0, 1000);
  block.back() ^= 1;
  ASSERT_TRUE(send_bytes(channel(), block));
  const auto told = wait_for<control::Failure>(*channel_.observer);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->code, "corrupt-chunk");
  EXPECT_TRUE(told->resumable);
  EXPECT_TRUE(channel_.observer->wait_closed());
  EXPECT_TRUE(eventually([&] { return interrupted(); }));
  EXPECT_EQ(receiver_->state(), "uploading");

  const auto again = open_v2(pair_);
  control::Hello hello = hello_of(file_);
  hello.upload = ready_->upload;
  ASSERT_TRUE(say(again.channel.get(), hello));
  ASSERT_TRUE(wait_for<control::Ready>(*again.observer));
  for (std::uint64_t at = 0; at < file_.size(); at += 50'000) {
    ASSERT_TRUE(send_block(again.channel.get(), file_, at, at + 50'000));
  }
  ASSERT_TRUE(wait_for<control::Done>(*again.observer));
  expect_file();
}

struct Row {
  const char* name;
  std::string properties;
  // After the first channel's hello, if `begins`.
  bool begins;
  std::function<void(GstWebRTCDataChannel*, const Bytes&)> send;
  const char* code;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class V2Faults : public V2Upload, public testing::WithParamInterface<Row> {};

TEST_P(V2Faults, EndTheUploadOnBothSides) {
  const Row& row = GetParam();
  if (row.begins) {
    begin(row.properties);
  } else {
    connect(row.properties);
  }
  row.send(channel(), file_);
  expect_failure(row.code, *channel_.observer);
  ASSERT_TRUE(witness_->wait_failed());
  EXPECT_EQ(stat_text("error-code"), row.code);
  EXPECT_EQ(witness_->failures().size(), 1U);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
}

const auto kSayHello = [](GstWebRTCDataChannel* channel, const Bytes& file) {
  EXPECT_TRUE(say(channel, hello_of(file)));
};

INSTANTIATE_TEST_SUITE_P(
    , V2Faults,
    testing::Values(
        Row{"NoHello", "", false,
            [](auto* channel, const Bytes& file) {
              EXPECT_TRUE(send_block(channel, file, 0, 1000));
            },
            "unexpected-message"},
        Row{"AChunkOfV1", "", false,
            [](auto* channel, const Bytes&) {
              EXPECT_TRUE(send_chunk(channel, 0, 2, random_bytes(100)));
            },
            "malformed-message"},
        Row{"HelloTwice", "", true, kSayHello, "unexpected-message"},
        Row{"AForeignId", "", false,
            [](auto* channel, const Bytes& file) {
              control::Hello hello = hello_of(file);
              hello.upload = UploadId::parse(kForeign);
              EXPECT_TRUE(say(channel, hello));
            },
            "unknown-upload"},
        Row{"NoJson", "", true,
            [](auto* channel, const Bytes&) { EXPECT_TRUE(send_text(channel, "no json")); },
            "malformed-message"},
        Row{"ALongText", "", true,
            [](auto* channel, const Bytes&) {
              EXPECT_TRUE(send_text(channel, std::string(16'385, ' ')));
            },
            "malformed-message"},
        Row{"ANameWithAControlCharacter", "", false,
            [](auto* channel, const Bytes&) {
              EXPECT_TRUE(send_text(channel, R"({"type":"hello","name":"a\nb"})"));
            },
            "malformed-message"},
        Row{"TooLargeByItsHello", "max-size=299999", false, kSayHello, "too-large"},
        Row{"TooLargeByItsBlocks", "max-size=999", false,
            [](auto* channel, const Bytes& file) {
              EXPECT_TRUE(say(channel, control::Hello{}));
              EXPECT_TRUE(send_block(channel, file, 0, 1000));
            },
            "too-large"},
        Row{"BeyondItsSize", "", true,
            [](auto* channel, const Bytes& file) {
              Bytes longer = file;
              longer.resize(longer.size() + 10);
              EXPECT_TRUE(send_block(channel, longer, file.size(), longer.size()));
            },
            "size-mismatch"},
        Row{"AnEndThatContradicts", "", true,
            [](auto* channel, const Bytes&) {
              EXPECT_TRUE(say(channel, control::End{1, {}}));
            },
            "size-mismatch"},
        Row{"OtherBytesAtTheSamePlace", "", true,
            [](auto* channel, const Bytes& file) {
              EXPECT_TRUE(send_block(channel, file, 0, 1000));
              EXPECT_TRUE(send_block(channel, Bytes(2000, 1), 500, 1500));
            },
            "conflicting-chunk"},
        Row{"ABlockThatIsTooLarge", "max-chunk-size=1000", true,
            [](auto* channel, const Bytes& file) {
              EXPECT_TRUE(send_block(channel, file, 0, 1001));
            },
            "chunk-too-large"},
        Row{"TooManyHoles", "", true,
            [](auto* channel, const Bytes& file) {
              for (std::uint64_t at = 0; at < 4098; ++at) {
                EXPECT_TRUE(send_block(channel, file, 2 * at + 1, 2 * at + 2));
              }
            },
            "too-fragmented"},
        Row{"CancelBeforeItsHello", "", false,
            [](auto* channel, const Bytes&) { EXPECT_TRUE(say(channel, control::Cancel{})); },
            "cancelled"},
        Row{"CancelOnceItHasBegun", "", true,
            [](auto* channel, const Bytes&) {
              EXPECT_TRUE(say(channel, control::Cancel{"enough"}));
            },
            "cancelled"},
        Row{"CancelAmidTheFile", "", true,
            [](auto* channel, const Bytes& file) {
              EXPECT_TRUE(send_block(channel, file, 0, 50'000));
              EXPECT_TRUE(say(channel, control::Cancel{}));
            },
            "cancelled"},
        Row{"SilenceAfterItsHello", short_timeout("idle-timeout", std::chrono::milliseconds(200)),
            true, [](auto*, const Bytes&) {}, "idle-timeout"},
        Row{"NotInTime",
            short_timeout("upload-timeout", std::chrono::milliseconds(200)) + " idle-timeout=0",
            true, [](auto*, const Bytes&) {}, "upload-timeout"}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST_F(V2Upload, AnUploadThatIsNotAuthorizedIsToldSo) {
  start();
  const auto handler = on_authorize(upload(), [](const GstStructure*) { return false; });
  channel_ = connect_v2(pair_);
  ASSERT_TRUE(say(channel(), hello_of(file_)));
  expect_failure("unauthorized", *channel_.observer);
}

TEST_F(V2Upload, TheApplicationsCancelIsTold) {
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 1000));
  g_signal_emit_by_name(upload(), "cancel");
  expect_failure("cancelled", *channel_.observer);
}

TEST_F(V2Upload, AClientThatDoesNotCloseItsChannelHasItClosed) {
  begin();
  g_signal_emit_by_name(upload(), "cancel");
  ASSERT_TRUE(wait_for<control::Failure>(*channel_.observer));
  EXPECT_TRUE(channel_.observer->wait_closed());
}

TEST_F(V2Upload, ACancelAfterTheEndChangesNothing) {
  connect();
  V2Client client(file_);
  client.add(channel_);
  ASSERT_TRUE(client.run_until_stored(file_.size()));
  ASSERT_TRUE(client.run_to_end());
  const auto again = open_v2(pair_);
  control::Hello hello = hello_of(file_);
  hello.upload = client.sender().id();
  ASSERT_TRUE(say(again.channel.get(), hello));
  // One that was not told of the end asks how it was.
  const auto done = wait_for<control::Done>(*again.observer);
  ASSERT_TRUE(done);
  EXPECT_EQ(to_hex(done->sha256), sha256_of(file_));
  ASSERT_TRUE(say(again.channel.get(), control::Cancel{}));
  ASSERT_TRUE(send_text(again.channel.get(), "."));
  ASSERT_TRUE(again.observer->wait_messages(3)) << "ready, done and what came back";
  expect_file();
  EXPECT_TRUE(witness_->failures().empty());
}

TEST_F(V2Upload, ADiskThatFailsIsTold) {
  intercept_storage([](const Access& access) -> std::optional<Error> {
    if (access.is_write && access.position >= 50'000) {
      return Error{ErrorCode::kStorageFailed, "the test's disk is full"};
    }
    return std::nullopt;
  });
  begin();
  ASSERT_TRUE(send_block(channel(), file_, 0, 50'000));
  ASSERT_TRUE(send_block(channel(), file_, 50'000, 100'000));
  expect_failure("storage-failed", *channel_.observer);
}

// The peer pays no attention to its credit while the disk stands still. Memory is bounded by the
// gate in front of SCTP; the upload fails as soon as the disk lets the worker see what waits.
TEST_F(V2Upload, WhoSendsTwiceTheWindowAheadFails) {
  file_ = random_bytes(6 * 1024 * 1024);
  const auto storage = stop_storage();
  begin("window=65536 idle-timeout=0");
  std::uint64_t at = 0;
  ASSERT_TRUE(eventually([&] {
    while (at < file_.size() && channel_.observer->buffered_amount() < 256'000) {
      EXPECT_TRUE(send_block(channel(), file_, at, at + 50'000));
      at += 50'000;
    }
    return is_held_back(pair_.answerer());
  }));
  EXPECT_GT(receiver_->stat_u64("backlog"), 2 * 512 * 1024U);
  EXPECT_LT(receiver_->stat_u64("backlog"), 4 * 1024 * 1024U);
  storage->release();
  expect_failure("credit-exceeded", *channel_.observer);
}

}  // namespace
}  // namespace webrtcupload::test
