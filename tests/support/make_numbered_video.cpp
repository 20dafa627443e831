// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Draws a film in which every frame says which one it is, for `zbar` (a bar code) and for
// `testboxdetector` (a red box that moves):
//
//   make-numbered-video OUT.mp4 [FRAMES [FRAMES_PER_SECOND [KILOBITS_PER_SECOND]]]
//
// H.264 in MP4, 320x240, with B frames. Frame N, from 1, has the EAN-13 of "2", N in eleven digits
// and the check digit; and a 40x40 box with its upper left corner at (264, 4 * (N % 50)). With a
// bit rate above 0, noise in blue, which neither looks at, makes the film about as large as the
// rate says.

#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int kWidth = 320;
constexpr int kHeight = 240;
constexpr int kBox = 40;
constexpr int kBoxLeft = 264;
constexpr int kModule = 2;
constexpr int kCodeLeft = 36;
constexpr int kCodeTop = 20;
constexpr int kCodeHeight = 120;
constexpr std::uint8_t kWhite = 235;
constexpr std::uint8_t kBlack = 16;

struct Film {
  int frames = 100;
  int rate = 25;
  int kilobits = 0;
  std::uint32_t noise = 1;
};

// The bars of "2", `number` in eleven digits, and the check digit; 1 is black.
std::string bars(int number) {
  static constexpr std::array<const char*, 10> kLeft = {"0001101", "0011001", "0010011", "0111101",
                                                        "0100011", "0110001", "0101111", "0111011",
                                                        "0110111", "0001011"};
  // Which of the six on the left are written the other way: this is what says "2".
  static constexpr std::array<bool, 6> kReversed = {false, false, true, true, false, true};
  char text[16];
  std::snprintf(text, sizeof text, "2%011d", number);
  std::string digits(text, 12);
  int sum = 0;
  for (int i = 0; i < 12; ++i) sum += (digits[i] - '0') * (i % 2 == 0 ? 1 : 3);
  digits += static_cast<char>('0' + (10 - sum % 10) % 10);

  const auto complement = [](std::string code) {
    for (char& bar : code) bar = bar == '0' ? '1' : '0';
    return code;
  };
  std::string result = "101";
  for (int i = 1; i <= 6; ++i) {
    const std::string code = kLeft[digits[i] - '0'];
    if (!kReversed[i - 1]) {
      result += code;
    } else {
      const std::string right = complement(code);
      result.append(right.rbegin(), right.rend());
    }
  }
  result += "01010";
  for (int i = 7; i <= 12; ++i) result += complement(kLeft[digits[i] - '0']);
  return result + "101";
}

void fill(GstVideoFrame& frame, int component, int left, int top, int width, int height,
          std::uint8_t value) {
  auto* plane = static_cast<std::uint8_t*>(GST_VIDEO_FRAME_COMP_DATA(&frame, component));
  const int stride = GST_VIDEO_FRAME_COMP_STRIDE(&frame, component);
  for (int y = top; y < top + height; ++y) {
    for (int x = left; x < left + width; ++x) plane[y * stride + x] = value;
  }
}

GstBuffer* draw(Film& film, int number) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, kWidth, kHeight);
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr);
  GstVideoFrame frame;
  if (!gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE)) std::abort();
  fill(frame, 0, 0, 0, kWidth, kHeight, kWhite);
  for (const int chroma : {1, 2}) fill(frame, chroma, 0, 0, kWidth / 2, kHeight / 2, 128);

  int x = kCodeLeft;
  for (const char bar : bars(number)) {
    if (bar == '1') fill(frame, 0, x, kCodeTop, kModule, kCodeHeight, kBlack);
    x += kModule;
  }

  const int top = 4 * (number % 50);
  fill(frame, 0, kBoxLeft, top, kBox, kBox, 82);
  fill(frame, 1, kBoxLeft / 2, top / 2, kBox / 2, kBox / 2, 90);
  fill(frame, 2, kBoxLeft / 2, top / 2, kBox / 2, kBox / 2, 240);

  if (film.kilobits > 0) {
    for (int y = 0; y < kHeight / 2; ++y) {
      for (x = 0; x < kWidth / 2; ++x) {
        film.noise = film.noise * 1664525u + 1013904223u;
        fill(frame, 1, x, y, 1, 1, static_cast<std::uint8_t>(film.noise >> 24));
      }
    }
  }
  gst_video_frame_unmap(&frame);
  GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_int(GST_SECOND, number - 1, film.rate);
  GST_BUFFER_DURATION(buffer) = gst_util_uint64_scale_int(GST_SECOND, 1, film.rate);
  return buffer;
}

int make(const char* out, Film film) {
  // Only large films need a rate; the others should look as drawn.
  const std::string quality =
      film.kilobits > 0 ? "bitrate=" + std::to_string(film.kilobits) : "pass=quant quantizer=20";
  const std::string description =
      "appsrc name=frames format=time block=true max-buffers=8 max-bytes=0 "
      "caps=video/x-raw,format=I420,width=320,height=240,framerate=" +
      std::to_string(film.rate) + "/1 ! x264enc speed-preset=veryfast bframes=2 key-int-max=25 " +
      quality + " ! h264parse ! mp4mux ! filesink name=file";
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  if (!pipeline || error) {
    std::fprintf(stderr, "make-numbered-video: %s\n", error ? error->message : "no pipeline");
    return 1;
  }
  GstElement* file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
  g_object_set(file, "location", out, nullptr);
  gst_object_unref(file);

  GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "frames");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  for (int number = 1; number <= film.frames; ++number) {
    if (gst_app_src_push_buffer(GST_APP_SRC(source), draw(film, number)) != GST_FLOW_OK) break;
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source));
  gst_object_unref(source);
  GstBus* bus = gst_element_get_bus(pipeline);
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  const bool done = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
  if (!done) {
    gst_message_parse_error(message, &error, nullptr);
    std::fprintf(stderr, "make-numbered-video: %s\n", error->message);
    g_clear_error(&error);
  }
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return done ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc < 2 || argc > 5) {
    std::fprintf(stderr, "usage: %s OUT.mp4 [FRAMES [FPS [KILOBITS]]]\n", argv[0]);
    return 2;
  }
  Film film;
  if (argc > 2) film.frames = std::atoi(argv[2]);
  if (argc > 3) film.rate = std::atoi(argv[3]);
  if (argc > 4) film.kilobits = std::atoi(argv[4]);
  if (film.frames < 1 || film.rate < 1) return 2;
  return make(argv[1], film);
}
