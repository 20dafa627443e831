// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sending side of one upload in wire format v2, over any number of channels that come and go:
// says which bytes are next over which channel, and what is to be said; it reads nothing and sends
// nothing itself. Ranges are handed out one block at a time, as channels take them, so that a slow
// one holds nothing up. What a lost channel had under way goes to the others.
//
//   channel_opened()  -> take_outputs(): the hello to send
//   received()        -> take_outputs()
//   next()            -> the block to send; the caller reads its bytes and writes its message
//   channel_lost()
//
// Not thread-safe.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/channel_output.h"
#include "core/control.h"
#include "core/error.h"
#include "core/stored_ranges.h"

namespace webrtcupload {

class V2Sender {
 public:
  // Blocks on a channel that the server has not said to have received. One that says nothing of
  // them, and grants credit all the same, gets no more: they take memory here.
  static constexpr std::size_t kMaxUnderWay = 65536;

  // `hello` has what is known at first; with an id, the upload of that id goes on. Its nonce is
  // drawn by the caller. Without one, an upload whose first answer is lost cannot go on. Blocks
  // have `block_size` bytes, or what the server accepts if that is less.
  V2Sender(control::Hello hello, std::uint32_t block_size);

  // --- the source

  // The bytes before `end` can be sent. A source that can be read anywhere, and whose size is
  // known, says so once.
  void available(std::uint64_t end);
  // What is to be said besides: the size, if the hello had none, and the hash if there is one. Of a
  // hello that had both, nothing is.
  void end(std::uint64_t size, const std::optional<Sha256Sum>& sum);
  // All that is available is stored or under way, over any channel.
  [[nodiscard]] bool all_handed_out() const { return !handed_out_.first_missing({0, available_}); }
  // No byte before this will be asked for again: a source that comes once may forget them.
  [[nodiscard]] std::uint64_t needed_from() const;

  // --- channels

  void channel_opened(ChannelId channel);
  void channel_lost(ChannelId channel);
  // Over a channel.
  void received(ChannelId channel, const ControlMessage& message);
  // The block to send over it now, which counts as sent; nothing when it has no credit, has not
  // joined yet, or when there is nothing to send just now.
  [[nodiscard]] std::optional<Range> next(ChannelId channel);
  // It was opened, and neither lost nor closed here.
  [[nodiscard]] bool has_channel(ChannelId channel) const { return channels_.contains(channel); }
  // It has been let in.
  [[nodiscard]] bool has_joined(ChannelId channel) const;
  // A channel that has joined has credit for the block that is next.
  [[nodiscard]] bool has_credit() const;

  // What is to be sent and closed, in order.
  [[nodiscard]] std::vector<Output> take_outputs();

  // --- how it gets on

  // Everything is stored, the server says, and it is what end() and the hello say. A client that
  // goes on for one that was killed may be told before it has called end().
  [[nodiscard]] const std::optional<control::Done>& done() const { return done_; }
  // The server has ended the upload, or says that it has another file.
  [[nodiscard]] const std::optional<control::Failure>& failure() const { return failure_; }
  [[nodiscard]] bool ended() const { return done_ || failure_; }
  // Known when the first channel has been answered.
  [[nodiscard]] const std::optional<UploadId>& id() const { return id_; }
  // Bytes that the server has stored, as it says.
  [[nodiscard]] std::uint64_t stored() const { return stored_; }
  // What the server says of itself; nothing before its first answer.
  [[nodiscard]] const std::optional<control::Ready>& server() const { return server_; }
  // Channels that may be sent over.
  [[nodiscard]] std::size_t connections() const;
  // Payload bytes handed out, with those that were handed out again.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  struct Channel {
    bool joined = false;
    bool said_hello = false;
    // Payload bytes, as the server counts them.
    std::uint64_t credit = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::deque<Range> under_way;
  };

  void say_hello(ChannelId channel, Channel& to);
  void say_end(ChannelId channel);
  void take(ChannelId channel, Channel& from, const control::Ready& ready);
  void take(ChannelId channel, Channel& from, const control::Failure& failure);
  static void take(Channel& from, const control::Ack& ack);
  void take(const control::Done& done);
  // Whether the server's file can be the one that was to be sent, by what is known of that.
  void check_done();
  // Nothing when nothing is to be sent just now.
  [[nodiscard]] std::optional<Range> next_block() const;
  [[nodiscard]] static bool has_credit(const Channel& channel, const Range& block);
  void send(ChannelId channel, ControlMessage message);
  void close(ChannelId channel);
  void close_all();

  control::Hello hello_;
  const std::uint32_t block_size_;
  std::uint64_t available_ = 0;
  std::optional<control::End> end_;

  std::map<ChannelId, Channel> channels_;
  std::vector<Output> outputs_;
  // Stored or under way.
  StoredRanges handed_out_;
  std::optional<UploadId> id_;
  // A hello that begins the upload has no answer yet; others wait, as they have to name the upload.
  std::optional<ChannelId> begins_over_;
  std::optional<control::Ready> server_;
  std::uint64_t stored_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::optional<control::Done> done_;
  std::optional<control::Failure> failure_;
};

}  // namespace webrtcupload
