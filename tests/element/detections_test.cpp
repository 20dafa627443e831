// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What analysers say becomes detections: with the real facedetect, zbar and motioncells, and with
// messages and metas made by hand for what those never send but something else might.

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

// A pipeline with an analyser and a fakesink named "out": messages are collected as they are
// posted, each frame is asked for when it reaches the sink.
class RealAnalysers : public DetectionsTest {
 protected:
  using FrameHandler =
      std::function<void(GstClockTime pts, const GstVideoInfo& info, std::vector<Detection>)>;

  void run(const std::string& description, FrameHandler handler) {
    GError* error = nullptr;
    GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
    ASSERT_EQ(error, nullptr) << error->message;
    handler_ = std::move(handler);

    GstBus* bus = gst_element_get_bus(pipeline);
    gst_bus_set_sync_handler(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) {
          static_cast<RealAnalysers*>(self)->collector_.add_message(message);
          return GST_BUS_PASS;
        },
        this, nullptr);
    GstElement* out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    GstPad* pad = gst_element_get_static_pad(out, "sink");
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad* sink, GstPadProbeInfo* probe, gpointer self) {
          static_cast<RealAnalysers*>(self)->on_frame(sink, GST_PAD_PROBE_INFO_BUFFER(probe));
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
    gst_object_unref(pad);
    gst_object_unref(out);

    ASSERT_NE(gst_element_set_state(pipeline, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    GstMessage* end = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_set_sync_handler(bus, nullptr, nullptr, nullptr);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    ASSERT_NE(end, nullptr) << "no end within a minute";
    EXPECT_EQ(GST_MESSAGE_TYPE(end), GST_MESSAGE_EOS);
    gst_message_unref(end);
  }

  DetectionCollector collector_;

 private:
  void on_frame(GstPad* sink, GstBuffer* frame) {
    GstCaps* caps = gst_pad_get_current_caps(sink);
    GstVideoInfo info;
    ASSERT_TRUE(gst_video_info_from_caps(&info, caps));
    gst_caps_unref(caps);
    handler_(GST_BUFFER_PTS(frame), info, collector_.take(frame, &info));
  }

  FrameHandler handler_;
};

bool have(const char* element) {
  GstElementFactory* factory = gst_element_factory_find(element);
  if (factory != nullptr) {
    gst_object_unref(factory);
  }
  return factory != nullptr;
}

constexpr char kCascade[] = "/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml";

// The film of the demo with the demo's analyser: a queue and a scaler between them and the sink, as
// real pipelines have.
TEST_F(RealAnalysers, FacedetectFindsThePeopleOfTheDemo) {
  if (!have("facedetect") || !std::filesystem::exists(kCascade)) {
    GTEST_SKIP() << "needs OpenCV's elements and cascades";
  }
  std::string directory = ::testing::TempDir() + "detections.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string film = directory + "/film.mp4";
  ASSERT_EQ(std::system((std::string(MAKE_VIDEO) + " " + film + " 12").c_str()), 0);

  int frames = 0;
  run("filesrc location=" + film + " ! decodebin ! videoconvert ! facedetect profile=" + kCascade +
          " display=false scale-factor=1.1 min-neighbors=3 min-size-width=28 min-size-height=56 "
          "! queue ! videoscale ! video/x-raw,width=320,height=240 ! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo& info, const std::vector<Detection>& found) {
        ++frames;
        // The left one is 110 pixels tall at half size 55, feet at (60 + frame, 150); the right
        // one's are at (260 - frame, 185).
        bool left = false;
        bool right = false;
        for (const Detection& detection : found) {
          EXPECT_EQ(detection.label, "person");
          ASSERT_TRUE(detection.box.has_value());
          const Box& box = *detection.box;
          EXPECT_GE(box.x - box.width / 2, 0);
          EXPECT_LE(box.x + box.width / 2, GST_VIDEO_INFO_WIDTH(&info));
          left = left || (std::abs(box.x - 62) < 14 && std::abs(box.y - 122) < 25);
          right = right || (std::abs(box.x - 258) < 14 && std::abs(box.y - 152) < 25);
        }
        EXPECT_TRUE(left) << "frame " << frames;
        EXPECT_TRUE(right) << "frame " << frames;
        EXPECT_LE(found.size(), 4U) << "the same person twice";
      });
  EXPECT_EQ(frames, 12);
  std::filesystem::remove_all(directory);
}

