// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What analysers say becomes detections: messages and metas made by hand, also such as no analyser
// sends. real_analysers_test.cpp has what they do send.

#include "results/detections.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace webrtcupload {
namespace {

constexpr GstClockTime kPts = 40 * GST_MSECOND;

using BufferPtr = std::unique_ptr<GstBuffer, decltype(&gst_buffer_unref)>;

BufferPtr frame_at(GstClockTime pts) {
  BufferPtr buffer(gst_buffer_new(), &gst_buffer_unref);
  GST_BUFFER_PTS(buffer.get()) = pts;
  return buffer;
}

// Feeds one element message made of `structure` (taken).
bool say(DetectionCollector& collector, GstStructure* structure, GstElement* source = nullptr) {
  GstMessage* message =
      gst_message_new_element(source != nullptr ? GST_OBJECT(source) : nullptr, structure);
  const bool understood = collector.add_message(message);
  gst_message_unref(message);
  return understood;
}

GstStructure* parse(const std::string& text) {
  GstStructure* structure = gst_structure_from_string(text.c_str(), nullptr);
  EXPECT_NE(structure, nullptr) << text;
  return structure;
}

GstStructure* faces_at(GstClockTime pts, const std::vector<Box>& corners) {
  GstStructure* result = gst_structure_new("facedetect", "timestamp", G_TYPE_UINT64, pts, nullptr);
  GValue list = G_VALUE_INIT;
  g_value_init(&list, GST_TYPE_LIST);
  for (const Box& corner : corners) {
    GValue face = G_VALUE_INIT;
    g_value_init(&face, GST_TYPE_STRUCTURE);
    g_value_take_boxed(
        &face, gst_structure_new("face", "x", G_TYPE_UINT, guint(corner.x), "y", G_TYPE_UINT,
                                 guint(corner.y), "width", G_TYPE_UINT, guint(corner.width),
                                 "height", G_TYPE_UINT, guint(corner.height), nullptr));
    gst_value_list_append_and_take_value(&list, &face);
  }
  gst_structure_take_value(result, "faces", &list);
  return result;
}

GstStructure* barcode_at(GstClockTime pts, const char* type, const char* symbol) {
  return gst_structure_new("barcode", "timestamp", G_TYPE_UINT64, pts, "type", G_TYPE_STRING, type,
                           "symbol", G_TYPE_STRING, symbol, "quality", G_TYPE_INT, 7, nullptr);
}

class DetectionsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
};

TEST_F(DetectionsTest, BoxOfAFaceIsAboutItsCentre) {
  DetectionCollector collector;
  EXPECT_TRUE(say(collector, faces_at(kPts, {{10, 20, 30, 40}})));
  const auto found = collector.take(frame_at(kPts).get(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], (Detection{"face", Box{25, 40, 30, 40}, std::nullopt, ""}));
}

TEST_F(DetectionsTest, GivenOutOnceAndOnlyToItsFrame) {
  DetectionCollector collector;
  EXPECT_TRUE(say(collector, faces_at(kPts, {{0, 0, 2, 2}})));
  EXPECT_TRUE(say(collector, barcode_at(kPts, "EAN-13", "4006381333931")));
  EXPECT_TRUE(say(collector, barcode_at(2 * kPts, "QR-Code", "later")));
  EXPECT_TRUE(collector.take(frame_at(kPts - 1).get(), nullptr).empty());
  EXPECT_TRUE(collector.take(frame_at(GST_CLOCK_TIME_NONE).get(), nullptr).empty());

  const auto found = collector.take(frame_at(kPts).get(), nullptr);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].label, "face");
  EXPECT_EQ(found[1], (Detection{"EAN-13", std::nullopt, std::nullopt, "4006381333931"}));
  EXPECT_TRUE(collector.take(frame_at(kPts).get(), nullptr).empty());

  const auto later = collector.take(frame_at(2 * kPts).get(), nullptr);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_EQ(later[0].text, "later");
  EXPECT_EQ(collector.dropped(), 0U);
}

TEST_F(DetectionsTest, ClearForgets) {
  DetectionCollector collector;
  say(collector, barcode_at(kPts, "EAN-13", "1"));
  collector.clear();
  EXPECT_TRUE(collector.take(frame_at(kPts).get(), nullptr).empty());
}

