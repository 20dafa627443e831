// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Films that ask for more than they may, uploaded to `webrtc-upload serve`: each ends at once with
// one error that both sides read, in memory that does not follow what the film claims.

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "glib/glib_ptr.h"
#include "process.h"
#include "server.h"
#include "support/run_to_end.h"
#include "support/sample_films.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using test::big_endian;
using test::Event;
using test::kReservesMemory;
using test::matroska_film;
using test::matroska_track;
using test::mp4_film;
using test::mp4_track;
using test::nested_boxes;
using test::Process;
using test::program;
using test::Server;
using test::zeros;
using ::testing::HasSubstr;

constexpr int kFrames = 30;

// Its rows are all zeros, so that it is small as long as nobody decodes it.
std::string png(unsigned width, unsigned height, unsigned bytes_a_pixel) {
  const GObjectPtr<GConverter> zlib(
      G_CONVERTER(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9)));
  const std::string row = zeros(1 + std::size_t{width} * bytes_a_pixel);
  std::string packed;
  std::vector<char> buffer(1 << 16);
  for (unsigned i = 0; i < height; ++i) {
    const auto flags = i + 1 == height ? G_CONVERTER_INPUT_AT_END : G_CONVERTER_NO_FLAGS;
    gsize read = 0;
    for (GConverterResult result = G_CONVERTER_CONVERTED;
         read < row.size() || (flags && result != G_CONVERTER_FINISHED);) {
      gsize taken = 0;
      gsize written = 0;
      GError* error = nullptr;
      result = g_converter_convert(zlib.get(), row.data() + read, row.size() - read, buffer.data(),
                                   buffer.size(), flags, &taken, &written, &error);
      if (result == G_CONVERTER_ERROR) {
        ADD_FAILURE() << error->message;
        g_error_free(error);
        return "";
      }
      read += taken;
      packed.append(buffer.data(), written);
    }
  }
  const auto crc = [](const std::string& data) {
    std::uint32_t value = 0xffffffff;
    for (const char c : data) {
      value ^= static_cast<std::uint8_t>(c);
      for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ ((value & 1U) ? 0xedb88320U : 0U);
    }
    return big_endian(~value, 4);
  };
  const auto chunk = [&](const char* type, const std::string& data) {
    return big_endian(data.size(), 4) + type + data + crc(type + data);
  };
  const char color = bytes_a_pixel == 4 ? '\x06' : '\x00';
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) + '\x08' + color + zeros(3)) +
         chunk("IDAT", packed) + chunk("IEND", "");
}

std::string many_tracks(unsigned count) {
  std::string tracks;
  for (unsigned i = 1; i <= count; ++i) tracks += matroska_track(i);
  return matroska_film({.tracks = tracks});
}

class FilmLimitsServed : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-films-XXXXXX";
    directory() = mkdtemp(name);
    ASSERT_TRUE(test::run_to_end(
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,width=320,height=240,framerate=10/1 ! jpegenc ! avimux name=mux ! "
        "filesink location=" +
        path("good") +
        " audiotestsrc num-buffers=30 samplesperbuffer=4410 ! audio/x-raw,rate=44100 ! mux."));
  }
  static void TearDownTestSuite() { fs::remove_all(directory()); }

  static std::string& directory() {
    static std::string directory;
    return directory;
  }
  static std::string path(const std::string& name) { return directory() + "/" + name; }
  static std::string written(const std::string& name, const std::string& content) {
    std::ofstream(path(name)) << content;
    return path(name);
  }

  // What `send` says about it, and how the session ended.
  struct Told {
    int status;
    std::string errors;
    Event end;
  };
  static Told send(Server& server, int session, const std::string& file) {
    Process process({program(), "send", file, "--to", server.url()});
    const int status = process.wait_for_exit().value_or(-1000);
    return {status, process.errors(), server.wait_for_end(session)};
  }

  static void expect_refused(const Told& told, const std::string& code) {
    EXPECT_EQ(told.end.code, code) << told.end.message;
    EXPECT_EQ(told.end.frames, 0);
    EXPECT_EQ(told.status, 1);
    EXPECT_THAT(told.errors, HasSubstr(told.end.message));
  }
};

struct HostileFilm {
  const char* name;
  const char* code;
  std::string content;
};

