// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests to the drop-in endpoint: every field missing, of the wrong type, huge; and the replies.

#include "signalling/worker_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "json/json.h"

namespace webrtcupload {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

WorkerRequest parsed(std::string_view body) {
  auto result = parse_worker_request(body);
  if (const auto* error = std::get_if<HttpError>(&result)) {
    ADD_FAILURE() << error->status << " " << error->body();
    return {};
  }
  return std::get<WorkerRequest>(result);
}

HttpError refused(std::string_view body) {
  auto result = parse_worker_request(body);
  if (std::holds_alternative<WorkerRequest>(result)) {
    ADD_FAILURE() << "accepted " << body;
    return {};
  }
  return std::get<HttpError>(result);
}

constexpr const char* kMinimal = R"({"webrtc_offer": {"type": "offer", "sdp": "v=0"}})";

std::string with_field(const std::string& field) {
  return R"({"webrtc_offer": {"type": "offer", "sdp": "v=0"}, )" + field + "}";
}

TEST(WorkerRequest, Minimal) {
  const WorkerRequest request = parsed(kMinimal);
  EXPECT_EQ(request.offer_sdp, "v=0");
  EXPECT_FALSE(request.workflow_id);
  EXPECT_FALSE(request.processing_timeout);
  EXPECT_FALSE(request.api_key);
  EXPECT_FALSE(request.workspace_name);
  EXPECT_TRUE(request.realtime);
  EXPECT_FALSE(request.stream_output);
  EXPECT_FALSE(request.data_output);
  EXPECT_FALSE(request.declared_fps);
  EXPECT_THAT(request.ice_servers, IsEmpty());
}

TEST(WorkerRequest, WhatRealClientsSend) {
  const WorkerRequest request = parsed(R"({
    "workflow_configuration": {"type": "WorkflowConfiguration", "workflow_specification": null,
      "workspace_name": "w", "workflow_id": "faces", "image_input_name": "image",
      "workflows_parameters": {}, "workflows_thread_pool_workers": 4},
    "api_key": "secret", "webrtc_realtime_processing": false,
    "webrtc_offer": {"sdp": "v=0\r\n", "type": "offer"},
    "webrtc_config": {"iceServers": [{"urls": ["stun:x"]}]}, "webrtc_turn_config": null,
    "stream_output": [], "data_output": ["*"], "declared_fps": 30,
    "video_file_upload": true, "processing_timeout": 600, "requested_plan": "x"})");
  EXPECT_EQ(request.offer_sdp, "v=0\r\n");
  EXPECT_EQ(request.workflow_id, "faces");
  EXPECT_EQ(request.processing_timeout, 600.0);
  EXPECT_EQ(request.api_key, "secret");
  EXPECT_EQ(request.workspace_name, "w");
  EXPECT_FALSE(request.realtime);
  EXPECT_EQ(request.stream_output, Strings{});
  EXPECT_EQ(request.data_output, Strings{"*"});
  EXPECT_EQ(request.declared_fps, 30.0);
  EXPECT_THAT(request.ice_servers, ElementsAre(IceServer{{"stun:x:3478"}, "", ""}));
}

