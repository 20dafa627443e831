// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections of one upload in wire format v2: one channel each, which come from the
// application on any thread and are looked after by the streaming thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/channel_output.h"
#include "core/mutex.h"
#include "glib/glib_ptr.h"
#include "sending/bell.h"
#include "sending/sender_channel.h"
#include "sending/v2_conversation.h"

namespace webrtcupload {

struct V2Connection {
  const ChannelId id;
  const std::unique_ptr<SenderChannel> channel;
  // Made here, so that nobody else closes it.
  const bool is_ours;

  // The streaming thread's: hello was said over it, the receiver has let it in, and why it has
  // refused a message.
  bool greeted = false;
  bool joined = false;
  std::string problem;
};
using SharedConnection = std::shared_ptr<V2Connection>;

class V2Connections {
 public:
  // The upload begins with this one.
  static constexpr ChannelId kFirst = 1;

  V2Connections(std::shared_ptr<V2Conversation> conversation, std::shared_ptr<Bell> bell)
      : conversation_(std::move(conversation)), bell_(std::move(bell)) {}

  // Everything on any thread.

  // False when the upload is over. Not under the PC lock, unless `webrtcbin` is null.
  bool add(GstPtr<GstWebRTCDataChannel> channel, GstPtr<GstElement> webrtcbin, bool is_ours)
      EXCLUDES(mutex_);
  // Makes a channel for it. False, with the reason in `problem`, when that fails or the upload is
  // over. Not under the PC lock.
  [[nodiscard]] bool attach(GstElement* webrtcbin, const std::string& label, std::string& problem)
      EXCLUDES(mutex_);
  void remove(ChannelId id) EXCLUDES(mutex_);

  [[nodiscard]] std::vector<SharedConnection> list() const EXCLUDES(mutex_);
  // Bytes that wait in all channels.
  [[nodiscard]] std::uint64_t buffered_amount() const EXCLUDES(mutex_);

  // The upload has ended: none is added any more.
  void end() EXCLUDES(mutex_);
  // And closes those that were made here, when all that is queued has left.
  void close() EXCLUDES(mutex_);
  // Gives up the upload: tells the receiver over one connection, and closes all without sending
  // what is queued. Waits twice SenderChannel::kPatience at most. Not under a PC lock.
  void abandon(const std::string& reason) EXCLUDES(mutex_);

 private:
  // The first who gives up says it, and whoever else does meanwhile waits for the answer as well.
  void say_farewell(const std::string& reason) EXCLUDES(mutex_);
  void tell(const std::string& reason, Bell::Clock::time_point until) const;
  // That over which the receiver hears soonest.
  [[nodiscard]] SharedConnection best_to_talk() const;

  const std::shared_ptr<V2Conversation> conversation_;
  const std::shared_ptr<Bell> bell_;

  // A leaf.
  mutable Mutex mutex_;
  std::vector<SharedConnection> all_ GUARDED_BY(mutex_);
  ChannelId last_ GUARDED_BY(mutex_) = 0;
  bool over_ GUARDED_BY(mutex_) = false;
  // Nobody waits longer for the receiver's answer.
  std::optional<Bell::Clock::time_point> farewell_until_ GUARDED_BY(mutex_);
};

}  // namespace webrtcupload
