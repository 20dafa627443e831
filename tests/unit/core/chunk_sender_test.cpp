// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/chunk_sender.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <variant>
#include <vector>

#include "core/progress_throttle.h"
#include "core/wire_v1.h"

namespace webrtcupload {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();

Bytes some_bytes(std::size_t size) {
  Bytes bytes(size);
  std::uint32_t state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

ChunkSender make_sender(std::uint64_t size, std::uint32_t chunk_size) {
  auto sender = ChunkSender::create(size, chunk_size);
  EXPECT_TRUE(sender) << sender.error().message;
  return sender.value();
}

// Feeds `data` in pieces of `piece` bytes, takes each message as soon as it is ready.
std::vector<Bytes> send_all(ChunkSender& sender, const Bytes& data, std::size_t piece) {
  std::vector<Bytes> messages;
  for (std::size_t at = 0; at < data.size(); at += piece) {
    ByteView rest = ByteView(data).subspan(at, std::min(piece, data.size() - at));
    while (!rest.empty()) {
      const auto taken = sender.feed(rest);
      if (!taken) {
        ADD_FAILURE() << taken.error().message;
        return messages;
      }
      rest = rest.subspan(taken.value());
      if (sender.message_ready()) {
        const std::size_t announced = sender.message_size();
        messages.push_back(sender.take_message());
        EXPECT_EQ(messages.back().size(), announced);
      } else {
        EXPECT_TRUE(rest.empty()) << "bytes refused although no message is ready";
      }
    }
  }
  return messages;
}

// What a receiver makes of them, which also checks every header.
Bytes reassemble(const std::vector<Bytes>& messages) {
  Bytes whole;
  const V1Parser parser;
  for (std::uint32_t i = 0; i < messages.size(); ++i) {
    const auto parsed = parser.parse({Message::Kind::kBinary, messages[i]});
    const auto* chunk = std::get_if<Chunk>(&parsed);
    if (!chunk) {
      ADD_FAILURE() << "message " << i << " is not a chunk";
      return whole;
    }
    EXPECT_EQ(chunk->index, i);
    EXPECT_EQ(chunk->total, messages.size());
    whole.insert(whole.end(), chunk->payload.begin(), chunk->payload.end());
  }
  return whole;
}

TEST(ChunkSender, CutsAtEveryBoundaryForEveryPieceSize) {
  constexpr std::uint32_t kChunk = 10;
  for (std::size_t size = 1; size <= 3 * kChunk + 1; ++size) {
    const Bytes data = some_bytes(size);
    for (std::size_t piece = 1; piece <= size + 1; ++piece) {
      SCOPED_TRACE(testing::Message() << size << " bytes in pieces of " << piece);
      ChunkSender sender = make_sender(size, kChunk);
      const auto messages = send_all(sender, data, piece);
      ASSERT_EQ(messages.size(), (size + kChunk - 1) / kChunk);
      EXPECT_EQ(sender.total_chunks(), messages.size());
      for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
        EXPECT_EQ(messages[i].size(), kV1HeaderSize + kChunk);
      }
      EXPECT_EQ(reassemble(messages), data);
      EXPECT_TRUE(sender.finished());
      EXPECT_FALSE(sender.end());
      EXPECT_EQ(sender.taken_bytes(), size);
    }
  }
}

TEST(ChunkSender, OneByteChunksAndOneByteFiles) {
  for (const std::uint32_t chunk_size : {1U, 2U, kMaxChunkPayload}) {
    ChunkSender sender = make_sender(1, chunk_size);
    const auto messages = send_all(sender, {0xab}, 1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0], (Bytes{0, 0, 0, 0, 1, 0, 0, 0, 0xab}));
  }
}

TEST(ChunkSender, LargestChunkFillsTheLargestMessage) {
  const Bytes data = some_bytes(kMaxChunkPayload + 1);
  ChunkSender sender = make_sender(data.size(), kMaxChunkPayload);
  const auto messages = send_all(sender, data, data.size());
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].size(), kMaxMessageSize);
  EXPECT_EQ(messages[1].size(), kV1HeaderSize + 1);
  EXPECT_EQ(reassemble(messages), data);
}

TEST(ChunkSender, DefaultChunksOfTheUsualClients) {
  for (const std::size_t size : {49151U, 49152U, 49153U, 98303U, 98304U, 98305U}) {
    const Bytes data = some_bytes(size);
    ChunkSender sender = make_sender(size, 49152);
    EXPECT_EQ(sender.total_chunks(), (size + 49151) / 49152);
    EXPECT_EQ(reassemble(send_all(sender, data, 4096)), data);
  }
}