TEST(WorkerRequest, NullsAreLikeNothing) {
  const WorkerRequest request = parsed(
      with_field(R"("workflow_configuration": null, "processing_timeout": null, "api_key": null,
                    "webrtc_config": null, "webrtc_turn_config": null, "stream_output": null,
                    "data_output": null, "declared_fps": null, "webrtc_realtime_processing": null)"));
  EXPECT_TRUE(request.realtime);
  EXPECT_FALSE(request.stream_output);
  EXPECT_FALSE(request.data_output);
  EXPECT_THAT(request.ice_servers, IsEmpty());
  EXPECT_FALSE(
      parsed(with_field(R"("workflow_configuration": {"workflow_id": null, "workspace_name": null,
                           "workflow_specification": null, "workflows_parameters": null,
                           "image_input_name": null})"))
          .workflow_id);
  EXPECT_THAT(parsed(with_field(R"("webrtc_config": {"iceServers": null})")).ice_servers,
              IsEmpty());
  EXPECT_THAT(parsed(with_field(R"("webrtc_config": {})")).ice_servers, IsEmpty());
  EXPECT_FALSE(parsed(with_field(R"("stream_output": [null])")).stream_output);
  EXPECT_EQ(parsed(with_field(R"("data_output": [null, "a"])")).data_output, Strings{"a"});
}

TEST(WorkerRequest, ADeclaredRateOfZeroIsNone) {
  EXPECT_FALSE(parsed(with_field(R"("declared_fps": 0)")).declared_fps);
  EXPECT_EQ(parsed(with_field(R"("declared_fps": 29.97)")).declared_fps, 29.97);
  EXPECT_EQ(parsed(with_field(R"("declared_fps": 100000)")).declared_fps, 100000.0);
}

TEST(WorkerRequest, NotJsonIs400) {
  for (const char* body :
       {"", " ", "x", "{", "[]", "null", "\"text\"", "{}}", "{\"a\":}", "var a = {}", "{'a': 1}",
        "{/**/}", "{\"webrtc_offer\": {\"type\": \"offer\", \"sdp\": \"\xff\"}}"}) {
    const HttpError error = refused(body);
    EXPECT_EQ(error.status, 400u) << body;
    EXPECT_EQ(error.error_type, "BadRequest");
    EXPECT_THAT(error.body(), HasSubstr("\"message\":\"The request body "));
  }
}

// json-glib's parser recurses: unbounded nesting would be a crash.
TEST(WorkerRequest, DeepNestingIs400) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string body = R"({"webrtc_offer": )";
    for (int i = 0; i < 200000; ++i) body += open;
    EXPECT_EQ(refused(body).status, 400u);
  }
  // Hidden from a count that takes a comment's quote for a string's begin.
  std::string body = R"({/*"*/"a": )" + std::string(200000, '[');
  EXPECT_EQ(refused(body).status, 400u);
  body = R"({'"': ")" + std::string(200000, '[');
  EXPECT_EQ(refused(body).status, 400u);
  // Brackets in strings are no nesting.
  parsed(with_field("\"x\": \"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\""));
}

struct WrongField {
  const char* body;
  const char* location;
  const char* type;
};

TEST(WorkerRequest, WrongFieldsAre422WithTheirPlace) {
  for (const WrongField& wrong : {
           WrongField{"{}", R"(["body","webrtc_offer"])", "missing"},
           WrongField{R"({"webrtc_offer": null})", R"(["body","webrtc_offer"])", "object_type"},
           WrongField{R"({"webrtc_offer": "v=0"})", R"(["body","webrtc_offer"])", "object_type"},
           WrongField{R"({"webrtc_offer": []})", R"(["body","webrtc_offer"])", "object_type"},
           WrongField{R"({"webrtc_offer": {"type": "offer"}})", R"(["body","webrtc_offer","sdp"])",
                      "missing"},
           WrongField{R"({"webrtc_offer": {"sdp": "v=0"}})", R"(["body","webrtc_offer","type"])",
                      "missing"},
           WrongField{R"({"webrtc_offer": {"type": "offer", "sdp": 5}})",
                      R"(["body","webrtc_offer","sdp"])", "string_type"},
           WrongField{R"({"webrtc_offer": {"type": "offer", "sdp": null}})",
                      R"(["body","webrtc_offer","sdp"])", "string_type"},
           WrongField{R"({"webrtc_offer": {"type": "offer", "sdp": ["v=0"]}})",
                      R"(["body","webrtc_offer","sdp"])", "string_type"},
           WrongField{R"({"webrtc_offer": {"type": "answer", "sdp": "v=0"}})",
                      R"(["body","webrtc_offer","type"])", "literal_error"},
           WrongField{R"({"webrtc_offer": {"type": 1, "sdp": "v=0"}})",
                      R"(["body","webrtc_offer","type"])", "string_type"},
       }) {
    const HttpError error = refused(wrong.body);
    EXPECT_EQ(error.status, 422u) << wrong.body;
    EXPECT_THAT(error.body(), HasSubstr("\"loc\":" + std::string(wrong.location))) << wrong.body;
    EXPECT_THAT(error.body(), HasSubstr("\"type\":\"" + std::string(wrong.type) + "\""));
    EXPECT_THAT(error.body(), HasSubstr("{\"detail\":["));
  }
  for (const char* field :
       {R"("workflow_configuration": 1)",
        R"("workflow_configuration": [])",
        R"("workflow_configuration": {"workflow_id": 7})",
        R"("workflow_configuration": {"workflow_id": {}})",
        R"("workflow_configuration": {"workspace_name": 7})",
        R"("workflow_configuration": {"workflow_specification": "x"})",
        R"("workflow_configuration": {"workflow_specification": []})",
        R"("workflow_configuration": {"workflows_parameters": 1})",
        R"("workflow_configuration": {"image_input_name": true})",
        R"("api_key": 1)",
        R"("api_key": "a\r\nb")",
        R"("api_key": {})",
        R"("processing_timeout": "10")",
        R"("processing_timeout": true)",
        R"("processing_timeout": -1)",
        R"("processing_timeout": 0)",
        R"("processing_timeout": [])",
        R"("processing_timeout": 1e999)",
        R"("webrtc_realtime_processing": "true")",
        R"("webrtc_realtime_processing": 1)",
        R"("webrtc_realtime_processing": [])",
        R"("stream_output": "image")",
        R"("stream_output": {})",
        R"("stream_output": [1])",
        R"("stream_output": [["image"]])",
        R"("data_output": "*")",
        R"("data_output": 5)",
        R"("data_output": [{}])",
        R"("data_output": ["a", false])",
        R"("declared_fps": "30")",
        R"("declared_fps": -1)",
        R"("declared_fps": 1e999)",
        R"("declared_fps": -1e999)",
        R"("declared_fps": 100001)",
        R"("declared_fps": true)",
        R"("webrtc_config": 1)",
        R"("webrtc_config": [])",
        R"("webrtc_config": {"iceServers": 1})",
        R"("webrtc_config": {"iceServers": {}})",
        R"("webrtc_config": {"iceServers": [1]})",
        R"("webrtc_config": {"iceServers": [null]})",
        R"("webrtc_config": {"iceServers": [{}]})",
        R"("webrtc_config": {"iceServers": [{"urls": 1}]})",
        R"("webrtc_config": {"iceServers": [{"urls": null}]})",
        R"("webrtc_config": {"iceServers": [{"urls": {}}]})",
        R"("webrtc_config": {"iceServers": [{"urls": [1]}]})",
        R"("webrtc_config": {"iceServers": [{"urls": ""}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "http://x"}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "stun:x", "username": 1}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "turn:x"}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "turn:x", "username": "u"}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "turn:x", "credential": "c"}]})",
        R"("webrtc_config": {"iceServers": [{"urls": "turn:x", "username": "u",
            "credential": "a\nb"}]})",
        R"("webrtc_turn_config": "turn:x")",
        R"("webrtc_turn_config": {})",
        R"("webrtc_turn_config": {"urls": "turn:x"})"}) {
    const HttpError error = refused(with_field(field));
    EXPECT_EQ(error.status, 422u) << field;
    EXPECT_EQ(error.detail.size(), 1u) << field << error.body();
  }
}

