// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload of a webrtcuploadsink, from READY->PAUSED to PAUSED->READY: cuts what the streaming
// thread brings into messages, sends them as the channel has room, and tells the application how it
// goes.

#pragma once

#include <gst/base/gstbasesink.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/chunk_sender.h"
#include "core/error.h"
#include "core/mutex.h"
#include "core/progress_throttle.h"
#include "glib/glib_ptr.h"
#include "sending/sender_channel.h"

namespace webrtcupload {

struct SenderSettings {
  std::uint32_t chunk_size = 0;
  std::uint64_t buffer_limit = 0;
  // 0: ask upstream.
  std::uint64_t size = 0;
  bool confirm = false;
  std::chrono::nanoseconds confirm_timeout{0};
  // A peer whose certificate is not the one that its description announced is sent nothing.
  bool check_certificate = true;
};

class SenderSession {
 public:
  // `sink` owns the session. `close_at_end`: the channel is ours, so nobody else closes it.
  SenderSession(GstBaseSink* sink, const SenderSettings& settings,
                std::unique_ptr<SenderChannel> channel, bool close_at_end);

  // The streaming thread, with the preroll lock held. Returns after the last byte only when the
  // channel has drained (and the peer has confirmed, if that is wanted).
  [[nodiscard]] GstFlowReturn render(GstBuffer* buffer);
  // The streaming thread, at EOS: whether the upload is complete and EOS may be told. If it is not,
  // an error has been posted.
  [[nodiscard]] bool end_of_stream();
  // The streaming thread, after a flush: what comes next does not follow what came before.
  void flushed();

  // Any thread, with the preroll lock held: render() is to look at what the sink shall do.
  void interrupt() { channel_->interrupt(); }
  // Any thread: the pipeline is going down. Gives up what the channel could not send yet, which
  // would hold up webrtcbin's own way down; render() has been interrupted.
  void prepare_stop();
  // When no streaming thread runs any more: an upload that is under way is abandoned.
  void stop();

  // Any thread.
  [[nodiscard]] GstStructure* stats() const;

 private:
  [[nodiscard]] GstFlowReturn begin();
  [[nodiscard]] Result<std::uint64_t> total_size() const;
  [[nodiscard]] GstFlowReturn send_all(ByteView data);
  [[nodiscard]] GstFlowReturn complete();
  // Waits without the preroll lock, so that no state change has to wait for the network; while the
  // sink is paused, for the sink to play again.
  [[nodiscard]] GstFlowReturn until_done(const std::function<SenderChannel::Outcome()>& wait,
                                         bool* timed_out = nullptr);
  GstFlowReturn fail(const Error& error);
  // While the pipeline goes down it waits for how that ends: for the sink to flush, or to be left
  // where it is, when this is a failure.
  GstFlowReturn peer_gone(const std::string& why);
  void post_progress(GstProgressType type, const std::string& text);
  void note_sent();
  [[nodiscard]] std::string amount_text() const;

  GstBaseSink* const sink_;
  const SenderSettings settings_;
  const std::unique_ptr<SenderChannel> channel_;
  const bool close_at_end_;

  // The streaming thread's.
  GstBuffer* current_ = nullptr;
  std::optional<ChunkSender> sender_;
  ProgressThrottle throttle_;
  bool open_ = false;
  bool failed_ = false;
  bool flushed_ = false;

  std::atomic<bool> complete_{false};

  // Read by stats().
  mutable Mutex stats_mutex_;
  struct {
    std::uint64_t size = 0;
    std::uint64_t bytes = 0;
    std::uint32_t chunks = 0;
    std::uint32_t total_chunks = 0;
    std::uint64_t buffered_peak = 0;
    bool confirmed = false;
    std::optional<Error> error;
  } stats_ GUARDED_BY(stats_mutex_);
};

}  // namespace webrtcupload
