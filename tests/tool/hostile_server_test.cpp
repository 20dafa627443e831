// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtc-upload send` against servers that want to do harm: whatever comes over the results
// channel, it ends once, with one sentence, and does not grow.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/result_framing.h"
#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "server.h"
#include "signalling/http_server.h"
#include "signalling/worker_request.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::eventually;
using test::Process;
using ::testing::HasSubstr;
using ::testing::Not;

// What it says over the results channel, as soon as that is open. It runs on the server's thread.
using Attack = std::function<void(DataChannel&)>;

void say(DataChannel& channel, std::uint32_t frame, const std::string& text) {
  for (std::uint32_t i = 0; i < result_chunk_count(text.size()); ++i) {
    channel.send(result_message(frame, i, text));
  }
}

void say_text(const DataChannel& channel, const std::string& text) {
  gst_webrtc_data_channel_send_string_full(channel.get(), text.c_str(), nullptr);
}

class HostileServer {
 public:
  explicit HostileServer(Attack attack) : attack_(std::move(attack)), thread_([this] { run(); }) {
    EXPECT_TRUE(eventually([this] { return port_ != 0; }));
  }
  ~HostileServer() {
    post_to(context_, [this] { leave([this] { g_main_loop_quit(loop_); }); });
    thread_.join();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] bool has_attacked() const { return attacked_; }

 private:
  void run() {
    g_main_context_push_thread_default(context_);
    {
      HttpServer http({}, [this](const HttpRequest& request, const HttpResponder& responder) {
        answer(request, responder);
      });
      EXPECT_EQ(http.start(), "");
      port_ = http.port();
      g_main_loop_run(loop_);
    }
    peer_.reset();
    while (g_main_context_iteration(context_, FALSE)) continue;
    g_main_context_pop_thread_default(context_);
  }

  void answer(const HttpRequest& request, const HttpResponder& responder) {
    if (request.method != "POST") return responder.fail({404, "NotFound", "Nothing.", {}});
    const auto parsed = parse_worker_request(request.body);
    ASSERT_TRUE(std::holds_alternative<WorkerRequest>(parsed));
    const auto offer = check_offer(std::get<WorkerRequest>(parsed).offer_sdp);
    ASSERT_TRUE(std::holds_alternative<Offer>(offer));
    std::string problem;
    peer_ = Peer::create(context_, PeerOptions{.local_addresses = {"127.0.0.1"}},
                         {.channel =
                              [this](std::shared_ptr<DataChannel> channel) {
                                results_ = std::move(channel);
                                attack_(*results_);
                                attacked_ = true;
                              }},
                         problem);
    ASSERT_TRUE(peer_) << problem;
    peer_->watch_channel("inference", 64 << 10);
    ASSERT_TRUE(peer_->start());
    peer_->answer(std::get<Offer>(offer),
                  [responder](const std::variant<std::string, PeerError>& result) {
                    ASSERT_TRUE(std::holds_alternative<std::string>(result));
                    responder.reply_json(200, worker_reply(std::get<std::string>(result)));
                  });
  }

  void leave(std::function<void()> then) {
    results_.reset();
    if (!peer_) return then();
    peer_->close(std::move(then));
  }

  const Attack attack_;
  std::atomic<int> port_ = 0;
  std::atomic<bool> attacked_ = false;
  GMainContext* context_ = g_main_context_new();
  GMainLoop* loop_ = g_main_loop_new(context_, FALSE);
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<DataChannel> results_;
  std::thread thread_;
};