TEST_F(DetectionsTest, OldestGoWhenFramesNeverCome) {
  DetectionCollector collector({.max_pending = 3, .max_per_frame = 10, .max_text = 10});
  for (int i = 0; i < 5; ++i) {
    say(collector, barcode_at(kPts * i, "EAN-8", std::to_string(i).c_str()));
  }
  EXPECT_EQ(collector.dropped(), 2U);
  EXPECT_TRUE(collector.take(frame_at(kPts * 1).get(), nullptr).empty());
  EXPECT_EQ(collector.take(frame_at(kPts * 2).get(), nullptr).size(), 1U);
  EXPECT_EQ(collector.take(frame_at(kPts * 4).get(), nullptr).size(), 1U);
}

TEST_F(DetectionsTest, OneFrameIsBounded) {
  DetectionCollector collector({.max_pending = 100, .max_per_frame = 3, .max_text = 10});
  const BufferPtr frame = frame_at(kPts);
  for (int i = 0; i < 5; ++i) {
    gst_buffer_add_video_region_of_interest_meta(frame.get(), "car", 0, 0, 1, 1);
  }
  say(collector, barcode_at(kPts, "EAN-8", "1"));
  EXPECT_EQ(collector.take(frame.get(), nullptr).size(), 3U);
  EXPECT_EQ(collector.dropped(), 3U);
}

TEST_F(DetectionsTest, MetasCarryLabelBoxAndConfidence) {
  DetectionCollector collector;
  const BufferPtr frame = frame_at(GST_CLOCK_TIME_NONE);
  auto* car = gst_buffer_add_video_region_of_interest_meta(frame.get(), "car", 100, 50, 20, 10);
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("tracking", "confidence", G_TYPE_STRING, "high", nullptr));
  gst_video_region_of_interest_meta_add_param(
      car, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.75, nullptr));
  auto* odd = gst_buffer_add_video_region_of_interest_meta_id(frame.get(), 0, 1, 1, 2, 2);
  gst_video_region_of_interest_meta_add_param(
      odd, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 17.0, nullptr));
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "empty", 1, 1, 0, 5);

  const auto found = collector.take(frame.get(), nullptr);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], (Detection{"car", Box{110, 55, 20, 10}, 0.75, ""}));
  EXPECT_EQ(found[1], (Detection{"object", Box{2, 2, 2, 2}, std::nullopt, ""}));
}

TEST_F(DetectionsTest, MetasAndMessagesOfOneAnalyserAreOneThing) {
  DetectionCollector collector;
  // The frame was scaled down by two behind the analyser: metas follow, messages do not.
  const BufferPtr frame = frame_at(kPts);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "face", 5, 5, 10, 10);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "face", 50, 5, 10, 10);
  say(collector, faces_at(kPts, {{10, 10, 20, 20}, {100, 10, 20, 20}}));
  const auto found = collector.take(frame.get(), nullptr);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].box, (Box{10, 10, 10, 10}));
  EXPECT_EQ(found[1].box, (Box{55, 10, 10, 10}));
}

TEST_F(DetectionsTest, MessagesThatLostSomeStillAddNothingTwice) {
  DetectionCollector collector;
  const BufferPtr frame = frame_at(kPts);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "face", 1, 1, 10, 10);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "face", 50, 1, 10, 10);
  say(collector, faces_at(kPts, {{50, 1, 10, 10}}));
  EXPECT_EQ(collector.take(frame.get(), nullptr).size(), 2U);
}

