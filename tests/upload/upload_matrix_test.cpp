// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole uploads, webrtcuploadsink to webrtcupload over a real connection, of real files: every
// container and codec people have, and sizes around every boundary. What comes out is the file, bit
// by bit, and decodes to exactly what the file itself decodes to.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "support/run_to_end.h"
#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using Side = PeerPair::Side;

struct Film {
  const char* name;
  // Raw video to file, and raw audio to file ("" for none): encoders and muxer. "mux" is linked to
  // the file.
  const char* video;
  const char* audio;
  const char* muxer;
  // Elements that may be missing where distributions leave them out.
  std::vector<const char*> needs;
};

std::string film_name(const testing::TestParamInfo<Film>& film) { return film.param.name; }
void PrintTo(const Film& film, std::ostream* out) { *out << film.name; }

// 90 frames, 6 seconds.
constexpr int kFrames = 90;
constexpr const char* kVideoSource =
    "videotestsrc num-buffers=90 pattern=ball ! "
    "video/x-raw,format=I420,width=320,height=240,framerate=15/1 ! ";
constexpr const char* kAudioSource =
    "audiotestsrc num-buffers=258 samplesperbuffer=1024 ! audio/x-raw,rate=44100,channels=2 ! "
    "audioconvert ! audioresample ! ";

constexpr const char* kH264 = "x264enc speed-preset=ultrafast key-int-max=30 ! h264parse";
constexpr const char* kVp8 = "vp8enc deadline=1";
constexpr const char* kVp9 = "vp9enc deadline=1 cpu-used=8 ! vp9parse";
constexpr const char* kAac = "avenc_aac ! aacparse";

const Film kFilms[] = {
    {"mp4_moov_first_h264_aac", kH264, kAac, "mp4mux faststart=true", {"x264enc", "avenc_aac"}},
    {"mp4_moov_first_h264", kH264, "", "mp4mux faststart=true", {"x264enc"}},
    {"mp4_moov_last_h264_aac", kH264, kAac, "mp4mux", {"x264enc", "avenc_aac"}},
    {"mp4_moov_last_h264", kH264, "", "mp4mux", {"x264enc"}},
    {"mp4_fragmented_h264", kH264, "", "mp4mux fragment-duration=1000", {"x264enc"}},
    // Not Opus: 1.22's qtdemux leaks its caps.
    {"mp4_moov_last_vp9_aac", kVp9, kAac, "mp4mux", {"vp9enc", "avenc_aac"}},
    {"mov_h264_aac", kH264, kAac, "qtmux", {"x264enc", "avenc_aac"}},
    {"mov_h264", kH264, "", "qtmux", {"x264enc"}},
    {"mkv_h264_aac", kH264, kAac, "matroskamux", {"x264enc", "avenc_aac"}},
    {"mkv_h264", kH264, "", "matroskamux", {"x264enc"}},
    {"mkv_vp9", kVp9, "", "matroskamux", {"vp9enc"}},
    {"mkv_streamable_vp8", kVp8, "", "matroskamux streamable=true", {"vp8enc"}},
    {"webm_vp8_vorbis", kVp8, "vorbisenc", "webmmux", {"vp8enc", "vorbisenc"}},
    {"webm_vp8", kVp8, "", "webmmux", {"vp8enc"}},
    {"webm_vp9_opus", kVp9, "opusenc", "webmmux", {"vp9enc", "opusenc"}},
    {"ts_h264_aac", kH264, kAac, "mpegtsmux", {"x264enc", "avenc_aac"}},
    {"ts_h264", kH264, "", "mpegtsmux", {"x264enc"}},
    // Not MP3: 1.22's avimux leaks it, and decodebin does not play a file as short as this when it
    // is pushed in buffers of 48 KiB, from disk either ("all streams without buffers").
    {"avi_h264_pcm", kH264, "audio/x-raw,format=S16LE", "avimux", {"x264enc"}},
    {"avi_mjpeg", "jpegenc", "", "avimux", {"jpegenc"}},
};

// What decoding came to.
struct Decoded {
  int frames = 0;
  guint64 audio_bytes = 0;
  bool failed = false;

  bool operator==(const Decoded&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Decoded& decoded) {
  return out << decoded.frames << " frames, " << decoded.audio_bytes << " bytes of audio"
             << (decoded.failed ? ", failed" : "");
}

std::string decoder(bool has_audio) {
  return std::string("decodebin name=decode decode. ! video/x-raw ! ") +
         "fakesink name=video signal-handoffs=true sync=false" +
         (has_audio ? " decode. ! audio/x-raw ! fakesink name=audio signal-handoffs=true sync=false"
                    : "");
}

// Counts what a pipeline with the tail above decodes.
class DecodeCounter {
 public:
  explicit DecodeCounter(GstElement* pipeline) {
    watch(pipeline, "video", [](Counts& counts, GstBuffer*) { ++counts.frames; });
    watch(pipeline, "audio",
          [](Counts& counts, GstBuffer* buffer) { counts.bytes += gst_buffer_get_size(buffer); });
  }

