// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a message can break, and what every limit allows.

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "upload/upload_faults.h"

namespace webrtcupload::test {
namespace {

// -------------------------------------------------------------------------------------------------
// what a message can break

struct Row {
  const char* name;
  const char* properties;
  std::function<void(GstWebRTCDataChannel*)> send;
  Expected expected;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

const Bytes kHeaderOnly{3, 0, 0, 0, 9, 0, 0, 0};

std::vector<Row> rows() {
  const auto chunk = [](std::uint32_t index, std::uint32_t total, std::size_t size,
                        std::uint32_t seed = 1) {
    return [=](GstWebRTCDataChannel* channel) {
      EXPECT_TRUE(send_chunk(channel, index, total, random_bytes(size, seed)));
    };
  };
  using Send = std::function<void(GstWebRTCDataChannel*)>;
  const auto both = [](Send first, Send second) {
    return [=](GstWebRTCDataChannel* channel) {
      first(channel);
      second(channel);
    };
  };
  const Send shorter = [](auto* channel) { EXPECT_TRUE(send_bytes(channel, Bytes(7))); };
  const auto bytes = [](std::size_t size) -> Send {
    return [=](auto* channel) { EXPECT_TRUE(send_bytes(channel, Bytes(size))); };
  };
  const Send header_only = [](auto* channel) { EXPECT_TRUE(send_bytes(channel, kHeaderOnly)); };
  const Send text = [](auto* channel) { EXPECT_TRUE(send_text(channel, "hello")); };
  const auto malformed = GST_WEBRTC_UPLOAD_ERROR_MALFORMED_MESSAGE;
  const auto too_many = GST_WEBRTC_UPLOAD_ERROR_TOO_MANY_CHUNKS;
  const auto bad_index = GST_WEBRTC_UPLOAD_ERROR_BAD_INDEX;
  const auto conflict = GST_WEBRTC_UPLOAD_ERROR_CONFLICTING_CHUNK;
  const auto too_large = GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE;
  return {
      {"Short", "", shorter, {malformed, "malformed-message", {"7 bytes", "8 bytes"}}},
      {"TwoBytes", "", bytes(2), {malformed, "malformed-message", {"2 bytes", "8 bytes"}}},
      {"HeaderCutByAByteWithinAnUpload",
       "",
       both(chunk(0, 3, 100), shorter),
       {malformed, "malformed-message", {"7 bytes", "8 bytes"}}},
      {"EmptyPayloadWithinAnUpload",
       "",
       both(chunk(0, 9, 100), header_only),
       {malformed, "malformed-message", {"chunk 3 of 9"}}},
      {"TextOfTwoBytes",
       "",
       [](auto* channel) { EXPECT_TRUE(send_text(channel, "ab")); },
       {malformed, "malformed-message", {"text message of 2 bytes"}}},
      {"TextThatReadsLikeAChunk",
       "",
       [](auto* channel) { EXPECT_TRUE(send_text(channel, "\1\1\1\1\2\2\2\2payload")); },
       {malformed, "malformed-message", {"text message of 15 bytes"}}},
      {"LargestText",
       "",
       [](auto* channel) { EXPECT_TRUE(send_text(channel, std::string(65535, 'x'))); },
       {malformed, "malformed-message", {"text message of 65535 bytes"}}},
      {"LargestNumbers",
       "",
       chunk(G_MAXUINT32, G_MAXUINT32, 1),
       {too_many, "too-many-chunks", {"4294967295"}}},
      {"LargestChunkOfASmallerLimit",
       "max-chunk-size=65527",
       chunk(0, 3, 65528),
       {GST_WEBRTC_UPLOAD_ERROR_CHUNK_TOO_LARGE, "chunk-too-large", {"65528 bytes", "65527"}}},
      {"TotalChangedByARepetition",
       "",
       both(chunk(0, 3, 100), chunk(0, 4, 100)),
       {GST_WEBRTC_UPLOAD_ERROR_TOTAL_CHANGED, "total-changed", {"chunk 0", "4 chunks", "3"}}},
      {"Text", "", text, {malformed, "malformed-message", {"text message of 5 bytes"}}},
      {"EmptyPayload", "", header_only, {malformed, "malformed-message", {"chunk 3 of 9"}}},
      {"TextWithinAnUpload",
       "",
       both(chunk(0, 3, 100), text),
       {malformed, "malformed-message", {"5 bytes"}}},
      {"NoChunks", "", chunk(0, 0, 100), {too_many, "too-many-chunks", {"0 chunks"}}},
      {"TooManyChunks",
       "max-chunks=4",
       chunk(0, 5, 100),
       {too_many, "too-many-chunks", {"5 chunks", "at most 4"}}},
      {"FarTooManyChunks",
       "",
       chunk(0, G_MAXUINT32, 100),
       {too_many, "too-many-chunks", {"4294967295", "32000"}}},
      {"MoreChunksThanTheSizeNeeds",
       "max-size=268435457",
       chunk(0, 16386, 100),
       {too_many, "too-many-chunks", {"16386", "16385"}}},
      {"TotalChanged",
       "",
       both(chunk(0, 3, 100), chunk(1, 4, 100)),
       {GST_WEBRTC_UPLOAD_ERROR_TOTAL_CHANGED, "total-changed", {"chunk 1", "4 chunks", "3"}}},
      {"IndexAtTotal", "", chunk(3, 3, 100), {bad_index, "bad-index", {"index 3", "3 chunks"}}},
      {"IndexFarAbove",
       "",
       both(chunk(0, 3, 100), chunk(G_MAXUINT32, 3, 100)),
       {bad_index, "bad-index", {"4294967295", "3 chunks"}}},
      {"ChunkTooLarge",
       "max-chunk-size=1000",
       chunk(0, 3, 1001),
       {GST_WEBRTC_UPLOAD_ERROR_CHUNK_TOO_LARGE, "chunk-too-large", {"1001 bytes", "1000"}}},
      {"FirstChunkTooLargeForTheFile",
       "max-size=1000",
       chunk(0, 3, 1001),
       {too_large, "too-large", {"1001 bytes", "1000"}}},
      {"OneByteTooLarge",
       "max-size=1000",
       both(chunk(1, 3, 600), chunk(0, 3, 401)),
       {too_large, "too-large", {"1001 bytes", "1000"}}},
      {"OtherBytes",
       "",
       both(chunk(2, 3, 100), chunk(2, 3, 100, 2)),
       {conflict, "conflicting-chunk", {"chunk 2", "100"}}},
      {"OtherLength",
       "",
       both(chunk(2, 3, 100), chunk(2, 3, 99)),
       {conflict, "conflicting-chunk", {"chunk 2", "99", "100"}}},
      {"IdleBeforeTheFirstChunk",
       "idle-timeout=300000000",
       [](auto*) {},
       {GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT, "idle-timeout", {"0.3 s", "0 chunks"}}},
  };
}

class UploadRule : public UploadFaults, public testing::WithParamInterface<Row> {};

TEST_P(UploadRule, FailsTheUploadOnceAndLeavesNothing) {
  const Row& row = GetParam();
  start(row.properties);
  row.send(channel());
  expect_whole_story(row.expected);
  EXPECT_TRUE(receiver_->bytes().empty());
  EXPECT_EQ(witness_->completions(), 0);
}

INSTANTIATE_TEST_SUITE_P(, UploadRule, testing::ValuesIn(rows()),
                         [](const auto& row) { return std::string(row.param.name); });

// Elements that pull wait for the size on threads of their own; they have nothing to add.
TEST_F(UploadFaults, WhatReadsTheFileAddsNoErrorOfItsOwn) {
  make_receiver("", "typefind ! fakesink");
  receiver_->play();
  // From here on typefind waits for the size.
  ASSERT_TRUE(receiver_->bus().wait(GST_MESSAGE_STREAM_STATUS, [](GstMessage* message) {
    GstStreamStatusType type{};
    gst_message_parse_stream_status(message, &type, nullptr);
    return type == GST_STREAM_STATUS_TYPE_ENTER;
  }));
  connect();
  ASSERT_TRUE(send_chunk(channel(), 3, 3, Bytes(10)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_BAD_INDEX, "bad-index", {"index 3", "3 chunks"}});
}

TEST_F(UploadFaults, ExactlyEveryLimitPasses) {
  start("max-size=1000 max-chunks=4 max-chunk-size=400");
  const std::vector<std::size_t> sizes{400, 1, 199, 400};
  Bytes file;
  for (std::uint32_t i = 0; i < sizes.size(); ++i) {
    const Bytes payload = random_bytes(sizes[i], i);
    ASSERT_TRUE(send_chunk(channel(), i, 4, payload));
    file.insert(file.end(), payload.begin(), payload.end());
    // A repetition when the file is nearly full is no new byte.
    if (i == 2) {
      ASSERT_TRUE(send_chunk(channel(), 0, 4, random_bytes(400, 0)));
    }
  }
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->stat_u64("duplicates"), 1U);
}

}  // namespace
}  // namespace webrtcupload::test
