// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A connection in its webrtcbin, and its end while the other side goes on sending.

#include "webrtc/peer.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <dlfcn.h>
#include <functional>
#include <future>
#include <gmodule.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "glib/elements_in.h"
#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "glib/pad_flushing.h"
#include "glib/weak_ref.h"
#include "support/log.h"
#include "support/wait.h"
#include "webrtc/association.h"
#include "webrtc/ice_setup.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload {
namespace {

using test::eventually;
using test::kDeadline;
using ::testing::HasSubstr;

// Runs the default context until `condition` holds.
bool run_until(const std::function<bool()>& condition) {
  Timer deadline(g_main_context_default());
  bool late = false;
  deadline.start(kDeadline, [&] { late = true; });
  while (!condition() && !late) g_main_context_iteration(nullptr, TRUE);
  return !late;
}

std::shared_ptr<Peer> make_peer(Peer::Events events) {
  std::string problem;
  auto peer = Peer::create(g_main_context_default(), PeerOptions{.local_addresses = {"127.0.0.1"}},
                           std::move(events), problem);
  EXPECT_TRUE(peer) << problem;
  return peer;
}

bool close_peer(const std::shared_ptr<Peer>& peer) {
  bool closed = false;
  peer->close([&] { closed = true; });
  return run_until([&] { return closed; });
}

// Stops the thread that hands `webrtcbin` its peer's packets in the middle of adding a pad for a
// new stream to the SCTP decoder, and keeps it there until webrtcbin is being stopped: the pad has
// been removed again, or the decoder takes nothing more.
class NewStream {
 public:
  explicit NewStream(GstElement* webrtcbin)
      : decoder_(element_made_by(GST_BIN(webrtcbin), inner::kSctpDecoder)),
        sink_(gst_element_get_static_pad(decoder_.get(), "sink")),
        encoder_(element_made_by(GST_BIN(webrtcbin), inner::kSctpEncoder)) {
    current = this;
  }
  ~NewStream() { current = nullptr; }
  NewStream(const NewStream&) = delete;
  NewStream& operator=(const NewStream&) = delete;

  [[nodiscard]] bool seen() const { return seen_; }
  // Whether the thread went on because of what happened, rather than for having waited too long.
  [[nodiscard]] bool released() { return released_.get_future().get(); }
  // Whether sending had been given up by then, and not for the channel that the stream makes, whose
  // acknowledgement is still to be sent.
  [[nodiscard]] bool early() const { return early_; }

  void on_start_task(GstPad* pad) {
    const auto is_of_decoder = [&] {
      return gst_object_has_as_parent(GST_OBJECT(pad), GST_OBJECT(decoder_.get()));
    };
    if (!is_of_decoder() || seen_.exchange(true)) return;
    const bool released = eventually([&] { return !is_of_decoder() || is_flushing(sink_.get()); });
    GST_OBJECT_LOCK(encoder_.get());
    for (GList* item = encoder_->sinkpads; item; item = item->next) {
      if (is_flushing(GST_PAD(item->data))) early_ = true;
    }
    GST_OBJECT_UNLOCK(encoder_.get());
    released_.set_value(released);
  }

  static std::atomic<NewStream*> current;

 private:
  const GstPtr<GstElement> decoder_;
  const GstPtr<GstPad> sink_;
  const GstPtr<GstElement> encoder_;
  std::atomic<bool> seen_ = false;
  std::atomic<bool> early_ = false;
  std::promise<bool> released_;
};

std::atomic<NewStream*> NewStream::current = nullptr;

std::string ice_password(const std::string& sdp) {
  constexpr std::string_view kName = "a=ice-pwd:";
  const std::size_t at = sdp.find(kName) + kName.size();
  return sdp.substr(at, sdp.find_first_of("\r\n", at) - at);
}

// Two peers that have begun.
class TwoPeers : public testing::Test {
 protected:
  void SetUp() override {
    server_ = make_peer({.channel = [this](std::shared_ptr<DataChannel> channel) {
      arrived_ = std::move(channel);
    }});
    client_ = make_peer({});
    ASSERT_TRUE(server_ && client_);
    server_->watch_channel("first", 1);
    ASSERT_TRUE(server_->start());
    ASSERT_TRUE(client_->start());
  }

