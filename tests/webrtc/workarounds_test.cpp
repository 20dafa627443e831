// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What our workarounds for faults of webrtcbin rest on, in the GStreamer that is here, and what
// they do. docs/threading.md has the table.

#include "webrtc/workarounds.h"

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "glib/elements_in.h"
#include "upload/upload_witness.h"
#include "webrtc/association.h"
#include "webrtc/channels.h"
#include "webrtc/inner_elements.h"

// Of webrtcbin's own, without a header for others.
extern "C" void gst_webrtc_data_channel_on_close(GstWebRTCDataChannel* channel);

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;

GstPtr<GstElement> make_element(const char* factory) {
  GstElement* element = gst_element_factory_make(factory, nullptr);
  return GstPtr<GstElement>(element ? GST_ELEMENT(gst_object_ref_sink(element)) : nullptr);
}

// A webrtcbin that has just begun, in which channels can be made.
GstPtr<GstElement> ready_webrtcbin() {
  auto webrtcbin = make_element("webrtcbin");
  EXPECT_EQ(set_state(webrtcbin.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  return webrtcbin;
}

GObjectPtr<GstWebRTCDataChannel> make_channel(GstElement* webrtcbin) {
  GstWebRTCDataChannel* channel = nullptr;
  g_signal_emit_by_name(webrtcbin, "create-data-channel", "any", nullptr, &channel);
  EXPECT_TRUE(channel);
  return GObjectPtr<GstWebRTCDataChannel>(channel);
}

std::vector<GstElement*> channel_bins(GstElement* webrtcbin) {
  std::vector<GstElement*> bins;
  GST_OBJECT_LOCK(webrtcbin);
  for (GList* item = GST_BIN(webrtcbin)->children; item; item = item->next) {
    if (g_str_equal(G_OBJECT_TYPE_NAME(item->data), inner::kChannelBinType)) {
      bins.push_back(GST_ELEMENT(item->data));
    }
  }
  GST_OBJECT_UNLOCK(webrtcbin);
  return bins;
}

// Sees an object's end without keeping it.
class Seen {
 public:
  explicit Seen(gpointer object) { g_weak_ref_init(&ref_, object); }
  ~Seen() { g_weak_ref_clear(&ref_); }
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
  [[nodiscard]] bool exists() {
    const GObjectPtr<GObject> object(G_OBJECT(g_weak_ref_get(&ref_)));
    return object != nullptr;
  }

 private:
  GWeakRef ref_;
};

bool has_property(gpointer object, const char* property) {
  return object && g_object_class_find_property(G_OBJECT_GET_CLASS(object), property);
}

bool in_use(const char* name) {
  return std::ranges::find(workarounds_in_use(), name) != workarounds_in_use().end();
}

// -------------------------------------------------------------------------------------------------
// what is there

TEST(Workarounds, SayWhichAreInUse) {
  const GCharPtr version(gst_version_string());
  std::cout << "[ workarounds ] " << version.get() << ": " << workarounds_text() << std::endl;
  testing::Test::RecordProperty("gstreamer", version.get());
  testing::Test::RecordProperty("workarounds", workarounds_text());
  EXPECT_EQ(in_use("own-association"),
            !element_has_property(inner::kSctpDecoder, "automatic-association-id"));
  for (const char* name : {"keep-channels", "close-once", "stop-receiving", "stop-sending",
                           "finish-tasks", "say-goodbye"}) {
    EXPECT_TRUE(in_use(name)) << name;
  }
  EXPECT_FALSE(element_has_property("no-such-element", "name"));
}

TEST(Workarounds, AreToldByEachElement) {
  for (const char* factory : {"webrtcupload", "webrtcuploadsink", "webrtcresultsink"}) {
    const auto element = make_element(factory);
    ASSERT_TRUE(element) << factory;
    GstStructure* raw = nullptr;
    g_object_get(element.get(), "stats", &raw, nullptr);
    const GstStructurePtr stats(raw);
    EXPECT_STREQ(gst_structure_get_string(stats.get(), "workarounds"), workarounds_text().c_str())
        << factory;
  }
}

TEST(Workarounds, FindTheSctpElements) {
  EXPECT_TRUE(element_has_property(inner::kSctpDecoder, "sctp-association-id"));
  EXPECT_TRUE(element_has_property(inner::kSctpEncoder, "sctp-association-id"));
  PeerPair pair;
  ASSERT_TRUE(pair.connect().channel);
  for (GstElement* webrtcbin : {pair.offerer(), pair.answerer()}) {
    for (const char* factory : {inner::kSctpDecoder, inner::kSctpEncoder, inner::kDtlsEncoder,
                                inner::kDtlsDecoder, inner::kIceSink}) {
      EXPECT_EQ(elements_made_by(GST_BIN(webrtcbin), factory).size(), 1U) << factory;
    }
    const auto dtlsenc = element_made_by(GST_BIN(webrtcbin), inner::kDtlsEncoder);
    const auto sctpdec = element_made_by(GST_BIN(webrtcbin), inner::kSctpDecoder);
    const GstPtr<GstPad> to_dtls(gst_element_get_static_pad(dtlsenc.get(), "sink"));
    const GstPtr<GstPad> to_sctp(gst_element_get_static_pad(sctpdec.get(), "sink"));
    EXPECT_TRUE(to_dtls);
    EXPECT_TRUE(to_sctp);
    // What a good-bye waits for.
    ASSERT_TRUE(has_property(dtlsenc.get(), "connection-state"));
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(dtlsenc.get()), "connection-state", &value);
    const GEnumValue* state =
        g_enum_get_value(static_cast<GEnumClass*>(g_type_class_peek(G_VALUE_TYPE(&value))),
                         g_value_get_enum(&value));
    ASSERT_TRUE(state);
    EXPECT_STREQ(state->value_nick, "connected");
    g_value_unset(&value);
  }
}

TEST(Workarounds, FindTheChannelsBins) {
  const auto webrtcbin = ready_webrtcbin();
  const auto channel = make_channel(webrtcbin.get());
  EXPECT_EQ(channel_bins(webrtcbin.get()).size(), 2U);
  EXPECT_NE(g_signal_lookup("prepare-data-channel", G_OBJECT_TYPE(webrtcbin.get())), 0U);
  stop_promptly(webrtcbin.get());
}

TEST(Workarounds, FindTheIceAgent) {
  const auto webrtcbin = make_element("webrtcbin");
  GObject* ice = nullptr;
  g_object_get(webrtcbin.get(), "ice-agent", &ice, nullptr);
  const GObjectPtr<GObject> owned_ice(ice);
  ASSERT_TRUE(has_property(ice, "agent"));
  GObject* agent = nullptr;
  g_object_get(ice, "agent", &agent, nullptr);
  const GObjectPtr<GObject> owned_agent(agent);
  for (const char* property : {"keepalive-conncheck", "upnp"}) {
    EXPECT_TRUE(has_property(agent, property)) << property;
  }
}

// -------------------------------------------------------------------------------------------------
// numbers of associations

TEST(Associations, AreOnesOwn) {
  PeerPair pair;
  ASSERT_TRUE(pair.connect().channel);
  std::vector<guint> numbers;
  for (GstElement* webrtcbin : {pair.offerer(), pair.answerer()}) {
    for (const char* factory : {inner::kSctpDecoder, inner::kSctpEncoder}) {
      guint number = 0;
      const auto element = element_made_by(GST_BIN(webrtcbin), factory);
      g_object_get(element.get(), "sctp-association-id", &number, nullptr);
      numbers.push_back(number);
    }
  }
  EXPECT_EQ(numbers[0], numbers[1]);
  EXPECT_EQ(numbers[2], numbers[3]);
  EXPECT_NE(numbers[0], numbers[2]);
}

// -------------------------------------------------------------------------------------------------
// channels that are kept

// Who is given a webrtcbin, and how.
struct Taker {
  const char* name;
  const char* element;
};
void PrintTo(const Taker& taker, std::ostream* out) { *out << taker.name; }

class ChannelsAreKept : public testing::TestWithParam<Taker> {};

// As webrtcbin 1.26 lets go of a closed channel's bins, on any version.
TEST_P(ChannelsAreKept, ForAsLongAsTheirWebrtcbin) {
  auto webrtcbin = ready_webrtcbin();
  // One that was there before, and one that comes later.
  auto early = make_channel(webrtcbin.get());
  GstPtr<GstElement> element;
  if (GetParam().element) {
    element = make_element(GetParam().element);
    ASSERT_TRUE(element);
    g_object_set(element.get(), "webrtcbin", webrtcbin.get(), nullptr);
  } else {
    keep_channels(webrtcbin.get());
    keep_channels(webrtcbin.get());
  }
  auto late = make_channel(webrtcbin.get());
  const auto bins = channel_bins(webrtcbin.get());
  ASSERT_EQ(bins.size(), 4U);
  Seen late_channel(late.get());
  std::vector<std::unique_ptr<Seen>> seen;
  for (GstElement* bin : bins) {
    seen.push_back(std::make_unique<Seen>(bin));
    gst_element_set_locked_state(bin, TRUE);
    gst_element_set_state(bin, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(webrtcbin.get()), bin);
  }
  early.reset();
  late.reset();
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& bin) { return bin->exists(); }));
  element.reset();
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& bin) { return bin->exists(); }));
  stop_promptly(webrtcbin.get());
  webrtcbin.reset();
  EXPECT_TRUE(eventually([&] {
    return !late_channel.exists() &&
           std::ranges::none_of(seen, [](const auto& bin) { return bin->exists(); });
  }));
}

