// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/sender_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "glib/debug.h"
#include "glib/error_details.h"
#include "glib/pad_flushing.h"
#include "webrtc/channel_owner.h"
#include "webrtc/dtls_check.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/pipeline_eos.h"
#include "webrtc/pipeline_picture.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace webrtcupload {
namespace {

using Outcome = SenderChannel::Outcome;

TimePoint now() { return std::chrono::microseconds(g_get_monotonic_time()); }

// What kind of trouble an error is, in GStreamer's terms.
std::pair<GQuark, int> domain_and_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUntrustedPeer:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED};
    case ErrorCode::kEmptyUpload:
    case ErrorCode::kSizeMismatch:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ};
    case ErrorCode::kUnknownSize:
    case ErrorCode::kTooManyChunks:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT};
    default:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE};
  }
}

constexpr const char* kStopped = "the sender was stopped";

Error flushed_in_the_middle() {
  return {ErrorCode::kSizeMismatch,
          "the source was flushed or sought in the middle of the upload, and what comes then does "
          "not follow what was sent"};
}

// Bytes of the file that have left: that the peer has, where it says so. (What the channel buffers
// counts headers too, so this is low by a few bytes for each message in it.)
std::uint64_t bytes_across(const SendingFormat::Figures& figures, std::uint64_t buffered) {
  return figures.stored.value_or(figures.bytes - std::min(figures.bytes, buffered));
}

int percent_of(const SendingFormat::Figures& figures, std::uint64_t buffered) {
  const std::uint64_t size = figures.size.value_or(0);
  if (size == 0) return figures.confirmed ? 100 : 0;
  // No overflow: no format can say a size of 2^53 and more.
  return static_cast<int>(std::min(bytes_across(figures, buffered), size) * 100 / size);
}

std::string amount_of(const SendingFormat::Figures& figures, std::uint64_t buffered) {
  const std::string of = figures.size ? " of " + std::to_string(*figures.size) : "";
  return std::to_string(bytes_across(figures, buffered)) + of + " bytes";
}

guint64 nanoseconds(std::chrono::nanoseconds time) { return static_cast<guint64>(time.count()); }

void add_traffic(GstStructure* stats, const SendingFormat::Traffic& traffic) {
  gst_structure_set(stats,                                                                       //
                    "connections", G_TYPE_UINT, guint{traffic.connections},                      //
                    "max-connections", G_TYPE_UINT, guint{traffic.max_connections},              //
                    "stored", G_TYPE_UINT64, guint64{traffic.stored},                            //
                    "sent", G_TYPE_UINT64, guint64{traffic.sent},                                //
                    "waited-for-room", G_TYPE_UINT64, nanoseconds(traffic.waited_for_room),      //
                    "waited-for-credit", G_TYPE_UINT64, nanoseconds(traffic.waited_for_credit),  //
                    "round-trip", G_TYPE_UINT64, nanoseconds(traffic.round_trip), nullptr);
}

}  // namespace

SenderSession::SenderSession(GstBaseSink* sink, const SenderSettings& settings,
                             std::unique_ptr<SendingFormat> format, GstPtr<GstElement> webrtcbin,
                             std::shared_ptr<Bell> bell)
    : sink_(sink),
      settings_(settings),
      format_(std::move(format)),
      webrtcbin_(std::move(webrtcbin)),
      bell_(std::move(bell)) {}

GstFlowReturn SenderSession::render(GstBuffer* buffer) {
  if (failed_) return GST_FLOW_ERROR;
  if (flushed_) return fail(flushed_in_the_middle());
  current_ = GST_MINI_OBJECT_CAST(buffer);
  if (const GstFlowReturn flow = begin(); flow != GST_FLOW_OK) return flow;
  // One memory after the other, since mapping a buffer of several would copy them together.
  for (guint i = 0; i < gst_buffer_n_memory(buffer); ++i) {
    GstMemory* memory = gst_buffer_peek_memory(buffer, i);
    GstMapInfo map;
    if (!gst_memory_map(memory, &map, GST_MAP_READ)) {
      return fail({ErrorCode::kSizeMismatch, "a buffer from upstream cannot be read"});
    }
    const GstFlowReturn flow = format_->send(*this, ByteView(map.data, map.size));
    gst_memory_unmap(memory, &map);
    if (flow != GST_FLOW_OK) return flow;
  }
  return format_->finished() ? complete() : GST_FLOW_OK;
}

