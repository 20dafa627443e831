// SPDX-License-Identifier: LGPL-2.1-or-later
//
// POSTs of JSON to somebody's HTTP server, within bounds of time and size.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace webrtcupload {

// Whether it is an http or https URL with a host.
[[nodiscard]] bool is_http_url(const std::string& text);

// Where a server lives, from what a person typed.
struct ServerUrl {
  std::string text;  // With the endpoint's path.
  std::string host;
};
// Nothing, with `problem` set, if it is no http or https URL. A URL without a path gets the
// endpoint's.
[[nodiscard]] std::optional<ServerUrl> parse_server_url(const std::string& text,
                                                        std::string& problem);

struct HttpClientOptions {
  // From post_json() to the last byte of the reply.
  std::chrono::milliseconds timeout{60000};
  std::size_t max_reply = 1 << 20;
  // Otherwise one is a reply like any other.
  bool follow_redirects = true;
  // Further requests wait for a connection, and their time runs meanwhile.
  int max_connections = 8;
};

// Lives on one thread, with that thread's default context.
class HttpClient {
 public:
  struct Reply {
    enum class Failure { kNone, kUnreachable, kTimeout, kTooLarge };
    Failure failure = Failure::kNone;
    // A phrase; empty if there was a reply, whatever its status.
    std::string problem;
    unsigned status = 0;
    std::string body;
  };

  explicit HttpClient(HttpClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` comes once, later on the context, unless this is destroyed before.
  void post_json(const std::string& url, const std::optional<std::string>& bearer_token,
                 const std::string& body, std::function<void(Reply)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace webrtcupload