INSTANTIATE_TEST_SUITE_P(, ChannelsAreKept,
                         testing::Values(Taker{"ByHand", nullptr},
                                         Taker{"ByWebrtcupload", "webrtcupload"},
                                         Taker{"ByWebrtcuploadsink", "webrtcuploadsink"},
                                         Taker{"ByWebrtcresultsink", "webrtcresultsink"}),
                         [](const auto& taker) { return std::string(taker.param.name); });

// A peer that opens and closes channels all day long does not fill the memory. Here webrtcbin
// itself has the channels until its end, since none was negotiated, and has to be looked past.
TEST(KeptChannels, ThousandsThatCloseAreLetGo) {
  constexpr std::size_t kChannels = 3'000;
  // 256, and as many that have come since it was last looked who has closed.
  constexpr std::size_t kMost = 512;
  auto webrtcbin = ready_webrtcbin();
  keep_channels(webrtcbin.get());
  const auto open = make_channel(webrtcbin.get());
  std::vector<GObjectPtr<GstWebRTCDataChannel>> channels;
  for (std::size_t i = 0; i < kChannels; ++i) {
    channels.push_back(make_channel(webrtcbin.get()));
    gst_webrtc_data_channel_on_close(channels.back().get());
    if (i % kMost == 0) {
      ASSERT_TRUE(eventually([&] { return channel_bins(webrtcbin.get()).size() <= 2 * kMost + 2; }))
          << channel_bins(webrtcbin.get()).size() << " bins with " << i << " channels";
    }
  }
  const auto references = [](const auto& channel) { return G_OBJECT(channel.get())->ref_count; };
  const guint when_kept = references(channels.back());
  std::ptrdiff_t kept = 0;
  EXPECT_TRUE(eventually([&] {
    kept = std::ranges::count_if(
        channels, [&](const auto& channel) { return references(channel) == when_kept; });
    return kept <= static_cast<std::ptrdiff_t>(kMost);
  })) << kept;
  EXPECT_GE(kept, 256);
  EXPECT_LT(references(channels.front()), when_kept);
  // One that is open is kept, however old it is.
  EXPECT_EQ(references(open), when_kept);
  stop_promptly(webrtcbin.get());
}

