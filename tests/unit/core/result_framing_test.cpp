// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_framing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <malloc.h>
#include <new>
#include <random>
#include <string>
#include <vector>

// Of what operator new has given and not got back.
static std::size_t allocated = 0;

void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  allocated += malloc_usable_size(memory);
  return memory;
}
void operator delete(void* memory) noexcept {
  allocated -= malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace webrtcupload {
namespace {

using Messages = std::vector<std::vector<std::uint8_t>>;

constexpr auto kMessageCost = ResultAssembler::kMessageCost;
constexpr auto kResultCost = ResultAssembler::kResultCost;

constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

Messages cut(std::uint32_t id, const std::string& text) {
  Messages messages;
  for (std::uint32_t i = 0; i < result_chunk_count(text.size()); ++i) {
    messages.push_back(result_message(id, i, text));
  }
  return messages;
}

std::vector<std::uint8_t> raw(std::uint32_t id, std::uint32_t index, std::uint32_t total,
                              std::size_t payload = 1) {
  std::vector<std::uint8_t> message;
  for (const std::uint32_t number : {id, index, total}) {
    for (int shift = 0; shift < 32; shift += 8) {
      message.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  }
  message.resize(kResultHeaderSize + payload, 'x');
  return message;
}

TEST(ResultFraming, TheBytesOfAMessage) {
  EXPECT_THAT(result_message(0x04030201, 0, "hi"),
              testing::ElementsAre(1, 2, 3, 4, 0, 0, 0, 0, 1, 0, 0, 0, 'h', 'i'));
}

TEST(ResultFraming, CountsMessagesAroundTheBoundaries) {
  constexpr std::size_t kPayload = 49152;
  EXPECT_EQ(result_chunk_count(0), 1U);
  EXPECT_EQ(result_chunk_count(1), 1U);
  EXPECT_EQ(result_chunk_count(kPayload - 1), 1U);
  EXPECT_EQ(result_chunk_count(kPayload), 1U);
  EXPECT_EQ(result_chunk_count(kPayload + 1), 2U);
  EXPECT_EQ(result_chunk_count(2 * kPayload), 2U);
  EXPECT_EQ(result_chunk_count(2 * kPayload + 1), 3U);
}

TEST(ResultFraming, WhatIsCutIsPutTogether) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kMaxResultPayload - 1, kMaxResultPayload,
        kMaxResultPayload + 1, 3 * kMaxResultPayload, 3 * kMaxResultPayload + 5}) {
    SCOPED_TRACE(size);
    const std::string text = text_of(size);
    const Messages messages = cut(7, text);
    ResultAssembler assembler;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      EXPECT_LE(messages[i].size(), kResultHeaderSize + kMaxResultPayload);
      const auto result = assembler.add(messages[i]);
      ASSERT_EQ(result.has_value(), i + 1 == messages.size());
      if (!result) continue;
      EXPECT_EQ(result->frame_id, 7U);
      EXPECT_EQ(result->text, text);
    }
    EXPECT_EQ(assembler.pending_results(), 0U);
    EXPECT_EQ(assembler.pending_memory(), 0U);
  }
}

TEST(ResultFraming, InAnyOrderAndOneAmongTheOther) {
  const std::string first = text_of(4 * kMaxResultPayload + 1);
  const std::string second = text_of(3 * kMaxResultPayload);
  Messages messages = cut(1, first);
  for (auto& message : cut(2, second)) messages.push_back(std::move(message));
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::shuffle(messages.begin(), messages.end(), random);
    ResultAssembler assembler;
    std::vector<ResultAssembler::Assembled> results;
    for (const auto& message : messages) {
      if (auto result = assembler.add(message)) results.push_back(std::move(*result));
    }
    ASSERT_EQ(results.size(), 2U);
    for (const auto& result : results) {
      EXPECT_EQ(result.text, result.frame_id == 1 ? first : second);
    }
    EXPECT_EQ(assembler.pending_memory(), 0U);
  }
}

TEST(ResultFraming, AMessageThatComesAgainIsIgnored) {
  ResultAssembler assembler;
  EXPECT_FALSE(assembler.add(raw(1, 0, 2)));
  EXPECT_FALSE(assembler.add(raw(1, 0, 2)));
  EXPECT_EQ(assembler.pending_memory(), kResultCost + kMessageCost + 1);
  EXPECT_EQ(assembler.add(raw(1, 1, 2)).value().text, "xx");
}

TEST(ResultFraming, AMessageThatAnnouncesAnotherTotalIsIgnored) {
  ResultAssembler assembler;
  EXPECT_FALSE(assembler.add(raw(1, 0, 2)));
  EXPECT_FALSE(assembler.add(raw(1, 1, 3)));
  EXPECT_EQ(assembler.add(raw(1, 1, 2)).value().text, "xx");
}

