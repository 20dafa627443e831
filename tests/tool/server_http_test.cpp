// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload serve` as those see it who ask it for sessions: who gets one, how many there are,
// and how one is ended.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "serve_rig.h"
#include "tool/session/session_memory.h"

namespace webrtcupload {
namespace {

using test::Arguments;
using test::bearer;
using test::del;
using test::Event;
using test::eventually;
using test::header_of;
using test::http_exchange;
using test::kReservesMemory;
using test::kSwallow;
using test::location_of;
using test::post;
using test::Process;
using test::request_body;
using test::Server;
using test::status_of;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// "/sessions/" and 128 bits in hexadecimal digits.
bool is_session_path(const std::string& path) {
  return path.size() == 42 && path.starts_with("/sessions/") &&
         path.find_first_not_of("0123456789abcdef", 10) == std::string::npos;
}

// Both values of a process' limit, as /proc has them: "1024 1024".
std::string limit_of(pid_t pid, const std::string& name) {
  std::ifstream limits("/proc/" + std::to_string(pid) + "/limits");
  std::string line;
  while (std::getline(limits, line)) {
    if (!line.starts_with(name)) continue;
    std::istringstream rest(line.substr(name.size()));
    std::string soft;
    std::string hard;
    rest >> soft >> hard;
    return soft + " " + hard;
  }
  return "";
}

class ServerHttp : public test::ServeTest {};

INSTANTIATE_TEST_SUITE_P(All, ServerHttp, ::testing::Values("process", "none"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(ServerHttp, GivesEachSessionAnAddressOfItsOwn) {
  Server server(with({}), kSwallow);
  const std::string first = http_exchange(server.port(), post(request_body()));
  ASSERT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  const std::string second = http_exchange(server.port(), post(request_body()));
  const std::string path = location_of(first);
  EXPECT_TRUE(is_session_path(path)) << path;
  EXPECT_TRUE(is_session_path(location_of(second)));
  EXPECT_NE(path, location_of(second));

  for (const std::string& wrong :
       {std::string("/sessions/"), std::string("/sessions/1"), path + "0", path + "/",
        "/sessions/" + std::string(32, '0'), "/sessions/" + std::string(5000, 'a')}) {
    EXPECT_EQ(status_of(http_exchange(server.port(), del(wrong))), 404) << wrong;
  }
  EXPECT_EQ(http_exchange(server.port(), del(path)).substr(0, 17), "HTTP/1.1 200 OK\r\n");
  const Event ended = server.wait_for_end(1);
  EXPECT_EQ("/sessions/" + ended.session, path);
  EXPECT_EQ(ended.code, "cancelled");
  EXPECT_THAT(ended.message, HasSubstr("its client ended it"));
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(server.port(), del(path))) == 404; }));
  end(server, second);
  server.wait_for_end(2);
  EXPECT_TRUE(eventually([&] { return test::children_of(server.process().pid()).empty(); }));
}

TEST_P(ServerHttp, AHundredRequestsAtOnceGetFourSessions) {
  Server server(with({"--max-sessions", "4"}), kSwallow);
  const std::string request = post(request_body());
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> replies(100);
    std::vector<std::thread> clients;
    for (std::string& reply : replies) {
      clients.emplace_back([&] { reply = http_exchange(server.port(), request); });
    }
    for (std::thread& client : clients) client.join();
    int accepted = 0;
    for (const std::string& reply : replies) {
      if (status_of(reply) == 200) {
        ++accepted;
        continue;
      }
      EXPECT_THAT(reply, StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
      EXPECT_THAT(reply, HasSubstr("\r\nRetry-After: 5\r\n"));
      EXPECT_THAT(reply, HasSubstr("\"error_type\":\"TooManySessions\""));
    }
    EXPECT_EQ(accepted, 4);
    for (const std::string& reply : replies) {
      if (status_of(reply) == 200) end(server, reply);
    }
    for (int i = 1; i <= 4; ++i) server.wait_for_end(round * 4 + i);
    EXPECT_TRUE(eventually([&] { return test::children_of(server.process().pid()).empty(); }));
  }
}