  // Until `bus` says that it is over.
  Decoded wait(BusLog& bus) const {
    const auto end = bus.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    EXPECT_TRUE(end) << "decoding does not end";
    return {counts_->frames, counts_->bytes,
            !end || GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_ERROR};
  }

 private:
  struct Counts {
    std::atomic<int> frames{0};
    std::atomic<guint64> bytes{0};
  };
  using Count = void (*)(Counts&, GstBuffer*);
  struct Closure {
    std::shared_ptr<Counts> counts;
    Count count;
  };

  void watch(GstElement* pipeline, const char* name, Count count) {
    const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), name));
    if (!sink) return;
    connections_.emplace_back(
        sink.get(), "handoff",
        G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, Closure* closure) {
          closure->count(*closure->counts, buffer);
        }),
        Closure{counts_, count});
  }

  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  std::vector<SignalConnection> connections_;
};

// Whether every buffer that leaves `upload`, pushed or pulled, holds the bytes of the file at its
// offset.
class BytesChecker {
 public:
  BytesChecker(GstElement* upload, const Bytes& file)
      : pad_(gst_element_get_static_pad(upload, "src")) {
    state_->file = file;
    probe_ = gst_pad_add_probe(
        pad_.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_PUSH |
                                     GST_PAD_PROBE_TYPE_PULL),
        on_buffer, new std::shared_ptr<State>(state_),
        [](gpointer data) { delete static_cast<std::shared_ptr<State>*>(data); });
  }
  ~BytesChecker() { gst_pad_remove_probe(pad_.get(), probe_); }
  BytesChecker(const BytesChecker&) = delete;
  BytesChecker& operator=(const BytesChecker&) = delete;

  [[nodiscard]] guint64 good() const { return state_->good; }
  [[nodiscard]] guint64 bad() const { return state_->bad; }

 private:
  struct State {
    Bytes file;
    std::atomic<guint64> good{0};
    std::atomic<guint64> bad{0};
  };

  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer data) {
    State& state = **static_cast<std::shared_ptr<State>*>(data);
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    // A pull probe is called before the pull too, without a buffer.
    if (!buffer) return GST_PAD_PROBE_OK;
    const guint64 offset = GST_BUFFER_OFFSET(buffer);
    const gsize size = gst_buffer_get_size(buffer);
    const bool same = offset + size <= state.file.size() &&
                      gst_buffer_memcmp(buffer, 0, state.file.data() + offset, size) == 0;
    (same ? state.good : state.bad) += same ? size : 1;
    return GST_PAD_PROBE_OK;
  }

  const GstPtr<GstPad> pad_;
  gulong probe_ = 0;
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

Bytes read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void write_file(const fs::path& path, std::span<const std::uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.flush());
}

