// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_connection.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "glib/debug.h"
#include "webrtc/channel_getters.h"

#define GST_CAT_DEFAULT webrtcupload::debug::session()

namespace webrtcupload {

using debug::quote;

UploadConnection::UploadConnection(SharedUpload& upload, Settings settings,
                                   GstPtr<GstElement> webrtcbin)
    : upload_(upload), settings_(std::move(settings)), webrtcbin_(std::move(webrtcbin)) {
  if (webrtcbin_) attached_.push_back(webrtcbin_.get());
}

// A handler of a former peer's webrtcbin may have been running when that was replaced.
const char* UploadConnection::why_not(WireVersion version, const GstElement* webrtcbin) const {
  if (upload_.stopping) return "the upload stops";
  const bool has_begun = upload_.receiver->state() != UploadState::kIdle;
  if (version == WireVersion::kV1) {
    if (webrtcbin && webrtcbin != webrtcbin_.get()) return "its peer has been replaced";
    if (!channels_.empty()) return "this upload has a channel";
    return has_begun && version_ == WireVersion::kV2 ? "this upload is one of v2" : nullptr;
  }
  if (webrtcbin && std::ranges::find(attached_, webrtcbin) == attached_.end()) {
    return "its peer has left";
  }
  if (has_begun && version_ == WireVersion::kV1) return "this upload is one of v1";
  if (!channels_.empty() && channels_.front()->version() == WireVersion::kV1) {
    return "this upload has a channel of v1";
  }
  return channels_.size() < settings_.max_channels ? nullptr : "this upload has too many channels";
}

void UploadConnection::offer(GstWebRTCDataChannel* channel, GstElement* webrtcbin) {
  const char* name = upload_.name.c_str();
  const std::string label = label_of(channel);
  const std::string quoted = quote(label);
  if (label != settings_.channel_label) {
    GST_DEBUG_ID(name, "channel %s left alone: the label wanted is \"%s\"", quoted.c_str(),
                 settings_.channel_label.c_str());
    return;
  }
  const std::string protocol = protocol_of(channel);
  const WireVersion version = version_of(protocol);
  if (version == WireVersion::kV1 && !protocol.empty()) {
    GST_WARNING_ID(name, "channel %s left alone: its protocol %s is not known", quoted.c_str(),
                   quote(protocol).c_str());
    return;
  }
  if (!speaks(settings_.versions, version)) {
    GST_WARNING_ID(name, "channel %s left alone: it is for %s, which the property protocols lacks",
                   quoted.c_str(), to_string(version));
    return;
  }
  const char* why;
  {
    const MutexLock lock(upload_.mutex);
    why = why_not(version, webrtcbin);
  }
  if (why) {
    GST_DEBUG_ID(name, "channel %s left alone: %s", quoted.c_str(), why);
    return;
  }
  if (auto taken = UploadChannel::take(channel, upload_.inbox)) {
    adopt(std::move(taken), webrtcbin);
  } else {
    GST_DEBUG_ID(name, "channel %s left alone: another element has it", quoted.c_str());
  }
}

// One that comes too late is let go when `late` goes out of scope, after the lock.
void UploadConnection::adopt(std::shared_ptr<UploadChannel> late, GstElement* webrtcbin) {
  {
    const MutexLock lock(upload_.mutex);
    if (const char* why = why_not(late->version(), webrtcbin)) {
      GST_DEBUG_ID(upload_.name.c_str(), "channel %s let go: %s", quote(late->label()).c_str(),
                   why);
      return;
    }
    if (GstElement* owner = webrtcbin ? webrtcbin : webrtcbin_.get()) late->belongs_to(owner);
    serial_ = late->serial();
    news_.push_back(serial_);
    GST_INFO_ID(upload_.name.c_str(), "channel %s taken", quote(late->label()).c_str());
    if (!settings_.check_certificate) {
      GST_DEBUG_ID(upload_.name.c_str(),
                   "its peer's certificate is not compared: check-certificate is off");
    }
    channels_.push_back(std::move(late));
  }
  upload_.inbox->wake();
}

UploadConnection::Attached UploadConnection::attach(GstElement* webrtcbin) {
  GstPtr<GstElement> replaced = ref_gst(webrtcbin);
  Channels forgotten;
  bool has_begun;
  {
    const MutexLock lock(upload_.mutex);
    has_begun = upload_.receiver->state() != UploadState::kIdle;
    if (has_begun && version_ == WireVersion::kV1) {
      GST_DEBUG_ID(upload_.name.c_str(), "another peer is not attached: an upload has begun");
      return Attached::kNot;
    }
    if (!has_begun) {
      attached_.clear();
      news_.clear();
      forgotten.swap(channels_);
    }
    std::erase(attached_, webrtcbin);
    attached_.push_back(webrtcbin);
    webrtcbin_.swap(replaced);
  }
  GST_INFO_ID(upload_.name.c_str(), has_begun ? "further channels may come of one more webrtcbin"
                                              : "waits for a channel of another peer");
  for (const auto& channel : forgotten) {
    GST_INFO_ID(upload_.name.c_str(),
                "channel %s let go before its first chunk: another peer may have its place",
                quote(channel->label()).c_str());
    upload_.inbox->push(Inbox::Gone{"another peer has its place", channel->serial()});
  }
  return has_begun ? Attached::kBeside : Attached::kInPlace;
}

void UploadConnection::forget(const void* webrtcbin) {
  const MutexLock lock(upload_.mutex);
  std::erase(attached_, webrtcbin);
}

void UploadConnection::detach(const GstElement* webrtcbin) {
  GstPtr<GstElement> left;
  Channels all;
  {
    const MutexLock lock(upload_.mutex);
    if (std::erase(attached_, webrtcbin) == 0) return;
    if (webrtcbin_.get() == webrtcbin) left.swap(webrtcbin_);
    all = channels_;
    GST_DEBUG_ID(upload_.name.c_str(), "the peer of %s has left", GST_OBJECT_NAME(webrtcbin));
  }
  upload_.inbox->stop_holding_back(webrtcbin);
  for (const auto& channel : all) {
    if (channel->webrtcbin().get() != webrtcbin) continue;
    const Serial serial = channel->serial();
    {
      const MutexLock lock(upload_.mutex);
      if (!remove(serial)) continue;
    }
    upload_.inbox->push(Inbox::Gone{"the peer has left", serial});
  }
}

std::shared_ptr<UploadChannel> UploadConnection::remove(Serial channel) {
  const auto has_serial = [channel](const auto& taken) { return taken->serial() == channel; };
  const auto found = std::ranges::find_if(channels_, has_serial);
  if (found == channels_.end()) return nullptr;
  std::shared_ptr<UploadChannel> removed = std::move(*found);
  channels_.erase(found);
  std::erase(news_, channel);
  return removed;
}

bool UploadConnection::forget_idle_channel(Serial gone) {
  std::shared_ptr<UploadChannel> forgotten;
  const MutexLock lock(upload_.mutex);
  if (upload_.receiver->state() != UploadState::kIdle) return false;
  forgotten = remove(gone);
  if (!forgotten) return false;
  GST_INFO_ID(upload_.name.c_str(), "channel %s let go before its first chunk: its peer has gone",
              quote(forgotten->label()).c_str());
  return true;
}

bool UploadConnection::is_current(Serial channel) const {
  if (this->channel(channel)) return true;
  const MutexLock lock(upload_.mutex);
  return version_ == WireVersion::kV1 && serial_ == channel &&
         upload_.receiver->state() != UploadState::kIdle;
}

std::shared_ptr<UploadChannel> UploadConnection::channel(Serial channel) const {
  const MutexLock lock(upload_.mutex);
  const auto has_serial = [channel](const auto& taken) { return taken->serial() == channel; };
  const auto found = std::ranges::find_if(channels_, has_serial);
  return found == channels_.end() ? nullptr : *found;
}

std::shared_ptr<UploadChannel> UploadConnection::channel() const {
  const MutexLock lock(upload_.mutex);
  return channels_.empty() ? nullptr : channels_.front();
}

bool UploadConnection::has(const void* channel) const {
  const MutexLock lock(upload_.mutex);
  return std::ranges::any_of(channels_,
                             [channel](const auto& taken) { return taken->is(channel); });
}

bool UploadConnection::has_a_chunk() const {
  const MutexLock lock(upload_.mutex);
  return std::ranges::any_of(channels_,
                             [](const auto& taken) { return taken->has_brought_a_chunk(); });
}

UploadConnection::Channels UploadConnection::release_closing(const SharedUpload& held) {
  upload_.assert_same_mutex(held);
  return take_closing([](const Closing&) { return true; });
}

}  // namespace webrtcupload
