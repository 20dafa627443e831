// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Offers as real clients make them, for the tests of what becomes of offers.

#pragma once

#include <array>
#include <string>
#include <string_view>

namespace webrtcupload {

// Line ends as SDP wants them.
inline std::string crlf(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') out += '\r';
    out += c;
  }
  return out;
}

// A browser that asks for video it never gets, and a data channel.
inline constexpr std::string_view kChromiumOffer = R"(v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=video 55410 UDP/TLS/RTP/SAVPF 96 97 102 103 98 99 45 46 114 115 116
c=IN IP4 127.0.0.1
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1117314843 1 udp 2122194687 127.0.0.1 55410 typ host generation 0 network-id 1
a=candidate:2059214843 1 udp 2122260223 0b5bd2d2-3a8f-4d3b-9f3e-6b1b7f1b0a55.local 40511 typ host generation 0 network-id 2
a=candidate:1395322 1 udp 1685987071 198.51.100.7 40511 typ srflx raddr 0.0.0.0 rport 0 generation 0
a=candidate:1876313031 1 tcp 1518214911 127.0.0.1 9 typ host tcptype active generation 0 network-id 1
a=ice-ufrag:Qv3r
a=ice-pwd:lDzVhTpKcFnYV5EHVSS3bZ6n
a=ice-options:trickle
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:toffset
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=recvonly
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=0
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=rtpmap:45 AV1/90000
a=fmtp:45 level-idx=5;profile=0;tier=0
a=rtpmap:46 rtx/90000
a=fmtp:46 apt=45
a=rtpmap:114 red/90000
a=rtpmap:115 rtx/90000
a=fmtp:115 apt=114
a=rtpmap:116 ulpfec/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Qv3r
a=ice-pwd:lDzVhTpKcFnYV5EHVSS3bZ6n
a=ice-options:trickle
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
)";

// aiortc 1.4: credentials of their own per section, and the early draft's form of the data section.
inline constexpr std::string_view kAiortcOffer = R"(v=0
o=- 4004353689 4004353689 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
m=video 36170 UDP/TLS/RTP/SAVPF 97 98 99 100
c=IN IP4 192.0.2.2
a=recvonly
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=mid:0
a=msid:f712698e-c6ac-4099-b861-587b671df62f 048c7378-c075-4b70-a77f-ad62a4dffa02
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-mux
a=ssrc-group:FID 3603815466 1380621798
a=ssrc:3603815466 cname:44570640-6bc3-4bb6-9510-7eb041a6a5d2
a=ssrc:1380621798 cname:44570640-6bc3-4bb6-9510-7eb041a6a5d2
a=rtpmap:97 VP8/90000
a=rtcp-fb:97 nack
a=rtcp-fb:97 nack pli
a=rtcp-fb:97 goog-remb
a=rtpmap:98 rtx/90000
a=fmtp:98 apt=97
a=rtpmap:99 H264/90000
a=rtcp-fb:99 nack
a=fmtp:99 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:100 rtx/90000
a=fmtp:100 apt=99
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 36170 typ host
a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 50901 typ host
a=end-of-candidates
a=ice-ufrag:gFg7
a=ice-pwd:O8NkGdXhb1AbgbC3u6KgdU
a=fingerprint:sha-256 25:62:8B:2E:6D:64:C8:25:86:32:B0:A5:E4:D7:CE:06:58:EE:5E:D8:AA:A0:C3:CB:46:07:D0:14:66:88:DD:22
a=setup:actpass
m=application 33280 DTLS/SCTP 5000
c=IN IP4 192.0.2.2
a=mid:1
a=sctpmap:5000 webrtc-datachannel 65535
a=max-message-size:65536
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 33280 typ host
a=end-of-candidates
a=ice-ufrag:hcqN
a=ice-pwd:vcYTiFSRkWMymU1ttGldKI
a=fingerprint:sha-256 25:62:8B:2E:6D:64:C8:25:86:32:B0:A5:E4:D7:CE:06:58:EE:5E:D8:AA:A0:C3:CB:46:07:D0:14:66:88:DD:22
a=setup:actpass
)";

// webrtcbin 1.22 with data channels only.
inline constexpr std::string_view kWebrtcbinOffer = R"(v=0
o=- 7466120911467297126 0 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-options:trickle
a=group:BUNDLE application0
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 127.0.0.1
a=setup:actpass
a=ice-ufrag:0nd5YXJcJZ7YyN0hWPN7yLvQoEJrGQmV
a=ice-pwd:7vKVVzGqEK2yBDKhQmRqJZ9tX6iLrDXW
a=mid:application0
a=sctp-port:5000
a=fingerprint:sha-256 0B:98:6A:E1:C3:74:52:2F:18:BD:99:03:AE:44:7C:10:63:5E:F7:82:21:D0:9B:3C:65:4F:E8:17:BA:06:DC:71
a=candidate:1 1 UDP 2015363327 127.0.0.1 44139 typ host
)";

