// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where an upload comes from: the data channels that it has taken or will take, and what is done
// about the connections below them (holding a peer back, noticing its end, sockets). An upload in
// wire format v1 has one channel, and ends with it. Those of one in v2 come and go. In two files:
// upload_connection.cpp takes channels and lets go of them; upload_connection_work.cpp has what the
// worker does over them.

#pragma once

#include <gst/gst.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/v2_receiver.h"
#include "glib/glib_ptr.h"
#include "upload/shared_upload.h"
#include "upload/upload_channel.h"

namespace webrtcupload {

class UploadConnection {
 public:
  using Serial = Inbox::Serial;
  using Channels = std::vector<std::shared_ptr<UploadChannel>>;

  struct Settings {
    std::string channel_label;
    // Of webrtcbin's sockets, in bytes; 0 leaves them alone.
    int socket_buffer_size = 0;
    // Whether a peer is held back that sends faster than its messages are stored. If not, the
    // upload fails when too many wait.
    bool holds_back = true;
    // Of a peer whose certificate is not the one that its description announced nothing is taken.
    bool check_certificate = true;
    // See speaks().
    unsigned versions = kAllVersions;
    // Channels of an upload in v2 that may be open at the same time.
    std::size_t max_channels = 8 + kMaxStrangers;
  };

  // `webrtcbin` may be null: there is no back-pressure then.
  UploadConnection(SharedUpload& upload, Settings settings, GstPtr<GstElement> webrtcbin);

  // Of any thread.

  // A channel that this upload could take: it does if it may have one more, the label fits, nobody
  // else has it, and `webrtcbin`, which announces it, is one whose channels are wanted. May be
  // called under the PC lock.
  void offer(GstWebRTCDataChannel* channel, GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // Of any webrtcbin, if that is not given.
  void adopt(std::shared_ptr<UploadChannel> channel, GstElement* webrtcbin = nullptr)
      EXCLUDES(upload_.mutex);
  // From now on channels of this webrtcbin are wanted, and are to be offered: before an upload has
  // begun in place of all others' channels, which are let go of, and once one in v2 has begun
  // beside them, until they are detached. kNot, and nothing is done, when one in v1 has begun.
  enum class Attached { kNot, kInPlace, kBeside };
  [[nodiscard]] Attached attach(GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // The peer of this webrtcbin has left, and the webrtcbin has stopped: nothing of it is kept. Its
  // channels end after all that has come of them.
  void detach(const GstElement* webrtcbin) EXCLUDES(upload_.mutex);
  // This webrtcbin has gone.
  void forget(const void* webrtcbin) EXCLUDES(upload_.mutex);
  // Lets go of a channel, whose peer has gone, if no upload has begun.
  bool forget_idle_channel(Serial gone) EXCLUDES(upload_.mutex);
  // Whether the channel is one of the upload's, or before that one that an upload may come over.
  // What others have left in the inbox is nobody's.
  [[nodiscard]] bool is_current(Serial channel) const EXCLUDES(upload_.mutex);
  // Null if it is no longer, or was never, one of the upload's.
  [[nodiscard]] std::shared_ptr<UploadChannel> channel(Serial channel) const
      EXCLUDES(upload_.mutex);
  // The first one, which for v1 is the only one. Null: there is none.
  [[nodiscard]] std::shared_ptr<UploadChannel> channel() const EXCLUDES(upload_.mutex);
  // Whether `channel`, which is never dereferenced, is one of the upload's.
  [[nodiscard]] bool has(const void* channel) const EXCLUDES(upload_.mutex);
  // Whether one has brought a chunk, see UploadChannel.
  [[nodiscard]] bool has_a_chunk() const EXCLUDES(upload_.mutex);

  // Over one of the upload's channels.
  void say(Serial channel, const ControlMessage& message) EXCLUDES(upload_.mutex);

  // Under the upload's mutex.

  [[nodiscard]] const Channels& channels(const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return channels_;
  }
  // Nobody has them then.
  [[nodiscard]] Channels release_channels(const SharedUpload& held) REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return std::exchange(channels_, {});
  }
  // Channels that have sent their last word already: to be closed.
  [[nodiscard]] Channels release_closing(const SharedUpload& held) REQUIRES(held.mutex);
  // The channels that are new since the last call.
  [[nodiscard]] std::vector<Serial> take_news(const SharedUpload& held) REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return std::exchange(news_, {});
  }
  [[nodiscard]] int socket_buffer_granted(const SharedUpload& held) const REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    return socket_buffer_granted_;
  }
  // Which version the upload has.
  void speak(WireVersion version, const SharedUpload& held) REQUIRES(held.mutex) {
    upload_.assert_same_mutex(held);
    version_ = version;
  }

