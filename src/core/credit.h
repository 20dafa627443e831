// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many payload bytes the channels of an upload in wire format v2 may send. What a channel may
// still send, and what it has sent and is not stored yet, comes out of one window for the upload;
// nothing else has to hold a sender back that keeps to it.

#pragma once

#include <cstdint>
#include <map>

#include "core/channel_output.h"

namespace webrtcupload {

class CreditWindow {
 public:
  // `least`: what a channel may always send, however many there are: one block.
  CreditWindow(std::uint64_t window, std::uint64_t least) : window_(window), least_(least) {}

  // Nothing that was granted is taken back.
  void resize(std::uint64_t window, std::uint64_t least);

  void add(ChannelId channel);
  void remove(ChannelId channel);

  // `bytes` came over `channel`, and are stored.
  void received(ChannelId channel, std::uint64_t bytes);
  // Whether so many bytes may wait, over all channels together: twice the window, or all that peers
  // may have been told of where blocks are large for it, or the window was larger before. More is
  // of a peer that pays no attention.
  [[nodiscard]] bool allows(std::uint64_t waiting) const;

  // All that was received over it.
  [[nodiscard]] std::uint64_t received(ChannelId channel) const {
    return channels_.at(channel).received;
  }

  // What the channel may have sent by now, counted from its beginning: never less than told before.
  [[nodiscard]] std::uint64_t credit(ChannelId channel) const;
  // The peer has been told of that.
  void told(ChannelId channel, std::uint64_t credit) { channels_.at(channel).told = credit; }
  // Whether the peer may soon have used up what it knows of, so that it should be told of more.
  [[nodiscard]] bool should_tell(ChannelId channel) const;

 private:
  struct Channel {
    std::uint64_t received = 0;
    std::uint64_t told = 0;
  };
  [[nodiscard]] std::uint64_t share() const;
  // What may be under way on all channels, but for their least.
  [[nodiscard]] std::uint64_t most() const;
  // What may be under way on a channel.
  [[nodiscard]] static std::uint64_t outstanding(const Channel& channel);

  std::uint64_t window_;
  std::uint64_t least_;
  std::map<ChannelId, Channel> channels_;
};

}  // namespace webrtcupload
