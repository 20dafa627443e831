// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcupload tells its application over a whole upload: the state, the messages, the
// progress and the statistics.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "upload/upload_signals.h"

namespace webrtcupload::test {
namespace {

using std::chrono::milliseconds;

// What the progress comes to. Of `continue` there may be any number.
class UploadProgress : public UploadSignals {
 protected:
  [[nodiscard]] std::vector<GstProgressType> progress() const {
    std::vector<GstProgressType> types;
    for (const auto& message : progress_messages(receiver_->bus())) {
      if (message.type != GST_PROGRESS_TYPE_CONTINUE) types.push_back(message.type);
    }
    return types;
  }
  // After what follows it on the bus: nothing more comes when the pipeline has stopped.
  void expect_progress(const std::vector<GstProgressType>& expected) {
    GstState current = GST_STATE_NULL;
    gst_element_get_state(receiver_->pipeline(), &current, nullptr, 0);
    if (current > GST_STATE_READY) {
      ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    }
    EXPECT_EQ(progress(), expected);
  }
  // `meanwhile` happens while the application thinks about it, and then it agrees.
  void authorize_slowly(const std::function<void()>& meanwhile) {
    make_receiver();
    const auto blocker = std::make_shared<Blocker>();
    on_authorize_ = on_authorize(upload(), [blocker](auto*) {
      blocker->block();
      return true;
    });
    receiver_->play();
    connect();
    ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
    ASSERT_TRUE(blocker->wait_blocked());
    meanwhile();
    blocker->release();
  }
  // On the same connection, and with the same element.
  void upload_another() {
    receiver_->play();
    const auto another = open_channel(pair_);
    ASSERT_TRUE(another.channel);
    ASSERT_TRUE(send_file(another.channel.get(), random_bytes(100'000)));
    ASSERT_TRUE(receiver_->wait_eos());
  }

  SignalConnection on_authorize_;
};

// -------------------------------------------------------------------------------------------------
// what is told

TEST_F(UploadSignals, StatesComeInOrder) {
  // So that the worker sleeps once the upload is complete: who tells of a new state is whoever sees
  // it first, and shows the one of the moment when the handlers run.
  make_receiver("quota-interval=0");
  receiver_->play();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(witness_->wait_state("done"));
  // The property is read when the notification runs, so it may be a step ahead, and then comes
  // twice.
  const std::vector<std::string> order{"uploading", "complete", "processing", "done"};
  const auto states = witness_->states();
  std::vector<std::ptrdiff_t> steps;
  for (const std::string& state : states) {
    steps.push_back(std::find(order.begin(), order.end(), state) - order.begin());
    EXPECT_LT(steps.back(), 4) << state;
  }
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(std::count(states.begin(), states.end(), "uploading"), 1);
  EXPECT_GE(std::count(states.begin(), states.end(), "processing"), 1);
}

TEST_F(UploadSignals, MessagesTellTheWholeStory) {
  make_receiver();
  receiver_->play();
  connect();
  // In small chunks, so that there are more than percents.
  ASSERT_TRUE(send_file(channel(), random_bytes(2'000'000), 2'000));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(witness_->wait_state("done"));

  const auto progress = progress_messages(receiver_->bus());
  ASSERT_GE(progress.size(), 2U);
  EXPECT_EQ(progress.front().type, GST_PROGRESS_TYPE_START);
  EXPECT_EQ(progress.back().type, GST_PROGRESS_TYPE_COMPLETE);
  EXPECT_NE(progress.back().text.find("2000000 bytes"), std::string::npos) << progress.back().text;
  EXPECT_NE(progress.back().text.find("1000 chunks"), std::string::npos) << progress.back().text;
  int last_percent = 0;
  for (const auto& message : progress) {
    EXPECT_EQ(message.code, "upload");
    if (message.type != GST_PROGRESS_TYPE_CONTINUE) continue;
    const int percent = std::stoi(message.text);
    EXPECT_GT(percent, last_percent) << message.text;
    EXPECT_LE(percent, 100) << message.text;
    last_percent = percent;
  }
  EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_START), 1U);
  EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_COMPLETE), 1U);
  EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_ERROR), 0U);
  EXPECT_EQ(witness_->completions(), 1);
  EXPECT_EQ(stats_messages(receiver_->bus()).size(), 1U);
}

// A sender that takes its time: each chunk is told, but no percent twice and none too soon.
TEST_F(UploadSignals, ProgressIsAtMostTenASecond) {
  make_receiver();
  receiver_->play();
  connect();
  constexpr std::uint32_t kChunks = 200;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < kChunks; ++i) {
    ASSERT_TRUE(send_chunk(channel(), i, kChunks, Bytes(10)));
    const std::size_t echoes = channel_.observer->message_count();
    ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
    ASSERT_TRUE(channel_.observer->wait_messages(echoes + 1));
  }
  ASSERT_TRUE(receiver_->wait_eos());
  const auto took = std::chrono::steady_clock::now() - begin;
  const auto told = count_progress(receiver_->bus(), GST_PROGRESS_TYPE_CONTINUE);
  EXPECT_GE(told, 1U);
  EXPECT_LE(told, static_cast<std::size_t>(took / milliseconds(100)) + 1);
}

