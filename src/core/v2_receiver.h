// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The receiving side of one upload in wire format v2, over any number of channels: every rule about
// what a peer may send, and nothing that acts. As with Receiver, the caller hands in messages and
// the time, carries out the action that comes back, and says how it went, until that is Nothing,
// Reply or Fail:
//
//   receive(message) -> ReadControl -> control() -> Authorize -> authorized() -> ...
//                    -> Compare     -> compared() -> ...
//                    -> Store       -> stored()   -> ...
//                    -> Hash        -> hashed()   -> ...
//
// After each of these calls, and after those that tell of channels and of time, take_outputs() has
// what is to be sent and which channels are to be closed, in this order. The message has to stay
// valid until its last action is answered, and nothing else but a failure is handed in before that.
// Not thread-safe.
//
// Of a peer's faults, some end the upload, and others only the channel that they came over: a block
// whose checksum is wrong, since the client may send it again over another channel; and all those
// of a channel that has not joined the upload, since whoever is there may be a stranger to it.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/channel_output.h"
#include "core/control.h"
#include "core/credit.h"
#include "core/sha256.h"
#include "core/stored_ranges.h"
#include "core/upload_life.h"

namespace webrtcupload {

// More gaps than this between what is stored are an error, `too-fragmented`.
inline constexpr std::size_t kMaxHoles = 4096;
// Channels that have said nothing yet, beside those that have joined.
inline constexpr std::size_t kMaxStrangers = 16;
// Within this long after a block was handled its sender is told, however little it was.
inline constexpr Duration kAckDelay = std::chrono::milliseconds(50);
// Bytes of one Hash.
inline constexpr std::uint64_t kHashStep = 64ULL * 1024;

class V2Receiver final : public UploadLife {
 public:
  // `id` is drawn by the caller.
  V2Receiver(const Limits& limits, const UploadId& id, std::unique_ptr<MessageParser> parser,
             Sha256 hash, TimeBegins time_begins = TimeBegins::kWithTheChannel);

  // A channel has opened; it belongs to the upload once its Hello has come. Where too many say
  // nothing, it is closed at once.
  void channel_opened(ChannelId channel, TimePoint now);
  // It is gone. When it was the last one, the upload waits for another, or fails with `why` where
  // it must not wait.
  [[nodiscard]] Action channel_closed(ChannelId channel, const std::string& why, TimePoint now);

  // So many bytes of the channel wait to be handed in, by counted_bytes(); receive() takes off what
  // it is given. It is an error when all channels together have more than twice the window, and
  // when one that has not joined has more than a control message. Headers do not count, as they do
  // not in the credit: how many messages wait is for the caller to bound.
  [[nodiscard]] Action waiting(ChannelId channel, std::uint64_t bytes, TimePoint now);

  [[nodiscard]] Action receive(ChannelId channel, const Message& message, TimePoint now);

  // Answers to the action just given out.
  [[nodiscard]] Action control(const Result<std::optional<ControlMessage>>& message);
  [[nodiscard]] Action authorized(bool allowed, TimePoint now);
  [[nodiscard]] Action compared(bool equal);
  [[nodiscard]] Action stored(TimePoint now);
  [[nodiscard]] Action hashed(ByteView bytes);

