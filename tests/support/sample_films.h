// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films that say much and hold little, written byte by byte: boxes of MP4 (ISO/IEC 14496-12),
// elements of Matroska (RFC 8794, RFC 9559) and tags. None of them asks more of a demuxer than
// demuxers are known to bear, unless a test says so.

#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace webrtcupload::test {

// The lowest `bytes` bytes of `value`, the highest of them first.
inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}
inline std::string zeros(std::size_t count) { return std::string(count, '\0'); }

// -------------------------------------------------------------------------------------------------
// MP4

inline std::string box(std::string_view type, std::string_view content) {
  return big_endian(content.size() + 8, 4).append(type).append(content);
}
inline std::string full_box(std::string_view type, std::string_view content, int version = 0) {
  return box(type,
             big_endian(static_cast<std::uint64_t>(version), 1) + zeros(3) + std::string(content));
}

struct Mp4Track {
  unsigned id = 1;
  unsigned width = 64;
  unsigned height = 64;
  // What the index claims; each takes a 25th of a second and so many bytes.
  std::uint32_t samples = 1;
  std::uint32_t sample_size = 1;
  std::string_view handler = "vide";
  // In ticks, of which there are 25,000 a second; 0: what the samples come to.
  std::uint64_t duration = 0;
  // Where the samples are; some say the same place over and over.
  std::vector<std::uint32_t> chunks{32};
};

inline std::string mp4_track(const Mp4Track& track) {
  constexpr std::uint32_t kTicks = 1000;
  const std::uint64_t duration =
      track.duration ? track.duration : std::uint64_t{track.samples} * kTicks;
  const std::string matrix = big_endian(0x10000, 4) + zeros(12) + big_endian(0x10000, 4) +
                             zeros(12) + big_endian(0x40000000, 4);
  const std::string header =
      full_box("tkhd", zeros(8) + big_endian(track.id, 4) + zeros(24) + matrix +
                           big_endian(track.width << 16U, 4) + big_endian(track.height << 16U, 4));
  const std::string media_header =
      full_box("mdhd", zeros(16) + big_endian(25000, 4) + big_endian(duration, 8) + zeros(4), 1);
  const std::string handler = full_box("hdlr", zeros(4).append(track.handler) + zeros(13));
  const std::string entry = zeros(6) + big_endian(1, 2) + zeros(16) + big_endian(track.width, 2) +
                            big_endian(track.height, 2) + big_endian(0x480000, 4) +
                            big_endian(0x480000, 4) + zeros(4) + big_endian(1, 2) + zeros(32) +
                            big_endian(24, 2) + big_endian(0xffff, 2);
  std::string places = big_endian(track.chunks.size(), 4);
  for (const std::uint32_t place : track.chunks) places += big_endian(place, 4);
  const std::string table =
      box("stbl",
          full_box("stsd", big_endian(1, 4) + box("jpeg", entry)) +
              full_box("stts",
                       big_endian(1, 4) + big_endian(track.samples, 4) + big_endian(kTicks, 4)) +
              full_box("stsc", big_endian(1, 4) + big_endian(1, 4) +
                                   big_endian(track.samples / track.chunks.size(), 4) +
                                   big_endian(1, 4)) +
              full_box("stsz", big_endian(track.sample_size, 4) + big_endian(track.samples, 4)) +
              full_box("stco", places));
  const std::string references =
      box("dinf", full_box("dref", big_endian(1, 4) + full_box("url ", "")));
  return box("trak", header + box("mdia", media_header + handler +
                                              box("minf", full_box("vmhd", zeros(8)) + references +
                                                              table)));
}

// The data first, from byte 32 on, then the index.
inline std::string mp4_film(std::string_view tracks, std::string_view data = "data") {
  const std::string header = full_box(
      // Of one frame: demuxers leave out tracks that are much shorter than the film.
      "mvhd", zeros(8) + big_endian(1000, 4) + big_endian(40, 4) + big_endian(0x10000, 4) +
                  big_endian(0x100, 2) + zeros(10) + big_endian(0x10000, 4) + zeros(12) +
                  big_endian(0x10000, 4) + zeros(12) + big_endian(0x40000000, 4) + zeros(24) +
                  big_endian(2, 4));
  return box("ftyp", std::string("isom") + big_endian(0x200, 4) + "isommp41") + box("mdat", data) +
         box("moov", header + std::string(tracks));
}