TEST(WorkerRequest, AWrongItemIsNamed) {
  EXPECT_THAT(refused(with_field(R"("data_output": ["a", 1])")).body(),
              HasSubstr(R"("loc":["body","data_output","1"])"));
  EXPECT_THAT(refused(with_field(R"("webrtc_config": {"iceServers": [{"urls": "stun:x"},
                            {"urls": ["stun:y", "stun:y:0"]}]})"))
                  .body(),
              HasSubstr(R"("loc":["body","webrtc_config","iceServers","1","urls","1"])"));
}

std::string list_of(std::size_t count, const std::string& item) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i) list += (i ? "," : "") + item;
  return list + "]";
}

TEST(WorkerRequest, ListsAndNamesAreBounded) {
  const WorkerRequestLimits limits;
  const auto status = [](const std::string& field) {
    const auto result = parse_worker_request(with_field(field));
    const auto* error = std::get_if<HttpError>(&result);
    return error ? error->status : 200u;
  };
  const auto quoted = [](std::size_t size) { return "\"" + std::string(size, 'a') + "\""; };
  for (const std::string name : {"stream_output", "data_output"}) {
    EXPECT_EQ(status("\"" + name + "\": " + list_of(limits.max_outputs, "\"a\"")), 200u);
    EXPECT_EQ(status("\"" + name + "\": " + list_of(limits.max_outputs + 1, "\"a\"")), 422u);
    EXPECT_EQ(status("\"" + name + "\": " + list_of(50000, "null")), 422u);
    EXPECT_EQ(status("\"" + name + "\": [" + quoted(limits.max_name_bytes) + "]"), 200u);
    EXPECT_EQ(status("\"" + name + "\": [" + quoted(limits.max_name_bytes + 1) + "]"), 422u);
  }
  EXPECT_EQ(status("\"api_key\": " + quoted(limits.max_key_bytes)), 200u);
  EXPECT_EQ(status("\"api_key\": " + quoted(limits.max_key_bytes + 1)), 422u);
  for (const std::string name : {"workflow_id", "workspace_name", "image_input_name"}) {
    const std::string head = "\"workflow_configuration\": {\"" + name + "\": ";
    EXPECT_EQ(status(head + quoted(limits.max_name_bytes) + "}"), 200u);
    EXPECT_EQ(status(head + quoted(limits.max_name_bytes + 1) + "}"), 422u);
  }
  const auto servers = [&](std::size_t count, const std::string& urls) {
    return status(
        "\"webrtc_config\": {\"iceServers\": " + list_of(count, "{\"urls\": " + urls + "}") + "}");
  };
  EXPECT_EQ(servers(limits.max_ice_servers, "\"stun:x\""), 200u);
  EXPECT_EQ(servers(limits.max_ice_servers + 1, "\"stun:x\""), 422u);
  EXPECT_EQ(servers(1, list_of(limits.max_ice_urls, "\"stun:x\"")), 200u);
  EXPECT_EQ(servers(1, list_of(limits.max_ice_urls + 1, "\"stun:x\"")), 422u);
  EXPECT_EQ(servers(limits.max_ice_servers, list_of(3, "\"stun:x\"")), 422u);
  EXPECT_EQ(servers(1, quoted(100000)), 422u);
}