TEST_F(DetectionsTest, OddMessagesAreSkippedNotBelieved) {
  DetectionCollector collector;
  // Not of a frame, or not of an analyser.
  for (const char* text : {
           "facedetect",
           "facedetect, timestamp=(string)soon, faces=(structure){}",
           "facedetect, timestamp=(guint64)18446744073709551615",
           "barcode, type=(string)EAN-13, symbol=(string)1",
           "motion, motion_finished=(guint64)40000000",
           "motion, init_error_code=(int)1, details=(string)no",
           "object, x=(uint)1, y=(uint)1, width=(uint)1, height=(uint)1",
           "level, timestamp=(guint64)40000000",
       }) {
    EXPECT_FALSE(say(collector, parse(text))) << text;
  }
  EXPECT_EQ(collector.take(frame_at(kPts).get(), nullptr).size(), 0U);

  // Of a frame, with fields missing or of another kind.
  for (const char* text : {
           "facedetect, timestamp=(guint64)40000000",
           "facedetect, timestamp=(guint64)40000000, faces=(int)3",
           "facedetect, timestamp=(guint64)40000000, faces=(int){1, 2}",
           "facedetect, timestamp=(guint64)40000000, faces=(structure){\"face\\;\"}",
           "facedetect, timestamp=(guint64)40000000, "
           "faces=(structure){\"face\\,\\ x\\=1\\,\\ y\\=1\\,\\ width\\=-5\\,\\ height\\=5\\;\"}",
           "facedetect, timestamp=(guint64)40000000, "
           "faces=(structure){\"face\\,\\ x\\=a\\,\\ y\\=1\\,\\ width\\=5\\,\\ height\\=5\\;\"}",
       }) {
    EXPECT_TRUE(say(collector, parse(text))) << text;
    EXPECT_EQ(collector.take(frame_at(kPts).get(), nullptr).size(), 0U) << text;
  }

  EXPECT_TRUE(say(collector, parse("barcode, timestamp=(guint64)40000000, type=(int)3")));
  const auto found = collector.take(frame_at(kPts).get(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], (Detection{"barcode", std::nullopt, std::nullopt, ""}));
}

// As the elements of DL Streamer use regions.
TEST_F(DetectionsTest, RegionsSayWhoTheyAreAndWhatTheyArePartOf) {
  DetectionCollector collector;
  const BufferPtr frame = frame_at(kPts);
  const auto add = [&](const char* type, gint id, gint parent) {
    auto* region = gst_buffer_add_video_region_of_interest_meta(frame.get(), type, 0, 0, 2, 2);
    region->id = id;
    region->parent_id = parent;
    return region;
  };
  auto* car = add("car", 5, 0);
  for (const char* parameter :
       {"detection, confidence=(double)0.5, label=(string)car, label_id=(int)2",
        "object_id, id=(int)9", "colour, label=(string)red, confidence=(double)0.75",
        "make, label=(string)\"\", confidence=(double)0.25"}) {
    gst_video_region_of_interest_meta_add_param(car, parse(parameter));
  }
  add("plate", 6, 5);
  add("wheel", 7, 99);
  add("loop", 8, 8);
  const auto found = collector.take(frame.get(), nullptr);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].label, "car");
  EXPECT_EQ(found[0].confidence, 0.5);
  EXPECT_EQ(found[0].tracker_id, 9U);
  EXPECT_EQ(found[0].classifications, (std::vector<Classification>{{"red", 0.75}}));
  EXPECT_EQ(found[1].parent, 0U);
  EXPECT_EQ(found[2].parent, std::nullopt);
  EXPECT_EQ(found[3].parent, std::nullopt);
}

TEST_F(DetectionsTest, OtherNumberTypesAreNumbers) {
  DetectionCollector collector;
  EXPECT_TRUE(
      say(collector,
          parse("facedetect, timestamp=(guint64)40000000, "
                "faces=(structure){\"face\\,\\ x\\=\\(int\\)-4\\,\\ y\\=\\(double\\)1.5\\,\\ "
                "width\\=\\(gint64\\)8\\,\\ height\\=\\(float\\)3\\;\"}")));
  const auto found = collector.take(frame_at(kPts).get(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].box, (Box{0, 3, 8, 3}));
}

