// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may do what: the operator's webhook and its replies (a real one over HTTP), beside the keys.

#include "tool/serve/policy.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "glib/main_context.h"
#include "hook_server.h"
#include "json/json.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HookQuestion;
using test::HookReply;
using test::HookServer;
using ::testing::HasSubstr;
using ::testing::Not;

// Of what is not to time out, however slow the machine.
constexpr seconds kDeadline{60};

// Runs the default context until `condition` holds, which may change on other threads as well.
// Fails after a minute.
void run_until(const std::function<bool()>& condition) {
  const guint look = g_timeout_add(
      5, [](gpointer) -> gboolean { return G_SOURCE_CONTINUE; }, nullptr);
  const auto end = std::chrono::steady_clock::now() + seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) {
      ADD_FAILURE() << "it did not happen";
      break;
    }
    g_main_context_iteration(nullptr, TRUE);
  }
  g_source_remove(look);
}

TEST(Policy, ReadsItsKeysAgain) {
  char path[] = "/tmp/webrtc-upload-keys-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "one\n";
  ApiKeys keys;
  ASSERT_EQ(keys.read_file(path), "");
  Policy policy(std::move(keys), path, std::nullopt);
  EXPECT_TRUE(policy.protects());
  EXPECT_FALSE(policy.asks_sessions());
  EXPECT_FALSE(policy.keys().check("one"));
  std::ofstream(path) << "two\n";
  EXPECT_EQ(policy.reload_keys(), "");
  EXPECT_TRUE(policy.keys().check("one"));
  EXPECT_FALSE(policy.keys().check("two"));
  unlink(path);
}

TEST(Policy, WithoutKeysAsksForNone) {
  Policy policy({}, std::nullopt, std::nullopt);
  EXPECT_FALSE(policy.protects());
  EXPECT_FALSE(policy.keys().check(std::nullopt));
  EXPECT_FALSE(policy.keys().check("whatever"));
}

HttpClient::Reply reply_of(unsigned status, std::string body = "") {
  HttpClient::Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

TEST(HookReply, TwoHundredsAllowWithLimits) {
  for (const char* body : {"", " \n", "{}", R"({"max_size": null})", R"({"unknown": [1]})"}) {
    const auto verdict = read_hook_reply(reply_of(200, body));
    ASSERT_TRUE(std::holds_alternative<SessionLimits>(verdict)) << body;
    EXPECT_FALSE(std::get<SessionLimits>(verdict).max_size);
  }
  EXPECT_TRUE(std::holds_alternative<SessionLimits>(read_hook_reply(reply_of(204))));
  EXPECT_TRUE(std::holds_alternative<SessionLimits>(read_hook_reply(reply_of(299))));
  const auto verdict = read_hook_reply(reply_of(
      201,
      R"({"max_size": 1000, "min_rate": 0.5, "upload_timeout": 1.5, "processing_timeout": 1e300})"));
  ASSERT_TRUE(std::holds_alternative<SessionLimits>(verdict));
  const auto& limits = std::get<SessionLimits>(verdict);
  EXPECT_EQ(limits.max_size, 1000u);
  EXPECT_EQ(limits.min_rate, 1u);
  EXPECT_EQ(limits.upload_timeout, milliseconds(1500));
  EXPECT_EQ(limits.processing_timeout, kLongestTime);
  // Never "no limit" by rounding.
  const auto tiny = read_hook_reply(reply_of(200, R"({"upload_timeout": 1e-9})"));
  EXPECT_EQ(std::get<SessionLimits>(tiny).upload_timeout, milliseconds(1));
  EXPECT_FALSE(
      std::get<SessionLimits>(read_hook_reply(reply_of(200, R"({"max_size": 1e30})"))).max_size);
}

TEST(HookReply, FourStatusesDenyInTheHooksWords) {
  for (const unsigned status : {401u, 402u, 403u, 429u}) {
    const auto told = read_hook_reply(reply_of(status, R"({"message": "Not \"you\"."})"));
    ASSERT_TRUE(std::holds_alternative<HttpError>(told));
    EXPECT_EQ(std::get<HttpError>(told).status, status);
    EXPECT_EQ(std::get<HttpError>(told).message, "Not \"you\".");
    EXPECT_NE(std::get<HttpError>(told).error_type, "");
    for (const char* body : {"", "<html>", "{}", R"({"message": 1})", R"({"message": ""})"}) {
      const auto untold = read_hook_reply(reply_of(status, body));
      ASSERT_TRUE(std::holds_alternative<HttpError>(untold)) << body;
      EXPECT_EQ(std::get<HttpError>(untold).status, status);
      EXPECT_NE(std::get<HttpError>(untold).message, "");
      EXPECT_THAT(std::get<HttpError>(untold).message, Not(HasSubstr("html")));
    }
  }
  // A letter of two bytes is not cut in half.
  std::string letters = "x";
  for (int i = 0; i < 2000; ++i) letters += "\xc3\xa4";
  const auto cut = read_hook_reply(reply_of(403, R"({"message": ")" + letters + "\"}"));
  const std::string message = std::get<HttpError>(cut).message;
  EXPECT_LE(message.size(), 1000u);
  EXPECT_GE(message.size(), 998u);
  EXPECT_TRUE(g_utf8_validate(message.data(), static_cast<gssize>(message.size()), nullptr));
}

