// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which channels an upload may come over: one that the application has, and those of webrtcbins.

#include <algorithm>
#include <utility>

#include "glib/debug.h"
#include "upload/upload_source.h"
#include "webrtc/channels.h"
#include "webrtc/find_webrtcbin.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

// The handler runs on webrtcbin's pc thread with the PC lock held. Weak: the session owns the
// worker, the worker must not be kept by a signal connection.
void on_data_channel(GstElement* webrtcbin, GstWebRTCDataChannel* channel,
                     std::weak_ptr<UploadSession>* session) {
  if (const auto target = session->lock()) target->offer(channel, webrtcbin);
}

}  // namespace

bool UploadSource::has(const Upload& upload, const void* channel) {
  return std::ranges::any_of(upload.channels,
                             [channel](const auto& taken) { return taken->is(channel); });
}

void UploadSource::set_data_channel(GstWebRTCDataChannel* channel) {
  Upload dropped;  // Let go after the lock.
  {
    const MutexLock lock(settings_mutex_);
    // What came over it is here already.
    if (channel && has(waiting_, channel)) return;
    ++settings_.revision;
    settings_.data_channel = ref_gobject(channel);
    dropped = std::exchange(waiting_, {});
    waiting_.progress = dropped.progress;
    if (channel) {
      waiting_.inbox = std::make_shared<Inbox>(settings_.marks);
      if (auto taken = UploadChannel::take(channel, waiting_.inbox)) {
        waiting_.channels.push_back(std::move(taken));
      }
    }
  }
  if (!dropped.channels.empty()) {
    GST_DEBUG_OBJECT(element_, "data-channel is set anew: \"%s\" and what came over it is let go",
                     dropped.channels.front()->label().c_str());
  }
  drop(std::move(dropped));
}

void UploadSource::drop(Upload upload) {
  const bool unfinished = upload.receiver && upload.receiver->state() == UploadState::kUploading;
  if (!unfinished) return;
  using Channel = std::shared_ptr<UploadChannel>;
  for (Channel& dropped : upload.channels) {
    const auto webrtcbin = dropped->webrtcbin();
    if (!webrtcbin) continue;
    // As a session does that is stopped. Not on this thread, which may be in on-data-channel and
    // hold the PC lock.
    gst_element_call_async(
        webrtcbin.get(),
        [](GstElement*, gpointer channel) { (*static_cast<Channel*>(channel))->close(); },
        new Channel(std::move(dropped)),
        [](gpointer channel) { delete static_cast<Channel*>(channel); });
  }
}

bool UploadSource::take_data_channel(Upload& upload) {
  bool refused = false;
  std::optional<WireVersion> unspoken;
  {
    const MutexLock lock(settings_mutex_);
    upload = std::exchange(waiting_, {});
    if (!upload.inbox) upload.inbox = std::make_shared<Inbox>(settings_.marks);
    upload.inbox->set_marks(settings_.marks);
    if (settings_.data_channel && upload.channels.empty()) {
      auto taken = UploadChannel::take(settings_.data_channel.get(), upload.inbox);
      refused = !taken;
      if (taken) upload.channels.push_back(std::move(taken));
    }
    if (!upload.channels.empty()) {
      const WireVersion wanted = upload.channels.front()->version();
      if (!speaks(settings_.versions, wanted)) unspoken = wanted;
    }
  }
  if (unspoken) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The data channel is for wire format %s, which the property \"protocols\" "
                       "lacks.",
                       to_string(*unspoken)),
                      (nullptr));
    return false;
  }
  if (refused) {
    GST_ELEMENT_ERROR(element_, RESOURCE, BUSY, ("Another element uses this data channel already."),
                      (nullptr));
  }
  return !refused;
}

void UploadSource::listen(GstElement* webrtcbin, const std::shared_ptr<UploadSession>& session) {
  on_data_channel_[webrtcbin] =
      SignalConnection(webrtcbin, "on-data-channel", G_CALLBACK(on_data_channel),
                       std::weak_ptr<UploadSession>(session));
}

bool UploadSource::attach(GstElement* webrtcbin) {
  if (!webrtcbin || !is_webrtcbin(webrtcbin)) return false;
  GstPtr<GstElement> replaced = ref_gst(webrtcbin);  // Let go after the locks.
  const MutexLock attach_lock(attach_mutex_);
  const auto running = session();
  if (!running || !running->may_attach()) return false;
  keep_channels(webrtcbin);
  if (!running->attach(webrtcbin)) return false;
  listen(webrtcbin, running);
  const MutexLock lock(session_mutex_);
  webrtcbin_.swap(replaced);
  return true;
}

void UploadSource::detach(const GstElement* webrtcbin) {
  const MutexLock attach_lock(attach_mutex_);
  GstPtr<GstElement> left;
  std::shared_ptr<UploadSession> running;
  {
    const MutexLock lock(session_mutex_);
    if (webrtcbin_.get() == webrtcbin) left.swap(webrtcbin_);
    running = session_;
  }
  if (on_data_channel_.erase(webrtcbin) > 0 && running) running->detach(webrtcbin);
}

}  // namespace webrtcupload
