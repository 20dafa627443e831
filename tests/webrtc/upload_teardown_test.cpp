// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The element is stopped at every moment of an upload and by everybody: at once, without a word
// on the bus, and so that the connection and the element itself can be used again.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>

#include "core/spool.h"
#include "support/odd_directory.h"
#include "upload/storage_factory.h"
#include "webrtc/upload_witness.h"

// Of webrtcbin's own, without a header for others: what its peer would cause.
extern "C" void gst_webrtc_data_channel_on_open(GstWebRTCDataChannel* channel);
extern "C" void gst_webrtc_data_channel_on_close(GstWebRTCDataChannel* channel);
extern "C" void gst_webrtc_data_channel_on_message_data(GstWebRTCDataChannel* channel,
                                                        GBytes* data);

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// A real spool on a disk that stands still until `disk` is released, and is slow from then on. The
// sleep is what is simulated; nothing waits for it.
class SlowSpool final : public Storage {
 public:
  SlowSpool(std::unique_ptr<Spool> spool, std::shared_ptr<Blocker> disk)
      : spool_(std::move(spool)), disk_(std::move(disk)) {}

  std::optional<Error> reserve(std::uint64_t size, std::uint64_t expected) override {
    return spool_->reserve(size, expected);
  }
  std::optional<Error> write(std::uint64_t position, ByteView bytes) override {
    disk_->block();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return spool_->write(position, bytes);
  }
  std::optional<Error> read(std::uint64_t position, std::span<std::uint8_t> out) const override {
    return spool_->read(position, out);
  }

 private:
  const std::unique_ptr<Spool> spool_;
  const std::shared_ptr<Blocker> disk_;
};

// Raised when `webrtcbin` has seen a channel of its peer, which is some time after that one opened.
// Connect it last, and the elements' handlers have run before.
std::pair<SignalConnection, std::shared_ptr<Count>> count_channels(GstElement* webrtcbin) {
  using Closure = std::shared_ptr<Count>;
  auto count = std::make_shared<Count>();
  SignalConnection connection(webrtcbin, "on-data-channel",
                              G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel*, Closure* closure) {
                                (*closure)->raise();
                              }),
                              count);
  return {std::move(connection), std::move(count)};
}

class Teardown : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The first pair opens what the process then keeps.
    PeerPair({.observe_incoming = false}).connect();
  }

  void SetUp() override {
    descriptors_ = std::make_unique<FdGuard>();
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
  }

  void TearDown() override {
    disk_->release();
    replace_storage_factory(nullptr);
    channel_ = {};
    connections_.clear();
    witness_.reset();
    receiver_.reset();
    pair_.reset();
    descriptors_->expect_none_new();
  }

  void make_receiver(const std::string& properties = "",
                     const std::string& tail = ReceivingPipeline::kCollectBytes) {
    receiver_ = std::make_unique<ReceivingPipeline>(
        pair_->answerer(), "spool-directory=" + spool_.path() + " " + properties, tail);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
  }
  void connect(const char* label = "video_upload") {
    channel_ = pair_->connect(label);
    ASSERT_TRUE(channel_.channel);
  }
  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.channel.get(); }
  [[nodiscard]] GstElement* upload() const { return receiver_->upload(); }

  // An upload of which nothing gets onto the disk, until its peer is held back: then the disk goes
  // on, slowly, so that what is tested next meets a peer that still is.
  void upload_until_held_back() {
    constexpr guint64 kHighMark = 256 * 1024;
    replace_storage_factory([disk = disk_](
                                const std::string& directory) -> Result<std::unique_ptr<Storage>> {
      auto spool = Spool::open(directory);
      if (!spool) return spool.error();
      return std::unique_ptr<Storage>(std::make_unique<SlowSpool>(std::move(spool.value()), disk));
    });
    make_receiver("backlog-high=" + std::to_string(kHighMark) + " backlog-low=0");
    receiver_->play();
    connect();
    // In two parts: the gate has closed when the second one leaves, which therefore meets it.
    const auto chunks = cut(random_bytes(8'000'000), 49152);
    const auto total = static_cast<std::uint32_t>(chunks.size());
    constexpr std::uint32_t kEarly = 20;
    for (std::uint32_t i = 0; i < total; ++i) {
      ASSERT_TRUE(send_chunk(channel(), i, total, chunks[i]));
      if (i + 1 == kEarly) {
        ASSERT_TRUE(disk_->wait_blocked());
        ASSERT_TRUE(eventually([&] { return receiver_->stat_u64("backlog") > kHighMark; }));
      }
    }
    ASSERT_TRUE(eventually([&] { return is_held_back(pair_->answerer()); }));
    disk_->release();
  }

  // To NULL, and nobody was told anything.
  void stop_silently() {
    stop_promptly(receiver_->pipeline());
    EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 0U);
    EXPECT_TRUE(witness_->failures().empty());
    expect_no_spool_file();
  }

  // The spool file goes with the element, or with a handler that has outlived it.
  void expect_no_spool_file() {
    EXPECT_EQ(spool_.entries(), 0U);
    EXPECT_TRUE(eventually([&] { return !spool_file_open(); }));
  }
  [[nodiscard]] bool spool_file_open() const {
    for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
      if (target.find(spool_.path()) != std::string::npos) return true;
    }
    return false;
  }

  // On the connection that is there, with a fresh element.
  void expect_next_upload_works() {
    replace_storage_factory(nullptr);
    const Bytes file = random_bytes(200'000, 5);
    ReceivingPipeline next(pair_->answerer());
    next.play();
    const auto fresh = open_channel(*pair_);
    ASSERT_TRUE(fresh.channel);
    ASSERT_TRUE(send_file(fresh.channel.get(), file));
    ASSERT_TRUE(next.wait_eos());
    EXPECT_EQ(next.bytes(), file);
  }

  TemporaryDirectory spool_;
  const std::shared_ptr<Blocker> disk_ = std::make_shared<Blocker>();
  std::unique_ptr<FdGuard> descriptors_;
  std::unique_ptr<PeerPair> pair_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  std::vector<SignalConnection> connections_;
  PeerPair::Channel channel_;
};