TEST(HookReply, EverythingElseDeniesAndTellsTheClientNothing) {
  std::vector<HttpClient::Reply> replies;
  for (const unsigned status : {100u, 300u, 301u, 302u, 307u, 400u, 404u, 418u, 500u, 503u, 999u}) {
    replies.push_back(reply_of(status, R"({"message": "inner"})"));
  }
  for (const char* body :
       {"OK", "[]", "{", "null", R"({"max_size": "1"})", R"({"max_size": -1})",
        R"({"max_size": 0})", R"({"max_size": 0.5})", R"({"max_size": 1e999})",
        R"({"max_size": true})", R"({"min_rate": 0})", R"({"min_rate": "1"})",
        R"({"min_rate": -1})", R"({"upload_timeout": 0})", R"({"upload_timeout": "1"})",
        R"({"processing_timeout": -1})", R"({"processing_timeout": {}})", "\xff"}) {
    replies.push_back(reply_of(200, body));
  }
  for (const auto failure :
       {HttpClient::Reply::Failure::kUnreachable, HttpClient::Reply::Failure::kTooLarge}) {
    replies.push_back(reply_of(200));
    replies.back().failure = failure;
    replies.back().problem = "inner";
  }
  for (const auto& reply : replies) {
    const auto verdict = read_hook_reply(reply);
    ASSERT_TRUE(std::holds_alternative<HttpError>(verdict)) << reply.status << reply.body;
    EXPECT_EQ(std::get<HttpError>(verdict).status, 503u) << reply.status << reply.body;
    EXPECT_EQ(std::get<HttpError>(verdict).error_type, "AuthorizationUnavailable");
    EXPECT_THAT(std::get<HttpError>(verdict).message, Not(HasSubstr("inner")));
  }
  HttpClient::Reply late;
  late.failure = HttpClient::Reply::Failure::kTimeout;
  EXPECT_EQ(std::get<HttpError>(read_hook_reply(late)).status, 504u);
}

HookVerdict ask(AuthHook& hook, const std::string& question = "{}",
                const std::optional<std::string>& key = std::nullopt) {
  std::optional<HookVerdict> verdict;
  const auto asked =
      hook.ask(question, key, [&](HookVerdict result) { verdict = std::move(result); });
  run_until([&] { return verdict.has_value(); });
  return verdict.value_or(HttpError{});
}

unsigned status_of(const HookVerdict& verdict) {
  const auto* error = std::get_if<HttpError>(&verdict);
  return error ? error->status : 200;
}

TEST(AuthHook, CarriesTheQuestionAndTheReply) {
  HookServer server([](const HookQuestion&) { return HookReply{200, R"({"max_size": 5})"}; });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  const auto verdict = ask(hook, R"({"a":1})", "secret");
  ASSERT_EQ(status_of(verdict), 200u);
  EXPECT_EQ(std::get<SessionLimits>(verdict).max_size, 5u);
  AuthHook forwarding({.url = server.url(), .timeout = kDeadline, .forward_key = true});
  ask(forwarding, "{}", "secret");
  ask(forwarding, "{}", std::nullopt);
  const auto questions = server.questions();
  ASSERT_EQ(questions.size(), 3u);
  EXPECT_EQ(questions[0].path, "/may");
  EXPECT_EQ(questions[0].body, R"({"a":1})");
  EXPECT_EQ(questions[0].authorization, std::nullopt);
  EXPECT_EQ(questions[1].authorization, "Bearer secret");
  EXPECT_EQ(questions[2].authorization, std::nullopt);
}

