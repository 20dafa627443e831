// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload after the other, each with a fault of another kind at another moment: each ends with
// the right bytes or with one error, on both sides, and nothing is left of any of them. The faults
// follow from the seed. FAULTY_UPLOADS=1000 in the environment makes it as many.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "support/odd_directory.h"
#include "support/udp_relay.h"
#include "upload/test_storage.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {
namespace {

using Random = std::mt19937;
using std::chrono::milliseconds;

std::size_t threads() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

// More than what SCTP takes of a sender beforehand.
constexpr std::size_t kFile = 3'000'000;

// What a fault needs to have its way.
struct Scene {
  UdpRelay& relay;
  PeerPair& pair;
  GstWebRTCDataChannel* channel;
  GstElement* sender;
  GstElement* upload;
  std::atomic<bool>& broken_disk;
};

struct Fault {
  const char* name;
  // What the receiver may say of it; "" = nothing: the upload goes on.
  const char* code;
  // Or this, where the receiver may not hear of it: SCTP cannot tell that a channel is closed amid
  // a message that it has not taken all of, and the end of a connection is told by one packet,
  // which may be lost.
  const char* other_code = "";
  UdpRelay::Options network{};
  const char* properties = "";
  // When so many of the bytes have come. Null: it is there from the start.
  void (*strike)(const Scene& scene) = nullptr;
  // Whether the sender, too, is told. Of some it cannot be, and some are its own.
  bool told_to_sender = true;
};

constexpr char kShortIdle[] = "idle-timeout=2000000000";

const Fault kFaults[] = {
    {.name = "none", .code = ""},
    {.name = "loss", .code = "", .network = {.loss = 0.03}},
    {.name = "duplication", .code = "", .network = {.duplication = 0.2}},
    {.name = "reordering", .code = "", .network = {.reordering = 0.2}},
    {.name = "delay", .code = "", .network = {.delay = milliseconds(30)}},
    {.name = "blackout",
     .code = "",
     .strike =
         [](const Scene& scene) {
           scene.relay.set_blackout(true);
           // Some packets are lost, however long that takes, or all have come.
           eventually([&] { return scene.relay.counts().blacked_out > 3; }, milliseconds(300));
           scene.relay.set_blackout(false);
         }},
    {.name = "cut off",
     .code = "idle-timeout",
     .properties = kShortIdle,
     .strike = [](const Scene& scene) { scene.relay.set_blackout(true); },
     .told_to_sender = false},
    {.name = "sender stops",
     .code = "peer-gone",
     .other_code = "idle-timeout",
     .properties = kShortIdle,
     .strike = [](const Scene& scene) { stop_promptly(scene.sender); },
     .told_to_sender = false},
    {.name = "channel closed",
     .code = "peer-gone",
     .other_code = "idle-timeout",
     .properties = kShortIdle,
     .strike = [](const Scene& scene) { gst_webrtc_data_channel_close(scene.channel); }},
    {.name = "connection closed",
     .code = "peer-gone",
     .other_code = "idle-timeout",
     .properties = kShortIdle,
     .strike = [](const Scene& scene) { scene.pair.close_connection(PeerPair::Side::kOfferer); },
     .told_to_sender = false},
    {.name = "malformed message",
     .code = "malformed-message",
     .strike = [](const Scene& scene) { EXPECT_TRUE(send_text(scene.channel, "hello")); }},
    {.name = "broken disk",
     .code = "storage-failed",
     .strike = [](const Scene& scene) { scene.broken_disk = true; }},
    {.name = "cancelled",
     .code = "cancelled",
     .strike = [](const Scene& scene) { g_signal_emit_by_name(scene.upload, "cancel"); }},
    {.name = "too large", .code = "too-large", .properties = "max-size=200000"},
    {.name = "too many chunks", .code = "too-many-chunks", .properties = "max-chunks=3"},
};

class RandomFaults : public testing::Test {
 protected:
  void TearDown() override { intercept_storage(nullptr); }

