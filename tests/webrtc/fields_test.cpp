// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the elements say of errors and in "stats" has the names and types that docs/elements.md has
// in its table, which are the same for all of them.

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "results/result_client.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {
namespace {

using testing::IsEmpty;
using Side = PeerPair::Side;
// Name of a field to that of its type.
using Fields = std::map<std::string, std::string>;

struct Documented {
  std::string type;
  // "webrtcupload" and so on.
  std::set<std::string> elements;
};

std::map<std::string, Documented> documented_fields() {
  std::ifstream file(ELEMENTS_DOCUMENT);
  std::map<std::string, Documented> fields;
  const std::regex row(R"(^\| (`[^|]*) \| ([a-z0-9]+) \| ([a-z, ]+) \| .*)");
  const std::regex name("`([^`]+)`");
  const std::regex word("[a-z]+");
  std::string line;
  bool is_inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("## ")) is_inside = line == "## Errors and statistics";
    std::smatch parts;
    if (!is_inside || !std::regex_match(line, parts, row)) continue;
    const std::string names = parts[1];
    const std::string of = parts[3];
    Documented documented{parts[2], {}};
    for (std::sregex_iterator i(of.begin(), of.end(), word), end; i != end; ++i) {
      if (i->str() == "all") {
        documented.elements = {"webrtcupload", "webrtcuploadsink", "webrtcresultsink"};
      } else {
        documented.elements.insert("webrtc" + i->str());
      }
    }
    for (std::sregex_iterator i(names.begin(), names.end(), name), end; i != end; ++i) {
      EXPECT_TRUE(fields.try_emplace((*i)[1], documented).second) << (*i)[1] << " is there twice";
    }
  }
  return fields;
}

std::string type_name(GType type) {
  static const std::map<GType, std::string> names = {
      {G_TYPE_STRING, "string"}, {G_TYPE_BOOLEAN, "boolean"}, {G_TYPE_INT, "int"},
      {G_TYPE_UINT, "uint"},     {G_TYPE_UINT64, "uint64"},   {G_TYPE_DOUBLE, "double"},
  };
  const auto found = names.find(type);
  return found == names.end() ? g_type_name(type) : found->second;
}

Fields fields_of(const GstStructure* structure) {
  Fields fields;
  for (int i = 0; structure && i < gst_structure_n_fields(structure); ++i) {
    const char* name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    fields[name] = type_name(gst_structure_get_field_type(structure, name));
  }
  return fields;
}

Fields stats_of(GstElement* element) {
  GstStructure* raw = nullptr;
  g_object_get(element, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  EXPECT_EQ(std::string(gst_structure_get_name(stats.get())),
            std::string("application/x-") +
                gst_plugin_feature_get_name(gst_element_get_factory(element)) + "-stats");
  return fields_of(stats.get());
}

// The same in stats and in the details of what is posted.
void expect_error(GstMessage* message, GstElement* element, const char* code) {
  ASSERT_TRUE(message) << code;
  const GstStructure* details = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning_details(message, &details);
  } else {
    gst_message_parse_error_details(message, &details);
  }
  ASSERT_TRUE(details) << describe(message);
  EXPECT_STREQ(gst_structure_get_name(details), "application/x-webrtcupload-error");
  EXPECT_EQ(fields_of(details), (Fields{{"error-code", "string"}, {"error-message", "string"}}));
  EXPECT_STREQ(gst_structure_get_string(details, "error-code"), code);
  if (!element) return;
  GstStructure* raw = nullptr;
  g_object_get(element, "stats", &raw, nullptr);
  const GstStructurePtr stats(raw);
  for (const char* field : {"error-code", "error-message"}) {
    EXPECT_STREQ(gst_structure_get_string(stats.get(), field),
                 gst_structure_get_string(details, field));
  }
}

// Those that `element` has by now are documented, and none of the documented ones is missing.
void expect_documented(const std::string& element, const Fields& fields) {
  Fields documented;
  for (const auto& [name, entry] : documented_fields()) {
    if (entry.elements.contains(element)) documented[name] = entry.type;
  }
  EXPECT_EQ(fields, documented) << element;
}