TEST(AuthHook, DeniesAsTold) {
  unsigned status = 0;
  HookServer server([&](const HookQuestion&) {
    // A challenge is no reason to ask again.
    return HookReply{status, R"({"message":"Told."})", {{"WWW-Authenticate", "Basic realm=\"x\""}}};
  });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  std::size_t asked = 0;
  for (const unsigned each : {401u, 402u, 403u, 429u}) {
    status = each;
    const auto verdict = ask(hook);
    EXPECT_EQ(status_of(verdict), each);
    EXPECT_EQ(std::get<HttpError>(verdict).message, "Told.");
    EXPECT_EQ(server.questions().size(), ++asked);
  }
}

TEST(AuthHook, FollowsNoRedirect) {
  HookServer elsewhere([](const HookQuestion&) { return HookReply{}; });
  for (const unsigned status : {301u, 302u, 303u, 307u, 308u}) {
    HookServer server([&](const HookQuestion&) {
      return HookReply{status, "", {{"Location", elsewhere.url()}}};
    });
    AuthHook hook({.url = server.url(), .timeout = kDeadline});
    EXPECT_EQ(status_of(ask(hook)), 503u) << status;
  }
  EXPECT_EQ(elsewhere.questions().size(), 0u);
}

TEST(AuthHook, ReadsNoHugeReply) {
  std::size_t size = 0;
  HookServer server([&](const HookQuestion&) { return HookReply{200, std::string(size, ' ')}; });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  size = 64 * 1024;
  EXPECT_EQ(status_of(ask(hook)), 200u);
  size = 64 * 1024 + 1;
  EXPECT_EQ(status_of(ask(hook)), 503u);
  size = 50 << 20;
  EXPECT_EQ(status_of(ask(hook)), 503u);
}

TEST(AuthHook, DoesNotUnpackReplies) {
  HookServer server([](const HookQuestion&) {
    return HookReply{200, "\x1f\x8b garbage", {{"Content-Encoding", "gzip"}}};
  });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  EXPECT_EQ(status_of(ask(hook)), 503u);
}

TEST(AuthHook, DoesNotWaitForEver) {
  HookServer server([](const HookQuestion&) { return HookReply{.silent = true}; });
  AuthHook hook({.url = server.url(), .timeout = milliseconds(50)});
  EXPECT_EQ(status_of(ask(hook)), 504u);
}

TEST(AuthHook, ThatIsNotThereDenies) {
  // A port that is taken, and where nobody listens.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  AuthHook hook({.url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/",
                 .timeout = seconds(60)});
  EXPECT_EQ(status_of(ask(hook)), 503u);
  close(fd);
}

TEST(AuthHook, AnswersManyAtOnce) {
  HookServer server([](const HookQuestion& question) {
    return HookReply{question.body == "odd" ? 403u : 200u, ""};
  });
  AuthHook hook({.url = server.url(), .timeout = seconds(60)});
  int allowed = 0;
  int denied = 0;
  std::vector<AuthHook::Question> questions;
  for (int i = 0; i < 200; ++i) {
    questions.push_back(hook.ask(
        i % 2 ? "odd" : "even", std::nullopt,
        [&](const HookVerdict& verdict) { ++(status_of(verdict) == 200 ? allowed : denied); }));
  }
  run_until([&] { return allowed + denied == 200; });
  EXPECT_EQ(allowed, 100);
  EXPECT_EQ(denied, 100);
}

TEST(AuthHook, ThatIsDestroyedRepliesNoMore) {
  HookServer server([](const HookQuestion&) { return HookReply{.silent = true}; });
  auto hook =
      std::make_unique<AuthHook>(AuthHookOptions{.url = server.url(), .timeout = seconds(60)});
  std::vector<AuthHook::Question> questions;
  for (int i = 0; i < 3; ++i) {
    questions.push_back(hook->ask("{}", std::nullopt, [](const HookVerdict&) { ADD_FAILURE(); }));
  }
  run_until([&] { return server.questions().size() == 3; });
  hook.reset();
  while (g_main_context_iteration(nullptr, FALSE)) {
  }
}

