// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Carries out what a V2Receiver asks for, in memory and on the spot. Control messages are handed in
// as values: what their text says is a matter of src/json.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/storage.h"
#include "core/v2_receiver.h"
#include "core/wire_v2.h"
#include "receiver_driver.h"
#include "v2_messages.h"

namespace webrtcupload::testing {

// Knows which of its bytes were written, and sees to it that none of them ever changes.
class SparseStorage final : public StorageInMemory {
 public:
  std::optional<Error> write(std::uint64_t position, ByteView source) override {
    if (write_failure) return write_failure;
    ++writes;
    if (position + source.size() > bytes.size()) {
      bytes.resize(position + source.size());
      written.resize(bytes.size());
    }
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (written[position + i] && bytes[position + i] != source[i]) {
        return Error{ErrorCode::kStorageFailed,
                     "byte " + std::to_string(position + i) + " changes"};
      }
      bytes[position + i] = source[i];
      written[position + i] = true;
    }
    return std::nullopt;
  }

  std::optional<Error> read(std::uint64_t position, std::span<std::uint8_t> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (position + i >= bytes.size() || !written[position + i]) {
        return Error{ErrorCode::kStorageFailed, "read of bytes that were never written"};
      }
      out[i] = bytes[position + i];
    }
    return std::nullopt;
  }

  [[nodiscard]] std::uint64_t stored() const {
    return static_cast<std::uint64_t>(std::ranges::count(written, true));
  }

  std::vector<bool> written;
  unsigned writes = 0;
};

// What one message, or one event, led to.
struct V2Outcome {
  bool replied = false;
  std::optional<UploadRequest> asked;
  bool stored = false;
  int comparisons = 0;
  std::uint64_t hashed = 0;
  std::optional<Error> failure;
  std::vector<Output> outputs;

  [[nodiscard]] bool failed_with(ErrorCode code) const { return failure && failure->code == code; }
  // The first message of that kind to that channel, if any.
  template <typename Kind>
  [[nodiscard]] const Kind* sent(ChannelId channel) const {
    for (const Output& output : outputs) {
      if (output.channel != channel || !output.message) continue;
      if (const auto* message = std::get_if<Kind>(&*output.message)) return message;
    }
    return nullptr;
  }
  [[nodiscard]] bool closed(ChannelId channel) const {
    return std::ranges::any_of(outputs, [channel](const Output& output) {
      return output.channel == channel && !output.message;
    });
  }
  // The channel was told of this error, and closed.
  [[nodiscard]] bool ended_with(ChannelId channel, ErrorCode code, bool resumable) const {
    const auto* told = sent<control::Failure>(channel);
    return told && told->code == to_string(code) && told->resumable == resumable && closed(channel);
  }
};

class V2Driver {
 public:
  explicit V2Driver(const Limits& limits = {}, TimeBegins time_begins = TimeBegins::kWithTheChannel)
      : receiver_(limits, test_id(), std::make_unique<V2Parser>(),
                  std::move(Sha256::create().value()), time_begins) {}

  static UploadId test_id() { return *UploadId::parse("0123456789abcdef0123456789abcdef"); }
  static UploadId other_id() { return *UploadId::parse("1123456789abcdef0123456789abcdef"); }

  V2Outcome open(ChannelId channel) {
    receiver_.channel_opened(channel, now);
    return finish({});
  }
  V2Outcome close(ChannelId channel) {
    return run(receiver_.channel_closed(channel, "the data channel was closed", now));
  }

