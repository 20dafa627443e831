// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A webrtcuploadsink over a real connection, against a peer that only records.

#pragma once

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/wire_v1.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

inline constexpr guint kChunk = 49152;

// What "stats" says.
inline guint64 stat(GstElement* sink, const char* field) {
  GstStructure* raw = nullptr;
  g_object_get(sink, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats.get(), field, &value)) << field;
  return value;
}

inline bool confirmed(GstElement* sink) {
  GstStructure* raw = nullptr;
  g_object_get(sink, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  gboolean value = FALSE;
  gst_structure_get_boolean(stats.get(), "confirmed", &value);
  return value;
}

inline GstProgressType progress_type(GstMessage* message) {
  GstProgressType type = GST_PROGRESS_TYPE_START;
  char* code = nullptr;
  gst_message_parse_progress(message, &type, &code, nullptr);
  EXPECT_STREQ(code, "upload");
  g_free(code);
  return type;
}

inline std::vector<GstProgressType> progress_types(const BusLog& bus) {
  std::vector<GstProgressType> types;
  for (const auto& message : bus.all(GST_MESSAGE_PROGRESS)) {
    types.push_back(progress_type(message.get()));
  }
  return types;
}

// A pipeline `appsrc ! webrtcuploadsink` of its own, beside a connected pair whose far end records
// and echoes. The sink adopts the pair's channel.
class Upload {
 public:
  explicit Upload(const PeerPair::Channel& channel) : Upload() {
    g_object_set(sink_.get(), "data-channel", channel.channel.get(), nullptr);
  }
  Upload()
      : pipeline_(parse_pipeline("appsrc name=source format=bytes ! webrtcuploadsink name=sink")),
        source_(element_named(pipeline_, "source")),
        sink_(element_named(pipeline_, "sink")),
        bus_(pipeline_.get()) {
    // Unlimited: the test pushes everything at once.
    g_object_set(source_.get(), "max-bytes", guint64{0}, nullptr);
  }
  ~Upload() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  [[nodiscard]] GstElement* pipeline() const { return pipeline_.get(); }
  [[nodiscard]] GstElement* source() const { return source_.get(); }
  [[nodiscard]] GstElement* sink() const { return sink_.get(); }
  BusLog& bus() { return bus_; }

  // By the property, since appsrc tells its size downstream only when it is seekable.
  void announce(std::uint64_t size) { g_object_set(sink_.get(), "size", guint64{size}, nullptr); }
  void play() {
    ASSERT_NE(set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  }
  // In buffers of `piece` bytes.
  void push(std::span<const std::uint8_t> data, std::size_t piece) {
    for (std::size_t at = 0; at < data.size(); at += piece) {
      const auto part = data.subspan(at, std::min(piece, data.size() - at));
      GstBuffer* buffer = gst_buffer_new_memdup(part.data(), part.size());
      if (gst_app_src_push_buffer(GST_APP_SRC(source_.get()), buffer) != GST_FLOW_OK) return;
    }
  }
  void push(std::span<const std::uint8_t> data) {
    push(data, std::max<std::size_t>(data.size(), 1));
  }
  void end() { gst_app_src_end_of_stream(GST_APP_SRC(source_.get())); }

  // "" if the upload ended well, else the error.
  std::string outcome() {
    const auto message =
        bus_.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    if (!message) return "neither EOS nor an error";
    return GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS ? "" : describe(message.get());
  }
  // The first error's text; fails the test when there is none, or when EOS came.
  ErrorText error() {
    const auto message =
        bus_.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_ERROR) {
      ADD_FAILURE() << "no error but: " << describe(message.get());
      return {};
    }
    EXPECT_EQ(GST_MESSAGE_SRC(message.get()), GST_OBJECT(sink_.get())) << describe(message.get());
    return error_text(message.get());
  }

 private:
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> source_;
  GstPtr<GstElement> sink_;
  BusLog bus_;
};

// One connection is enough for many uploads: what is tested is the sink.
class SinkOverAChannel : public testing::Test {
 protected:
  void SetUp() override {
    near_ = pair_.connect("video_upload");
    ASSERT_TRUE(near_.channel);
    far_ = pair_.incoming(PeerPair::Side::kAnswerer);
    ASSERT_TRUE(far_);
    far_->set_echo(true);
  }

  // Another channel on the same connection.
  void next_channel() {
    static std::atomic<int> number{0};
    const std::string label = "video_upload" + std::to_string(++number);
    near_.channel = pair_.create_channel(label.c_str());
    near_.observer = std::make_shared<ChannelObserver>(near_.channel.get());
    far_ = pair_.incoming(PeerPair::Side::kAnswerer, label);
    ASSERT_TRUE(far_);
    far_->set_echo(true);
  }

  void expect_upload(const Bytes& data, std::size_t piece, guint chunk_size = kChunk) {
    Upload upload(near_);
    upload.announce(data.size());
    g_object_set(upload.sink(), "chunk-size", chunk_size, nullptr);
    upload.play();
    upload.push(data, piece);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    // Confirmed, so everything has arrived already: the chunks and the keepalive.
    const auto messages = far_->messages();
    const std::size_t chunks = (data.size() + chunk_size - 1) / chunk_size;
    ASSERT_EQ(messages.size(), chunks + 1);
    EXPECT_EQ(messages.back().bytes.size(), kV1MaxKeepaliveSize);
    for (std::size_t i = 0; i + 1 < chunks; ++i) {
      EXPECT_EQ(messages[i].bytes.size(), kV1HeaderSize + chunk_size);
    }
    EXPECT_TRUE(reassemble_v1(messages) == data) << "the bytes differ";
    EXPECT_TRUE(confirmed(upload.sink()));
    EXPECT_EQ(stat(upload.sink(), "bytes"), data.size());
  }

  PeerPair pair_;
  PeerPair::Channel near_;
  std::shared_ptr<ChannelObserver> far_;
};

}  // namespace webrtcupload::test