  // Whether the fault had its way, rather than come too late.
  bool upload_with(const Fault& fault, Random& random) {
    auto network = fault.network;
    network.seed = static_cast<std::uint32_t>(random());
    // Slow enough that a fault meets an upload that is under way.
    network.bandwidth = 6'000'000;
    network.queue_limit = 256'000;
    const auto moment = std::uniform_int_distribution<guint64>(1, kFile / 5)(random);
    const Bytes file = random_bytes(kFile, static_cast<std::uint32_t>(random()));
    std::atomic<bool> broken_disk = false;
    intercept_storage([&](const Access&) -> std::optional<Error> {
      if (!broken_disk) return std::nullopt;
      return Error{ErrorCode::kStorageFailed, "Input/output error"};
    });
    UdpRelay relay(network);
    relay.set_faults(false);
    PeerPair pair({.observe_incoming = false,
                   .rewrite_offer = [&](const auto& sdp) { return relay.rewrite_offer(sdp); },
                   .rewrite_answer = [&](const auto& sdp) { return relay.rewrite_answer(sdp); }});
    ReceivingPipeline receiver(pair.answerer(),
                               "spool-directory=" + spool_.path() + " " + fault.properties);
    const UploadWitness witness(receiver.upload());
    receiver.play();
    const auto channel = pair.connect();
    if (!channel.channel) return false;
    relay.set_faults(true);
    const auto sender = parse_pipeline(
        "appsrc name=source format=bytes max-bytes=0 ! webrtcuploadsink name=sink "
        "chunk-size=16384 buffer-limit=32768");
    const auto source = element_named(sender, "source");
    g_object_set(element_named(sender, "sink").get(), "webrtcbin", pair.offerer(), "data-channel",
                 channel.channel.get(), "size", guint64{kFile}, nullptr);
    BusLog sender_bus(sender.get());
    EXPECT_NE(gst_element_set_state(sender.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    gst_app_src_push_buffer(GST_APP_SRC(source.get()),
                            gst_buffer_new_memdup(file.data(), file.size()));
    gst_app_src_end_of_stream(GST_APP_SRC(source.get()));

    if (fault.strike) {
      EXPECT_TRUE(eventually([&] { return receiver.stat_u64("bytes") >= moment; }));
      fault.strike(
          {relay, pair, channel.channel.get(), sender.get(), receiver.upload(), broken_disk});
    }
    constexpr auto kEnds = static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    const GstMessagePtr end = receiver.bus().wait(kEnds);
    const bool failed = end && GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_ERROR;
    if (!end) {
      ADD_FAILURE() << "the receiver does not end";
    } else if (failed) {
      const std::string code = error_text(end.get()).code;
      EXPECT_TRUE(code == fault.code || code == fault.other_code) << describe(end.get());
      EXPECT_NE(code, "") << describe(end.get());
      EXPECT_TRUE(witness.wait_failed());
    } else {
      EXPECT_EQ(receiver.bytes(), file);
    }
    if (fault.told_to_sender) {
      const GstMessagePtr told = sender_bus.wait(kEnds);
      EXPECT_TRUE(told) << "the sender does not end";
      // What breaks after its last chunk has been stored, it need not hear of.
      if (told && !failed) {
        EXPECT_EQ(GST_MESSAGE_TYPE(told.get()), GST_MESSAGE_EOS) << describe(told.get());
      } else if (told && failed && GST_MESSAGE_TYPE(told.get()) == GST_MESSAGE_ERROR) {
        EXPECT_EQ(error_text(told.get()).code, "peer-gone") << describe(told.get());
      }
    }
    stop_promptly(sender.get());
    stop_promptly(receiver.pipeline());
    const auto errors = sender_bus.all(GST_MESSAGE_ERROR);
    // Of its own: sources have a word to add about a stream that has stopped.
    EXPECT_LE(std::ranges::count_if(
                  errors, [](const auto& error) { return !error_text(error.get()).code.empty(); }),
              1);
    EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), failed ? 1U : 0U);
    EXPECT_EQ(receiver.bus().count(GST_MESSAGE_EOS), failed ? 0U : 1U);
    EXPECT_EQ(witness.failures().size(), failed ? 1U : 0U);
    return failed;
  }

  TemporaryDirectory spool_;
};

TEST_F(RandomFaults, EveryUploadEndsOnceAndLeavesNothing) {
  const char* wanted = std::getenv("FAULTY_UPLOADS");
  const int uploads =
      wanted ? std::max(1, std::atoi(wanted)) : static_cast<int>(std::size(kFaults));
  const char* seed = std::getenv("FAULTY_UPLOADS_SEED");
  Random random(seed ? static_cast<std::uint32_t>(std::atoi(seed)) : 1);
  // What a process keeps once it has had uploads, it has afterwards.
  upload_with(kFaults[0], random);
  const FdGuard descriptors;
  const std::size_t threads_before = threads();
  std::map<std::string, std::pair<int, int>> met;
  for (int i = 0; i < uploads && !HasFailure(); ++i) {
    const Fault& fault = kFaults[static_cast<std::size_t>(i) % std::size(kFaults)];
    SCOPED_TRACE(std::string(fault.name) + ", upload " + std::to_string(i));
    auto& [failed, all] = met[fault.name];
    failed += upload_with(fault, random);
    ++all;
  }
  descriptors.expect_none_new();
  EXPECT_TRUE(eventually([&] { return threads() <= threads_before; }))
      << threads() << " threads, " << threads_before << " before";
  EXPECT_EQ(spool_.entries(), 0U);
  for (const Fault& fault : kFaults) {
    const auto& [failed, all] = met[fault.name];
    std::printf("%s: %d uploads, %d of which failed\n", fault.name, all, failed);
    // Otherwise it has tested nothing.
    if (*fault.code) {
      EXPECT_GE(failed * 2, all) << fault.name;
    } else {
      EXPECT_EQ(failed, 0) << fault.name;
    }
  }
}

}  // namespace
}  // namespace webrtcupload::test
