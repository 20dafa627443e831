// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One POST of JSON to a server's drop-in endpoint.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace webrtcupload {

// Where a server lives, from what a person typed.
struct ServerUrl {
  std::string text;  // With the endpoint's path.
  std::string host;
};
// Nothing, with `problem` set, if it is no http or https URL. A URL without a path gets the
// endpoint's.
[[nodiscard]] std::optional<ServerUrl> parse_server_url(const std::string& text,
                                                        std::string& problem);

class HttpClient {
 public:
  // `problem` is empty if there was a reply, whatever its status.
  struct Reply {
    std::string problem;
    unsigned status = 0;
    std::string body;
  };

  HttpClient();
  ~HttpClient();

  // `done` comes on the thread's default context, unless this is destroyed before.
  void post_json(const ServerUrl& url, const std::optional<std::string>& bearer_token,
                 const std::string& body, std::function<void(Reply)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace webrtcupload
