// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What neural networks and trackers say as GstAnalytics metas becomes detections: objects, tracks,
// classes, turned boxes, and what is part of what. With metas made here, and out of a pipeline.

#include "results/analytics.h"

#include <gst/analytics/analytics.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "results/detections.h"
#include "support/turned_box.h"

namespace webrtcupload {
namespace {

constexpr auto kRelate = GST_ANALYTICS_REL_TYPE_RELATE_TO;
constexpr auto kContain = GST_ANALYTICS_REL_TYPE_CONTAIN;
constexpr auto kPartOf = GST_ANALYTICS_REL_TYPE_IS_PART_OF;

class AnalyticsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

  guint add_object(const char* type, int left, int top, int width, int height,
                   float confidence = 0.5F) {
    GstAnalyticsODMtd object;
    EXPECT_TRUE(gst_analytics_relation_meta_add_od_mtd(meta_, g_quark_from_string(type), left, top,
                                                       width, height, confidence, &object));
    return object.id;
  }
  guint add_track(guint64 id) {
    GstAnalyticsTrackingMtd track;
    EXPECT_TRUE(gst_analytics_relation_meta_add_tracking_mtd(meta_, id, 0, &track));
    return track.id;
  }
  guint add_classes(std::vector<std::pair<const char*, float>> classes) {
    std::vector<GQuark> names;
    std::vector<gfloat> levels;
    for (const auto& [name, level] : classes) {
      names.push_back(g_quark_from_string(name));
      levels.push_back(level);
    }
    GstAnalyticsClsMtd classification;
    EXPECT_TRUE(gst_analytics_relation_meta_add_cls_mtd(meta_, levels.size(), levels.data(),
                                                        names.data(), &classification));
    return classification.id;
  }
  void relate(guint from, guint to, GstAnalyticsRelTypes how) {
    EXPECT_TRUE(gst_analytics_relation_meta_set_relation(meta_, how, from, to));
  }
  std::vector<Detection> take() { return collector_.take(frame_.get(), nullptr); }

  DetectionCollector collector_;
  GstBufferPtr frame_{gst_buffer_new()};
  GstAnalyticsRelationMeta* meta_ = gst_buffer_add_analytics_relation_meta(frame_.get());
};

TEST_F(AnalyticsTest, ObjectsHaveClassBoxAndConfidence) {
  add_object("car", 100, 50, 20, 10, 0.9F);
  add_object("nowhere", 1, 1, 0, 5);
  GstAnalyticsODMtd nameless;
  gst_analytics_relation_meta_add_od_mtd(meta_, 0, 0, 0, 3, 3, 17.F, &nameless);
  const auto found = take();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], (Detection{"car", Box{110, 55, 20, 10}, 0.9, ""}));
  EXPECT_EQ(found[1], (Detection{"object", Box{1.5, 1.5, 3, 3}, std::nullopt, ""}))
      << "what is no confidence is left out";
}

TEST_F(AnalyticsTest, TracksNameTheirObjectsInEitherDirection) {
  const guint first = add_object("car", 0, 0, 4, 4);
  const guint second = add_object("car", 9, 0, 4, 4);
  add_object("car", 20, 0, 4, 4);
  relate(first, add_track(7), kRelate);
  // More than a signed or a floating point number holds.
  relate(add_track(G_MAXUINT64), second, kRelate);
  add_track(8);  // Of one that is not in this frame.
  const auto found = take();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].tracker_id, 7U);
  EXPECT_EQ(found[1].tracker_id, G_MAXUINT64);
  EXPECT_EQ(found[2].tracker_id, std::nullopt);
}

TEST_F(AnalyticsTest, ClassesOfAnObjectAreItsOwn) {
  const guint car = add_object("car", 0, 0, 4, 4);
  const guint person = add_object("person", 9, 0, 4, 4);
  relate(car, add_classes({{"red", 0.25F}, {"blue", 0.7F}, {"green", 0}}), kRelate);
  relate(add_classes({{"van", 0.6F}}), car, kPartOf);
  relate(person, add_classes({{"child", 0.125F}}), kContain);
  const auto found = take();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].label, "car");
  EXPECT_EQ(found[0].classifications,
            (std::vector<Classification>{{"blue", 0.7}, {"red", 0.25}, {"van", 0.6}}));
  EXPECT_EQ(found[1].classifications, (std::vector<Classification>{{"child", 0.125}}));
  EXPECT_EQ(found[0].parent, std::nullopt) << "a class is no object";
}

TEST_F(AnalyticsTest, ClassesOfNoObjectAreOfTheWholeFrame) {
  add_object("car", 0, 0, 4, 4);
  add_classes({{"night", 0.25F}, {"day", 0.75F}});
  add_classes({{"rain", 0.5F}});
  const auto found = take();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_TRUE(found[0].classifications.empty());
  Detection day{"day", std::nullopt, 0.75, ""};
  day.classifications = {{"day", 0.75}, {"night", 0.25}};
  EXPECT_EQ(found[1], day);
  EXPECT_EQ(found[2], (Detection{"rain", std::nullopt, 0.5, ""}));
}

