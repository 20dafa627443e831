// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/api_keys.h"

#include <glib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

// Of a line; clients' keys have some tens of characters.
constexpr std::size_t kMaxKey = 4096;

std::string check_key(std::string_view key) {
  if (key.empty()) return "is empty";
  if (key.size() > kMaxKey) return "is longer than " + std::to_string(kMaxKey) + " bytes";
  const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (!std::all_of(key.begin(), key.end(), printable)) {
    return "has characters that no HTTP header can carry: only printable ASCII without spaces";
  }
  return "";
}

}  // namespace

KeyHash hash_key(std::string_view key) {
  const std::unique_ptr<GChecksum, FunctionDeleter<g_checksum_free>> checksum(
      g_checksum_new(G_CHECKSUM_SHA256));
  g_checksum_update(checksum.get(), reinterpret_cast<const guchar*>(key.data()),
                    static_cast<gssize>(key.size()));
  KeyHash hash{};
  gsize size = hash.size();
  g_checksum_get_digest(checksum.get(), hash.data(), &size);
  return hash;
}

bool same_hash(const KeyHash& a, const KeyHash& b) {
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

std::string key_id(std::string_view key) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const KeyHash hash = hash_key(key);
  std::string id;
  for (std::size_t i = 0; i < 8; ++i) {
    id += kDigits[hash[i] >> 4];
    id += kDigits[hash[i] & 15];
  }
  return id;
}

std::string ApiKeys::add(std::string_view key) {
  if (const std::string problem = check_key(key); !problem.empty()) return "the key " + problem;
  added_.push_back(hash_key(key));
  return "";
}

std::string ApiKeys::read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return path + ": " + std::strerror(errno);
  std::vector<KeyHash> keys;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const std::size_t end = line.find_last_not_of(" \t\r");
    const std::string_view key = std::string_view(line).substr(begin, end - begin + 1);
    if (const std::string problem = check_key(key); !problem.empty()) {
      return path + ", line " + std::to_string(number) + ": the key " + problem;
    }
    keys.push_back(hash_key(key));
  }
  if (file.bad()) return path + ": " + std::strerror(errno);
  if (keys.empty()) return path + " holds no key";
  from_file_ = std::move(keys);
  return "";
}

bool ApiKeys::contain(std::string_view key) const {
  const KeyHash hash = hash_key(key);
  unsigned found = 0;
  for (const auto* list : {&added_, &from_file_}) {
    for (const KeyHash& each : *list) found |= same_hash(hash, each) ? 1u : 0u;
  }
  return found != 0;
}

std::optional<HttpError> ApiKeys::check(const std::optional<std::string>& key) const {
  if (empty()) return std::nullopt;
  if (!key || key->empty()) {
    return HttpError{401, "Unauthorized", "A key is needed: \"Authorization: Bearer KEY\".", {}};
  }
  if (!contain(*key)) {
    return HttpError{401, "Unauthorized", "The key is not accepted.", {}};
  }
  return std::nullopt;
}

}  // namespace webrtcupload
