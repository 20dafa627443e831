// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadsink over a real connection, against a peer that only records.

#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/wire_v1.h"
#include "sending/sender_channel.h"
#include "support/odd_directory.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

constexpr guint kChunk = 49152;

// What "stats" says.
guint64 stat(GstElement* sink, const char* field) {
  GstStructure* raw = nullptr;
  g_object_get(sink, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats.get(), field, &value)) << field;
  return value;
}

bool confirmed(GstElement* sink) {
  GstStructure* raw = nullptr;
  g_object_get(sink, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  gboolean value = FALSE;
  gst_structure_get_boolean(stats.get(), "confirmed", &value);
  return value;
}

GstProgressType progress_type(GstMessage* message) {
  GstProgressType type = GST_PROGRESS_TYPE_START;
  char* code = nullptr;
  gst_message_parse_progress(message, &type, &code, nullptr);
  EXPECT_STREQ(code, "upload");
  g_free(code);
  return type;
}

std::vector<GstProgressType> progress_types(const BusLog& bus) {
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
    far_ = pair_.incoming(Side::kAnswerer);
    ASSERT_TRUE(far_);
    far_->set_echo(true);
  }

  // Another channel on the same connection.
  void next_channel() {
    static std::atomic<int> number{0};
    const std::string label = "video_upload" + std::to_string(++number);
    near_.channel = pair_.create_channel(label.c_str());
    near_.observer = std::make_shared<ChannelObserver>(near_.channel.get());
    far_ = pair_.incoming(Side::kAnswerer, label);
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

TEST_F(SinkOverAChannel, SizesAroundAChunk) {
  for (const std::size_t size :
       {1U, 2U, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk, 2 * kChunk + 1}) {
    SCOPED_TRACE(size);
    expect_upload(random_bytes(size), 4096);
    next_channel();
  }
}

TEST_F(SinkOverAChannel, AnyBufferSizes) {
  const Bytes data = random_bytes(100'001);
  for (const std::size_t piece : {std::size_t{7}, std::size_t{1000}, std::size_t{kChunk - 1},
                                  std::size_t{kChunk}, std::size_t{kChunk + 1}, data.size()}) {
    SCOPED_TRACE(piece);
    expect_upload(data, piece);
    next_channel();
  }
  // One byte at a time, and one byte in each message.
  expect_upload(random_bytes(3000), 1);
  next_channel();
  expect_upload(random_bytes(300), 300, 1);
}

TEST_F(SinkOverAChannel, LargestMessages) {
  expect_upload(random_bytes(3 * 65528 + 1), 65536, 65528);
}

TEST_F(SinkOverAChannel, SeveralMegabytesInOneBuffer) {
  expect_upload(random_bytes(12'345'678), 12'345'678);
}

TEST_F(SinkOverAChannel, BuffersOfSeveralMemories) {
  const Bytes data = random_bytes(200'000);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  GstBuffer* buffer = gst_buffer_new();
  const std::size_t cuts[] = {0, 1, 60'000, 60'001, 150'000, data.size()};
  for (std::size_t i = 0; i + 1 < std::size(cuts); ++i) {
    GBytes* part = g_bytes_new(data.data() + cuts[i], cuts[i + 1] - cuts[i]);
    GstBuffer* piece = gst_buffer_new_wrapped_bytes(part);
    g_bytes_unref(part);
    buffer = gst_buffer_append(buffer, piece);
  }
  ASSERT_EQ(gst_buffer_n_memory(buffer), std::size(cuts) - 1);
  gst_app_src_push_buffer(GST_APP_SRC(upload.source()), buffer);
  upload.end();
  ASSERT_EQ(upload.outcome(), "");
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, SendsAFile) {
  const Bytes data = random_bytes(1'000'003);
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() + "/file";
  {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(data.data()),
               static_cast<std::streamsize>(data.size()));
  }
  const auto pipeline =
      parse_pipeline("filesrc location=" + path.string() + " ! webrtcuploadsink name=sink");
  ASSERT_TRUE(pipeline);
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "data-channel", near_.channel.get(), nullptr);
  BusLog bus(pipeline.get());
  ASSERT_NE(set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto message = bus.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  EXPECT_EQ(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_EOS) << describe(message.get());
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
  stop_promptly(pipeline.get());
}

TEST_F(SinkOverAChannel, PostsProgress) {
  const Bytes data = random_bytes(20 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data, kChunk);
  upload.end();
  ASSERT_EQ(upload.outcome(), "");
  const auto types = progress_types(upload.bus());
  ASSERT_GE(types.size(), 2U);
  EXPECT_EQ(types.front(), GST_PROGRESS_TYPE_START);
  EXPECT_EQ(types.back(), GST_PROGRESS_TYPE_COMPLETE);
  for (std::size_t i = 1; i + 1 < types.size(); ++i) {
    EXPECT_EQ(types[i], GST_PROGRESS_TYPE_CONTINUE);
  }
  EXPECT_LE(types.size(), 102U);
}

TEST_F(SinkOverAChannel, KeepsTheBufferedAmountWithinItsLimit) {
  for (const guint64 limit : {guint64{262144}, guint64{100'000}, guint64{1}}) {
    SCOPED_TRACE(limit);
    const Bytes data = random_bytes(4'000'000);
    std::atomic<std::uint64_t> peak{0};
    const SignalConnection watch(
        near_.channel.get(), "notify::buffered-amount",
        G_CALLBACK(+[](GObject* channel, GParamSpec*, std::atomic<std::uint64_t>** highest) {
          guint64 amount = 0;
          g_object_get(channel, "buffered-amount", &amount, nullptr);
          std::uint64_t seen = **highest;
          while (amount > seen && !(*highest)->compare_exchange_weak(seen, amount)) {
          }
        }),
        &peak);
    Upload upload(near_);
    upload.announce(data.size());
    g_object_set(upload.sink(), "buffer-limit", limit, nullptr);
    upload.play();
    upload.push(data, 1'000'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    const std::uint64_t allowed = std::max<std::uint64_t>(limit, kV1HeaderSize + kChunk);
    EXPECT_LE(peak, allowed);
    EXPECT_GE(peak, kV1HeaderSize + kChunk);
    EXPECT_LE(stat(upload.sink(), "buffered-peak"), allowed);
    EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
    next_channel();
  }
}

TEST_F(SinkOverAChannel, PauseHoldsTheUploadAndPlayGoesOn) {
  const Bytes data = random_bytes(10 * kChunk);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(std::span(data).first(5 * kChunk), kChunk);
  ASSERT_TRUE(far_->wait_messages(5));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  upload.push(std::span(data).subspan(5 * kChunk), kChunk);
  upload.end();
  // Nothing to wait for here but the absence of something.
  EXPECT_FALSE(far_->wait_messages(6, std::chrono::milliseconds(100)));
  upload.play();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, PauseWhileWaitingForTheConfirmation) {
  far_->set_echo(false);
  const Bytes data = random_bytes(1000);
  Upload upload(near_);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  ASSERT_EQ(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  ASSERT_TRUE(send_bytes(far_->channel(), Bytes{0}));
  upload.play();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_TRUE(confirmed(upload.sink()));
  EXPECT_EQ(far_->message_count(), 2U) << "the keepalive was sent again";
}

TEST_F(SinkOverAChannel, APeerThatDoesNotConfirmIsAWarning) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  g_object_set(upload.sink(), "confirm-timeout", guint64{GST_MSECOND}, nullptr);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_WARNING), 1U);
  EXPECT_FALSE(confirmed(upload.sink()));
}

TEST_F(SinkOverAChannel, WithoutConfirmationNothingButChunksIsSent) {
  far_->set_echo(false);
  const Bytes data = random_bytes(100'000);
  Upload upload(near_);
  upload.announce(data.size());
  g_object_set(upload.sink(), "confirm", FALSE, nullptr);
  upload.play();
  upload.push(data);
  upload.end();
  EXPECT_EQ(upload.outcome(), "");
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_WARNING), 0U);
  ASSERT_TRUE(far_->wait_messages(3));
  EXPECT_EQ(far_->message_count(), 3U);
  EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
}

TEST_F(SinkOverAChannel, EmptyUpload) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() + "/empty";
  { const std::ofstream file(path); }
  const auto pipeline =
      parse_pipeline("filesrc location=" + path.string() + " ! webrtcuploadsink name=sink");
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "data-channel", near_.channel.get(), nullptr);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const auto message = bus.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  ASSERT_TRUE(message);
  ASSERT_EQ(GST_MESSAGE_TYPE(message.get()), GST_MESSAGE_ERROR);
  EXPECT_EQ(error_text(message.get()).code, "empty-upload");
  EXPECT_NE(error_text(message.get()).message.find("0 bytes"), std::string::npos);
  stop_promptly(pipeline.get());
  EXPECT_EQ(bus.count(GST_MESSAGE_EOS), 0U);
  EXPECT_EQ(far_->message_count(), 0U);
  EXPECT_TRUE(far_->wait_closed());
}

TEST_F(SinkOverAChannel, UnknownSize) {
  Upload upload(near_);
  upload.play();
  upload.push(Bytes{1});
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "unknown-size");
  EXPECT_NE(error.message.find("\"size\""), std::string::npos) << error.message;
  EXPECT_EQ(far_->message_count(), 0U);
}

TEST_F(SinkOverAChannel, FewerBytesThanAnnounced) {
  Upload upload(near_);
  upload.announce(kChunk + 10);
  upload.play();
  upload.push(random_bytes(kChunk + 9), 1000);
  upload.end();
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "size-mismatch");
  EXPECT_NE(error.message.find("49161 of the 49162"), std::string::npos) << error.message;
  EXPECT_TRUE(far_->wait_closed()) << "the receiver has to notice";
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_EOS), 0U);
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_ERROR);
}

