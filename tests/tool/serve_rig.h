// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tests share that ask `webrtc-upload serve` for sessions, over HTTP alone or with `send`.

#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "json/json.h"
#include "process.h"
#include "server.h"
#include "support/sample_offers.h"

namespace webrtcupload::test {

inline constexpr const char* kSwallow = "fakesink";
using Arguments = std::vector<std::string>;

// A good request, with more fields.
inline std::string request_body(const std::string& more = "") {
  const std::string offer =
      JsonWriter().set("sdp", crlf(kWebrtcbinOffer)).set("type", "offer").text();
  return "{\"webrtc_offer\":" + offer + more + "}";
}

inline std::string bearer(const std::string& key) {
  return "Authorization: Bearer " + key + "\r\n";
}

inline int status_of(const std::string& reply) {
  return reply.starts_with("HTTP/1.1 ") ? std::atoi(reply.c_str() + 9) : -1;
}

inline std::string header_of(const std::string& reply, const std::string& name) {
  const std::string begin = "\r\n" + name + ": ";
  const std::size_t at = reply.find(begin);
  if (at == std::string::npos) return "";
  const std::size_t value = at + begin.size();
  return reply.substr(value, reply.find('\r', value) - value);
}
// The path of what an offer has made; requests go to the root, and Location is relative to it.
inline std::string location_of(const std::string& reply) {
  return "/" + header_of(reply, "Location");
}

inline std::string del(const std::string& path, const std::string& headers = "") {
  return "DELETE " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
}

// With each kind of isolation.
class ServeTest : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    std::ofstream(file("small.bin")) << std::string(200000, 'x');
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory()); }
  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string file(const std::string& name) { return directory() + "/" + name; }

  // Clients here do not connect; what they have is ended by the test and not by the clock.
  static Arguments with(Arguments more) {
    Arguments arguments = {"--isolation", GetParam(), "--connect-timeout", "600"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static std::unique_ptr<Process> start_send(const Server& server, Arguments more = {}) {
    Arguments arguments = {program(), "send", file("small.bin"), "--to", server.url()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Process>(arguments);
  }
  // Its last words.
  static std::string complaint_of(Process& process) {
    EXPECT_EQ(process.wait_for_exit(), 1);
    return process.errors();
  }
  static void end(const Server& server, const std::string& reply, const std::string& key = "") {
    const std::string deleted =
        http_exchange(server.port(), del(location_of(reply), key.empty() ? "" : bearer(key)));
    EXPECT_EQ(status_of(deleted), 200) << deleted;
  }
};

}  // namespace webrtcupload::test