  // Of the worker.

  // What can be done about the connection as soon as it is there, which for a channel that was made
  // before the negotiation is when the channel opens. Empty if nothing is to be done; otherwise it
  // waits for webrtcbin's PC lock.
  [[nodiscard]] std::function<void()> plumbing(Serial channel, bool is_open)
      EXCLUDES(upload_.mutex);
  // Before the first byte of a channel counts: whether the peer has still to be checked, which
  // waits for webrtcbin's PC lock, and whether it is who it should be.
  [[nodiscard]] bool is_unchecked(Serial channel) const EXCLUDES(upload_.mutex);
  [[nodiscard]] PeerTrust check_peer(Serial channel) EXCLUDES(upload_.mutex);

  // The upload is done with the channel, which has some time to be read and closed by its peer.
  void close(Serial channel) EXCLUDES(upload_.mutex);
  // The channel is gone.
  void leave(Serial channel) EXCLUDES(upload_.mutex);
  // The upload has failed: no channel stays open.
  void close_all() EXCLUDES(upload_.mutex);
  // Closes those whose time to be read is over.
  void close_due(TimePoint now) EXCLUDES(upload_.mutex);
  [[nodiscard]] std::optional<TimePoint> next_close() const EXCLUDES(upload_.mutex);

 private:
  // What has been done about the connection of a channel.
  struct Plumbed {
    bool watches_connection = false;
    bool has_sockets = false;
    bool holds_back = false;
    // Never dereferenced.
    const void* webrtcbin = nullptr;
  };
  // One that its peer may read, and should close.
  struct Closing {
    std::shared_ptr<UploadChannel> channel;
    TimePoint due{};
  };

  // Why one more channel is not taken; null: it is.
  [[nodiscard]] const char* why_not(WireVersion version, const GstElement* webrtcbin) const
      REQUIRES(upload_.mutex);
  [[nodiscard]] std::shared_ptr<UploadChannel> remove(Serial channel) REQUIRES(upload_.mutex);
  [[nodiscard]] Channels take_closing(const std::function<bool(const Closing&)>& wanted)
      REQUIRES(upload_.mutex);
  [[nodiscard]] GstPtr<GstElement> webrtcbin_of(const UploadChannel& channel) const
      EXCLUDES(upload_.mutex);
  void plumb(UploadChannel& taken, GstElement* webrtcbin, bool is_open, bool wants_sockets)
      EXCLUDES(upload_.mutex);
  void hold_back(const UploadChannel& taken, GstElement* webrtcbin, bool is_open);
  // The channel is done with: the gate of its connection goes with the last one.
  void release_gate(Serial channel);
  void forget_plumbing();

  SharedUpload& upload_;
  const Settings settings_;

  // Of the worker only.
  std::map<Serial, Plumbed> plumbed_;

  // The last one attached.
  GstPtr<GstElement> webrtcbin_ GUARDED_BY(upload_.mutex);
  // All that are, never dereferenced.
  std::vector<const void*> attached_ GUARDED_BY(upload_.mutex);
  WireVersion version_ GUARDED_BY(upload_.mutex) = WireVersion::kV1;
  Channels channels_ GUARDED_BY(upload_.mutex);
  std::vector<Closing> closing_ GUARDED_BY(upload_.mutex);
  // The channel taken last, also when it has been let go of.
  Serial serial_ GUARDED_BY(upload_.mutex) = 0;
  // Channels whose connections the worker has not seen to yet.
  std::vector<Serial> news_ GUARDED_BY(upload_.mutex);
  int socket_buffer_granted_ GUARDED_BY(upload_.mutex) = 0;
};

}  // namespace webrtcupload
