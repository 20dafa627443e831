// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is done to a webrtcbin before it is stopped, and what it is done for. (The elements' action
// is in prepare_stop_action_test.cpp, pipelines that are stopped amid an upload in
// upload_teardown_test.cpp.)

#include "webrtc/prepare_stop.h"

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>

#include "glib/elements_in.h"
#include "glib/pad_flushing.h"
#include "upload/upload_witness.h"
#include "webrtc/inner_elements.h"
#include "webrtc/outgoing.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// -------------------------------------------------------------------------------------------------
// a stop while data is being sent

// No flush may meet a packet inside dtlsenc, nor may one come after it.
TEST(StopSending, WaitsForThePacketThatIsBeingEncrypted) {
  struct Watch {
    Blocker packet;
    std::atomic<bool> released = false;
    std::atomic<int> early = 0;
    std::atomic<bool> flushed = false;
    std::atomic<int> after = 0;
  };
  PeerPair pair({.observe_incoming = false});
  const auto near = pair.connect();
  ASSERT_TRUE(near.channel);
  const auto dtlsenc = element_made_by(GST_BIN(pair.offerer()), inner::kDtlsEncoder);
  const GstPtr<GstPad> pad(gst_element_get_static_pad(dtlsenc.get(), "sink"));
  const GstPtr<GstPad> source(gst_element_get_static_pad(dtlsenc.get(), "src"));
  Watch watch;
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_EVENT_FLUSH,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        auto* seen = static_cast<Watch*>(data);
        if (!seen->released) ++seen->early;
        seen->flushed = true;
        return GST_PAD_PROBE_OK;
      },
      &watch, nullptr);
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        static_cast<Watch*>(data)->packet.block();
        return GST_PAD_PROBE_OK;
      },
      &watch, nullptr);
  ASSERT_TRUE(send_bytes(near.channel.get(), random_bytes(60'000)));
  ASSERT_TRUE(watch.packet.wait_blocked());

  const auto probes_there = [&pad] {
    GST_OBJECT_LOCK(pad.get());
    const int there = pad->num_probes;
    GST_OBJECT_UNLOCK(pad.get());
    return there;
  };
  const int probes = probes_there();
  auto stopped = std::async(std::launch::async, [&] { stop_sending(pair.offerer()); });
  // It has begun, in whatever way.
  ASSERT_TRUE(eventually([&] { return probes_there() > probes || watch.flushed; }));
  EXPECT_FALSE(watch.flushed);
  watch.released = true;
  watch.packet.release();
  ASSERT_EQ(stopped.wait_for(kDeadline), std::future_status::ready);
  EXPECT_EQ(watch.early, 0);
  EXPECT_TRUE(watch.flushed);
  pair.stop(Side::kOfferer);
}

// A sender whose peer takes nothing, and one at full speed: neither may keep a stop from ending.
TEST(StopSending, LetsAWebrtcbinBeStopped) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    PeerPair pair({.observe_incoming = false});
    const auto near = pair.connect();
    ASSERT_TRUE(near.channel);
    const Bytes message = random_bytes(60'000);
    for (int i = 0; i < 20 * (round + 1); ++i) {
      ASSERT_TRUE(send_bytes(near.channel.get(), message));
    }
    const auto start = std::chrono::steady_clock::now();
    pair.stop(round % 2 == 0 ? Side::kOfferer : Side::kAnswerer);
    pair.stop(round % 2 == 0 ? Side::kAnswerer : Side::kOfferer);
    EXPECT_LE(std::chrono::steady_clock::now() - start, kDeadline);
  }
}

// -------------------------------------------------------------------------------------------------
// a stop while webrtcbin ends a channel

// Whoever stops sctpenc releases its pads. webrtcbin must find none that it would release as well.
TEST(PrepareStop, LeavesNoChannelLinkedToTheEncoder) {
  PeerPair pair({.observe_incoming = false});
  const auto near = pair.connect();
  ASSERT_TRUE(near.channel);
  const auto sctpenc = element_made_by(GST_BIN(pair.offerer()), inner::kSctpEncoder);
  const auto linked = [&] {
    int count = 0;
    GST_OBJECT_LOCK(sctpenc.get());
    for (GList* item = sctpenc->sinkpads; item; item = item->next) {
      const GstPtr<GstPad> peer(gst_pad_get_peer(GST_PAD(item->data)));
      count += peer != nullptr;
    }
    GST_OBJECT_UNLOCK(sctpenc.get());
    return count;
  };
  ASSERT_EQ(linked(), 1);
  prepare_stop(pair.offerer());
  EXPECT_EQ(linked(), 0);
}

// It may be half way through that.
TEST(PrepareStop, WaitsForWhatWebrtcbinDoes) {
  PeerPair pair({.observe_incoming = false});
  ASSERT_TRUE(pair.connect().channel);
  // A task that takes long.
  auto task = std::make_shared<Blocker>();
  GstPromise* promise = gst_promise_new_with_change_func(
      [](GstPromise*, gpointer data) { (*static_cast<std::shared_ptr<Blocker>*>(data))->block(); },
      new std::shared_ptr<Blocker>(task),
      [](gpointer data) { delete static_cast<std::shared_ptr<Blocker>*>(data); });
  ask_in_turn(pair.offerer(), promise);
  gst_promise_unref(promise);
  ASSERT_TRUE(task->wait_blocked());

  const auto sctpdec = element_made_by(GST_BIN(pair.offerer()), inner::kSctpDecoder);
  const GstPtr<GstPad> received(gst_element_get_static_pad(sctpdec.get(), "sink"));
  auto prepared = std::async(std::launch::async, [&] { prepare_stop(pair.offerer()); });
  ASSERT_TRUE(eventually([&] { return is_flushing(received.get()); })) << "not begun";
  EXPECT_EQ(prepared.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  task->release();
  EXPECT_EQ(prepared.wait_for(kDeadline), std::future_status::ready);
}

}  // namespace
}  // namespace webrtcupload::test
