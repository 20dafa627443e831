// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What check_offer() lets through, webrtcbin answers: real offers, and every mangled one that is
// still acceptable. An assertion in webrtcbin would end this process.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "glib/main_context.h"
#include "support/sample_offers.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Answer = std::variant<std::string, PeerError>;

constexpr std::chrono::seconds kDeadline{60};

// Runs the default context until `condition` holds.
void run_until(const std::function<bool()>& condition) {
  Timer deadline(g_main_context_default());
  bool late = false;
  deadline.start(kDeadline, [&] { late = true; });
  while (!condition() && !late) g_main_context_iteration(nullptr, TRUE);
  EXPECT_FALSE(late);
}

Answer answer(const Offer& offer) {
  std::string problem;
  const auto peer = Peer::create(g_main_context_default(),
                                 PeerOptions{.local_addresses = {"127.0.0.1"}}, {}, problem);
  if (!peer || !peer->start()) return PeerError{problem};
  Answer result = PeerError{"no answer came"};
  bool done = false;
  peer->answer(offer, [&](Answer got) {
    result = std::move(got);
    done = true;
  });
  run_until([&] { return done; });
  bool closed = false;
  peer->close([&] { closed = true; });
  run_until([&] { return closed; });
  return result;
}

std::string answered(std::string_view offer) {
  const auto checked = check_offer(offer);
  if (!std::holds_alternative<Offer>(checked)) {
    ADD_FAILURE() << std::get<OfferError>(checked).message;
    return "";
  }
  const Answer result = answer(std::get<Offer>(checked));
  if (const auto* error = std::get_if<PeerError>(&result)) {
    ADD_FAILURE() << error->message;
    return "";
  }
  return std::get<std::string>(result);
}