TEST_F(SinkOverAChannel, NoBytesAtAllThoughAnnounced) {
  Upload upload(near_);
  upload.announce(10);
  upload.play();
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkOverAChannel, MoreBytesThanAnnounced) {
  Upload upload(near_);
  upload.announce(10);
  upload.play();
  upload.push(random_bytes(11), 10);
  upload.end();
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkOverAChannel, ChannelClosedByThePeerWhileIdle) {
  Upload upload(near_);
  upload.announce(10 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  gst_webrtc_data_channel_close(far_->channel());
  ASSERT_TRUE(near_.observer->wait_closed());
  upload.push(random_bytes(kChunk));
  const ErrorText error = upload.error();
  EXPECT_EQ(error.code, "peer-gone");
  EXPECT_NE(error.message.find("channel was closed"), std::string::npos) << error.message;
}

TEST_F(SinkOverAChannel, ChannelClosedByThePeerInTheMiddle) {
  Upload upload(near_);
  const Bytes data = random_bytes(100 * kChunk);
  upload.announce(1000 * std::uint64_t{kChunk});
  upload.play();
  const auto received = std::make_shared<std::atomic<int>>(0);
  // Still open when the tenth message arrives, and many more are on their way.
  GstWebRTCDataChannel* channel = far_->channel();
  far_->set_on_message([received, channel](std::span<const std::uint8_t>) {
    if (++*received == 10) gst_webrtc_data_channel_close(channel);
  });
  for (int i = 0; i < 10; ++i) upload.push(data, data.size());
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
  far_->set_on_message(nullptr);
}

TEST_F(SinkOverAChannel, ChannelClosedInsteadOfConfirmed) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  gst_webrtc_data_channel_close(far_->channel());
  EXPECT_EQ(upload.error().code, "peer-gone");
}

