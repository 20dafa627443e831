// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The HTTP side of signalling: an address, limits that hold while a request is still arriving, and
// JSON for everything that goes wrong. What the requests mean is the handler's business.

#pragma once

#include <gio/gio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signalling/allowed_origins.h"
#include "signalling/http_error.h"
#include "webrtc/ice_server.h"

namespace webrtcupload {

// The IP address that somebody names as the one to listen on: itself, or what "localhost" is.
// Nothing if it is neither.
[[nodiscard]] std::optional<std::string> listen_address(const std::string& text);

struct HttpServerOptions {
  // Whose server it is, for the log.
  std::string name = "server";
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any that is free.
  std::size_t max_body = 256ULL * 1024;
  // Above this, a new connection takes the place of the one that has waited longest without a whole
  // request; those whose requests are being answered keep theirs.
  std::size_t max_connections = 256;
  // From a connection's begin to the end of its request, and from the reply until it is taken.
  std::chrono::milliseconds request_timeout{10000};
  // Requests of other pages are refused, but for those of the server's own. See own_origin().
  AllowedOrigins origins;
  // Every request that changes something has to show a key. Then the server's own page may use it
  // under any name: a page that only lets its name lead here has no key.
  bool keys_required = false;
  // What somebody with this key, or none, is told who asks for the options of kUploadPath (RFC
  // 9725, 4.6). Unset: nothing.
  std::function<std::vector<IceServer>(const std::optional<std::string>& bearer_token)> ice_servers;
  // What a page should know before its person chooses a file: the JSON at kLimitsPath.
  std::function<std::string()> limits;
};

struct HttpRequest {
  std::string method;
  std::string path;
  std::string query;         // As it came, or empty.
  std::string content_type;  // In lower case, without parameters.
  std::string body;
  // Of "Authorization: Bearer ..."; other schemes are ignored.
  std::optional<std::string> bearer_token;
  std::string client_address;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The one reply to one request. Copies share it. May outlive the connection and the server; a
// reply to a client that went away goes nowhere. A request whose last responder is dropped without
// a reply gets a 500.
class HttpResponder {
 public:
  struct Pending;
  explicit HttpResponder(std::shared_ptr<Pending> pending) : pending_(std::move(pending)) {}

  void reply_json(unsigned status, const std::string& body, const HttpHeaders& more = {}) const;
  // The same with a body of any type.
  void reply(unsigned status, const std::string& content_type, std::string_view body,
             const HttpHeaders& more = {}) const;
  // With the headers that belong to such an error, and more.
  void fail(const HttpError& error, HttpHeaders more = {}) const;
  // Called once, on the server's context, if the client goes away before it has its reply. Keep
  // no responder in it.
  void on_gone(std::function<void()> gone) const;

 private:
  std::shared_ptr<Pending> pending_;
};

class HttpServer {
 public:
  // Called on the server's context for a POST to `kWorkerPath` or `kUploadPath`, and for what
  // session_path_methods() allows of what is below `kSessionsPath`. The page and its limits are
  // served without it.
  using Handler = std::function<void(HttpRequest request, HttpResponder responder)>;

  static constexpr const char* kWorkerPath = "/initialise_webrtc_worker";
  static constexpr const char* kUploadPath = "/upload";
  static constexpr const char* kSessionsPath = "/sessions/";
  static constexpr const char* kLimitsPath = "/limits";

  explicit HttpServer(HttpServerOptions options, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens, on the calling thread's default main context. An empty string, or why not.
  [[nodiscard]] std::string start();
  // Listens no longer; requests that wait for their reply still get it.
  void stop_listening();
  [[nodiscard]] std::uint16_t port() const;
  // "http://127.0.0.1:8080"
  [[nodiscard]] std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace webrtcupload