  void negotiate() {
    using Sdp = std::variant<std::string, PeerError>;
    std::string problem;
    bool negotiated = false;
    const auto failed = [&](const Sdp& sdp) {
      if (const auto* error = std::get_if<PeerError>(&sdp)) problem = error->message;
      return !problem.empty();
    };
    client_->offer([&](const Sdp& offer) {
      if (failed(offer)) return;
      secrets_.push_back(ice_password(std::get<std::string>(offer)));
      const auto checked = check_offer(std::get<std::string>(offer));
      ASSERT_TRUE(std::holds_alternative<Offer>(checked));
      server_->answer(std::get<Offer>(checked), [&](const Sdp& answer) {
        if (failed(answer)) return;
        secrets_.push_back(ice_password(std::get<std::string>(answer)));
        client_->accept_answer(std::get<std::string>(answer), [&](std::string refusal) {
          problem = std::move(refusal);
          negotiated = true;
        });
      });
    });
    ASSERT_TRUE(run_until([&] { return negotiated || !problem.empty(); }));
    ASSERT_EQ(problem, "");
  }

  std::shared_ptr<Peer> server_;
  std::shared_ptr<Peer> client_;
  std::shared_ptr<DataChannel> created_;
  std::shared_ptr<DataChannel> arrived_;
  // Of both sides' ICE.
  std::vector<std::string> secrets_;
};

class PeerTest : public TwoPeers {
 protected:
  // With one channel, which is open.
  void SetUp() override {
    TwoPeers::SetUp();
    created_ = client_->create_channel("first", 1);
    ASSERT_TRUE(created_);
    negotiate();
    ASSERT_TRUE(run_until([&] { return arrived_ && created_->is_open(); }));
  }
};

guint association_of(const std::shared_ptr<Peer>& peer, const char* factory) {
  guint id = 0;
  const auto element = element_made_by(GST_BIN(peer->webrtcbin()), factory);
  g_object_get(element.get(), "sctp-association-id", &id, nullptr);
  return id;
}

// By numbers that are given out one after the other, where sctpdec does not look for an unused one.
TEST_F(PeerTest, HasItsOwnAssociation) {
  const guint server = association_of(server_, inner::kSctpDecoder);
  const guint client = association_of(client_, inner::kSctpDecoder);
  EXPECT_EQ(association_of(server_, inner::kSctpEncoder), server);
  EXPECT_EQ(association_of(client_, inner::kSctpEncoder), client);
  EXPECT_NE(client, server);
  if (!draws_unused_associations()) {
    EXPECT_EQ(client, (server + 1) & 0xffff);
  }
  EXPECT_TRUE(close_peer(server_));
  EXPECT_TRUE(close_peer(client_));
}

TEST_F(TwoPeers, ALifeIsToldInTheLog) {
  test::Log log(6);
  created_ = client_->create_channel("first", 1);
  negotiate();
  ASSERT_TRUE(run_until([&] { return arrived_ && created_->is_open(); }));
  const auto says = [&](const std::shared_ptr<Peer>& peer, const char* text) {
    const std::string name = std::string(GST_OBJECT_NAME(peer->webrtcbin())) + ": ";
    if (run_until([&] { return log.has({"webrtcuploadpeer ", name, text}); })) {
      return testing::AssertionSuccess();
    }
    return log.says({"webrtcuploadpeer ", name, text});
  };
  EXPECT_TRUE(says(server_, "candidates are gathered for 2000 ms at most"));
  EXPECT_TRUE(says(server_, " candidates is handed out"));
  EXPECT_TRUE(says(server_, "ice-connection-state: "));
  EXPECT_TRUE(says(server_, "DTLS: connected"));
  EXPECT_TRUE(says(server_, "certificate is compared"));
  EXPECT_TRUE(says(server_, "connection-state: connected"));
  EXPECT_TRUE(says(server_, "has opened channel \"first\", number 1 of 16"));
  EXPECT_TRUE(close_peer(server_));
  EXPECT_TRUE(says(server_, "let go"));
  EXPECT_TRUE(says(server_, "stopped"));
  EXPECT_TRUE(says(client_, "the peer is gone: "));
  EXPECT_TRUE(close_peer(client_));
  EXPECT_TRUE(log.names_everybody());
  ASSERT_EQ(secrets_.size(), 2U);
  for (const auto& secret : secrets_) EXPECT_TRUE(log.keeps_secret(secret));
}

TEST(Log, HasNoPasswordOfAServer) {
  test::Log log(6);
  const GstPtr<GstElement> webrtcbin(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("webrtcbin", nullptr))));
  add_ice_servers(webrtcbin.get(), {{.urls = {"stun:stun.example.org:3478"}},
                                    {.urls = {"turn:turn.example.org:3478?transport=udp"},
                                     .username = "somebody",
                                     .credential = "open-sesame"}});
  EXPECT_TRUE(log.says({"webrtcuploadpeer ", "asks the STUN server stun:stun.example.org:3478"}));
  EXPECT_TRUE(log.says({"webrtcuploadpeer ", "may relay through turn:turn.example.org:3478"}));
  EXPECT_TRUE(log.keeps_secret("open-sesame"));
  EXPECT_TRUE(log.keeps_secret("somebody"));
}

