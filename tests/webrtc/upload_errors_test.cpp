// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Everything that can fail an upload, over a real pair of webrtcbins: the application is told once
// and in every way it can be told, the sender sees its channel close, nothing is left behind, and
// the next upload on the same connection works.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <ostream>
#include <string>
#include <sys/mount.h>
#include <thread>
#include <vector>

#include "core/spool.h"
#include "support/odd_directory.h"
#include "webrtc/upload_witness.h"
#include "webrtcupload/gstwebrtcuploaderror.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// What is expected to be told. `numbers` are what the text has to hold.
struct Expected {
  GstWebrtcUploadError code;
  std::string nick;
  std::vector<std::string> numbers;
};

class UploadFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The first upload opens what the process then keeps (GLib's and libnice's workers).
    PeerPair pair({.observe_incoming = false});
    ReceivingPipeline receiver(pair.answerer());
    receiver.play();
    const auto channel = pair.connect();
    ASSERT_TRUE(send_file(channel.channel.get(), random_bytes(100)));
    ASSERT_TRUE(receiver.wait_eos());
  }

  void SetUp() override {
    descriptors_ = std::make_unique<FdGuard>();
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
  }

  // Whatever happened: nothing is left of it.
  void TearDown() override {
    channel_ = {};
    witness_.reset();
    if (receiver_) {
      stop_promptly(receiver_->pipeline());
      expect_no_spool_file();
    }
    receiver_.reset();
    pair_.reset();
    descriptors_->expect_none_new();
  }

  void make_receiver(const std::string& properties,
                     const std::string& tail = ReceivingPipeline::kCollectBytes) {
    make_receiver(properties, tail, pair_->answerer());
  }
  void make_receiver(const std::string& properties, const std::string& tail,
                     GstElement* webrtcbin) {
    receiver_ = std::make_unique<ReceivingPipeline>(
        webrtcbin, "spool-directory=" + spool_.path() + " " + properties, tail);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
  }
  void connect() {
    channel_ = pair_->connect();
    ASSERT_TRUE(channel_.channel);
  }
  void start(const std::string& properties = "") {
    make_receiver(properties);
    receiver_->play();
    connect();
  }

  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }

  // The element starts when what `send` sends is all waiting for it, `messages` in number. So how
  // long the peers took to connect, and the messages to arrive, is no part of the upload's times.
  void start_with_waiting(const std::string& properties, int messages,
                          const std::function<void(GstWebRTCDataChannel*)>& send) {
    make_receiver(properties, ReceivingPipeline::kCollectBytes, nullptr);
    const auto arrived = std::make_shared<Count>();
    using Closure = std::function<void(GstWebRTCDataChannel*)>;
    SignalConnection counting;
    const SignalConnection connection(
        pair_->answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, Closure* function) {
          (*function)(object);
        }),
        Closure([&](GstWebRTCDataChannel* object) {
          g_object_set(receiver_->upload(), "data-channel", object, nullptr);
          // After the element's own handler.
          counting = SignalConnection(
              object, "on-message-data",
              G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, std::shared_ptr<Count>* count) {
                (*count)->raise();
              }),
              arrived);
        }));
    connect();
    send(channel());
    ASSERT_TRUE(arrived->wait(messages));
    receiver_->play();
  }

  // While the element is not running there is neither a name nor a descriptor in its directory, as
  // soon as its worker has ended: one that is told of the end within a handler is not waited for.
  void expect_no_spool_file() {
    EXPECT_EQ(spool_.entries(), 0U);
    std::string found;
    EXPECT_TRUE(eventually([&] {
      found.clear();
      for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
        if (target.find(spool_.path()) != std::string::npos) found = target;
      }
      return found.empty();
    })) << found;
  }

  // The upload fails, and says so everywhere.
  void expect_failure(const Expected& expected) {
    const ErrorText error = receiver_->wait_error();
    EXPECT_EQ(error.code, expected.nick) << error.message;
    EXPECT_NE(error.message.find(expected.nick), std::string::npos) << error.message;
    ASSERT_TRUE(witness_->wait_failed());
    const auto failure = witness_->failures().front();
    EXPECT_EQ(failure.domain, GST_WEBRTC_UPLOAD_ERROR);
    EXPECT_EQ(failure.code, expected.code);
    for (const std::string& number : expected.numbers) {
      EXPECT_NE(error.message.find(number), std::string::npos)
          << "no \"" << number << "\" in \"" << error.message << "\"";
      EXPECT_NE(failure.message.find(number), std::string::npos)
          << "no \"" << number << "\" in \"" << failure.message << "\"";
    }
    EXPECT_EQ(receiver_->state(), "error");

    const auto stats = stats_messages(receiver_->bus());
    ASSERT_FALSE(stats.empty());
    const GstStructure* last = stats.back().get();
    EXPECT_STREQ(gst_structure_get_string(last, "state"), "error");
    EXPECT_STREQ(gst_structure_get_string(last, "error-code"), expected.nick.c_str());
    EXPECT_STREQ(gst_structure_get_string(last, "error-message"), failure.message.c_str());

    const auto progress = progress_messages(receiver_->bus());
    ASSERT_FALSE(progress.empty());
    EXPECT_EQ(progress.front().type, GST_PROGRESS_TYPE_START);
    EXPECT_EQ(progress.back().code, "upload");
    // That of an upload which is complete has ended before.
    if (witness_->completions() > 0) {
      EXPECT_EQ(progress.back().type, GST_PROGRESS_TYPE_COMPLETE);
    } else {
      EXPECT_EQ(progress.back().type, GST_PROGRESS_TYPE_ERROR);
      EXPECT_NE(progress.back().text.find(expected.nick), std::string::npos)
          << progress.back().text;
    }
  }

  // To be called last: nothing was told twice.
  void expect_told_once() {
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_WARNING), spool_in_memory_ ? 1U : 0U);
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_EOS), 0U);
    // Also one at completion, where it came to that.
    EXPECT_EQ(stats_messages(receiver_->bus()).size(), witness_->completions() + 1U);
    EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_START), 1U);
    EXPECT_EQ(count_progress(receiver_->bus(), GST_PROGRESS_TYPE_ERROR) +
                  count_progress(receiver_->bus(), GST_PROGRESS_TYPE_COMPLETE),
              1U);
    EXPECT_EQ(witness_->failures().size(), 1U);
    const auto states = witness_->states();
    EXPECT_EQ(std::count(states.begin(), states.end(), "error"), 1);
  }

  // On the same connection: a fresh channel and a fresh element beside the one that failed.
  void expect_next_upload_works() {
    const Bytes file = random_bytes(200'000, 5);
    ReceivingPipeline next(pair_->answerer());
    next.play();
    const auto fresh = open_channel(*pair_);
    ASSERT_TRUE(fresh.channel);
    ASSERT_TRUE(send_file(fresh.channel.get(), file));
    ASSERT_TRUE(next.wait_eos());
    EXPECT_EQ(next.bytes(), file);
  }

  // GstBaseSrc adds one of its own to ours when its start() fails.
  void expect_only_start_errors() {
    const auto errors = receiver_->bus().all(GST_MESSAGE_ERROR);
    ASSERT_LE(errors.size(), 2U);
    if (errors.size() == 2) {
      EXPECT_EQ(error_text(errors[1].get()).code, "");
    }
    EXPECT_TRUE(witness_->failures().empty());
    EXPECT_EQ(receiver_->state(), "idle");
  }

  void expect_whole_story(const Expected& expected) {
    expect_failure(expected);
    EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender did not notice";
    expect_next_upload_works();
    expect_told_once();
  }

  TemporaryDirectory spool_;
  // Of which the element warns.
  bool spool_in_memory_ = Spool::is_in_memory(spool_.path());
  std::unique_ptr<FdGuard> descriptors_;
  std::unique_ptr<PeerPair> pair_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  PeerPair::Channel channel_;
};

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

