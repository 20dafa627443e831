// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the tool's requests go: to the server that was named, with its key, and to no other,
// whatever that server says.

#include "tool/common/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "glib/main_context.h"
#include "hook_server.h"
#include "process.h"
#include "server.h"
#include "tool/send/session_watch.h"

namespace webrtcupload {
namespace {

using test::HookQuestion;
using test::HookReply;
using test::HookServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Failure = HttpClient::Reply::Failure;

constexpr unsigned kRedirects[] = {301, 302, 303, 307, 308};
constexpr const char* kKey = "sesame";

bool run_until(const std::function<bool()>& condition) {
  Timer deadline(g_main_context_default());
  Timer tick(g_main_context_default());
  bool late = false;
  deadline.start(test::kDeadline, [&] { late = true; });
  while (!condition() && !late) {
    tick.start(std::chrono::milliseconds(5), [] {});
    g_main_context_iteration(nullptr, TRUE);
  }
  return !late;
}

// A POST or a GET, with a key.
HttpClient::Reply ask(const std::string& url, bool post) {
  HttpClient client;
  std::optional<HttpClient::Reply> reply;
  const auto done = [&](HttpClient::Reply got) { reply = std::move(got); };
  const auto call = post ? client.post_json(url, kKey, R"({"an":"offer"})", done)
                         : client.get(url, kKey, test::kDeadline, done);
  EXPECT_TRUE(run_until([&] { return reply.has_value(); }));
  return reply.value_or(HttpClient::Reply{});
}

TEST(HttpClient, KnowsWhatASameOriginIs) {
  for (const auto& [one, other, same] :
       std::initializer_list<std::tuple<const char*, const char*, bool>>{
           {"http://a.example/x", "http://a.example/y?z", true},
           {"http://A.example", "http://a.EXAMPLE:80/", true},
           {"https://a.example:443", "https://a.example", true},
           {"http://127.0.0.1:8080", "http://127.0.0.1:8080/x", true},
           {"http://[::1]:8080/", "http://[::1]:8080/x", true},
           {"http://a.example", "https://a.example", false},
           {"http://a.example:443", "https://a.example", false},
           {"http://a.example", "http://a.example:8080", false},
           {"http://a.example", "http://b.example", false},
           {"http://a.example", "http://a.example.b.example", false},
           {"http://a.example", "http://a.example@b.example", false},
           {"http://127.0.0.1", "http://localhost", false},
           {"http://a.example", "ftp://a.example", false},
           {"http://a.example", "/x", false},
           {"", "", false}}) {
    EXPECT_EQ(is_same_origin(one, other), same) << one << " " << other;
    EXPECT_EQ(is_same_origin(other, one), same) << one << " " << other;
  }
}

TEST(HttpClient, IsLedOnWithinTheServer) {
  for (const bool post : {true, false}) {
    for (const unsigned status : kRedirects) {
      HookServer server([&](const HookQuestion& question) {
        if (question.path == "/there/") return HookReply{200, "{}", {}, false};
        return HookReply{status, "moved", {{"Location", "/there/"}}, false};
      });
      const HttpClient::Reply reply = ask(server.url(), post);
      EXPECT_EQ(reply.failure, Failure::kNone) << reply.problem;
      EXPECT_EQ(reply.status, 200u);
      EXPECT_EQ(reply.body, "{}");
      const auto questions = server.questions();
      ASSERT_EQ(questions.size(), 2u);
      EXPECT_EQ(questions[1].path, "/there/");
      EXPECT_EQ(questions[1].authorization, "Bearer sesame");
      // As RFC 9110, 15.4, has it.
      const bool again = post && status >= 307;
      EXPECT_EQ(questions[1].method, again ? "POST" : "GET") << status;
      EXPECT_EQ(questions[1].body, again ? questions[0].body : "") << status;
    }
  }
}

TEST(HttpClient, IsNotLedToAnotherServer) {
  HookServer elsewhere([](const HookQuestion&) { return HookReply{200, "{}", {}, false}; });
  for (const bool post : {true, false}) {
    for (const unsigned status : kRedirects) {
      std::string location;
      HookServer server([&](const HookQuestion&) {
        return HookReply{status, "", {{"Location", location}}, false};
      });
      const std::string port = server.url().substr(server.url().rfind(':'));
      for (const std::string& other :
           {elsewhere.url(), elsewhere.url().substr(5), "https://127.0.0.1" + port,
            "http://localhost" + port, "http://127.0.0.1@localhost" + port,
            std::string("ftp://127.0.0.1/")}) {
        location = other;
        const std::size_t before = server.questions().size();
        const HttpClient::Reply reply = ask(server.url(), post);
        EXPECT_EQ(reply.failure, Failure::kElsewhere) << other;
        EXPECT_THAT(reply.problem, AllOf(HasSubstr(server.url() + " redirects to "),
                                         HasSubstr("another server: nothing was sent there")));
        EXPECT_EQ(reply.location, "");
        EXPECT_EQ(server.questions().size(), before + 1) << other;
      }
    }
  }
  EXPECT_EQ(elsewhere.questions().size(), 0u);
}

TEST(HttpClient, AsksForAnEndAsItIsAskedTo) {
  HookServer server([](const HookQuestion& question) {
    if (question.path == "/there") return HookReply{200, "{}", {}, false};
    return HookReply{question.body.empty() ? 303u : 307u, "", {{"Location", "/there"}}, false};
  });
  HttpClient client;
  bool replied = false;
  const auto call =
      client.del(server.url(), kKey, test::kDeadline, [&](const HttpClient::Reply& reply) {
        EXPECT_EQ(reply.status, 200u);
        replied = true;
      });
  ASSERT_TRUE(run_until([&] { return replied; }));
  const auto questions = server.questions();
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].method, "DELETE");
  EXPECT_EQ(questions[0].authorization, "Bearer sesame");
  EXPECT_EQ(questions[1].method, "GET");
}

