// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole uploads over a channel that loses, repeats and reorders. (A data channel may be opened
// unordered or unreliable, and clients may resend after a doubt.) Everything is drawn from a seed,
// so that a failure can be repeated.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/receiver.h"
#include "receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

// What a channel does to messages, each in percent.
struct Faults {
  unsigned loss = 0;
  unsigned repetition = 0;
  unsigned reordering = 0;
  unsigned keepalives = 0;
};

class Channel {
 public:
  Channel(const Faults& faults, std::mt19937& random) : faults_(faults), random_(random) {}

  void send(const Bytes& message) {
    if (happens(faults_.keepalives)) enqueue(happens(50) ? Bytes{} : Bytes{0x2a});
    if (happens(faults_.loss)) return;
    enqueue(message);
    while (happens(faults_.repetition)) enqueue(message);
  }

  [[nodiscard]] bool empty() const { return queue_.empty(); }
  Bytes take() {
    Bytes message = std::move(queue_.front());
    queue_.pop_front();
    return message;
  }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

 private:
  bool happens(unsigned percent) { return random_() % 100 < percent; }

  void enqueue(Bytes message) {
    queue_.push_back(std::move(message));
    if (happens(faults_.reordering)) std::swap(queue_[random_() % queue_.size()], queue_.back());
  }

  const Faults faults_;
  std::mt19937& random_;
  std::deque<Bytes> queue_;
};

struct Upload {
  Bytes file;
  std::vector<Bytes> messages;
};

Upload make_upload(std::mt19937& random, bool equal_chunks) {
  Upload upload;
  const std::uint32_t total = 1 + random() % 200;
  const std::size_t usual = 1 + random() % 300;
  for (std::uint32_t index = 0; index < total; ++index) {
    std::size_t size = usual;
    if (!equal_chunks || index + 1 == total) size = 1 + random() % usual;
    const Bytes part = pattern(size, random());
    upload.file.insert(upload.file.end(), part.begin(), part.end());
    upload.messages.push_back(v1_chunk(index, total, part));
  }
  return upload;
}

// Sends everything again and again until it has arrived, as v1 has no acknowledgements.
void run(std::uint32_t seed, const Faults& faults, bool equal_chunks) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const Upload upload = make_upload(random, equal_chunks);
  ReceiverDriver driver({.max_size = upload.file.size(),
                         .max_chunks = static_cast<std::uint32_t>(upload.messages.size()),
                         .max_chunk_size = 300,
                         .upload_timeout = 0s,
                         .idle_timeout = 0s,
                         .min_rate = 0});
  Channel channel(faults, random);
  TimePoint now = 0s;
  std::uint64_t delivered = 0;
  std::uint64_t replies = 0;
  int percent = 0;
  std::uint64_t contiguous = 0;
  for (int round = 0; !driver.receiver().complete(); ++round) {
    ASSERT_LT(round, 100);
    for (const Bytes& message : upload.messages) {
      channel.send(message);
      // Now and then the receiver runs, and the order within what is waiting is settled.
      const std::size_t keep = random() % 40;
      while (channel.waiting() > keep ||
             (&message == &upload.messages.back() && !channel.empty())) {
        now += 1ms;
        ++delivered;
        const Bytes arrived = channel.take();
        const Outcome outcome = driver.deliver(binary(arrived), now);
        ASSERT_FALSE(outcome.failure) << outcome.failure->message;
        replies += outcome.replied ? 1 : 0;
        ASSERT_GE(driver.receiver().percent(), percent);
        percent = driver.receiver().percent();
        ASSERT_GE(driver.receiver().chunks().contiguous_bytes(), contiguous);
        contiguous = driver.receiver().chunks().contiguous_bytes();
        ASSERT_EQ(percent == 100, driver.receiver().complete());
      }
    }
  }
  EXPECT_EQ(driver.file(), upload.file);
  EXPECT_EQ(driver.memory().bytes.size(), upload.file.size()) << "nothing is stored twice";
  EXPECT_EQ(driver.receiver().expected_size(), upload.file.size());
  const ReceiverStatistics& statistics = driver.statistics();
  EXPECT_EQ(statistics.keepalives, replies);
  EXPECT_EQ(statistics.chunks + statistics.duplicates + statistics.ignored + statistics.keepalives,
            delivered)
      << "every message is accounted for";
}

TEST(ChannelSimulation, Perfect) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) run(seed, {}, seed % 2 == 0);
}

TEST(ChannelSimulation, Unordered) {
  for (std::uint32_t seed = 100; seed < 200; ++seed) run(seed, {.reordering = 80}, seed % 2 == 0);
}

TEST(ChannelSimulation, LossyAndRepeating) {
  for (std::uint32_t seed = 200; seed < 300; ++seed) {
    run(seed, {.loss = 20, .repetition = 20}, seed % 2 == 0);
  }
}

TEST(ChannelSimulation, EverythingAtOnce) {
  for (std::uint32_t seed = 300; seed < 500; ++seed) {
    run(seed, {.loss = 30, .repetition = 30, .reordering = 60, .keepalives = 20}, seed % 2 == 0);
  }
}

// A lost chunk that is never sent again ends the upload by time-out, whatever else still comes.
TEST(ChannelSimulation, AChunkThatNeverArrivesEndsInATimeout) {
  std::mt19937 random(7);
  Upload upload = make_upload(random, true);
  ASSERT_GT(upload.messages.size(), 2U);
  upload.messages.erase(upload.messages.begin() + 1);
  ReceiverDriver driver({.upload_timeout = 0s, .idle_timeout = 30s, .min_rate = 0});
  TimePoint now = 0s;
  Outcome last;
  while (!last.failure && now < 1h) {
    for (const Bytes& message : upload.messages) {
      now += 100ms;
      last = driver.tick(now);
      if (last.failure) break;
      ASSERT_FALSE(driver.deliver(binary(message), now).failure);
    }
  }
  EXPECT_TRUE(last.failed_with(ErrorCode::kIdleTimeout));
  EXPECT_EQ(driver.statistics().chunks, upload.messages.size());
}

}  // namespace
}  // namespace webrtcupload::testing