// libdatachannel 0.24 with a video section: a second group, for lip sync.
inline constexpr std::string_view kLibdatachannelOffer = R"(v=0
o=rtc 504921288 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE video 0
a=group:LS video
a=msid-semantic:WMS *
a=ice-options:ice2,trickle
a=fingerprint:sha-256 C8:B7:55:F7:4D:53:03:BF:1A:70:8D:5A:B2:6D:4A:F0:E8:6C:01:55:55:E5:29:C2:25:BA:79:5E:3F:D2:B5:E3
m=video 40600 UDP/TLS/RTP/SAVPF 96
c=IN IP4 192.0.2.2
a=mid:video
a=recvonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
a=setup:actpass
a=ice-ufrag:fkHF
a=ice-pwd:t6fB/A09xoFXwGeHoBFENy
a=candidate:2 1 UDP 2116026111 fd00::2 40600 typ host
a=candidate:1 1 UDP 2114977791 192.0.2.2 40600 typ host
a=end-of-candidates
m=application 40600 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:262144
a=setup:actpass
a=ice-ufrag:fkHF
a=ice-pwd:t6fB/A09xoFXwGeHoBFENy
)";

// webrtcbin as it offers by default, with video beside the data channel: every section has its own
// transport, and there is no group.
inline constexpr std::string_view kUnbundledOffer = R"(v=0
o=- 2203437829206386470 0 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-options:trickle
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=setup:actpass
a=ice-ufrag:v0video
a=ice-pwd:videovideovideovideovideo00
a=rtcp-mux
a=rtcp-rsize
a=recvonly
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=mid:video0
a=fingerprint:sha-256 0B:98:6A:E1:C3:74:52:2F:18:BD:99:03:AE:44:7C:10:63:5E:F7:82:21:D0:9B:3C:65:4F:E8:17:BA:06:DC:71
a=candidate:1 1 UDP 2015363327 127.0.0.1 44138 typ host
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=setup:actpass
a=ice-ufrag:d0data
a=ice-pwd:datadatadatadatadatadata00
a=mid:application1
a=sctp-port:5000
a=fingerprint:sha-256 0B:98:6A:E1:C3:74:52:2F:18:BD:99:03:AE:44:7C:10:63:5E:F7:82:21:D0:9B:3C:65:4F:E8:17:BA:06:DC:71
a=candidate:1 1 UDP 2015363327 127.0.0.1 44139 typ host
)";

// A browser with a microphone and a camera, the upload between them, and video that it would like
// to have. Its first video section is one that it has stopped.
inline constexpr std::string_view kCameraOffer = R"(v=0
o=- 6160432421131501860 3 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 1 2 3 4
a=msid-semantic: WMS
m=video 0 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 127.0.0.1
a=mid:0
a=inactive
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
m=audio 58072 UDP/TLS/RTP/SAVPF 111 63 0
c=IN IP4 127.0.0.1
a=candidate:1117314843 1 udp 2122194687 127.0.0.1 58072 typ host generation 0 network-id 1
a=ice-ufrag:tzud
a=ice-pwd:7mItRvxwyJA2XJoe6n1A0X0j
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:1
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:0 PCMU/8000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:tzud
a=ice-pwd:7mItRvxwyJA2XJoe6n1A0X0j
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
m=video 9 UDP/TLS/RTP/SAVPF 97 96
c=IN IP4 0.0.0.0
a=ice-ufrag:tzud
a=ice-pwd:7mItRvxwyJA2XJoe6n1A0X0j
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:3
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
m=video 9 UDP/TLS/RTP/SAVPF 98
c=IN IP4 0.0.0.0
a=ice-ufrag:tzud
a=ice-pwd:7mItRvxwyJA2XJoe6n1A0X0j
a=fingerprint:sha-256 5C:2F:7A:0E:44:8D:3B:91:AA:10:5E:7C:66:21:F3:B0:8E:19:D4:5B:22:C7:73:0A:96:EF:31:84:DD:4C:B8:67
a=setup:actpass
a=mid:4
a=recvonly
a=rtcp-mux
a=rtpmap:98 VP9/90000
)";

inline constexpr std::array kEveryOffer = {kChromiumOffer,       kAiortcOffer,    kWebrtcbinOffer,
                                           kLibdatachannelOffer, kUnbundledOffer, kCameraOffer};

}  // namespace webrtcupload
