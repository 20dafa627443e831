// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The results channel of one peer: makes a result of each analysed frame, sends it as fast as the
// peer takes results, reads what the peer says, and sees to it that the last word arrives. Without
// an element around it, so that whoever has frames can use it.

#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>
#include <gst/webrtc/webrtc.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/channel_labels.h"
#include "core/error.h"
#include "glib/stream_time.h"
#include "results/detections.h"

namespace webrtcupload {

struct ResultSettings {
  // Whose results they are, for the log.
  std::string name = "results";
  // The channel that is taken: the first one the peer opens under this label.
  std::string channel_label = kResultsLabel;
  // Nothing is sent while more bytes than these wait in the channel, so that a peer that reads
  // slowly costs this and one result.
  std::uint64_t buffer_limit = 1024ULL * 1024;
  // How many results may be sent ahead of the last one the peer has acknowledged. From its first
  // acknowledgement on, and unless `realtime`. 0 = any number.
  unsigned ack_window = 32;
  // Results for which there is no room are dropped. Otherwise send_frame() waits for it.
  bool realtime = false;
  // The outputs in each result: empty = only the metadata, "*" = all but images.
  std::vector<std::string> data_output = {"*"};
  // Under which detections appear. Images are always "image".
  std::string output_name = "predictions";
  // As told to the peer; unset: as the frames' caps say.
  std::optional<double> declared_fps;
  int jpeg_quality = 80;
  // Whether `pts` is 0 in the first result, for a peer that compares it with a video track: all it
  // knows of the times there is how much later than the first frame the others are. Otherwise it is
  // the frame's time in the file.
  bool pts_from_first = false;
  // How long the first result, or the end without one, waits for the channel. After that results
  // are dropped until it is there.
  std::chrono::milliseconds channel_timeout{5000};
  // After the last message, for a peer that acknowledges: how long its next acknowledgement is
  // waited for. Each new one begins this time anew, so a peer that takes its time gets everything.
  std::chrono::milliseconds ack_timeout{10000};
  // After the last message, for a peer that has acknowledged nothing: how long the channel stays
  // open. What a peer reads only later it may never get: some WebRTC stacks throw away what their
  // program has not read when the channel closes. A peer that closes the channel ends both waits.
  std::chrono::milliseconds linger{5000};
  // A peer whose certificate is not the one that its description announced is sent nothing, and
  // nothing is heard from it, where its webrtcbin is known.
  bool check_certificate = true;
};

// What a peer has to read its last messages when there is no time for more.
inline constexpr std::chrono::milliseconds kHurriedLinger{200};

struct ResultStats {
  std::uint64_t sent = 0;  // Results, the completion not counted.
  // For want of room (realtime), of a channel, or because the end or a flush came first.
  std::uint64_t dropped = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint32_t last_frame_id = 0;
  std::optional<std::uint32_t> acked;  // None before the first acknowledgement.
  std::uint64_t control = 0;           // Messages handed to ResultEvents::control.
  std::uint64_t rejected = 0;          // Messages from the peer that were not.
  std::uint64_t buffered = 0;          // In the channel now.
  std::uint64_t buffered_peak = 0;
  bool ending = false;  // finish() or cancel() has been called.
};

// How it ended.
struct Delivery {
  // Everything that was sent, the completion too, was taken by the peer, and its channel is closed.
  bool complete = false;
  // A sentence, if not.
  std::string problem;
  ResultStats stats;
};

// Called on a thread of the sender's own, one at a time. A handler may block; control messages that
// come meanwhile wait, and beyond some dozens are lost.
struct ResultEvents {
  // A text message that is a JSON object. Acknowledgements (`{"ack": N}` alone) are not among them.
  std::function<void(const std::string& json_text)> control;
  // The peer or its channel is gone without finish() having been called (kPeerGone), or the peer is
  // not who it should be (kUntrustedPeer), which may be found out after finish() as well.
  std::function<void(const Error& why)> gone;
  // Whether the application is taking down what this runs in, so that what looks like a peer that
  // left is none. As long as that is so, `gone` does not come. May be left out.
  std::function<bool()> shutting_down;
  // After finish(), once; not if the sender is destroyed before. After cancel() only if
  // shutting_down() said yes then and says no later: the shutdown has failed, and what remains has
  // to end in another way.
  std::function<void(const Delivery&)> finished;
};

class ResultSender {
 public:
  static std::shared_ptr<ResultSender> create(ResultSettings settings, ResultEvents events);
  // stop().
  ~ResultSender();
  ResultSender(const ResultSender&) = delete;
  ResultSender& operator=(const ResultSender&) = delete;

