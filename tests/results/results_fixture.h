// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A webrtcresultsink in the pipeline of a server, with a client at the other end.

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "results/result_client.h"
#include "support/peer_pair.h"
#include "webrtc/receive_gate.h"

namespace webrtcupload::test {

inline constexpr guint64 kForever = 3600 * GST_SECOND;

// A server at the answering side: `description` ends in a webrtcresultsink called "results".
class ResultsTest : public testing::Test {
 protected:
  // Before the client goes: 1.22 leaks a message that it is given while the peer closes the
  // channel.
  void TearDown() override { stop_promptly(peers_.pipeline(PeerPair::Side::kAnswerer)); }

  // Everything but the negotiation. The sink waits for its channel as long as the test does, and
  // for the client to close it: a webrtcbin that is told of a channel's end throws away what it has
  // received and not delivered yet, so that what a test sees would depend on its speed.
  void start(const std::string& description) {
    GError* raw_error = nullptr;
    // Not a pipeline: its elements are to be in one with the webrtcbin.
    GstElement* bin = gst_parse_bin_from_description(description.c_str(), FALSE, &raw_error);
    const GErrorPtr error(raw_error);
    ASSERT_TRUE(bin) << error->message;
    peers_.add(PeerPair::Side::kAnswerer, bin);
    sink_.reset(gst_bin_get_by_name(GST_BIN(bin), "results"));
    ASSERT_TRUE(sink_);
    g_object_set(sink_.get(), "webrtcbin-name", "pc", nullptr);
    if (!keep_times_) {
      g_object_set(sink_.get(), "channel-timeout", kForever, "linger", kForever, nullptr);
    }
    if (before_start_) before_start_();
    ASSERT_TRUE(peers_.start());
  }

  void connect() {
    client_ = std::make_unique<ResultClient>(peers_);
    ASSERT_TRUE(peers_.negotiate());
    ASSERT_TRUE(client_->observer().wait_open());
  }

  void run(const std::string& description) {
    start(description);
    if (!HasFatalFailure()) connect();
  }

  BusLog& bus() { return peers_.bus(PeerPair::Side::kAnswerer); }
  GstMessagePtr wait_delivered() {
    return bus().wait(GST_MESSAGE_ELEMENT, [](GstMessage* message) {
      return gst_message_has_name(message, "application/x-webrtcresults-delivered");
    });
  }
  // The client has everything, closes the channel, and the pipeline ends.
  testing::AssertionResult wait_end() {
    if (!client_->wait_completion()) return testing::AssertionFailure() << "no completion";
    client_->close();
    if (!wait_eos()) return testing::AssertionFailure() << "no EOS";
    return testing::AssertionSuccess();
  }
  bool wait_eos() {
    return bus().wait(GST_MESSAGE_EOS, [this](GstMessage* message) {
      return GST_MESSAGE_SRC(message) == GST_OBJECT(peers_.pipeline(PeerPair::Side::kAnswerer));
    }) != nullptr;
  }
  GstPtr<GstElement> element(const char* name) {
    return GstPtr<GstElement>(
        gst_bin_get_by_name(GST_BIN(peers_.pipeline(PeerPair::Side::kAnswerer)), name));
  }
  template <typename Value>
  Value stat(const char* field, Value unset = {}) {
    GstStructure* raw = nullptr;
    g_object_get(sink_.get(), "stats", &raw, nullptr);
    const GstStructurePtr stats(raw);
    if constexpr (std::is_same_v<Value, guint64>) {
      gst_structure_get_uint64(stats.get(), field, &unset);
    } else {
      gst_structure_get_uint(stats.get(), field, &unset);
    }
    return unset;
  }

  // Opened only when the client's side is gone: 1.22 aborts when data comes to an association that
  // has just ended.
  std::unique_ptr<ReceiveGate> gate_;
  PeerPair peers_;
  GstPtr<GstElement> sink_;
  bool keep_times_ = false;
  std::function<void()> before_start_;
  std::unique_ptr<ResultClient> client_;
};

// Calls `what` with every buffer that enters the sink, on the streaming thread.
inline void on_each_buffer(GstElement* sink, std::function<void(GstBuffer*)> what) {
  const GstPtr<GstPad> pad(gst_element_get_static_pad(sink, "sink"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
        GST_PAD_PROBE_INFO_DATA(info) = buffer;
        (*static_cast<std::function<void(GstBuffer*)>*>(data))(buffer);
        return GST_PAD_PROBE_OK;
      },
      new std::function<void(GstBuffer*)>(std::move(what)),
      [](gpointer data) { delete static_cast<std::function<void(GstBuffer*)>*>(data); });
}

inline std::string videotestsrc(int frames, int width = 320, int height = 240) {
  return "videotestsrc num-buffers=" + std::to_string(frames) +
         " ! video/x-raw,framerate=25/1,width=" + std::to_string(width) +
         ",height=" + std::to_string(height);
}

}  // namespace webrtcupload::test
