// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The source of an upload and the webrtcuploadsink that sends it, in a pipeline of their own.

#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload {

// What stands for standard input in the place of a file.
inline constexpr const char* kStandardInput = "-";

struct SendingOptions {
  std::string file;
  bool v2 = false;
  std::optional<unsigned> chunk_size;
  std::optional<std::uint64_t> buffer_limit;
};

// Lives on one context's thread.
class SendingPipeline {
 public:
  struct Failure {
    std::string code;  // Of docs/protocol.md, or empty.
    std::string message;
    // It is what the server has said.
    bool by_server = false;
  };
  struct Ready {
    unsigned max_connections = 1;
    std::chrono::milliseconds resume_timeout{0};
  };
  struct Events {
    // With v2: what the server says of itself. From now on attach() makes sense.
    std::function<void(const Ready&)> ready;
    // With v2: that webrtcbin's channel takes part no more.
    std::function<void(GstElement* webrtcbin, const std::string& why)> connection_lost;
    // With v2: after the last one was lost another one has joined.
    std::function<void()> resumed;
    // Everything was handed over; with v2 the server has it, and its SHA-256 is the file's.
    std::function<void()> complete;
    std::function<void(const Failure&)> failed;
  };
  struct Figures {
    // What has left this program; with v2 what the server has stored.
    std::uint64_t bytes = 0;
    // With v2, see ConnectionRule::Figures.
    unsigned connections = 0;
    std::chrono::nanoseconds waited_for_room{0};
    std::chrono::nanoseconds round_trip{0};
  };

  SendingPipeline(GMainContext* context, SendingOptions options, Events events);
  ~SendingPipeline();
  SendingPipeline(const SendingPipeline&) = delete;
  SendingPipeline& operator=(const SendingPipeline&) = delete;

  // Makes the upload's channel on a webrtcbin that has no offer yet; what is wrong, or nothing.
  [[nodiscard]] std::string prepare(GstElement* webrtcbin);
  // With v2: a further channel, on another webrtcbin that has no offer yet; likewise.
  [[nodiscard]] std::string attach(GstElement* webrtcbin);
  // Sends, once the channel is open.
  void play();
  // No event follows. Then `stopped` is called on the context.
  void stop(std::function<void()> stopped);

  [[nodiscard]] Figures figures() const;
  // Bytes that the source has brought so far.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  // Of the file, with v2 once it is complete; otherwise empty.
  [[nodiscard]] std::string sha256() const;

 private:
  [[nodiscard]] std::string build(GstElement* webrtcbin);
  // Tells the sink what the file is called and is.
  void name_file();
  [[nodiscard]] GstElement* make_source();
  void watch_bus();
  // On the streaming thread.
  [[nodiscard]] GstPadProbeReturn on_data(GstPadProbeInfo* info);
  void on_message(GstMessage* message);
  void on_error(GstMessage* message);
  void on_news(const GstStructure* news);

  GMainContext* const context_;
  const SendingOptions options_;
  const Events events_;
  GstPtr<GstElement> pipeline_;
  GstElement* source_ = nullptr;  // The pipeline's.
  GstElement* sink_ = nullptr;    // The pipeline's.
  GSource* bus_source_ = nullptr;
  std::atomic<std::uint64_t> taken_ = 0;
};

}  // namespace webrtcupload
