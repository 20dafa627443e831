// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/film_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/sample_films.h"

namespace webrtcupload {
namespace {

using std::chrono::hours;
using test::big_endian;
using test::box;
using test::element;
using test::full_box;
using test::id3_header;
using test::matroska_film;
using test::matroska_track;
using test::MatroskaFilm;
using test::mp4_film;
using test::mp4_track;
using test::Mp4Track;
using test::nested_boxes;
using test::zeros;
using ::testing::HasSubstr;

// What is behind `text`, up to `size`, is zeros.
std::optional<Error> check(const std::string& text, FilmLimits limits = {},
                           std::uint64_t size = 0) {
  FilmReader film(
      [&](std::uint64_t offset, std::span<std::uint8_t> out) {
        std::ranges::fill(out, 0);
        if (offset >= text.size()) return true;
        const auto there = std::min<std::uint64_t>(out.size(), text.size() - offset);
        std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(offset), there, out.begin());
        return true;
      },
      std::max<std::uint64_t>(size, text.size()));
  return check_film(film, limits);
}

void expect_code(const std::optional<Error>& error, ErrorCode code) {
  ASSERT_TRUE(error) << to_string(code);
  EXPECT_EQ(to_string(error->code), to_string(code)) << error->message;
}

std::string mp4_tracks(unsigned count) {
  std::string tracks;
  for (unsigned i = 0; i < count; ++i) tracks += mp4_track({.id = i + 1});
  return tracks;
}

std::string matroska_tracks(unsigned count) {
  std::string tracks;
  for (unsigned i = 0; i < count; ++i) tracks += matroska_track(i + 1);
  return tracks;
}

TEST(FilmCheck, NothingIsWrongWithUsualFilms) {
  EXPECT_FALSE(check(mp4_film(mp4_track({}))));
  EXPECT_FALSE(check(matroska_film({})));
  EXPECT_FALSE(check(matroska_film({.unknown_sizes = true})));
  EXPECT_FALSE(check(id3_header(2000) + zeros(2000) + mp4_film(mp4_track({}))));
  EXPECT_FALSE(check(""));
  EXPECT_FALSE(check("text"));
  EXPECT_FALSE(check(zeros(100000)));
}

TEST(FilmCheck, StreamsOfTheIndex) {
  const FilmLimits limits{.max_streams = 5};
  EXPECT_FALSE(check(mp4_film(mp4_tracks(5)), limits));
  EXPECT_FALSE(check(matroska_film({.tracks = matroska_tracks(5)}), limits));
  expect_code(check(mp4_film(mp4_tracks(6)), limits), ErrorCode::kTooManyStreams);
  expect_code(check(matroska_film({.tracks = matroska_tracks(6)}), limits),
              ErrorCode::kTooManyStreams);
  expect_code(check(matroska_film({.tracks = matroska_tracks(6), .unknown_sizes = true}), limits),
              ErrorCode::kTooManyStreams);
  expect_code(check(mp4_film(mp4_tracks(2000))), ErrorCode::kTooManyStreams);
}

TEST(FilmCheck, BehindTags) {
  const FilmLimits limits{.max_streams = 5};
  const std::string tags = id3_header(70000) + zeros(70000) + id3_header(100) + zeros(100);
  expect_code(check(tags + mp4_film(mp4_tracks(6)), limits), ErrorCode::kTooManyStreams);
  expect_code(check(tags + matroska_film({.tracks = matroska_tracks(6)}), limits),
              ErrorCode::kTooManyStreams);
}

TEST(FilmCheck, FramesThatTheIndexClaims) {
  const FilmLimits limits{.max_frames = 1000};
  EXPECT_FALSE(check(mp4_film(mp4_track({.samples = 1000})), limits));
  expect_code(check(mp4_film(mp4_track({.samples = 1001})), limits), ErrorCode::kTooManyFrames);
  expect_code(check(mp4_film(mp4_track({.samples = 0x7fffffff, .duration = 1000}))),
              ErrorCode::kTooManyFrames);
  // Also in the second of two.
  expect_code(check(mp4_film(mp4_tracks(1) + mp4_track({.id = 2, .samples = 1001})), limits),
              ErrorCode::kTooManyFrames);
  // Each sample of uncompressed sound is one in the index.
  EXPECT_FALSE(
      check(mp4_film(mp4_track({.samples = 0x7fffffff, .handler = "soun", .duration = 1000}))));
}

TEST(FilmCheck, DurationsThatTheIndexClaims) {
  const FilmLimits limits{.max_duration = hours(1)};
  constexpr std::uint64_t kHour = 3600ULL * 25000;
  EXPECT_FALSE(check(mp4_film(mp4_track({.duration = kHour})), limits));
  expect_code(check(mp4_film(mp4_track({.duration = kHour + 1})), limits), ErrorCode::kTooLong);
  // As fragmented films write it.
  EXPECT_FALSE(check(mp4_film(mp4_track({.duration = ~0ULL})), limits));
  // The older form of the header.
  const auto header = [](std::uint32_t seconds) {
    return box("moov",
               full_box("mvhd", zeros(8) + big_endian(1, 4) + big_endian(seconds, 4) + zeros(80)));
  };
  EXPECT_FALSE(check(header(3600), limits));
  expect_code(check(header(3601), limits), ErrorCode::kTooLong);
  EXPECT_FALSE(check(header(0xffffffff), limits));

  EXPECT_FALSE(check(matroska_film({.seconds = 3600}), limits));
  expect_code(check(matroska_film({.seconds = 3601}), limits), ErrorCode::kTooLong);
  expect_code(check(matroska_film({.seconds = 1e300}), limits), ErrorCode::kTooLong);
  EXPECT_FALSE(check(matroska_film({.seconds = -1e300}), limits));
  EXPECT_FALSE(
      check(matroska_film({.seconds = std::bit_cast<double>(0x7ff8000000000000ULL)}), limits));
}

// Of its length in ticks, and then how long one is.
TEST(FilmCheck, ADurationBeforeItsScale) {
  const FilmLimits limits{.max_duration = hours(1)};
  const auto film = [](double ticks) {
    return matroska_film(
        {.more = test::element(
             0x1549A966, test::element(0x4489, big_endian(std::bit_cast<std::uint64_t>(ticks), 8)) +
                             test::element(0x2AD7B1, big_endian(1000, 4)))});
  };
  EXPECT_FALSE(check(film(3.6e9), limits));
  expect_code(check(film(3.601e9), limits), ErrorCode::kTooLong);
}

TEST(FilmCheck, AShortFloatIsADurationAsWell) {
  const FilmLimits limits{.max_duration = hours(1)};
  const auto film = [](const std::string& duration) {
    return matroska_film(
        {.more = test::element(0x1549A966, test::element(0x2AD7B1, big_endian(1'000'000'000, 4)) +
                                               test::element(0x4489, duration))});
  };
  EXPECT_FALSE(check(film(big_endian(std::bit_cast<std::uint32_t>(3600.F), 4)), limits));
  expect_code(check(film(big_endian(std::bit_cast<std::uint32_t>(3601.F), 4)), limits),
              ErrorCode::kTooLong);
  // No float has five bytes.
  EXPECT_FALSE(check(film(big_endian(~0ULL, 5)), limits));
}

// The size of a box in eight bytes, as behind large data; and in none: up to the end.
TEST(FilmCheck, BoxesOfLongAndOfOpenSize) {
  const FilmLimits limits{.max_streams = 5};
  const std::string data = big_endian(1, 4) + "mdat" + big_endian(16 + 100, 8) + zeros(100);
  const std::string tracks = mp4_tracks(6);
  EXPECT_FALSE(check(box("ftyp", "isom") + data + box("moov", mp4_tracks(5)), limits));
  expect_code(check(box("ftyp", "isom") + data + box("moov", tracks), limits),
              ErrorCode::kTooManyStreams);
  expect_code(check(box("ftyp", "isom") + big_endian(0, 4) + "moov" + tracks, limits),
              ErrorCode::kTooManyStreams);
  // Nobody can say where the next one is.
  EXPECT_FALSE(
      check(box("ftyp", "isom") + big_endian(4, 4) + "free" + box("moov", tracks), limits));
  EXPECT_FALSE(check(box("ftyp", "isom") + big_endian(1, 4) + "free", limits));
}

// What is too short to say it says nothing.
TEST(FilmCheck, ShortBoxesOfTheIndex) {
  const FilmLimits limits{.max_duration = hours(1), .max_frames = 10};
  for (const char* type : {"hdlr", "stsz", "mvhd", "mdhd"}) {
    EXPECT_FALSE(check(box("moov", box("trak", box(type, "abc"))), limits)) << type;
    EXPECT_FALSE(
        check(box("moov", box("trak", box(type, std::string("\x01") + zeros(27)))), limits))
        << type;
  }
  // A track with two handlers is one of pictures if either says so.
  const std::string pictures = full_box("hdlr", zeros(4) + "vide" + zeros(13));
  const std::string sound = full_box("hdlr", zeros(4) + "soun" + zeros(13));
  const std::string sizes = full_box("stsz", big_endian(1, 4) + big_endian(11, 4));
  expect_code(check(box("moov", box("trak", pictures + sound + sizes)), limits),
              ErrorCode::kTooManyFrames);
  expect_code(check(box("moov", box("trak", sound + pictures + sizes)), limits),
              ErrorCode::kTooManyFrames);
  // In a track that another one follows.
  expect_code(check(box("moov", box("trak", pictures + sizes) + mp4_track({})), limits),
              ErrorCode::kTooManyFrames);
}

// 64 levels and more cannot be in a film that anybody has made; demuxers call themselves for each.
TEST(FilmCheck, DeepBoxes) {
  EXPECT_FALSE(check(mp4_film(mp4_track({}) + nested_boxes(kMaxNesting))));
  // The outermost one and the innermost one do not count.
  for (const unsigned levels : {kMaxNesting + 3, 1000U}) {
    for (const char* type : {"udta", "wave", "abcd"}) {
      expect_code(check(mp4_film(mp4_track({}) + nested_boxes(levels, type))),
                  ErrorCode::kTooMuchMetadata);
    }
    // At the top, in a fragment's index, and behind what looks like a box across their begin.
    expect_code(check(nested_boxes(levels, "moov")), ErrorCode::kTooMuchMetadata);
    expect_code(check(mp4_film("") + box("moof", nested_boxes(levels))),
                ErrorCode::kTooMuchMetadata);
    const std::string across = big_endian(40, 4) + "junk" + big_endian(16, 4) + "junk";
    expect_code(check(mp4_film(across + nested_boxes(levels))), ErrorCode::kTooMuchMetadata);
  }
}

// Their boxes lie beside each other, however many there are.
TEST(FilmCheck, ManyFlatBoxesAreNotDeep) {
  std::string boxes;
  for (int i = 0; i < 5000; ++i) boxes += box("udta", box("data", zeros(8)));
  EXPECT_FALSE(check(mp4_film(mp4_track({}) + boxes)));
}

TEST(FilmCheck, DeepElements) {
  const auto nested = [](std::uint32_t outer, std::uint32_t inner, int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text = element(inner, text);
    return element(outer, text);
  };
  EXPECT_FALSE(check(matroska_film({.more = nested(0x1254C367, 0x67C8, 40)})));
  expect_code(check(matroska_film({.more = nested(0x1254C367, 0x67C8, 100)})),
              ErrorCode::kTooMuchMetadata);
  expect_code(check(matroska_film({.more = nested(0x1043A770, 0xB6, 100)})),
              ErrorCode::kTooMuchMetadata);
  // Behind the pictures, also where their end is not told.
  for (const bool unknown : {false, true}) {
    expect_code(
        check(matroska_film({.unknown_sizes = unknown, .last = nested(0x1254C367, 0x67C8, 100)})),
        ErrorCode::kTooMuchMetadata);
  }
}

TEST(FilmCheck, LargeTags) {
  constexpr std::uint32_t kLarge = 200 << 20;
  expect_code(check(id3_header(kLarge), {}, kLarge), ErrorCode::kTooMuchMetadata);
  // Even if they are not there.
  expect_code(check(id3_header(kLarge)), ErrorCode::kTooMuchMetadata);
  EXPECT_FALSE(check(id3_header(60 << 20), {}, 61 << 20));
  // Several together: the second one comes right behind the first.
  const std::string one = id3_header(1 << 20) + zeros(1 << 20);
  std::string many;
  for (int i = 0; i < 65; ++i) many += one;
  expect_code(check(many), ErrorCode::kTooMuchMetadata);

  const std::string ape =
      "APETAGEX" + std::string("\xd0\x07\0\0", 4) + std::string("\0\0\0\x10", 4) + zeros(16);
  expect_code(check(ape, {}, kLarge), ErrorCode::kTooMuchMetadata);
  expect_code(check(zeros(100) + ape), ErrorCode::kTooMuchMetadata);
  expect_code(check(zeros(100) + ape + "TAG" + zeros(125)), ErrorCode::kTooMuchMetadata);

  // Without their bytes: only the sizes are looked at.
  std::string tags = element(0x1254C367, "");
  tags.replace(tags.size() - 7, 7, big_endian(kLarge, 7));
  std::string film = matroska_film({});
  film.replace(film.find(big_endian(0x18538067, 4)) + 5, 7, big_endian(1ULL << 40, 7));
  expect_code(check(film + tags, {}, 2ULL * kLarge), ErrorCode::kTooMuchMetadata);
  expect_code(check(box("ftyp", "isom") + big_endian(kLarge, 4) + "moov", {}, 2ULL * kLarge),
              ErrorCode::kTooMuchMetadata);
}

// What the demuxer leaves out itself, as it does with large ones.
TEST(FilmCheck, AttachmentsAreNoTags) {
  std::string fonts = element(0x1941A469, "");
  fonts.replace(fonts.size() - 7, 7, big_endian(200 << 20, 7));
  std::string film = matroska_film({});
  film.replace(film.find(big_endian(0x18538067, 4)) + 5, 7, big_endian(1ULL << 40, 7));
  EXPECT_FALSE(check(film + fonts, {}, 1ULL << 30U));
}

TEST(FilmCheck, AnIndexThatCannotBeSeen) {
  const auto error = check(box("moov", box("cmov", box("dcom", "zlib") + box("cmvd", zeros(8)))));
  expect_code(error, ErrorCode::kTooMuchMetadata);
  EXPECT_THAT(error->message, HasSubstr("compressed"));
}

TEST(FilmCheck, CutAndBrokenFilmsPass) {
  for (const std::string& film :
       {mp4_film(mp4_track({})), matroska_film({}), matroska_film({.unknown_sizes = true}),
        id3_header(20) + zeros(20) + mp4_film(mp4_track({}))}) {
    for (std::size_t length = 0; length < film.size(); ++length) {
      EXPECT_FALSE(check(film.substr(0, length))) << length;
    }
    for (std::size_t at = 0; at < film.size(); ++at) {
      std::string broken = film;
      broken[at] = '\xff';
      (void)check(broken);
    }
  }
}

// As many headers as nobody's film has.
TEST(FilmCheck, MoreBoxesThanAnyFilm) {
  const std::string empty = box("free", "");
  std::string boxes;
  while (boxes.size() <= FilmReader::kMost) boxes += empty;
  FilmReader film(
      [&](std::uint64_t offset, std::span<std::uint8_t> out) {
        std::copy_n(boxes.begin() + static_cast<std::ptrdiff_t>(offset % empty.size()), out.size(),
                    out.begin());
        return true;
      },
      (kMaxHeaders + 1) * empty.size());
  const auto error = check_film(film, {});
  expect_code(error, ErrorCode::kTooMuchMetadata);
  EXPECT_THAT(error->message, HasSubstr("boxes"));
}

TEST(FilmCheck, ReadsThatFailEndIt) {
  int reads = 0;
  FilmReader film(
      [&](std::uint64_t, std::span<std::uint8_t>) {
        ++reads;
        return false;
      },
      1 << 30);
  EXPECT_FALSE(check_film(film, {}));
  EXPECT_LT(reads, 10);
}

// Headers far from each other are read alone, ones that are near in one go.
TEST(FilmReader, ReadsLittle) {
  std::uint64_t bytes = 0;
  int reads = 0;
  FilmReader film(
      [&](std::uint64_t, std::span<std::uint8_t> out) {
        bytes += out.size();
        ++reads;
        return true;
      },
      1ULL << 40U);
  for (std::uint64_t i = 1; i < 100; ++i) (void)film.at(i << 30U, 16);
  EXPECT_EQ(bytes, 99U * 16);
  reads = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) (void)film.at((1ULL << 39U) + i * 16, 16);
  EXPECT_LE(reads, 100000 * 16 / static_cast<int>(FilmReader::kMost) + 2);
}

}  // namespace
}  // namespace webrtcupload
