// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which channels an upload may come over: one that the application has, and those of webrtcbins.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glib/debug.h"
#include "json/control_writer.h"
#include "upload/upload_source.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"
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

// What a peer is told when nobody goes on with its upload.
struct Farewell {
  std::shared_ptr<UploadChannel> channel;
  std::vector<std::string> words;
};

void say_farewell(GstElement*, gpointer data) {
  const auto* farewell = static_cast<Farewell*>(data);
  bool is_told = false;
  for (const std::string& word : farewell->words) is_told = farewell->channel->send(word);
  // A channel that is closed may lose what its peer has not read: whoever has been told closes it.
  if (!is_told) farewell->channel->close();
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
  // As a session does that is stopped.
  const auto protocol = make_protocol(upload.version, *upload.receiver);
  protocol->dismiss({ErrorCode::kCancelled, "the receiver has stopped"});
  const std::vector<Output> outputs = protocol->take_outputs();
  for (auto& dropped : upload.channels) {
    const auto webrtcbin = dropped->webrtcbin();
    if (!webrtcbin) continue;
    auto farewell = std::make_unique<Farewell>();
    for (const Output& output : outputs) {
      if (output.channel != dropped->serial() || !output.message) continue;
      farewell->words.push_back(write_control(*output.message));
    }
    farewell->channel = std::move(dropped);
    // Not on this thread, which may be in on-data-channel and hold the PC lock.
    gst_element_call_async(webrtcbin.get(), say_farewell, farewell.release(),
                           [](gpointer said) { delete static_cast<Farewell*>(said); });
  }
}

// Before anything is taken, so that what has come already waits for a start with other settings.
bool UploadSource::check_data_channel(bool has_webrtcbin) {
  GObjectPtr<GstWebRTCDataChannel> channel;
  unsigned versions;
  {
    const MutexLock lock(settings_mutex_);
    channel = ref_gobject(settings_.data_channel.get());
    versions = settings_.versions;
  }
  if (!channel) return true;
  const WireVersion wanted = version_of(protocol_of(channel.get()));
  if (!speaks(versions, wanted)) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The data channel is for wire format %s, which the property \"protocols\" "
                       "lacks.",
                       to_string(wanted)),
                      (nullptr));
    return false;
  }
  if (wanted == WireVersion::kV2 && !has_webrtcbin && !owner_of(channel.get()).is_known) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The data channel is for wire format v2, which needs answers, and its "
                       "webrtcbin is not known, over which they go: set the property "
                       "\"webrtcbin\"."),
                      (nullptr));
    return false;
  }
  return true;
}

bool UploadSource::take_data_channel(Upload& upload) {
  bool refused = false;
  {
    const MutexLock lock(settings_mutex_);
    upload = std::exchange(waiting_, {});
    if (!upload.inbox) upload.inbox = std::make_shared<Inbox>(settings_.marks);
    upload.inbox->set_marks(settings_.marks);
    if (settings_.data_channel && upload.channels.empty()) {
      auto taken = UploadChannel::take(settings_.data_channel.get(), upload.inbox);
      refused = !taken;
      if (refused) waiting_.progress = upload.progress;
      if (taken) upload.channels.push_back(std::move(taken));
    }
  }
  if (refused) {
    GST_ELEMENT_ERROR(element_, RESOURCE, BUSY, ("Another element uses this data channel already."),
                      (nullptr));
  }
  return !refused;
}

void UploadSource::listen(GstElement* webrtcbin, const std::shared_ptr<UploadSession>& session) {
  listened_[webrtcbin] = {
      WeakRef(webrtcbin),
      SignalConnection(webrtcbin, "on-data-channel", G_CALLBACK(on_data_channel),
                       std::weak_ptr<UploadSession>(session))};
}

bool UploadSource::attach(GstElement* webrtcbin) {
  if (!webrtcbin || !is_webrtcbin(webrtcbin)) return false;
  GstPtr<GstElement> replaced = ref_gst(webrtcbin);  // Let go after the locks.
  const MutexLock attach_lock(attach_mutex_);
  const auto running = session();
  if (!running || !running->may_attach()) return false;
  keep_channels(webrtcbin);
  // Another one may have its address.
  std::erase_if(listened_, [&running](const auto& each) {
    const bool has_gone = !each.second.webrtcbin.lock();
    if (has_gone) running->forget(each.first);
    return has_gone;
  });
  const auto attached = running->attach(webrtcbin);
  if (attached == UploadConnection::Attached::kNot) return false;
  const bool in_place = attached == UploadConnection::Attached::kInPlace;
  if (in_place) listened_.clear();
  listen(webrtcbin, running);
  know(webrtcbin, in_place);
  const MutexLock lock(session_mutex_);
  webrtcbin_.swap(replaced);
  return true;
}

bool UploadSource::may_be_joined() const {
  const auto running = session();
  return running && running->may_be_joined();
}

void UploadSource::know(GstElement* webrtcbin, bool in_place) {
  std::vector<WeakRef> known;
  if (!in_place) known = others_than(webrtcbin);
  known.emplace_back(webrtcbin);
  const MutexLock lock(session_mutex_);
  known.swap(webrtcbins_);
}

// Not under the lock: what is looked at may have been let go of by everybody else meanwhile.
std::vector<WeakRef> UploadSource::others_than(const GstElement* webrtcbin) const {
  std::vector<WeakRef> known;
  {
    const MutexLock lock(session_mutex_);
    known = webrtcbins_;
  }
  std::erase_if(known, [webrtcbin](const WeakRef& each) {
    const auto object = each.lock();
    return !object || static_cast<const void*>(object.get()) == webrtcbin;
  });
  return known;
}

std::vector<GstPtr<GstElement>> UploadSource::webrtcbins() const {
  std::vector<GstPtr<GstElement>> found;
  const MutexLock lock(session_mutex_);
  for (const WeakRef& known : webrtcbins_) {
    if (auto object = known.lock()) found.emplace_back(GST_ELEMENT(object.release()));
  }
  return found;
}

void UploadSource::detach(const GstElement* webrtcbin) {
  const MutexLock attach_lock(attach_mutex_);
  GstPtr<GstElement> left;
  std::shared_ptr<UploadSession> running;
  auto others = others_than(webrtcbin);
  {
    const MutexLock lock(session_mutex_);
    others.swap(webrtcbins_);
    if (webrtcbin_.get() == webrtcbin) left.swap(webrtcbin_);
    running = session_;
  }
  if (listened_.erase(webrtcbin) > 0 && running) running->detach(webrtcbin);
}

}  // namespace webrtcupload