// -------------------------------------------------------------------------------------------------
// time

// The first chunk is there when the element starts, so only its own worker stands between the
// opening and that chunk.
constexpr char kIdleAfterASecond[] = "idle-timeout=1000000000";

void send_first_of_three(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 0, 3, random_bytes(100)));
}

TEST_F(UploadFaults, IdleWithinTheUpload) {
  start_with_waiting(kIdleAfterASecond, 1, send_first_of_three);
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT, "idle-timeout", {"1 s", "1 of 3 chunks"}});
}

TEST_F(UploadFaults, UploadTimeout) {
  start_with_waiting("upload-timeout=1000000000", 1, send_first_of_three);
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT, "upload-timeout", {"1 s", "1 of 3 chunks"}});
}

// The minute that the rate is measured over is a real one.
TEST_F(UploadFaults, TooSlow) {
  start_with_waiting("idle-timeout=0 min-rate=1000", 1, send_first_of_three);
  EXPECT_TRUE(witness_->wait_failed(kDeadline + std::chrono::seconds(60)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_TOO_SLOW,
                      "too-slow",
                      {"100 bytes came in 60 s", "1000 a second", "1 of 3 chunks"}});
}

TEST_F(UploadFaults, RepetitionsAndKeepalivesDoNotKeepAnUploadAlive) {
  start_with_waiting(kIdleAfterASecond, 2, [](GstWebRTCDataChannel* object) {
    send_first_of_three(object);
    send_first_of_three(object);
  });
  EXPECT_TRUE(ping_until(
      channel_, [&] { return !witness_->failures().empty(); },
      [&] { (void)send_chunk(channel(), 0, 3, random_bytes(100)); }));
  expect_whole_story(
      {GST_WEBRTC_UPLOAD_ERROR_IDLE_TIMEOUT, "idle-timeout", {"1 s", "1 of 3 chunks"}});
  EXPECT_GE(receiver_->stat_u64("duplicates"), 1U);
}