TEST(ChunkSender, RefusesAnEmptyUpload) {
  const auto sender = ChunkSender::create(0, 49152);
  ASSERT_FALSE(sender);
  EXPECT_EQ(sender.error().code, ErrorCode::kEmptyUpload);
  EXPECT_NE(sender.error().message.find("0 bytes"), std::string::npos);
}

TEST(ChunkSender, RefusesMoreChunksThanTheHeaderCounts) {
  for (const std::uint32_t chunk_size : {1U, 3U, 49152U, kMaxChunkPayload}) {
    SCOPED_TRACE(chunk_size);
    const std::uint64_t most = std::uint64_t{kMaxU32} * chunk_size;
    const auto below = ChunkSender::create(most - 1, chunk_size);
    ASSERT_TRUE(below);
    const auto exact = ChunkSender::create(most, chunk_size);
    ASSERT_TRUE(exact);
    EXPECT_EQ(exact.value().total_chunks(), kMaxU32);
    const auto above = ChunkSender::create(most + 1, chunk_size);
    ASSERT_FALSE(above);
    EXPECT_EQ(above.error().code, ErrorCode::kTooManyChunks);
    EXPECT_NE(above.error().message.find("4294967296 chunks"), std::string::npos)
        << above.error().message;
  }
  EXPECT_FALSE(ChunkSender::create(std::numeric_limits<std::uint64_t>::max(), kMaxChunkPayload));
}

TEST(ChunkSender, TakesNothingWhileAMessageWaits) {
  ChunkSender sender = make_sender(20, 10);
  const Bytes data = some_bytes(20);
  ASSERT_EQ(sender.feed(data).value(), 10U);
  ASSERT_TRUE(sender.message_ready());
  EXPECT_EQ(sender.feed(ByteView(data).subspan(10)).value(), 0U);
  EXPECT_EQ(sender.take_message().size(), kV1HeaderSize + 10);
  EXPECT_FALSE(sender.message_ready());
  EXPECT_EQ(sender.feed(ByteView(data).subspan(10)).value(), 10U);
}

TEST(ChunkSender, EmptyPiecesChangeNothing) {
  ChunkSender sender = make_sender(1, 10);
  EXPECT_EQ(sender.feed({}).value(), 0U);
  EXPECT_FALSE(sender.message_ready());
  EXPECT_EQ(sender.message_size(), 0U);
}

TEST(ChunkSender, MoreBytesThanAnnounced) {
  const Bytes data = some_bytes(12);
  for (const std::uint32_t chunk_size : {1U, 10U, 11U, 12U}) {
    SCOPED_TRACE(chunk_size);
    // All at once.
    ChunkSender at_once = make_sender(11, chunk_size);
    const auto refused = at_once.feed(data);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kSizeMismatch);
    EXPECT_NE(refused.error().message.find("11"), std::string::npos);
    // After everything that was announced.
    ChunkSender afterwards = make_sender(11, chunk_size);
    send_all(afterwards, Bytes(data.begin(), data.begin() + 11), 11);
    ASSERT_TRUE(afterwards.finished());
    EXPECT_FALSE(afterwards.feed(ByteView(data).last(1)));
    EXPECT_TRUE(afterwards.finished());
  }
}

TEST(ChunkSender, FewerBytesThanAnnounced) {
  for (const std::size_t fed : {0U, 1U, 9U, 10U, 11U, 19U}) {
    SCOPED_TRACE(fed);
    ChunkSender sender = make_sender(20, 10);
    send_all(sender, some_bytes(fed), 7);
    const auto error = sender.end();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ErrorCode::kSizeMismatch);
    EXPECT_NE(error->message.find("after " + std::to_string(fed) + " of the 20"), std::string::npos)
        << error->message;
    EXPECT_FALSE(sender.finished());
  }
}

