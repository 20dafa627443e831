// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/peer_pair.h"

#include <gst/sdp/sdp.h>

#include <future>
#include <utility>

#include "support/lost_cause.h"
#include "webrtc/association.h"
#include "webrtc/channels.h"
#include "webrtc/inner_elements.h"
#include "webrtc/prepare_stop.h"

namespace webrtcupload::test {
namespace {

using SessionDescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription,
                                              FunctionDeleter<gst_webrtc_session_description_free>>;
using PromisePtr = GstMiniPtr<GstPromise>;
using PadPtr = GstPtr<GstPad>;

template <typename Enum>
Enum get_enum(gpointer object, const char* property) {
  gint value = 0;
  g_object_get(object, property, &value, nullptr);
  return static_cast<Enum>(value);
}

GObjectPtr<GObject> get_object(gpointer object, const char* property) {
  GObject* value = nullptr;
  g_object_get(object, property, &value, nullptr);
  return GObjectPtr<GObject>(value);
}

// Runs `start` with a promise and waits for its answer. The promise's own wait has no deadline,
// but webrtcbin answers every promise, even when it is closed.
PromisePtr await_promise(const std::function<void(GstPromise*)>& start) {
  PromisePtr promise(gst_promise_new());
  start(promise.get());
  gst_promise_wait(promise.get());
  return promise;
}

SessionDescriptionPtr create_description(GstElement* webrtcbin, const char* what) {
  const PromisePtr promise = await_promise([&](GstPromise* p) {
    g_signal_emit_by_name(webrtcbin, (std::string("create-") + what).c_str(), nullptr, p);
  });
  GstWebRTCSessionDescription* description = nullptr;
  if (const GstStructure* reply = gst_promise_get_reply(promise.get())) {
    gst_structure_get(reply, what, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description, nullptr);
  }
  return SessionDescriptionPtr(description);
}

testing::AssertionResult set_description(GstElement* webrtcbin, const char* which,
                                         GstWebRTCSessionDescription* description) {
  const std::string signal = std::string("set-") + which + "-description";
  const PromisePtr promise = await_promise(
      [&](GstPromise* p) { g_signal_emit_by_name(webrtcbin, signal.c_str(), description, p); });
  const GstStructure* reply = gst_promise_get_reply(promise.get());
  GError* raw = nullptr;
  if (reply && gst_structure_get(reply, "error", G_TYPE_ERROR, &raw, nullptr)) {
    const GErrorPtr error(raw);
    return testing::AssertionFailure() << signal << ": " << error->message;
  }
  return testing::AssertionSuccess();
}

// Waits until a property of a webrtcbin, or of one of its transports, satisfies `condition`.
template <typename Enum>
bool wait_property(gpointer object, const char* property,
                   const std::function<bool(Enum)>& condition,
                   std::chrono::milliseconds deadline = kDeadline) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool notified = false;
  };
  const auto shared = std::make_shared<Shared>();
  const SignalConnection connection(
      object, (std::string("notify::") + property).c_str(),
      G_CALLBACK(+[](GObject*, GParamSpec*, std::shared_ptr<Shared>* state) {
        const std::lock_guard lock((*state)->mutex);
        (*state)->notified = true;
        (*state)->changed.notify_all();
      }),
      shared);
  const auto until = std::chrono::steady_clock::now() + deadline;
  for (;;) {
    if (condition(get_enum<Enum>(object, property))) return true;
    std::unique_lock lock(shared->mutex);
    if (!shared->changed.wait_until(lock, until, [&] { return shared->notified; })) return false;
    shared->notified = false;
  }
}

bool wait_gathered(GstElement* webrtcbin) {
  return wait_property<GstWebRTCICEGatheringState>(
      webrtcbin, "ice-gathering-state",
      [](auto state) { return state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE; });
}

bool wait_connected(GstElement* webrtcbin) {
  return wait_property<GstWebRTCPeerConnectionState>(webrtcbin, "connection-state", [](auto state) {
    return state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED;
  });
}

SessionDescriptionPtr local_description(GstElement* webrtcbin) {
  GstWebRTCSessionDescription* description = nullptr;
  g_object_get(webrtcbin, "local-description", &description, nullptr);
  return SessionDescriptionPtr(description);
}

// As the other side is told it; null when it is no description then.
SessionDescriptionPtr rewritten(SessionDescriptionPtr description,
                                const std::function<std::string(const std::string& sdp)>& rewrite) {
  if (!rewrite || !description) return description;
  const GCharPtr text(gst_sdp_message_as_text(description->sdp));
  const std::string other = rewrite(text.get());
  GstSDPMessage* sdp = nullptr;
  if (other.empty() || gst_sdp_message_new_from_text(other.c_str(), &sdp) != GST_SDP_OK) {
    return nullptr;
  }
  return SessionDescriptionPtr(gst_webrtc_session_description_new(description->type, sdp));
}

}  // namespace

// Filled inside on-data-channel, on the pc thread.
struct PeerPair::Incoming {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::shared_ptr<ChannelObserver>> channels;
};

