// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` for tests and benchmarks that look at it from outside, and films to send.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tool/process.h"

namespace webrtcupload::test {

// Finds the box in each frame, and does nothing else.
inline constexpr const char* kTrivialAnalyser =
    "decodebin ! videoconvert ! testboxdetector ! fakesink sync=false";

class TestServer {
 public:
  explicit TestServer(const std::vector<std::string>& options = {});
  // Kills it if it still runs.
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  // Empty if it does not listen.
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string errors() const { return process_->errors(); }
  // The line that says how that session ended, or "".
  [[nodiscard]] std::string wait_for_end(std::size_t session);
  // Ends it in order: whether it did, with a spool directory that is empty.
  [[nodiscard]] bool stop();

  // What it takes of the machine, its session processes not included.
  struct Usage {
    std::size_t resident = 0;  // Bytes.
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t children = 0;
  };
  [[nodiscard]] Usage usage() const;
  // Without children, and with no more descriptors and threads than that; or what it is after the
  // deadline.
  [[nodiscard]] Usage settled(const Usage& at_most) const;

 private:
  std::string spool_;
  std::unique_ptr<Process> process_;
  std::string url_;
};

// The bytes of a film that tests/support/make_numbered_video.cpp draws.
[[nodiscard]] std::string draw_film(int frames, int kilobits = 0);

}  // namespace webrtcupload::test
