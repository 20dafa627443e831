// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An operator's webhook as a test wants it: a real HTTP server on a thread of its own, whose
// replies the test decides, and which remembers what it was asked.

#pragma once

#include <gio/gio.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace webrtcupload::test {

struct HookQuestion {
  std::string method;
  std::string path;
  std::string body;
  std::optional<std::string> authorization;
};

struct HookReply {
  unsigned status = 204;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // Never, in fact.
  bool silent = false;
};

class HookServer {
 public:
  // `decide` comes on the server's thread.
  using Decide = std::function<HookReply(const HookQuestion&)>;

  explicit HookServer(Decide decide);
  ~HookServer();
  HookServer(const HookServer&) = delete;
  HookServer& operator=(const HookServer&) = delete;

  // "http://127.0.0.1:PORT/may"
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::vector<HookQuestion> questions() const;
  // Of those without a reply, how many the other side waits for no more.
  [[nodiscard]] int given_up() const;

 private:
  struct Impl;

  void note_end();

  const Decide decide_;
  GMainContext* context_;
  GMainLoop* loop_;
  std::string url_;
  mutable std::mutex mutex_;
  std::vector<HookQuestion> questions_;
  int given_up_ = 0;
  std::thread thread_;
};

}  // namespace webrtcupload::test