TEST_F(UploadSignals, StatisticsAreCompleteAndTyped) {
  make_receiver();
  receiver_->play();
  connect();
  const auto chunks = cut(random_bytes(250'000), 50'000);
  ASSERT_TRUE(send_chunk(channel(), 0, 5, chunks[0]));
  ASSERT_TRUE(send_chunk(channel(), 0, 5, chunks[0]));
  ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  ASSERT_TRUE(channel_.observer->wait_messages(1));
  EXPECT_EQ(receiver_->stat_u64("bytes"), 50'000U);
  EXPECT_EQ(receiver_->stat_uint("chunks-announced"), 5U);
  int percent = 0;
  EXPECT_TRUE(gst_structure_get_int(receiver_->stats().get(), "percent", &percent));
  EXPECT_EQ(percent, 20);
  for (std::uint32_t i = 1; i < 5; ++i) ASSERT_TRUE(send_chunk(channel(), i, 5, chunks[i]));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(witness_->wait_state("done"));

  const GstStructurePtr stats = receiver_->stats();
  EXPECT_TRUE(gst_structure_has_name(stats.get(), "application/x-webrtcupload-stats"));
  const std::vector<std::pair<const char*, GType>> fields{
      {"state", G_TYPE_STRING},
      {"bytes", G_TYPE_UINT64},
      {"chunks-received", G_TYPE_UINT},
      {"chunks-announced", G_TYPE_UINT},
      {"duplicates", G_TYPE_UINT64},
      {"rejected", G_TYPE_UINT64},
      {"ignored", G_TYPE_UINT64},
      {"keepalives", G_TYPE_UINT64},
      {"percent", G_TYPE_INT},
      {"throughput", G_TYPE_DOUBLE},
      {"backlog", G_TYPE_UINT64},
      {"backlog-peak", G_TYPE_UINT64},
      {"socket-buffer-size", G_TYPE_INT},
      {"first-chunk-delay", G_TYPE_UINT64},
      {"transfer-time", G_TYPE_UINT64},
      {"processing-time", G_TYPE_UINT64},
  };
  for (const auto& [field, type] : fields) {
    EXPECT_EQ(gst_structure_get_field_type(stats.get(), field), type) << field;
  }
  EXPECT_EQ(receiver_->stat_u64("bytes"), 250'000U);
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 5U);
  EXPECT_EQ(receiver_->stat_u64("duplicates"), 1U);
  EXPECT_EQ(receiver_->stat_u64("keepalives"), 1U);
  EXPECT_EQ(receiver_->stat_u64("rejected"), 0U);
  EXPECT_EQ(receiver_->stat_u64("backlog"), 0U);
  EXPECT_GE(receiver_->stat_u64("backlog-peak"), 50'000U);
  EXPECT_GT(receiver_->stat_u64("transfer-time"), 0U);
  EXPECT_GT(receiver_->stat_u64("processing-time"), 0U);
  EXPECT_TRUE(gst_structure_get_int(stats.get(), "percent", &percent));
  EXPECT_EQ(percent, 100);
  double throughput = 0;
  EXPECT_TRUE(gst_structure_get_double(stats.get(), "throughput", &throughput));
  EXPECT_GT(throughput, 0);
  int socket_buffer = 0;
  EXPECT_TRUE(gst_structure_get_int(stats.get(), "socket-buffer-size", &socket_buffer));
  EXPECT_GT(socket_buffer, 0);

  // The message says the same, as far as it was known at completion.
  const auto messages = stats_messages(receiver_->bus());
  ASSERT_EQ(messages.size(), 1U);
  for (const auto& [field, type] : fields) {
    EXPECT_EQ(gst_structure_get_field_type(messages[0].get(), field), type) << field;
  }
}

// -------------------------------------------------------------------------------------------------
// the progress: one start, then one end

// A handler that takes longer than the upload may: the failure comes before the first chunk is
// told.
TEST_F(UploadProgress, EndsOnceWhenAuthorizeOutlastsTheUploadTimeout) {
  make_receiver("upload-timeout=200000000 idle-timeout=0 min-rate=0");
  const auto connection = on_authorize(upload(), [](auto*) {
    const auto over = std::chrono::steady_clock::now() + milliseconds(400);
    return eventually([&] { return std::chrono::steady_clock::now() >= over; });
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  EXPECT_EQ(receiver_->wait_error().code, "upload-timeout");
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_ERROR});
}

TEST_F(UploadProgress, EndsOnceWhenAuthorizeDenies) {
  make_receiver();
  const auto connection = on_authorize(upload(), [](auto*) { return false; });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  EXPECT_EQ(receiver_->wait_error().code, "unauthorized");
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_ERROR});
}

TEST_F(UploadProgress, EndsOnceWhenTheUploadIsCancelledDuringAuthorize) {
  authorize_slowly([this] { g_signal_emit_by_name(upload(), "cancel"); });
  EXPECT_EQ(receiver_->wait_error().code, "cancelled");
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_CANCELED});
}