std::vector<HostileFilm> hostile_films() {
  return {
      {"picture.png", "too-large-picture", png(16384, 16384, 1)},
      {"picture.mkv", "too-large-picture",
       matroska_film({.tracks = matroska_track(1, 16384, 16384)})},
      {"picture.mp4", "too-large-picture", mp4_film(mp4_track({.width = 16384, .height = 16384}))},
      {"hidden-picture.webm", "too-large-picture",
       matroska_film({.tracks = matroska_track(1, 64, 64, "V_VP8"),
                      .frame = test::vp8_key_frame(16383, 16383),
                      .type = "webm"})},
      {"tracks.mkv", "too-many-streams", many_tracks(2000)},
      {"samples.mp4", "too-many-frames",
       mp4_film(mp4_track({.samples = 0x7fffffff, .duration = 1}))},
      {"long.mkv", "too-long", matroska_film({.seconds = 1e9})},
      {"deep.mp4", "too-much-metadata", mp4_film(mp4_track({}) + nested_boxes(1000))},
      {"tags.mp4", "too-much-metadata", test::id3_header(200 << 20) + mp4_film(mp4_track({}))},
  };
}

// Of a process, in MiB, the most there was.
long peak_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stol(line.substr(6)) / 1024;
  }
  return -1;
}

TEST_F(FilmLimitsServed, EachEndsWithItsError) {
  Server server;
  int session = 0;
  for (const HostileFilm& film : hostile_films()) {
    SCOPED_TRACE(film.name);
    expect_refused(send(server, ++session, written(film.name, film.content)), film.code);
  }
  const Told told = send(server, ++session, path("good"));
  EXPECT_EQ(told.end.status, "done") << told.end.message;
  EXPECT_EQ(told.end.frames, kFrames);
}

// One frame of the first film has 256 MiB, and is kept twice while it is decoded.
TEST_F(FilmLimitsServed, MemoryDoesNotFollowWhatTheyClaim) {
  Server server({"--isolation", "none"});
  int session = 0;
  (void)send(server, ++session, path("good"));
  const long before = peak_memory(server.process().pid());
  ASSERT_GT(before, 0);
  for (const HostileFilm& film : hostile_films()) {
    SCOPED_TRACE(film.name);
    expect_refused(send(server, ++session, written(film.name, film.content)), film.code);
  }
  EXPECT_LT(peak_memory(server.process().pid()), before + 128);
  const Told told = send(server, ++session, path("good"));
  EXPECT_EQ(told.end.status, "done") << told.end.message;
}

TEST_F(FilmLimitsServed, TheOptions) {
  const auto served = [](std::vector<std::string> options) {
    Server server(std::move(options));
    return send(server, 1, path("good")).end;
  };
  EXPECT_EQ(served({"--max-pixels", "320x239"}).code, "too-large-picture");
  EXPECT_EQ(served({"--max-pixels", "76799"}).code, "too-large-picture");
  EXPECT_EQ(served({"--max-duration", "2.5"}).code, "too-long");
  EXPECT_EQ(served({"--max-streams", "1"}).code, "too-many-streams");
  const Event cut = served({"--max-frames", "29"});
  EXPECT_EQ(cut.code, "too-many-frames");
  EXPECT_LE(cut.frames, 29);
  const Event whole = served({"--max-pixels", "320x240", "--max-duration", "4", "--max-streams",
                              "2", "--max-frames", "30"});
  EXPECT_EQ(whole.status, "done") << whole.message;
  EXPECT_EQ(whole.frames, kFrames);
  EXPECT_EQ(served({"--max-pixels", "0", "--max-duration", "0", "--max-streams", "0",
                    "--max-frames", "0"})
                .status,
            "done");
}

// A picture that is within the limits, and too large for this process all the same.
TEST_F(FilmLimitsServed, ASessionWithoutMemorySaysSo) {
  if (kReservesMemory) GTEST_SKIP() << "the sanitizer reserves more than that";
  Server server({"--session-memory", "300000000"});
  const Told told = send(server, 1, written("large.png", png(8000, 8000, 4)));
  expect_refused(told, "too-much-memory");
  EXPECT_EQ(send(server, 2, path("good")).end.status, "done");
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