// Stopped at that moment, sctpdec of 1.22 starts a thread for a pad it has removed, and the program
// ends with a segmentation fault.
TEST_F(PeerTest, MayMeetTheFirstDataOfAStream) {
  NewStream stream(server_->webrtcbin());
  const auto second = client_->create_channel("second", 1);
  ASSERT_TRUE(second);
  ASSERT_TRUE(eventually([&] { return stream.seen(); }));
  EXPECT_TRUE(close_peer(server_));
  EXPECT_TRUE(stream.released());
  EXPECT_FALSE(stream.early());
  EXPECT_TRUE(close_peer(client_));
}

// What is left in webrtcbin of a channel that was closed refers to it without keeping it.
TEST_F(PeerTest, ClosedChannelsLastAsLongAsTheirWebrtcbin) {
  // webrtcbin's threads may let go of them last.
  const std::array<WeakRef, 2> channels{WeakRef(created_->get()), WeakRef(arrived_->get())};
  created_->close();
  ASSERT_TRUE(run_until([&] { return created_->is_closed() && arrived_->is_closed(); }));
  created_.reset();
  arrived_.reset();
  // Whatever webrtcbin itself did with them is over when it has been stopped.
  EXPECT_TRUE(close_peer(server_));
  EXPECT_TRUE(close_peer(client_));
  for (const auto& channel : channels) EXPECT_NE(channel.lock(), nullptr);
  server_.reset();
  client_.reset();
  EXPECT_TRUE(eventually([&] { return !channels[0].lock() && !channels[1].lock(); }));
}

// While nobody runs the context, as when its thread is busy, messages wait. By what they take: one
// of a byte takes more than that.
TEST_F(PeerTest, MessagesThatWaitAreBoundedByTheMemoryThatTheyTake) {
  constexpr std::size_t kMemory = 1 << 20;
  const auto channel = client_->create_channel("flooded", kMemory);
  ASSERT_TRUE(channel);
  std::size_t came = 0;
  std::size_t memory = 0;
  channel->set_events({.open = nullptr,
                       .text =
                           [&](std::string_view text) {
                             ++came;
                             memory += text.size() + DataChannel::kMessageCost;
                           },
                       .data =
                           [&](std::span<const std::uint8_t> bytes) {
                             ++came;
                             memory += bytes.size() + DataChannel::kMessageCost;
                           },
                       .closed = nullptr});
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{65536}}) {
    const std::string text(size, 'x');
    const GBytesPtr bytes(g_bytes_new(text.data(), size));
    for (const char* signal : {"on-message-data", "on-message-string"}) {
      came = memory = 0;
      for (int i = 0; i < 10'000; ++i) {
        if (signal[11] == 'd') {
          g_signal_emit_by_name(channel->get(), signal, bytes.get());
        } else {
          g_signal_emit_by_name(channel->get(), signal, text.c_str());
        }
      }
      ASSERT_TRUE(run_until([&] { return !g_main_context_pending(nullptr); }));
      // The last one that was let in may have been larger than what was left.
      EXPECT_LT(memory, kMemory + size + DataChannel::kMessageCost) << signal << " " << size;
      EXPECT_GE(memory, kMemory) << signal << " " << size;
      // With room again the next one comes through.
      const std::size_t before = came;
      g_signal_emit_by_name(channel->get(), "on-message-data", bytes.get());
      EXPECT_TRUE(run_until([&] { return came == before + 1; }));
    }
  }
  EXPECT_TRUE(close_peer(client_));
  EXPECT_TRUE(close_peer(server_));
}

