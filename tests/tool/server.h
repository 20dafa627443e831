// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` as a program under test: started on a free port with a spool directory of
// its own, and its lines read as events.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "process.h"
#include "support/lost_cause.h"

namespace webrtcupload::test {

// The path of webrtc-upload, from the environment.
[[nodiscard]] std::string program();

// AddressSanitizer reserves more memory than a test of a session's limit allows. Such a limit is
// then not set.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kReservesMemory = true;
#else
inline constexpr bool kReservesMemory = false;
#endif

// What needs no more than that frames come out of it.
inline constexpr const char* kDecode = "decodebin ! videoconvert ! fakesink";

// One of serve's lines.
struct Event {
  std::string text;
  std::string event;
  std::string session;
  std::string status;
  std::string code;
  std::string message;
  std::int64_t frames = 0;
  std::int64_t frame = 0;
  // Nanoseconds in the film.
  std::optional<std::int64_t> pts;
  std::int64_t bytes = 0;
  std::int64_t chunks = 0;
};
[[nodiscard]] std::optional<Event> parse_event(const std::string& line);

class Server {
 public:
  explicit Server(std::vector<std::string> more = {}, const std::string& pipeline = kDecode);
  // However a test went: nothing is left in the spool directory, and the server has not ended by
  // itself.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& spool() const { return spool_; }

  // Sessions are numbered from 1, as they are answered. Fails the test if it does not come.
  Event wait_for_end(int session, std::chrono::milliseconds deadline = kDeadline);
  [[nodiscard]] std::vector<Event> events() const;
  [[nodiscard]] std::vector<Event> frames_of(int session) const;

 private:
  std::string spool_;
  std::unique_ptr<Process> process_;
  // Nothing is waited for once the server has ended by itself.
  std::optional<LostCause> lost_;
  std::string url_;
  int port_ = 0;
};

}  // namespace webrtcupload::test
