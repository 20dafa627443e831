// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/sender_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "glib/debug.h"
#include "glib/error_details.h"
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

}  // namespace

SenderSession::SenderSession(GstBaseSink* sink, const SenderSettings& settings,
                             std::unique_ptr<SenderChannel> channel, bool close_at_end)
    : sink_(sink), settings_(settings), channel_(std::move(channel)), close_at_end_(close_at_end) {}

GstFlowReturn SenderSession::render(GstBuffer* buffer) {
  if (failed_) return GST_FLOW_ERROR;
  if (flushed_) {
    return fail({ErrorCode::kSizeMismatch,
                 "the source was flushed or sought in the middle of the upload, which wire format "
                 "v1 cannot express"});
  }
  current_ = buffer;
  if (const GstFlowReturn flow = begin(); flow != GST_FLOW_OK) return flow;
  // One memory after the other, since mapping a buffer of several would copy them together.
  for (guint i = 0; i < gst_buffer_n_memory(buffer); ++i) {
    GstMemory* memory = gst_buffer_peek_memory(buffer, i);
    GstMapInfo map;
    if (!gst_memory_map(memory, &map, GST_MAP_READ)) {
      return fail({ErrorCode::kSizeMismatch, "a buffer from upstream cannot be read"});
    }
    const GstFlowReturn flow = send_all(ByteView(map.data, map.size));
    gst_memory_unmap(memory, &map);
    if (flow != GST_FLOW_OK) return flow;
  }
  return sender_->finished() ? complete() : GST_FLOW_OK;
}

bool SenderSession::end_of_stream() {
  if (complete_) return true;
  // The source's own error, or ours, is on the bus already.
  if (failed_) return false;
  if (!sender_) {
    // Not a single byte came. Only an upload of known, wrong size gets this far.
    const auto size = total_size();
    const auto sender =
        size ? ChunkSender::create(size.value(), settings_.chunk_size) : size.error();
    fail(sender ? *sender.value().end() : sender.error());
  } else if (const auto error = sender_->end()) {
    fail(*error);
  } else {
    // A flush or a state change cut render() short after it had taken the last byte.
    fail({ErrorCode::kCancelled, "the upload was interrupted before the channel had drained"});
  }
  return false;
}

void SenderSession::flushed() {
  if (sender_ && !complete_) flushed_ = true;
}

void SenderSession::prepare_stop() {
  if (!complete_) channel_->abandon();
}

void SenderSession::stop() {
  GST_INFO_OBJECT(sink_, "stops: %s",
                  complete_  ? "everything was sent"
                  : failed_  ? "the upload has failed"
                  : !sender_ ? "nothing was sent"
                             : ("the upload is cancelled after " + amount_text()).c_str());
  if (sender_ && !complete_ && !failed_) {
    post_progress(GST_PROGRESS_TYPE_CANCELED, "The upload was cancelled after " + amount_text());
  }
  if (!complete_) {
    channel_->abandon();
  } else if (close_at_end_) {
    channel_->close();
  }
}

GstFlowReturn SenderSession::begin() {
  if (!sender_) {
    const auto size = total_size();
    if (!size) return fail(size.error());
    auto sender = ChunkSender::create(size.value(), settings_.chunk_size);
    if (!sender) return fail(sender.error());
    sender_ = sender.value();
    {
      const MutexLock lock(stats_mutex_);
      stats_.size = sender_->size();
      stats_.total_chunks = sender_->total_chunks();
    }
    GST_INFO_OBJECT(sink_, "uploading %" G_GUINT64_FORMAT " bytes in %u chunks",
                    guint64{sender_->size()}, sender_->total_chunks());
    GST_DEBUG_OBJECT(sink_, "at most %" G_GUINT64_FORMAT " bytes wait in the channel; confirm: %s",
                     guint64{settings_.buffer_limit}, settings_.confirm ? "yes" : "no");
    post_progress(GST_PROGRESS_TYPE_START,
                  "Uploading " + std::to_string(sender_->size()) + " bytes");
  }
  if (!open_) {
    const GstFlowReturn flow = until_done([this] { return channel_->wait_open(); });
    if (flow != GST_FLOW_OK) return flow;
    GST_DEBUG_OBJECT(sink_, "the data channel is open");
    if (settings_.check_certificate) {
      GST_BASE_SINK_PREROLL_UNLOCK(sink_);
      const PeerTrust trust = channel_->peer_trust();
      GST_BASE_SINK_PREROLL_LOCK(sink_);
      if (trust == PeerTrust::kWebrtcbinHasGone) return peer_gone(kOwnerHasGone);
      if (trust != PeerTrust::kTrusted) return fail({ErrorCode::kUntrustedPeer, to_string(trust)});
    }
    open_ = true;
  }
  return GST_FLOW_OK;
}