TEST_F(AnalyticsTest, PartsKnowWhatTheyArePartOf) {
  const guint plate = add_object("plate", 2, 2, 2, 1);
  const guint car = add_object("car", 0, 0, 9, 9);
  const guint wheel = add_object("wheel", 0, 5, 2, 2);
  const guint other = add_object("tree", 20, 20, 2, 2);
  relate(plate, car, kPartOf);
  relate(car, wheel, kContain);
  relate(other, car, kRelate);
  const auto found = take();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].parent, 1U);
  EXPECT_EQ(found[1].parent, std::nullopt);
  EXPECT_EQ(found[2].parent, 1U);
  EXPECT_EQ(found[3].parent, std::nullopt);
}

TEST_F(AnalyticsTest, TurnedBoxesHaveAnAngleAndCorners) {
  const auto add_turned = test::turned_box_function();
  if (!add_turned) GTEST_SKIP() << "GStreamer has oriented boxes since 1.26";
  // 40 by 20 about (100, 60), a quarter turn clockwise: what was the upper left corner is now the
  // upper right one.
  ASSERT_TRUE(add_turned(meta_, g_quark_from_string("ship"), 80, 50, 40, 20,
                         static_cast<gfloat>(std::numbers::pi / 2), 0.5F, nullptr));
  // An eighth.
  ASSERT_TRUE(add_turned(meta_, g_quark_from_string("boat"), 90, 50, 20, 20,
                         static_cast<gfloat>(std::numbers::pi / 4), 0.5F, nullptr));
  add_object("buoy", 1, 2, 4, 6);
  const auto found = take();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].box, (Box{100, 60, 20, 40})) << "the upright box around it";
  ASSERT_TRUE(found[0].orientation.has_value());
  EXPECT_EQ(found[0].orientation->angle, 90);
  EXPECT_EQ(found[0].orientation->corners,
            (std::array<Point, 4>{{{110, 40}, {110, 80}, {90, 80}, {90, 40}}}));
  EXPECT_EQ(found[1].box, (Box{100, 60, 28.284, 28.284}));
  ASSERT_TRUE(found[1].orientation.has_value());
  EXPECT_EQ(found[1].orientation->angle, 45);
  EXPECT_EQ(found[1].orientation->corners[0], (Point{100, 45.858}));
  EXPECT_EQ(found[2].orientation, std::nullopt);
  EXPECT_EQ(found[2].box, (Box{3, 5, 4, 6}));
}

TEST_F(AnalyticsTest, OneFrameIsBounded) {
  DetectionCollector collector({.max_pending = 10, .max_per_frame = 3, .max_text = 8});
  const guint first = add_object("a car with a long name", 0, 0, 4, 4);
  for (int i = 0; i < 4; ++i) add_object("car", i, 0, 4, 4);
  std::vector<std::string> names;
  std::vector<std::pair<const char*, float>> many;
  for (int i = 0; i < 1000; ++i) names.push_back("class " + std::to_string(i));
  for (std::size_t i = 0; i < names.size(); ++i) {
    many.emplace_back(names[i].c_str(), static_cast<float>(i + 1) / 1000);
  }
  relate(first, add_classes(many), kRelate);
  relate(first, add_classes(many), kRelate);
  const auto found = collector.take(frame_.get(), nullptr);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].label, "a car wi");
  ASSERT_EQ(found[0].classifications.size(), 3U);
  EXPECT_EQ(found[0].classifications[0].label, "class 99");
  EXPECT_EQ(collector.dropped(), 2U + Detection::kMaxClassifications - 3U);

  const auto all = take();
  ASSERT_EQ(all.size(), 5U);
  ASSERT_EQ(all[0].classifications.size(), Detection::kMaxClassifications);
  EXPECT_EQ(all[0].classifications[0], (Classification{"class 999", 1}));
  EXPECT_EQ(all[0].classifications[15], (Classification{"class 984", 0.985}));
}

// Networks give out what they like.
TEST_F(AnalyticsTest, OddNumbersAreLeftOut) {
  const guint car = add_object("car", 0, 0, 4, 4, std::nanf(""));
  relate(car, add_classes({{"red", std::nanf("")}, {"blue", -3.5F}, {"green", -7}}), kRelate);
  const auto found = take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].confidence, std::nullopt);
  EXPECT_EQ(found[0].classifications, (std::vector<Classification>{{"blue", std::nullopt}}))
      << "of logits, the highest one is the class";
}

}  // namespace
}  // namespace webrtcupload
