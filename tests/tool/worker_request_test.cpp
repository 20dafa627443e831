// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests to the drop-in endpoint: every field missing, of the wrong type, huge; and the replies.

#include "signalling/worker_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "json/json.h"

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;

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
}

TEST(WorkerRequest, NullsAreLikeNothing) {
  parsed(
      with_field(R"("workflow_configuration": null, "processing_timeout": null, "api_key": null)"));
  EXPECT_FALSE(
      parsed(with_field(R"("workflow_configuration": {"workflow_id": null})")).workflow_id);
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
       {R"("workflow_configuration": 1)", R"("workflow_configuration": [])",
        R"("workflow_configuration": {"workflow_id": 7})",
        R"("workflow_configuration": {"workflow_id": {}})", R"("api_key": 1)", R"("api_key": {})",
        R"("processing_timeout": "10")", R"("processing_timeout": true)",
        R"("processing_timeout": -1)", R"("processing_timeout": 0)", R"("processing_timeout": [])",
        R"("processing_timeout": 1e999)"}) {
    EXPECT_EQ(refused(with_field(field)).status, 422u) << field;
  }
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
  const WorkerRequest back = parsed(write_worker_request(request));
  EXPECT_EQ(back.offer_sdp, request.offer_sdp);
  EXPECT_EQ(back.workflow_id, request.workflow_id);
  EXPECT_EQ(back.processing_timeout, request.processing_timeout);
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