TEST(WorkerRequest, IceServersOfEachForm) {
  EXPECT_THAT(parsed(with_field(R"("webrtc_config": {"iceServers": [
        {"urls": "stun:stun.example.org"},
        {"urls": ["turn:t.example.org?transport=tcp", "turns:t.example.org:443"],
         "username": "1700000000:ann", "credential": "p@ss/w:rd?%\u00e4"},
        {"urls": ["stuns:t.example.org"]},
        {"urls": []}]},
        "webrtc_turn_config": {"urls": "turn:older", "username": "u", "credential": "c"})"))
                  .ice_servers,
              ElementsAre(IceServer{{"stun:stun.example.org:3478"}, "", ""},
                          IceServer{{"turn:t.example.org:3478?transport=tcp",
                                     "turns:t.example.org:443?transport=tcp"},
                                    "1700000000:ann",
                                    "p@ss/w:rd?%\u00e4"}));
  EXPECT_THAT(
      parsed(with_field(
                 R"("webrtc_turn_config": {"urls": "turn:o", "username": "u", "credential": "c"})"))
          .ice_servers,
      ElementsAre(IceServer{{"turn:o:3478?transport=udp"}, "u", "c"}));
}

TEST(WorkerRequest, IceServersAreTheOperatorsAndTheClientsOnlyIfAllowed) {
  const WorkerRequest none = parsed(with_field(R"("webrtc_config": null)"));
  const WorkerRequest some =
      parsed(with_field(R"("webrtc_config": {"iceServers": [{"urls": "stun:theirs"}]})"));
  const IceServer ours{{"turn:ours:3478?transport=udp"}, "u", "c"};
  const IceServer theirs{{"stun:theirs:3478"}, "", ""};
  const auto chosen = [&](const WorkerRequest& request, ClientIceServers clients) {
    auto result = choose_ice_servers(request, clients, {ours});
    const auto* servers = std::get_if<std::vector<IceServer>>(&result);
    EXPECT_TRUE(servers);
    return servers ? *servers : std::vector<IceServer>{};
  };
  for (const auto clients :
       {ClientIceServers::kIgnore, ClientIceServers::kAllow, ClientIceServers::kRefuse}) {
    EXPECT_THAT(chosen(none, clients), ElementsAre(ours));
  }
  EXPECT_THAT(chosen(some, ClientIceServers::kIgnore), ElementsAre(ours));
  EXPECT_THAT(chosen(some, ClientIceServers::kAllow), ElementsAre(ours, theirs));
  const auto refused = choose_ice_servers(some, ClientIceServers::kRefuse, {ours});
  ASSERT_TRUE(std::holds_alternative<HttpError>(refused));
  EXPECT_EQ(std::get<HttpError>(refused).status, 400u);
  EXPECT_THAT(std::get<HttpError>(refused).message, HasSubstr("webrtc_config"));
}

TEST(IceServers, ArePublicWithoutCredentials) {
  const IceServer stun{{"stun:a:3478"}, "", ""};
  EXPECT_THAT(without_credentials({{{"turn:b:3478?transport=udp"}, "u", "c"}, stun}),
              ElementsAre(stun));
}

