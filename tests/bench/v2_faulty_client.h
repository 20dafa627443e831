// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client of wire format v2 for v2_faults.cpp: hands out pieces of random sizes in a random order
// over one to three connections that come and go, and does one thing on the way that clients should
// not, or that happens to them.

#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "support/peer_pair.h"
#include "support/udp_relay.h"

namespace webrtcupload::test {

enum class Act {
  kNone,
  kLoseOne,  // One connection, and a new one takes its place.
  kLoseAll,  // All at once.
  kVanish,   // The same without a word to the server.
  kLeave,    // For good.
  kCancel,
  kWrongSum,    // A block with a wrong checksum.
  kOtherBytes,  // Of what has been sent already.
  kSameAgain,
  kBeyond,  // The file's end.
  kSecondHello,
  kOtherEnd,  // Than the hello said.
  kNoJson,
  kShortBinary,
};

struct Plan {
  const char* fault = "";
  Bytes file;
  int connections = 1;
  std::optional<UdpRelay::Options> network;
  Act act = Act::kNone;
  // When so many bytes have been sent.
  std::uint64_t at = 0;
  bool wrong_hash = false;
  bool says_size = true;
  // How it may end: "done", or a code of docs/protocol.md. "" stands for an end that the client is
  // not there to hear.
  std::set<std::string> ends;
};

// What upload `number` of the run with this seed does.
[[nodiscard]] Plan plan_of(std::uint32_t seed, int number);

struct FaultyEnd {
  // What the server said, "done" or a code; "" when the client has left.
  std::string end;
  // What is wrong with the client's own doings, or with the server's.
  std::string problem;
};
[[nodiscard]] FaultyEnd upload_with_faults(const Plan& plan, int port, std::uint32_t seed);

}  // namespace webrtcupload::test
