// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Carries out what a Receiver asks for, in memory and on the spot, so that a test only says which
// messages come and when.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/receiver.h"
#include "core/storage.h"
#include "core/wire_v1.h"

namespace webrtcupload::testing {

using Bytes = std::vector<std::uint8_t>;

inline Message binary(ByteView bytes) { return {Message::Kind::kBinary, bytes}; }
inline Message text_message(ByteView bytes) { return {Message::Kind::kText, bytes}; }

// A v1 chunk. Spelled out here rather than taken from encode_v1_header(), so that a mistake there
// cannot cancel out with one in the parser.
inline Bytes v1_chunk(std::uint32_t index, std::uint32_t total, ByteView payload) {
  Bytes message;
  message.reserve(8 + payload.size());
  for (const std::uint32_t field : {index, total}) {
    message.push_back(field & 0xff);
    message.push_back((field >> 8) & 0xff);
    message.push_back((field >> 16) & 0xff);
    message.push_back((field >> 24) & 0xff);
  }
  message.insert(message.end(), payload.begin(), payload.end());
  return message;
}

// Bytes that differ from chunk to chunk and from place to place, so that a wrong one shows.
inline Bytes pattern(std::size_t size, std::uint32_t seed = 0) {
  Bytes bytes(size);
  std::uint32_t value = seed * 2654435761U + 12345;
  for (std::uint8_t& byte : bytes) {
    value = value * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(value >> 24);
  }
  return bytes;
}

// Remembers what it was asked to make room for, and fails when the test says so.
class StorageInMemory : public Storage {
 public:
  std::optional<Error> reserve(std::uint64_t size, std::uint64_t likely_size) override {
    ++reservations;
    reserved = size;
    if (likely_size > 0) expected = likely_size;
    return reserve_failure;
  }

  Bytes bytes;
  unsigned reservations = 0;
  std::optional<std::uint64_t> reserved;
  std::optional<std::uint64_t> expected;
  std::optional<Error> reserve_failure;
  std::optional<Error> write_failure;
};

class MemoryStorage final : public StorageInMemory {
 public:
  std::optional<Error> write(std::uint64_t position, ByteView source) override {
    if (write_failure) return write_failure;
    // The receiver promises never to leave a hole and never to overwrite.
    if (position != bytes.size()) {
      return Error{ErrorCode::kStorageFailed, "not an append at " + std::to_string(position)};
    }
    bytes.insert(bytes.end(), source.begin(), source.end());
    return std::nullopt;
  }

  std::optional<Error> read(std::uint64_t position, std::span<std::uint8_t> out) const override {
    if (position > bytes.size() || out.size() > bytes.size() - position) {
      return Error{ErrorCode::kStorageFailed, "read of bytes that were never written"};
    }
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), out.size(), out.begin());
    return std::nullopt;
  }
};

// What one message led to.
struct Outcome {
  bool replied = false;
  Message reply;
  bool asked = false;
  bool stored = false;
  bool compared = false;
  std::optional<Error> failure;

  // True when nothing was sent, asked, written, compared or failed.
  [[nodiscard]] bool nothing() const {
    return !replied && !asked && !stored && !compared && !failure;
  }
  [[nodiscard]] bool failed_with(ErrorCode code) const { return failure && failure->code == code; }
};

class ReceiverDriver {
 public:
  explicit ReceiverDriver(const Limits& limits = {})
      : owned_(std::make_unique<MemoryStorage>()),
        storage_(owned_.get()),
        receiver_(make(limits)) {}
  ReceiverDriver(const Limits& limits, Storage& storage)
      : storage_(&storage), receiver_(make(limits)) {}

  Outcome deliver(const Message& message, TimePoint now = {}) {
    Outcome outcome;
    carry_out(receiver_.receive(message, now), now, outcome);
    return outcome;
  }

  Outcome chunk(std::uint32_t index, std::uint32_t total, ByteView payload, TimePoint now = {}) {
    const Bytes message = v1_chunk(index, total, payload);
    return deliver(binary(message), now);
  }

  Outcome tick(TimePoint now) {
    Outcome outcome;
    carry_out(receiver_.tick(now), now, outcome);
    return outcome;
  }

  Outcome refuse(ErrorCode code, std::string why = "the test says so") {
    Outcome outcome;
    carry_out(receiver_.refuse({code, std::move(why)}), {}, outcome);
    return outcome;
  }
  Outcome fail(ErrorCode code, std::string why = "the test says so") {
    Outcome outcome;
    carry_out(receiver_.fail({code, std::move(why)}), {}, outcome);
    return outcome;
  }

  // The file as a reader sees it: its contiguous beginning.
  [[nodiscard]] Bytes file() const {
    Bytes file;
    while (const auto extent = receiver_.chunks().locate(file.size())) {
      const std::size_t size = file.size();
      file.resize(size + extent->length);
      if (storage_->read(extent->position, std::span(file).subspan(size))) return {};
    }
    return file;
  }

  Receiver& receiver() { return receiver_; }
  [[nodiscard]] const Receiver& receiver() const { return receiver_; }
  [[nodiscard]] const ReceiverStatistics& statistics() const { return receiver_.statistics(); }
  [[nodiscard]] UploadState state() const { return receiver_.state(); }
  // Only with the storage that the driver made itself.
  MemoryStorage& memory() { return *owned_; }
  [[nodiscard]] const MemoryStorage& memory() const { return *owned_; }

  // What an application's `authorize` handler would do.
  std::function<bool(const UploadRequest&)> authorize = [](const UploadRequest&) { return true; };

 private:
  static Receiver make(const Limits& limits) {
    return Receiver(limits, std::make_unique<V1Parser>());
  }

  void carry_out(Action action, TimePoint now, Outcome& outcome) {
    for (;;) {
      if (std::holds_alternative<action::Nothing>(action)) return;
      if (const auto* reply = std::get_if<action::Reply>(&action)) {
        outcome.replied = true;
        outcome.reply = reply->message;
        return;
      }
      if (const auto* fail = std::get_if<action::Fail>(&action)) {
        outcome.failure = fail->error;
        return;
      }
      if (const auto* ask = std::get_if<action::Authorize>(&action)) {
        outcome.asked = true;
        action = receiver_.authorized(authorize(ask->request));
      } else if (const auto* compare = std::get_if<action::Compare>(&action)) {
        outcome.compared = true;
        Bytes there(compare->stored.length);
        if (auto error = storage_->read(compare->stored.position, there)) {
          action = receiver_.fail(std::move(*error));
        } else {
          action = receiver_.compared(std::ranges::equal(there, compare->bytes));
        }
      } else if (const auto* store = std::get_if<action::Store>(&action)) {
        std::optional<Error> error;
        if (store->reserve != 0) error = storage_->reserve(store->reserve, store->expected);
        if (!error) error = storage_->write(store->position, store->bytes);
        if (!error) {
          receiver_.stored(now);
          outcome.stored = true;
          return;
        }
        action = receiver_.fail(std::move(*error));
      }
    }
  }

  std::unique_ptr<MemoryStorage> owned_;
  Storage* storage_;
  Receiver receiver_;
};

}  // namespace webrtcupload::testing
