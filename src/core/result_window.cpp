// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/result_window.h"

#include <charconv>

namespace webrtcupload {
namespace {

void skip_space(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
}

bool skip(std::string_view& text, std::string_view token) {
  skip_space(text);
  if (!text.starts_with(token)) return false;
  text.remove_prefix(token.size());
  return true;
}

}  // namespace

bool ResultWindow::may_send() const {
  return size_ == 0 || !acked_ || recent_.size() < size_ || recent_.front() <= *acked_;
}

void ResultWindow::sent(std::uint32_t frame_id) {
  last_sent_ = frame_id;
  if (size_ == 0) return;
  if (recent_.size() == size_) recent_.pop_front();
  recent_.push_back(frame_id);
}

bool ResultWindow::ack(std::int64_t frame_id) {
  if (frame_id < 0 || frame_id > std::int64_t{last_sent_}) return false;
  const auto id = static_cast<std::uint32_t>(frame_id);
  if (acked_ && id <= *acked_) return false;
  acked_ = id;
  return true;
}

std::optional<std::int64_t> parse_ack(std::string_view text) {
  if (!skip(text, "{") || !skip(text, "\"ack\"") || !skip(text, ":")) return std::nullopt;
  skip_space(text);
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!skip(text, "}")) return std::nullopt;
  skip_space(text);
  if (!text.empty()) return std::nullopt;
  return value;
}

}  // namespace webrtcupload