TEST(Fields, TheDocumentHasATable) { EXPECT_GE(documented_fields().size(), 30U); }

TEST(Fields, OfAnUpload) {
  const auto pipeline =
      parse_pipeline("webrtcbin name=pc webrtcupload name=upload webrtcbin-name=pc ! fakesink");
  ASSERT_TRUE(pipeline);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
  const auto upload = element_named(pipeline, "upload");
  g_signal_emit_by_name(upload.get(), "cancel");
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  expect_error(error.get(), upload.get(), "cancelled");
  expect_documented("webrtcupload", stats_of(upload.get()));
  stop_promptly(pipeline.get());
}

TEST(Fields, OfAnUploadThatNeverBegan) {
  const auto pipeline = parse_pipeline(
      "webrtcbin name=pc webrtcupload webrtcbin-name=pc spool-directory=/not/there ! fakesink");
  ASSERT_TRUE(pipeline);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  expect_error(error.get(), nullptr, "storage-failed");
  stop_promptly(pipeline.get());
}

TEST(Fields, OfASender) {
  const auto pipeline =
      parse_pipeline("webrtcbin name=pc fakesrc ! webrtcuploadsink name=sink webrtcbin-name=pc");
  ASSERT_TRUE(pipeline);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const auto sink = element_named(pipeline, "sink");
  const auto error = bus.wait(GST_MESSAGE_ERROR, [&](GstMessage* message) {
    return GST_MESSAGE_SRC(message) == GST_OBJECT(sink.get());
  });
  expect_error(error.get(), sink.get(), "unknown-size");
  expect_documented("webrtcuploadsink", stats_of(sink.get()));
  stop_promptly(pipeline.get());
}

TEST(Fields, OfResults) {
  PeerPair peers;
  const auto pipeline = parse_pipeline(
      "appsrc name=source format=time caps=video/x-raw,format=GRAY8,width=4,height=4,"
      "framerate=25/1 ! webrtcresultsink name=sink");
  ASSERT_TRUE(pipeline);
  const auto sink = element_named(pipeline, "sink");
  g_object_set(sink.get(), "webrtcbin", peers.answerer(), nullptr);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  ASSERT_TRUE(peers.start());
  {
    ResultClient client(peers);
    ASSERT_TRUE(peers.negotiate());
    ASSERT_TRUE(client.observer().wait_open());
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 16, nullptr);
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(element_named(pipeline, "source").get(), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    ASSERT_TRUE(client.wait_results(1));
    client.ack(1);
    ASSERT_TRUE(eventually([&] { return stats_of(sink.get()).contains("acked"); }, kDeadline));
    client.close();
    const auto warning = bus.wait(GST_MESSAGE_WARNING);
    expect_error(warning.get(), sink.get(), "peer-gone");
    expect_documented("webrtcresultsink", stats_of(sink.get()));
  }
  stop_promptly(pipeline.get());
  stop_promptly(peers.pipeline(Side::kAnswerer));
}

#if HAS_SERVER
TEST(Fields, OfTheServerAreThoseOfItsUpload) {
  const auto pipeline = parse_pipeline("webrtcuploadserver name=server port=0 ! fakesink");
  ASSERT_TRUE(pipeline);
  const auto server = element_named(pipeline, "server");
  gst_child_proxy_set(GST_CHILD_PROXY(server.get()), "upload::spool-directory", "/not/there",
                      nullptr);
  BusLog bus(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
  const auto error = bus.wait(GST_MESSAGE_ERROR);
  expect_error(error.get(), nullptr, "storage-failed");
  stop_promptly(pipeline.get());
  const GstPtr<GstElement> upload(gst_bin_get_by_name(GST_BIN(server.get()), "upload"));
  ASSERT_TRUE(upload);
  EXPECT_EQ(stats_of(upload.get()), (Fields{{"workarounds", "string"}}));
}
#endif

}  // namespace
}  // namespace webrtcupload::test
