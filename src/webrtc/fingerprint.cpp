// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/fingerprint.h"

#include <glib.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace webrtcupload {
namespace {

std::vector<guchar> decode_pem(std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  const std::size_t begin = pem.find(kBegin);
  const std::size_t end = pem.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  const std::string base64(pem.substr(begin + kBegin.size(), end - begin - kBegin.size()));
  gsize size = 0;
  guchar* bytes = g_base64_decode(base64.c_str(), &size);
  std::vector<guchar> der(bytes, bytes + size);
  g_free(bytes);
  return der;
}

}  // namespace

std::string fingerprint_in(const std::string& sdp) {
  constexpr std::string_view kKey = "\na=fingerprint:";
  const std::size_t at = sdp.find(kKey);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + kKey.size();
  return sdp.substr(begin, sdp.find_first_of("\r\n", begin) - begin);
}

bool matches_fingerprint(const std::string& certificate, const std::string& fingerprint) {
  static constexpr std::array<std::pair<const char*, GChecksumType>, 4> kAlgorithms = {
      {{"sha-256", G_CHECKSUM_SHA256},
       {"sha-384", G_CHECKSUM_SHA384},
       {"sha-512", G_CHECKSUM_SHA512},
       {"sha-1", G_CHECKSUM_SHA1}}};
  const std::vector<guchar> der = decode_pem(certificate);
  const std::size_t space = fingerprint.find(' ');
  if (der.empty() || space == std::string::npos) return false;
  const std::string algorithm = fingerprint.substr(0, space);
  std::string announced;
  for (const char c : fingerprint.substr(space + 1)) {
    if (c != ':') announced += g_ascii_tolower(c);
  }
  for (const auto& [name, type] : kAlgorithms) {
    if (g_ascii_strcasecmp(algorithm.c_str(), name) != 0) continue;
    char* shown = g_compute_checksum_for_data(type, der.data(), der.size());
    const bool same = announced == shown;
    g_free(shown);
    return same;
  }
  return false;
}

}  // namespace webrtcupload
