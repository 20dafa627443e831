// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Nobody but who has sent the session description is trusted, whatever the order in which the
// connection's states, its errors and its bytes come to be looked at.

#include "webrtc/dtls_check.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "glib/glib_ptr.h"
#include "support/gst_test.h"
#include "webrtc/fingerprint.h"
#include "webrtc/goodbye.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"
#include "webrtc/transports.h"

namespace webrtcupload {
namespace {

using test::eventually;
using Verdict = DtlsCheck::Verdict;

constexpr auto kNew = GST_WEBRTC_DTLS_TRANSPORT_STATE_NEW;
constexpr auto kConnecting = GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTING;
constexpr auto kConnected = GST_WEBRTC_DTLS_TRANSPORT_STATE_CONNECTED;
constexpr auto kClosed = GST_WEBRTC_DTLS_TRANSPORT_STATE_CLOSED;
constexpr auto kFailed = GST_WEBRTC_DTLS_TRANSPORT_STATE_FAILED;

// Any bytes do: nothing but their hash is looked at.
std::string certificate(const std::string& bytes) {
  const GCharPtr base64(
      g_base64_encode(reinterpret_cast<const guchar*>(bytes.data()), bytes.size()));
  return "-----BEGIN CERTIFICATE-----\n" + std::string(base64.get()) +
         "\n-----END CERTIFICATE-----\n";
}
std::string fingerprint(const std::string& bytes) {
  const GCharPtr hash(g_compute_checksum_for_string(G_CHECKSUM_SHA256, bytes.c_str(), -1));
  std::string text = "sha-256 ";
  for (std::size_t i = 0; hash.get()[i] != '\0'; ++i) {
    if (i > 0 && i % 2 == 0) text += ':';
    text += g_ascii_toupper(hash.get()[i]);
  }
  return text;
}

const std::string kOwn = certificate("the peer");
const std::string kOther = certificate("somebody else");

DtlsCheck check_for_peer() {
  DtlsCheck check;
  check.expect({fingerprint("the peer")});
  return check;
}

// Every order of states in which DTLS can come and go, and every moment at which the first look can
// come: it never misses the certificate of a connection that was up.
TEST(DtlsCheck, WheneverItLooksFirst) {
  const std::vector<std::vector<GstWebRTCDTLSTransportState>> lives = {
      {kNew, kConnecting, kConnected, kClosed},
      {kNew, kConnecting, kConnected, kFailed},
      {kNew, kConnecting, kConnected, kConnected, kClosed},
  };
  for (const auto& life : lives) {
    for (std::size_t first = 0; first < life.size(); ++first) {
      SCOPED_TRACE(first);
      DtlsCheck good = check_for_peer();
      DtlsCheck bad = check_for_peer();
      for (std::size_t i = first; i < life.size(); ++i) {
        const bool is_up = life[i] != kNew && life[i] != kConnecting;
        // It is shown amid the handshake already.
        EXPECT_EQ(good.look({life[i], life[i] == kNew ? "" : kOwn}),
                  is_up ? Verdict::kTrusted : Verdict::kOpen);
        EXPECT_EQ(bad.look({life[i], life[i] == kNew ? "" : kOther}),
                  is_up ? Verdict::kUntrusted : Verdict::kOpen);
      }
    }
  }
}

TEST(DtlsCheck, GoneAndNeverCheckedIsUntrusted) {
  DtlsCheck closed = check_for_peer();
  EXPECT_EQ(closed.look({kClosed, ""}), Verdict::kUntrusted);
  DtlsCheck connected = check_for_peer();
  EXPECT_EQ(connected.look({kConnected, ""}), Verdict::kUntrusted);
  // A state that has not been told yet, or an error that was told first.
  for (const auto state : {kNew, kConnecting, kConnected, kClosed, kFailed}) {
    SCOPED_TRACE(state);
    DtlsCheck without = check_for_peer();
    EXPECT_EQ(without.data_came({state, ""}), Verdict::kUntrusted);
    DtlsCheck other = check_for_peer();
    EXPECT_EQ(other.data_came({state, kOther}), Verdict::kUntrusted);
    DtlsCheck own = check_for_peer();
    EXPECT_EQ(own.data_came({state, kOwn}), Verdict::kTrusted);
  }
}

// Nothing has come from such a peer: it has gone, no more.
TEST(DtlsCheck, AHandshakeThatFailsIsNoDistrust) {
  DtlsCheck check = check_for_peer();
  EXPECT_EQ(check.look({kConnecting, ""}), Verdict::kOpen);
  EXPECT_EQ(check.look({kFailed, ""}), Verdict::kOpen);
  EXPECT_EQ(check.verdict(), Verdict::kOpen);
}

TEST(DtlsCheck, TheFirstVerdictStays) {
  DtlsCheck bad = check_for_peer();
  EXPECT_EQ(bad.look({kConnected, kOther}), Verdict::kUntrusted);
  EXPECT_EQ(bad.look({kConnected, kOwn}), Verdict::kUntrusted);
  EXPECT_EQ(bad.data_came({kConnected, kOwn}), Verdict::kUntrusted);
  DtlsCheck good = check_for_peer();
  EXPECT_EQ(good.look({kConnected, kOwn}), Verdict::kTrusted);
  EXPECT_EQ(good.look({kClosed, ""}), Verdict::kTrusted);
}

TEST(DtlsCheck, WithoutAFingerprintNobodyIsTrusted) {
  DtlsCheck check;
  EXPECT_EQ(check.look({kConnected, kOwn}), Verdict::kUntrusted);
}

// RFC 8122: a description may announce several, as hashes of one certificate or of several.
TEST(DtlsCheck, OneOfSeveralFingerprintsDoes) {
  const std::string sdp = "v=0\r\na=fingerprint:" + fingerprint("a third") +
                          "\r\nm=x\r\na=fingerprint:" + fingerprint("the peer") +
                          "\r\na=fingerprint:" + fingerprint("the peer") + "\r\n";
  const auto found = fingerprints_in(sdp);
  EXPECT_EQ(found, (std::vector{fingerprint("a third"), fingerprint("the peer")}));
  DtlsCheck check;
  check.expect(found);
  EXPECT_EQ(check.look({kConnected, kOwn}), Verdict::kTrusted);
  EXPECT_TRUE(fingerprints_in("v=0\r\n").empty());
}

using ContextPtr = std::unique_ptr<GMainContext, FunctionDeleter<g_main_context_unref>>;

// One of two peers, with a main context of its own: what is told to it waits until it is run.
struct Side {
  ContextPtr context{g_main_context_new()};
  std::shared_ptr<Peer> peer;
  std::shared_ptr<DataChannel> channel;
  std::string gone;
  std::string untrusted;
  int connected = 0;
  int channels = 0;
  std::string received;
  bool watches = true;