TEST(ChunkSender, ProgressCountsWhatLeftTheChannel) {
  ChunkSender sender = make_sender(200, 100);
  EXPECT_EQ(sender.percent(0), 0);
  const Bytes data = some_bytes(200);
  ASSERT_EQ(sender.feed(data).value(), 100U);
  EXPECT_EQ(sender.percent(0), 0) << "a message that was not taken is not sent";
  (void)sender.take_message();
  EXPECT_EQ(sender.sent_bytes(0), 100U);
  EXPECT_EQ(sender.percent(0), 50);
  EXPECT_EQ(sender.percent(1), 49);
  EXPECT_EQ(sender.sent_bytes(108), 0U) << "the header is buffered too";
  ASSERT_EQ(sender.feed(ByteView(data).subspan(100)).value(), 100U);
  (void)sender.take_message();
  EXPECT_EQ(sender.percent(1), 99);
  EXPECT_EQ(sender.percent(0), 100);
  EXPECT_EQ(sender.percent(std::numeric_limits<std::uint64_t>::max()), 0);
}

TEST(ChunkSender, PercentOfTheLargestUploadDoesNotOverflow) {
  const std::uint64_t size = std::uint64_t{kMaxU32} * kMaxChunkPayload;
  EXPECT_LT(size, std::numeric_limits<std::uint64_t>::max() / 100);
}

TEST(Pacing, KeepsTheBufferedAmountWithinTheLimit) {
  // One byte either side of where one more message just fits.
  EXPECT_TRUE(may_hand_over(100, 899, 1000));
  EXPECT_TRUE(may_hand_over(100, 900, 1000));
  EXPECT_FALSE(may_hand_over(100, 901, 1000));
  EXPECT_FALSE(may_hand_over(100, 1000, 1000));
  EXPECT_FALSE(may_hand_over(100, 1001, 1000));
  EXPECT_FALSE(may_hand_over(100, std::numeric_limits<std::uint64_t>::max(), 1000));
}

TEST(Pacing, AnEmptyChannelTakesAnyMessage) {
  EXPECT_TRUE(may_hand_over(1001, 0, 1000));
  EXPECT_FALSE(may_hand_over(1001, 1, 1000));
  EXPECT_TRUE(may_hand_over(1, 0, 0));
  EXPECT_FALSE(may_hand_over(1, 1, 0));
}

TEST(Pacing, CountsMessages) {
  EXPECT_EQ(messages_that_fit(100, 0, 1000), 10U);
  EXPECT_EQ(messages_that_fit(100, 0, 999), 9U);
  EXPECT_EQ(messages_that_fit(100, 1, 1000), 9U);
  EXPECT_EQ(messages_that_fit(100, 1000, 1000), 0U);
  EXPECT_EQ(messages_that_fit(100, 0, 99), 1U);
  const auto most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(messages_that_fit(1, 0, most), most);
}

// Drives sender and pacing against a channel that drains at its own speed.
TEST(Pacing, WholeUploadNeverExceedsTheLimit) {
  constexpr std::uint64_t kLimit = 1000;
  const Bytes data = some_bytes(10'007);
  ChunkSender sender = make_sender(data.size(), 300);
  std::vector<Bytes> sent;
  std::size_t drained = 0;
  std::uint64_t buffered = 0;
  std::uint64_t peak = 0;
  ByteView rest = data;
  while (!sender.finished()) {
    rest = rest.subspan(sender.feed(rest).value());
    ASSERT_TRUE(sender.message_ready());
    if (may_hand_over(sender.message_size(), buffered, kLimit)) {
      sent.push_back(sender.take_message());
      buffered += sent.back().size();
      peak = std::max(peak, buffered);
    } else {
      ASSERT_GT(buffered, 0U) << "waiting for an empty channel never ends";
      buffered -= sent[drained++].size();
    }
  }
  EXPECT_EQ(peak, 3 * (kV1HeaderSize + 300));
  EXPECT_EQ(reassemble(sent), data);
}

TEST(ProgressThrottle, OncePerPercentAndTenPerSecond) {
  using std::chrono::milliseconds;
  ProgressThrottle throttle;
  EXPECT_FALSE(throttle.due(0, milliseconds(0)));
  EXPECT_TRUE(throttle.due(1, milliseconds(0)));
  EXPECT_FALSE(throttle.due(1, milliseconds(500))) << "the same percent again";
  EXPECT_TRUE(throttle.due(2, milliseconds(500)));
  EXPECT_FALSE(throttle.due(3, milliseconds(599)));
  EXPECT_TRUE(throttle.due(3, milliseconds(600)));
  EXPECT_FALSE(throttle.due(2, milliseconds(900))) << "never backwards";
  EXPECT_TRUE(throttle.due(100, milliseconds(900)));
  EXPECT_FALSE(throttle.due(100, milliseconds(5000)));
}

}  // namespace
}  // namespace webrtcupload