Result<std::uint64_t> SenderSession::total_size() const {
  if (settings_.size != 0) return settings_.size;
  gint64 size = -1;
  if (gst_pad_peer_query_duration(GST_BASE_SINK_PAD(sink_), GST_FORMAT_BYTES, &size) && size >= 0) {
    return static_cast<std::uint64_t>(size);
  }
  return Error{ErrorCode::kUnknownSize,
               "upstream does not know how many bytes it will deliver, and the receiver has to be "
               "told with the first chunk: send from a file (filesrc), or set the property "
               "\"size\""};
}

GstFlowReturn SenderSession::send_all(ByteView data) {
  while (!data.empty()) {
    const auto taken = sender_->feed(data);
    if (!taken) return fail(taken.error());
    data = data.subspan(taken.value());
    if (!sender_->message_ready()) continue;

    const std::uint64_t message_size = sender_->message_size();
    const GstFlowReturn flow =
        until_done([&] { return channel_->wait_room(message_size, settings_.buffer_limit); });
    if (flow != GST_FLOW_OK) return flow;
    std::string problem;
    if (!channel_->send(sender_->take_message(), problem)) return peer_gone(problem);
    note_sent();
  }
  return GST_FLOW_OK;
}

GstFlowReturn SenderSession::complete() {
  if (complete_) return GST_FLOW_OK;
  if (const GstFlowReturn flow = until_done([this] { return channel_->wait_drained(); });
      flow != GST_FLOW_OK) {
    return flow;
  }
  GST_DEBUG_OBJECT(sink_, "the data channel has drained");
  bool timed_out = false;
  if (settings_.confirm) {
    GST_DEBUG_OBJECT(sink_, "the peer has %.3g s to confirm",
                     std::chrono::duration<double>(settings_.confirm_timeout).count());
    const GstFlowReturn flow = until_done(
        [this] { return channel_->wait_confirmed(settings_.confirm_timeout); }, &timed_out);
    if (flow != GST_FLOW_OK) return flow;
    if (timed_out) {
      GST_ELEMENT_WARNING(
          sink_, RESOURCE, WRITE,
          ("All bytes were sent, but the peer has not confirmed within %.1f s that it has them.",
           std::chrono::duration<double>(settings_.confirm_timeout).count()),
          ("a receiver that does not echo keepalives never does; see the property \"confirm\""));
    }
  }
  complete_ = true;
  const bool confirmed = settings_.confirm && !timed_out;
  {
    const MutexLock lock(stats_mutex_);
    stats_.confirmed = confirmed;
  }
  GST_INFO_OBJECT(sink_, "complete: %" G_GUINT64_FORMAT " bytes, %s", guint64{sender_->size()},
                  confirmed           ? "which the peer has confirmed"
                  : settings_.confirm ? "which the peer has not confirmed in time"
                                      : "which the peer was not asked to confirm");
  post_progress(GST_PROGRESS_TYPE_COMPLETE, (confirmed ? "The peer has all " : "Sent all ") +
                                                std::to_string(sender_->size()) + " bytes");
  post_eos_for_webrtcbin(GST_ELEMENT(sink_), channel_->webrtcbin());
  return GST_FLOW_OK;
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
        return peer_gone(channel_->why_gone());
      case Outcome::kInterrupted:
        // By whoever held the preroll lock before; what it has changed is what counts.
        channel_->calm();
        GST_DEBUG_OBJECT(sink_, "a wait for the channel is interrupted");
        // Set before anyone who makes the pad flush takes the lock.
        if (GST_PAD_IS_FLUSHING(GST_BASE_SINK_PAD(sink_))) return GST_FLOW_FLUSHING;
        if (const GstFlowReturn flow =
                gst_base_sink_do_preroll(sink_, GST_MINI_OBJECT_CAST(current_));
            flow != GST_FLOW_OK) {
          return flow;
        }
        break;
    }
  }
}

