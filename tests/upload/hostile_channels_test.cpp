// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers that use data channels as no client of ours would: floods, channels of other kinds, many of
// them, the same one twice, and a second negotiation amid an upload. (What single messages do is in
// upload_rules_test.cpp, what floods of acknowledgements do in hostile_results_test.cpp.)

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "glib/elements_in.h"
#include "upload/receiving_pipeline.h"
#include "upload/upload_witness.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

// The address sanitizer keeps freed memory for a while.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::size_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

class HostileChannels : public testing::Test {
 protected:
  // Waits as good senders do: what waits in the sender is not what is looked at here.
  static void expect_room(const PeerPair::Channel& channel) {
    ASSERT_TRUE(eventually([&] { return channel.observer->buffered_amount() < 100'000; }));
  }
  // A channel of another kind, open, on a pair that has just been started.
  PeerPair::Channel connect_with(GstStructure* options) {
    EXPECT_TRUE(pair_.start());
    PeerPair::Channel result;
    result.channel = pair_.create_channel("video_upload", Side::kOfferer, options);
    gst_structure_free(options);
    result.observer = std::make_shared<ChannelObserver>(result.channel.get());
    EXPECT_TRUE(pair_.negotiate());
    EXPECT_TRUE(result.observer->wait_open());
    return result;
  }

  FdGuard descriptors_;
  PeerPair pair_{{.observe_incoming = false}};
};

// -------------------------------------------------------------------------------------------------
// floods

// At full speed both ways, amid an upload, which goes on.
TEST_F(HostileChannels, KeepalivesAreNeverAmplified) {
  constexpr int kFlood = 10'000;
  const Bytes file = random_bytes(500'000, 3);
  ReceivingPipeline receiver(pair_.answerer(), "idle-timeout=0 min-rate=0");
  receiver.play();
  const auto channel = pair_.connect();
  const auto echoes = std::make_shared<std::atomic<std::size_t>>(0);
  const auto echoed = std::make_shared<std::atomic<std::size_t>>(0);
  // Comes back behind all other echoes.
  const auto last = std::make_shared<std::atomic<bool>>(false);
  channel.observer->set_on_message([echoes, echoed, last](std::span<const std::uint8_t> bytes) {
    ++*echoes;
    *echoed += bytes.size();
    if (!bytes.empty() && bytes[0] == 'e') *last = true;
  });
  const auto chunks = cut(file, 49152);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  std::uint32_t next = 0;
  std::size_t early = 0;
  for (int i = 0; i < 2 * kFlood; ++i) {
    if (i == kFlood) {
      // One flood's worth of everything has been made room for.
      ASSERT_TRUE(eventually(
          [&] { return receiver.stat_u64("keepalives") == static_cast<guint64>(kFlood); }));
      early = resident_bytes();
    }
    ASSERT_TRUE(i % 2 == 0 ? send_bytes(channel.channel.get(), Bytes{1})
                           : send_text(channel.channel.get(), "k"));
    if (i % 200 == 0) expect_room(channel);
    if (i % 2000 == 0 && next + 1 < total) {
      ASSERT_TRUE(send_chunk(channel.channel.get(), next, total, chunks[next]));
      ++next;
    }
  }
  for (; next < total; ++next) {
    ASSERT_TRUE(send_chunk(channel.channel.get(), next, total, chunks[next]));
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  EXPECT_EQ(receiver.stat_u64("keepalives"), 2U * kFlood);
  // There is none while others have not left.
  std::size_t asked = 0;
  ASSERT_TRUE(eventually([&] {
    ++asked;
    EXPECT_TRUE(send_text(channel.channel.get(), "e"));
    return last->load();
  }));
  EXPECT_GT(*echoes, 0U);
  EXPECT_LE(*echoes, 2U * kFlood + asked);
  EXPECT_EQ(*echoed, *echoes);
  if (!kSanitized) {
    EXPECT_LT(resident_bytes(), early + 32 * 1024 * 1024);
  }
  std::cout << "[ memory ] " << early / 1'000'000 << " MB after one flood, "
            << resident_bytes() / 1'000'000 << " MB after two" << std::endl;
  EXPECT_LE(receiver.stat_u64("backlog-peak"), 16U * 1024 * 1024);
}

// The first one ends it, and those behind it change nothing.
TEST_F(HostileChannels, AFloodOfTextsIsOneError) {
  constexpr std::size_t kTexts = 60;
  ReceivingPipeline receiver(pair_.answerer());
  UploadWitness witness(receiver.upload());
  // All of it is there when the first text is looked at: 1.22 does not free what is sent while the
  // channel closes.
  const auto blocker = std::make_shared<Blocker>();
  const auto connection = on_authorize(receiver.upload(), [blocker](auto*) {
    blocker->block();
    return true;
  });
  receiver.play();
  const auto channel = pair_.connect();
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, 2, Bytes(10)));
  ASSERT_TRUE(blocker->wait_blocked());
  const std::string text(60'000, 'x');
  for (std::size_t i = 0; i < kTexts; ++i) ASSERT_TRUE(send_text(channel.channel.get(), text));
  ASSERT_TRUE(eventually([&] { return receiver.stat_u64("backlog") >= kTexts * text.size(); }));
  blocker->release();
  EXPECT_EQ(receiver.wait_error().code, "malformed-message");
  EXPECT_TRUE(witness.wait_failed());
  EXPECT_TRUE(channel.observer->wait_closed());
  EXPECT_TRUE(eventually([&] { return receiver.stat_u64("ignored") == kTexts - 1; }));
  EXPECT_EQ(receiver.stat_u64("rejected"), 1U);
  EXPECT_EQ(witness.failures().size(), 1U);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 1U);
  EXPECT_EQ(channel.observer->message_count(), 0U);
}

// -------------------------------------------------------------------------------------------------
// channels of other kinds

TEST_F(HostileChannels, AnUnorderedOneCarriesAnUpload) {
  const Bytes file = random_bytes(400'000, 4);
  const auto chunks = cut(file, 10'000);
  std::vector<std::uint32_t> order(chunks.size());
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  const auto channel =
      connect_with(gst_structure_new("options", "ordered", G_TYPE_BOOLEAN, FALSE, nullptr));
  for (const std::uint32_t i : order) {
    ASSERT_TRUE(
        send_chunk(channel.channel.get(), i, static_cast<std::uint32_t>(chunks.size()), chunks[i]));
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
}

// A network that loses one packet on its way, once: the one that is the `number`th of those large
// enough to hold a chunk.
class OneLoss {
 public:
  OneLoss(GstElement* webrtcbin, int number) : left_(std::make_shared<std::atomic<int>>(number)) {
    const auto dtlsenc = element_made_by(GST_BIN(webrtcbin), inner::kDtlsEncoder);
    const GstPtr<GstPad> pad(gst_element_get_static_pad(dtlsenc.get(), "sink"));
    gst_pad_add_probe(
        pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
          auto& left = **static_cast<Left*>(data);
          const bool large = gst_buffer_get_size(GST_PAD_PROBE_INFO_BUFFER(info)) > kLarge;
          return large && --left == 0 ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
        },
        new Left(left_), [](gpointer data) { delete static_cast<Left*>(data); });
  }
  [[nodiscard]] bool happened() const { return *left_ <= 0; }

 private:
  using Left = std::shared_ptr<std::atomic<int>>;
  static constexpr gsize kLarge = 700;
  Left left_;
};

class PartiallyReliable : public HostileChannels {
 protected:
  static constexpr std::uint32_t kChunks = 20;

  // Each chunk fits into a packet; one of them is lost, and SCTP does not send it again.
  void upload_with_a_loss(const std::string& properties) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_.answerer(), properties);
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
    receiver_->play();
    channel_ = connect_with(gst_structure_new("options", "ordered", G_TYPE_BOOLEAN, FALSE,
                                              "max-retransmits", G_TYPE_INT, 0, nullptr));
    const OneLoss loss(pair_.offerer(), 5);
    for (std::uint32_t i = 0; i < kChunks; ++i) {
      ASSERT_TRUE(send_chunk(channel_.channel.get(), i, kChunks, chunk(i)));
      // One by one, so that no packet holds two.
      expect_room(channel_);
    }
    ASSERT_TRUE(eventually([&] { return loss.happened(); }));
    ASSERT_TRUE(eventually([&] { return arrived() == kChunks - 1; }));
  }
  [[nodiscard]] guint arrived() const { return receiver_->stat_uint("chunks-received"); }
  static Bytes chunk(std::uint32_t i) { return random_bytes(800, i); }

  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
  PeerPair::Channel channel_;
};

TEST_F(PartiallyReliable, ALostChunkNeverEndsInSuccess) {
  upload_with_a_loss("idle-timeout=3000000000");
  const ErrorText error = receiver_->wait_error();
  EXPECT_EQ(error.code, "idle-timeout");
  EXPECT_NE(error.message.find("19 of 20 chunks"), std::string::npos) << error.message;
  EXPECT_TRUE(witness_->wait_failed());
  EXPECT_EQ(witness_->completions(), 0);
  EXPECT_TRUE(receiver_->bytes().empty());
  EXPECT_TRUE(channel_.observer->wait_closed());
}

TEST_F(PartiallyReliable, AChunkThatIsSentOnceMoreCompletesIt) {
  upload_with_a_loss("idle-timeout=0 min-rate=0");
  Bytes file;
  for (std::uint32_t i = 0; i < kChunks; ++i) {
    const Bytes payload = chunk(i);
    ASSERT_TRUE(send_chunk(channel_.channel.get(), i, kChunks, payload));
    file.insert(file.end(), payload.begin(), payload.end());
  }
  ASSERT_TRUE(receiver_->wait_eos());
  EXPECT_EQ(receiver_->bytes(), file);
}

// -------------------------------------------------------------------------------------------------
// many channels

TEST(ManyChannels, TwoHundredAtOnceLeaveAnUploadAlone) {
  constexpr std::size_t kMany = 200;
  const Bytes file = random_bytes(300'000, 6);
  // The first pair opens what the process then keeps.
  { PeerPair({.observe_incoming = false}).connect(); }
  const FdGuard descriptors;
  const std::size_t threads = thread_count();
  {
    PeerPair pair({.observe_incoming = false});
    ReceivingPipeline receiver(pair.answerer());
    receiver.play();
    const auto first = pair.connect("other");
    std::vector<PeerPair::Channel> others;
    for (std::size_t i = 1; i < kMany; ++i) {
      PeerPair::Channel other;
      other.channel = pair.create_channel("other");
      ASSERT_TRUE(other.channel) << i;
      other.observer = std::make_shared<ChannelObserver>(other.channel.get());
      others.push_back(std::move(other));
    }
    for (const auto& other : others) {
      ASSERT_TRUE(other.observer->wait_open());
      ASSERT_TRUE(send_bytes(other.channel.get(), Bytes(1000)));
    }
    const auto channel = open_channel(pair);
    ASSERT_TRUE(send_file(channel.channel.get(), file));
    ASSERT_TRUE(receiver.wait_eos());
    EXPECT_EQ(receiver.bytes(), file);
    stop_promptly(receiver.pipeline());
  }
  // GLib's pools keep a thread or two for a while.
  EXPECT_TRUE(eventually([&] { return thread_count() <= threads + 2; }, kPrompt))
      << thread_count() << ", " << threads << " before";
  descriptors.expect_none_new();
}

// The second one with the label is nobody's: it adds nothing, fails nothing and gets no echo.
TEST_F(HostileChannels, TheSameLabelTwiceIsOneUpload) {
  const Bytes file = random_bytes(300'000, 7);
  const auto chunks = cut(file, 49152);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  const auto channel = pair_.connect();
  ASSERT_TRUE(send_chunk(channel.channel.get(), 0, total, chunks[0]));
  // Of two that are opened at once either may be the first to arrive.
  ASSERT_TRUE(eventually([&] { return receiver.stat_uint("chunks-received") == 1; }));
  const auto second = open_channel(pair_);
  ASSERT_TRUE(second.channel);
  for (std::uint32_t i = 1; i < total; ++i) {
    // Other bytes, and other numbers.
    ASSERT_TRUE(send_chunk(second.channel.get(), i, total, random_bytes(49152, i)));
    ASSERT_TRUE(send_chunk(second.channel.get(), i, total + 1, Bytes(10)));
    ASSERT_TRUE(send_bytes(second.channel.get(), Bytes{1}));
    ASSERT_TRUE(send_text(second.channel.get(), "text"));
  }
  for (std::uint32_t i = 1; i < total; ++i) {
    ASSERT_TRUE(send_chunk(channel.channel.get(), i, total, chunks[i]));
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  EXPECT_EQ(receiver.stat_u64("keepalives"), 0U);
  EXPECT_EQ(receiver.stat_u64("duplicates"), 0U);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 0U);
  EXPECT_EQ(second.observer->message_count(), 0U);
}

// -------------------------------------------------------------------------------------------------
// a second negotiation

TEST_F(HostileChannels, ASecondOfferAmidAnUploadChangesNothing) {
  const Bytes file = random_bytes(1'000'000, 8);
  const auto chunks = cut(file, 49152);
  const auto total = static_cast<std::uint32_t>(chunks.size());
  ReceivingPipeline receiver(pair_.answerer());
  receiver.play();
  const auto channel = pair_.connect();
  for (std::uint32_t i = 0; i < total; ++i) {
    if (i == total / 3 || i == total / 2) {
      ASSERT_TRUE(pair_.negotiate());
    }
    ASSERT_TRUE(send_chunk(channel.channel.get(), i, total, chunks[i]));
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
  EXPECT_EQ(receiver.bus().count(GST_MESSAGE_ERROR), 0U);
}

}  // namespace
}  // namespace webrtcupload::test