struct PeerPair::Channels {
  std::mutex mutex;
  std::vector<GstPtr<GstWebRTCDataChannel>> created;
  std::vector<GstPtr<GstWebRTCDataChannel>> incoming;

  void add(std::vector<GstPtr<GstWebRTCDataChannel>>& list, GstWebRTCDataChannel* channel) {
    const std::lock_guard lock(mutex);
    list.push_back(ref_gst(channel));
  }
  // Whether what is closed where it was created is closed on the other side as well.
  bool closed_on_both_sides() {
    const std::lock_guard lock(mutex);
    std::map<int, std::vector<GstWebRTCDataChannel*>> shown;
    for (const auto& channel : incoming) shown[number(channel.get())].push_back(channel.get());
    // How many with that number there were before: numbers are used again.
    std::map<int, std::size_t> uses;
    return std::all_of(created.begin(), created.end(), [&](const auto& channel) {
      const auto& there = shown[number(channel.get())];
      const std::size_t use = uses[number(channel.get())]++;
      return !closed(channel.get()) || use >= there.size() || closed(there[use]);
    });
  }

  static bool closed(GstWebRTCDataChannel* channel) {
    return get_enum<GstWebRTCDataChannelState>(channel, "ready-state") ==
           GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
  }
  static int number(GstWebRTCDataChannel* channel) {
    gint id = -1;
    g_object_get(channel, "id", &id, nullptr);
    return id;
  }
};

PeerPair::PeerPair() : PeerPair(Options()) {}

PeerPair::PeerPair(Options options)
    : rewrite_offer_(options.rewrite_offer),
      rewrite_answer_(options.rewrite_answer),
      channels_(std::make_shared<Channels>()) {
  make_peer(offerer_, "offerer", options);
  make_peer(answerer_, "answerer", options);
}

PeerPair::~PeerPair() {
  for (Peer* peer : {&offerer_, &answerer_}) {
    if (!peer->pipeline) continue;
    prepare_stop(peer->webrtcbin.get());
    gst_element_set_state(peer->pipeline.get(), GST_STATE_NULL);
    peer->on_data_channel.disconnect();
    peer->on_any_channel.disconnect();
  }
}

void PeerPair::make_peer(Peer& peer, const char* name, const Options& options) {
  peer.pipeline =
      GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(gst_pipeline_new(name))));
  GstElement* webrtcbin = gst_element_factory_make("webrtcbin", "pc");
  ASSERT_TRUE(webrtcbin) << "webrtcbin is not installed";
  gst_util_set_object_arg(G_OBJECT(webrtcbin), "bundle-policy", "max-bundle");
  peer.webrtcbin = ref_gst(webrtcbin);
  give_own_association(webrtcbin);
  keep_channels(webrtcbin);
  ASSERT_TRUE(gst_bin_add(GST_BIN(peer.pipeline.get()), webrtcbin));
  peer.bus = std::make_unique<BusLog>(peer.pipeline.get());

  // Nothing leaves this machine, and nothing depends on what networks it has.
  const auto agent = get_object(webrtcbin, "ice-agent");
  gboolean added = FALSE;
  g_signal_emit_by_name(agent.get(), "add-local-ip-address", "127.0.0.1", &added);
  ASSERT_TRUE(added);
  // Nor on what router it has.
  GstObject* raw_nice = nullptr;
  g_object_get(agent.get(), "agent", &raw_nice, nullptr);
  const GObjectPtr<GObject> nice(G_OBJECT(raw_nice));
  g_object_set(nice.get(), "upnp", FALSE, nullptr);

  peer.on_any_channel = SignalConnection(
      webrtcbin, "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, std::shared_ptr<Channels>* all) {
        (*all)->add((*all)->incoming, channel);
      }),
      channels_);
  if (!options.observe_incoming) return;
  peer.incoming = std::make_shared<Incoming>();
  peer.on_data_channel = SignalConnection(
      webrtcbin, "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, std::shared_ptr<Incoming>* state) {
        auto observer = std::make_shared<ChannelObserver>(channel);
        const std::lock_guard lock((*state)->mutex);
        (*state)->channels.push_back(std::move(observer));
        (*state)->arrived.notify_all();
      }),
      peer.incoming);
}

void PeerPair::add(Side side, GstElement* element) {
  ASSERT_TRUE(element);
  ASSERT_TRUE(gst_bin_add(GST_BIN(pipeline(side)), element));
}

