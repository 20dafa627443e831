// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The words for further connections of a session: paths of requests, lines between the server and a
// session's process, and how each survives what should not be there.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "signalling/session_path.h"
#include "tool/common/session_types.h"

namespace webrtcupload {
namespace {

using What = SessionPath::What;

TEST(SessionPath, IsASessionItsConnectionsOrOneOfThem) {
  struct Case {
    const char* path;
    What what;
    const char* session;
    const char* connection;
    const char* methods;
  };
  for (const Case& each :
       {Case{"/sessions/ab", What::kSession, "ab", "", "GET, HEAD, DELETE"},
        Case{"/sessions/", What::kSession, "", "", "GET, HEAD, DELETE"},
        Case{"/sessions/ab/connections", What::kConnections, "ab", "", "POST"},
        Case{"/sessions/ab/connections/cd", What::kConnection, "ab", "cd", "DELETE"},
        Case{"/sessions/ab/connections/", What::kConnection, "ab", "", "DELETE"},
        Case{"/sessions/ab/connections/cd/e", What::kConnection, "ab", "cd/e", "DELETE"},
        Case{"/sessions//connections", What::kConnections, "", "", "POST"},
        // Nobody's.
        Case{"/sessions/ab/connectionsx", What::kSession, "ab/connectionsx", "",
             "GET, HEAD, DELETE"},
        Case{"/sessions/ab/", What::kSession, "ab/", "", "GET, HEAD, DELETE"},
        Case{"/upload", What::kSession, "", "", "GET, HEAD, DELETE"}}) {
    const SessionPath path = parse_session_path(each.path);
    EXPECT_EQ(path.what, each.what) << each.path;
    EXPECT_EQ(path.session, each.session) << each.path;
    EXPECT_EQ(path.connection, each.connection) << each.path;
    EXPECT_EQ(session_path_methods(each.path), each.methods) << each.path;
  }
  EXPECT_EQ(connections_path("ab"), "/sessions/ab/connections");
}

TEST(ConnectionLines, WhatASessionIsTold) {
  const auto connect = parse_parent_line(connect_line("cd", "v=0\r\n\"x\""));
  ASSERT_TRUE(std::holds_alternative<ConnectLine>(connect));
  EXPECT_EQ(std::get<ConnectLine>(connect).connection, "cd");
  EXPECT_EQ(std::get<ConnectLine>(connect).offer_sdp, "v=0\r\n\"x\"");
  const auto disconnect = parse_parent_line(disconnect_line("cd"));
  ASSERT_TRUE(std::holds_alternative<DisconnectLine>(disconnect));
  EXPECT_EQ(std::get<DisconnectLine>(disconnect).connection, "cd");
  for (const char* bad : {R"({"connect":"cd"})", R"({"connect":1,"offer_sdp":"x"})"}) {
    EXPECT_TRUE(std::holds_alternative<BadLine>(parse_parent_line(bad))) << bad;
  }
}

TEST(ConnectionLines, WhatASessionSays) {
  const auto read = [](const std::string& line) {
    const auto parsed = parse_child_line("1", line);
    EXPECT_TRUE(std::holds_alternative<ConnectionLine>(parsed)) << line;
    return std::holds_alternative<ConnectionLine>(parsed) ? std::get<ConnectionLine>(parsed)
                                                          : ConnectionLine{};
  };
  const auto answer = read(connection_line("cd", ConnectionAnswer{"v=0\r\n"}));
  EXPECT_EQ(answer.connection, "cd");
  ASSERT_TRUE(std::holds_alternative<ConnectionAnswer>(answer.news));
  EXPECT_EQ(std::get<ConnectionAnswer>(answer.news).sdp, "v=0\r\n");
  const auto refused = read(connection_line("cd", HttpError{409, "NothingToJoin", "No.", {}}));
  ASSERT_TRUE(std::holds_alternative<HttpError>(refused.news));
  EXPECT_EQ(std::get<HttpError>(refused.news).status, 409u);
  EXPECT_EQ(std::get<HttpError>(refused.news).error_type, "NothingToJoin");
  EXPECT_EQ(std::get<HttpError>(refused.news).message, "No.");
  const auto ended = read(connection_line(kFirstConnection, ConnectionEnded{}));
  EXPECT_EQ(ended.connection, kFirstConnection);
  EXPECT_TRUE(std::holds_alternative<ConnectionEnded>(ended.news));
  EXPECT_TRUE(std::holds_alternative<BadLine>(parse_child_line("1", R"({"event":"connection"})")));
}

TEST(ConnectionLines, WhatASessionMayHaveOfThem) {
  SessionConfig config;
  config.protocols = 2;
  config.resume_timeout = std::chrono::milliseconds(0);
  config.max_connections = 3;
  const auto back = parse_config_line(config_line(config));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->protocols, config.protocols);
  EXPECT_EQ(back->resume_timeout, config.resume_timeout);
  EXPECT_EQ(back->max_connections, config.max_connections);
}

}  // namespace
}  // namespace webrtcupload
