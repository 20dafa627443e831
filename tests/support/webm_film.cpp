// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/webm_film.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "glib/glib_ptr.h"

namespace webrtcupload::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kUnknownSize = 0xffffffffffffff;
constexpr int kVideoTrack = 1;
constexpr int kSoundTrack = 2;
constexpr std::uint8_t kBlack = 16;

struct Frame {
  Bytes bytes;
  GstClockTime pts;
  bool key;
};

struct Stream {
  std::vector<Frame> frames;
  // What the header says of it: Opus' is its OpusHead.
  Bytes codec_private;
};

// EBML (RFC 8794): an ID, a size, and that many bytes.
void append_number(Bytes& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void append_id(Bytes& out, std::uint32_t id) {
  int bytes = 4;
  while (bytes > 1 && (id >> (8 * (bytes - 1))) == 0) --bytes;
  append_number(out, id, bytes);
}

void append_size(Bytes& out, std::uint64_t size) {
  out.push_back(0x01);
  append_number(out, size, 7);
}

void append(Bytes& out, std::uint32_t id, const Bytes& content) {
  append_id(out, id);
  append_size(out, content.size());
  out.insert(out.end(), content.begin(), content.end());
}

void append_uint(Bytes& out, std::uint32_t id, std::uint64_t value) {
  Bytes content;
  append_number(content, value, 4);
  append(out, id, content);
}

void append(Bytes& out, std::uint32_t id, std::string_view text) {
  append(out, id, Bytes(text.begin(), text.end()));
}

void append_float(Bytes& out, std::uint32_t id, float value) {
  std::uint32_t bits;
  static_assert(sizeof bits == sizeof value);
  std::memcpy(&bits, &value, sizeof bits);
  append_uint(out, id, bits);
}

// What an encoder makes of a picture, or of a sound.
Stream encode(const std::string& description) {
  Stream stream;
  GError* error = nullptr;
  const GstPtr<GstElement> pipeline(GST_ELEMENT(gst_object_ref_sink(
      gst_parse_launch((description + " ! appsink name=out sync=false").c_str(), &error))));
  if (error) {
    ADD_FAILURE() << error->message;
    g_clear_error(&error);
    return stream;
  }
  const GstPtr<GstElement> out(gst_bin_get_by_name(GST_BIN(pipeline.get()), "out"));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  while (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(out.get()))) {
    GstBuffer* buffer = gst_sample_get_buffer(sample);
    Bytes bytes(gst_buffer_get_size(buffer));
    gst_buffer_extract(buffer, 0, bytes.data(), bytes.size());
    stream.frames.push_back({std::move(bytes), GST_BUFFER_PTS(buffer),
                             !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT)});
    const GstStructure* caps = gst_caps_get_structure(gst_sample_get_caps(sample), 0);
    const GValue* headers = gst_structure_get_value(caps, "streamheader");
    if (headers && stream.codec_private.empty()) {
      GstBuffer* head = gst_value_get_buffer(gst_value_array_get_value(headers, 0));
      stream.codec_private.resize(gst_buffer_get_size(head));
      gst_buffer_extract(head, 0, stream.codec_private.data(), stream.codec_private.size());
    }
    gst_sample_unref(sample);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  EXPECT_FALSE(stream.frames.empty()) << description;
  return stream;
}

Stream encode_video(const WebmFilm& film, std::uint8_t luma) {
  const bool vp8 = film.codec == WebmFilm::Codec::kVp8;
  // In the range of studio video, so that it is the luma that decoders give out.
  const unsigned grey = std::min(255U, (luma - 16U) * 255U / 219U);
  const unsigned argb = 0xff000000U | grey << 16 | grey << 8 | grey;
  return encode(
      "videotestsrc pattern=solid-color foreground-color=" + std::to_string(argb) +
      " num-buffers=" + std::to_string(film.frames) +
      " ! video/x-raw,format=I420,framerate=25/1,width=" + std::to_string(WebmFilm::kWidth) +
      ",height=" + std::to_string(WebmFilm::kHeight) + (vp8 ? " ! vp8enc" : " ! vp9enc") +
      " deadline=1 lag-in-frames=0 keyframe-max-dist=1000");
}

Bytes header() {
  Bytes content;
  append_uint(content, 0x4286, 1);  // EBMLVersion
  append_uint(content, 0x42f7, 1);  // EBMLReadVersion
  append_uint(content, 0x42f2, 4);  // EBMLMaxIDLength
  append_uint(content, 0x42f3, 8);  // EBMLMaxSizeLength
  append(content, 0x4282, std::string_view("webm"));
  append_uint(content, 0x4287, 4);  // DocTypeVersion
  append_uint(content, 0x4285, 2);  // DocTypeReadVersion
  Bytes out;
  append(out, 0x1a45dfa3, content);
  return out;
}