TEST(Answer, KeepsTheUnusedVideoSectionInTheBundle) {
  for (const auto offer : {kChromiumOffer, kAiortcOffer}) {
    const std::string sdp = answered(crlf(offer));
    EXPECT_THAT(sdp, HasSubstr("a=group:BUNDLE 0 1\r\n"));
    EXPECT_THAT(sdp, HasSubstr("m=video 9 UDP/TLS/RTP/SAVPF"));
    EXPECT_THAT(sdp, HasSubstr("a=inactive\r\n"));
    EXPECT_THAT(sdp, HasSubstr("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    EXPECT_THAT(sdp, Not(HasSubstr("max-message-size")));
  }
}

std::vector<std::string> media_sections(const std::string& sdp) {
  std::vector<std::string> sections;
  for (std::size_t at = sdp.find("m="); at != std::string::npos;) {
    const std::size_t next = sdp.find("\r\nm=", at);
    sections.push_back(sdp.substr(at, next == std::string::npos ? next : next + 2 - at));
    at = next == std::string::npos ? next : next + 2;
  }
  return sections;
}

// RFC 3264: as many sections as the offer has, in its order. RFC 9143: what is rejected is in no
// bundle, and the others have the bundle's transport.
void check_answer(const Offer& offer, const std::string& answer) {
  SCOPED_TRACE(answer);
  const auto sections = media_sections(answer);
  ASSERT_EQ(sections.size(), offer.answer.sections.size());
  std::string group = "a=group:BUNDLE";
  for (const std::string& mid : offer.answer.bundle) group += " " + mid;
  EXPECT_EQ(answer.find("a=group:") != std::string::npos, !offer.answer.bundle.empty());
  if (!offer.answer.bundle.empty()) {
    EXPECT_THAT(answer, HasSubstr(group + "\r\n"));
  }
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const AnswerSection& planned = offer.answer.sections[i];
    const bool rejected = planned.how == AnswerSection::How::kRejected;
    EXPECT_THAT(sections[i], StartsWith("m=" + planned.media + (rejected ? " 0 " : " 9 ")));
    if (!planned.mid.empty()) {
      EXPECT_THAT(sections[i], HasSubstr("a=mid:" + planned.mid + "\r\n"));
    }
    EXPECT_THAT(sections[i], HasSubstr("a=ice-ufrag:"));
    EXPECT_THAT(sections[i], HasSubstr("a=fingerprint:"));
    const bool first =
        offer.answer.bundle.empty() ? !rejected : planned.mid == offer.answer.bundle.front();
    EXPECT_EQ(sections[i].find("a=candidate:") != std::string::npos, first);
  }
}

TEST(Answer, SpeaksOfEverySectionOfTheOffer) {
  for (const auto sample : kEveryOffer) {
    const auto checked = check_offer(crlf(sample));
    ASSERT_TRUE(std::holds_alternative<Offer>(checked)) << std::get<OfferError>(checked).message;
    check_answer(std::get<Offer>(checked), answered(crlf(sample)));
  }
}

// Offers put together at random: sections of every kind, stopped ones, ones of unknown kinds, with
// and without groups. Whatever is accepted gets its answer.
TEST(Answer, OffersOfAnyShape) {
  const std::vector<std::string> kinds = {
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n",
      "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=rtcp-mux\r\na=rtpmap:97 H264/90000\r\na=sendrecv\r\n",
      "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n",
      "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n",
      "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n",
      "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=rtpmap:98 t140/1000\r\n",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n",
      "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n",
  };
  const std::string transport =
      "a=ice-ufrag:Qv3r\r\na=ice-pwd:lDzVhTpKcFnYV5EHVSS3bZ6n\r\na=setup:actpass\r\n"
      "a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:"
      "0A:96:EF:31:84:DD:4C:B8:67\r\n";
  std::mt19937 random(8);  // NOLINT: the same offers every time.
  const auto below = [&random](std::size_t n) { return random() % n; };
  int accepted = 0;
  std::set<std::string> seen;  // What webrtcbin has answered before, it answers again.
  for (int i = 0; i < 2000; ++i) {
    std::string sections;
    std::vector<std::string> mids;
    for (std::size_t j = 0, count = 1 + below(6); j < count; ++j) {
      sections += kinds[below(kinds.size())] + "c=IN IP4 0.0.0.0\r\n";
      if (below(10) == 0) continue;
      mids.push_back(std::string(1, static_cast<char>('a' + j)));
      sections += "a=mid:" + mids.back() + "\r\n";
    }
    if (below(2) == 0) std::shuffle(mids.begin(), mids.end(), random);
    if (below(3) == 0) mids.resize(below(mids.size() + 1));
    std::string group;
    for (const std::string& mid : mids) group += " " + mid;
    const std::string sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
                            (below(4) == 0 ? "" : "a=group:BUNDLE" + group + "\r\n") + transport +
                            sections;
    const auto checked = check_offer(sdp);
    const auto* offer = std::get_if<Offer>(&checked);
    if (!offer) continue;
    ++accepted;
    if (!seen.insert(offer->sdp).second || seen.size() > 40) continue;
    SCOPED_TRACE(sdp);
    const Answer result = answer(*offer);
    ASSERT_TRUE(std::holds_alternative<std::string>(result)) << std::get<PeerError>(result).message;
    check_answer(*offer, std::get<std::string>(result));
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(seen.size(), 10u);
}

TEST(Answer, HoldsOnlyTheAddressesAsked) {
  const std::string sdp = answered(crlf(kWebrtcbinOffer));
  EXPECT_THAT(sdp, HasSubstr("a=candidate:"));
  std::size_t candidates = 0;
  std::size_t local = 0;
  for (std::size_t at = sdp.find("a=candidate:"); at != std::string::npos;
       at = sdp.find("a=candidate:", at + 1)) {
    const std::string line = sdp.substr(at, sdp.find('\r', at) - at);
    ++candidates;
    if (line.find(" 127.0.0.1 ") != std::string::npos) ++local;
  }
  EXPECT_EQ(candidates, local);
}

TEST(Answer, WithAudioVideoAndDataInAnyOrder) {
  const std::string audio =
      "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=rtcp-mux\r\n"
      "a=sendrecv\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
      "a=rtpmap:0 PCMU/8000\r\n";
  const std::string video =
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtcp-mux\r\n"
      "a=sendonly\r\na=rtpmap:96 VP8/90000\r\n";
  const std::string data =
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
      "a=sctp-port:5000\r\n";
  const std::string transport =
      "a=ice-ufrag:Qv3r\r\na=ice-pwd:lDzVhTpKcFnYV5EHVSS3bZ6n\r\na=setup:actpass\r\n"
      "a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:"
      "0A:96:EF:31:84:DD:4C:B8:67\r\n";
  const std::vector<std::pair<std::string, std::string>> orders = {
      {"a v d", audio + video + data}, {"d a v", data + audio + video},
      {"v d a", video + data + audio}, {"d v", data + video},
      {"a d", audio + data},           {"d", data},
  };
  for (const auto& [mids, sections] : orders) {
    const std::string sdp = answered(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
        "a=group:BUNDLE " +
        mids + "\r\n" + transport + sections);
    EXPECT_THAT(sdp, HasSubstr("a=group:BUNDLE " + mids + "\r\n"));
  }
}

TEST(Answer, EveryMangledOfferThatIsAcceptable) {
  std::map<std::string, Offer> offers;  // By what webrtcbin sees.
  for (const auto base : kEveryOffer) {
    std::vector<std::string> lines;
    std::string line;
    for (const char c : crlf(base)) {
      line += c;
      if (c == '\n') lines.push_back(std::exchange(line, {}));
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      for (const bool twice : {false, true}) {
        std::string offer;
        for (std::size_t j = 0; j < lines.size(); ++j) {
          if (j != i || twice) offer += lines[j];
          if (j == i && twice) offer += lines[j];
        }
        const auto checked = check_offer(offer);
        if (const auto* ok = std::get_if<Offer>(&checked)) offers.emplace(ok->sdp, *ok);
      }
    }
  }
  EXPECT_GT(offers.size(), 10u);
  for (const auto& [sdp, offer] : offers) {
    const Answer result = answer(offer);
    EXPECT_TRUE(std::holds_alternative<std::string>(result))
        << std::get<PeerError>(result).message << "\n"
        << sdp;
  }
}

// What webrtcbin itself refuses comes back as an error, not as silence.
TEST(Answer, AnOfferThatWasNotCheckedIsAnError) {
  EXPECT_TRUE(std::holds_alternative<PeerError>(answer(Offer{.sdp = "v=0\r\n"})));
  EXPECT_TRUE(std::holds_alternative<PeerError>(answer(Offer{.sdp = "hello"})));
}

// Two peers that negotiate with each other, each through the eyes of an application.
class Pair : public ::testing::Test {
 protected:
  struct Side {
    std::shared_ptr<Peer> peer;
    bool connected = false;
    std::string gone;
    std::string untrusted;
    std::shared_ptr<DataChannel> channel;
  };

  void SetUp() override {
    for (Side* side : {&offerer_, &answerer_}) {
      std::string problem;
      side->peer =
          Peer::create(g_main_context_default(), PeerOptions{.local_addresses = {"127.0.0.1"}},
                       {.connected = [side] { side->connected = true; },
                        .gone = [side](const std::string& why) { side->gone = why; },
                        .untrusted = [side](const std::string& why) { side->untrusted = why; },
                        .channel = [side](auto channel) { side->channel = std::move(channel); }},
                       problem);
      ASSERT_TRUE(side->peer) << problem;
      side->peer->watch_channel("inference", 64 << 10);
      ASSERT_TRUE(side->peer->start());
    }
    offerer_.channel = offerer_.peer->create_channel("inference", 64 << 10);
    ASSERT_TRUE(offerer_.channel);
  }

  void TearDown() override {
    offerer_.channel.reset();
    answerer_.channel.reset();
    close(offerer_);
    close(answerer_);
  }

  static void close(Side& side) {
    if (!side.peer) return;
    bool closed = false;
    side.peer->close([&] { closed = true; });
    run_until([&] { return closed; });
    side.peer.reset();
  }

  // `change` may tamper with the offer and the answer on their way.
  void negotiate(const std::function<std::string(std::string)>& change_offer,
                 const std::function<std::string(std::string)>& change_answer) {
    std::string offer;
    offerer_.peer->offer([&](Answer result) { offer = std::get<std::string>(result); });
    run_until([&] { return !offer.empty(); });
    const auto checked = check_offer(change_offer(offer));
    ASSERT_TRUE(std::holds_alternative<Offer>(checked)) << std::get<OfferError>(checked).message;
    std::string answer_sdp;
    answerer_.peer->answer(std::get<Offer>(checked),
                           [&](Answer result) { answer_sdp = std::get<std::string>(result); });
    run_until([&] { return !answer_sdp.empty(); });
    bool accepted = false;
    offerer_.peer->accept_answer(change_answer(answer_sdp), [&](const std::string& problem) {
      EXPECT_EQ(problem, "");
      accepted = true;
    });
    run_until([&] { return accepted; });
  }

  static std::string as_it_is(std::string sdp) { return sdp; }
  // Another certificate's fingerprint.
  static std::string forged(std::string sdp) {
    const std::size_t at = sdp.find("a=fingerprint:sha-256 ") + 22;
    sdp[at] = sdp[at] == '0' ? '1' : '0';
    return sdp;
  }

  Side offerer_;
  Side answerer_;
};

TEST_F(Pair, ConnectsTalksAndSaysGoodbye) {
  negotiate(as_it_is, as_it_is);
  run_until([&] { return answerer_.channel && offerer_.channel->is_open(); });
  std::vector<std::uint8_t> received;
  bool channel_closed = false;
  answerer_.channel->set_events(
      {.open = nullptr,
       .text = nullptr,
       .data = [&](auto bytes) { received.assign(bytes.begin(), bytes.end()); },
       .closed = [&] { channel_closed = true; }});
  const std::vector<std::uint8_t> message = {1, 2, 3};
  EXPECT_TRUE(offerer_.channel->send(message));
  run_until([&] { return !received.empty(); });
  EXPECT_EQ(received, message);
  EXPECT_EQ(answerer_.gone, "");
  close(offerer_);
  run_until([&] { return !answerer_.gone.empty(); });
  EXPECT_EQ(answerer_.gone, "the peer closed the connection");
}

// A webrtcbin that offers more than a data channel, whatever its bundle policy, goes on living with
// the answer, and gets its channel.
TEST_F(Pair, AWebrtcbinThatOffersVideoAsWell) {
  for (const char* policy : {"none", "max-compat", "max-bundle"}) {
    SCOPED_TRACE(policy);
    GstElement* webrtcbin = offerer_.peer->webrtcbin();
    gst_util_set_object_arg(G_OBJECT(webrtcbin), "bundle-policy", policy);
    GstCaps* caps = gst_caps_from_string(
        "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000");
    for (const auto direction : {GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY,
                                 GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDRECV}) {
      GstWebRTCRTPTransceiver* transceiver = nullptr;
      g_signal_emit_by_name(webrtcbin, "add-transceiver", direction, caps, &transceiver);
      g_object_unref(transceiver);
    }
    gst_caps_unref(caps);
    negotiate(as_it_is, as_it_is);
    run_until([&] { return answerer_.channel && offerer_.channel->is_open(); });
    TearDown();
    SetUp();
  }
}

TEST_F(Pair, AForgedOfferIsNoticed) {
  negotiate(forged, as_it_is);
  run_until([&] { return !answerer_.untrusted.empty(); });
  EXPECT_THAT(answerer_.untrusted, HasSubstr("certificate is not the one"));
}

TEST_F(Pair, AForgedAnswerIsNoticed) {
  negotiate(as_it_is, forged);
  run_until([&] { return !offerer_.untrusted.empty(); });
  EXPECT_THAT(offerer_.untrusted, HasSubstr("certificate is not the one"));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
