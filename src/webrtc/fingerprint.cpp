// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/fingerprint.h"

#include <glib.h>

#include <algorithm>
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

std::vector<std::string> fingerprints_in(const std::string& sdp) {
  constexpr std::string_view kKey = "\na=fingerprint:";
  std::vector<std::string> found;
  std::size_t at = 0;
  while ((at = sdp.find(kKey, at)) != std::string::npos) {
    at += kKey.size();
    std::string value = sdp.substr(at, sdp.find_first_of("\r\n", at) - at);
    if (std::ranges::find(found, value) == found.end()) found.push_back(std::move(value));
  }
  return found;
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