TEST(AuthHook, AQuestionThatNobodyAsksAnyMoreIsGivenUp) {
  HookServer server(
      [](const HookQuestion& question) { return HookReply{.silent = question.body == "silent"}; });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  const auto never = [](const HookVerdict&) { ADD_FAILURE() << "a reply to nobody"; };
  // All the connections there are.
  std::vector<AuthHook::Question> under_way;
  for (int i = 0; i < 8; ++i) under_way.push_back(hook.ask("silent", std::nullopt, never));
  auto waits = hook.ask("waits", std::nullopt, never);
  run_until([&] { return server.questions().size() == 8; });
  waits = {};
  under_way.clear();
  run_until([&] { return server.given_up() == 8; });
  EXPECT_EQ(status_of(ask(hook, "last")), 200u);
  const auto questions = server.questions();
  ASSERT_EQ(questions.size(), 9u);
  EXPECT_EQ(questions.back().body, "last") << "what waited was not to be asked";
}

TEST(AuthHook, AQuestionMayBeGivenUpByItsOwnReply) {
  HookServer server([](const HookQuestion&) { return HookReply{}; });
  AuthHook hook({.url = server.url(), .timeout = kDeadline});
  AuthHook::Question question;
  int replies = 0;
  question = hook.ask("{}", std::nullopt, [&](const HookVerdict& verdict) {
    EXPECT_EQ(status_of(verdict), 200u);
    ++replies;
    question = {};
  });
  run_until([&] { return replies == 1; });
  EXPECT_EQ(status_of(ask(hook)), 200u);
}

TEST(AuthHook, IsBusyWhileSoManyWait) {
  HookServer server([](const HookQuestion&) { return HookReply{.silent = true}; });
  AuthHook hook({.url = server.url(), .timeout = kDeadline, .max_questions = 3});
  std::vector<AuthHook::Question> questions;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(hook.is_busy()) << i;
    questions.push_back(hook.ask("{}", std::nullopt, [](const HookVerdict&) { ADD_FAILURE(); }));
  }
  EXPECT_TRUE(hook.is_busy());
  // Who has to ask is not kept from it.
  questions.push_back(hook.ask("{}", std::nullopt, [](const HookVerdict&) { ADD_FAILURE(); }));
  run_until([&] { return server.questions().size() == 4; });
  questions.pop_back();
  EXPECT_TRUE(hook.is_busy());
  questions.pop_back();
  EXPECT_FALSE(hook.is_busy());
}

TEST(Policy, ABusyHookIsA503ForStrangers) {
  HookServer server([](const HookQuestion&) { return HookReply{.silent = true}; });
  Policy policy({}, std::nullopt,
                AuthHookOptions{.url = server.url(), .timeout = kDeadline, .max_questions = 1});
  EXPECT_FALSE(policy.check_hook());
  auto question = policy.ask_session(SessionFacts{}, [](const HookVerdict&) { ADD_FAILURE(); });
  const auto error = policy.check_hook();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 503u);
  EXPECT_EQ(error->error_type, "AuthorizationBusy");
  question = {};
  EXPECT_FALSE(policy.check_hook());
  EXPECT_FALSE(Policy({}, std::nullopt, std::nullopt).check_hook());
}

TEST(AuthHook, UrlsAreChecked) {
  EXPECT_EQ(check_hook_url("http://127.0.0.1:9/x?y=z"), "");
  EXPECT_EQ(check_hook_url("https://example.org"), "");
  for (const char* wrong : {"", "x", "/x", "ftp://x/", "http://", "file:///etc/passwd", "http:x"}) {
    EXPECT_THAT(check_hook_url(wrong), HasSubstr("is not an address")) << wrong;
  }
}

SessionFacts facts() {
  return {.session = "5e55",
          .client_address = "192.0.2.7",
          .key = "secret",
          .workflow_id = "a \"workflow\"",
          .pipeline = "codes",
          .realtime = true};
}