// -------------------------------------------------------------------------------------------------
// at every moment

TEST_F(Teardown, BeforeThePeersMeet) {
  make_receiver();
  receiver_->play();
  stop_silently();
  connect("another");
  expect_next_upload_works();
}

TEST_F(Teardown, WaitingForAChannel) {
  make_receiver();
  receiver_->play();
  connect("another");
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, ChannelOpenWithoutAChunk) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(ping_until(channel_, [&] { return receiver_->stat_u64("keepalives") > 0; }));
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, InTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_silently();
  EXPECT_EQ(receiver_->stat_u64("bytes"), 1000U) << "of the last upload";
  EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender sends on to nobody";
  expect_next_upload_works();
}

TEST_F(Teardown, AtFullSpeedWithThePeerHeldBack) {
  ASSERT_NO_FATAL_FAILURE(upload_until_held_back());
  stop_silently();
  // The gate is open again, or nothing would ever arrive.
  expect_next_upload_works();
}

TEST_F(Teardown, WebrtcbinFirstWithThePeerHeldBack) {
  ASSERT_NO_FATAL_FAILURE(upload_until_held_back());
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, WebrtcbinFirstInTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, WebrtcbinSecondInTheMiddleOfAnUpload) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  stop_silently();
  stop_promptly(pair_->pipeline(Side::kAnswerer));
}

TEST_F(Teardown, PeerGone) {
  make_receiver();
  receiver_->play();
  connect();
  ASSERT_TRUE(send_chunk(channel(), 0, 3, random_bytes(1000)));
  ASSERT_TRUE(witness_->wait_state("uploading"));
  pair_->close_connection(Side::kOfferer);
  ASSERT_TRUE(witness_->wait_failed());
  stop_promptly(receiver_->pipeline());
  expect_no_spool_file();
}

TEST_F(Teardown, CompleteAndNotRead) {
  make_receiver();
  ASSERT_NE(gst_element_set_state(receiver_->pipeline(), GST_STATE_PAUSED),
            GST_STATE_CHANGE_FAILURE);
  connect();
  ASSERT_TRUE(send_file(channel(), random_bytes(1'000'000)));
  ASSERT_TRUE(witness_->wait_complete());
  stop_silently();
  expect_next_upload_works();
}

TEST_F(Teardown, AChannelSetAndNeverUsed) {
  GstPtr<GstElement> element(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("webrtcupload", nullptr))));
  connect("another");
  const auto far = pair_->create_channel("video_upload", Side::kAnswerer);
  ASSERT_TRUE(far);
  g_object_set(element.get(), "data-channel", far.get(), nullptr);
  element.reset();
}