  void make() {
    std::string problem;
    Peer::Events events;
    events.connected = [this] { ++connected; };
    events.gone = [this](const std::string& why) { gone = why; };
    events.untrusted = [this](const std::string& why) { untrusted = why; };
    events.channel = [this](std::shared_ptr<DataChannel> announced) {
      ++channels;
      take(std::move(announced));
    };
    peer = Peer::create(context.get(), PeerOptions{.local_addresses = {"127.0.0.1"}},
                        std::move(events), problem);
    ASSERT_TRUE(peer) << problem;
    if (watches) peer->watch_channel("inference", 64 << 10);
    ASSERT_TRUE(peer->start());
  }
  void take(std::shared_ptr<DataChannel> taken) {
    channel = std::move(taken);
    channel->set_events(
        {.open = nullptr,
         .text = [this](std::string_view text) { received += text; },
         .data = [this](auto bytes) { received.append(bytes.begin(), bytes.end()); },
         .closed = nullptr});
  }
  template <typename Condition>
  [[nodiscard]] bool run_until(Condition condition) const {
    return eventually([&] {
      while (g_main_context_iteration(context.get(), FALSE)) {
      }
      return condition();
    });
  }
  [[nodiscard]] GstWebRTCDTLSTransportState dtls() const {
    return dtls_status(peer->webrtcbin()).state;
  }
  void close() {
    channel.reset();
    bool closed = false;
    peer->close([&] { closed = true; });
    EXPECT_TRUE(run_until([&] { return closed; }));
    peer.reset();
  }
};

class UncheckedPeer : public ::testing::Test {
 protected:
  void SetUp() override {
    offerer_.make();
    answerer_.make();
    offerer_.take(offerer_.peer->create_channel("inference", 64 << 10));
  }
  void TearDown() override {
    offerer_.close();
    answerer_.close();
  }

