// SPDX-License-Identifier: LGPL-2.1-or-later
//
// `webrtcupload ! the operator's pipeline` of one session: built, watched, stopped.

#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "downstream/exposed_streams.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "tool/common/session_types.h"
#include "tool/session/frame_observer.h"
#include "tool/session/pacer.h"
#include "tool/session/policy_gate.h"

namespace webrtcupload {

class SessionPipeline {
 public:
  struct Events {
    // On the context. At most one of these two, once.
    std::function<void()> finished;
    std::function<void(std::string code, std::string message)> failed;
    // On the context, some time after the upload's state changed.
    std::function<void()> state_changed;
    // On the upload's worker: the file is complete, and this is its SHA-256, empty in v1.
    std::function<void(const std::string& sha256)> complete;
    // On the context: the first chunk is here, and somebody is asked whether it may be stored.
    std::function<void()> asks;
    // On a streaming thread; may block.
    FrameObserver::OnFrame frame;
    // See SessionObserver::ask.
    PolicyGate::Ask ask;
    // See SessionObserver.
    std::function<void(bool joined)> feeding;
    std::function<void()> fed;
  };

  struct Counts {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
    // Buffers that reached the sinks, of whatever kind.
    std::uint64_t buffers = 0;
    // All connections of the upload are lost, and it waits for its client.
    bool interrupted = false;

    bool operator==(const Counts&) const = default;
  };

  // Null, with `problem` set, if the description does not work.
  static std::unique_ptr<SessionPipeline> create(GMainContext* context, const SessionConfig& config,
                                                 GstElement* webrtcbin, Events events,
                                                 std::string& problem);
  ~SessionPipeline();

  // Whether the operator's text makes a pipeline, and one that starts with this configuration as it
  // will in a session; an empty string, or what is wrong with it.
  [[nodiscard]] static std::string check(const std::string& description, SessionConfig config);
  // The name of the output that a webrtcresultsink in it makes, or an empty string.
  [[nodiscard]] static std::string output_name(const std::string& description);
  // Adds what it needs of a sandbox: the files that it names, and graphics hardware.
  static void add_needs(const std::string& description, SandboxConfig& sandbox);

  // An empty string, or why it does not start.
  [[nodiscard]] std::string start();
  // No event follows. Stops on a thread of GStreamer's (elements may take their time), then calls
  // `done` on the context.
  void stop(std::function<void()> done);

  // The webrtcresultsink that the operator has put in, or null.
  [[nodiscard]] GstPtr<GstElement> result_sink() const;
  // Whether chunks have arrived, and whether all have.
  [[nodiscard]] bool upload_begun() const;
  [[nodiscard]] bool upload_complete() const;
  // Whether it is one in wire format v2 that is under way: it may have further connections, and
  // whether the loss of one is its end is decided by its element.
  [[nodiscard]] bool may_be_joined() const;
  // Channels of this webrtcbin may join the upload; false if that is not possible.
  [[nodiscard]] bool attach(GstElement* webrtcbin);
  // It has stopped: nothing of it is kept.
  void detach(GstElement* webrtcbin);
  [[nodiscard]] Counts counts() const;
  // With the receiver's own hash, once the file is complete.
  [[nodiscard]] FilmFacts film() const;
  // Why nothing came out of a film that is not broken, if that is known.
  [[nodiscard]] std::optional<ClientError> why_unused() const { return streams_->why_unused(); }
  // Whether a frame is held until its time.
  [[nodiscard]] bool is_pacing() const { return pacer_ && pacer_->is_waiting(); }
  // What the no of SessionObserver::ask was, if there was one.
  [[nodiscard]] std::optional<PolicyAnswer> denial() const {
    return gate_ ? gate_->denial() : std::nullopt;
  }

 private:
  SessionPipeline(GMainContext* context, Events events);

  struct SyncHandler {
    std::shared_ptr<FrameObserver> frames;
    std::shared_ptr<ExposedStreams> streams;
    // Whether a webrtcresultsink listens to analysers on the bus.
    bool keeps_element_messages = false;
  };
  static GstBusSyncReply on_sync_message(GstBus*, GstMessage* message, gpointer self);
  void on_message(GstMessage* message);
  void on_error(GstMessage* message);
  [[nodiscard]] std::string upload_state() const;
  void ask_before_storing();
  void tell_of_feeding();
  [[nodiscard]] static std::uint64_t stored_bytes(GstElement* upload);

  GMainContext* context_;
  Events events_;
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> upload_;
  GSource* bus_source_ = nullptr;
  SignalConnection state_connection_;
  SignalConnection authorize_connection_;
  SignalConnection feeding_connection_;
  SignalConnection fed_connection_;
  SignalConnection complete_connection_;
  SignalConnection quota_connection_;
  std::shared_ptr<FrameObserver> frames_;
  std::shared_ptr<ExposedStreams> streams_ = std::make_shared<ExposedStreams>();
  std::shared_ptr<Pacer> pacer_;      // If realtime.
  std::shared_ptr<PolicyGate> gate_;  // If somebody is to be asked.
  bool over_ = false;
};

}  // namespace webrtcupload