// The first chunk takes longer than the idle time-out allows, and counts all the same; then the
// time for all of it is over before that for the next one is. However long anything takes, the one
// for all of it is looked at first.
TEST_F(UploadFaults, NewChunksKeepAnUploadAliveButNotForEver) {
  const auto begin = std::chrono::steady_clock::now();
  SignalConnection connection;
  start_with_waiting(std::string(kIdleAfterASecond) + " upload-timeout=2000000000", 1,
                     [&](GstWebRTCDataChannel* object) {
                       // An application that takes its time.
                       connection = on_authorize(receiver_->upload(), [](auto*) {
                         std::this_thread::sleep_for(std::chrono::milliseconds(1300));
                         return true;
                       });
                       send_first_of_three(object);
                     });
  expect_failure(
      {GST_WEBRTC_UPLOAD_ERROR_UPLOAD_TIMEOUT, "upload-timeout", {"2 s", "1 of 3 chunks"}});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  EXPECT_TRUE(channel_.observer->wait_closed());
  expect_told_once();
}

TEST_F(UploadFaults, ZeroTurnsTimeoutsOff) {
  start("idle-timeout=0 upload-timeout=0 min-rate=0");
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  EXPECT_TRUE(ping_until(channel_, [&] { return std::chrono::steady_clock::now() >= until; }));
  ASSERT_TRUE(send_chunk(channel(), 1, 2, Bytes(10)));
  ASSERT_TRUE(receiver_->wait_eos());
}

// -------------------------------------------------------------------------------------------------
// a peer that leaves

TEST_F(UploadFaults, PeerClosesTheChannel) {
  start();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  gst_webrtc_data_channel_close(channel());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"1 chunks of 3"}});
}

TEST_F(UploadFaults, PeerClosesTheChannelBeforeTheFirstChunk) {
  start();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  gst_webrtc_data_channel_close(channel());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"0 chunks"}});
}

TEST_F(UploadFaults, PeerClosesTheConnection) {
  start();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  const auto begin = std::chrono::steady_clock::now();
  pair_->close_connection(Side::kOfferer);
  expect_failure({GST_WEBRTC_UPLOAD_ERROR_PEER_GONE, "peer-gone", {"1 chunks of 3"}});
  EXPECT_LE(std::chrono::steady_clock::now() - begin, kPrompt);
  expect_told_once();
}

TEST_F(UploadFaults, PeerMayLeaveOnceEverythingHasArrived) {
  make_receiver("");
  // Not read any further than the preroll: the file is still needed when the peer leaves.
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  const Bytes file = random_bytes(300'000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(witness_->wait_complete());
  pair_->close_connection(Side::kOfferer);
  receiver_->play();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

// -------------------------------------------------------------------------------------------------
// the application says no

TEST_F(UploadFaults, Unauthorized) {
  make_receiver("");
  const auto connection = on_authorize(receiver_->upload(), [](auto*) { return false; });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(10'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED, "unauthorized", {}});
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 0U);
}

TEST_F(UploadFaults, OverQuotaWhileUploading) {
  make_receiver("quota-interval=20000000");
  const auto connection = on_check_quota(receiver_->upload(), [] { return false; });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(100)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED, "quota-exceeded", {}});
}

TEST_F(UploadFaults, OverQuotaWhileProcessing) {
  make_receiver("quota-interval=20000000");
  GstElement* upload = receiver_->upload();
  const UploadWitness* witness = witness_.get();
  const auto connection = on_check_quota(upload, [witness] {
    return !witness->wait_state("processing", std::chrono::milliseconds(0));
  });
  // The sink keeps its first buffer, so the reading never ends by itself.
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(witness_->wait_complete());
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_QUOTA_EXCEEDED, "quota-exceeded", {}});
  EXPECT_EQ(witness_->completions(), 1);
}

// -------------------------------------------------------------------------------------------------
// storage

