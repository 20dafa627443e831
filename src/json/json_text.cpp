// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/json_text.h"

#include <charconv>
#include <system_error>

namespace webrtcupload {
namespace {

// Each function takes what it is called after from the front of the text, or returns false.
class Checker {
 public:
  enum class Surrogates { kAny, kInPairs };
  Checker(std::string_view text, std::size_t max_depth, Surrogates surrogates)
      : text_(text), depth_left_(max_depth), surrogates_(surrogates) {}

  bool whole() { return value() && (skip_space(), text_.empty()); }
  [[nodiscard]] std::size_t left() const { return text_.size(); }

 private:
  bool value() {
    skip_space();
    if (text_.empty()) return false;
    switch (text_.front()) {
      case '{':
        return nested('}', [this] { return string() && (skip_space(), take(':')) && value(); });
      case '[':
        return nested(']', [this] { return value(); });
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  template <typename Item>
  bool nested(char end, const Item& item) {
    if (depth_left_ == 0) return false;
    --depth_left_;
    text_.remove_prefix(1);
    skip_space();
    if (!take(end)) {
      do {
        skip_space();
        if (!item()) return false;
        skip_space();
      } while (take(','));
      if (!take(end)) return false;
    }
    ++depth_left_;
    return true;
  }

  bool string() {
    if (!take('"')) return false;
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !escape()) return false;
    }
    return false;
  }

  bool escape() {
    if (text_.empty()) return false;
    const char c = text_.front();
    text_.remove_prefix(1);
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    unsigned unit = 0;
    if (!code_unit(unit)) return false;
    if (surrogates_ == Surrogates::kAny || unit < 0xd800 || unit > 0xdfff) return true;
    unsigned second = 0;
    return unit < 0xdc00 && word("\\u") && code_unit(second) && second >= 0xdc00 &&
           second <= 0xdfff;
  }

  bool code_unit(unsigned& unit) {
    if (text_.size() < 4) return false;
    const std::string_view digits = text_.substr(0, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + 4, unit, 16);
    if (error != std::errc() || end != digits.data() + 4) return false;
    text_.remove_prefix(4);
    return true;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool digits() {
    if (text_.empty() || !is_digit(text_.front())) return false;
    while (!text_.empty() && is_digit(text_.front())) text_.remove_prefix(1);
    return true;
  }

  bool word(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }

  bool take(char expected) {
    if (text_.empty() || text_.front() != expected) return false;
    text_.remove_prefix(1);
    return true;
  }

  void skip_space() {
    const std::size_t begin = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(begin == std::string_view::npos ? text_.size() : begin);
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view text_;
  std::size_t depth_left_;
  const Surrogates surrogates_;
};

}  // namespace

bool is_json_value(std::string_view text, std::size_t max_depth) {
  return Checker(text, max_depth, Checker::Surrogates::kAny).whole();
}

std::optional<std::size_t> find_json_fault(std::string_view text, std::size_t max_depth) {
  Checker checker(text, max_depth, Checker::Surrogates::kInPairs);
  if (checker.whole()) return std::nullopt;
  return text.size() - checker.left();
}

}  // namespace webrtcupload