bool SenderSession::end_of_stream(GstEvent* eos) {
  if (complete_) return true;
  // The source's own error, or ours, is on the bus already.
  if (failed_) return false;
  current_ = GST_MINI_OBJECT_CAST(eos);
  auto error = prepare();
  const bool was_finished = !error && started_ && format_->finished();
  if (!error) error = format_->end();
  if (error) {
    fail(*error);
  } else if (was_finished) {
    // A flush or a state change cut render() short after it had taken the last byte.
    fail({ErrorCode::kCancelled, "the upload was interrupted before the channel had drained"});
  } else if (flushed_) {
    fail(flushed_in_the_middle());
  } else {
    return finish() == GST_FLOW_OK;
  }
  return false;
}

GstFlowReturn SenderSession::finish() {
  // GstBaseSink does this for buffers: nothing is sent unless the sink plays.
  GstFlowReturn flow = gst_base_sink_do_preroll(sink_, current_);
  if (flow == GST_FLOW_OK) flow = begin();
  return flow == GST_FLOW_OK ? complete() : flow;
}

void SenderSession::flushed() {
  if (started_ && !complete_) flushed_ = true;
}

void SenderSession::prepare_stop() {
  if (!complete_) format_->abandon(kStopped);
}

void SenderSession::stop() {
  GST_INFO_OBJECT(sink_, "stops: %s",
                  complete_   ? "everything was sent"
                  : failed_   ? "the upload has failed"
                  : !started_ ? "nothing was sent"
                              : ("the upload is cancelled after " + amount_text()).c_str());
  if (started_ && !complete_ && !failed_) {
    post_progress(GST_PROGRESS_TYPE_CANCELED, "The upload was cancelled after " + amount_text());
  }
  if (complete_) {
    format_->close();
  } else {
    format_->abandon(kStopped);
  }
}

std::optional<Error> SenderSession::prepare() {
  if (prepared_) return std::nullopt;
  if (auto error = format_->begin(total_size())) return error;
  prepared_ = true;
  return std::nullopt;
}

GstFlowReturn SenderSession::begin() {
  if (const auto error = prepare()) return fail(*error);
  if (!started_) {
    started_ = true;
    const auto figures = format_->figures();
    {
      const MutexLock lock(stats_mutex_);
      stats_.figures = figures;
    }
    const std::string what = figures.size ? std::to_string(*figures.size) + " bytes"
                                          : std::string("a stream of unknown size");
    GST_INFO_OBJECT(sink_, "uploading %s%s", what.c_str(),
                    figures.total_chunks == 0
                        ? ""
                        : (" in " + std::to_string(figures.total_chunks) + " chunks").c_str());
    GST_DEBUG_OBJECT(sink_, "at most %" G_GUINT64_FORMAT " bytes wait in the channel; confirm: %s",
                     guint64{settings_.buffer_limit}, settings_.confirm ? "yes" : "no");
    post_progress(GST_PROGRESS_TYPE_START, "Uploading " + what);
  }
  return format_->open(*this);
}

std::optional<std::uint64_t> SenderSession::total_size() const {
  if (settings_.size != 0) return settings_.size;
  gint64 size = -1;
  if (gst_pad_peer_query_duration(GST_BASE_SINK_PAD(sink_), GST_FORMAT_BYTES, &size) && size >= 0) {
    return static_cast<std::uint64_t>(size);
  }
  return std::nullopt;
}