// What computing leaves behind the third decimal is nobody's finding; a confidence keeps all that
// its analyser said.
TEST_F(DetectionsTest, BoxesAreInThousandthsAndConfidencesAsSaid) {
  EXPECT_EQ(to_thousandths(288.00000000000006), 288);
  EXPECT_EQ(to_thousandths(-1.0 / 3), -0.333);
  EXPECT_EQ(to_thousandths(1e300), 1e300);
  EXPECT_FALSE(std::signbit(to_thousandths(-1e-9)));

  DetectionCollector collector;
  EXPECT_TRUE(say(
      collector, parse("facedetect, timestamp=(guint64)40000000, "
                       "faces=(structure){\"face\\,\\ x\\=\\(double\\)0.1\\,\\ y\\=\\(double\\)1\\,"
                       "\\ width\\=\\(double\\)0.4\\,\\ height\\=\\(double\\)1.00049\\;\"}")));
  const auto found = collector.take(frame_at(kPts).get(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].box, (Box{0.3, 1.5, 0.4, 1})) << "0.1 + 0.2 is 0.30000000000000004";

  const BufferPtr frame = frame_at(kPts);
  const auto confidence = [&](GType type, double value) {
    GstVideoRegionOfInterestMeta* meta =
        gst_buffer_add_video_region_of_interest_meta(frame.get(), "car", 1, 2, 3, 4);
    gst_video_region_of_interest_meta_add_param(
        meta, gst_structure_new("detection", "confidence", type, value, nullptr));
  };
  confidence(G_TYPE_FLOAT, 0.9);
  confidence(G_TYPE_DOUBLE, 0.123456789);
  const auto cars = collector.take(frame.get(), nullptr);
  ASSERT_EQ(cars.size(), 2U);
  EXPECT_EQ(cars[0].confidence, 0.9);
  EXPECT_EQ(cars[1].confidence, 0.123456789);
  EXPECT_EQ(cars[0].box, (Box{2.5, 4, 3, 4}));
}

TEST_F(DetectionsTest, OtherMessagesAreNoDetections) {
  DetectionCollector collector;
  GstMessage* eos = gst_message_new_eos(nullptr);
  EXPECT_FALSE(collector.add_message(eos));
  gst_message_unref(eos);
}

TEST_F(DetectionsTest, TextIsValidUtf8AndBounded) {
  DetectionCollector collector({.max_pending = 10, .max_per_frame = 10, .max_text = 8});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"12345678", "12345678"},
      {"123456789", "12345678"},
      {"1234567\xc3\xa9", "1234567"},              // a two-byte character across the border
      {"12345\xe2\x82\xac", "12345\xe2\x82\xac"},  // a three-byte one up to it
      {"", ""},
  };
  for (const auto& [text, kept] : cases) {
    say(collector, barcode_at(kPts, "QR-Code", text.c_str()));
    const auto found = collector.take(frame_at(kPts).get(), nullptr);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].text, kept);
    EXPECT_EQ(found[0].label, "QR-Code");
  }

  // GstStructure refuses strings that are not UTF-8; the name of a region can be one.
  const BufferPtr frame = frame_at(kPts);
  gst_buffer_add_video_region_of_interest_meta(frame.get(), "a\xff", 1, 1, 2, 2);
  const auto found = collector.take(frame.get(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].label, "a\xef\xbf\xbd");
}

TEST_F(DetectionsTest, LabelsOfCascades) {
  EXPECT_EQ(label_of_cascade("/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml"), "person");
  EXPECT_EQ(label_of_cascade("haarcascade_frontalface_alt2.xml"), "face");
  EXPECT_EQ(label_of_cascade("/a.b/haarcascade_smile.xml"), "smile");
  EXPECT_EQ(label_of_cascade("/home/me/my_cars.v2.xml"), "my_cars");
  EXPECT_EQ(label_of_cascade("haarcascade_.xml"), "");
  EXPECT_EQ(label_of_cascade(""), "");
}

TEST_F(DetectionsTest, ManyThreads) {
  DetectionCollector collector;
  constexpr int kFrames = 500;
  std::thread speaker([&] {
    for (int i = 0; i < kFrames; ++i) {
      say(collector, faces_at(i, {{1, 1, 1, 1}, {2, 2, 2, 2}}));
    }
  });
  std::size_t taken = 0;
  for (int i = 0; i < kFrames; ++i) {
    taken += collector.take(frame_at(i).get(), nullptr).size();
  }
  speaker.join();
  for (int i = 0; i < kFrames; ++i) {
    taken += collector.take(frame_at(i).get(), nullptr).size();
  }
  EXPECT_EQ(taken, 2U * kFrames);
}

}  // namespace
}  // namespace webrtcupload
