// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads from webrtcuploadsink to webrtcupload over networks that lose packets, change their
// order, deliver them twice or late, or fail for a while: the receiver has the right bytes in the
// end, and the sender knows.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "support/checksum.h"
#include "support/peer_pair.h"
#include "support/udp_relay.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A sender and a receiver with a relay between them.
class Upload {
 public:
  Upload(const UdpRelay::Options& network, Bytes file, const std::string& properties = "")
      : relay_(network),
        file_(std::move(file)),
        pair_({.observe_incoming = false,
               .rewrite_offer = [this](const auto& sdp) { return relay_.rewrite_offer(sdp); },
               .rewrite_answer = [this](const auto& sdp) { return relay_.rewrite_answer(sdp); }}),
        receiver_(pair_.answerer(), properties),
        sender_(parse_pipeline("appsrc name=source format=bytes max-bytes=0 ! "
                               "webrtcuploadsink name=sink confirm-timeout=60000000000")),
        sender_bus_(sender_.get()) {
    const auto sink = element_named(sender_, "sink");
    g_object_set(sink.get(), "webrtcbin", pair_.offerer(), "size", guint64{file_.size()}, nullptr);
  }
  ~Upload() { stop_promptly(sender_.get()); }

  UdpRelay& relay() { return relay_; }
  ReceivingPipeline& receiver() { return receiver_; }
  BusLog& sender_bus() { return sender_bus_; }

  // The network does nothing but delay packets until the peers are connected: how they get there
  // over a bad network is the affair of ICE and DTLS.
  testing::AssertionResult begin() {
    relay_.set_faults(false);
    receiver_.play();
    if (const auto started = pair_.start(); !started) return started;
    if (gst_element_set_state(sender_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
      return testing::AssertionFailure() << "the sender does not start";
    }
    if (const auto connected = pair_.negotiate(); !connected) return connected;
    relay_.set_faults(true);
    const auto source = element_named(sender_, "source");
    GstBuffer* all = gst_buffer_new_memdup(file_.data(), file_.size());
    if (gst_app_src_push_buffer(GST_APP_SRC(source.get()), all) != GST_FLOW_OK ||
        gst_app_src_end_of_stream(GST_APP_SRC(source.get())) != GST_FLOW_OK) {
      return testing::AssertionFailure() << "the sender takes no file";
    }
    return testing::AssertionSuccess();
  }

  // Both sides know that all went well, and it did.
  void expect_success() {
    ASSERT_TRUE(receiver_.wait_eos());
    EXPECT_EQ(sha256(receiver_.bytes()), sha256(file_));
    EXPECT_EQ(receiver_.state(), "done");
    const auto end =
        sender_bus_.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    ASSERT_TRUE(end) << "the sender does not end";
    EXPECT_EQ(GST_MESSAGE_TYPE(end.get()), GST_MESSAGE_EOS) << describe(end.get());
    EXPECT_EQ(sender_bus_.count(GST_MESSAGE_WARNING), 0U);
  }

 private:
  UdpRelay relay_;
  const Bytes file_;
  PeerPair pair_;
  ReceivingPipeline receiver_;
  GstPtr<GstElement> sender_;
  BusLog sender_bus_;
};

// -------------------------------------------------------------------------------------------------
// what a network does all the time

using Counts = UdpRelay::Counts;

struct Network {
  const char* name;
  UdpRelay::Options options;
  std::size_t size;
  // What the network has to have done, or the test has tested nothing.
  std::uint64_t Counts::*fault;
};

// What SCTP does about a lost packet takes its time, so the worse the network the smaller the file.
const Network kNetworks[] = {
    {"LosesOneInAHundred", {.loss = 0.01}, 2'000'000, &Counts::lost},
    {"LosesOneInTwenty", {.loss = 0.05}, 500'000, &Counts::lost},
    {"LosesOneInFive", {.loss = 0.2}, 60'000, &Counts::lost},
    {"ChangesTheOrder",
     {.reordering = 0.2, .detour = milliseconds(5)},
     2'000'000,
     &Counts::overtaken},
    {"DeliversTwice", {.duplication = 0.2}, 2'000'000, &Counts::duplicated},
    {"TakesLong", {.delay = milliseconds(200)}, 200'000, &Counts::forwarded},
    {"AllAtOnce",
     {.delay = milliseconds(20), .loss = 0.02, .duplication = 0.1, .reordering = 0.1},
     300'000,
     &Counts::lost},
};

class OverABadNetwork : public testing::TestWithParam<Network> {};

TEST_P(OverABadNetwork, TheRightBytesArrive) {
  const auto& [name, options, size, fault] = GetParam();
  // SCTP may pause for longer than the default when it has lost the same packet again and again.
  Upload upload(options, random_bytes(size), "idle-timeout=60000000000");
  ASSERT_TRUE(upload.begin());
  upload.expect_success();
  EXPECT_GT(upload.relay().counts().*fault, 0U);
}

INSTANTIATE_TEST_SUITE_P(, OverABadNetwork, testing::ValuesIn(kNetworks),
                         [](const auto& test_case) { return std::string(test_case.param.name); });

// -------------------------------------------------------------------------------------------------
// a network that fails

// Slow enough that an upload is under way for a while.
constexpr UdpRelay::Options kNarrow{.delay = milliseconds(5), .bandwidth = 1'000'000};
constexpr std::size_t kLargeFile = 2'000'000;

bool wait_bytes(Upload& upload, guint64 bytes) {
  return eventually([&] { return upload.receiver().stat_u64("bytes") >= bytes; });
}

TEST(Blackout, AnUploadGoesOnAfterwards) {
  Upload upload(kNarrow, random_bytes(kLargeFile));
  ASSERT_TRUE(upload.begin());
  ASSERT_TRUE(wait_bytes(upload, kLargeFile / 4));
  upload.relay().set_blackout(true);
  // What is simulated here; nothing waits for it.
  std::this_thread::sleep_for(seconds(4));
  EXPECT_EQ(upload.receiver().state(), "uploading");
  EXPECT_LT(upload.receiver().stat_u64("bytes"), kLargeFile);
  upload.relay().set_blackout(false);
  upload.expect_success();
  EXPECT_GT(upload.relay().counts().blacked_out, 0U);
}

// The sender cannot hear of it, and nothing waits for that.
TEST(Blackout, OneThatStaysIsTheReceiversTimeout) {
  Upload upload(kNarrow, random_bytes(kLargeFile), "idle-timeout=2000000000");
  const UploadWitness witness(upload.receiver().upload());
  ASSERT_TRUE(upload.begin());
  ASSERT_TRUE(wait_bytes(upload, kLargeFile / 4));
  upload.relay().set_blackout(true);
  const auto begin = std::chrono::steady_clock::now();
  const ErrorText error = upload.receiver().wait_error();
  EXPECT_EQ(error.code, "idle-timeout") << error.message;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(2) + kPrompt);
  EXPECT_TRUE(witness.wait_failed());
  stop_promptly(upload.receiver().pipeline());
  EXPECT_EQ(witness.failures().size(), 1U);
  EXPECT_EQ(upload.receiver().bus().count(GST_MESSAGE_ERROR), 1U);
}

}  // namespace
}  // namespace webrtcupload::test
