// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/request_framing.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace webrtcupload {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Digits and nothing else; nothing if it is no number or too large.
std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::size_t RequestFraming::feed(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !ended() && !error_) {
    if (!at_line()) {
      const auto taken = std::min<std::uint64_t>(left_, bytes.size() - at);
      at += static_cast<std::size_t>(taken);
      left_ -= taken;
      if (left_ == 0) part_ = part_ == Part::kBody ? Part::kEnd : Part::kChunkEnd;
      continue;
    }
    const char c = bytes[at++];
    if (++line_bytes_ > kMaxHead) {
      refuse(431, "TooLarge",
             "The request has more than " + std::to_string(kMaxHead) + " bytes beside its body.");
    } else if (c != '\n') {
      line_ += c;
    } else if (!line_.ends_with('\r')) {
      bad("A line of the request does not end with CR and LF.");
    } else {
      line_.pop_back();
      end_line();
      line_.clear();
    }
  }
  return at;
}

void RequestFraming::finish() {
  if (!ended() && !error_ && line_bytes_ > 0) bad("The request ends before its end.");
}

void RequestFraming::end_line() {
  // A CR within a line is the end of one to some.
  if (std::ranges::any_of(line_,
                          [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 127; })) {
    return bad("A line of the request has a control character.");
  }
  switch (part_) {
    case Part::kRequestLine:
      // There may be empty ones before it (RFC 9112, 2.2).
      if (!line_.empty()) read_request_line();
      break;
    case Part::kHeaders:
      line_.empty() ? end_headers() : read_header();
      break;
    case Part::kChunkSize:
      read_chunk_size();
      break;
    case Part::kChunkEnd:
      if (!line_.empty()) return bad("A chunk of the request's body is longer than it says.");
      part_ = Part::kChunkSize;
      break;
    case Part::kTrailers:
      if (line_.empty()) part_ = Part::kEnd;
      break;
    default:
      break;
  }
}

void RequestFraming::read_request_line() {
  const std::string_view line = line_;
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || last == first || !is_token(line.substr(0, first)) ||
      line.find(' ', first + 1) != last || line.find('\t') != std::string_view::npos) {
    return bad("The request does not begin with a method, an address and a version.");
  }
  const std::string_view version = line.substr(last + 1);
  old_version_ = version == "HTTP/1.0";
  if (!old_version_ && version != "HTTP/1.1") {
    return refuse(505, "VersionNotSupported", "This server speaks HTTP/1.1.");
  }
  part_ = Part::kHeaders;
}

void RequestFraming::read_header() {
  const std::string_view line = line_;
  const auto colon = line.find(':');
  // This is also a line that goes on with the one before it, and a space before the colon.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return bad("A header of the request has no name.");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (same(name, "Content-Length")) {
    if (length_) return bad("The request has more than one Content-Length.");
    if (!is_digits(value)) return bad("The request's Content-Length is not a number.");
    length_ = number(value, 10).value_or(UINT64_MAX);
  } else if (same(name, "Transfer-Encoding")) {
    if (chunked_) return bad("The request has more than one Transfer-Encoding.");
    if (!same(value, "chunked")) {
      return refuse(501, "NotImplemented", "This server knows no Transfer-Encoding but chunked.");
    }
    chunked_ = true;
  } else if (same(name, "Host")) {
    if (++hosts_ > 1) return bad("The request has more than one Host.");
  } else if (same(name, "Origin")) {
    origin_ = origin_ ? *origin_ + ", " + std::string(value) : std::string(value);
  }
}

void RequestFraming::end_headers() {
  if (hosts_ == 0 && !old_version_) return bad("The request has no Host.");
  if (chunked_ && length_) {
    return bad("The request has both a Content-Length and a Transfer-Encoding.");
  }
  if (chunked_ && old_version_) return bad("HTTP/1.0 has no Transfer-Encoding.");
  if (length_.value_or(0) > max_body_) return refuse_size();
  left_ = length_.value_or(0);
  part_ = chunked_ ? Part::kChunkSize : left_ > 0 ? Part::kBody : Part::kEnd;
}

void RequestFraming::read_chunk_size() {
  const std::string_view line = line_;
  // What an extension says is ignored (RFC 9112, 7.1.1).
  const auto size = number(trim(line.substr(0, line.find(';'))), 16);
  if (!size) return bad("A chunk of the request's body has no size.");
  if (*size > max_body_ - std::min<std::uint64_t>(body_, max_body_)) return refuse_size();
  body_ += *size;
  left_ = *size;
  part_ = left_ > 0 ? Part::kChunkData : Part::kTrailers;
}

void RequestFraming::refuse_size() {
  refuse(413, "TooLarge",
         "The request body is larger than the " + std::to_string(max_body_) + " bytes allowed.");
}

void RequestFraming::refuse(unsigned status, const char* type, std::string message) {
  error_ = HttpError{status, type, std::move(message), {}};
}

}  // namespace webrtcupload
