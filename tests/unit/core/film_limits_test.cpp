// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/film_limits.h"

#include <gtest/gtest.h>

#include <limits>

namespace webrtcupload {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

template <typename Check>
void expect_boundary(Check check, std::uint64_t limit, ErrorCode code) {
  EXPECT_FALSE(check(0));
  EXPECT_FALSE(check(limit));
  for (const std::uint64_t value : {limit + 1, kMost}) {
    const std::optional<Error> error = check(value);
    ASSERT_TRUE(error) << value;
    EXPECT_EQ(error->code, code);
    EXPECT_NE(error->message.find(std::to_string(limit)), std::string::npos) << error->message;
  }
}

TEST(FilmLimits, EachIsTheLastThatIsAccepted) {
  const FilmLimits limits{.max_frames = 1000, .max_streams = 8};
  expect_boundary([&](auto n) { return check_frames(limits, n); }, 1000, ErrorCode::kTooManyFrames);
  expect_boundary([&](auto n) { return check_streams(limits, n); }, 8, ErrorCode::kTooManyStreams);
  expect_boundary([](auto n) { return check_metadata(n, "tags"); }, kMaxMetadata,
                  ErrorCode::kTooMuchMetadata);
  expect_boundary([](auto n) { return check_nesting(n); }, kMaxNesting,
                  ErrorCode::kTooMuchMetadata);
}

TEST(FilmLimits, PicturesByTheirPixels) {
  const FilmLimits limits;
  EXPECT_FALSE(check_picture(limits, 8192, 8192));
  EXPECT_FALSE(check_picture(limits, 67108864, 1));
  EXPECT_FALSE(check_picture(limits, 0, kMost));
  EXPECT_FALSE(check_picture(limits, kMost, 0));
  for (const auto& [width, height] :
       {std::pair{8193ULL, 8192ULL}, {16384ULL, 16384ULL}, {67108865ULL, 1ULL}}) {
    const auto error = check_picture(limits, width, height);
    ASSERT_TRUE(error) << width;
    EXPECT_EQ(error->code, ErrorCode::kTooLargePicture);
  }
  // Not their product, which is 0 in 64 bits.
  EXPECT_TRUE(check_picture(limits, 1ULL << 32U, 1ULL << 32U));
  EXPECT_TRUE(check_picture(limits, kMost, kMost));
  EXPECT_EQ(check_picture(limits, 16384, 16384)->message,
            "the picture is 16384x16384, at most 67108864 pixels are accepted");
}

TEST(FilmLimits, Durations) {
  const FilmLimits limits{.max_duration = hours(1)};
  EXPECT_FALSE(check_duration(limits, hours(1)));
  const auto error = check_duration(limits, hours(1) + nanoseconds(1));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kTooLong);
  EXPECT_EQ(duration_of(90, 30), seconds(3));
  EXPECT_EQ(duration_of(90, 0), Duration{});
  EXPECT_EQ(duration_of(kMost, 1), Duration::max());
  EXPECT_TRUE(check_duration(limits, duration_of(kMost, 1)));
}

TEST(FilmLimits, ZeroIsNoLimit) {
  const FilmLimits none{
      .max_pixels = 0, .max_duration = Duration{}, .max_frames = 0, .max_streams = 0};
  EXPECT_FALSE(check_picture(none, kMost, kMost));
  EXPECT_FALSE(check_duration(none, Duration::max()));
  EXPECT_FALSE(check_frames(none, kMost));
  EXPECT_FALSE(check_streams(none, kMost));
}

TEST(FilmLimits, PixelsAsPeopleWriteThem) {
  const auto pixels = [](std::string_view text) {
    const auto parsed = parse_pixels(text);
    const auto* value = std::get_if<std::uint64_t>(&parsed);
    return value ? std::optional(*value) : std::nullopt;
  };
  EXPECT_EQ(pixels("67108864"), 67108864U);
  EXPECT_EQ(pixels("8192x8192"), 67108864U);
  EXPECT_EQ(pixels("1x1"), 1U);
  EXPECT_EQ(pixels("0"), 0U);
  for (const char* wrong : {"", "x", "1x", "x1", "0x5", "5x0", "1x2x3", "-1", "1.5", "8192 x 8192",
                            "8k", "1x-1", "18446744073709551616", "4294967296x4294967296"}) {
    EXPECT_FALSE(pixels(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace webrtcupload