// -------------------------------------------------------------------------------------------------
// while it is read

// Some film that decodebin can decode.
Bytes make_film() {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/film.avi";
  const auto pipeline = parse_pipeline(
      "videotestsrc num-buffers=200 pattern=snow ! video/x-raw,width=320,height=240 ! jpegenc !"
      " avimux ! filesink location=" +
      path);
  BusLog bus(pipeline.get());
  EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_TRUE(bus.wait(GST_MESSAGE_EOS));
  stop_promptly(pipeline.get());
  std::ifstream file(path, std::ios::binary);
  return Bytes{std::istreambuf_iterator<char>(file), {}};
}

struct Reading {
  const char* name;
  const char* properties;
  // Between webrtcupload and decodebin.
  const char* between;
};

class TeardownWhileRead : public Teardown, public testing::WithParamInterface<Reading> {
 protected:
  static const Bytes& film() {
    static const Bytes bytes = make_film();
    return bytes;
  }
  void start(const std::string& sink_properties) {
    make_receiver(GetParam().properties, std::string(GetParam().between) +
                                             "decodebin ! fakesink name=sink sync=false "
                                             "signal-handoffs=true " +
                                             sink_properties);
    frames_ = std::make_shared<Count>();
    using Closure = std::shared_ptr<Count>;
    const GstPtr<GstElement> sink = element_named(
        GstPtr<GstElement>(GST_ELEMENT(gst_object_ref(receiver_->pipeline()))), "sink");
    connections_.emplace_back(
        sink.get(), "handoff",
        G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, Closure* frames) { (*frames)->raise(); }),
        frames_);
    receiver_->play();
    connect();
  }

  std::shared_ptr<Count> frames_;
};

TEST_P(TeardownWhileRead, BeforeTheFirstByte) {
  start("");
  stop_silently();
}

TEST_P(TeardownWhileRead, BeforeTheLastByte) {
  start("");
  const auto chunks = cut(film(), 49152);
  for (std::uint32_t i = 0; i + 1 < chunks.size(); ++i) {
    ASSERT_TRUE(send_chunk(channel(), i, static_cast<std::uint32_t>(chunks.size()), chunks[i]));
  }
  ASSERT_TRUE(eventually(
      [&] { return receiver_->stat_uint("chunks-received") + 1 == chunks.size(); }, kDeadline));
  stop_silently();
}

TEST_P(TeardownWhileRead, AfterTheFirstFrame) {
  // In real time, so that it does not end by itself.
  start("sync=true");
  ASSERT_TRUE(send_file(channel(), film()));
  ASSERT_TRUE(frames_->wait(1));
  stop_silently();
}

INSTANTIATE_TEST_SUITE_P(, TeardownWhileRead,
                         testing::Values(Reading{"Pull", "", ""}, Reading{"Push", "", "queue ! "},
                                         Reading{"Progressive", "progressive=true", ""}),
                         [](const auto& reading) { return std::string(reading.param.name); });

// -------------------------------------------------------------------------------------------------
// with the application's handlers in the way

// The name of a signal, what makes it be emitted, and a connection of `handler` to it.
struct Handler {
  const char* name;
  std::function<SignalConnection(GstElement*, std::function<void()>)> connect;
  std::function<void(GstWebRTCDataChannel*)> cause;
};