  // Takes the first channel that the peer opens under the label, so call it before the connection
  // is negotiated; and notices if the connection ends. Holds `webrtcbin` until its own end. Reads
  // its properties: not under the PC lock, so in no handler of a channel's signals. Again with
  // another webrtcbin: the first peer is forgotten, unless there has been a result.
  void attach(GstElement* webrtcbin);
  // The peer of this webrtcbin has left, and the webrtcbin has stopped: nothing keeps it any more.
  // What remains to be sent is dropped. Any thread but under the PC lock.
  void detach(const GstElement* webrtcbin);
  // Takes this channel, whatever its label. May be called under the PC lock, and has to be if the
  // channel comes from on-data-channel: messages that arrive before are lost. False if there is one
  // already, or if another element has it. The webrtcbin has to be kept by somebody.
  bool adopt(GstWebRTCDataChannel* channel);

  // One result for `frame`, which is shown at `time`; on the streaming thread, for which it may
  // wait: for the channel, for room in it, for acknowledgements. False when it was dropped because
  // of flushing or the end. `frame` is mapped only if an image is asked for.
  bool send_frame(GstBuffer* frame, StreamTime time, const GstVideoInfo& info,
                  const std::vector<Detection>& detections);
  // The same for a text or JSON value, which becomes the output called `output_name`. False also
  // for JSON that is not valid: ask why in `problem`, which is then not empty.
  enum class ValueKind { kText, kJson };
  bool send_value(StreamTime time, std::string_view output_name, ValueKind kind,
                  std::string_view value, std::string* problem = nullptr);

  // Any thread, from the next result on.
  void set_data_output(std::vector<std::string> names);
  // Any thread: of the uploaded file, which the completion message tells if it is not empty.
  void set_sha256(std::string sha256);
  // Any thread: while it is set, nothing waits and results are dropped.
  void set_flushing(bool flushing);

  // The end, from any thread: returns at once. The first call counts. What is being sent may still
  // leave, what waits is dropped; then the completion message with this reason (empty = null) and
  // these errors, and when the channel has drained it is closed.
  void finish(std::string termination_reason, std::vector<std::string> errors);
  // After finish(), from any thread: the peer is given only a moment (kHurriedLinger) to read its
  // last messages.
  void hurry();
  // Ends within `patience`, from any thread but those of ResultEvents, with finish() under way or
  // not: sends the completion if that has not been done, waits until SCTP has taken it, closes the
  // channel. With `abandon`, whatever is still queued then is thrown away, without which webrtcbin
  // could not be stopped. Nothing is sent afterwards; of `finished` see there.
  void cancel(std::string termination_reason, std::vector<std::string> errors,
              std::chrono::milliseconds patience, bool abandon);

  // Ends at once, and lets go of the channel, which it closes only if finish() or cancel() came so
  // far. Handlers that run are given a moment, unless it is one that calls this; none is called
  // afterwards. Any thread.
  void stop();

  // Whether the peer has opened the channel. Any thread.
  [[nodiscard]] bool has_channel() const;
  // Any thread but under the PC lock.
  [[nodiscard]] ResultStats stats() const;

 private:
  class Impl;
  explicit ResultSender(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

}  // namespace webrtcupload
