// SPDX-License-Identifier: LGPL-2.1-or-later

#include "line_mutator.h"

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace webrtcupload::fuzz {
namespace {

constexpr std::string_view kLines[] = {
    "v=0",
    "s=-",
    "t=0 0",
    "c=IN IP6 ::1",
    "a=group:BUNDLE 0 1",
    "a=group:BUNDLE",
    "a=group:LS 0",
    "a=ice-lite",
    "a=ice-options:trickle ice2",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789abcdefghijkl",
    "a=setup:active",
    "a=setup:passive",
    "a=setup:holdconn",
    "a=mid:0",
    "a=mid:",
    "a=bundle-only",
    "a=inactive",
    "a=sendonly",
    "a=rtcp-mux",
    "a=rtcp-mux-only",
    "a=rtpmap:96 VP8/90000",
    "a=rtpmap:97 H264/90000",
    "a=fmtp:97 packetization-mode=1",
    "a=rtcp-fb:* nack",
    "a=sctp-port:5000",
    "a=sctpmap:5000 webrtc-datachannel 1024",
    "a=max-message-size:0",
    "a=max-message-size:100000",
    "a=candidate:1 1 udp 1 127.0.0.1 9 typ host",
    "a=candidate:1 1 tcp 1 ::1 9 typ host tcptype active",
    "a=candidate:1 2 UDP 4294967295 name.local 65535 typ relay raddr 0.0.0.0 rport 0",
    "a=end-of-candidates",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    "m=application 9 DTLS/SCTP 5000",
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    "m=audio 0 UDP/TLS/RTP/SAVPF 111",
    "m=text 9 TCP/MSRP *",
};

constexpr std::string_view kWords[] = {
    "",           "0",          "-1",
    "1",          "65535",      "65536",
    "4294967295", "4294967296", "18446744073709551616",
    " ",          "/",          ":",
    "a",          "BUNDLE",     "udp",
    "TCP",        "::",         "255.255.255.255",
    "96",         "VP8/1",      "host",
    "sha-1 ",     "%n",         "\xff",
    "\xc3\xa4",
};

std::size_t below(std::size_t bound, std::mt19937& random) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

template <typename List>
std::string pick(const List& list, std::mt19937& random) {
  return std::string(list[below(std::size(list), random)]);
}

bool is_separator(char c) { return c == ' ' || c == ':' || c == '=' || c == '/' || c == ';'; }

// Where words begin and end in a line.
std::vector<std::pair<std::size_t, std::size_t>> words_of(std::string_view line) {
  std::vector<std::pair<std::size_t, std::size_t>> words;
  std::size_t start = 0;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    if (at < line.size() && !is_separator(line[at])) continue;
    words.emplace_back(start, at - start);
    start = at + 1;
  }
  return words;
}

void change(std::vector<std::string>& lines, std::mt19937& random) {
  if (lines.empty()) lines.push_back(pick(kLines, random));
  const std::size_t at = below(lines.size(), random);
  const auto place = lines.begin() + static_cast<std::ptrdiff_t>(at);
  switch (below(8, random)) {
    case 0:
      lines.erase(place);
      break;
    case 1: {
      const std::string line = *place;
      lines.insert(place, line);
      break;
    }
    case 2:
      std::swap(lines[at], lines[below(lines.size(), random)]);
      break;
    case 3:
      lines.insert(place, pick(kLines, random));
      break;
    case 4: {
      // What stands behind the name in one line comes behind that of another.
      const std::string& other = lines[below(lines.size(), random)];
      const std::size_t name = place->find(':');
      const std::size_t value = other.find(':');
      if (name != std::string::npos && value != std::string::npos) {
        *place = place->substr(0, name) + other.substr(value);
      }
      break;
    }
    case 5: {
      // A section, from its m= line to its end, once more.
      std::vector<std::string> section;
      for (std::size_t line = at; line < lines.size(); ++line) {
        if (line != at && lines[line].starts_with("m=")) break;
        section.push_back(lines[line]);
      }
      lines.insert(lines.end(), section.begin(), section.end());
      break;
    }
    default: {
      const auto words = words_of(*place);
      const auto [start, length] = words[below(words.size(), random)];
      place->replace(start, length, pick(kWords, random));
    }
  }
}

}  // namespace

std::string mutate_lines(std::string_view input, std::mt19937& random) {
  // Longer ones are refused by their length, which is soon tried.
  constexpr std::size_t kMostLines = 2100;
  std::vector<std::string> lines;
  while (!input.empty()) {
    const std::size_t end = input.find("\r\n");
    lines.emplace_back(input.substr(0, end));
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 2);
  }
  for (std::size_t changes = 1 + below(4, random); changes > 0; --changes) change(lines, random);
  if (lines.size() > kMostLines) lines.resize(kMostLines);
  std::string out;
  for (const std::string& line : lines) out += line + "\r\n";
  return out;
}

}  // namespace webrtcupload::fuzz