TEST_F(UploadFaults, SpoolDirectoryMissing) {
  make_receiver("");
  const std::string missing = spool_.path() + "/not/there";
  g_object_set(receiver_->upload(), "spool-directory", missing.c_str(), nullptr);
  EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find(missing), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("No such file or directory"), std::string::npos) << error.message;
  expect_only_start_errors();
  // Not for good: it works once the directory is right.
  ASSERT_EQ(set_state(receiver_->pipeline(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  g_object_set(receiver_->upload(), "spool-directory", spool_.path().c_str(), nullptr);
  receiver_->play();
  connect();
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(receiver_->bytes(), file);
}

// Skips where this process may not mount.
#define RUN_WITH_TMPFS(options, flags, ...)                                             \
  {                                                                                     \
    const int mount_error = run_with_tmpfs(spool_.path(), options, flags, __VA_ARGS__); \
    if (mount_error == EPERM) GTEST_SKIP() << "cannot mount: " << g_strerror(EPERM);    \
    ASSERT_EQ(mount_error, 0) << g_strerror(mount_error);                               \
  }

TEST_F(UploadFaults, SpoolDirectoryReadOnly) {
  make_receiver("");
  RUN_WITH_TMPFS("size=1m", MS_RDONLY, [&] {
    EXPECT_EQ(gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_FAILURE);
  });
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find("Read-only file system"), std::string::npos) << error.message;
  expect_only_start_errors();
}

// The spool file's descriptor is opened by the thread that starts the element, so its filesystem is
// the one that thread saw.
TEST_F(UploadFaults, SpoolTooSmallIsMetAtTheFirstChunk) {
  make_receiver("");
  spool_in_memory_ = true;
  RUN_WITH_TMPFS("size=64k", 0, [&] { receiver_->play(); });
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 100, random_bytes(10'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED,
                      "storage-failed",
                      {"1000000 bytes", "No space left on device"}});
  EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
}

TEST_F(UploadFaults, SpoolFullInTheMiddle) {
  make_receiver("");
  spool_in_memory_ = true;
  RUN_WITH_TMPFS("size=64k", 0, [&] { receiver_->play(); });
  connect();
  // The first chunk lets expect that all will fit, the second one that it will not.
  ASSERT_TRUE(send_chunk(channel(), 0, 4, random_bytes(100)));
  ASSERT_TRUE(send_chunk(channel(), 1, 4, random_bytes(50'000)));
  expect_whole_story({GST_WEBRTC_UPLOAD_ERROR_STORAGE_FAILED,
                      "storage-failed",
                      {"cannot reserve", "No space left on device"}});
  EXPECT_EQ(receiver_->stat_uint("chunks-received"), 1U);
}

// -------------------------------------------------------------------------------------------------
// messages that count for nothing

TEST_F(UploadFaults, MessagesAfterCompletionAreIgnored) {
  start();
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->wait_eos());
  ASSERT_TRUE(send_chunk(channel(), 0, 1, random_bytes(1000, 2)));
  ASSERT_TRUE(send_chunk(channel(), 7, 5, Bytes(10)));
  ASSERT_TRUE(send_text(channel(), "text"));
  ASSERT_TRUE(send_bytes(channel(), Bytes(3)));
  // Keepalives still come back, here after everything before them was handled.
  ASSERT_TRUE(send_bytes(channel(), Bytes{42}));
  ASSERT_TRUE(channel_.observer->wait_messages(1));
  EXPECT_EQ(receiver_->stat_u64("ignored"), 4U);
  EXPECT_EQ(receiver_->stat_u64("rejected"), 0U);
  EXPECT_EQ(receiver_->state(), "done");
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(UploadFaults, MessagesAfterAnErrorAreIgnored) {
  make_receiver("");
  // All of it is there when the first message is looked at.
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(receiver_->upload(), [blocker](auto*) {
    blocker->block();
    return false;
  });
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(send_chunk(channel(), 1, 2, Bytes(10)));
  ASSERT_TRUE(send_chunk(channel(), 9, 2, Bytes(10)));
  ASSERT_TRUE(send_text(channel(), "text"));
  ASSERT_TRUE(blocker->wait_blocked());
  ASSERT_TRUE(
      eventually([&] { return receiver_->stat_u64("backlog") >= 3 * 512 + 40; }, kDeadline));
  blocker->release();
  expect_failure({GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED, "unauthorized", {}});
  EXPECT_TRUE(eventually([&] { return receiver_->stat_u64("ignored") == 3; }, kDeadline));
  EXPECT_EQ(receiver_->stat_u64("rejected"), 0U);
  expect_told_once();
}

// -------------------------------------------------------------------------------------------------
// keepalives

TEST_F(UploadFaults, KeepalivesComeBackUnchanged) {
  start();
  ASSERT_TRUE(send_bytes(channel(), Bytes{0}));
  ASSERT_TRUE(send_bytes(channel(), Bytes{255}));
  ASSERT_TRUE(send_text(channel(), "k"));
  ASSERT_TRUE(channel_.observer->wait_messages(3));
  const auto echoes = channel_.observer->messages();
  EXPECT_EQ(echoes[0].bytes, Bytes{0});
  EXPECT_FALSE(echoes[0].is_text);
  EXPECT_EQ(echoes[1].bytes, Bytes{255});
  EXPECT_FALSE(echoes[1].is_text);
  EXPECT_EQ(echoes[2].bytes, Bytes{'k'});
  EXPECT_TRUE(echoes[2].is_text);
  EXPECT_EQ(receiver_->stat_u64("keepalives"), 3U);
  EXPECT_EQ(receiver_->state(), "idle");
}

// webrtcbin 1.22 cannot send an empty message (a critical), and hands NULL to the handlers when
// another peer does; so they are handed it here.
TEST_F(UploadFaults, EmptyMessagesAreKeepalivesWithoutAnEcho) {
  make_receiver("");
  GstPtr<GstWebRTCDataChannel> far;
  std::promise<void> arrived;
  const auto take = [&](GstWebRTCDataChannel* object) {
    far = ref_gst(object);
    arrived.set_value();
  };
  using Closure = std::function<void(GstWebRTCDataChannel*)>;
  receiver_->play();
  // After the element's own handler, which has the channel when this runs.
  const SignalConnection connection(pair_->answerer(), "on-data-channel",
                                    G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object,
                                                   Closure* function) { (*function)(object); }),
                                    Closure(take));
  connect();
  ASSERT_EQ(arrived.get_future().wait_for(kDeadline), std::future_status::ready);
  g_signal_emit_by_name(far.get(), "on-message-data", nullptr);
  g_signal_emit_by_name(far.get(), "on-message-string", nullptr);
  g_signal_emit_by_name(far.get(), "on-message-string", "");
  ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("keepalives") == 3; }, kDeadline));
  // And the channel is none the worse for it.
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(channel(), file));
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(channel_.observer->message_count(), 0U);
}

