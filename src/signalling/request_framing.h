// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where one HTTP/1 request begins and ends (RFC 9112), read before anybody reads what it says. What
// can be read in two ways is refused: a proxy in front of the server may have read it in the other
// one, and then takes a part of one client's request for the next one's. No I/O.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "signalling/http_error.h"

namespace webrtcupload {

class RequestFraming {
 public:
  // Browsers send a few kilobytes. Also what the lines around chunks may have together.
  static constexpr std::size_t kMaxHead = 32 * 1024;

  explicit RequestFraming(std::size_t max_body) : max_body_(max_body) {}

  // How many of the bytes that came are the request's. If not all, the others are behind its end,
  // and nobody's; or it is refused.
  std::size_t feed(std::string_view bytes);
  // Nothing more will come.
  void finish();

  // The last byte of its body has come.
  [[nodiscard]] bool ended() const { return part_ == Part::kEnd; }
  // Why it is refused, once it is.
  [[nodiscard]] const std::optional<HttpError>& error() const { return error_; }
  // Of its Origin headers, with commas between them, so far.
  [[nodiscard]] const std::optional<std::string>& origin() const { return origin_; }

 private:
  enum class Part {
    kRequestLine,
    kHeaders,
    kBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailers,
    kEnd
  };

  void end_line();
  void read_request_line();
  void read_header();
  void end_headers();
  void read_chunk_size();
  void refuse(unsigned status, const char* type, std::string message);
  void bad(std::string message) { refuse(400, "BadRequest", std::move(message)); }
  void refuse_size();
  [[nodiscard]] bool at_line() const { return part_ != Part::kBody && part_ != Part::kChunkData; }

  const std::size_t max_body_;
  Part part_ = Part::kRequestLine;
  std::optional<HttpError> error_;
  // The line that is coming, without its end; and all bytes of lines so far.
  std::string line_;
  std::size_t line_bytes_ = 0;
  bool old_version_ = false;  // HTTP/1.0
  bool chunked_ = false;
  std::optional<std::uint64_t> length_;
  int hosts_ = 0;
  std::optional<std::string> origin_;
  // Still to come of the body or of the chunk; and of all chunks so far.
  std::uint64_t left_ = 0;
  std::uint64_t body_ = 0;
};

}  // namespace webrtcupload
