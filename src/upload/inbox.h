// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a data channel brings, on its way from webrtcbin's thread to the worker's; and the place
// where a peer that sends faster than its bytes can be stored is held back.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "core/message.h"
#include "core/mutex.h"
#include "core/time_point.h"
#include "glib/glib_ptr.h"
#include "webrtc/receive_gate.h"

namespace webrtcupload {

// Thread-safe. push() never waits, so it may be called under webrtcbin's PC lock.
class Inbox {
 public:
  // In bytes of messages waiting.
  struct Marks {
    // From here on the peer is held back ...
    std::uint64_t high = 4 * 1024 * 1024;
    // ... until the backlog has shrunk to this.
    std::uint64_t low = 1024 * 1024;
    // The inbox gives up at this many times the high mark, but not below a floor.
    std::uint64_t overload_factor = 16;
  };
  // It gives up only when the peer cannot be held back: a closed gate lets through what has entered
  // webrtcbin's queues already, which is as much as arrived while its threads waited for a
  // processor, however low the mark.
  static constexpr std::uint64_t kOverloadFloor = 16 * 1024 * 1024;
  // Counted for each message beside its bytes: about what its objects take, so that tiny messages
  // are bounded as well.
  static constexpr std::uint64_t kMessageCost = 512;

  // Which channel an item came over: UploadChannel::serial().
  using Serial = std::uint64_t;

  struct Opened {
    Serial channel = 0;
  };
  // The channel or the connection is gone. `why` is a sentence.
  struct Gone {
    std::string why;
    Serial channel = 0;
  };
  // The backlog passed the limit. Nothing more comes after this.
  struct Overloaded {
    std::uint64_t backlog = 0;
  };
  struct Received {
    Serial channel = 0;
    Message::Kind kind = Message::Kind::kBinary;
    // Null for an empty message.
    GBytesPtr bytes;

    [[nodiscard]] Message message() const;
  };
  using Item = std::variant<Opened, Gone, Overloaded, Received>;
  // Nothing of an item that is the inbox's own.
  [[nodiscard]] static std::optional<Serial> channel_of(const Item& item);

  struct Backlog {
    std::uint64_t now = 0;
    std::uint64_t peak = 0;
  };

  explicit Inbox(Marks marks) : marks_(marks) {}

  void push(Item item);

  // Waits for an item until `until` (without an end when there is none) or for wake().
  [[nodiscard]] std::optional<Item> pop(std::optional<TimePoint> until);
  // The item that pop() has just given comes again. By the thread that pops.
  void put_back(Item item);
  // Makes the pop() that waits, or the next one, return at once.
  void wake();

  void set_marks(Marks marks);
  // From now on `gate` is closed while the backlog is high. Of each connection there is one;
  // `connection` names it, and is never dereferenced.
  void hold_back_with(std::unique_ptr<ReceiveGate> gate, const void* connection);
  // From now on nothing holds the peer back: of this connection, or of none at all.
  void stop_holding_back(const void* connection);
  void stop_holding_back();
  // Lets everything waiting go, and everything to come; opens the gate.
  void close();

  [[nodiscard]] Backlog backlog() const;

 private:
  using Gates = std::map<const void*, std::unique_ptr<ReceiveGate>>;

  // Where the gates belong now.
  void update_gates() REQUIRES(mutex_);

  // Gates are moved under this lock, so that a push and a pop cannot leave it the wrong way; pad
  // locks come after it.
  mutable Mutex mutex_;
  ConditionVariable filled_;
  Marks marks_ GUARDED_BY(mutex_);
  std::deque<Item> items_ GUARDED_BY(mutex_);
  Gates gates_ GUARDED_BY(mutex_);
  Backlog backlog_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace webrtcupload