TEST(HttpClient, ReadsHowLongToWait) {
  using std::chrono::seconds;
  const char* header = "";
  HookServer server([&](const HookQuestion&) {
    return HookReply{429, "{}", {{"Retry-After", header}}, false};
  });
  for (const auto& [text, wait] :
       std::initializer_list<std::pair<const char*, std::optional<seconds>>>{
           {"5", seconds(5)},
           {"0", seconds(0)},
           {"86400", seconds(86400)},
           {"86401", std::nullopt},
           {"-1", std::nullopt},
           {"1.5", std::nullopt},
           {"99999999999999999999", std::nullopt},
           {"Wed, 21 Oct 2026 07:28:00 GMT", std::nullopt},
           {"x", std::nullopt}}) {
    header = text;
    EXPECT_EQ(ask(server.url(), true).retry_after, wait) << text;
  }
  HookServer silent([](const HookQuestion&) { return HookReply{429, "{}", {}, false}; });
  EXPECT_EQ(ask(silent.url(), true).retry_after, std::nullopt);
}

// Not after a step within the server either.
TEST(HttpClient, IsNotLedToAnotherServerInTwoSteps) {
  HookServer elsewhere([](const HookQuestion&) { return HookReply{200, "{}", {}, false}; });
  HookServer server([&](const HookQuestion& question) {
    const bool second = question.path == "/there";
    return HookReply{307, "", {{"Location", second ? elsewhere.url() : "/there"}}, false};
  });
  EXPECT_EQ(ask(server.url(), true).failure, Failure::kElsewhere);
  EXPECT_EQ(server.questions().size(), 2u);
  EXPECT_EQ(elsewhere.questions().size(), 0u);
}

TEST(HttpClient, IsNotLedInCircles) {
  HookServer server([](const HookQuestion&) {
    return HookReply{307, "", {{"Location", "/may"}}, false};
  });
  const HttpClient::Reply reply = ask(server.url(), true);
  EXPECT_EQ(reply.failure, Failure::kUnreachable);
  EXPECT_THAT(reply.problem, HasSubstr("too often"));
  EXPECT_EQ(server.questions().size(), 6u);
}

