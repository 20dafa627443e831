// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The keys that clients of a server may present. Only their SHA-256 is kept, and two
// keys are compared by it, in a time that says nothing about either.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signalling/http_error.h"

namespace webrtcupload {

using KeyHash = std::array<std::uint8_t, 32>;
[[nodiscard]] KeyHash hash_key(std::string_view key);
[[nodiscard]] bool same_hash(const KeyHash& a, const KeyHash& b);
// Names a key without telling it: the first 16 hexadecimal digits of its SHA-256.
[[nodiscard]] std::string key_id(std::string_view key);

class ApiKeys {
 public:
  // Each gives an empty string, or what is wrong.
  [[nodiscard]] std::string add(std::string_view key);
  // One key a line; empty lines and those that begin with # are skipped. Replaces what was read
  // before; if something is wrong with the file, that stays.
  [[nodiscard]] std::string read_file(const std::string& path);

  [[nodiscard]] bool empty() const { return added_.empty() && from_file_.empty(); }
  // Looks at every key, whichever it is.
  [[nodiscard]] bool contain(std::string_view key) const;
  // A 401 unless `key` is one of them, or there are none.
  [[nodiscard]] std::optional<HttpError> check(const std::optional<std::string>& key) const;

 private:
  std::vector<KeyHash> added_;
  std::vector<KeyHash> from_file_;
};

}  // namespace webrtcupload
