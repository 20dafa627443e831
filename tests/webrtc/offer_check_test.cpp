// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What becomes of offers: real clients' are rewritten, hostile ones are refused with the reason.

#include "webrtc/sdp/offer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sample_offers.h"

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string accepted(std::string_view sdp) {
  const auto result = check_offer(sdp);
  if (const auto* error = std::get_if<OfferError>(&result)) {
    ADD_FAILURE() << "refused: " << error->message;
    return "";
  }
  return std::get<Offer>(result).sdp;
}

std::string refusal(std::string_view sdp) {
  const auto result = check_offer(sdp);
  if (const auto* offer = std::get_if<Offer>(&result)) {
    ADD_FAILURE() << "accepted:\n" << sdp << "\nas\n" << offer->sdp;
    return "";
  }
  return std::get<OfferError>(result).message;
}

std::vector<std::string> lines_of(std::string_view sdp) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : sdp) {
    line += c;
    if (c == '\n') lines.push_back(std::exchange(line, {}));
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::string join(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

std::string with(std::string_view sdp, std::string_view from, std::string_view to) {
  std::string out = crlf(sdp);
  const std::size_t at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) out.replace(at, from.size(), to);
  return out;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

TEST(Offer, ChromiumWithUnusedVideoSection) {
  const std::string sdp = accepted(crlf(kChromiumOffer));
  EXPECT_THAT(sdp, HasSubstr("a=group:BUNDLE 0 1\r\n"));
  EXPECT_THAT(sdp, HasSubstr("m=video 9 UDP/TLS/RTP/SAVPF 96 102 98 45\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=recvonly\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=rtpmap:96 VP8/90000\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=rtcp-fb:96 nack pli\r\n"));
  EXPECT_THAT(sdp, HasSubstr("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=max-message-size:262144\r\n"));
  EXPECT_THAT(sdp, HasSubstr("127.0.0.1 55410 typ host\r\n"));
  EXPECT_THAT(sdp, HasSubstr("0b5bd2d2-3a8f-4d3b-9f3e-6b1b7f1b0a55.local 40511 typ host\r\n"));
  EXPECT_THAT(sdp, Not(HasSubstr("tcp 1518214911")));
  EXPECT_THAT(sdp, Not(HasSubstr("extmap")));
  EXPECT_THAT(sdp, Not(HasSubstr("rtx")));
  EXPECT_THAT(sdp, Not(HasSubstr("ulpfec")));
}

TEST(Offer, SaysInWhichFormatsVideoCanBeSent) {
  const auto browser = std::get<Offer>(check_offer(crlf(kChromiumOffer)));
  EXPECT_EQ(browser.video_formats,
            (std::vector<VideoFormat>{{96, "VP8"}, {102, "H264"}, {98, "VP9"}, {45, "AV1"}}));
  EXPECT_TRUE(std::get<Offer>(check_offer(crlf(kWebrtcbinOffer))).video_formats.empty());
}

TEST(Offer, HasNoVideoFormatForAPeerThatOnlySends) {
  std::string sdp = crlf(kChromiumOffer);
  sdp.replace(sdp.find("a=recvonly"), 10, "a=sendonly");
  EXPECT_TRUE(std::get<Offer>(check_offer(sdp)).video_formats.empty());
}

TEST(Offer, LeavesOutFormatsThatNeedACloserLook) {
  std::string sdp = crlf(kChromiumOffer);
  sdp.replace(sdp.find("packetization-mode=1"), 20, "packetization-mode=0");
  sdp.replace(sdp.find("profile-id=0"), 12, "profile-id=2");
  EXPECT_EQ(std::get<Offer>(check_offer(sdp)).video_formats,
            (std::vector<VideoFormat>{{96, "VP8"}, {45, "AV1"}}));
}

TEST(Offer, AiortcGetsOneSetOfCredentialsAndTheNewForm) {
  const std::string sdp = accepted(crlf(kAiortcOffer));
  EXPECT_EQ(count(sdp, "a=ice-ufrag:gFg7\r\n"), 2u);
  EXPECT_EQ(count(sdp, "a=ice-pwd:O8NkGdXhb1AbgbC3u6KgdU\r\n"), 2u);
  EXPECT_THAT(sdp, Not(HasSubstr("hcqN")));
  EXPECT_THAT(sdp, HasSubstr("192.0.2.2 36170 typ host"));
  EXPECT_THAT(sdp, Not(HasSubstr("33280")));
  EXPECT_THAT(sdp, HasSubstr("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
  EXPECT_THAT(sdp, HasSubstr("a=sctp-port:5000\r\n"));
  EXPECT_THAT(sdp, Not(HasSubstr("sctpmap")));
}

TEST(Offer, WebrtcbinDataOnly) {
  const std::string sdp = accepted(crlf(kWebrtcbinOffer));
  EXPECT_THAT(sdp, HasSubstr("a=mid:application0\r\n"));
  EXPECT_THAT(sdp, HasSubstr("o=- 7466120911467297126 0 IN IP4 127.0.0.1\r\n"));
  EXPECT_EQ(count(sdp, "m="), 1u);
}

TEST(Offer, BareNewlinesAndTrailingBlankLinesAreFine) {
  accepted(kWebrtcbinOffer);
  accepted(crlf(kWebrtcbinOffer) + "\r\n\r\n");
}

// What was rewritten is itself an acceptable offer, and rewriting it changes nothing.
TEST(Offer, RewritingIsStable) {
  for (const auto offer : kEveryOffer) {
    const std::string once = accepted(crlf(offer));
    EXPECT_EQ(accepted(once), once);
  }
}

TEST(Offer, CredentialsAndFingerprintMayStandAtSessionLevel) {
  std::string sdp = crlf(kWebrtcbinOffer);
  std::string moved;
  std::string rest;
  for (const std::string& line : lines_of(sdp)) {
    const bool mine = line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd") ||
                      line.starts_with("a=fingerprint") || line.starts_with("a=setup");
    (mine ? moved : rest) += line;
  }
  rest.insert(rest.find("m=application"), moved);
  EXPECT_EQ(accepted(rest), accepted(sdp));
}

TEST(Offer, PrefersSha256AmongSeveralFingerprints) {
  std::string sha1 = "a=fingerprint:sha-1 ";
  for (int i = 0; i < 20; ++i) sha1 += i ? ":0A" : "0A";
  const std::string sdp =
      with(kWebrtcbinOffer, "a=fingerprint:sha-256", sha1 + "\r\na=fingerprint:sha-256");
  EXPECT_EQ(count(accepted(sdp), "a=fingerprint:"), 1u);
  EXPECT_THAT(accepted(sdp), HasSubstr("a=fingerprint:sha-256 0B:98"));
}

TEST(Offer, BundleOnlySectionsAreNotRejectedOnes) {
  const std::string sdp =
      with(kChromiumOffer, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
           "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=bundle-only\r\n");
  EXPECT_EQ(accepted(sdp), accepted(crlf(kChromiumOffer)));
}

TEST(Offer, MediaThatThePeerWouldSendIsTurnedDown) {
  EXPECT_THAT(accepted(with(kChromiumOffer, "a=recvonly", "a=sendonly")),
              Not(HasSubstr("m=video")));
  EXPECT_THAT(accepted(with(kChromiumOffer, "a=recvonly", "a=inactive")),
              Not(HasSubstr("m=video")));
  EXPECT_THAT(accepted(with(kChromiumOffer, "a=recvonly", "a=sendrecv")),
              HasSubstr("a=recvonly\r\n"));
  EXPECT_THAT(accepted(with(kChromiumOffer, "a=recvonly\r\n", "")), HasSubstr("a=recvonly\r\n"));
}

// How each section is answered, as letters, and the group of the answer.
std::string plan_of(std::string_view sdp) {
  const auto result = check_offer(sdp);
  if (const auto* error = std::get_if<OfferError>(&result)) return error->message;
  const AnswerPlan& plan = std::get<Offer>(result).answer;
  std::string out;
  for (const AnswerSection& section : plan.sections) {
    using How = AnswerSection::How;
    out += section.how == How::kByWebrtcbin ? 'w' : section.how == How::kInactive ? 'i' : 'r';
  }
  for (const std::string& mid : plan.bundle) out += " " + mid;
  return out;
}

TEST(Offer, GroupsOfOtherKindsDoNotCount) {
  EXPECT_EQ(plan_of(crlf(kLibdatachannelOffer)), "ww video 0");
  EXPECT_EQ(plan_of(with(kLibdatachannelOffer, "a=group:LS video",
                         "a=group:LS video\r\na=group:FID video 0\r\na=group:BUNDLE")),
            "ww video 0");
  EXPECT_EQ(count(accepted(crlf(kLibdatachannelOffer)), "a=group:"), 1u);
}

// RFC 8829, section 5.3: a section that has its own transport may be rejected.
TEST(Offer, WithoutAGroupOnlyTheDataChannelIsAnswered) {
  EXPECT_EQ(plan_of(with(kWebrtcbinOffer, "a=group:BUNDLE application0\r\n", "")), "w");
  EXPECT_EQ(plan_of(crlf(kUnbundledOffer)), "rw");
  EXPECT_EQ(plan_of(with(kUnbundledOffer, "t=0 0", "t=0 0\r\na=group:LS video0 application1")),
            "rw");
  EXPECT_EQ(plan_of(with(kUnbundledOffer, "t=0 0", "t=0 0\r\na=group:BUNDLE video0")), "rw");
  const std::string sdp = accepted(crlf(kUnbundledOffer));
  EXPECT_THAT(sdp, HasSubstr("a=ice-ufrag:d0data\r\n"));
  EXPECT_THAT(sdp, HasSubstr("127.0.0.1 44139 typ host"));
  EXPECT_THAT(sdp, Not(HasSubstr("v0video")));
  EXPECT_THAT(sdp, Not(HasSubstr("44138")));
  EXPECT_TRUE(std::get<Offer>(check_offer(crlf(kUnbundledOffer))).video_formats.empty());
}

TEST(Offer, WithoutAGroupThereNeedBeNoMid) {
  std::string sdp = with(kWebrtcbinOffer, "a=group:BUNDLE application0\r\n", "");
  sdp.erase(sdp.find("a=mid:application0\r\n"), 20);
  EXPECT_EQ(plan_of(sdp), "w");
  EXPECT_THAT(accepted(sdp), HasSubstr("a=group:BUNDLE 0\r\n"));
}

TEST(Offer, CamerasBesideTheUploadAndStoppedSections) {
  EXPECT_EQ(plan_of(crlf(kCameraOffer)), "riwiw 1 2 3 4");
  const auto offer = std::get<Offer>(check_offer(crlf(kCameraOffer)));
  EXPECT_EQ(offer.video_formats, (std::vector<VideoFormat>{{98, "VP9"}}));
  EXPECT_THAT(offer.sdp, HasSubstr("a=group:BUNDLE 2 4\r\n"));
  EXPECT_THAT(offer.sdp, HasSubstr("a=ice-ufrag:tzud\r\n"));
  EXPECT_THAT(offer.sdp, HasSubstr("127.0.0.1 58072 typ host"));
  // The camera's own section will do where no other asks for video.
  EXPECT_EQ(plan_of(with(kCameraOffer, "a=recvonly", "a=sendonly")), "riwwi 1 2 3 4");
  // The first line of a format that is no codec is not what the answer names.
  EXPECT_EQ(offer.answer.sections[3].format, "96");
  EXPECT_EQ(offer.answer.sections[3].codec, "VP8/90000");
}

TEST(Offer, StoppedSectionsMayStandAnywhere) {
  EXPECT_EQ(plan_of(with(kChromiumOffer, "m=video 55410", "m=video 0")), "rw 1");
  std::string outside = with(kChromiumOffer, "m=video 55410", "m=video 0");
  outside.replace(outside.find("BUNDLE 0 1"), 10, "BUNDLE 1");
  EXPECT_EQ(plan_of(outside), "rw 1");
}

TEST(Offer, TheGroupsFirstSectionGivesTheTransport) {
  EXPECT_EQ(plan_of(with(kAiortcOffer, "BUNDLE 0 1", "BUNDLE 1 0")), "ww 1 0");
  const std::string sdp = accepted(with(kAiortcOffer, "BUNDLE 0 1", "BUNDLE 1 0"));
  // In the order of the sections, whatever the offer's is.
  EXPECT_THAT(sdp, HasSubstr("a=group:BUNDLE 0 1\r\n"));
  EXPECT_EQ(count(sdp, "a=ice-ufrag:hcqN\r\n"), 2u);
  EXPECT_THAT(sdp, HasSubstr("192.0.2.2 33280 typ host"));
}

TEST(Offer, SectionsThatThisSideDoesNotKnowAreRejected) {
  for (const auto& [from, to] : std::vector<std::pair<const char*, const char*>>{
           {"m=video", "m=text"},
           {"m=video", "m=message"},
           {"UDP/TLS/RTP/SAVPF", "RTP/AVP"},
           {"a=rtcp-mux\r\n", ""},
           {"SAVPF 96 97 102 103 98 99 45 46 114 115 116", "SAVPF 97"},
           {"m=video 55410 UDP/TLS/RTP/SAVPF 96 97 102 103 98 99 45 46 114 115 116",
            "m=application 9 TCP/BFCP *"},
           {"m=video 55410 UDP/TLS/RTP/SAVPF 96 97 102 103 98 99 45 46 114 115 116",
            "m=application 9 UDP/DTLS/SCTP webrtc-other"},
       }) {
    EXPECT_EQ(plan_of(with(kChromiumOffer, from, to)), "rw 1") << to;
  }
  // Of several data channels' sections the first usable one is taken.
  EXPECT_EQ(plan_of(with(kChromiumOffer, "BUNDLE 0 1", "BUNDLE 0 1 2") +
                    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
                    "a=sctp-port:5000\r\n"),
            "wwr 0 1");
}

TEST(Offer, OnlyUsableCandidatesPass) {
  struct Case {
    const char* candidate;
    bool kept;
  };
  for (const Case& c : std::vector<Case>{
           {"1 1 UDP 2015363327 10.0.0.1 44139 typ host", true},
           {"1 1 udp 2015363327 fe80::1 44139 typ host", true},
           {"1 1 UDP 2015363327 10.0.0.1 44139 typ relay raddr 10.0.0.2 rport 5", true},
           {"1 2 UDP 2015363327 10.0.0.1 44139 typ host", false},
           {"1 1 TCP 2015363327 10.0.0.1 44139 typ host tcptype passive", false},
           {"1 1 UDP 2015363327 10.0.0.1 0 typ host", false},
           {"1 1 UDP 2015363327 10.0.0.1 65536 typ host", false},
           {"1 1 UDP 99999999999 10.0.0.1 5 typ host", false},
           {"1 1 UDP -1 10.0.0.1 5 typ host", false},
           {"1 1 UDP 2015363327 0.0.0.0 5 typ host", false},
           {"1 1 UDP 2015363327 :: 5 typ host", false},
           {"1 1 UDP 2015363327 224.0.0.1 5 typ host", false},
           {"1 1 UDP 2015363327 255.255.255.255 5 typ host", false},
           {"1 1 UDP 2015363327 internal.example 5 typ host", false},
           {"1 1 UDP 2015363327 internal.local 5 typ host", false},
           {"1 1 UDP 2015363327 10.0.0.1 5 typ weird", false},
           {"1 1 UDP 2015363327 10.0.0.1 5", false},
           {"", false},
       }) {
    const std::string sdp =
        with(kWebrtcbinOffer, "1 1 UDP 2015363327 127.0.0.1 44139 typ host", c.candidate);
    EXPECT_EQ(count(accepted(sdp), "a=candidate:"), c.kept ? 1u : 0u) << c.candidate;
  }
}

TEST(Offer, CandidatesAreLimitedInNumber) {
  std::string sdp = crlf(kWebrtcbinOffer);
  for (int i = 0; i < 500; ++i) {
    sdp += "a=candidate:1 1 UDP 2015363327 10.0.0.1 " + std::to_string(1000 + i) + " typ host\r\n";
  }
  EXPECT_EQ(count(accepted(sdp), "a=candidate:"), OfferLimits{}.max_candidates);
}

struct Hostile {
  const char* name;
  std::string_view base;
  const char* from;
  const char* to;
  const char* expected;  // Part of the refusal.
};

class HostileOffer : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileOffer, IsRefusedWithAReason) {
  const Hostile& hostile = GetParam();
  EXPECT_THAT(refusal(with(hostile.base, hostile.from, hostile.to)), HasSubstr(hostile.expected));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileOffer,
    ::testing::Values(
        Hostile{"no_version", kWebrtcbinOffer, "v=0\r\n", "", "begin with v=0"},
        Hostile{"other_version", kWebrtcbinOffer, "v=0", "v=1", "begin with v=0"},
        Hostile{"not_sdp", kWebrtcbinOffer, "s=-", "hello", "not of the form x="},
        Hostile{"control_character", kWebrtcbinOffer, "s=-", "s=\x01", "control character"},
        Hostile{"key_line", kWebrtcbinOffer, "s=-\r\n", "s=-\r\nk=clear:1\r\n", "carries a key"},
        Hostile{"repeated_group", kChromiumOffer, "BUNDLE 0 1", "BUNDLE 0 0", "twice"},
        Hostile{"foreign_group", kChromiumOffer, "BUNDLE 0 1", "BUNDLE 7 8", "is no section"},
        Hostile{"oversized_group", kChromiumOffer, "BUNDLE 0 1", "BUNDLE 0 1 2", "is no section"},
        Hostile{"two_bundles", kChromiumOffer, "a=group:BUNDLE 0 1\r\n",
                "a=group:BUNDLE 0 1\r\na=group:BUNDLE 1\r\n", "two BUNDLE groups"},
        Hostile{"silent_group", kChromiumOffer, "a=group:BUNDLE 0 1", "a=group:", "says nothing"},
        Hostile{"odd_media", kChromiumOffer, "m=video", "m=vi<deo", "unusable m= line"},
        Hostile{"odd_media_proto", kChromiumOffer, "UDP/TLS", "UDP\\TLS", "unusable m= line"},
        Hostile{"same_mid", kChromiumOffer, "a=mid:1", "a=mid:0", "twice"},
        Hostile{"no_mid", kChromiumOffer, "a=mid:0\r\n", "", "is no section"},
        Hostile{"empty_mid", kChromiumOffer, "a=mid:0", "a=mid:", "unusable mid"},
        Hostile{"valueless_mid", kChromiumOffer, "a=mid:0", "a=mid", "unusable mid"},
        Hostile{"odd_mid", kChromiumOffer, "a=mid:0", "a=mid:a b", "unusable mid"},
        Hostile{"huge_mid", kChromiumOffer, "a=mid:0", "a=mid:000000000000000000000000000000000000",
                "unusable mid"},
        Hostile{"two_mids", kChromiumOffer, "a=mid:0", "a=mid:0\r\na=mid:9", "more than one a=mid"},
        Hostile{"rejected_data", kChromiumOffer, "m=application 9", "m=application 0",
                "rejected section"},
        Hostile{"several_ports", kChromiumOffer, "m=video 55410", "m=video 55410/3",
                "several ports"},
        Hostile{"no_data", kChromiumOffer, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000",
                "no m=application"},
        Hostile{"odd_proto", kChromiumOffer, "UDP/DTLS/SCTP", "TCP/DTLS/SCTP",
                "not a WebRTC data channel"},
        Hostile{"odd_format", kChromiumOffer, "webrtc-datachannel", "webrtc-other",
                "not a WebRTC data channel"},
        Hostile{"two_formats", kChromiumOffer, "webrtc-datachannel", "webrtc-datachannel 5000",
                "exactly one format"},
        Hostile{"no_format", kChromiumOffer, "SCTP webrtc-datachannel", "SCTP",
                "m=application section"},
        Hostile{"no_sctp_port", kChromiumOffer, "a=sctp-port:5000\r\n", "", "without a=sctp-port"},
        Hostile{"odd_sctp_port", kChromiumOffer, "a=sctp-port:5000", "a=sctp-port:5001",
                "only 5000"},
        Hostile{"negative_sctp_port", kChromiumOffer, "a=sctp-port:5000", "a=sctp-port:-1",
                "only 5000"},
        Hostile{"two_sctp_ports", kChromiumOffer, "a=sctp-port:5000",
                "a=sctp-port:5000\r\na=sctp-port:5000", "more than one a=sctp-port"},
        Hostile{"no_sctpmap", kAiortcOffer, "a=sctpmap:5000 webrtc-datachannel 65535\r\n", "",
                "without a=sctpmap"},
        Hostile{"other_sctpmap", kAiortcOffer, "a=sctpmap:5000 webrtc", "a=sctpmap:5001 webrtc",
                "does not describe"},
        Hostile{"odd_sctpmap", kAiortcOffer, "webrtc-datachannel 65535", "other 65535",
                "does not describe"},
        Hostile{"odd_message_size", kChromiumOffer, "a=max-message-size:262144",
                "a=max-message-size:-5", "not a number"},
        Hostile{"text_message_size", kChromiumOffer, "a=max-message-size:262144",
                "a=max-message-size:lots", "not a number"},
        Hostile{"two_directions", kChromiumOffer, "a=recvonly", "a=recvonly\r\na=sendonly",
                "several directions"},
        Hostile{"odd_payload_type", kChromiumOffer, "SAVPF 96", "SAVPF 128", "payload type"},
        Hostile{"text_payload_type", kChromiumOffer, "SAVPF 96", "SAVPF vp8", "payload type"},
        Hostile{"same_payload_type", kChromiumOffer, "SAVPF 96 97", "SAVPF 96 96", "payload type"},
        Hostile{"no_ufrag", kWebrtcbinOffer, "a=ice-ufrag:0nd5YXJcJZ7YyN0hWPN7yLvQoEJrGQmV\r\n", "",
                "no a=ice-ufrag"},
        Hostile{"short_ufrag", kAiortcOffer, "a=ice-ufrag:gFg7", "a=ice-ufrag:gFg", "ice-ufrag"},
        Hostile{"odd_ufrag", kAiortcOffer, "a=ice-ufrag:gFg7", "a=ice-ufrag:g g7", "ice-ufrag"},
        Hostile{"two_ufrags", kAiortcOffer, "a=ice-ufrag:gFg7",
                "a=ice-ufrag:gFg7\r\na=ice-ufrag:gFg7", "more than one a=ice-ufrag"},
        Hostile{"no_password", kWebrtcbinOffer, "a=ice-pwd:7vKVVzGqEK2yBDKhQmRqJZ9tX6iLrDXW\r\n",
                "", "no a=ice-pwd"},
        Hostile{"short_password", kWebrtcbinOffer, "7vKVVzGqEK2yBDKhQmRqJZ9tX6iLrDXW", "short",
                "22 to 256"},
        Hostile{"two_passwords", kAiortcOffer, "a=ice-pwd:O8NkGdXhb1AbgbC3u6KgdU",
                "a=ice-pwd:O8NkGdXhb1AbgbC3u6KgdU\r\na=ice-pwd:O8NkGdXhb1AbgbC3u6KgdU",
                "more than one a=ice-pwd"},
        Hostile{"no_setup", kWebrtcbinOffer, "a=setup:actpass\r\n", "", "no a=setup"},
        Hostile{"holdconn", kWebrtcbinOffer, "a=setup:actpass", "a=setup:holdconn", "a=setup"},
        Hostile{"odd_setup", kWebrtcbinOffer, "a=setup:actpass", "a=setup:", "a=setup"},
        Hostile{"two_setups", kWebrtcbinOffer, "a=setup:actpass",
                "a=setup:active\r\na=setup:passive", "more than one a=setup"},
        Hostile{"odd_hash", kWebrtcbinOffer, "sha-256", "sha-257", "unusable a=fingerprint"},
        Hostile{"md5", kWebrtcbinOffer, "sha-256", "md5", "unusable a=fingerprint"},
        Hostile{"short_fingerprint", kWebrtcbinOffer, "0B:98:", "0B:", "unusable a=fingerprint"},
        Hostile{"odd_fingerprint", kWebrtcbinOffer, "0B:98:", "0G:98:", "unusable a=fingerprint"},
        Hostile{"two_fingerprints", kWebrtcbinOffer, "a=candidate:1 1 UDP",
                "a=fingerprint:sha-256 "
                "0C:98:6A:E1:C3:74:52:2F:18:BD:99:03:AE:44:7C:10:63:5E:F7:82:21:D0:9B:3C:65:4F:E8:"
                "17:BA:06:DC:71\r\na=candidate:1 1 UDP",
                "two different SHA-256"}),
    [](const auto& param) { return param.param.name; });

TEST(Offer, SizeLimits) {
  EXPECT_THAT(refusal(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal("\r\n\r\n"), HasSubstr("is empty"));
  EXPECT_THAT(refusal(std::string(100, '\0')), HasSubstr("not of the form"));
  EXPECT_THAT(refusal(crlf(kWebrtcbinOffer) + std::string(140000, 'a')), HasSubstr("bytes, more"));
  std::string many = crlf(kWebrtcbinOffer);
  for (int i = 0; i < 2000; ++i) many += "a=x\r\n";
  EXPECT_THAT(refusal(many), HasSubstr("lines allowed"));
  EXPECT_THAT(refusal(crlf(kWebrtcbinOffer) + "a=" + std::string(2047, 'x') + "\r\n"),
              HasSubstr("longer than 2048"));
  accepted(crlf(kWebrtcbinOffer) + "a=" + std::string(2046, 'x') + "\r\n");
  EXPECT_THAT(refusal(with(kWebrtcbinOffer, "a=mid:application0", "a=mid:a\0b")),
              HasSubstr("is no section"));
  std::string sections = crlf(kWebrtcbinOffer);
  const OfferLimits limits;
  for (std::size_t i = 1; i < limits.max_sections; ++i) sections += "m=text 0 RTP/AVP 0\r\n";
  accepted(sections);
  EXPECT_THAT(refusal(sections + "m=text 0 RTP/AVP 0\r\n"), HasSubstr("33 media sections"));
}

// Whatever is cut off: it is either refused, or what is let through is whole.
TEST(Offer, TruncatedAtEveryByte) {
  for (const auto base : kEveryOffer) {
    const std::string whole = crlf(base);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto result = check_offer(std::string_view(whole).substr(0, size));
      if (const auto* offer = std::get_if<Offer>(&result)) {
        EXPECT_EQ(accepted(offer->sdp), offer->sdp);
        EXPECT_THAT(offer->sdp, HasSubstr("a=sctp-port:5000"));
      } else {
        EXPECT_FALSE(std::get<OfferError>(result).message.empty());
      }
    }
  }
}

// Each line missing, twice, in another place, and with a huge value.
TEST(Offer, EveryLineMangled) {
  for (const auto base : kEveryOffer) {
    const auto lines = lines_of(crlf(base));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::vector<std::vector<std::string>> mangled(4, lines);
      mangled[0].erase(mangled[0].begin() + static_cast<std::ptrdiff_t>(i));
      mangled[1].insert(mangled[1].begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
      std::swap(mangled[2][i], mangled[2][(i + 7) % lines.size()]);
      mangled[3][i] = lines[i].substr(0, lines[i].size() - 2) + std::string(1500, '7') + "\r\n";
      for (const auto& offer : mangled) {
        const auto result = check_offer(join(offer));
        if (const auto* ok = std::get_if<Offer>(&result)) {
          EXPECT_EQ(accepted(ok->sdp), ok->sdp) << join(offer);
        }
      }
    }
  }
}

TEST(Offer, EveryByteReplaced) {
  const std::string whole = crlf(kAiortcOffer);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'\0', '\n', ' ', ':', '9', '\xff'}) {
      std::string changed = whole;
      changed[i] = c;
      const auto result = check_offer(changed);
      if (const auto* ok = std::get_if<Offer>(&result)) {
        EXPECT_EQ(accepted(ok->sdp), ok->sdp);
      }
    }
  }
}

// What a refusal quotes is harmless in a terminal and short.
TEST(Offer, RefusalsQuoteSafely) {
  const std::string message =
      refusal(with(kChromiumOffer, "a=mid:0", "a=mid:\xc2\x9b" + std::string(500, 'y')));
  EXPECT_LT(message.size(), 150u);
  EXPECT_THAT(message, Not(HasSubstr("\xc2")));
}

}  // namespace
}  // namespace webrtcupload