// The bars of an EAN-13 number, one character per module: '1' is black.
std::string ean13_modules(const std::string& digits) {
  static constexpr const char* kLeftOdd[] = {"0001101", "0011001", "0010011", "0111101", "0100011",
                                             "0110001", "0101111", "0111011", "0110111", "0001011"};
  static constexpr const char* kParity[] = {"LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG",
                                            "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"};
  const auto inverted = [](std::string code) {
    for (char& bit : code) {
      bit = bit == '0' ? '1' : '0';
    }
    return code;
  };
  const std::string parity = kParity[digits[0] - '0'];
  std::string modules = "101";
  for (int i = 1; i <= 6; ++i) {
    const std::string code = kLeftOdd[digits[i] - '0'];
    const std::string right = inverted(code);
    modules += parity[i - 1] == 'L' ? code : std::string(right.rbegin(), right.rend());
  }
  modules += "01010";
  for (int i = 7; i <= 12; ++i) {
    modules += inverted(kLeftOdd[digits[i] - '0']);
  }
  return modules + "101";
}

TEST_F(RealAnalysers, ZbarReadsABarcode) {
  if (!have("zbar")) {
    GTEST_SKIP() << "needs the zbar element";
  }
  // Three pixels to a module, twelve modules of quiet zone, in the Y plane of an otherwise grey
  // I420 frame.
  constexpr int kWidth = 360;
  constexpr int kHeight = 120;
  const std::string modules = ean13_modules("4006381333931");
  ASSERT_EQ(modules.size(), 95U);
  std::string picture(kWidth * kHeight * 3 / 2, '\x80');
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int module = x / 3 - 12;
      const bool black =
          module >= 0 && module < 95 && modules[static_cast<std::size_t>(module)] == '1';
      picture[static_cast<std::size_t>(y * kWidth + x)] = black ? '\x10' : '\xeb';
    }
  }
  std::string directory = ::testing::TempDir() + "detections.XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string file = directory + "/barcode.yuv";
  ASSERT_TRUE(g_file_set_contents(file.c_str(), picture.data(), static_cast<gssize>(picture.size()),
                                  nullptr));

  std::vector<Detection> all;
  run("filesrc location=" + file +
          " ! rawvideoparse format=i420 width=360 height=120 ! zbar "
          "! queue ! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo&, const std::vector<Detection>& found) {
        all.insert(all.end(), found.begin(), found.end());
      });
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], (Detection{"EAN-13", std::nullopt, std::nullopt, "4006381333931"}));
  std::filesystem::remove_all(directory);
}

TEST_F(RealAnalysers, MotioncellsSaysWhere) {
  if (!have("motioncells")) {
    GTEST_SKIP() << "needs OpenCV's elements";
  }
  // A ball on black moves about a quarter of the frame: the lower right one, by the crop around it.
  std::vector<Detection> all;
  run("videotestsrc pattern=ball num-buffers=20 ! video/x-raw,width=160,height=120,framerate=10/1 "
      "! videobox left=-160 top=-120 autocrop=false ! videoconvert "
      "! motioncells display=false postallmotion=true gridx=8 gridy=8 "
      "! fakesink name=out",
      [&](GstClockTime, const GstVideoInfo& info, const std::vector<Detection>& found) {
        EXPECT_EQ(GST_VIDEO_INFO_WIDTH(&info), 320);
        all.insert(all.end(), found.begin(), found.end());
      });
  ASSERT_FALSE(all.empty());
  for (const Detection& detection : all) {
    EXPECT_EQ(detection.label, "motion");
    EXPECT_FALSE(detection.text.empty());
    ASSERT_TRUE(detection.box.has_value()) << detection.text;
    const Box& box = *detection.box;
    EXPECT_GE(box.x - box.width / 2, 160 - 40);
    EXPECT_GE(box.y - box.height / 2, 120 - 30);
    EXPECT_LE(box.x + box.width / 2, 320);
    EXPECT_LE(box.y + box.height / 2, 240);
  }
}

}  // namespace
}  // namespace webrtcupload