TEST_P(ServerHttp, WithoutAKeyOrWithAWrongOneIs401) {
  Server server(with({"--api-key", "first", "--api-key", "second"}), kSwallow);
  const auto refused = [&](const std::string& request) {
    const std::string reply = http_exchange(server.port(), request);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 401 Unauthorized\r\n"));
    EXPECT_THAT(reply, HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"));
    EXPECT_THAT(reply, HasSubstr("\"error_type\":\"Unauthorized\""));
  };
  refused(post(request_body()));
  refused(post(request_body(R"(,"api_key":null)")));
  refused(post(request_body(R"(,"api_key":"")")));
  refused(post(request_body(R"(,"api_key":"firs")")));
  refused(post(request_body(R"(,"api_key":"first ")")));
  refused(post(request_body(), bearer("wrong")));
  refused(post(request_body(), bearer("")));
  refused(post(request_body(), "Authorization: Basic Zmlyc3Q6\r\n"));
  // The header wins.
  refused(post(request_body(R"(,"api_key":"first")"), bearer("wrong")));
  refused(post("{", bearer("wrong")));
  refused(del("/sessions/x"));
  refused(del("/sessions/x", bearer("wrong")));
  EXPECT_TRUE(test::children_of(server.process().pid()).empty());

  for (const std::string& request :
       {post(request_body(), bearer("first")), post(request_body(), bearer("second")),
        post(request_body(R"(,"api_key":"second")")),
        post(request_body(R"(,"api_key":"x")"), bearer("first"))}) {
    EXPECT_EQ(status_of(http_exchange(server.port(), request)), 200);
  }
}

TEST_P(ServerHttp, OnlyWhoMadeASessionEndsIt) {
  Server server(with({"--api-key", "first", "--api-key", "second"}), kSwallow);
  const std::string reply = http_exchange(server.port(), post(request_body(), bearer("first")));
  const std::string path = location_of(reply);
  EXPECT_EQ(status_of(http_exchange(server.port(), del(path))), 401);
  EXPECT_EQ(status_of(http_exchange(server.port(), del(path, bearer("wrong")))), 401);
  EXPECT_EQ(status_of(http_exchange(server.port(), del(path, bearer("second")))), 404);
  EXPECT_EQ(status_of(http_exchange(server.port(), del(path, bearer("first")))), 200);
  EXPECT_EQ(server.wait_for_end(1).code, "cancelled");
}

TEST_P(ServerHttp, ASessionIsToldOfToWhoMadeIt) {
  const std::string keys = file("keys");
  std::ofstream(keys) << "one\ntwo\n";
  Server server(with({"--api-key-file", keys, "--connect-timeout", "1"}));
  const auto ask = [&](const std::string& path, const std::string& headers) {
    return http_exchange(server.port(),
                         "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  };
  const std::string made = http_exchange(server.port(), test::post(request_body(), bearer("one")));
  ASSERT_EQ(status_of(made), 200) << made;
  const std::string path = location_of(made);
  EXPECT_EQ(status_of(ask(path, "")), 401);
  EXPECT_EQ(status_of(ask(path, bearer("three"))), 401);
  EXPECT_EQ(status_of(ask(path, bearer("two"))), 404);
  EXPECT_EQ(status_of(ask(path + "0", bearer("one"))), 404);
  EXPECT_EQ(server.wait_for_end(1).code, "connect-timeout");
  // From the line on standard output to here it is remembered already.
  const std::string ended = ask(path, bearer("one"));
  EXPECT_EQ(status_of(ended), 200) << ended;
  EXPECT_EQ(header_of(ended, "Cache-Control"), "no-store");
  EXPECT_THAT(ended, HasSubstr(R"({"state":"ended","status":"failed","code":"connect-timeout",)"));
  EXPECT_THAT(ended, HasSubstr(R"("frames":0,"bytes":0,"chunks":0,"sha256":null})"));
  EXPECT_EQ(status_of(ask(path, bearer("two"))), 404);
  EXPECT_EQ(status_of(ask(path, "")), 401);
}

TEST_P(ServerHttp, ASessionThatIsDeletedIsNotToldOf) {
  Server server(with({}));
  const std::string made = http_exchange(server.port(), test::post(request_body()));
  ASSERT_EQ(status_of(made), 200) << made;
  const std::string ask = "GET " + location_of(made) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_THAT(http_exchange(server.port(), ask), HasSubstr(R"({"state":"running","status":null,)"));
  end(server, made);
  EXPECT_EQ(status_of(http_exchange(server.port(), ask)), 404);
  EXPECT_EQ(server.wait_for_end(1).code, "cancelled");
  EXPECT_EQ(status_of(http_exchange(server.port(), ask)), 404);
}

TEST_P(ServerHttp, KeysAreReadAgainWhenAsked) {
  std::ofstream(file("keys")) << "# ours\none\n";
  Server server(with({"--api-key-file", file("keys")}), kSwallow);
  const auto status = [&](const char* key) {
    // Keys are looked at before an offer is.
    return status_of(http_exchange(
        server.port(), post(R"({"webrtc_offer":{"type":"offer","sdp":"x"}})", bearer(key))));
  };
  EXPECT_EQ(status("one"), 400);
  EXPECT_EQ(status("two"), 401);
  std::ofstream(file("keys")) << "two\n";
  EXPECT_EQ(status("two"), 401);
  server.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return status("two") == 400; }));
  EXPECT_EQ(status("one"), 401);
  std::ofstream(file("keys")) << "two words\n";
  server.process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return server.process().errors().find("the keys stay as they were") != std::string::npos;
  }));
  EXPECT_EQ(status("two"), 400);
}