// The most memory it has had.
std::size_t peak_of(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

struct Case {
  const char* name;
  Attack attack;
  // Its last words hold this.
  const char* says;
};
void PrintTo(const Case& row, std::ostream* out) { *out << row.name; }

std::string completion(const std::string& reason, const std::string& errors) {
  return R"({"serialized_output_data":null,"video_metadata":null,"errors":)" + errors +
         R"(,"processing_complete":true,"termination_reason":)" + reason + "}";
}

std::vector<Case> cases() {
  return {
      // More than are kept; the end still gets through.
      {"PiecesThatNeverBecomeWhole",
       [](DataChannel& channel) {
         std::vector<std::uint8_t> message(kResultHeaderSize + 1, 0);
         for (std::uint32_t i = 0; i < 60'000; ++i) {
           // A byte each, of 50 results of 65,535 pieces.
           message[0] = static_cast<std::uint8_t>(i % 50 + 1);
           message[4] = static_cast<std::uint8_t>(i / 50);
           message[5] = static_cast<std::uint8_t>(i / 50 / 256);
           message[8] = 0xff;
           message[9] = 0xff;
           channel.send(message);
         }
         say(channel, 1000, completion(R"("enough")", "[]"));
       },
       "enough"},
      {"WhatIsNoResult",
       [](DataChannel& channel) {
         for (int i = 0; i < 2000; ++i) {
           channel.send(std::vector<std::uint8_t>(static_cast<std::size_t>(i) % 12 + 1, 255));
           say_text(channel, "text");
           say(channel, 1, "{");
           say(channel, 2, "[]");
           say(channel, 3, R"({"processing_complete":"true"})");
         }
         say(channel, 4, completion(R"("enough")", "[]"));
       },
       "enough"},
      // Parsed, each of these takes some fifty times of its two bytes.
      {"AResultOfManySmallValues",
       [](DataChannel& channel) {
         std::string values = R"({"x":[1)";
         for (int i = 0; i < 1'900'000; ++i) values += ",1";
         say(channel, 1, values + R"(],"processing_complete":false})");
         say(channel, 2, completion(R"("enough")", "[]"));
       },
       "enough"},
      {"AnEndOfWrongTypes",
       [](DataChannel& channel) {
         say(channel, 1, completion("{}", R"([7,null,["x"],"enough"])"));
       },
       "enough"},
      {"AnEndWithALongSentenceForATerminal",
       [](DataChannel& channel) {
         say(channel, 1,
             completion("null", R"(["\u001b]0;title\u0007\u001b[2J\r\nline\u202e)" +
                                    std::string(100'000, 'x') + R"("])"));
       },
       "line"},
      {"SuccessBeforeTheUpload",
       [](DataChannel& channel) { say(channel, 1, completion("null", "[]")); },
       "the server ended before everything was sent"},
      {"ManyEnds",
       [](DataChannel& channel) {
         for (std::uint32_t i = 1; i < 5000; ++i) say(channel, i, completion(R"("enough")", "[]"));
       },
       "enough"},
  };
}

class SendAgainst : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-hostile-XXXXXX";
    directory_ = mkdtemp(name);
    // More than waits in any buffer: nobody reads it.
    std::ofstream(directory_ + "/film");
    fs::resize_file(directory_ + "/film", 500'000'000);
  }
  void TearDown() override { fs::remove_all(directory_); }
  std::string directory_;
};

TEST_P(SendAgainst, EndsOnceWithASentence) {
  constexpr std::size_t kMiB = 1024 * 1024;
  HostileServer server(GetParam().attack);
  Process send({test::program(), "send", directory_ + "/film", "--to", server.url()});
  std::size_t peak = 0;
  std::optional<int> status;
  EXPECT_TRUE(eventually([&] {
    peak = std::max(peak, peak_of(send.pid()));
    status = send.wait_for_exit(std::chrono::milliseconds(1));
    return status.has_value();
  }));
  EXPECT_EQ(status, 1);
  EXPECT_TRUE(server.has_attacked());
  EXPECT_LT(peak, 200 * kMiB);
  std::cout << "[ memory ] " << peak / kMiB << " MiB" << std::endl;
  const std::string errors = send.errors();
  const std::size_t last = errors.rfind("webrtc-upload send: ");
  ASSERT_NE(last, std::string::npos) << errors;
  EXPECT_EQ(errors.find("webrtc-upload send: "), last) << "only one: " << errors;
  const std::string sentence = errors.substr(last);
  EXPECT_THAT(sentence, HasSubstr(GetParam().says));
  EXPECT_EQ(std::ranges::count(sentence, '\n'), 1) << sentence.substr(0, 1000);
  // Nothing that a terminal would obey.
  EXPECT_TRUE(std::ranges::none_of(sentence, [](char c) {
    return (c >= 0 && c < ' ' && c != '\n') || c == 127;
  })) << sentence.substr(0, 1000);
}

INSTANTIATE_TEST_SUITE_P(, SendAgainst, testing::ValuesIn(cases()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace webrtcupload