Bytes tracks(const WebmFilm& film, const Stream& sound) {
  Bytes picture;
  append_uint(picture, 0xb0, WebmFilm::kWidth);
  append_uint(picture, 0xba, WebmFilm::kHeight);
  if (film.alpha_mode) append_uint(picture, 0x53c0, 1);
  Bytes video;
  append_uint(video, 0xd7, kVideoTrack);
  append_uint(video, 0x73c5, kVideoTrack);  // TrackUID
  append_uint(video, 0x83, 1);              // TrackType
  append(video, 0x86, std::string_view(film.codec == WebmFilm::Codec::kVp8 ? "V_VP8" : "V_VP9"));
  append(video, 0xe0, picture);
  if (film.alpha_data) append_uint(video, 0x55ee, 1);  // MaxBlockAdditionID
  Bytes all;
  append(all, 0xae, video);
  if (film.sound) {
    Bytes format;
    append_float(format, 0xb5, 48000);
    append_uint(format, 0x9f, 1);
    Bytes audio;
    append_uint(audio, 0xd7, kSoundTrack);
    append_uint(audio, 0x73c5, kSoundTrack);
    append_uint(audio, 0x83, 2);
    append(audio, 0x86, std::string_view("A_OPUS"));
    append(audio, 0x63a2, sound.codec_private);
    append(audio, 0xe1, format);
    append(all, 0xae, audio);
  }
  Bytes out;
  append(out, 0x1654ae6b, all);
  return out;
}

Bytes block(int track, const Frame& frame, bool simple) {
  Bytes out{static_cast<std::uint8_t>(0x80 | track)};
  append_number(out, frame.pts / GST_MSECOND, 2);
  out.push_back(simple && frame.key ? 0x80 : 0);
  out.insert(out.end(), frame.bytes.begin(), frame.bytes.end());
  return out;
}

void append_frame(Bytes& out, int track, const Frame& frame, const Frame* alpha) {
  if (!alpha) {
    append(out, 0xa3, block(track, frame, true));
    return;
  }
  Bytes more;
  append_uint(more, 0xee, 1);  // BlockAddID: of the alpha channel
  append(more, 0xa5, alpha->bytes);
  Bytes additions;
  append(additions, 0xa6, more);
  Bytes group;
  append(group, 0xa1, block(track, frame, false));
  append(group, 0x75a1, additions);
  if (!frame.key) append_uint(group, 0xfb, 0xffffffd8);  // ReferenceBlock: the one 40 ms earlier
  append(out, 0xa0, group);
}

}  // namespace

std::vector<std::uint8_t> make_webm(const WebmFilm& film) {
  const Stream video = encode_video(film, WebmFilm::kLuma);
  const Stream alpha = film.alpha_data ? encode_video(film, kBlack) : Stream();
  Stream sound;
  if (film.sound) {
    sound =
        encode("audiotestsrc samplesperbuffer=960 num-buffers=" + std::to_string(film.frames * 2) +
               " ! audio/x-raw,rate=48000,channels=1 ! opusenc");
  }
  if (testing::Test::HasFailure()) return {};

  Bytes out = header();
  append_id(out, 0x18538067);
  append_size(out, kUnknownSize);
  Bytes info;
  append_uint(info, 0x2ad7b1, 1000000);  // TimestampScale: milliseconds
  append(info, 0x4d80, std::string_view("test"));
  append(info, 0x5741, std::string_view("test"));
  append(out, 0x1549a966, info);
  const Bytes all = tracks(film, sound);
  out.insert(out.end(), all.begin(), all.end());

  append_id(out, 0x1f43b675);
  append_size(out, kUnknownSize);
  append_uint(out, 0xe7, 0);  // Timestamp of the cluster
  auto next_sound = sound.frames.begin();
  for (std::size_t i = 0; i < video.frames.size(); ++i) {
    const Frame& frame = video.frames[i];
    for (; next_sound != sound.frames.end() && next_sound->pts <= frame.pts; ++next_sound) {
      append_frame(out, kSoundTrack, *next_sound, nullptr);
    }
    append_frame(out, kVideoTrack, frame, film.alpha_data ? &alpha.frames.at(i) : nullptr);
  }
  return out;
}

}  // namespace webrtcupload::test
