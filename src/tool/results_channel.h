// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The last word to the client over its results channel: the completion message, then drain, linger
// and close, so that it arrives before the connection goes. (The messages per frame are another
// element's work; this one only counts them.)

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "signalling/data_channel.h"
#include "signalling/main_context.h"

namespace webrtcupload {

// The label under which clients open it.
inline constexpr const char* kResultsLabel = "inference";

struct Completion {
  std::uint32_t frame_id = 1;  // The last frame's plus 1.
  // Null in JSON if empty.
  std::string termination_reason;
  std::vector<std::string> errors;
};

// [frame_id u32 LE][chunk_index u32 LE][total_chunks u32 LE][JSON]
[[nodiscard]] std::vector<std::uint8_t> encode_completion(const Completion& completion);
// What a message of that form says, or nothing if it is another one (or part of a longer one).
[[nodiscard]] std::optional<Completion> decode_completion(std::span<const std::uint8_t> message);

class ResultsChannel {
 public:
  ResultsChannel(GMainContext* context, std::shared_ptr<DataChannel> channel);
  ~ResultsChannel();
  ResultsChannel(const ResultsChannel&) = delete;
  ResultsChannel& operator=(const ResultsChannel&) = delete;

  // Then calls `done`, once: when the channel is closed, or when it took too long. The destructor
  // cancels.
  void finish(const Completion& completion, std::function<void()> done);
  // The other side is gone: there is nothing to wait for.
  void abandon() { end(); }

 private:
  void poll();
  void close();
  void end();

  std::shared_ptr<DataChannel> channel_;
  Timer timer_;
  int polls_left_ = 0;
  bool closed_ = false;
  std::function<void()> done_;
};

}  // namespace webrtcupload
