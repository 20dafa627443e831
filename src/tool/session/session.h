// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload from the offer to the end: a peer connection, further ones for an upload in wire
// format v2, the pipeline that looks at what they bring, and the decision when it is over and how.
// In two files: session.cpp begins and ends it; session_connections.cpp has what is done about its
// connections.

#pragma once

#include <glib.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "glib/main_context.h"
#include "glib/signal_connection.h"
#include "signalling/further_peers.h"
#include "tool/common/session_types.h"
#include "tool/session/session_pipeline.h"
#include "tool/session/session_results.h"
#include "tool/session/video_track.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {

// Lives on one context's thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> create(GMainContext* context, SessionConfig config,
                                         SessionObserver observer);
  ~Session();

  void start();
  // A further connection for the upload, and the end of one, see SessionObserver::connection.
  void connect(const std::string& connection, const std::string& offer_sdp);
  void disconnect(const std::string& connection);
  // Ends it, orderly but soon; an end that is under way is hurried.
  void stop(const std::string& why);

 private:
  enum class Phase { kNegotiating, kConnecting, kWaitingForUpload, kRunning, kEnding, kEnded };

  Session(GMainContext* context, SessionConfig config, SessionObserver observer);

  [[nodiscard]] std::string for_client(const std::string& text) const;
  void refuse(unsigned status, const char* type, const std::string& message);
  [[nodiscard]] PeerOptions peer_options() const;
  [[nodiscard]] std::string make_peer();
  void make_further_peers();
  [[nodiscard]] std::string make_pipeline();
  [[nodiscard]] std::string start_pipeline();
  void make_results();
  void make_video_track(const Offer& offer);
  void answer(const Offer& offer);
  // On a streaming thread.
  void on_frame(const FrameObserver::Frame& frame);
  // A message of the client's on the results channel.
  void on_control(const std::string& json);
  void on_connected();
  // The results have reached the client, or never will.
  void on_delivered();
  void on_first_gone(const std::string& why);
  void on_peer_gone(const std::string& why);
  void give_up_results(const std::string& why);
  // Whether the client has, or has had, a channel for them.
  [[nodiscard]] bool wants_results();
  void detach_results(GstElement* webrtcbin);
  // Whether there is a connection that the client may have its results over, or open a channel for
  // them.
  [[nodiscard]] bool is_anybody_left() const;
  // The upload is complete, so nobody can come back any more: if nobody is left either, that is it.
  void end_without_reader();
  void on_asked();
  void on_state_changed();
  void fail(std::string code, std::string message);
  // Of a further one: whether it opens a channel for results, which then go over that one.
  void watch_results_channel(const std::string& connection, GstElement* webrtcbin);
  void move_results(const std::string& connection, GstWebRTCDataChannel* channel);
  [[nodiscard]] std::shared_ptr<Peer> results_peer() const;
  // The upload waits for another connection, or goes on over those that there are.
  void drop_first(const std::string& why);
  // The one way to the end; `end_` says how.
  void finish(SessionEnd end);
  using Moment = std::chrono::steady_clock::time_point;
  // Every now and then while it runs.
  void watch();
  // Likewise from the end on, until the client has been told.
  void watch_delivery();
  // Whether all results are sent and the client is waited for. A sink in the pipeline does that
  // before the pipeline's end is known here.
  [[nodiscard]] bool awaits_reader() const;
  // Whether the file has been complete for a while and nothing has come out of it.
  [[nodiscard]] bool is_fruitless(Moment now) const;
  [[nodiscard]] std::optional<std::string> stalled_for(Moment now);
  [[nodiscard]] bool is_silent(Moment now);
  void end_if_silent(Moment now);
  void stop_analysis();
  [[nodiscard]] std::function<void()> step();
  void step_down();
  void close_connections();
  // One of them is closed.
  void closed();
  void conclude();
  void stop_pipeline();

  GMainContext* context_;
  const SessionConfig config_;
  SessionObserver observer_;
  Phase phase_ = Phase::kNegotiating;
  Timer timer_;  // Of the phase: to connect, to begin the upload, to notice a lost peer.
  Timer delivery_timer_;
  // Of the first offer; null once the upload goes on without it.
  std::shared_ptr<Peer> peer_;
  std::shared_ptr<FurtherPeers> further_;
  // Which connection results go over: the first, or the last on which the client has opened a
  // channel for them.
  std::string results_on_ = kFirstConnection;
  // By the webrtcbins of further connections, as long as those are there.
  std::map<const GstElement*, SignalConnection> results_watches_;
  std::unique_ptr<SessionPipeline> pipeline_;
  // Used on streaming threads as well; both are made before the pipeline starts.
  std::unique_ptr<SessionResults> results_;
  std::unique_ptr<VideoTrack> video_;
  Timer processing_timer_;
  Timer watchdog_;
  // The watchdog's memory: what was done, and when that last changed; what came from the peer and
  // what was sent to it, and since when that has not been answered.
  SessionPipeline::Counts progress_;
  Moment progress_at_;
  std::optional<Moment> complete_since_;
  std::uint64_t packets_ = 0;
  std::uint64_t sent_ = 0;
  std::optional<Moment> unanswered_since_;
  // The peer that results go to.
  bool peer_gone_ = false;
  bool wants_results_ = false;
  bool without_reader_ = false;  // Found out, once.
  bool has_asked_ = false;
  bool awaits_delivery_ = false;
  bool delivered_ = false;
  bool cut_short_ = false;
  bool pipeline_stops_ = false;
  bool answered_ = false;
  int steps_left_ = 0;  // Of stepping down: the pipeline, the results.
  int closing_ = 0;     // Connections that are being closed.
  bool closes_all_ = false;
  SessionEnd end_;
};

}  // namespace webrtcupload