// docs/operating.md has the same.
TEST(Policy, AsksTheHookInTheDocumentedWords) {
  HookServer server([](const HookQuestion&) { return HookReply{}; });
  Policy policy({}, std::nullopt, AuthHookOptions{.url = server.url(), .timeout = kDeadline});
  EXPECT_TRUE(policy.protects());
  EXPECT_TRUE(policy.asks_sessions());
  int replies = 0;
  const auto first = policy.ask_session(facts(), [&](const HookVerdict& verdict) {
    EXPECT_EQ(status_of(verdict), 200u);
    ++replies;
  });
  run_until([&] { return replies == 1; });
  SessionFacts bare;
  bare.session = "1";
  bare.client_address = "::1";
  const auto second = policy.ask_running(bare, {PolicyQuestion::Point::kUpload, 1ull << 33, 0},
                                         [&](const PolicyAnswer& answer) {
                                           EXPECT_TRUE(answer.allowed);
                                           ++replies;
                                         });
  run_until([&] { return replies == 2; });
  const auto questions = server.questions();
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].body,
            R"({"point":"session","session":"5e55","client_address":"192.0.2.7",)"
            R"("api_key_id":"2bb80d537b1da3e3","workflow_id":"a \"workflow\"",)"
            R"("workspace_name":null,"pipeline":"codes","realtime":true})");
  EXPECT_EQ(questions[0].authorization, std::nullopt);
  EXPECT_EQ(questions[1].body,
            R"({"point":"upload","session":"1","client_address":"::1","api_key_id":null,)"
            R"("workflow_id":null,"workspace_name":null,"pipeline":null,"realtime":false,)"
            R"("bytes_announced":8589934592,"bytes_received":0,"name":null,"content_type":null,)"
            R"("sha256":null})");
}

TEST(Policy, TellsQuotaFromRights) {
  unsigned status = 0;
  HookServer server([&](const HookQuestion&) {
    return HookReply{status, R"({"message":"Told."})"};
  });
  Policy policy({}, std::nullopt, AuthHookOptions{.url = server.url(), .timeout = kDeadline});
  for (const auto& [each, over_quota] : std::initializer_list<std::pair<unsigned, bool>>{
           {401, false}, {403, false}, {402, true}, {429, true}, {500, false}}) {
    status = each;
    std::optional<PolicyAnswer> answer;
    const auto question = policy.ask_running(facts(), {PolicyQuestion::Point::kRunning, 0, 7},
                                             [&](const PolicyAnswer& given) { answer = given; });
    run_until([&] { return answer.has_value(); });
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->allowed) << each;
    EXPECT_EQ(answer->over_quota, over_quota) << each;
    if (each != 500) {
      EXPECT_EQ(answer->message, "Told.");
    }
  }
}

TEST(Policy, LimitsLowerAndNeverRaise) {
  SessionConfig config;
  apply_limits({}, config);
  EXPECT_EQ(config_line(config), config_line({}));

  config = {};
  apply_limits({.max_size = 1000, .upload_timeout = seconds(10), .processing_timeout = seconds(20)},
               config);
  EXPECT_EQ(config.max_size, 1000u);
  EXPECT_EQ(config.upload_timeout, seconds(10));
  EXPECT_EQ(config.processing_timeout, seconds(20));

  // Above what the server allows, by itself or by the element's default.
  const SessionLimits generous{.max_size = 1ull << 50,
                               .upload_timeout = seconds(100000),
                               .processing_timeout = seconds(100000)};
  config = {};
  config.processing_timeout = seconds(5);
  apply_limits(generous, config);
  EXPECT_EQ(config.max_size, 524288000u);
  EXPECT_EQ(config.upload_timeout, seconds(100000)) << "by default there is none";
  EXPECT_EQ(config.processing_timeout, seconds(5));
  config.max_size = 7;
  config.upload_timeout = milliseconds(3);
  apply_limits(generous, config);
  EXPECT_EQ(config.max_size, 7u);
  EXPECT_EQ(config.upload_timeout, milliseconds(3));

  // A rate is a limit from below: the higher one counts, and the default where none is set.
  config = {};
  apply_limits({.min_rate = 4095}, config);
  EXPECT_EQ(config.min_rate, 4096u);
  apply_limits({.min_rate = 4097}, config);
  EXPECT_EQ(config.min_rate, 4097u);
  config.min_rate = 0;
  apply_limits({.min_rate = 1}, config);
  EXPECT_EQ(config.min_rate, 1u);

  // 0 is "never": everything is lower than that.
  config.upload_timeout = milliseconds(0);
  apply_limits({.upload_timeout = seconds(9)}, config);
  EXPECT_EQ(config.upload_timeout, seconds(9));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
