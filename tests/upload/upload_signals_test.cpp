// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcupload asks its application (authorize, check-quota) and is told by it (cancel).

#include "upload/upload_signals.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

namespace webrtcupload::test {
namespace {

using std::chrono::milliseconds;

// -------------------------------------------------------------------------------------------------
// authorize

TEST_F(UploadSignals, AuthorizeDescribesTheRequestBeforeAnythingIsStored) {
  make_receiver();
  std::promise<GstStructurePtr> asked;
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(upload(), [&, blocker](const GstStructure* request) {
    asked.set_value(GstStructurePtr(gst_structure_copy(request)));
    blocker->block();
    return true;
  });
  receiver_->play();
  connect();
  const Bytes file = random_bytes(2'500);
  // Which chunk comes first does not matter.
  const auto chunks = cut(file, 1'000);
  ASSERT_TRUE(send_chunk(channel(), 1, 3, chunks[1]));
  ASSERT_TRUE(send_chunk(channel(), 0, 3, chunks[0]));
  ASSERT_TRUE(send_chunk(channel(), 2, 3, chunks[2]));
  auto future = asked.get_future();
  ASSERT_EQ(future.wait_for(kDeadline), std::future_status::ready);
  const GstStructurePtr request = future.get();
  EXPECT_TRUE(gst_structure_has_name(request.get(), "application/x-webrtcupload-request"));
  EXPECT_EQ(gst_structure_n_fields(request.get()), 5);
  EXPECT_STREQ(gst_structure_get_string(request.get(), "channel-label"), "video_upload");
  EXPECT_STREQ(gst_structure_get_string(request.get(), "channel-protocol"), "");
  guint count = 0;
  EXPECT_TRUE(gst_structure_get_uint(request.get(), "chunks-announced", &count));
  EXPECT_EQ(count, 3U);
  EXPECT_TRUE(gst_structure_get_uint(request.get(), "first-chunk-size", &count));
  EXPECT_EQ(count, 1'000U);
  guint64 size = 0;
  EXPECT_TRUE(gst_structure_get_uint64(request.get(), "estimated-size", &size));
  EXPECT_EQ(size, 3'000U);

  EXPECT_EQ(receiver_->state(), "idle");
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 0U);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_PROGRESS), 0U);
  blocker->release();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

TEST_F(UploadSignals, AuthorizeIsAskedOnceForAnUpload) {
  make_receiver();
  Count asked;
  const auto connection = on_authorize(upload(), [&](auto*) {
    asked.raise();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(100'000), 1'000));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(asked.value(), 1);
}

TEST_F(UploadSignals, TheFirstHandlerThatDeniesIsTheLastAsked) {
  make_receiver();
  Count asked;
  const auto agrees = on_authorize(upload(), [&](auto*) {
    asked.raise();
    return true;
  });
  const auto denies = on_authorize(upload(), [&](auto*) {
    asked.raise();
    return false;
  });
  const auto too_late = on_authorize(upload(), [&](auto*) {
    asked.raise();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  EXPECT_EQ(receiver_->wait_error().code, "unauthorized");
  EXPECT_EQ(asked.value(), 2);
}

// While the handler is asked, nothing is taken out of the backlog. What follows is sent in two
// parts: the gate has closed when the second one leaves, and none of that passes it, whichever
// thread is slow. (Had all been sent at once, any part of it might have been beyond the gate by
// then.)
TEST_F(UploadSignals, ASlowAuthorizationHoldsThePeerBackAndLosesNothing) {
  constexpr guint64 kHighMark = 64 * 1024;
  constexpr std::size_t kChunkSize = 49'152;
  constexpr std::uint32_t kEarly = 5;
  make_receiver("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0 idle-timeout=0");
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(upload(), [blocker](auto*) {
    blocker->block();
    return true;
  });
  receiver_->play();
  connect();
  const Bytes file = random_bytes(6'000'000);
  const auto chunks = cut(file, kChunkSize);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  const auto send = [&](std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < to; ++i) {
      ASSERT_TRUE(send_chunk(channel(), i, total, chunks[i]));
    }
  };
  send(0, 1);
  ASSERT_TRUE(blocker->wait_blocked());
  send(1, kEarly);
  ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("backlog") > kHighMark; }));
  send(kEarly, total);
  EXPECT_TRUE(eventually([&] { return is_held_back(pair_.answerer()); }));
  EXPECT_LE(receiver_->stat_u64("backlog-peak"), kEarly * (kChunkSize + 1024));
  blocker->release();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

// Small messages count for what they take, so that many of them close the gate as well.
TEST_F(UploadSignals, AFloodOfKeepalivesIsHeldBackToo) {
  constexpr guint64 kHighMark = 64 * 1024;
  constexpr guint64 kEarly = 200;
  constexpr guint64 kFlood = 5'000;
  make_receiver("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0 idle-timeout=0");
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(upload(), [blocker](auto*) {
    blocker->block();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(blocker->wait_blocked());
  for (guint64 i = 0; i < kEarly; ++i) ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("backlog") > kHighMark; }));
  for (guint64 i = kEarly; i < kFlood; ++i) ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  EXPECT_TRUE(eventually([&] { return is_held_back(pair_.answerer()); }));
  EXPECT_LE(receiver_->stat_u64("backlog-peak"), (kEarly + 1) * 1024);
  blocker->release();
  EXPECT_TRUE(eventually([&] { return receiver_->stat_u64("keepalives") == kFlood; }));
  EXPECT_TRUE(witness_->failures().empty());
}

// -------------------------------------------------------------------------------------------------
// check-quota

TEST_F(UploadSignals, QuotaIsAskedForAtEveryIntervalOfTheUpload) {
  constexpr milliseconds kInterval(50);
  make_receiver("quota-interval=" + std::to_string(std::chrono::nanoseconds(kInterval).count()));
  Count asked;
  const auto connection = on_check_quota(upload(), [&] {
    asked.raise();
    return true;
  });
  receiver_->play();
  connect();
  const auto until = std::chrono::steady_clock::now() + 3 * kInterval;
  ASSERT_TRUE(ping_until(channel_, [&] { return std::chrono::steady_clock::now() >= until; }));
  EXPECT_EQ(asked.value(), 0) << "there is no upload yet";

  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(asked.wait(6));
  // One before the first byte, then one after each interval at the earliest.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 5 * kInterval);
  EXPECT_TRUE(witness_->failures().empty());
}

TEST_F(UploadSignals, QuotaIsAskedForWhileTheFileIsRead) {
  make_receiver("quota-interval=10000000");
  Count asked;
  const auto connection = on_check_quota(upload(), [&] {
    asked.raise();
    return true;
  });
  pause();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(witness_->wait_state("processing"));
  EXPECT_TRUE(asked.wait(asked.value() + 3));

  receiver_->play();
  ASSERT_TRUE(receiver_->wait_eos());
  // One may be on its way still, asked for before the end was reached.
  const int at_the_end = asked.value() + 1;
  const auto until = std::chrono::steady_clock::now() + milliseconds(100);
  ASSERT_TRUE(ping_until(channel_, [&] { return std::chrono::steady_clock::now() >= until; }));
  EXPECT_LE(asked.value(), at_the_end) << "there is nothing left to pay for";
}

TEST_F(UploadSignals, AnIntervalThatNeverEndsIsNone) {
  make_receiver("quota-interval=" + std::to_string(G_MAXINT64));
  Count asked;
  const auto connection = on_check_quota(upload(), [&] {
    asked.raise();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  const auto until = std::chrono::steady_clock::now() + milliseconds(100);
  ASSERT_TRUE(ping_until(channel_, [&] { return std::chrono::steady_clock::now() >= until; }));
  EXPECT_LE(asked.value(), 1);
}

TEST_F(UploadSignals, TheFirstHandlerThatSeesTheQuotaUsedUpIsTheLastAsked) {
  make_receiver("quota-interval=10000000");
  Count first;
  Count second;
  const auto used_up = on_check_quota(upload(), [&] { return first.raise() < 3; });
  const auto later = on_check_quota(upload(), [&] {
    second.raise();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  EXPECT_EQ(receiver_->wait_error().code, "quota-exceeded");
  EXPECT_EQ(first.value(), 3);
  EXPECT_EQ(second.value(), 2);
}

// -------------------------------------------------------------------------------------------------
// cancel

TEST_F(UploadSignals, CancelBelowPausedDoesNothing) {
  make_receiver();
  g_signal_emit_by_name(upload(), "cancel");
  receiver_->play();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1000)));
  ASSERT_TRUE(receiver_->wait_eos());
}

TEST_F(UploadSignals, CancelBeforeTheFirstChunk) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  g_signal_emit_by_name(upload(), "cancel");
  expect_cancelled();
  EXPECT_TRUE(channel_.observer->wait_closed());
}

TEST_F(UploadSignals, CancelWithinTheUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  g_signal_emit_by_name(upload(), "cancel");
  g_signal_emit_by_name(upload(), "cancel");
  expect_cancelled();
  EXPECT_TRUE(channel_.observer->wait_closed());
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
}

TEST_F(UploadSignals, CancelWhileTheFileIsRead) {
  make_receiver();
  pause();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1'000'000)));
  ASSERT_TRUE(witness_->wait_state("processing"));
  g_signal_emit_by_name(upload(), "cancel");
  expect_cancelled();
  receiver_->play();
  EXPECT_LT(receiver_->bytes().size(), 1'000'000U);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_EOS), 0U);
}

TEST_F(UploadSignals, CancelAfterTheEndDoesNothing) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1000)));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(witness_->wait_state("done"));
  g_signal_emit_by_name(upload(), "cancel");
  // The answer comes after the worker has seen to the above.
  ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  ASSERT_TRUE(channel_.observer->wait_messages(1));
  EXPECT_EQ(receiver_->state(), "done");
  EXPECT_TRUE(witness_->failures().empty());
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(UploadSignals, CancelFromAHandler) {
  make_receiver();
  GstElement* element = upload();
  const auto connection = on_authorize(element, [element](auto*) {
    g_signal_emit_by_name(element, "cancel");
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(100'000)));
  EXPECT_EQ(receiver_->wait_error().code, "cancelled");
}

}  // namespace
}  // namespace webrtcupload::test