void cause_failure(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 3, 2, Bytes(10)));
}
void cause_completion(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_file(channel, random_bytes(100'000)));
}
void cause_uploading(GstWebRTCDataChannel* channel) {
  EXPECT_TRUE(send_chunk(channel, 0, 2, Bytes(10)));
}

std::vector<Handler> handlers() {
  using Function = std::function<void()>;
  return {
      {"Authorize",
       [](GstElement* upload, Function handler) {
         return on_authorize(upload, [handler](auto*) {
           handler();
           return true;
         });
       },
       cause_completion},
      {"CheckQuota",
       [](GstElement* upload, Function handler) {
         return on_check_quota(upload, [handler] {
           handler();
           return true;
         });
       },
       cause_uploading},
      {"CheckQuotaThatSaysNo",
       [](GstElement* upload, Function handler) {
         return on_check_quota(upload, [handler] {
           handler();
           return false;
         });
       },
       cause_uploading},
      {"UploadComplete", on_complete, cause_completion},
      {"UploadFailed", on_failed, cause_failure},
      {"NotifyState",
       [](GstElement* upload, Function handler) {
         return SignalConnection(
             upload, "notify::state",
             G_CALLBACK(+[](GObject*, GParamSpec*, Function* function) { (*function)(); }),
             std::move(handler));
       },
       cause_uploading},
  };
}

void PrintTo(const Handler& handler, std::ostream* out) { *out << handler.name; }

class TeardownInHandler : public Teardown, public testing::WithParamInterface<Handler> {};

TEST_P(TeardownInHandler, ThatDoesNotReturn) {
  make_receiver("quota-interval=10000000");
  const auto blocker = std::make_shared<Blocker>();
  connections_.push_back(GetParam().connect(upload(), [blocker] { blocker->block(); }));
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_TRUE(blocker->wait_blocked());
  stop_promptly(receiver_->pipeline());

  // The element is used again while the handler of before still has not returned.
  connections_.clear();
  const std::size_t told_before = receiver_->bus().count(GST_MESSAGE_ERROR);
  const std::size_t failed_before = witness_->failures().size();
  receiver_->play();
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  ASSERT_TRUE(send_chunk(fresh.channel.get(), 0, 2, Bytes(10)));
  ASSERT_TRUE(eventually([&] { return receiver_->stat_uint("chunks-received") == 1; }, kDeadline));
  blocker->release();
  // Nothing of the first upload reaches the second: it completes as if there had been none.
  ASSERT_TRUE(eventually(
      [&] {
        std::size_t spools = 0;
        for (const auto& [descriptor, target] : FdGuard::open_descriptors()) {
          spools += target.find(spool_.path()) != std::string::npos;
        }
        return spools == 1;
      },
      kDeadline))
      << "the first upload's spool file is still open";
  ASSERT_TRUE(send_chunk(fresh.channel.get(), 1, 2, Bytes(10)));
  EXPECT_TRUE(eventually([&] { return receiver_->state() == "done"; }, kDeadline));
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), told_before);
  EXPECT_EQ(witness_->failures().size(), failed_before);
}

TEST_P(TeardownInHandler, ThatOutlivesTheElement) {
  make_receiver("quota-interval=10000000");
  const auto blocker = std::make_shared<Blocker>();
  const SignalConnection connection = GetParam().connect(upload(), [blocker] { blocker->block(); });
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_TRUE(blocker->wait_blocked());
  witness_.reset();
  // Stops the pipeline and lets it go.
  receiver_.reset();
  blocker->release();
  expect_no_spool_file();
}

TEST_P(TeardownInHandler, ThatStopsThePipelineItself) {
  make_receiver("quota-interval=10000000");
  auto stopped = std::make_shared<std::promise<void>>();
  auto future = stopped->get_future();
  auto once = std::make_shared<std::once_flag>();
  GstElement* pipeline = receiver_->pipeline();
  connections_.push_back(GetParam().connect(upload(), [pipeline, stopped, once] {
    std::call_once(*once, [&] {
      stop_promptly(pipeline);
      stopped->set_value();
    });
  }));
  receiver_->play();
  connect();
  GetParam().cause(channel());
  ASSERT_EQ(future.wait_for(kDeadline), std::future_status::ready);
  expect_no_spool_file();
  // And again, with another channel.
  connections_.clear();
  receiver_->play();
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  ASSERT_TRUE(send_file(fresh.channel.get(), random_bytes(1000)));
  EXPECT_TRUE(eventually([&] { return receiver_->state() == "done"; }, kDeadline));
}

INSTANTIATE_TEST_SUITE_P(, TeardownInHandler, testing::ValuesIn(handlers()),
                         [](const auto& handler) { return std::string(handler.param.name); });

// -------------------------------------------------------------------------------------------------
// more than once, and more than one