// What keeps a connection from coming about.
class ConnectStageTest : public TwoPeers {
 protected:
  // Packets come no further than to the element of that kind in the server.
  void cut_off_before(const char* factory) {
    g_signal_connect(server_->webrtcbin(), "deep-element-added",
                     G_CALLBACK(+[](GstBin*, GstBin*, GstElement* element, const char* wanted) {
                       GstElementFactory* made_by = gst_element_get_factory(element);
                       if (!made_by || g_strcmp0(GST_OBJECT_NAME(made_by), wanted) != 0) return;
                       const GstPtr<GstPad> pad(gst_element_get_static_pad(element, "sink"));
                       gst_pad_add_probe(
                           pad.get(),
                           static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                        GST_PAD_PROBE_TYPE_BUFFER_LIST),
                           [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; },
                           nullptr, nullptr);
                     }),
                     const_cast<char*>(factory));
  }
  void close_both() {
    EXPECT_TRUE(close_peer(server_));
    EXPECT_TRUE(close_peer(client_));
  }
  void connect(const char* label = "first") {
    created_ = client_->create_channel(label, 1);
    ASSERT_TRUE(created_);
    negotiate();
  }
  [[nodiscard]] std::string why() const { return server_->why_no_upload("first"); }
  // Looks again now and then: not every stage is notified.
  [[nodiscard]] bool comes_to(ConnectStage stage) const {
    return eventually([&] {
      while (g_main_context_iteration(nullptr, FALSE)) continue;
      return server_->stage() == stage;
    });
  }
};

TEST_F(ConnectStageTest, IsIceWhereNoPacketComes) {
  EXPECT_EQ(server_->stage(), ConnectStage::kIce);
  EXPECT_THAT(why(), HasSubstr("no packets get through"));
  close_both();
}

TEST_F(ConnectStageTest, IsDtlsWithoutItsPackets) {
  cut_off_before(inner::kDtlsDecoder);
  connect();
  ASSERT_TRUE(comes_to(ConnectStage::kDtls));
  EXPECT_THAT(why(), HasSubstr("encryption (DTLS)"));
  close_both();
}

TEST_F(ConnectStageTest, IsSctpWithoutItsPackets) {
  cut_off_before(inner::kSctpDecoder);
  connect();
  ASSERT_TRUE(comes_to(ConnectStage::kSctp));
  EXPECT_THAT(why(), HasSubstr("encrypted, but the one for data channels"));
  close_both();
}

// Both sides would have to know of it beforehand, and webrtcbin drops what comes over it.
TEST_F(ConnectStageTest, IsTheChannelWhereNoneIsAnnounced) {
  const GstStructurePtr options(gst_structure_new("options", "negotiated", G_TYPE_BOOLEAN, TRUE,
                                                  "id", G_TYPE_INT, 1, nullptr));
  GstWebRTCDataChannel* channel = nullptr;
  g_signal_emit_by_name(client_->webrtcbin(), "create-data-channel", "first", options.get(),
                        &channel);
  ASSERT_TRUE(channel);
  const GObjectPtr<GstWebRTCDataChannel> owned(channel);
  negotiate();
  ASSERT_TRUE(comes_to(ConnectStage::kChannel));
  EXPECT_THAT(why(), HasSubstr("announced no data channel"));
  EXPECT_THAT(why(), HasSubstr("negotiated: true"));
  close_both();
}

TEST_F(ConnectStageTest, IsTheChannelWhereItHasAnotherLabel) {
  connect("another");
  ASSERT_TRUE(run_until([&] { return created_->is_open(); }));
  EXPECT_TRUE(eventually([&] { return why().find("no data channel with") != why().npos; }))
      << why();
  close_both();
}

TEST_F(ConnectStageTest, IsTheFirstChunkWhereTheChannelIsOpen) {
  connect();
  ASSERT_TRUE(run_until([&] { return arrived_ && created_->is_open(); }));
  EXPECT_THAT(why(), HasSubstr("sent no chunk"));
  EXPECT_EQ(client_->stage(), ConnectStage::kChannel);
  close_both();
}

}  // namespace
}  // namespace webrtcupload

// In place of GStreamer's, whoever calls it.
extern "C" G_MODULE_EXPORT gboolean gst_pad_start_task(GstPad* pad, GstTaskFunction function,
                                                       gpointer data, GDestroyNotify notify) {
  using Function = gboolean (*)(GstPad*, GstTaskFunction, gpointer, GDestroyNotify);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "gst_pad_start_task"));
  if (auto* stream = webrtcupload::NewStream::current.load()) stream->on_start_task(pad);
  return real(pad, function, data, notify);
}