  // To be called at or after deadline().
  [[nodiscard]] Action tick(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  // The receiver stops, whatever the upload has come to: all channels are told, and closed.
  void dismiss_channels(const Error& why) {
    drop_pending();
    failed(why);
  }

  [[nodiscard]] std::vector<Output> take_outputs();

  [[nodiscard]] const UploadId& id() const { return id_; }
  [[nodiscard]] const StoredRanges& ranges() const { return ranges_; }
  // What the client said of the file.
  [[nodiscard]] const UploadRequest& request() const { return request_; }
  // Of the whole file, once it is complete.
  [[nodiscard]] const std::optional<Sha256Sum>& sha256() const { return sum_; }
  // Channels that have joined.
  [[nodiscard]] std::size_t connections() const;

  [[nodiscard]] std::optional<std::uint64_t> expected_size() const override { return size_; }
  [[nodiscard]] int percent() const override;
  [[nodiscard]] std::optional<Extent> locate(std::uint64_t offset) const override;
  [[nodiscard]] std::uint64_t contiguous_bytes() const override {
    return ranges_.contiguous_bytes();
  }

 private:
  struct Channel {
    TimePoint opened_at{};
    bool joined = false;
    // It has brought a message that is no keepalive.
    bool has_spoken = false;
    // When its peer has sent something for the last time.
    TimePoint heard_at{};
    // Of its messages that are not handed in yet, see waiting().
    std::uint64_t waiting = 0;
    // When its sender has to be told what has been stored.
    std::optional<TimePoint> ack_due;
  };
  // The message whose action has not been answered yet.
  struct Pending {
    ChannelId channel = 0;
    std::optional<Block> block;
    // What of the block is still to be compared.
    Range rest;
    std::optional<control::Hello> hello;
    // Bytes that may still be read back for it.
    std::uint64_t catch_up = 0;
  };

  [[nodiscard]] Action receive_block(const Block& block);
  [[nodiscard]] std::optional<Error> check_block(const Block& block);
  [[nodiscard]] Action store_or_compare();
  [[nodiscard]] Action store(Range missing);
  // The pending message has been handled, and its sender is to know.
  // All of its bytes are stored.
  [[nodiscard]] Action handled_block();
  [[nodiscard]] std::uint64_t all_waiting() const;
  void hash_block(const Block& block);
  // What is to be done next, now that nothing of the message itself is left.
  [[nodiscard]] Action settle();
  [[nodiscard]] Action try_to_complete();
  // All bytes are stored, and what follows from that did not get to its end before resume().
  [[nodiscard]] bool is_cut_off() const;

  [[nodiscard]] Action receive_control(const control::Hello& hello);
  [[nodiscard]] Action receive_control(const control::End& end);
  [[nodiscard]] Action receive_control(const control::Cancel& cancel);
  [[nodiscard]] Action begin(const control::Hello& hello);
  [[nodiscard]] Action join(const control::Hello& hello);
  [[nodiscard]] Action let_in(const control::Hello& hello);
  // Where there are too many, the one that has been quiet longest is closed for the one that has
  // just joined: it may be dead without anybody's knowing yet.
  void give_way(ChannelId joined);
  // It names the upload, or is from the client that has begun it and was not told the id.
  [[nodiscard]] bool may_join(const control::Hello& hello) const;
  // What the hello of a channel that joins, or an End, says otherwise than was said before.
  [[nodiscard]] std::optional<Error> contradiction(std::optional<std::uint64_t> size,
                                                   const std::optional<Sha256Sum>& sum) const;
  [[nodiscard]] Error beyond_max_size(std::uint64_t size) const;

  [[nodiscard]] Action ignore();
  // The message's fault ends the upload, or only its channel where that has not joined one that
  // others have begun.
  [[nodiscard]] Action refuse_message(Error error);
  // Ends one channel; `resumable` says that another one may join.
  [[nodiscard]] Action end_channel(ChannelId channel, const Error& error, bool resumable);
  // Of a channel that is gone.
  [[nodiscard]] Action channel_left(const Error& why);
  void send(ChannelId channel, ControlMessage message);
  void send_ready(ChannelId channel);
  void send_ack(ChannelId channel);
  void end_silent_channels();
  void send_acks();
  void send_failure(ChannelId channel, const Error& error, bool resumable);

  [[nodiscard]] bool knows_all() const { return size_ && said_all_; }
  [[nodiscard]] std::uint32_t max_payload() const;
  [[nodiscard]] std::uint64_t max_size() const;

  [[nodiscard]] std::string arrived() const override;
  [[nodiscard]] const char* unit() const override { return "byte"; }
  void drop_pending() override { pending_.reset(); }
  void limits_changed() override;
  void failed(const Error& error) override;

  UploadId id_;
  std::unique_ptr<MessageParser> parser_;
  Sha256 hash_;
  TimeBegins time_begins_;
  CreditWindow credit_;
  std::map<ChannelId, Channel> channels_;
  std::vector<Output> outputs_;
  // Of the call that is running.
  TimePoint now_{};

  UploadRequest request_;
  std::optional<std::uint64_t> size_;
  // What the client has named, if anything.
  std::optional<Sha256Sum> named_sum_;
  // A client was let in to begin the upload.
  bool has_begun_ = false;
  // Of the hello that has begun the upload.
  std::optional<UploadId> nonce_;
  // It has said what the size and the hash are, or that it will not say the hash.
  bool said_all_ = false;

  // The largest `max_payload` that a peer knows of.
  std::uint32_t told_payload_ = 0;
  StoredRanges ranges_;
  // What Store has asked to make room for so far.
  std::uint64_t reserved_ = 0;
  // Bytes from the file's start that are in `hash_`.
  std::uint64_t hashed_ = 0;
  std::optional<Sha256Sum> sum_;
  std::optional<Pending> pending_;
};

}  // namespace webrtcupload
