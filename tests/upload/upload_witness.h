// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Everything a webrtcupload tells its application, recorded: what its signals said, and its
// messages taken apart. Also what the tests of its faults and of its teardown do with a sender.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "glib/signal_connection.h"
#include "support/peer_pair.h"
#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {

// What upload-complete, upload-failed and notify::state said. The handlers run on the element's
// threads.
class UploadWitness {
 public:
  struct Failure {
    GQuark domain = 0;
    int code = 0;
    std::string message;
  };

  explicit UploadWitness(GstElement* upload);

  // Each false when the deadline passed.
  bool wait_complete(std::chrono::milliseconds deadline = kDeadline) const;
  bool wait_failed(std::chrono::milliseconds deadline = kDeadline) const;
  // Until notify::state has shown the state with that nick.
  bool wait_state(const std::string& nick, std::chrono::milliseconds deadline = kDeadline) const;

  [[nodiscard]] int completions() const;
  [[nodiscard]] std::vector<Failure> failures() const;
  // What notify::state showed, one after the other.
  [[nodiscard]] std::vector<std::string> states() const;

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int completions = 0;
    std::vector<Failure> failures;
    std::vector<std::string> states;
  };

  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::vector<SignalConnection> connections_;
};

// A counter that threads of an element raise and the test waits for.
class Count {
 public:
  // The new value.
  int raise();
  [[nodiscard]] int value() const;
  bool wait(int at_least, std::chrono::milliseconds deadline = kDeadline) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable raised_;
  int value_ = 0;
};

// A handler that stays where it is until the test lets it go.
class Blocker {
 public:
  ~Blocker() { release(); }

  // Of the handler: does not return before release().
  void block();
  void release();
  // Until a thread is inside block().
  bool wait_blocked(std::chrono::milliseconds deadline = kDeadline) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool blocked_ = false;
  bool released_ = false;
};

// Handlers as functions. They run on the upload's own thread, and may still be running when the
// connection has ended; what they capture lives until then.
SignalConnection on_authorize(GstElement* upload, std::function<bool(const GstStructure*)> handler);
SignalConnection on_check_quota(GstElement* upload, std::function<bool()> handler);
SignalConnection on_complete(GstElement* upload, std::function<void()> handler);
SignalConnection on_failed(GstElement* upload, std::function<void()> handler);

struct ProgressMessage {
  GstProgressType type{};
  std::string code;
  std::string text;
};
std::vector<ProgressMessage> progress_messages(const BusLog& bus);
std::size_t count_progress(const BusLog& bus, GstProgressType type);
// The element messages application/x-webrtcupload-stats.
std::vector<GstStructurePtr> stats_messages(const BusLog& bus);

std::vector<Bytes> cut(const Bytes& file, std::size_t chunk_size);
// All of `file` in order. False when webrtcbin refused.
[[nodiscard]] bool send_file(GstWebRTCDataChannel* channel, const Bytes& file,
                             std::size_t chunk_size = 49152);

// Whether the thread that receives `webrtcbin`'s packets stands before its SCTP decoder, a packet
// in hand.
[[nodiscard]] bool is_held_back(GstElement* webrtcbin);

// Creates one more channel on a pair that is connected already; open when it returns.
PeerPair::Channel open_channel(PeerPair& pair, const char* label = "video_upload");

// An upload over one more channel of a pair that is connected already, from its offerer to a fresh
// element on its answerer.
void expect_upload_works(PeerPair& pair);

// Sends 1-byte messages, each once the one before came back, until `until` holds; so time passes
// while the connection is in use. False when the deadline passed.
bool ping_until(const PeerPair::Channel& channel, const std::function<bool()>& until,
                const std::function<void()>& with_each = nullptr,
                std::chrono::milliseconds deadline = kDeadline);

}  // namespace webrtcupload::test