Decoded decode_file(const fs::path& path, bool has_audio) {
  const auto pipeline =
      parse_pipeline("filesrc location=" + path.string() + " ! " + decoder(has_audio));
  if (!pipeline) return {};
  BusLog bus(pipeline.get());
  const DecodeCounter counter(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const Decoded decoded = counter.wait(bus);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return decoded;
}

// A directory for the files of one test, gone with it.
class UploadMatrix : public testing::Test {
 protected:
  UploadMatrix()
      : directory_(fs::temp_directory_path() /
                   ("webrtcupload-matrix-" + std::to_string(getpid()))) {
    fs::create_directories(directory_);
  }
  ~UploadMatrix() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  void SetUp() override { ASSERT_TRUE(pair_.start()); }

  // `filesrc ! webrtcuploadsink`, which makes the channel `label` on the connection; the first time
  // it is negotiated. Returns once the sender has ended: "" or its error.
  std::string send(const fs::path& path, const std::string& label) {
    const auto pipeline = parse_pipeline("filesrc location=" + path.string() +
                                         " ! webrtcuploadsink name=sink channel-label=" + label);
    if (!pipeline) return "no pipeline";
    g_object_set(element_named(pipeline, "sink").get(), "webrtcbin", pair_.offerer(), nullptr);
    BusLog bus(pipeline.get());
    EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    if (!std::exchange(negotiated_, true)) {
      EXPECT_TRUE(pair_.negotiate());
    }
    const auto end = bus.wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    stop_promptly(pipeline.get());
    EXPECT_EQ(bus.count(GST_MESSAGE_WARNING), 0U) << "the receiver has not confirmed";
    return end && GST_MESSAGE_TYPE(end.get()) == GST_MESSAGE_EOS ? "" : describe(end.get());
  }

  void expect_same_bytes(const fs::path& path) {
    const Bytes file = read_file(path);
    const std::string label = next_label();
    ReceivingPipeline receiver(pair_.answerer(), "channel-label=" + label);
    receiver.play();
    ASSERT_EQ(send(path, label), "");
    ASSERT_TRUE(receiver.wait_eos());
    EXPECT_TRUE(receiver.bytes() == file) << "the bytes differ";
    EXPECT_EQ(receiver.state(), "done");
  }

  // Decodes what arrives, straight from webrtcupload.
  Decoded decode_upload(const fs::path& path, bool has_audio, const std::string& properties) {
    const std::string label = next_label();
    ReceivingPipeline receiver(pair_.answerer(), "channel-label=" + label + " " + properties,
                               decoder(has_audio));
    const BytesChecker checker(receiver.upload(), read_file(path));
    const DecodeCounter counter(receiver.pipeline());
    receiver.play();
    EXPECT_EQ(send(path, label), "");
    const Decoded decoded = counter.wait(receiver.bus());
    EXPECT_EQ(checker.bad(), 0U) << "buffers with other bytes than the file";
    EXPECT_GT(checker.good(), 0U);
    return decoded;
  }

  void expect_same_decoding(const fs::path& path, bool has_audio) {
    const Decoded expected = decode_file(path, has_audio);
    EXPECT_EQ(decode_upload(path, has_audio, ""), expected);
    EXPECT_EQ(decode_upload(path, has_audio, "progressive=true"), expected) << "progressive";
  }

  [[nodiscard]] const fs::path& directory() const { return directory_; }

 private:
  std::string next_label() { return "upload" + std::to_string(++uploads_); }

  const fs::path directory_;
  PeerPair pair_{{.observe_incoming = false}};
  bool negotiated_ = false;
  int uploads_ = 0;
};

class UploadFilm : public UploadMatrix, public testing::WithParamInterface<Film> {};

TEST_P(UploadFilm, ArrivesAndDecodesAsTheFile) {
  const Film& film = GetParam();
  for (const char* element : film.needs) {
    const GstPtr<GstElementFactory> factory(gst_element_factory_find(element));
    if (!factory) GTEST_SKIP() << element << " is not installed here";
  }
  const fs::path path = directory() / film.name;
  const bool has_audio = *film.audio != '\0';
  ASSERT_TRUE(
      run_to_end(std::string(kVideoSource) + film.video + " ! queue ! mux. " +
                 (has_audio ? std::string(kAudioSource) + film.audio + " ! queue ! mux. " : "") +
                 film.muxer + " name=mux ! filesink location=" + path.string()));
  ASSERT_EQ(decode_file(path, has_audio).frames, kFrames);

  expect_same_bytes(path);
  expect_same_decoding(path, has_audio);
}

INSTANTIATE_TEST_SUITE_P(Films, UploadFilm, testing::ValuesIn(kFilms), film_name);

TEST_F(UploadMatrix, BlobsOfEverySize) {
  for (const std::size_t size :
       {1U, 2U, 1000U, 49151U, 49152U, 49153U, 65535U, 65536U, 65537U, 98304U, 1'048'575U}) {
    SCOPED_TRACE(size);
    const fs::path path = directory() / "blob";
    write_file(path, random_bytes(size, static_cast<std::uint32_t>(size)));
    expect_same_bytes(path);
  }
}

TEST_F(UploadMatrix, BlobOfTensOfMegabytes) {
  const fs::path path = directory() / "blob";
  write_file(path, random_bytes(40'000'001));
  expect_same_bytes(path);
}

// Files that are not what their name says, or not whole, fail or play just as they do from disk.

TEST_F(UploadMatrix, TextFileNamedMp4) {
  const fs::path path = directory() / "text.mp4";
  std::string text;
  while (text.size() < 100'000) text += "This is not a film. ";
  write_file(path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  expect_same_bytes(path);
  const Decoded expected = decode_file(path, false);
  EXPECT_TRUE(expected.failed);
  EXPECT_EQ(decode_upload(path, false, ""), expected);
}

class TruncatedFilm : public UploadMatrix, public testing::WithParamInterface<Film> {};

TEST_P(TruncatedFilm, DecodesAsFarAsTheFile) {
  const Film& film = GetParam();
  for (const char* element : film.needs) {
    const GstPtr<GstElementFactory> factory(gst_element_factory_find(element));
    if (!factory) GTEST_SKIP() << element << " is not installed here";
  }
  const fs::path path = directory() / film.name;
  ASSERT_TRUE(run_to_end(std::string(kVideoSource) + film.video + " ! queue ! " + film.muxer +
                         " ! filesink location=" + path.string()));
  fs::resize_file(path, fs::file_size(path) / 2);
  const Decoded expected = decode_file(path, false);
  EXPECT_LT(expected.frames, kFrames);
  EXPECT_EQ(decode_upload(path, false, ""), expected);
}

// Not an MP4 that lost the moov at its end: 1.22's decodebin can swallow qtdemux' error when it
// comes while the demuxer is still being plugged, and then says nothing at all, from disk as well.
INSTANTIATE_TEST_SUITE_P(
    Films, TruncatedFilm,
    testing::Values(Film{"mp4_moov_first", kH264, "", "mp4mux faststart=true", {"x264enc"}},
                    Film{"mkv", kH264, "", "matroskamux", {"x264enc"}},
                    Film{"ts", kH264, "", "mpegtsmux", {"x264enc"}}),
    film_name);

}  // namespace
}  // namespace webrtcupload::test