// -------------------------------------------------------------------------------------------------
// channels that close

// Once for each end: the peer closes its channel, and ours is closed as soon as that shows.
TEST(Channels, MayBeClosedWhenThePeerHasJustClosedThem) {
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    PeerPair pair;
    const auto near = pair.connect();
    ASSERT_TRUE(near.channel);
    const auto far = pair.incoming(Side::kAnswerer);
    ASSERT_TRUE(far);
    const auto closed_again = std::make_shared<Count>();
    // In this state it is found by whoever is told of the end by it, which our elements are.
    const SignalConnection connection(
        far->channel(), "notify::ready-state",
        G_CALLBACK(+[](GstWebRTCDataChannel* channel, GParamSpec*, std::shared_ptr<Count>* count) {
          GstWebRTCDataChannelState state{};
          g_object_get(channel, "ready-state", &state, nullptr);
          if (state != GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING) return;
          close_channel(channel);
          (*count)->raise();
        }),
        closed_again);
    ASSERT_TRUE(send_text(far->channel(), "on its way"));
    close_channel(near.channel.get());
    EXPECT_TRUE(near.observer->wait_closed(std::chrono::seconds(20)))
        << "round " << round << ": the side that closed first never heard of the other's end";
    EXPECT_TRUE(far->wait_closed());
    EXPECT_EQ(closed_again->value(), 1);
  }
}

}  // namespace
}  // namespace webrtcupload::test