TEST_F(Teardown, TwiceTheSame) {
  make_receiver();
  connect("another");
  for (int round = 0; round < 2; ++round) {
    const Bytes file = random_bytes(300'000, static_cast<std::uint32_t>(round));
    const std::size_t before = receiver_->bytes().size();
    const std::size_t states_before = witness_->states().size();
    receiver_->play();
    EXPECT_EQ(receiver_->state(), "idle");
    EXPECT_EQ(receiver_->stat_u64("bytes"), 0U);
    const auto fresh = open_channel(*pair_);
    ASSERT_TRUE(fresh.channel);
    ASSERT_TRUE(send_file(fresh.channel.get(), file));
    ASSERT_TRUE(receiver_->wait_eos());
    const Bytes all = receiver_->bytes();
    EXPECT_EQ(Bytes(all.begin() + static_cast<std::ptrdiff_t>(before), all.end()), file);
    EXPECT_EQ(receiver_->state(), "done");
    EXPECT_EQ(receiver_->stat_u64("bytes"), file.size());
    EXPECT_EQ(witness_->completions(), round + 1);
    EXPECT_GT(witness_->states().size(), states_before);
    stop_silently();
    EXPECT_EQ(receiver_->state(), "done") << "of the last upload";
  }
}

TEST_F(Teardown, AFailedUploadAndThenAGoodOne) {
  make_receiver();
  receiver_->play();
  connect();
  cause_failure(channel());
  ASSERT_TRUE(witness_->wait_failed());
  ASSERT_EQ(receiver_->wait_error().code, "bad-index");
  stop_promptly(receiver_->pipeline());
  EXPECT_EQ(receiver_->state(), "error");
  receiver_->play();
  EXPECT_EQ(receiver_->state(), "idle");
  const auto fresh = open_channel(*pair_);
  ASSERT_TRUE(fresh.channel);
  const Bytes file = random_bytes(1000);
  ASSERT_TRUE(send_file(fresh.channel.get(), file));
  ASSERT_TRUE(receiver_->bus().wait(GST_MESSAGE_EOS));
  EXPECT_EQ(receiver_->bytes(), file);
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), 1U);
}