GstFlowReturn SenderSession::complete() {
  if (complete_) return GST_FLOW_OK;
  if (const GstFlowReturn flow = format_->complete(*this); flow != GST_FLOW_OK) return flow;
  const auto figures = format_->figures();
  if (settings_.confirm && !figures.confirmed) {
    GST_ELEMENT_WARNING(
        sink_, RESOURCE, WRITE,
        ("All bytes were sent, but the peer has not confirmed within %.1f s that it has them.",
         std::chrono::duration<double>(settings_.confirm_timeout).count()),
        ("a receiver that does not echo keepalives never does; see the property \"confirm\""));
  }
  complete_ = true;
  {
    const MutexLock lock(stats_mutex_);
    stats_.figures = figures;
    stats_.sha256 = format_->sha256();
  }
  GST_INFO_OBJECT(sink_, "complete: %" G_GUINT64_FORMAT " bytes, %s", guint64{figures.bytes},
                  figures.confirmed   ? "which the peer has confirmed"
                  : settings_.confirm ? "which the peer has not confirmed in time"
                                      : "which the peer was not asked to confirm");
  post_progress(GST_PROGRESS_TYPE_COMPLETE,
                (figures.confirmed ? "The peer has all " : "Sent all ") +
                    std::to_string(figures.bytes) + " bytes");
  let_pipeline_end();
  return GST_FLOW_OK;
}

void SenderSession::let_pipeline_end() {
  if (complete_) post_eos_for_webrtcbin(GST_ELEMENT(sink_), webrtcbin_.get());
}

GstFlowReturn SenderSession::until_done(const std::function<Outcome()>& wait, bool* timed_out) {
  for (;;) {
    GST_BASE_SINK_PREROLL_UNLOCK(sink_);
    const Outcome outcome = wait();
    GST_BASE_SINK_PREROLL_LOCK(sink_);
    switch (outcome) {
      case Outcome::kDone:
        return GST_FLOW_OK;
      case Outcome::kTimedOut:
        if (timed_out) *timed_out = true;
        return GST_FLOW_OK;
      case Outcome::kGone:
        return peer_gone(format_->why_gone());
      case Outcome::kInterrupted:
        // By whoever held the preroll lock before; what it has changed is what counts.
        bell_->calm();
        GST_DEBUG_OBJECT(sink_, "a wait for the channel is interrupted");
        // Set before anyone who makes the pad flush takes the lock.
        if (is_flushing(GST_BASE_SINK_PAD(sink_))) return GST_FLOW_FLUSHING;
        if (const GstFlowReturn flow = gst_base_sink_do_preroll(sink_, current_);
            flow != GST_FLOW_OK) {
          return flow;
        }
        break;
    }
  }
}

void SenderSession::unlocked(const std::function<void()>& work) {
  GST_BASE_SINK_PREROLL_UNLOCK(sink_);
  work();
  GST_BASE_SINK_PREROLL_LOCK(sink_);
}

PeerTrust SenderSession::trust_of(const SenderChannel& channel) {
  PeerTrust trust = PeerTrust::kTrusted;
  if (settings_.check_certificate) unlocked([&] { trust = channel.peer_trust(); });
  return trust;
}

