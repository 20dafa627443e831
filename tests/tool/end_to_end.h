// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two programs, and files for them: what tests of whole uploads begin with.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/run_to_end.h"
#include "tool/process.h"
#include "tool/server.h"

namespace webrtcupload::test {

inline constexpr int kFrames = 50;
// For uploads that are only to be received.
inline constexpr const char* kSwallow = "fakesink";

inline std::unique_ptr<Process> start_send(const Server& server, const std::string& file,
                                           std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {program(), "send", file, "--to", server.url()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return std::make_unique<Process>(arguments);
}

// What a finished program said.
struct Outcome {
  int status = -1000;
  std::string output;
  std::string errors;
};

inline Outcome outcome_of(Process& process) {
  Outcome outcome;
  outcome.status = process.wait_for_exit().value_or(-1000);
  for (const std::string& line : process.lines()) outcome.output += line + "\n";
  outcome.errors = process.errors();
  return outcome;
}

inline Outcome send(const Server& server, const std::string& file,
                    std::vector<std::string> more = {}) {
  return outcome_of(*start_send(server, file, std::move(more)));
}

inline void expect_success(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.errors << outcome.output;
}

inline Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program());
  Process process(arguments);
  return outcome_of(process);
}

class EndToEnd : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/webrtc-upload-files-XXXXXX";
    directory() = mkdtemp(name);
    // Whichever encoder is there; the container is MP4 for both.
    const bool x264 = gst_element_factory_find("x264enc") != nullptr;
    const std::string description =
        "videotestsrc num-buffers=" + std::to_string(kFrames) +
        " ! video/x-raw,width=320,height=240,framerate=25/1 ! " +
        (x264 ? "x264enc speed-preset=ultrafast" : "openh264enc") +
        " ! h264parse ! mp4mux ! filesink location=" + file("video.mp4");
    ASSERT_TRUE(run_to_end(description));

    std::filesystem::copy_file(file("video.mp4"), file("truncated.mp4"));
    std::filesystem::resize_file(file("truncated.mp4"),
                                 std::filesystem::file_size(file("video.mp4")) / 2);
    std::ofstream(file("text.mp4")) << "This is not a video, whatever its name says.\n";
    std::ofstream(file("one.mp4")) << "x";
    std::ofstream(file("empty.mp4")) << "";
    // Takes a while, and no space.
    std::ofstream(file("big.bin")) << "x";
    std::filesystem::resize_file(file("big.bin"), 400 << 20);
    std::ofstream(file("small.bin")) << "x";
    std::filesystem::resize_file(file("small.bin"), 36000);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory()); }

  static std::string& directory() {
    static std::string path;
    return path;
  }
  static std::string file(const std::string& name) { return directory() + "/" + name; }

  static void expect_told_of_the_crash(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.errors,
              "webrtc-upload send: crashed: the server could not cope with this video: "
              "the process of the session was ended by signal 9\n");
  }

  // Waits until an upload is under way, as its sender sees it.
  static void expect_under_way(Process& sender) {
    EXPECT_TRUE(sender.wait_for_line([](const std::string& line) {
      const int percent = std::atoi(line.c_str());
      return percent >= 10 && percent < 80;
    })) << sender.errors();
  }
};

}  // namespace webrtcupload::test