// What is asked there is asked with the key.
TEST(HttpClient, ASessionIsWhereItsServerIsOrNowhere) {
  std::string location = "/sessions/1";
  HookServer server([&](const HookQuestion&) {
    return HookReply{200, "{}", {{"Location", location}}, false};
  });
  const std::string root = server.url().substr(0, server.url().rfind('/'));
  EXPECT_EQ(ask(server.url(), true).location, root + "/sessions/1");
  location = root + "/sessions/2";
  EXPECT_EQ(ask(server.url(), true).location, location);
  for (const char* other :
       {"http://192.0.2.7/sessions/1", "//192.0.2.7/sessions/1", "nonsense://"}) {
    location = other;
    const HttpClient::Reply reply = ask(server.url(), true);
    EXPECT_EQ(reply.failure, Failure::kNone) << reply.problem;
    EXPECT_EQ(reply.location, "") << other;
  }
}

TEST(SessionWatch, ThatIsLedToAnotherServerAsksNoMore) {
  HookServer elsewhere([](const HookQuestion&) { return HookReply{200, "{}", {}, false}; });
  HookServer server([&](const HookQuestion&) {
    return HookReply{302, "", {{"Location", elsewhere.url()}}, false};
  });
  HttpClient http;
  bool told = false;
  SessionWatch watch(g_main_context_default(), http,
                     {.sign_of_life = [] { return std::uint64_t{0}; },
                      .ended = [&](const SessionStatus&) { told = true; },
                      .server_gone = [&](const std::string&) { told = true; }},
                     {.look = std::chrono::milliseconds(1),
                      .silence = std::chrono::milliseconds(1),
                      .reply = test::kDeadline});
  watch.start(server.url(), kKey);
  ASSERT_TRUE(run_until([&] { return server.questions().size() == 1; }));
  // Its reply has come as well when that of a later question has.
  EXPECT_EQ(ask(server.url(), false).failure, Failure::kElsewhere);
  EXPECT_EQ(ask(server.url(), false).failure, Failure::kElsewhere);
  EXPECT_EQ(server.questions().size(), 3u);
  EXPECT_FALSE(told);
  EXPECT_EQ(elsewhere.questions().size(), 0u);
}

TEST(Send, TakesItsKeyToNoOtherServer) {
  char film[] = "/tmp/webrtc-upload-film-XXXXXX";
  close(mkstemp(film));
  std::ofstream(film) << "film";
  HookServer elsewhere([](const HookQuestion&) { return HookReply{200, "{}", {}, false}; });
  HookServer server([&](const HookQuestion&) {
    return HookReply{307, "", {{"Location", elsewhere.url()}}, false};
  });
  const std::string root = server.url().substr(0, server.url().rfind('/'));
  // What is asked first: for an offer, and for what the server speaks.
  for (const auto& [protocol, first] :
       {std::pair{"v1", server.url()}, std::pair{"auto", root + "/limits"}}) {
    const std::size_t before = server.questions().size();
    test::Process send({test::program(), "send", film, "--to", server.url(), "--api-key", kKey,
                        "--protocol", protocol});
    EXPECT_EQ(send.wait_for_exit(), 1);
    EXPECT_TRUE(test::eventually([&] { return send.errors().ends_with("\n"); }));
    const std::string sentence = "webrtc-upload send: " + first + " redirects to " +
                                 elsewhere.url() +
                                 ", which is another server: nothing was sent there\n";
    EXPECT_THAT(send.errors(), ::testing::EndsWith(sentence));
    EXPECT_EQ(std::ranges::count(sentence, '\n'), 1);
    ASSERT_EQ(server.questions().size(), before + 1);
    EXPECT_EQ(server.questions()[before].authorization, "Bearer sesame");
  }
  EXPECT_EQ(elsewhere.questions().size(), 0u);
  unlink(film);
}

}  // namespace
}  // namespace webrtcupload