GstFlowReturn SenderSession::peer_gone(const std::string& why) {
  while (is_shutting_down(GST_ELEMENT(sink_))) {
    GST_DEBUG_OBJECT(sink_, "%s, while the pipeline shuts down", why.c_str());
    const GstFlowReturn flow =
        until_done([this] { return channel_->wait_interrupted(kShutdownInterval); });
    if (flow != GST_FLOW_OK) return flow;
  }
  // What the channel itself says ("the data channel is not open") is less than what the watch found
  // out.
  const std::string found = channel_->why_gone();
  return fail({ErrorCode::kPeerGone,
               (found.empty() ? why : found) + " after " + amount_text() + " had been sent"});
}

GstFlowReturn SenderSession::fail(const Error& error) {
  failed_ = true;
  {
    const MutexLock lock(stats_mutex_);
    stats_.error = error;
  }
  GST_INFO_OBJECT(sink_, "failed: %s: %s", to_string(error.code).data(), error.message.c_str());
  draw_failure(GST_ELEMENT(sink_), channel_->webrtcbin());
  const std::string text = "The upload failed: " + error.message + ".";
  post_progress(GST_PROGRESS_TYPE_ERROR, text);
  const auto [domain, code] = domain_and_code(error.code);
  gst_element_message_full_with_details(GST_ELEMENT(sink_), GST_MESSAGE_ERROR, domain, code,
                                        g_strdup(text.c_str()), nullptr, __FILE__, GST_FUNCTION,
                                        __LINE__, error_details(error));
  // v1 cannot say "I give up" but by closing the channel, whoever made it.
  channel_->abandon();
  return GST_FLOW_ERROR;
}

void SenderSession::post_progress(GstProgressType type, const std::string& text) {
  gst_element_post_message(GST_ELEMENT(sink_), gst_message_new_progress(GST_OBJECT(sink_), type,
                                                                        "upload", text.c_str()));
}

void SenderSession::note_sent() {
  const std::uint64_t buffered = channel_->buffered_amount();
  GST_LOG_OBJECT(sink_, "chunk %u of %u is sent; %" G_GUINT64_FORMAT " bytes wait in the channel",
                 guint{sender_->taken_chunks()}, guint{sender_->total_chunks()}, guint64{buffered});
  {
    const MutexLock lock(stats_mutex_);
    stats_.bytes = sender_->taken_bytes();
    stats_.chunks = sender_->taken_chunks();
    stats_.buffered_peak = std::max(stats_.buffered_peak, buffered);
  }
  const int percent = sender_->percent(buffered);
  if (throttle_.due(percent, now())) {
    post_progress(GST_PROGRESS_TYPE_CONTINUE, "Sent " + std::to_string(percent) + " % (" +
                                                  std::to_string(sender_->sent_bytes(buffered)) +
                                                  " of " + std::to_string(sender_->size()) +
                                                  " bytes)");
  }
}

std::string SenderSession::amount_text() const {
  if (!sender_) return "0 bytes";
  return std::to_string(sender_->sent_bytes(channel_->buffered_amount())) + " of " +
         std::to_string(sender_->size()) + " bytes";
}

GstStructure* SenderSession::stats() const {
  const std::uint64_t buffered = channel_->buffered_amount();
  const MutexLock lock(stats_mutex_);
  const std::uint64_t sent = stats_.bytes - std::min(stats_.bytes, buffered);
  const auto percent = stats_.size == 0 ? 0 : static_cast<gint>(sent * 100 / stats_.size);
  GstStructure* stats =
      gst_structure_new("application/x-webrtcuploadsink-stats",                       //
                        "size", G_TYPE_UINT64, guint64{stats_.size},                  //
                        "bytes", G_TYPE_UINT64, guint64{sent},                        //
                        "percent", G_TYPE_INT, percent,                               //
                        "chunks-sent", G_TYPE_UINT, guint{stats_.chunks},             //
                        "chunks-announced", G_TYPE_UINT, guint{stats_.total_chunks},  //
                        "buffered", G_TYPE_UINT64, guint64{buffered},                 //
                        "buffered-peak", G_TYPE_UINT64, guint64{stats_.buffered_peak}, "confirmed",
                        G_TYPE_BOOLEAN, gboolean{stats_.confirmed}, nullptr);
  if (stats_.error) add_error(stats, *stats_.error);
  return stats;
}

}  // namespace webrtcupload