GstFlowReturn SenderSession::shutdown_over(const std::string& why) {
  while (is_shutting_down(GST_ELEMENT(sink_))) {
    GST_DEBUG_OBJECT(sink_, "%s, while the pipeline shuts down", why.c_str());
    const auto until = Bell::Clock::now() + kShutdownInterval;
    const GstFlowReturn flow = until_done([&] {
      while (!bell_->is_interrupted() && bell_->wait(bell_->rings(), until)) {
      }
      return bell_->is_interrupted() ? Outcome::kInterrupted : Outcome::kTimedOut;
    });
    if (flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_OK;
}

GstFlowReturn SenderSession::peer_gone(const std::string& why) {
  if (const GstFlowReturn flow = shutdown_over(why); flow != GST_FLOW_OK) return flow;
  // What the channel itself says ("the data channel is not open") is less than what the watch found
  // out.
  const std::string found = format_->why_gone();
  return fail({ErrorCode::kPeerGone,
               (found.empty() ? why : found) + " after " + amount_text() + " had been sent"});
}

GstFlowReturn SenderSession::fail(const Error& error) {
  const ErrorText text = error_text(error);
  post_failure(text, domain_and_code(error.code), error_details(text));
  unlocked([&] { format_->abandon(error.message); });
  return GST_FLOW_ERROR;
}

GstFlowReturn SenderSession::refused(const control::Failure& failure) {
  const ErrorText error{.code = failure.code, .message = "the receiver says: " + failure.message};
  GstStructure* details = error_details(error);
  gst_structure_set(details, "resumable", G_TYPE_BOOLEAN, gboolean{failure.resumable}, nullptr);
  if (failure.retry_after) {
    gst_structure_set(details, "retry-after", G_TYPE_UINT64, guint64{*failure.retry_after},
                      nullptr);
  }
  post_failure(error, domain_and_code(ErrorCode::kPeerGone), details);
  unlocked([&] { format_->abandon(error.message); });
  return GST_FLOW_ERROR;
}

void SenderSession::post_failure(const ErrorText& error, std::pair<GQuark, int> domain_and_code,
                                 GstStructure* details) {
  failed_ = true;
  {
    const MutexLock lock(stats_mutex_);
    stats_.error = error;
  }
  GST_INFO_OBJECT(sink_, "failed: %s: %s", error.code.c_str(), error.message.c_str());
  draw_failure(GST_ELEMENT(sink_), webrtcbin_.get());
  const std::string text = "The upload failed: " + error.message + ".";
  post_progress(GST_PROGRESS_TYPE_ERROR, text);
  gst_element_message_full_with_details(
      GST_ELEMENT(sink_), GST_MESSAGE_ERROR, domain_and_code.first, domain_and_code.second,
      g_strdup(text.c_str()), nullptr, __FILE__, GST_FUNCTION, __LINE__, details);
}

void SenderSession::post_progress(GstProgressType type, const std::string& text) {
  gst_element_post_message(GST_ELEMENT(sink_), gst_message_new_progress(GST_OBJECT(sink_), type,
                                                                        "upload", text.c_str()));
}

void SenderSession::note_progress() {
  const std::uint64_t buffered = format_->buffered_amount();
  const auto figures = format_->figures();
  const bool sent_more = [&] {
    const MutexLock lock(stats_mutex_);
    const bool more = figures.chunks != stats_.figures.chunks;
    stats_.figures = figures;
    stats_.buffered_peak = std::max(stats_.buffered_peak, buffered);
    return more;
  }();
  if (sent_more) {
    const std::string of =
        figures.total_chunks == 0 ? "" : " of " + std::to_string(figures.total_chunks);
    GST_LOG_OBJECT(sink_, "chunk %u%s is sent; %" G_GUINT64_FORMAT " bytes wait in the channel",
                   guint{figures.chunks}, of.c_str(), guint64{buffered});
  }
  const int percent = percent_of(figures, buffered);
  if (throttle_.due(percent, now())) {
    post_progress(GST_PROGRESS_TYPE_CONTINUE, (figures.stored ? "Stored " : "Sent ") +
                                                  std::to_string(percent) + " % (" +
                                                  amount_of(figures, buffered) + ")");
  }
}

std::string SenderSession::amount_text() const {
  if (!started_) return "0 bytes";
  return amount_of(format_->figures(), format_->buffered_amount());
}

std::optional<Sha256Sum> SenderSession::sha256() const {
  const MutexLock lock(stats_mutex_);
  return stats_.sha256;
}

GstStructure* SenderSession::stats() const {
  const std::uint64_t buffered = format_->buffered_amount();
  const auto several = format_->traffic();
  const MutexLock lock(stats_mutex_);
  const auto& figures = stats_.figures;
  const auto traffic = several.value_or(SendingFormat::Traffic{.sent = figures.bytes});
  GstStructure* stats =
      gst_structure_new("application/x-webrtcuploadsink-stats",                            //
                        "size", G_TYPE_UINT64, guint64{figures.size.value_or(0)},          //
                        "bytes", G_TYPE_UINT64, guint64{bytes_across(figures, buffered)},  //
                        "percent", G_TYPE_INT, gint{percent_of(figures, buffered)},        //
                        "chunks-sent", G_TYPE_UINT, guint{figures.chunks},                 //
                        "chunks-announced", G_TYPE_UINT, guint{figures.total_chunks},      //
                        "buffered", G_TYPE_UINT64, guint64{buffered},                      //
                        "buffered-peak", G_TYPE_UINT64, guint64{stats_.buffered_peak},     //
                        "confirmed", G_TYPE_BOOLEAN, gboolean{figures.confirmed}, nullptr);
  add_traffic(stats, traffic);
  if (stats_.error) add_error(stats, *stats_.error);
  return stats;
}

}  // namespace webrtcupload
