// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text of a result, field by field, and that it always is JSON.

#include "results/result_document.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "json/json.h"

namespace webrtcupload {
namespace {

using testing::HasSubstr;

VideoMetadata metadata_of(std::uint32_t id) {
  VideoMetadata metadata;
  metadata.frame_id = id;
  // 2026-08-01 12:34:56.000789
  metadata.received_at = VideoMetadata::Time(std::chrono::microseconds(1785587696000789));
  metadata.pts = 3600;
  metadata.declared_fps = 25;
  metadata.measured_fps = 24.5;
  metadata.width = 1920;
  metadata.height = 1080;
  return metadata;
}

constexpr const char* kMetadataText =
    R"({"frame_id":1,"received_at":"2026-08-01T12:34:56.000789+00:00","pts":3600,)"
    R"("time_base":1.1111111111111112e-05,"declared_fps":25,"measured_fps":24.5,)"
    R"("width":1920,"height":1080})";

JsonNodePtr parsed(const std::string& text) {
  auto result = parse_json_object(text);
  if (auto* node = std::get_if<JsonNodePtr>(&result)) return std::move(*node);
  ADD_FAILURE() << std::get<JsonError>(result).message << ": " << text;
  return JsonWriter().take();
}

ResultOutputs outputs_of(std::span<const Detection> detections) {
  ResultOutputs outputs;
  outputs.detections = ResultOutputs::Detections{"predictions", detections};
  return outputs;
}

// The detections of a result, as JSON.
struct Predictions {
  explicit Predictions(const std::string& text) : root(parsed(text)) {
    JsonObject* data =
        json_object_get_object_member(json_node_get_object(root.get()), "serialized_output_data");
    JsonArray* array = json_object_get_array_member(
        json_object_get_object_member(data, "predictions"), "predictions");
    for (guint i = 0; i < json_array_get_length(array); ++i) {
      items.push_back(json_array_get_object_element(array, i));
    }
  }
  JsonNodePtr root;
  std::vector<JsonObject*> items;
};

TEST(ResultDocument, OnlyMetadata) {
  ResultDocument document;
  EXPECT_EQ(document.result(metadata_of(1), nullptr, {}),
            std::string(R"({"serialized_output_data":null,"video_metadata":)") + kMetadataText +
                R"(,"errors":[],"processing_complete":false,"termination_reason":null})");
}

TEST(ResultDocument, WhatIsNotKnownIsNull) {
  VideoMetadata metadata;
  metadata.frame_id = 4294967295;
  ResultDocument document;
  EXPECT_THAT(
      document.result(metadata, nullptr, {}),
      HasSubstr(R"({"frame_id":4294967295,"received_at":"1970-01-01T00:00:00.000000+00:00",)"
                R"("pts":null,"time_base":1.1111111111111112e-05,"declared_fps":null,)"
                R"("measured_fps":null,"width":null,"height":null})"));
}

TEST(ResultDocument, PixelsThatAreNotSquareAreTold) {
  VideoMetadata metadata = metadata_of(1);
  metadata.pixel_aspect_ratio = 0.75;
  ResultDocument document;
  EXPECT_THAT(document.result(metadata, nullptr, {}),
              HasSubstr(R"("width":1920,"height":1080,"pixel_aspect_ratio":0.75})"));
}

TEST(ResultDocument, Detections) {
  const std::vector<Detection> detections = {
      {"person", Box{100.5, 200, 50, 80.25}, 0.75, ""},
      {"QR-Code", std::nullopt, std::nullopt, "frame 1"},
  };
  ResultDocument document;
  const auto outputs = outputs_of(detections);
  std::string text = document.result(metadata_of(1), &outputs, {});
  // What differs each time.
  GRegex* uuid =
      g_regex_new("\"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\"",
                  GRegexCompileFlags(0), GRegexMatchFlags(0), nullptr);
  char* replaced =
      g_regex_replace_literal(uuid, text.c_str(), -1, 0, "ID", GRegexMatchFlags(0), nullptr);
  text = replaced;
  g_free(replaced);
  g_regex_unref(uuid);
  EXPECT_EQ(text,
            std::string(R"({"serialized_output_data":{"predictions":)"
                        R"({"image":{"width":1920,"height":1080},"predictions":[)"
                        R"({"x":100.5,"y":200,"width":50,"height":80.25,"confidence":0.75,)"
                        R"("class_id":0,"class":"person","detection_id":ID},)"
                        R"({"x":960,"y":540,"width":1920,"height":1080,"confidence":1,)"
                        R"("class_id":1,"class":"QR-Code","detection_id":ID,"text":"frame 1"})"
                        R"(]}},"video_metadata":)") +
                kMetadataText +
                R"(,"errors":[],"processing_complete":false,"termination_reason":null})");
}

// The text with every detection_id and parent_id as D and the number of the detection it is of.
std::string with_numbers(std::string text, const Predictions& predictions) {
  for (std::size_t i = 0; i < predictions.items.size(); ++i) {
    const std::string id = json_object_get_string_member(predictions.items[i], "detection_id");
    for (std::size_t at = 0; (at = text.find(id)) != std::string::npos;) {
      text.replace(at, id.size(), "D" + std::to_string(i));
    }
  }
  return text;
}

TEST(ResultDocument, TracksPartsAnglesAndClasses) {
  Detection car{"car", Box{10, 20, 30, 40}, 0.5, ""};
  car.tracker_id = std::numeric_limits<std::uint64_t>::max();
  car.classifications = {{"red", 0.75}, {"car", std::nullopt}};
  Detection plate{"plate", Box{1, 2, 3, 4}, 0.5, "AB 12"};
  plate.parent = 2;
  plate.orientation =
      Orientation{22.5, {Point{1, 2}, Point{3.5, 4}, Point{5, 6}, Point{-7, 8.125}}};
  Detection truck{"truck", Box{1, 1, 1, 1}, 1, ""};
  truck.parent = 17;  // There is no such one.
  const std::vector<Detection> detections = {car, plate, truck};
  ResultDocument document;
  const auto outputs = outputs_of(detections);
  const std::string text = document.result(metadata_of(1), &outputs, {});
  EXPECT_THAT(
      with_numbers(text, Predictions(text)),
      HasSubstr(R"("predictions":[{"x":10,"y":20,"width":30,"height":40,"confidence":0.5,)"
                R"("class_id":0,"class":"car","detection_id":"D0",)"
                R"("tracker_id":18446744073709551615,"classifications":[)"
                R"({"class":"red","class_id":1,"confidence":0.75},)"
                R"({"class":"car","class_id":0,"confidence":1}]},)"
                R"({"x":1,"y":2,"width":3,"height":4,"confidence":0.5,"class_id":2,)"
                R"("class":"plate","detection_id":"D1","parent_id":"D2","angle":22.5,"points":[)"
                R"({"x":1,"y":2},{"x":3.5,"y":4},{"x":5,"y":6},{"x":-7,"y":8.125}],)"
                R"("text":"AB 12"},)"
                R"({"x":1,"y":1,"width":1,"height":1,"confidence":1,"class_id":3,)"
                R"("class":"truck","detection_id":"D2"}])"));
}

TEST(ResultDocument, NoDetectionsAreAnEmptyList) {
  ResultDocument document;
  const auto outputs = outputs_of({});
  EXPECT_THAT(
      document.result(metadata_of(1), &outputs, {}),
      HasSubstr(R"("predictions":{"image":{"width":1920,"height":1080},"predictions":[]})"));
}

TEST(ResultDocument, AnImage) {
  const std::vector<std::uint8_t> jpeg = {0xff, 0xd8, 0xff, 0xe0};
  ResultOutputs outputs;
  outputs.image = ResultOutputs::Image{"image", jpeg};
  ResultDocument document;
  EXPECT_THAT(document.result(metadata_of(1), &outputs, {}),
              HasSubstr(std::string(R"({"serialized_output_data":{"image":{"type":"base64",)"
                                    R"("value":"/9j/4A==","video_metadata":)") +
                        kMetadataText + "}}"));
}

TEST(ResultDocument, ImagesOfAnySizeAreWhole) {
  for (const std::size_t size : {0U, 1U, 2U, 3U, 4U, 57U, 58U, 4096U, 100001U}) {
    SCOPED_TRACE(size);
    std::vector<std::uint8_t> jpeg(size);
    for (std::size_t i = 0; i < size; ++i) jpeg[i] = static_cast<std::uint8_t>(i * 31);
    ResultOutputs outputs;
    outputs.image = ResultOutputs::Image{"image", jpeg};
    ResultDocument document;
    const auto root = parsed(document.result(metadata_of(1), &outputs, {}));
    JsonObject* data =
        json_object_get_object_member(json_node_get_object(root.get()), "serialized_output_data");
    JsonObject* image = json_object_get_object_member(data, "image");
    gsize length = 0;
    guchar* decoded = g_base64_decode(json_object_get_string_member(image, "value"), &length);
    EXPECT_EQ(std::vector<std::uint8_t>(decoded, decoded + length), jpeg);
    g_free(decoded);
  }
}

TEST(ResultDocument, SeveralOutputs) {
  ResultOutputs outputs = outputs_of({});
  outputs.value = ResultOutputs::Value{"answer", "{\"a\":[1,2]}"};
  outputs.image = ResultOutputs::Image{"image", {}};
  ResultDocument document;
  const auto root = parsed(document.result(metadata_of(1), &outputs, {}));
  JsonObject* data =
      json_object_get_object_member(json_node_get_object(root.get()), "serialized_output_data");
  EXPECT_EQ(json_object_get_size(data), 3U);
  JsonObject* answer = json_object_get_object_member(data, "answer");
  EXPECT_EQ(json_array_get_length(json_object_get_array_member(answer, "a")), 2U);
}

TEST(ResultDocument, AClassKeepsItsId) {
  ResultDocument document;
  const auto ids = [&](const std::vector<Detection>& detections) {
    const auto outputs = outputs_of(detections);
    const Predictions predictions(document.result(metadata_of(1), &outputs, {}));
    std::vector<std::int64_t> result;
    for (JsonObject* item : predictions.items) {
      result.push_back(json_integer(item, "class_id").value());
    }
    return result;
  };
  const Detection cat{"cat", {}, {}, ""};
  const Detection dog{"dog", {}, {}, ""};
  const Detection emu{"emu", {}, {}, ""};
  EXPECT_THAT(ids({cat, dog, cat}), testing::ElementsAre(0, 1, 0));
  EXPECT_THAT(ids({emu, dog}), testing::ElementsAre(2, 1));
  EXPECT_THAT(ids({cat}), testing::ElementsAre(0));
}

TEST(ResultDocument, ClassesAreBounded) {
  ResultDocument document;
  constexpr auto kLast = static_cast<std::int64_t>(ResultDocument::kMaxClasses);
  std::vector<Detection> detections;
  for (std::int64_t i = 0; i < kLast + 10; ++i)
    detections.push_back({std::to_string(i), {}, {}, ""});
  const auto outputs = outputs_of(detections);
  const Predictions predictions(document.result(metadata_of(1), &outputs, {}));
  ASSERT_EQ(predictions.items.size(), detections.size());
  for (std::int64_t i = 0; i < kLast + 10; ++i) {
    EXPECT_EQ(json_integer(predictions.items[static_cast<std::size_t>(i)], "class_id"),
              std::min(i, kLast));
  }
}

TEST(ResultDocument, NoDetectionIdComesTwice) {
  std::set<std::string> ids;
  const std::vector<Detection> detections(500, Detection{"a", {}, {}, ""});
  const auto outputs = outputs_of(detections);
  // Nor in another session.
  for (int session = 0; session < 4; ++session) {
    ResultDocument document;
    for (int frame = 0; frame < 5; ++frame) {
      const Predictions predictions(document.result(metadata_of(1), &outputs, {}));
      for (JsonObject* item : predictions.items) {
        EXPECT_TRUE(ids.insert(json_string(item, "detection_id").value()).second);
      }
    }
  }
  EXPECT_EQ(ids.size(), 10000U);
}

TEST(ResultDocument, NumbersAreFinite) {
  const double infinite = std::numeric_limits<double>::infinity();
  const std::vector<Detection> detections = {
      {"a", Box{NAN, infinite, -infinite, 1e300}, NAN, ""},
  };
  VideoMetadata metadata = metadata_of(1);
  metadata.measured_fps = infinite;
  ResultDocument document;
  const auto outputs = outputs_of(detections);
  const Predictions predictions(document.result(metadata, &outputs, {}));
  EXPECT_EQ(json_number(predictions.items.at(0), "x"), 0);
  EXPECT_EQ(json_number(predictions.items.at(0), "width"), 0);
  EXPECT_EQ(json_number(predictions.items.at(0), "height"), 1e300);
  EXPECT_EQ(json_number(predictions.items.at(0), "confidence"), 0);
}

TEST(ResultDocument, AMeasuredRateHasThreeDecimals) {
  VideoMetadata metadata = metadata_of(1);
  metadata.declared_fps = 30000.0 / 1001;
  metadata.measured_fps = 24.930000000000003;
  ResultDocument document;
  EXPECT_THAT(document.result(metadata, nullptr, {}),
              HasSubstr(R"("declared_fps":29.97002997002997,"measured_fps":24.93,)"));
}

TEST(ResultDocument, AnyTextIsAString) {
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  for (const std::string& text :
       {std::string("\"\\/\b\f\n\r\t"), std::string("gr\xc3\xbc\xc3\x9f"), std::string("\xff\xfe"),
        std::string("a\0b", 3), std::string("\xc3"), std::string("\xed\xa0\x80"), every}) {
    const std::vector<Detection> detections = {{text, {}, {}, text}};
    const std::vector<std::string> errors = {text};
    ResultDocument document;
    const auto outputs = outputs_of(detections);
    const std::string result = document.result(metadata_of(1), &outputs, errors);
    EXPECT_TRUE(g_utf8_validate(result.data(), static_cast<gssize>(result.size()), nullptr));
    const Predictions predictions(result);
    char* valid = g_utf8_make_valid(text.data(), static_cast<gssize>(text.size()));
    EXPECT_EQ(json_string(predictions.items.at(0), "class"), valid);
    EXPECT_EQ(json_string(predictions.items.at(0), "text"), valid);
    g_free(valid);
    EXPECT_NO_FATAL_FAILURE(parsed(completion_document(text, errors)));
  }
}

TEST(ResultDocument, ErrorsOfAFrame) {
  ResultDocument document;
  const std::vector<std::string> errors = {"one", "two"};
  EXPECT_THAT(document.result(metadata_of(1), nullptr, errors),
              HasSubstr(R"("errors":["one","two"],"processing_complete":false)"));
}

TEST(ResultDocument, Completion) {
  EXPECT_EQ(completion_document("", {}),
            R"({"serialized_output_data":null,"video_metadata":null,"errors":[],)"
            R"("processing_complete":true,"termination_reason":null})");
  const std::vector<std::string> errors = {"it took too long"};
  EXPECT_EQ(completion_document("timeout_reached", errors),
            R"({"serialized_output_data":null,"video_metadata":null,"errors":["it took too long"],)"
            R"("processing_complete":true,"termination_reason":"timeout_reached"})");
  EXPECT_EQ(completion_document("", {}, "00ff"),
            R"({"serialized_output_data":null,"video_metadata":null,"errors":[],)"
            R"("processing_complete":true,"termination_reason":null,"sha256":"00ff"})");
}

}  // namespace
}  // namespace webrtcupload
