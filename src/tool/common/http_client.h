// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests to somebody's HTTP server, POSTs of JSON, GETs and DELETEs, within bounds of time and
// size.
// Nothing of a request, and no key, goes to another server than the one that was named: a redirect
// leads to the same origin (RFC 6454: scheme, host and port), or it ends the request.

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
// Whether two such URLs have the same scheme, host and port.
[[nodiscard]] bool is_same_origin(const std::string& one, const std::string& other);

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
  // From the request's begin to the last byte of the reply.
  std::chrono::milliseconds timeout{60000};
  std::size_t max_reply = 1 << 20;
  // Within the server; otherwise one is a reply like any other.
  bool follow_redirects = true;
  // Further requests wait for a connection, and their time runs meanwhile.
  int max_connections = 8;
};

// Lives on one thread, with that thread's default context.
class HttpClient {
 public:
  struct Reply {
    // kElsewhere: it redirects to another origin, which was not asked.
    enum class Failure { kNone, kUnreachable, kTimeout, kTooLarge, kElsewhere };
    Failure failure = Failure::kNone;
    // A phrase; empty if there was a reply, whatever its status.
    std::string problem;
    unsigned status = 0;
    std::string body;
    // The address that the reply's Location names, whole; empty if there is none at the same
    // origin.
    std::string location;
    // What its Retry-After says, if that is a number of seconds.
    std::optional<std::chrono::seconds> retry_after;
  };

  // Somebody who waits for a reply. When that ends the request is given up, under way or not, and
  // nothing is called any more.
  class Call {
   public:
    Call() = default;
    ~Call() { cancel(); }
    Call(Call&& other) noexcept = default;
    Call& operator=(Call&& other) noexcept;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    void cancel();

   private:
    friend class HttpClient;
    std::weak_ptr<void> request_;
  };

  explicit HttpClient(HttpClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` comes once, later on the context, unless this or the call is destroyed before.
  [[nodiscard]] Call post_json(const std::string& url,
                               const std::optional<std::string>& bearer_token,
                               const std::string& body, std::function<void(Reply)> done);
  [[nodiscard]] Call get(const std::string& url, const std::optional<std::string>& bearer_token,
                         std::chrono::milliseconds timeout, std::function<void(Reply)> done);
  [[nodiscard]] Call del(const std::string& url, const std::optional<std::string>& bearer_token,
                         std::chrono::milliseconds timeout, std::function<void(Reply)> done);
  // How many replies are waited for.
  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace webrtcupload