// `levels` boxes, each in the one before.
inline std::string nested_boxes(unsigned levels, std::string_view type = "udta") {
  // From the inside, without a copy for each.
  std::string text;
  for (unsigned i = levels; i > 0; --i) text += big_endian(std::uint64_t{i} * 8, 4).append(type);
  return text;
}

// -------------------------------------------------------------------------------------------------
// Matroska

// With a size of 8 bytes, or unknown.
inline std::string element(std::uint32_t id, std::string_view content, bool unknown_size = false) {
  const int length = (39 - std::countl_zero(id)) / 8;
  const std::uint64_t size = unknown_size ? 0xffffffffffffff : content.size();
  return big_endian(id, length) + '\x01' + big_endian(size, 7) + std::string(content);
}

inline std::string matroska_track(unsigned number, unsigned width = 64, unsigned height = 64,
                                  std::string_view codec = "V_MJPEG") {
  return element(0xAE, element(0xD7, big_endian(number, 4)) +
                           element(0x73C5, big_endian(number, 4)) + element(0x83, "\x01") +
                           element(0x86, codec) +
                           element(0xE0, element(0xB0, big_endian(width, 4)) +
                                             element(0xBA, big_endian(height, 4))));
}

struct MatroskaFilm {
  std::string tracks = matroska_track(1);
  double seconds = 1;
  // Between tracks and data.
  std::string more;
  std::string frame = "data";
  bool unknown_sizes = false;
  std::string_view type = "matroska";
  // Behind the data.
  std::string last;
};

inline std::string matroska_film(const MatroskaFilm& film) {
  const std::string info = element(
      0x1549A966,
      element(0x2AD7B1, big_endian(1'000'000, 4)) +
          element(0x4489, big_endian(std::bit_cast<std::uint64_t>(film.seconds * 1000), 8)));
  const std::string cluster =
      element(0x1F43B675,
              element(0xE7, zeros(1)) + element(0xA3, std::string("\x81\0\0\x80", 4) + film.frame),
              film.unknown_sizes);
  return element(0x1A45DFA3,
                 element(0x4282, film.type) + element(0x4287, "\x02") + element(0x4285, "\x02")) +
         element(0x18538067,
                 info + element(0x1654AE6B, film.tracks) + film.more + cluster + film.last,
                 film.unknown_sizes);
}

// -------------------------------------------------------------------------------------------------
// tags and pictures

// An ID3v2 tag that says it has so many bytes, without them.
inline std::string id3_header(std::uint32_t size) {
  std::string text = std::string("ID3\x03\0\0", 6);
  for (int i = 3; i >= 0; --i) text += static_cast<char>(size >> (7 * i) & 0x7f);
  return text;
}

// The first frame of a film in VP8: a key frame's header, and nothing that could be decoded.
inline std::string vp8_key_frame(unsigned width, unsigned height) {
  return std::string("\x10\x02\x00\x9d\x01\x2a", 6) + static_cast<char>(width & 0xff) +
         static_cast<char>(width >> 8) + static_cast<char>(height & 0xff) +
         static_cast<char>(height >> 8) + zeros(6);
}

// A JPEG as far as its frame header.
inline std::string jpeg_header(unsigned width, unsigned height) {
  return std::string("\xff\xd8\xff\xc0\x00\x0b\x08", 7) + big_endian(height, 2) +
         big_endian(width, 2) + std::string("\x01\x01\x11\x00", 4);
}

// One that is whole for whoever only looks at its segments, as parsers do: a scan, and the end.
inline std::string jpeg_without_picture(unsigned width, unsigned height) {
  return jpeg_header(width, height) +
         std::string("\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00\xff\xd9", 13);
}

}  // namespace webrtcupload::test