  V2Outcome deliver(ChannelId channel, const Message& message) {
    return run(receiver_.receive(channel, message, now));
  }
  V2Outcome waiting(ChannelId channel, std::uint64_t bytes) {
    return run(receiver_.waiting(channel, bytes, now));
  }
  V2Outcome block(ChannelId channel, std::uint64_t offset, ByteView payload) {
    const Bytes message = v2_block(offset, payload);
    return deliver(channel, binary(message));
  }
  // Of the file `file`, from `begin` up to `end`.
  V2Outcome piece(ChannelId channel, const Bytes& file, std::uint64_t begin, std::uint64_t end) {
    return block(channel, begin, ByteView(file).subspan(begin, end - begin));
  }
  V2Outcome control(ChannelId channel, Result<std::optional<ControlMessage>> message) {
    said_ = std::move(message);
    const Bytes text = {'{', '}'};
    return deliver(channel, text_message(text));
  }
  V2Outcome say(ChannelId channel, ControlMessage message) {
    return control(channel, std::optional(std::move(message)));
  }
  // Opens the channel and says hello.
  V2Outcome hello(ChannelId channel, control::Hello hello = {}) {
    open(channel);
    return say(channel, std::move(hello));
  }
  V2Outcome join(ChannelId channel) { return hello(channel, {.upload = test_id()}); }

  V2Outcome tick() { return run(receiver_.tick(now)); }
  V2Outcome fail(ErrorCode code) { return run(receiver_.fail({code, "the test says so"})); }

  [[nodiscard]] Bytes file() const {
    Bytes file;
    while (const auto extent = receiver_.locate(file.size())) {
      const std::size_t size = file.size();
      file.resize(size + extent->length);
      if (storage_.read(extent->position, std::span(file).subspan(size))) return {};
    }
    return file;
  }

  V2Receiver& receiver() { return receiver_; }
  [[nodiscard]] const V2Receiver& receiver() const { return receiver_; }
  SparseStorage& storage() { return storage_; }
  [[nodiscard]] const SparseStorage& storage() const { return storage_; }

  std::function<bool(const UploadRequest&)> authorize = [](const UploadRequest&) { return true; };
  TimePoint now = std::chrono::seconds(1);

 private:
  V2Outcome run(Action action) {
    V2Outcome outcome;
    while (auto next = carry_out(action, outcome)) action = std::move(*next);
    return finish(std::move(outcome));
  }

  V2Outcome finish(V2Outcome outcome) {
    outcome.outputs = receiver_.take_outputs();
    return outcome;
  }

  // Nothing: no answer is wanted.
  std::optional<Action> carry_out(const Action& action, V2Outcome& outcome) {
    if (const auto* fail = std::get_if<action::Fail>(&action)) outcome.failure = fail->error;
    if (std::holds_alternative<action::Reply>(action)) outcome.replied = true;
    if (std::holds_alternative<action::ReadControl>(action)) return receiver_.control(said_);
    if (const auto* ask = std::get_if<action::Authorize>(&action)) {
      outcome.asked = ask->request;
      const bool allowed = authorize(ask->request);
      return receiver_.authorized(allowed, now);
    }
    if (const auto* compare = std::get_if<action::Compare>(&action)) {
      ++outcome.comparisons;
      Bytes there(compare->stored.length);
      if (auto error = storage_.read(compare->stored.position, there)) {
        return receiver_.fail(std::move(*error));
      }
      return receiver_.compared(std::ranges::equal(there, compare->bytes));
    }
    if (const auto* hash = std::get_if<action::Hash>(&action)) {
      Bytes there(hash->stored.length);
      if (auto error = storage_.read(hash->stored.position, there)) {
        return receiver_.fail(std::move(*error));
      }
      outcome.hashed += there.size();
      return receiver_.hashed(there);
    }
    if (const auto* store = std::get_if<action::Store>(&action)) {
      std::optional<Error> error;
      if (store->reserve != 0) error = storage_.reserve(store->reserve, store->expected);
      if (!error) error = storage_.write(store->position, store->bytes);
      if (error) return receiver_.fail(std::move(*error));
      outcome.stored = true;
      return receiver_.stored(now);
    }
    return std::nullopt;
  }

  SparseStorage storage_;
  V2Receiver receiver_;
  Result<std::optional<ControlMessage>> said_{std::optional<ControlMessage>()};
};

// SHA-256 of `file`.
inline Sha256Sum sum_of(ByteView file) {
  Sha256 hash = std::move(Sha256::create().value());
  hash.update(file);
  return hash.sum();
}

}  // namespace webrtcupload::testing
