// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where an upload comes from: the data channel that it has taken or will take, and what is done
// about the connection below it (holding the peer back, noticing its end, sockets).

#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "glib/glib_ptr.h"
#include "upload/shared_upload.h"
#include "upload/upload_channel.h"

namespace webrtcupload {

class UploadConnection {
 public:
  struct Settings {
    std::string channel_label;
    // Of webrtcbin's sockets, in bytes; 0 leaves them alone.
    int socket_buffer_size = 0;
    // Whether a peer is held back that sends faster than its messages are stored. If not, the
    // upload fails when too many wait.
    bool holds_back = true;
    // Of a peer whose certificate is not the one that its description announced nothing is taken.
    bool check_certificate = true;
  };

  // `webrtcbin` may be null: there is no back-pressure then.
  UploadConnection(SharedUpload& upload, Settings settings, GstPtr<GstElement> webrtcbin);

  // Of any thread.

  // A channel that this upload could take: it does if it has none, the label fits, nobody else has
  // it, and `webrtcbin`, which announces it, is still the one whose channels are wanted. May be
  // called under the PC lock.
  void offer(GstWebRTCDataChannel* channel, const GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // Of any webrtcbin, if that is not given.
  void adopt(std::shared_ptr<UploadChannel> channel, const GstElement* webrtcbin = nullptr)
      EXCLUDES(upload_.mutex);
  // From now on the peer is one of this webrtcbin, whose channels are to be offered. False, and
  // nothing is done, when the upload has begun.
  [[nodiscard]] bool attach(GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // The peer of this webrtcbin has left, and the webrtcbin has stopped: nothing of it is kept. An
  // upload that is not complete fails, after all that has come of it.
  void detach(const GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // Lets go of the channel if no upload has begun over it. With `gone` only if it is that one.
  bool forget_idle_channel(std::optional<Inbox::Serial> gone = std::nullopt)
      EXCLUDES(upload_.mutex);
  // Where peers may come and go: whether the channel is the one of the upload, or before that the
  // one that an upload may come over. What others have left in the inbox is nobody's.
  [[nodiscard]] bool is_current(Inbox::Serial channel) const EXCLUDES(upload_.mutex);
  [[nodiscard]] std::shared_ptr<UploadChannel> channel() const EXCLUDES(upload_.mutex);
  [[nodiscard]] GstPtr<GstElement> webrtcbin() const EXCLUDES(upload_.mutex);

  // Under the upload's mutex.

  [[nodiscard]] const std::shared_ptr<UploadChannel>& current_channel(
      const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return channel_;
  }
  // Nobody has it then.
  [[nodiscard]] std::shared_ptr<UploadChannel> release_channel(const SharedUpload& held)
      REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return std::move(channel_);
  }
  // Whether the channel is new since the last call.
  [[nodiscard]] bool take_news(const SharedUpload& held) REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return std::exchange(adopted_, false);
  }
  [[nodiscard]] int socket_buffer_granted(const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return socket_buffer_granted_;
  }

  // Of the worker: what can be done about the connection as soon as it is there, which for a
  // channel that was made before the negotiation is when the channel opens. Empty if nothing is to
  // be done; otherwise it waits for webrtcbin's PC lock.
  [[nodiscard]] std::function<void()> plumbing(bool is_open) EXCLUDES(upload_.mutex);
  // Of the worker, before the first byte of a channel counts: whether the peer has still to be
  // checked, which waits for webrtcbin's PC lock, and whether it is who it should be.
  [[nodiscard]] bool is_unchecked() const EXCLUDES(upload_.mutex);
  [[nodiscard]] PeerTrust check_peer() EXCLUDES(upload_.mutex);

 private:
  void plumb(UploadChannel& taken, GstElement* webrtcbin, bool is_open, bool wants_sockets)
      EXCLUDES(upload_.mutex);

  SharedUpload& upload_;
  const Settings settings_;

  // Of the worker only: what has been done about the channel's connection, and for which channel.
  bool watches_connection_ = false;
  bool has_sockets_ = false;
  bool holds_back_ = false;
  std::weak_ptr<UploadChannel> plumbed_;

  GstPtr<GstElement> webrtcbin_ GUARDED_BY(upload_.mutex);
  std::shared_ptr<UploadChannel> channel_ GUARDED_BY(upload_.mutex);
  // The channel's, also when it has been let go of.
  Inbox::Serial serial_ GUARDED_BY(upload_.mutex) = 0;
  // The channel is new, and the worker has not seen to its connection yet.
  bool adopted_ GUARDED_BY(upload_.mutex) = false;
  int socket_buffer_granted_ GUARDED_BY(upload_.mutex) = 0;
};

}  // namespace webrtcupload
