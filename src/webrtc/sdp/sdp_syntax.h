// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The grammar of the parts of SDP that a stranger's offer is made of. A value that fits its rule
// may be written into another session description.

#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webrtcupload::sdp {

// The parts between separators; empty parts are left out.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

template <typename Integer>
[[nodiscard]] std::optional<Integer> to_integer(std::string_view text, Integer lowest,
                                                Integer highest) {
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < lowest || value > highest) return std::nullopt;
  return value;
}

// Text from the peer as it may appear in a message: short, and printable.
[[nodiscard]] std::string quoted(std::string_view text);

[[nodiscard]] bool is_printable(std::string_view text);  // Or not ASCII.
[[nodiscard]] bool is_mid(std::string_view text);
[[nodiscard]] bool is_digits(std::string_view text);
// RFC 8839's ice-char.
[[nodiscard]] bool is_ice_text(std::string_view text, std::size_t shortest);
// A media type or a format of an m= line (RFC 8866's token).
[[nodiscard]] bool is_token(std::string_view text);
// The protocol of an m= line: tokens with "/" between them.
[[nodiscard]] bool is_protocol(std::string_view text);
// What follows "a=rtpmap:96 ", of a codec. Retransmission and redundancy are none.
[[nodiscard]] bool is_codec(std::string_view text);
// What follows "a=fmtp:96 ".
[[nodiscard]] bool is_fmtp(std::string_view text);

// The hash function of an a=fingerprint value that has the form this function demands.
[[nodiscard]] std::optional<std::string_view> fingerprint_algorithm(std::string_view value);

// The a=candidate value rewritten from its checked parts, or nothing if it is of no use here: TCP
// ones would make the server connect to addresses of a stranger's choice.
[[nodiscard]] std::optional<std::string> rewrite_candidate(std::string_view value);

}  // namespace webrtcupload::sdp