TEST_F(SinkOverAChannel, ClosedChannelFromTheStart) {
  gst_webrtc_data_channel_close(near_.channel.get());
  ASSERT_TRUE(near_.observer->wait_closed());
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  EXPECT_EQ(upload.error().code, "peer-gone");
}

TEST_F(SinkOverAChannel, PeerClosesTheConnection) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  upload.announce(10 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  pair_.close_connection(Side::kAnswerer);
  // The streaming thread has to be waiting for something to notice: for a confirmation, here.
  upload.push(random_bytes(9 * kChunk));
  EXPECT_EQ(upload.error().code, "peer-gone");
  stop_promptly(upload.pipeline());
}

TEST_F(SinkOverAChannel, TeardownWhileWaitingForRoom) {
  // A receiver that takes nothing does not stop webrtcbin from sending, so the packets are stopped
  // right behind SCTP.
  const GstPtr<GstElement> encoder = [&] {
    GstPtr<GstElement> found;
    GstIterator* elements =
        gst_bin_iterate_all_by_element_factory_name(GST_BIN(pair_.offerer()), "sctpenc");
    GValue item = G_VALUE_INIT;
    if (gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
      found = ref_gst(static_cast<GstElement*>(g_value_get_object(&item)));
      g_value_unset(&item);
    }
    gst_iterator_free(elements);
    return found;
  }();
  ASSERT_TRUE(encoder);
  const GstPtr<GstPad> source(gst_element_get_static_pad(encoder.get(), "src"));
  const gulong probe = gst_pad_add_probe(
      source.get(), GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM,
      [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }, nullptr, nullptr);

  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  const Bytes data = random_bytes(8'000'000);
  upload.announce(data.size());
  upload.play();
  upload.push(data);
  // SCTP's own buffer is full and the channel's as well: no room.
  ASSERT_TRUE(eventually(
      [&] { return near_.observer->buffered_amount() + kChunk + kV1HeaderSize > 262144; },
      kDeadline));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  gst_pad_remove_probe(source.get(), probe);
}