TEST(IceUrl, IsReadAndMadeCanonical) {
  const auto read = [](const char* url) {
    const auto result = parse_ice_url(url);
    const auto* error = std::get_if<IceUrlError>(&result);
    return error ? "error: " + error->message : std::get<std::string>(result);
  };
  EXPECT_EQ(read("stun:a"), "stun:a:3478");
  EXPECT_EQ(read("STUN:A.b-c_d.9x:1"), "stun:A.b-c_d.9x:1");
  EXPECT_EQ(read("stun:1.2.3.4:65535"), "stun:1.2.3.4:65535");
  EXPECT_EQ(read("stun:[::1]"), "stun:[::1]:3478");
  EXPECT_EQ(read("stun:a:3478?transport=udp"), "stun:a:3478");
  EXPECT_EQ(read("turn:a"), "turn:a:3478?transport=udp");
  EXPECT_EQ(read("turn:[2001:db8::1]:9?transport=TCP"), "turn:[2001:db8::1]:9?transport=tcp");
  EXPECT_EQ(read("turns:a"), "turns:a:5349?transport=tcp");
  EXPECT_EQ(read("turns:a:443?transport=tcp"), "turns:a:443?transport=tcp");
  // Valid, and of no use.
  EXPECT_EQ(read("turns:a?transport=udp"), "");
  EXPECT_EQ(read("stuns:a"), "");
}

TEST(IceUrl, NonsenseIsRefused) {
  for (const std::string& url : {std::string(""),
                                 std::string("stun"),
                                 std::string("stun:"),
                                 std::string("a"),
                                 std::string("http:a"),
                                 std::string("stun://a"),
                                 std::string("stun:a:"),
                                 std::string("stun:a:0"),
                                 std::string("stun:a:65536"),
                                 std::string("stun:a:99999999999"),
                                 std::string("stun:a:-1"),
                                 std::string("stun:a:+1"),
                                 std::string("stun:a: 1"),
                                 std::string("stun:a:1x"),
                                 std::string("stun:a:1/x"),
                                 std::string("stun::1"),
                                 std::string("stun: a"),
                                 std::string("stun:a b"),
                                 std::string("stun:a\r\nb"),
                                 std::string("stun:a.."),
                                 std::string("stun:.a"),
                                 std::string("stun:a."),
                                 std::string("stun:-a"),
                                 std::string("stun:u@a"),
                                 std::string("stun:u:p@a"),
                                 std::string("stun:a%20"),
                                 std::string("stun:a#b"),
                                 std::string("stun:\xc3\xa4"),
                                 std::string("stun:127.1"),
                                 std::string("stun:2130706433"),
                                 std::string("stun:0x7f000001"),
                                 std::string("stun:1.2.3.999"),
                                 std::string("stun:[::1"),
                                 std::string("stun:::1"),
                                 std::string("stun:[]"),
                                 std::string("stun:[1.2.3.4]"),
                                 std::string("stun:[::1]x"),
                                 std::string("stun:[fe80::1%lo]"),
                                 std::string("turn:a?"),
                                 std::string("turn:a?x=y"),
                                 std::string("turn:a?transport=sctp"),
                                 std::string("turn:a?transport=udp&x"),
                                 std::string("stun:a?transport=tcp"),
                                 "stun:" + std::string(64, 'a'),
                                 "stun:" + std::string(600, 'a')}) {
    EXPECT_TRUE(std::holds_alternative<IceUrlError>(parse_ice_url(url))) << url;
  }
  EXPECT_TRUE(std::holds_alternative<IceUrlError>(parse_ice_url(std::string_view("stun:a\0b", 8))));
}

TEST(Outputs, AreChosenFromWhatThereIs) {
  const auto choose = [](const std::string& fields, std::string_view findings = "predictions") {
    const auto result = choose_outputs(parsed(with_field(fields)), findings);
    if (const auto* error = std::get_if<HttpError>(&result)) {
      ADD_FAILURE() << error->body();
      return ChosenOutputs{};
    }
    return std::get<ChosenOutputs>(result);
  };
  EXPECT_THAT(choose(R"("data_output": null)").data, IsEmpty());
  EXPECT_THAT(choose(R"("data_output": [])").data, IsEmpty());
  EXPECT_THAT(choose(R"("data_output": ["*"])").data, ElementsAre("*"));
  EXPECT_THAT(choose(R"("data_output": ["image", "predictions", "image"])").data,
              ElementsAre("image", "predictions"));
  EXPECT_THAT(choose(R"("data_output": ["*", "image"])").data, ElementsAre("*", "image"));
  EXPECT_THAT(choose(R"("data_output": ["codes"])", "codes").data, ElementsAre("codes"));
  EXPECT_EQ(choose(R"("stream_output": null)").video, "image");
  EXPECT_EQ(choose(R"("x": 1)").video, "image");
  EXPECT_EQ(choose(R"("stream_output": ["image"])").video, "image");
  EXPECT_EQ(choose(R"("stream_output": [])").video, std::nullopt);
}

