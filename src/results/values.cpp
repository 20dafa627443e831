// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/values.h"

#include <array>
#include <charconv>
#include <cstring>
#include <memory>

namespace webrtcupload {

std::string clean_text(const char* text, std::size_t max_bytes) {
  if (text == nullptr) {
    return {};
  }
  // A little more than is kept, so that a character on the border is not mistaken for an invalid
  // one.
  const std::size_t length = strnlen(text, max_bytes + 4);
  std::unique_ptr<char, decltype(&g_free)> valid(
      g_utf8_make_valid(text, static_cast<gssize>(length)), &g_free);
  std::string result(valid.get());
  if (result.size() > max_bytes) {
    std::size_t end = max_bytes;
    while (end > 0 && (static_cast<unsigned char>(result[end]) & 0xC0U) == 0x80U) {
      --end;
    }
    result.resize(end);
  }
  return result;
}

std::string clean_label(GQuark name, std::size_t max_bytes) {
  std::string label = clean_text(g_quark_to_string(name), max_bytes);
  return label.empty() ? "object" : label;
}

double from_float(float value) {
  std::array<char, 32> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  double result = value;
  std::from_chars(digits.data(), written.ptr, result);
  return result;
}

std::optional<double> confidence_from(double value) {
  return value >= 0 && value <= 1 ? std::optional(value) : std::nullopt;
}

Box box_from_corner(double left, double top, double width, double height) {
  return {left + width / 2, top + height / 2, width, height};
}

}  // namespace webrtcupload