TEST_F(SinkOverAChannel, TeardownInTheMiddleIsSeenByThePeer) {
  Upload upload(near_);
  g_object_set(upload.sink(), "webrtcbin", pair_.offerer(), nullptr);
  const Bytes data = random_bytes(20'000'000);
  upload.announce(2 * data.size());
  upload.play();
  upload.push(data);
  ASSERT_TRUE(far_->wait_messages(20));
  const auto begin = std::chrono::steady_clock::now();
  stop_promptly(upload.pipeline());
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(progress_types(upload.bus()).back(), GST_PROGRESS_TYPE_CANCELED);
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
  // Unless the message that was under way could not be finished in time, on a machine that had no
  // time for it: then it is given up, and with it the closing.
  if (took < SenderChannel::kPatience) {
    EXPECT_TRUE(far_->wait_closed());
  }
}

TEST_F(SinkOverAChannel, TeardownWhileWaitingForTheConfirmation) {
  far_->set_echo(false);
  Upload upload(near_);
  upload.announce(3);
  upload.play();
  upload.push(Bytes{1, 2, 3});
  upload.end();
  ASSERT_TRUE(far_->wait_messages(2));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(SinkOverAChannel, FlushInTheMiddleIsAnError) {
  Upload upload(near_);
  upload.announce(2 * kChunk);
  upload.play();
  upload.push(random_bytes(kChunk));
  ASSERT_TRUE(far_->wait_messages(1));
  gst_element_send_event(upload.source(), gst_event_new_flush_start());
  gst_element_send_event(upload.source(), gst_event_new_flush_stop(TRUE));
  upload.push(random_bytes(kChunk));
  EXPECT_EQ(upload.error().code, "size-mismatch");
}

TEST_F(SinkOverAChannel, TwiceTheSame) {
  Upload upload(near_);
  const Bytes data = random_bytes(2 * kChunk + 1);
  for (int run = 0; run < 2; ++run) {
    SCOPED_TRACE(run);
    upload.announce(data.size());
    upload.play();
    upload.push(data, 10'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    EXPECT_TRUE(reassemble_v1(far_->messages()) == data);
    stop_promptly(upload.pipeline());
    EXPECT_EQ(near_.observer->ready_state(), GST_WEBRTC_DATA_CHANNEL_STATE_OPEN)
        << "an adopted channel stays the application's";
    next_channel();
    g_object_set(upload.sink(), "data-channel", near_.channel.get(), nullptr);
  }
}

// The sink makes its channel itself.

TEST(SinkOnAWebrtcbin, InTheSamePipelineByName) {
  PeerPair pair;
  const Bytes data = random_bytes(200'000);
  pair.add(Side::kOfferer, gst_element_factory_make("appsrc", "source"));
  pair.add(Side::kOfferer, gst_element_factory_make("webrtcuploadsink", "sink"));
  const GstPtr<GstElement> source(
      gst_bin_get_by_name(GST_BIN(pair.pipeline(Side::kOfferer)), "source"));
  const GstPtr<GstElement> sink(
      gst_bin_get_by_name(GST_BIN(pair.pipeline(Side::kOfferer)), "sink"));
  ASSERT_TRUE(sink);
  ASSERT_TRUE(gst_element_link(source.get(), sink.get()));
  g_object_set(source.get(), "max-bytes", guint64{0}, nullptr);
  g_object_set(sink.get(), "webrtcbin-name", "pc", "size", guint64{data.size()}, "channel-label",
               "my_upload", nullptr);
  ASSERT_TRUE(pair.start());
  // The channel exists, so the offer speaks of it.
  ASSERT_TRUE(pair.negotiate());
  const auto far = pair.incoming(Side::kAnswerer, "my_upload");
  ASSERT_TRUE(far);
  far->set_echo(true);
  gst_app_src_push_buffer(GST_APP_SRC(source.get()),
                          gst_buffer_new_memdup(data.data(), data.size()));
  gst_app_src_end_of_stream(GST_APP_SRC(source.get()));
  ASSERT_TRUE(far->wait_messages(6));
  EXPECT_TRUE(reassemble_v1(far->messages()) == data);
  const auto complete = pair.bus(Side::kOfferer).wait(GST_MESSAGE_PROGRESS, [](GstMessage* m) {
    return progress_type(m) == GST_PROGRESS_TYPE_COMPLETE;
  });
  EXPECT_TRUE(complete);
  stop_promptly(pair.pipeline(Side::kOfferer));
  EXPECT_EQ(pair.bus(Side::kOfferer).count(GST_MESSAGE_ERROR), 0U);
}

TEST(SinkOnAWebrtcbin, InAnotherPipelineTwice) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  Upload upload;
  const Bytes data = random_bytes(100'000);
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
  for (int run = 0; run < 2; ++run) {
    SCOPED_TRACE(run);
    const std::string label = "run" + std::to_string(run);
    g_object_set(upload.sink(), "channel-label", label.c_str(), nullptr);
    upload.announce(data.size());
    upload.play();
    if (run == 0) {
      ASSERT_TRUE(pair.negotiate());
    }
    const auto far = pair.incoming(Side::kAnswerer, label);
    ASSERT_TRUE(far);
    far->set_echo(true);
    upload.push(data, 10'000);
    upload.end();
    ASSERT_EQ(upload.outcome(), "");
    EXPECT_TRUE(reassemble_v1(far->messages()) == data);
    stop_promptly(upload.pipeline());
    EXPECT_TRUE(far->wait_closed()) << "a channel of its own is closed at the end";
  }
}

TEST(SinkOnAWebrtcbin, TeardownWhileWaitingForTheChannelToOpen) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  Upload upload;
  g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
  upload.announce(10);
  upload.play();
  upload.push(random_bytes(10));
  // It waits: the upload has begun, and nobody negotiates.
  ASSERT_TRUE(upload.bus().wait(GST_MESSAGE_PROGRESS));
  stop_promptly(upload.pipeline());
  EXPECT_EQ(upload.bus().count(GST_MESSAGE_ERROR), 0U);
}

// The first bytes may come, and the streaming thread begin to wait, in the middle of the change to
// PLAYING. Where exactly differs from run to run, so it is tried many times.
TEST(SinkOnAWebrtcbin, StateChangesDoNotWaitForTheChannel) {
  PeerPair pair;
  ASSERT_TRUE(pair.start());
  for (int i = 0; i < 1500; ++i) {
    Upload upload;
    g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
    upload.announce(10);
    ASSERT_NE(set_state(upload.pipeline(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    std::barrier together(2);
    std::thread source([&] {
      together.arrive_and_wait();
      // A little later each time.
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 300);
      while (std::chrono::steady_clock::now() < until) {
      }
      upload.push(random_bytes(10));
    });
    together.arrive_and_wait();
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(gst_element_set_state(upload.pipeline(), GST_STATE_PLAYING),
              GST_STATE_CHANGE_SUCCESS);
    source.join();
    stop_promptly(upload.pipeline());
    ASSERT_LT(std::chrono::steady_clock::now() - start, kPrompt);
  }
}

TEST(SinkOnAWebrtcbin, LeavesNoDescriptorBehind) {
  const auto once = [] {
    PeerPair pair;
    ASSERT_TRUE(pair.start());
    Upload upload;
    g_object_set(upload.sink(), "webrtcbin", pair.offerer(), nullptr);
    upload.announce(10);
    upload.play();
    ASSERT_TRUE(pair.negotiate());
    upload.push(random_bytes(10));
    const auto far = pair.incoming(Side::kAnswerer);
    ASSERT_TRUE(far);
    ASSERT_TRUE(far->wait_messages(1));
  };
  once();
  const FdGuard descriptors;
  once();
  descriptors.expect_none_new();
}

}  // namespace
}  // namespace webrtcupload::test