GstPadProbeReturn keep_blocked(GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }

TEST_F(UploadFaults, FloodOfKeepalivesIsNotAFloodOfEchoes) {
  constexpr guint64 kFlood = 20'000;
  constexpr guint64 kHighMark = 64 * 1024;
  start("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0 idle-timeout=0");
  ASSERT_TRUE(ping_until(channel_, [&] { return channel_.observer->message_count() > 0; }));
  // From now on echoes do not get away: nothing enters the answerer's SCTP encoder any more. (What
  // the sender sends is still acknowledged, so it can go on.)
  GstIterator* iterator =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(pair_->answerer()), "sctpenc");
  GValue item = G_VALUE_INIT;
  ASSERT_EQ(gst_iterator_next(iterator, &item), GST_ITERATOR_OK);
  const GstPtr<GstElement> encoder(GST_ELEMENT(g_value_dup_object(&item)));
  g_value_unset(&item);
  gst_iterator_free(iterator);
  ASSERT_NE(encoder->sinkpads, nullptr);
  const GstPtr<GstPad> pad = ref_gst(GST_PAD(encoder->sinkpads->data));
  const auto mask =
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER);
  const gulong probe = gst_pad_add_probe(pad.get(), mask, keep_blocked, nullptr, nullptr);

  for (guint64 i = 0; i < kFlood; ++i) {
    ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
    if (i % 1000 == 0) {
      ASSERT_TRUE(
          eventually([&] { return channel_.observer->buffered_amount() < 500; }, kDeadline));
    }
  }
  EXPECT_TRUE(eventually([&] { return receiver_->stat_u64("keepalives") > kFlood; }, kDeadline))
      << receiver_->stat_u64("keepalives");

  gst_pad_remove_probe(pad.get(), probe);
  // Those that were kept come back now, those of later keepalives behind them.
  ASSERT_TRUE(channel_.observer->wait_messages(2));
  // (Asked again and again: there is no echo as long as too many of those have not left.)
  const auto is_text = [](const ChannelObserver::Message& message) { return message.is_text; };
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(send_text(channel(), "e"));
    return std::ranges::any_of(channel_.observer->messages(), is_text);
  }));
  const auto echoes = channel_.observer->messages();
  EXPECT_LT(std::ranges::find_if(echoes, is_text) - echoes.begin(), 1100);
}

}  // namespace
}  // namespace webrtcupload::test
