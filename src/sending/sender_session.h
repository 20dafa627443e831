// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One upload of a webrtcuploadsink, from READY->PAUSED to PAUSED->READY: hands what the streaming
// thread brings to the wire format, which sends it, waits for it as GstBaseSink wants it, and tells
// the application how it goes.

#pragma once

#include <gst/base/gstbasesink.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/control.h"
#include "core/error.h"
#include "core/mutex.h"
#include "core/progress_throttle.h"
#include "core/sha256.h"
#include "glib/error_details.h"
#include "glib/glib_ptr.h"
#include "sending/sender_channel.h"
#include "sending/sender_settings.h"
#include "sending/sending_format.h"

namespace webrtcupload {

class SenderSession final : private SendingFormat::Host {
 public:
  // `sink` owns the session. `webrtcbin` is that of the channel that the upload begins with, or
  // null; `bell` is that of all its channels.
  SenderSession(GstBaseSink* sink, const SenderSettings& settings,
                std::unique_ptr<SendingFormat> format, GstPtr<GstElement> webrtcbin,
                std::shared_ptr<Bell> bell);
  ~SenderSession() = default;

  // The streaming thread, with the preroll lock held. Returns after the last byte of an upload
  // whose size is known only when the peer has everything, as far as the format tells.
  [[nodiscard]] GstFlowReturn render(GstBuffer* buffer);
  // The streaming thread, at EOS, with the preroll lock held: whether the upload is complete and
  // EOS may be told; waits for that. If it is not, an error has been posted, or the sink is
  // flushing.
  [[nodiscard]] bool end_of_stream(GstEvent* eos);
  // The streaming thread, after a flush: what comes next does not follow what came before.
  void flushed();

  // Any thread, with the preroll lock held: render() is to look at what the sink shall do.
  void interrupt() { bell_->interrupt(); }
  // Any thread, when the pipeline plays again: GStreamer has forgotten in PAUSED whose end has been
  // told, and a webrtcbin does not say it again.
  void let_pipeline_end();
  // Any thread: the pipeline is going down. Gives up what the channel could not send yet, which
  // would hold up webrtcbin's own way down; render() has been interrupted.
  void prepare_stop();
  // When no streaming thread runs any more: an upload that is under way is abandoned.
  void stop();

  // Any thread that does not hold the PC lock of `webrtcbin`: a further connection over it. False,
  // with the reason in `problem`, when there is none.
  [[nodiscard]] bool attach(GstElement* webrtcbin, const std::string& label, std::string& problem) {
    return format_->attach(webrtcbin, label, problem);
  }

  // Any thread.
  [[nodiscard]] GstStructure* stats() const;
  // Of the file, once it has been sent and where the format has it computed.
  [[nodiscard]] std::optional<Sha256Sum> sha256() const;

 private:
  [[nodiscard]] std::optional<Error> prepare();
  [[nodiscard]] GstFlowReturn begin();
  [[nodiscard]] std::optional<std::uint64_t> total_size() const;
  [[nodiscard]] GstFlowReturn complete();
  // The rest of an upload whose size nobody knew, at EOS.
  [[nodiscard]] GstFlowReturn finish();

  // As a format's host.
  [[nodiscard]] GstElement* element() override { return GST_ELEMENT(sink_); }
  void unlocked(const std::function<void()>& work) override;
  [[nodiscard]] PeerTrust trust_of(const SenderChannel& channel) override;
  [[nodiscard]] GstFlowReturn shutdown_over(const std::string& why) override;
  [[nodiscard]] GstFlowReturn until_done(const std::function<SenderChannel::Outcome()>& wait,
                                         bool* timed_out = nullptr) override;
  GstFlowReturn fail(const Error& error) override;
  GstFlowReturn refused(const control::Failure& failure) override;
  GstFlowReturn peer_gone(const std::string& why) override;
  void note_progress() override;

  // Posts the error; `details` are given away.
  void post_failure(const ErrorText& error, std::pair<GQuark, int> domain_and_code,
                    GstStructure* details);
  void post_progress(GstProgressType type, const std::string& text);
  [[nodiscard]] std::string amount_text() const;

  GstBaseSink* const sink_;
  const SenderSettings settings_;
  const std::unique_ptr<SendingFormat> format_;
  const GstPtr<GstElement> webrtcbin_;
  const std::shared_ptr<Bell> bell_;

  // The streaming thread's. What it waits with: a buffer, or the EOS.
  GstMiniObject* current_ = nullptr;
  ProgressThrottle throttle_;
  bool prepared_ = false;
  bool started_ = false;
  bool failed_ = false;
  bool flushed_ = false;

  std::atomic<bool> complete_{false};

  // Read by stats() and sha256().
  mutable Mutex stats_mutex_;
  struct {
    SendingFormat::Figures figures;
    std::uint64_t buffered_peak = 0;
    std::optional<ErrorText> error;
    std::optional<Sha256Sum> sha256;
  } stats_ GUARDED_BY(stats_mutex_);
};

}  // namespace webrtcupload
