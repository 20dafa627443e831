// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink to webrtcupload in wire format v2, over connections that come and go.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sending/sink_v2_fixture.h"
#include "upload/receiving_pipeline.h"
#include "webrtc/receive_gate.h"

namespace webrtcupload::test {

using Side = PeerPair::Side;

inline guint stat_uint(GstElement* sink, const char* field) {
  GstStructure* raw = nullptr;
  g_object_get(sink, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  guint value = 0;
  EXPECT_TRUE(gst_structure_get_uint(stats.get(), field, &value)) << field;
  return value;
}

inline bool attach_to(GstElement* element, GstElement* webrtcbin) {
  gboolean attached = FALSE;
  g_signal_emit_by_name(element, "attach", webrtcbin, &attached);
  return attached;
}

class SinkV2Connections : public testing::Test {
 protected:
  // The first connection, over which the upload of `size` bytes has begun, or, with 0, one whose
  // size nobody knows.
  void begin(std::uint64_t size, const std::string& receiver = "", guint64 resume_timeout = 0) {
    PeerPair& pair = add_pair();
    ASSERT_TRUE(pair.start());
    receiver_ = std::make_unique<ReceivingPipeline>(pair.answerer(), receiver);
    receiver_->play();
    g_object_set(upload_.sink(), "webrtcbin", pair.offerer(), "protocol", 2, "resume-timeout",
                 resume_timeout, nullptr);
    upload_.announce(size);
    upload_.play();
    ASSERT_TRUE(pair.negotiate());
    upload_.push(std::span(file_).first(kFirst));
    pushed_ = kFirst;
    ASSERT_TRUE(wait_news("ready"));
  }
  // A pair whose offerer is to be attached.
  PeerPair& add_pair(PeerPair::Options options = {.observe_incoming = false,
                                                  .rewrite_offer = nullptr,
                                                  .rewrite_answer = nullptr}) {
    pairs_.push_back(std::make_unique<PeerPair>(std::move(options)));
    return *pairs_.back();
  }
  void attach(PeerPair& pair) {
    ASSERT_TRUE(pair.start());
    ASSERT_TRUE(attach_to(receiver_->upload(), pair.answerer()));
    ASSERT_TRUE(attach_to(upload_.sink(), pair.offerer()));
    ASSERT_TRUE(pair.negotiate());
  }
  // And wait until it has joined. The streaming thread has to have something to do for that.
  void join(PeerPair& pair) {
    const guint before = connections();
    ASSERT_NO_FATAL_FAILURE(attach(pair));
    ASSERT_TRUE(eventually(
        [&] {
          if (connections() == before) push(1);
          return connections() == before + 1;
        },
        kDeadline));
  }
  [[nodiscard]] guint connections() const { return stat_uint(upload_.sink(), "connections"); }
  [[nodiscard]] guint64 stat(const char* field) const { return test::stat(upload_.sink(), field); }

  void push(std::size_t bytes) {
    bytes = std::min(bytes, file_.size() - pushed_);
    upload_.push(std::span(file_).subspan(pushed_, bytes), 100'000);
    pushed_ += bytes;
  }
  void push_all() {
    push(file_.size());
    upload_.end();
  }
  void expect_file() {
    ASSERT_EQ(upload_.outcome(), "");
    ASSERT_TRUE(receiver_->wait_eos());
    EXPECT_TRUE(receiver_->bytes() == file_) << "the bytes differ";
    EXPECT_EQ(text_property(upload_.sink(), "sha256"), to_hex(sum_of(file_)));
    EXPECT_EQ(stat("stored"), file_.size());
    EXPECT_EQ(stat("bytes"), file_.size());
    EXPECT_EQ(upload_.bus().count(GST_MESSAGE_ERROR), 0U);
    EXPECT_EQ(last_words(), "The peer has all " + std::to_string(file_.size()) + " bytes");
  }
  // Of the upload's progress.
  [[nodiscard]] std::string last_words() const {
    char* text = nullptr;
    gst_message_parse_progress(upload_.bus().all(GST_MESSAGE_PROGRESS).back().get(), nullptr,
                               nullptr, &text);
    return GCharPtr(text).get();
  }

  // The next message "webrtcuploadsink-`name`".
  GstMessagePtr wait_news(const std::string& name, std::chrono::milliseconds deadline = kDeadline) {
    return upload_.bus().wait(
        GST_MESSAGE_ELEMENT,
        [full = "webrtcuploadsink-" + name](GstMessage* message) {
          return gst_message_has_name(message, full.c_str());
        },
        deadline);
  }
  [[nodiscard]] std::ptrdiff_t count_news(const std::string& name) const {
    const std::string full = "webrtcuploadsink-" + name;
    return std::ranges::count_if(upload_.bus().all(GST_MESSAGE_ELEMENT), [&](const auto& message) {
      return gst_message_has_name(message.get(), full.c_str());
    });
  }

  static constexpr std::size_t kFirst = 100'000;

  Bytes file_ = random_bytes(6'000'000, 9);
  std::size_t pushed_ = 0;
  std::vector<std::unique_ptr<PeerPair>> pairs_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  // Mutable: its bus is a log.
  mutable Upload upload_;
};

}  // namespace webrtcupload::test