  // The connection comes up, and nobody has told the answerer's application of it. `change` may
  // tamper with the offer on its way.
  void connect_unseen(const std::function<std::string(std::string)>& change) {
    std::string offer;
    offerer_.peer->offer([&](auto result) { offer = std::get<std::string>(result); });
    ASSERT_TRUE(offerer_.run_until([&] { return !offer.empty(); }));
    const auto checked = check_offer(change(offer));
    ASSERT_TRUE(std::holds_alternative<Offer>(checked)) << std::get<OfferError>(checked).message;
    std::string answer;
    answerer_.peer->answer(std::get<Offer>(checked),
                           [&](auto result) { answer = std::get<std::string>(result); });
    ASSERT_TRUE(answerer_.run_until([&] { return !answer.empty(); }));
    if (!answerer_.watches) hold_back_states();
    bool accepted = false;
    offerer_.peer->accept_answer(answer, [&](const std::string& problem) {
      EXPECT_EQ(problem, "");
      accepted = true;
    });
    ASSERT_TRUE(offerer_.run_until([&] {
      return accepted && offerer_.dtls() == kConnected && answerer_.dtls() == kConnected;
    }));
  }

  // The answerer's webrtcbin tells of no state until let_states_go().
  void hold_back_states() {
    held_back_.push_back(ref_gobject(G_OBJECT(answerer_.peer->webrtcbin())));
    held_back_.push_back(dtls_transport_of(answerer_.peer->webrtcbin()));
    for (const auto& object : held_back_) g_object_freeze_notify(object.get());
  }
  void let_states_go() {
    for (const auto& object : held_back_) g_object_thaw_notify(object.get());
    held_back_.clear();
  }

  static std::string as_it_is(std::string sdp) { return sdp; }
  static std::string forged(std::string sdp) {
    const std::size_t at = sdp.find("a=fingerprint:sha-256 ") + 22;
    sdp[at] = sdp[at] == '0' ? '1' : '0';
    return sdp;
  }

  Side offerer_;
  Side answerer_;
  std::vector<GObjectPtr<GObject>> held_back_;
};

class UnwatchedPeer : public UncheckedPeer {
 protected:
  UnwatchedPeer() { answerer_.watches = false; }
};

// DTLS is up and down again before the answerer looks.
TEST_F(UncheckedPeer, WhoHasLeftBeforeAnybodyLookedIsUntrusted) {
  connect_unseen(forged);
  say_goodbye(offerer_.peer->webrtcbin());
  ASSERT_TRUE(eventually([&] { return answerer_.dtls() == kClosed; }));
  ASSERT_TRUE(
      answerer_.run_until([&] { return !answerer_.untrusted.empty() || !answerer_.gone.empty(); }));
  EXPECT_EQ(answerer_.untrusted, DtlsCheck::kWhyUntrusted);
  EXPECT_EQ(answerer_.gone, "");
  EXPECT_EQ(answerer_.connected, 0);
  EXPECT_EQ(answerer_.channels, 0) << "nothing of an untrusted peer is handed on";
  EXPECT_EQ(answerer_.received, "");
}

// The same with the right certificate.
TEST_F(UncheckedPeer, WhoHasLeftAndWasWhoItSaidHasJustGone) {
  connect_unseen(as_it_is);
  ASSERT_TRUE(offerer_.run_until([&] { return offerer_.channel->is_open(); }));
  EXPECT_TRUE(offerer_.channel->send(std::vector<std::uint8_t>{'h', 'i'}));
  ASSERT_TRUE(answerer_.run_until([&] { return answerer_.received == "hi"; }));
  say_goodbye(offerer_.peer->webrtcbin());
  ASSERT_TRUE(answerer_.run_until([&] { return !answerer_.gone.empty(); }));
  EXPECT_EQ(answerer_.gone, "the peer closed the connection");
  EXPECT_EQ(answerer_.untrusted, "");
}

// An error of webrtcbin's is dispatched before any state of the connection is.
TEST_F(UnwatchedPeer, AnErrorThatIsToldFirst) {
  connect_unseen(forged);
  const GstPtr<GstObject> pipeline(gst_object_get_parent(GST_OBJECT(answerer_.peer->webrtcbin())));
  GError* error = g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "made up");
  gst_element_post_message(
      GST_ELEMENT(pipeline.get()),
      gst_message_new_error(GST_OBJECT(answerer_.peer->webrtcbin()), error, nullptr));
  g_error_free(error);
  ASSERT_TRUE(
      answerer_.run_until([&] { return !answerer_.untrusted.empty() || !answerer_.gone.empty(); }));
  EXPECT_EQ(answerer_.untrusted, DtlsCheck::kWhyUntrusted);
  EXPECT_EQ(answerer_.gone, "");
  EXPECT_EQ(answerer_.channels, 0);
  let_states_go();
}

}  // namespace
}  // namespace webrtcupload
