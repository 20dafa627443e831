// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/picture_size.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sample_films.h"

namespace webrtcupload {
namespace {

using test::big_endian;
using test::jpeg_header;
using test::vp8_key_frame;
using test::zeros;

std::optional<PictureSize> size_of(std::string_view format, const std::string& coded) {
  // A copy of just that size, so that a read beyond shows under a sanitizer.
  const std::vector<std::uint8_t> bytes(coded.begin(), coded.end());
  return picture_size(format, bytes);
}

struct Sample {
  const char* format;
  std::string coded;
  PictureSize size;
};

std::vector<Sample> samples() {
  return {
      {"video/x-vp8", vp8_key_frame(640, 360), {640, 360}},
      // The two bits above the size are another matter.
      {"video/x-vp8", vp8_key_frame(0x4000 | 16383, 0x8000 | 16382), {16383, 16382}},
      {"image/jpeg", jpeg_header(16384, 16383), {16384, 16383}},
      {"image/png",
       "\x89PNG\r\n\x1a\n" + big_endian(13, 4) + "IHDR" + big_endian(70000, 4) + big_endian(3, 4),
       {70000, 3}},
      {"image/gif", std::string("GIF89a\x00\x40\x02\x01", 10), {16384, 258}},
      {"image/webp",
       "RIFF" + zeros(4) + "WEBPVP8X" + zeros(8) + std::string("\xff\x3f\x00\x02\x00\x00", 6),
       {16384, 3}},
      {"image/webp",
       "RIFF" + zeros(4) + "WEBPVP8L" + zeros(4) + std::string("\x2f\xff\xff\xff\x0f", 5) +
           zeros(5),
       {16384, 16384}},
      {"image/webp",
       "RIFF" + zeros(4) + "WEBPVP8 " + zeros(4) + vp8_key_frame(320, 240),
       {320, 240}},
  };
}

TEST(PictureSize, IsReadFromTheCodedPicture) {
  for (const Sample& sample : samples()) {
    const auto size = size_of(sample.format, sample.coded);
    ASSERT_TRUE(size) << sample.format << " " << sample.size.width;
    EXPECT_EQ(size->width, sample.size.width) << sample.format;
    EXPECT_EQ(size->height, sample.size.height) << sample.format;
  }
}

TEST(PictureSize, NothingOfOnesCutAnywhere) {
  for (const Sample& sample : samples()) {
    for (std::size_t length = 0; length < sample.coded.size(); ++length) {
      const auto size = size_of(sample.format, sample.coded.substr(0, length));
      EXPECT_TRUE(!size || *size == sample.size) << sample.format << " " << length;
    }
    EXPECT_FALSE(size_of("video/x-h264", sample.coded));
  }
}

TEST(PictureSize, NothingOfFramesWithoutOne) {
  std::string frame = vp8_key_frame(640, 360);
  frame[0] = '\x11';  // No key frame.
  EXPECT_FALSE(size_of("video/x-vp8", frame));
  frame = vp8_key_frame(640, 360);
  frame[3] = 'x';  // No start code.
  EXPECT_FALSE(size_of("video/x-vp8", frame));
  EXPECT_FALSE(size_of("image/png", std::string(24, 'x')));
  EXPECT_FALSE(size_of("image/webp", std::string(30, 'x')));
  EXPECT_FALSE(size_of("image/jpeg", zeros(100)));
  EXPECT_FALSE(size_of("image/gif", "GIF7" + zeros(20)));
  // The right beginning, and then something else.
  EXPECT_FALSE(size_of("image/png", "\x89PNG\r\n\x1a\n" + big_endian(13, 4) + "IDAT" + zeros(8)));
  EXPECT_FALSE(size_of("image/webp", "RIFF" + zeros(4) + "WAVE" + zeros(30)));
  EXPECT_FALSE(size_of("image/webp", "RIFF" + zeros(4) + "WEBPALPH" + zeros(30)));
}

TEST(PictureSize, OfAJpegTheLargestBeforeItsData) {
  const std::string start("\xff\xd8", 2);
  const std::string comment("\xff\xfe\x00\x04\xff\xc0", 6);
  const std::string small = jpeg_header(8, 8).substr(2);
  const std::string large = jpeg_header(65535, 65535).substr(2);
  const std::string scan("\xff\xda\x00\x02", 4);
  const PictureSize largest{65535, 65535};
  EXPECT_EQ(size_of("image/jpeg", start + comment + large), largest);
  EXPECT_EQ(size_of("image/jpeg", start + small + large), largest);
  EXPECT_EQ(size_of("image/jpeg", start + large + small), largest);
  // Fill bytes, and bytes that belong to nothing.
  EXPECT_EQ(size_of("image/jpeg", start + "\xff\xff" + large), largest);
  EXPECT_EQ(size_of("image/jpeg", start + "xyz" + large), largest);
  EXPECT_EQ(size_of("image/jpeg", start + small + scan + large), (PictureSize{8, 8}));
  // Tables and an extension, in the range of frame headers; application data; markers that stand
  // alone; a byte that looks like a marker's first one.
  for (const char* segment : {"\xff\xc4", "\xff\xc8", "\xff\xcc", "\xff\xe0", "\xff\xbf"}) {
    const std::string huge = segment + big_endian(8, 2) + "\x08\xff\xff\xff\xff\x01";
    EXPECT_EQ(size_of("image/jpeg", start + huge + small), (PictureSize{8, 8})) << segment;
  }
  EXPECT_EQ(size_of("image/jpeg", start + "\xff\x01\xff\xd0\xff\xd7" + large), largest);
  EXPECT_EQ(size_of("image/jpeg", start + std::string("\xff\0", 2) + large), largest);
  // Cut within a frame header.
  EXPECT_EQ(size_of("image/jpeg", start + small + large.substr(0, 6)), (PictureSize{8, 8}));
  EXPECT_FALSE(size_of("image/jpeg", start + large.substr(0, 3)));
  // A segment of no length still gets on.
  EXPECT_EQ(size_of("image/jpeg", start + std::string("\xff\xfe\x00\x00", 4) + large), largest);
}

}  // namespace
}  // namespace webrtcupload
