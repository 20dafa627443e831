// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole uploads in wire format v2 from a V2Sender to a V2Receiver, over channels that are slow,
// that are lost with what is in them, and that corrupt messages. Clients are killed and come back
// with other blocks. Everything is drawn from a seed, so that a failure can be repeated.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/v2_sender.h"
#include "v2_receiver_driver.h"

namespace webrtcupload::testing {
namespace {

using namespace std::chrono_literals;

// How often what happens, of a thousand steps.
struct Faults {
  unsigned loss = 0;
  unsigned corruption = 0;
  unsigned kill = 0;
  unsigned repetition = 0;
};

class Simulation {
 public:
  Simulation(std::uint32_t seed, const Faults& faults, unsigned channels, bool is_stream)
      : random_(seed), faults_(faults), most_channels_(channels), is_stream_(is_stream) {
    file_ = pattern(random_() % 20'000, seed);
    limits_ = {.max_size = file_.size(),
               .max_chunk_size = static_cast<std::uint32_t>(20 + random_() % 300),
               .upload_timeout = 0s,
               .idle_timeout = 0s,
               .min_rate = 0,
               .window = 1 + random_() % 4000,
               .resume_timeout = 1000s};
    driver_ = std::make_unique<V2Driver>(limits_);
    start_client();
  }

  void run() {
    for (int step = 0; !sender_->ended(); ++step) {
      ASSERT_LT(step, 500'000) << "the upload stands still at " << sender_->stored();
      this->step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    ASSERT_TRUE(sender_->done()) << sender_->failure()->code << ": " << sender_->failure()->message;
    EXPECT_EQ(sender_->done()->size, file_.size());
    EXPECT_EQ(sender_->done()->sha256, sum_of(file_));
    EXPECT_TRUE(driver_->receiver().complete());
    EXPECT_EQ(driver_->file(), file_);
    EXPECT_EQ(driver_->receiver().sha256(), sum_of(file_));
    // A loss costs what may be under way, and no more.
    const std::uint64_t window = std::max<std::uint64_t>(limits_.window, limits_.max_chunk_size);
    EXPECT_LE(sent_ + sender_->sent_bytes(),
              file_.size() + losses_ * (2 * window + 2 * limits_.max_chunk_size));
  }

 private:
  // Both ways; what is in it is lost with it.
  struct Link {
    std::deque<std::variant<Bytes, ControlMessage>> up;
    std::deque<ControlMessage> down;
    bool closing = false;
  };

  bool happens(unsigned of_a_thousand) { return random_() % 1000 < of_a_thousand; }

  void start_client() {
    UploadId::Bytes nonce;
    for (std::uint8_t& byte : nonce) byte = static_cast<std::uint8_t>(random_());
    control::Hello hello{.name = "a.mp4", .nonce = UploadId(nonce)};
    const bool knows_size = !is_stream_;
    const bool knows_hash = knows_size && random_() % 2 == 0;
    if (knows_size) hello.size = file_.size();
    if (knows_hash) hello.sha256 = sum_of(file_);
    if (sender_) hello.upload = sender_->id();
    if (sender_) sent_ += sender_->sent_bytes();
    sender_ = std::make_unique<V2Sender>(hello, 1 + random_() % 400);
    read_ = is_stream_ ? 0 : file_.size();
    sender_->available(read_);
    says_end_ = !(knows_size && knows_hash);
  }

  void step() {
    driver_->now += std::chrono::milliseconds(random_() % 20);
    if (links_.empty() || (links_.size() < most_channels_ && happens(100))) open();
    read_more();
    const auto link = std::next(links_.begin(), static_cast<long>(random_() % links_.size()));
    const ChannelId channel = link->first;
    // Before the hello has come there is no upload that could go on.
    const bool has_begun = driver_->receiver().state() != UploadState::kIdle;
    if (has_begun && happens(faults_.loss)) {
      lose(channel);
    } else if (sender_->id() && happens(faults_.kill)) {
      kill();
    } else {
      transport(channel, link->second);
    }
    receive(driver_->tick());
  }

  void open() {
    const ChannelId channel = next_channel_++;
    links_.try_emplace(channel);
    receive(driver_->open(channel));
    sender_->channel_opened(channel);
    take_from_sender();
  }

  // A stream comes bit by bit, and its hash at its end.
  void read_more() {
    if (read_ < file_.size() && happens(300)) {
      read_ = std::min<std::uint64_t>(file_.size(), read_ + random_() % 1000);
      sender_->available(read_);
    }
    if (read_ == file_.size() && says_end_ && happens(50)) {
      says_end_ = false;
      sender_->end(file_.size(), random_() % 4 == 0 ? std::nullopt : std::optional(sum_of(file_)));
      take_from_sender();
    }
  }

  void lose(ChannelId channel) {
    ++losses_;
    links_.erase(channel);
    // Either side may notice first, and others' messages may come in between.
    sender_->channel_lost(channel);
    take_from_sender();
    receive(driver_->close(channel));
  }

  void kill() {
    losses_ += links_.size();
    start_client();
    for (const auto& [channel, link] : std::exchange(links_, {})) receive(driver_->close(channel));
  }

  void transport(ChannelId channel, Link& link) {
    switch (random_() % 3) {
      case 0:
        send_block(channel, link);
        break;
      case 1:
        if (!link.up.empty()) {
          const auto message = std::move(link.up.front());
          link.up.pop_front();
          arrive(channel, message);
        }
        break;
      default:
        if (!link.down.empty()) {
          const ControlMessage message = std::move(link.down.front());
          link.down.pop_front();
          sender_->received(channel, message);
          take_from_sender();
        } else if (link.closing) {
          lose(channel);
        }
    }
  }

  void send_block(ChannelId channel, Link& link) {
    const auto block = sender_->next(channel);
    if (!block) return;
    ASSERT_LE(block->end, read_);
    ASSERT_LE(block->length(), limits_.max_chunk_size);
    Bytes message = v2_block(block->begin, ByteView(file_).subspan(block->begin, block->length()));
    if (happens(faults_.corruption)) message[4 + random_() % (message.size() - 4)] ^= 4;
    link.up.emplace_back(std::move(message));
  }

  void arrive(ChannelId channel, const std::variant<Bytes, ControlMessage>& message) {
    if (const auto* said = std::get_if<ControlMessage>(&message)) {
      return receive(driver_->say(channel, *said));
    }
    const Bytes& bytes = std::get<Bytes>(message);
    receive(driver_->deliver(channel, binary(bytes)));
    // Of another client's, say, which does not know what has been sent.
    if (happens(faults_.repetition) && driver_->receiver().connections() > 0) {
      receive(driver_->deliver(channel, binary(bytes)));
    }
  }

  void receive(const V2Outcome& outcome) {
    ASSERT_FALSE(outcome.failure) << outcome.failure->message;
    for (const Output& output : outcome.outputs) {
      const auto link = links_.find(output.channel);
      if (link == links_.end()) continue;
      if (output.message) {
        link->second.down.push_back(*output.message);
      } else {
        link->second.closing = true;
      }
    }
  }

  void take_from_sender() {
    for (const Output& output : sender_->take_outputs()) {
      const auto link = links_.find(output.channel);
      if (link == links_.end()) continue;
      if (output.message) {
        link->second.up.emplace_back(*output.message);
      } else if (!sender_->ended()) {
        ++losses_;
        links_.erase(link);
        receive(driver_->close(output.channel));
      }
    }
  }

  std::mt19937 random_;
  const Faults faults_;
  const std::size_t most_channels_;
  const bool is_stream_;
  Limits limits_;
  Bytes file_;
  std::unique_ptr<V2Driver> driver_;
  std::unique_ptr<V2Sender> sender_;
  std::map<ChannelId, Link> links_;
  ChannelId next_channel_ = 1;
  // Of the stream.
  std::uint64_t read_ = 0;
  bool says_end_ = false;
  // Of clients that were killed.
  std::uint64_t sent_ = 0;
  std::uint64_t losses_ = 0;
};

void simulate(const Faults& faults, unsigned channels, bool is_stream = false) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed, faults, channels, is_stream).run();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(V2Simulation, OneGoodChannel) { simulate({}, 1); }
TEST(V2Simulation, SeveralGoodChannels) { simulate({}, 4); }
TEST(V2Simulation, AStreamOverSeveralChannels) { simulate({}, 3, true); }
TEST(V2Simulation, ChannelsThatAreLost) { simulate({.loss = 5}, 4); }
TEST(V2Simulation, AStreamOverChannelsThatAreLost) { simulate({.loss = 5}, 2, true); }
TEST(V2Simulation, OneChannelThatIsLostAgainAndAgain) { simulate({.loss = 10}, 1); }
TEST(V2Simulation, MessagesThatAreCorrupted) { simulate({.corruption = 20}, 3); }
TEST(V2Simulation, MessagesThatComeTwice) { simulate({.repetition = 300}, 3); }
TEST(V2Simulation, ClientsThatAreKilledAndComeBack) { simulate({.kill = 2}, 3); }
TEST(V2Simulation, Everything) {
  simulate({.loss = 5, .corruption = 10, .kill = 1, .repetition = 50}, 8);
}

}  // namespace
}  // namespace webrtcupload::testing