TEST_F(UploadProgress, EndsOnceWhenThePeerLeavesDuringAuthorize) {
  authorize_slowly([this] {
    gst_webrtc_data_channel_close(channel());
    ASSERT_TRUE(channel_.observer->wait_closed());
  });
  EXPECT_EQ(receiver_->wait_error().code, "peer-gone");
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_ERROR});
}

// What goes wrong with a file that is complete is no matter of its upload.
TEST_F(UploadProgress, IsOverWhenTheUploadIsComplete) {
  make_receiver();
  pause();
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1'000'000)));
  ASSERT_TRUE(witness_->wait_state("processing"));
  g_signal_emit_by_name(upload(), "cancel");
  expect_cancelled();
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_COMPLETE});
}

TEST_F(UploadProgress, EndsWithTheElementAndBeginsAnew) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(eventually([&] { return progress().size() == 1; }));
  ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_CANCELED});
  upload_another();
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_CANCELED, GST_PROGRESS_TYPE_START,
                   GST_PROGRESS_TYPE_COMPLETE});
}

// Nobody can be told while a handler does not return: the next start makes up for it.
TEST_F(UploadProgress, EndsWithTheNextStartWhenTheElementStopsAmidAHandler) {
  make_receiver("quota-interval=1");
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_check_quota(upload(), [this, blocker] {
    if (!progress().empty()) blocker->block();
    return true;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(blocker->wait_blocked());
  ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  expect_progress({GST_PROGRESS_TYPE_START});
  blocker->release();
  upload_another();
  expect_progress({GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_CANCELED, GST_PROGRESS_TYPE_START,
                   GST_PROGRESS_TYPE_COMPLETE});
}

// A stop that interrupts nothing says nothing.
TEST_F(UploadProgress, IsNoneWithoutAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  expect_progress({});
}

}  // namespace
}  // namespace webrtcupload::test