TEST_F(Teardown, TwoElementsOnOneWebrtcbinTakeAChannelEach) {
  ReceivingPipeline first(pair_->answerer());
  ReceivingPipeline second(pair_->answerer());
  first.play();
  second.play();
  connect();
  const auto other = open_channel(*pair_);
  ASSERT_TRUE(other.channel);
  const Bytes one = random_bytes(300'000, 1);
  const Bytes two = random_bytes(200'000, 2);
  ASSERT_TRUE(send_file(channel(), one));
  ASSERT_TRUE(send_file(other.channel.get(), two));
  ASSERT_TRUE(first.wait_eos());
  ASSERT_TRUE(second.wait_eos());
  // Which takes which is not promised.
  const bool in_order = first.bytes() == one;
  EXPECT_EQ(first.bytes(), in_order ? one : two);
  EXPECT_EQ(second.bytes(), in_order ? two : one);
}

TEST_F(Teardown, WebrtcbinByNameInTheSamePipeline) {
  GstElement* source = gst_element_factory_make("webrtcupload", nullptr);
  g_object_set(source, "webrtcbin-name", "pc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  pair_->add(Side::kAnswerer, source);
  pair_->add(Side::kAnswerer, sink);
  ASSERT_TRUE(gst_element_link(source, sink));
  UploadWitness witness(source);
  // The sink has no preroll before there is an upload, so PLAYING is not waited for.
  ASSERT_NE(gst_element_set_state(pair_->pipeline(Side::kAnswerer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  ASSERT_EQ(set_state(pair_->pipeline(Side::kOfferer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  channel_.channel = pair_->create_channel("video_upload");
  channel_.observer = std::make_shared<ChannelObserver>(channel());
  ASSERT_TRUE(pair_->negotiate());
  ASSERT_TRUE(channel_.observer->wait_open());
  ASSERT_TRUE(send_file(channel(), random_bytes(300'000)));
  ASSERT_TRUE(witness.wait_state("done"));
}

// The pipeline takes its own peer connection down; that is not the peer's doing.
TEST_F(Teardown, OnePipelineInTheMiddleOfAnUpload) {
  GstElement* source = gst_element_factory_make("webrtcupload", nullptr);
  g_object_set(source, "webrtcbin-name", "pc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  pair_->add(Side::kAnswerer, source);
  pair_->add(Side::kAnswerer, sink);
  ASSERT_TRUE(gst_element_link(source, sink));
  UploadWitness witness(source);
  ASSERT_NE(gst_element_set_state(pair_->pipeline(Side::kAnswerer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_FAILURE);
  ASSERT_EQ(set_state(pair_->pipeline(Side::kOfferer), GST_STATE_PLAYING),
            GST_STATE_CHANGE_SUCCESS);
  channel_.channel = pair_->create_channel("video_upload");
  channel_.observer = std::make_shared<ChannelObserver>(channel());
  ASSERT_TRUE(pair_->negotiate());
  ASSERT_TRUE(channel_.observer->wait_open());
  ASSERT_TRUE(send_chunk(channel(), 0, 2, Bytes(10)));
  ASSERT_TRUE(witness.wait_state("uploading"));
  stop_promptly(pair_->pipeline(Side::kAnswerer));
  EXPECT_TRUE(witness.failures().empty());
  EXPECT_EQ(pair_->bus(Side::kAnswerer).count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(Teardown, ChannelSetInsideOnDataChannelAndStartedLater) {
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr);
  witness_ = std::make_unique<UploadWitness>(upload());
  connections_.emplace_back(
      pair_->answerer(), "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, GstElement** element) {
        g_object_set(*element, "data-channel", object, nullptr);
      }),
      upload());
  const auto [counting, arrived] = count_channels(pair_->answerer());
  connect();
  ASSERT_TRUE(arrived->wait(1));
  const Bytes file = random_bytes(3'000'000);
  ASSERT_TRUE(send_file(channel(), file));
  // All of it has arrived before the element starts, a keepalive behind it included.
  ASSERT_TRUE(send_bytes(channel(), Bytes{1}));
  ASSERT_TRUE(eventually([&] { return channel_.observer->buffered_amount() == 0; }, kDeadline));
  receiver_->play();
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
  // The keepalive comes back, whenever it was sent.
  EXPECT_TRUE(channel_.observer->wait_messages(1));
}

// What waits for the start is handled as if it had just come: errors close the channel, too.
TEST_F(Teardown, ABadMessageBeforeTheStart) {
  for (int round = 0; round < 5; ++round) {
    ReceivingPipeline receiver(nullptr);
    UploadWitness witness(receiver.upload());
    const SignalConnection connection(
        pair_->answerer(), "on-data-channel",
        G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* object, GstElement** element) {
          g_object_set(*element, "data-channel", object, nullptr);
        }),
        receiver.upload());
    const auto [counting, arrived] = count_channels(pair_->answerer());
    if (round == 0) {
      connect();
    } else {
      channel_ = open_channel(*pair_);
      ASSERT_TRUE(channel_.channel);
    }
    ASSERT_TRUE(arrived->wait(1));
    cause_failure(channel());
    ASSERT_TRUE(eventually([&] { return channel_.observer->buffered_amount() == 0; }, kDeadline));
    receiver.play();
    EXPECT_EQ(receiver.wait_error().code, "bad-index");
    EXPECT_TRUE(channel_.observer->wait_closed());
  }
}

// An application that has set the channel only, and drops its webrtcbin. Up to 1.22 to answer a
// keepalive after that, or to close the channel at a time-out, is to use what has gone.
TEST(AChannelAlone, IsLeftAloneWhenItsWebrtcbinHasGone) {
  ReceivingPipeline receiver(nullptr, "idle-timeout=100000000");
  UploadWitness witness(receiver.upload());
  GstElement* webrtcbin = gst_element_factory_make("webrtcbin", nullptr);
  gst_object_ref_sink(webrtcbin);
  ASSERT_EQ(set_state(webrtcbin, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  GstWebRTCDataChannel* made = nullptr;
  g_signal_emit_by_name(webrtcbin, "create-data-channel", "video_upload", nullptr, &made);
  ASSERT_TRUE(made);
  const GObjectPtr<GstWebRTCDataChannel> channel(made);
  gst_webrtc_data_channel_on_open(channel.get());
  g_object_set(receiver.upload(), "data-channel", channel.get(), nullptr);

  stop_promptly(webrtcbin);
  gpointer left = webrtcbin;
  g_object_add_weak_pointer(G_OBJECT(webrtcbin), &left);
  gst_object_unref(webrtcbin);
  ASSERT_TRUE(eventually([&] { return !left; })) << "somebody keeps it";

  receiver.play();
  const auto arrives = [&](const Bytes& bytes) {
    const GBytesPtr message(g_bytes_new(bytes.data(), bytes.size()));
    gst_webrtc_data_channel_on_message_data(channel.get(), message.get());
  };
  arrives({1});
  arrives({0, 0, 0, 0, 2, 0, 0, 0, 'x'});
  EXPECT_EQ(receiver.wait_error().code, "idle-timeout");
  EXPECT_TRUE(witness.wait_failed());
  EXPECT_EQ(receiver.stat_u64("keepalives"), 1U);
  GstWebRTCDataChannelState state{};
  g_object_get(channel.get(), "ready-state", &state, nullptr);
  EXPECT_EQ(state, GST_WEBRTC_DATA_CHANNEL_STATE_OPEN);
}

// A channel that is kept from one start to the next may end while the pipeline is on its way down.
// That is no error then, and one that the next start tells.
TEST(AChannelAlone, ThatEndsWhileThePipelineStopsIsGoneAtTheNextStart) {
  ReceivingPipeline receiver(nullptr, "idle-timeout=0");
  const GstPtr<GstElement> webrtcbin(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("webrtcbin", nullptr))));
  ASSERT_EQ(set_state(webrtcbin.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  GstWebRTCDataChannel* made = nullptr;
  g_signal_emit_by_name(webrtcbin.get(), "create-data-channel", "video_upload", nullptr, &made);
  ASSERT_TRUE(made);
  const GObjectPtr<GstWebRTCDataChannel> channel(made);
  gst_webrtc_data_channel_on_open(channel.get());
  g_object_set(receiver.upload(), "data-channel", channel.get(), nullptr);
  receiver.play();
  const auto keepalive_is_handled = [&](guint64 number) {
    const GBytesPtr message(g_bytes_new(nullptr, 0));
    gst_webrtc_data_channel_on_message_data(channel.get(), message.get());
    return eventually([&] { return receiver.stat_u64("keepalives") == number; });
  };
  ASSERT_TRUE(keepalive_is_handled(1));

  // The sink's turn comes before the source's, and it takes its time.
  const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(receiver.pipeline()), "sink"));
  GST_STATE_LOCK(sink.get());
  auto stopped = std::async(std::launch::async, [&] {
    return gst_element_set_state(receiver.pipeline(), GST_STATE_READY);
  });
  EXPECT_TRUE(eventually([&] { return GST_STATE_TARGET(receiver.pipeline()) == GST_STATE_READY; }));
  gst_webrtc_data_channel_on_close(channel.get());
  EXPECT_TRUE(keepalive_is_handled(2));
  GST_STATE_UNLOCK(sink.get());
  EXPECT_EQ(stopped.get(), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 0U);

  receiver.play();
  EXPECT_EQ(receiver.wait_error().code, "peer-gone");
  stop_promptly(receiver.pipeline());
  stop_promptly(webrtcbin.get());
}

// -------------------------------------------------------------------------------------------------
// at any moment

// A connection for each round, since webrtcbin 1.22 mixes up channels that are closed and opened in
// such quick succession. The element stays the same.
TEST_F(Teardown, AtRandomMoments) {
  constexpr int kRounds = 30;
  std::mt19937 random(20);
  make_receiver("idle-timeout=0 quota-interval=1000000");
  connections_.push_back(on_check_quota(upload(), [] { return true; }));
  const auto chunks = cut(random_bytes(2'000'000), 20'000);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  for (int round = 0; round < kRounds; ++round) {
    PeerPair pair({.observe_incoming = false});
    g_object_set(upload(), "webrtcbin", pair.answerer(), nullptr);
    receiver_->play();
    const auto fresh = pair.connect();
    ASSERT_TRUE(fresh.channel);
    // After some chunk was sent or some was received, whichever the dice say; also beyond the end.
    const auto stop_at = std::min<std::uint32_t>(total, random() % (total + 20));
    const bool when_received = random() % 2 == 0;
    const auto first = static_cast<PeerPair::Side>(random() % 2);
    const auto last = random() % 4;
    for (std::uint32_t i = 0; i < stop_at; ++i) {
      ASSERT_TRUE(send_chunk(fresh.channel.get(), i, total, chunks[i]));
    }
    if (when_received) {
      EXPECT_TRUE(eventually([&] { return receiver_->stat_uint("chunks-received") >= stop_at / 2; },
                             kDeadline));
    }
    if (last == 0) gst_webrtc_data_channel_close(fresh.channel.get());
    if (last == 1) pair.stop(first);
    stop_promptly(receiver_->pipeline());
    expect_no_spool_file();
    g_object_set(upload(), "webrtcbin", nullptr, nullptr);
  }
}

}  // namespace
}  // namespace webrtcupload::test
