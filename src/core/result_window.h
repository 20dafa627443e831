// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How far results may run ahead of a client that acknowledges them. A client says `{"ack": N}` when
// it is done with every result up to N. Many never do, so nothing waits for a first one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace webrtcupload {

class ResultWindow {
 public:
  // At most `size` results are sent and not acknowledged. 0: acknowledgements are only noted.
  explicit ResultWindow(std::size_t size) : size_(size) {}

  // Whether another result may be sent now.
  [[nodiscard]] bool may_send() const;
  // Before the result leaves, so that its acknowledgement cannot come first. Ids rise; they may
  // leave gaps.
  void sent(std::uint32_t frame_id);
  // Whether it said something new. What is negative, beyond the last result sent or older than an
  // earlier one is ignored.
  bool ack(std::int64_t frame_id);

  [[nodiscard]] std::optional<std::uint32_t> acked() const { return acked_; }
  // 0 before the first one.
  [[nodiscard]] std::uint32_t last_sent() const { return last_sent_; }

 private:
  std::size_t size_;
  std::uint32_t last_sent_ = 0;
  std::optional<std::uint32_t> acked_;
  // The last `size_` of those sent, oldest first. Ids, and not only a count, because of the gaps.
  std::deque<std::uint32_t> recent_;
};

// The N of a message that is `{"ack": N}` and nothing else. Strict and cheap: this is what most
// clients send most, and it is read where there is no time to parse. Numbers that do not fit are
// nothing, as is everything that is not a whole number.
[[nodiscard]] std::optional<std::int64_t> parse_ack(std::string_view text);

}  // namespace webrtcupload