TEST(ResultFraming, NumbersThatCannotBeRight) {
  EXPECT_FALSE(parse_result_message(raw(0, 0, 1))) << "ids count from 1";
  EXPECT_FALSE(parse_result_message(raw(1, 0, 0)));
  EXPECT_FALSE(parse_result_message(raw(1, 1, 1)));
  EXPECT_FALSE(parse_result_message(raw(1, kMax, kMax)));
  EXPECT_FALSE(parse_result_message(raw(1, 0, 2, 0))) << "an empty piece";
  EXPECT_TRUE(parse_result_message(raw(1, 0, 1, 0)));
  EXPECT_TRUE(parse_result_message(raw(1, kMax - 1, kMax)));
  EXPECT_TRUE(parse_result_message(raw(kMax, 0, 1)));
}

TEST(ResultFraming, SizesThatCannotBeRight) {
  const auto whole = raw(1, 0, 1, kMaxResultPayload + 1);
  EXPECT_FALSE(parse_result_message(whole));
  EXPECT_TRUE(parse_result_message(ByteView(whole).first(whole.size() - 1)));
  for (std::size_t size = 0; size < kResultHeaderSize; ++size) {
    EXPECT_FALSE(parse_result_message(ByteView(whole).first(size))) << size;
  }
}

TEST(ResultFraming, WhatNeverBecomesWholeIsGivenUpOldestFirst) {
  ResultAssembler assembler({.max_memory = 1000000, .max_results = 2});
  EXPECT_FALSE(assembler.add(raw(9, 0, 2)));
  EXPECT_FALSE(assembler.add(raw(1, 0, 2)));
  EXPECT_EQ(assembler.pending_results(), 2U);
  EXPECT_FALSE(assembler.add(raw(2, 0, 2)));
  EXPECT_EQ(assembler.pending_results(), 2U);
  EXPECT_FALSE(assembler.add(raw(9, 1, 2))) << "9 was first";
  // Which made room for its second message by giving up 1.
  EXPECT_TRUE(assembler.add(raw(2, 1, 2)));
  EXPECT_FALSE(assembler.add(raw(1, 1, 2)));
}

// Small ones, too, of which many would wait before their bytes are many.
TEST(ResultFraming, MessagesThatWaitAreBoundedByWhatTheyTake) {
  constexpr std::size_t kMemory = kResultCost + 10 * (kMessageCost + 1);
  ResultAssembler assembler({.max_memory = kMemory});
  for (std::uint32_t index = 0; index < 10; ++index) {
    EXPECT_FALSE(assembler.add(raw(1, index, 1000)));
  }
  EXPECT_EQ(assembler.pending_memory(), kMemory);
  EXPECT_FALSE(assembler.add(raw(1, 10, 1000)));
  EXPECT_EQ(assembler.pending_memory(), 0U);
  EXPECT_EQ(assembler.pending_results(), 0U);
}

TEST(ResultFraming, SoAreTheirBytes) {
  constexpr std::size_t kEach = kResultCost + kMessageCost;
  ResultAssembler assembler({.max_memory = 5 * kEach + 10, .max_results = 100});
  for (std::uint32_t id = 1; id <= 5; ++id) EXPECT_FALSE(assembler.add(raw(id, 0, 2, 2)));
  EXPECT_EQ(assembler.pending_memory(), 5 * kEach + 10);
  EXPECT_FALSE(assembler.add(raw(6, 0, 2, 1)));
  EXPECT_EQ(assembler.pending_memory(), 5 * kEach + 9);
  EXPECT_EQ(assembler.pending_results(), 5U);
}

// What is counted is not less than what the allocator gives, for pieces of one byte and of more
// than a string has room for in itself.
TEST(ResultFraming, WhatIsCountedIsWhatIsTaken) {
  constexpr std::uint32_t kMessages = 20000;
  for (const std::size_t payload : {std::size_t{1}, std::size_t{16}, std::size_t{1000}}) {
    ResultAssembler assembler;
    const std::size_t before = allocated;
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      const auto message = raw(i % 50 + 1, i / 50, kMessages, payload);
      EXPECT_FALSE(assembler.add(message));
    }
    EXPECT_EQ(assembler.pending_results(), 50U);
    const std::size_t taken = allocated - before;
    EXPECT_GE(assembler.pending_memory(), taken) << payload;
    EXPECT_LE(assembler.pending_memory(), 3 * taken) << payload;
  }
}

}  // namespace
}  // namespace webrtcupload