TEST(Outputs, AnUnknownNameIs400AndListsWhatThereIs) {
  for (const char* field :
       {R"("data_output": ["what"])", R"("data_output": ["image", ""])",
        R"("data_output": ["Image"])", R"("stream_output": ["what"])", R"("stream_output": [""])",
        R"("stream_output": ["*"])", R"("stream_output": ["image", "what"])",
        R"("stream_output": ["predictions"])"}) {
    const auto result = choose_outputs(parsed(with_field(field)));
    const auto* error = std::get_if<HttpError>(&result);
    ASSERT_TRUE(error) << field;
    EXPECT_EQ(error->status, 400u);
    EXPECT_EQ(error->error_type, "UnknownOutput");
    EXPECT_THAT(error->message, HasSubstr("image"));
  }
  const auto result = choose_outputs(parsed(with_field(R"("data_output": ["what"])")), "codes");
  EXPECT_EQ(std::get<HttpError>(result).message,
            "data_output names \"what\", but there is only: codes, image.");
}

TEST(WorkerRequest, EveryWrongFieldIsListed) {
  const HttpError error =
      refused(R"({"webrtc_offer": {}, "api_key": 1, "processing_timeout": "x"})");
  EXPECT_EQ(error.detail.size(), 4u);
}

TEST(WorkerRequest, HugeValuesArePassedOrRefusedButNeverMisread) {
  EXPECT_EQ(parsed(with_field("\"x\": \"" + std::string(1 << 20, 'a') + "\"")).offer_sdp, "v=0");
  EXPECT_EQ(parsed(with_field("\"processing_timeout\": 1e300")).processing_timeout, 1e300);
}

TEST(WorkerRequest, WhatSendWritesIsRead) {
  WorkerRequest request;
  request.offer_sdp = "v=0\r\na=\"x\"\\\r\n";
  request.workflow_id = "one";
  request.processing_timeout = 2.5;
  request.realtime = false;
  request.stream_output = Strings{};
  request.data_output = Strings{"*", "image"};
  request.declared_fps = 25;
  const WorkerRequest back = parsed(write_worker_request(request));
  EXPECT_EQ(back.offer_sdp, request.offer_sdp);
  EXPECT_EQ(back.workflow_id, request.workflow_id);
  EXPECT_EQ(back.processing_timeout, request.processing_timeout);
  EXPECT_EQ(back.realtime, request.realtime);
  EXPECT_EQ(back.stream_output, request.stream_output);
  EXPECT_EQ(back.data_output, request.data_output);
  EXPECT_EQ(back.declared_fps, request.declared_fps);
}

TEST(WorkerReply, SuccessIsExactlyTheContract) {
  EXPECT_EQ(worker_reply("v=0"),
            R"({"status":"success","context":{"request_id":null,"pipeline_id":null},)"
            R"("sdp":"v=0","type":"answer"})");
}

TEST(WorkerReply, ErrorIsExactlyTheContract) {
  EXPECT_EQ((HttpError{429, "TooManySessions", "Busy.", {}}.body()),
            R"({"message":"Busy.","error_type":"TooManySessions"})");
}

TEST(WorkerReply, IsReadBack) {
  EXPECT_EQ(parse_worker_reply(200, worker_reply("v=0")).answer_sdp, "v=0");
  EXPECT_THAT(parse_worker_reply(429, HttpError{429, "T", "Busy.", {}}.body()).problem,
              HasSubstr("429: Busy."));
  EXPECT_THAT(parse_worker_reply(502, "<html>").problem, HasSubstr("502"));
  EXPECT_FALSE(parse_worker_reply(200, "<html>").answer_sdp);
  EXPECT_FALSE(parse_worker_reply(200, "{}").answer_sdp);
}

}  // namespace
}  // namespace webrtcupload