testing::AssertionResult PeerPair::start() {
  for (const Side side : {Side::kOfferer, Side::kAnswerer}) {
    if (set_state(pipeline(side), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
      return testing::AssertionFailure() << GST_OBJECT_NAME(pipeline(side)) << " does not start";
    }
  }
  return testing::AssertionSuccess();
}

GstPtr<GstWebRTCDataChannel> PeerPair::create_channel(const char* label, Side side,
                                                      GstStructure* options) {
  EXPECT_TRUE(eventually([this] { return channels_->closed_on_both_sides(); }, kDeadline));
  // Each webrtcbin's thread may still have to let go of the last one, whose number is used again.
  finish_tasks(offerer());
  finish_tasks(answerer());
  GstWebRTCDataChannel* channel = nullptr;
  g_signal_emit_by_name(webrtcbin(side), "create-data-channel", label, options, &channel);
  EXPECT_TRUE(channel) << "no data channel " << label;
  if (channel) channels_->add(channels_->created, channel);
  return GstPtr<GstWebRTCDataChannel>(channel);
}

testing::AssertionResult PeerPair::negotiate() {
  const auto offer = create_description(offerer(), "offer");
  if (!offer) return testing::AssertionFailure() << "no offer";
  if (auto set = set_description(offerer(), "local", offer.get()); !set) return set;
  if (!wait_gathered(offerer())) return testing::AssertionFailure() << "offerer does not gather";
  // With its candidates, so that none have to be exchanged one by one.
  const auto whole_offer = rewritten(local_description(offerer()), rewrite_offer_);
  if (!whole_offer) return testing::AssertionFailure() << "the offer cannot be rewritten";
  if (auto set = set_description(answerer(), "remote", whole_offer.get()); !set) return set;

  const auto answer = create_description(answerer(), "answer");
  if (!answer) return testing::AssertionFailure() << "no answer";
  if (auto set = set_description(answerer(), "local", answer.get()); !set) return set;
  if (!wait_gathered(answerer())) return testing::AssertionFailure() << "answerer does not gather";
  const auto whole_answer = rewritten(local_description(answerer()), rewrite_answer_);
  if (!whole_answer) return testing::AssertionFailure() << "the answer cannot be rewritten";
  if (auto set = set_description(offerer(), "remote", whole_answer.get()); !set) return set;

  if (!wait_connected(offerer()) || !wait_connected(answerer())) {
    return testing::AssertionFailure() << "the peers do not connect";
  }
  return testing::AssertionSuccess();
}

PeerPair::Channel PeerPair::connect(const char* label) {
  const auto started = start();
  EXPECT_TRUE(started);
  if (!started) return {};
  Channel result;
  result.channel = create_channel(label);
  result.observer = std::make_shared<ChannelObserver>(result.channel.get());
  EXPECT_TRUE(negotiate());
  EXPECT_TRUE(result.observer->wait_open());
  return result;
}

std::shared_ptr<ChannelObserver> PeerPair::incoming(Side side, std::string_view label,
                                                    std::chrono::milliseconds deadline) {
  const auto state = peer(side).incoming;
  if (!state) return nullptr;
  const auto until = std::chrono::steady_clock::now() + deadline;
  std::unique_lock lock(state->mutex);
  for (;;) {
    for (const auto& observer : state->channels) {
      // The label is read under the channel's own lock only.
      if (observer->label() == label) return observer;
    }
    if (state->arrived.wait_until(lock, until) == std::cv_status::timeout) return nullptr;
  }
}

namespace {

using Called = std::promise<void>;

void free_called(gpointer called) { delete static_cast<Called*>(called); }

// The sink pads of all elements of that kind in `bin`.
GstPadProbeReturn on_record(GstPad*, GstPadProbeInfo* info, gpointer called) {
  // The content type of a DTLS record that is an alert.
  constexpr std::uint8_t kAlert = 21;
  std::uint8_t type = 0;
  gst_buffer_extract(GST_PAD_PROBE_INFO_BUFFER(info), 0, &type, 1);
  if (type != kAlert) return GST_PAD_PROBE_OK;
  static_cast<Called*>(called)->set_value();
  return GST_PAD_PROBE_REMOVE;
}

// Until ICE has a pair of addresses, dtlsenc is in NULL and has no connection, without which EOS is
// a critical error of GStreamer's.
bool has_begun(GstPad* dtlsenc_sink) {
  const GstPtr<GstElement> dtlsenc(gst_pad_get_parent_element(dtlsenc_sink));
  GstState state = GST_STATE_NULL;
  if (dtlsenc) gst_element_get_state(dtlsenc.get(), &state, nullptr, 0);
  return state >= GST_STATE_PAUSED;
}

}  // namespace

void PeerPair::close_connection(Side side) {
  // dtlsenc makes close_notify of an EOS, and sends it on a thread of its own.
  const auto network = sink_pads_of(webrtcbin(side), inner::kIceSink);
  const auto encoders = sink_pads_of(webrtcbin(side), inner::kDtlsEncoder);
  ASSERT_EQ(network.size(), 1U);
  ASSERT_EQ(encoders.size(), 1U);
  if (!has_begun(encoders[0].get())) {
    ADD_FAILURE() << "there is no connection to close";
    stop(side);
    return;
  }
  auto* called = new Called;
  auto seen = called->get_future();
  gst_pad_add_probe(network[0].get(), GST_PAD_PROBE_TYPE_BUFFER, on_record, called, free_called);
  gst_pad_send_event(encoders[0].get(), gst_event_new_eos());
  EXPECT_EQ(seen.wait_for(kDeadline), std::future_status::ready) << "no close_notify was sent";
  // The probe runs with this lock held, which is let go when the record is on the wire.
  wait_for_packet(network[0].get());
  stop(side);
}

void PeerPair::stop(Side side) {
  prepare_stop(webrtcbin(side));
  EXPECT_EQ(gst_element_set_state(pipeline(side), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

}  // namespace webrtcupload::test
