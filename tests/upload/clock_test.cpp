// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Somebody sets the machine's clock amid an upload: no time-out comes because of it, and none is
// late.

#include <glib.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "support/shifted_clock.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

constexpr hours kJumps[] = {hours(48), hours(-48)};

class Clock : public testing::Test {
 protected:
  void TearDown() override { shift_time_of_day(seconds(0)); }

  void begin(const std::string& properties) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
    receiver_->play();
    channel_ = pair_.connect();
    ASSERT_TRUE(channel_.channel);
  }
  // Once it is stored.
  void send(std::uint32_t index, std::uint32_t total) {
    ASSERT_TRUE(send_chunk(channel_.channel.get(), index, total, random_bytes(1000, index)));
    ASSERT_TRUE(eventually([&] { return receiver_->stat_uint("chunks-received") > index; }));
  }

  PeerPair pair_{{.observe_incoming = false}};
  PeerPair::Channel channel_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
};

TEST_F(Clock, MovesWhereATestMovesIt) {
  const auto day = std::chrono::system_clock::now();
  const auto real = g_get_real_time();
  const auto monotonic = g_get_monotonic_time();
  const auto steady = Steady::now();
  shift_time_of_day(hours(48));
  EXPECT_GE(std::chrono::system_clock::now() - day, hours(47));
  EXPECT_GE(g_get_real_time() - real, hours(47) / std::chrono::microseconds(1));
  EXPECT_LT(g_get_monotonic_time() - monotonic, hours(1) / std::chrono::microseconds(1));
  EXPECT_LT(Steady::now() - steady, hours(1));
}

// All limits are on, and looked at with each message.
TEST_F(Clock, JumpsFireNothing) {
  constexpr std::uint32_t kChunks = 6;
  begin("idle-timeout=60000000000 upload-timeout=600000000000 min-rate=1 quota-interval=20000000");
  for (std::uint32_t i = 0; i < kChunks; ++i) {
    send(i, kChunks);
    // Also where it waits for the next message.
    shift_time_of_day(kJumps[i % 2]);
    ASSERT_TRUE(send_bytes(channel_.channel.get(), Bytes{7}));
    ASSERT_TRUE(channel_.observer->wait_messages(i + 1));
  }
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_TRUE(witness_->failures().empty());
  EXPECT_EQ(witness_->completions(), 1);
  EXPECT_EQ(receiver_->bytes().size(), 1000 * kChunks);
}

TEST_F(Clock, JumpsMakeNoTimeoutLateOrEarly) {
  ASSERT_TRUE(pair_.connect("first").channel);
  for (const hours jump : kJumps) {
    SCOPED_TRACE(jump.count());
    shift_time_of_day(seconds(0));
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), "idle-timeout=1000000000");
    receiver_->play();
    const auto begin = Steady::now();
    channel_ = open_channel(pair_);
    ASSERT_TRUE(channel_.channel);
    shift_time_of_day(jump);
    EXPECT_EQ(receiver_->wait_error().code, "idle-timeout");
    EXPECT_GE(Steady::now() - begin, seconds(1));
  }
}

}  // namespace
}  // namespace webrtcupload::test