TEST_P(ServerHttp, PicksThePipelineByItsName) {
  Server server(with({"--pipeline", "named=fakesink name=other"}), kSwallow);
  const auto pipeline_of = [&](const std::string& workflow) {
    const std::string reply =
        http_exchange(server.port(), post(request_body(",\"workflow_configuration\":" + workflow)));
    const std::string id = location_of(reply).substr(10);
    const auto line = server.process().wait_for_line([&](const std::string& text) {
      return text.find("\"event\":\"session\"") != std::string::npos &&
             text.find(id) != std::string::npos;
    });
    end(server, reply);
    return line.value_or("");
  };
  EXPECT_THAT(pipeline_of(R"({"workflow_id":"named"})"), HasSubstr(R"("pipeline":"named")"));
  EXPECT_THAT(pipeline_of(R"({"workflow_id":"unknown"})"), HasSubstr(R"("pipeline":null)"));
  EXPECT_THAT(pipeline_of("null"), HasSubstr(R"("pipeline":null)"));
  EXPECT_THAT(pipeline_of("{}"), HasSubstr(R"("client_address":"127.0.0.1")"));
}

TEST_P(ServerHttp, BadFieldsAndUnknownOutputs) {
  Server server(with({"--pipeline", "own=identity ! webrtcresultsink output-name=mine"}), kSwallow);
  const auto reply = [&](const std::string& more) {
    return http_exchange(server.port(), post(request_body(more)));
  };
  EXPECT_THAT(reply(R"(,"declared_fps":"x","stream_output":1)"),
              StartsWith("HTTP/1.1 422 Unprocessable Content\r\n"));
  EXPECT_THAT(reply(R"(,"data_output":["what"])"), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(reply(R"(,"data_output":["what"])"), HasSubstr("predictions, image"));
  EXPECT_THAT(reply(R"(,"data_output":["what"],"workflow_configuration":{"workflow_id":"own"})"),
              HasSubstr("there is only: mine, image."));
  EXPECT_THAT(reply(R"(,"stream_output":["predictions"])"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(reply(R"(,"webrtc_config":{"iceServers":[{"urls":"stun:bad host"}]})"),
              StartsWith("HTTP/1.1 422"));
  const std::string good = reply(
      R"(,"data_output":["*","image"],"declared_fps":0,"processing_timeout":1e300,)"
      R"("webrtc_config":{"iceServers":[{"urls":["stun:192.0.2.1"]}]},"video_file_upload":true)");
  EXPECT_THAT(good, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(test::children_of(server.process().pid()).size() <= 1);
}

TEST_P(ServerHttp, ClientsThatNameServersForIceAreServedUnlessTheyAreRefused) {
  const std::string request =
      post(request_body(R"(,"webrtc_config":{"iceServers":[{"urls":["stun:192.0.2.1"]}]})"));
  for (const Arguments& arguments : {Arguments{}, Arguments{"--client-ice-servers", "ignore"},
                                     Arguments{"--client-ice-servers", "allow"}}) {
    Server server(with(arguments), kSwallow);
    const std::string reply = http_exchange(server.port(), request);
    EXPECT_EQ(status_of(reply), 200) << reply;
    end(server, reply);
  }
  Server server(with({"--client-ice-servers", "refuse"}), kSwallow);
  const std::string refused = http_exchange(server.port(), request);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(refused, HasSubstr("\"error_type\":\"IceServersRefused\""));
  const std::string reply = http_exchange(server.port(), post(request_body()));
  EXPECT_EQ(status_of(reply), 200) << reply;
  end(server, reply);
}

TEST_P(ServerHttp, TellsItsOwnServersForIceToWhoMayKnow) {
  const Arguments servers = {"--ice-server", "stun://stun.invalid:3478", "--ice-server",
                             "turn://me:secret@turn.invalid:3478"};
  const std::string ask = "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string stun = "Link: <stun:stun.invalid:3478>; rel=\"ice-server\"";
  const std::string turn =
      "<turn:turn.invalid:3478?transport=udp>; rel=\"ice-server\"; "
      "username=\"me\"; credential=\"secret\"";
  Server open(with(servers), kSwallow);
  EXPECT_THAT(http_exchange(open.port(), ask), HasSubstr(stun + ", " + turn));
  Arguments more = servers;
  more.insert(more.end(), {"--api-key", "key"});
  Server locked(with(more), kSwallow);
  EXPECT_THAT(http_exchange(locked.port(), ask), HasSubstr(stun + "\r\n"));
  EXPECT_THAT(http_exchange(locked.port(), ask), Not(HasSubstr("secret")));
  const auto ask_with = [&](const std::string& key) {
    return http_exchange(locked.port(),
                         "OPTIONS /upload HTTP/1.1\r\nHost: x\r\n" + bearer(key) + "\r\n");
  };
  EXPECT_THAT(ask_with("kez"), Not(HasSubstr("secret")));
  EXPECT_THAT(ask_with("key"), HasSubstr(stun + ", " + turn));
  const std::string offer = crlf(kWebrtcbinOffer);
  const std::string reply = http_exchange(
      locked.port(), "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n" +
                         bearer("key") + "Content-Length: " + std::to_string(offer.size()) +
                         "\r\n\r\n" + offer);
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_THAT(reply, HasSubstr(stun + ", " + turn));
  end(locked, reply, "key");
}

class ServerProgram : public ServerHttp {};

TEST_F(ServerProgram, ASessionsProcessHasLimits) {
  // More than sanitizers reserve.
  const std::string memory = "4000000000000000000";
  Server server({"--connect-timeout", "600", "--session-memory", memory}, kSwallow);
  const std::string reply = http_exchange(server.port(), post(request_body()));
  ASSERT_EQ(status_of(reply), 200);
  const auto children = test::children_of(server.process().pid());
  ASSERT_EQ(children.size(), 1u);
  EXPECT_EQ(limit_of(*children.begin(), "Max core file size"), "0 0");
  EXPECT_EQ(limit_of(*children.begin(), "Max open files"), "1024 1024");
  EXPECT_EQ(limit_of(*children.begin(), "Max data size"), memory + " " + memory);
  end(server, reply);
}

TEST_F(ServerProgram, ASessionsProcessHasAMemoryLimitUnlessToldOtherwise) {
  if (kReservesMemory) GTEST_SKIP() << "the sanitizer reserves more than that";
  const auto limit = [](Arguments more) {
    more.insert(more.end(), {"--connect-timeout", "600"});
    Server server(more, kSwallow);
    const std::string reply = http_exchange(server.port(), post(request_body()));
    EXPECT_EQ(status_of(reply), 200);
    const auto children = test::children_of(server.process().pid());
    EXPECT_EQ(children.size(), 1u);
    const std::string found = limit_of(*children.begin(), "Max data size");
    end(server, reply);
    return found;
  };
  // More sessions than the machine has memory for, so that each has the least.
  const auto least = [](std::size_t further_connections) {
    const auto bytes = std::to_string(
        default_session_memory({.memory = machine_memory(), .processors = g_get_num_processors()},
                               100'000, further_connections));
    return bytes + " " + bytes;
  };
  EXPECT_EQ(limit({"--max-sessions", "100000"}), least(4));
  EXPECT_EQ(limit({"--max-sessions", "100000", "--max-connections", "7"}), least(7));
  EXPECT_EQ(limit({"--max-sessions", "100000", "--protocols", "v1"}), least(0));
  EXPECT_EQ(limit({"--session-memory", "0"}), "unlimited unlimited");
}

TEST_F(ServerProgram, TakesTheDescriptorsThatSessionsInItNeed) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto most = std::to_string(limit.rlim_max);
  const rlimit few{256, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::optional<Server> server;
  server.emplace(Arguments{"--isolation", "none"}, kSwallow);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit_of(server->process().pid(), "Max open files"), most + " " + most);
}

TEST_F(ServerProgram, WithoutMemoryASessionEndsAndTheServerDoesNot) {
  if (kReservesMemory) GTEST_SKIP() << "the sanitizer reserves more than that";
  Server server({"--connect-timeout", "600", "--session-memory", "1000000"}, kSwallow);
  for (int i = 0; i < 2; ++i) {
    const std::string reply = http_exchange(server.port(), post(request_body()));
    EXPECT_EQ(status_of(reply), 500) << reply;
  }
}

TEST_F(ServerProgram, StrangersOnTheNetworkNeedToBeMeant) {
  const auto run = [](Arguments more) {
    Arguments arguments = {test::program(), "serve", "--port", "0", "--pipeline", kSwallow};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Process>(arguments);
  };
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"}) {
    const auto refused = run({"--address", address});
    EXPECT_EQ(refused->wait_for_exit(), 2) << address;
    EXPECT_THAT(refused->errors(), HasSubstr("--insecure"));
  }
  const auto listens = [&](Arguments more) {
    const auto server = run(std::move(more));
    EXPECT_TRUE(server->wait_for_line([](const std::string& line) {
      return line.find("\"listening\"") != std::string::npos;
    })) << server->errors();
  };
  listens({"--address", "0.0.0.0", "--insecure"});
  listens({"--address", "0.0.0.0", "--api-key", "k"});
  listens({"--address", "0.0.0.0", "--auth-hook", "http://127.0.0.1:1/"});
  listens({"--address", "localhost"});
  listens({"--address", "127.0.0.2"});
}

TEST_F(ServerProgram, CommandLinesThatMeanNothingAreRefused) {
  const auto refused = [](Arguments more) {
    Arguments arguments = {test::program(), "serve", "--port", "0", "--pipeline", kSwallow};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Process process(arguments);
    EXPECT_EQ(process.wait_for_exit(), 2) << more.front();
    return process.errors();
  };
  for (const char* option : {"--idle-timeout", "--upload-timeout", "--stall-timeout",
                             "--connect-timeout", "--max-processing-timeout", "--max-duration"}) {
    for (const char* value : {"-1", "nan", "x", "1e9"}) {
      EXPECT_THAT(refused({option, value}), HasSubstr(option));
    }
  }
  EXPECT_THAT(refused({"--connect-timeout", "0"}), HasSubstr("must be above 0"));
  EXPECT_THAT(refused({"--pipeline", "fakesink name=x"}), HasSubstr("two default pipelines"));
  for (const char* option : {"--max-size", "--max-chunks", "--min-rate", "--max-pixels",
                             "--max-frames", "--max-streams"}) {
    EXPECT_THAT(refused({option, "-1"}), HasSubstr(option));
  }
  EXPECT_THAT(refused({"--max-chunks", "4294967296"}), HasSubstr("between 0 and 4294967295"));
  EXPECT_THAT(refused({"--max-streams", "4294967296"}), HasSubstr("between 0 and 4294967295"));
  EXPECT_THAT(refused({"--max-pixels", "8k"}), HasSubstr("\"8k\" is neither"));
  EXPECT_THAT(refused({"--max-pixels", "9223372036854775808"}), HasSubstr("too large"));
  EXPECT_THAT(refused({"--video-codec", "VP9"}), HasSubstr("VP9"));
  EXPECT_THAT(refused({"--client-ice-servers", "deny"}), HasSubstr("deny"));
  EXPECT_THAT(refused({"--ice-server", "http://x"}), HasSubstr("--ice-server"));
  const std::string secret = refused({"--ice-server", "turn://me:secret@/"});
  EXPECT_THAT(secret, HasSubstr("--ice-server"));
  EXPECT_THAT(secret, Not(HasSubstr("secret")));
  for (const char* connections : {"0", "65"}) {
    EXPECT_THAT(refused({"--max-connections", connections}), HasSubstr("between 1 and 64"));
  }
  EXPECT_THAT(refused({"--isolation", "none", "--max-sessions", "100000000"}),
              HasSubstr("needs up to 6000000300 descriptors, 60 for each session"));
  EXPECT_THAT(refused({"--udp-port-range", "50100-50000"}), HasSubstr("the wrong way round"));
  EXPECT_THAT(refused({"--udp-port-range", "80-50000"}), HasSubstr("below 1024"));
  EXPECT_THAT(refused({"--udp-port-range", "50000-50006"}), HasSubstr("--max-sessions 8"));
  EXPECT_THAT(refused({"--udp-port-range", "50000-50007", "--max-sessions", "9"}),
              HasSubstr("50000-50007 is too small for --max-sessions 9"));
  EXPECT_THAT(
      refused({"--address", "0.0.0.0", "--insecure", "--announce-address", "upload.example.org"}),
      HasSubstr("\"upload.example.org\" is not an IP address"));
  // Nobody else can come.
  EXPECT_THAT(refused({"--announce-address", "203.0.113.7"}), HasSubstr("--address 127.0.0.1"));
  EXPECT_THAT(refused({"--api-key", ""}), HasSubstr("empty"));
  EXPECT_THAT(refused({"--api-key-file", "/no/such/file"}), HasSubstr("/no/such/file"));
  EXPECT_THAT(refused({"--auth-hook", "nowhere"}), HasSubstr("nowhere"));
  EXPECT_THAT(refused({"--quota-interval", "1"}), HasSubstr("--auth-hook"));
  EXPECT_THAT(refused({"--session-memory", "-1"}), HasSubstr("--session-memory"));
  EXPECT_THAT(refused({"--session-memory", "1", "--isolation", "none"}),
              HasSubstr("--isolation process"));
}

}  // namespace
}  // namespace webrtcupload
