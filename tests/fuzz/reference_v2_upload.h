// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The rules of an upload in wire format v2 written down a second time, as plainly as possible and
// without a look at how the receiver does it: what the fuzzer compares the receiver with. Of
// acknowledgements it knows nothing; those are held to their bounds where the two are compared.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/control.h"
#include "core/error.h"
#include "core/message.h"
#include "core/upload_limits.h"
#include "core/upload_state.h"

namespace webrtcupload::fuzz {

class ReferenceV2Upload {
 public:
  using Channel = std::uint64_t;
  struct Peer {
    TimePoint opened_at{};
    bool joined = false;
    TimePoint heard_at{};
    std::uint64_t waiting = 0;
    // Payload bytes that came within the rules.
    std::uint64_t received = 0;
  };
  // What is sent and closed, by channel: "ready", "done", "error CODE [resumable]", "close".
  using News = std::map<Channel, std::vector<std::string>>;

  ReferenceV2Upload(const Limits& limits, const UploadId& id) : limits_(limits), id_(id) {}

  void open(Channel channel, TimePoint now) {
    if (!opened_at) opened_at = progressed_at = now;
    peers.try_emplace(channel, Peer{.opened_at = now, .heard_at = now});
  }

  void close(Channel channel, TimePoint now) {
    if (!peers.contains(channel)) return;
    const bool joined = peers[channel].joined;
    peers.erase(channel);
    left(joined, ErrorCode::kPeerGone, now);
  }

  // What a keepalive comes back for.
  bool binary(Channel channel, ByteView bytes, TimePoint now, bool storage_works) {
    // Headers do not count.
    hear(channel, bytes.size() > 16 ? bytes.size() - 16 : bytes.size(), now);
    if (bytes.size() <= 1) {
      ++keepalives;
      return true;
    }
    if (!running() || !peers.contains(channel)) {
      ++ignored;
      return false;
    }
    if (bytes.size() > 65536) return fault(channel, ErrorCode::kChunkTooLarge, now);
    if (bytes.size() < 17 || bytes[0] != 1 || bytes[1] != 0 || bytes[2] != 0 || bytes[3] != 0) {
      return fault(channel, ErrorCode::kMalformedMessage, now);
    }
    if (number(bytes.subspan(4, 4)) != crc(bytes.subspan(8))) {
      return fault(channel, ErrorCode::kCorruptChunk, now);
    }
    if (!peers[channel].joined) return fault(channel, ErrorCode::kUnexpectedMessage, now);
    const std::uint64_t offset = number(bytes.subspan(8, 8));
    const ByteView payload = bytes.subspan(16);
    peers[channel].received += payload.size();
    if (payload.size() > limits_.max_chunk_size) {
      return fault(channel, ErrorCode::kChunkTooLarge, now);
    }
    if (offset >= limits_.max_size || payload.size() > limits_.max_size - offset) {
      return fault(channel, ErrorCode::kTooLarge, now);
    }
    if (size && offset + payload.size() > *size) {
      return fault(channel, ErrorCode::kSizeMismatch, now);
    }
    return put(channel, offset, payload, now, storage_works);
  }

  // `message` is what the text says; nothing for what cannot be read.
  void control(Channel channel, const std::optional<ControlMessage>& message, TimePoint now,
               bool allowed) {
    // What the text itself is does not matter here, but that it has two bytes.
    hear(channel, 2, now);
    if (!peers.contains(channel)) {
      ++ignored;
    } else if (!message) {
      fault(channel, ErrorCode::kMalformedMessage, now);
    } else if (const auto* hello = std::get_if<control::Hello>(&*message)) {
      say_hello(channel, *hello, now, allowed);
    } else if (!running()) {
      ++ignored;
    } else if (const auto* end = std::get_if<control::End>(&*message)) {
      say_end(channel, *end, now);
    } else if (std::holds_alternative<control::Cancel>(*message)) {
      if (peers[channel].joined || (state == UploadState::kIdle && peers.size() == 1)) {
        fail(ErrorCode::kCancelled);
      } else {
        fault(channel, ErrorCode::kUnexpectedMessage, now);
      }
    }
  }

  void waiting(Channel channel, std::uint64_t bytes, TimePoint now) {
    if (!peers.contains(channel)) return;
    peers[channel].waiting = bytes;
    std::uint64_t all = 0;
    for (const auto& [other, peer] : peers) {
      if (peer.joined) all += peer.waiting;
    }
    const std::uint64_t told = limits_.window * 3 / 2 + joined() * limits_.max_chunk_size;
    const std::uint64_t most = std::max(2 * limits_.window, told);
    if (peers[channel].joined ? all <= most : bytes <= 16384) return;
    if (running()) {
      fault(channel, ErrorCode::kCreditExceeded, now);
    } else {
      tell_end(channel, ErrorCode::kCreditExceeded, false);
      peers.erase(channel);
    }
  }

  void tick(TimePoint now) {
    if (!opened_at) return;
    if (!running()) return silent_peers(now);
    const auto is_over = [now](TimePoint since, Duration limit) {
      return limit.count() > 0 && now - since >= limit;
    };
    if (is_over(*opened_at, limits_.upload_timeout)) return fail(ErrorCode::kUploadTimeout);
    if (interrupted_at) {
      const Duration left = std::max(Duration::zero(), limits_.resume_timeout - away);
      if (now - *interrupted_at >= left) fail(ErrorCode::kPeerGone);
      return silent_peers(now);
    }
    if (is_over(progressed_at, limits_.idle_timeout)) return fail(ErrorCode::kIdleTimeout);
    if (limits_.min_rate > 0 && minute && now - *minute >= kMinute) {
      if (stored.size() - bytes_before < 60 * limits_.min_rate) return fail(ErrorCode::kTooSlow);
      minute = now;
      bytes_before = stored.size();
    }
    silent_peers(now);
  }

  [[nodiscard]] std::optional<TimePoint> deadline() const {
    if (!opened_at) return std::nullopt;
    std::vector<TimePoint> moments;
    const auto add = [&moments](TimePoint since, Duration limit) {
      if (limit.count() > 0) moments.push_back(since + limit);
    };
    if (running()) add(*opened_at, limits_.upload_timeout);
    if (interrupted_at) {
      moments.push_back(*interrupted_at +
                        std::max(Duration::zero(), limits_.resume_timeout - away));
    } else if (running()) {
      add(progressed_at, limits_.idle_timeout);
      if (limits_.min_rate > 0 && minute) add(*minute, kMinute);
    }
    if (state != UploadState::kIdle) {
      for (const auto& [channel, peer] : peers) {
        if (!peer.joined) add(peer.opened_at, limits_.idle_timeout);
      }
    }
    if (moments.empty()) return std::nullopt;
    return *std::ranges::min_element(moments);
  }

  void fail(ErrorCode code) {
    if (state == UploadState::kDone || state == UploadState::kError) return;
    if (code == ErrorCode::kPeerGone && !running()) return;
    const bool was_idle = state == UploadState::kIdle;
    state = UploadState::kError;
    error = code;
    interrupted_at.reset();
    for (const auto& [channel, peer] : peers) {
      if (peer.joined || was_idle) {
        tell_end(channel, code, false);
      } else {
        news[channel].emplace_back("close");
      }
    }
    peers.clear();
  }

  bool begin_processing() {
    if (state != UploadState::kComplete) return false;
    state = UploadState::kProcessing;
    return true;
  }
  void finish_processing() {
    if (state == UploadState::kProcessing) state = UploadState::kDone;
  }

  [[nodiscard]] bool running() const {
    return state == UploadState::kIdle || state == UploadState::kUploading;
  }
  [[nodiscard]] bool complete() const { return !running() && state != UploadState::kError; }
  [[nodiscard]] std::size_t joined() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(peers, [](const auto& entry) { return entry.second.joined; }));
  }
  // From the start up to the first byte that is missing.
  [[nodiscard]] std::vector<std::uint8_t> file() const {
    std::vector<std::uint8_t> file;
    for (const auto& [offset, byte] : stored) {
      if (offset != file.size()) break;
      file.push_back(byte);
    }
    return file;
  }

  UploadState state = UploadState::kIdle;
  std::optional<ErrorCode> error;
  std::map<std::uint64_t, std::uint8_t> stored;
  std::map<Channel, Peer> peers;
  control::Hello begun;
  std::optional<std::uint64_t> size;
  std::optional<Sha256Sum> named;
  bool said_all = false;
  std::uint64_t keepalives = 0;
  std::uint64_t ignored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t rejected = 0;
  std::optional<TimePoint> opened_at;
  TimePoint progressed_at{};
  std::optional<TimePoint> interrupted_at;
  // Of the time that may be interrupted, what is used up.
  Duration away{};
  std::optional<TimePoint> minute;
  std::uint64_t bytes_before = 0;
  // To be taken by whoever compares.
  News news;

  // A message breaks a rule. Always false, as what comes of it is no keepalive.
  bool fault(Channel channel, ErrorCode code, TimePoint now) {
    const bool was_joined = peers[channel].joined;
    if (!running() && was_joined) {
      ++ignored;
      return false;
    }
    ++rejected;
    if ((state == UploadState::kIdle && peers.size() == 1) ||
        (was_joined && code != ErrorCode::kCorruptChunk)) {
      fail(code);
      return false;
    }
    peers.erase(channel);
    const bool goes_on = joined() > 0 || limits_.resume_timeout.count() != 0;
    tell_end(channel, code, was_joined && goes_on);
    left(was_joined, code, now);
    return false;
  }

 private:
  static constexpr Duration kMinute = std::chrono::seconds(60);

  static std::uint64_t number(ByteView bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) value = value * 256 + bytes[i - 1];
    return value;
  }

  static std::uint64_t crc(ByteView bytes) {
    std::uint32_t state = 0xffffffff;
    for (const std::uint8_t byte : bytes) {
      state ^= byte;
      for (int bit = 0; bit < 8; ++bit) state = state % 2 == 1 ? state / 2 ^ 0x82f63b78 : state / 2;
    }
    return state ^ 0xffffffff;
  }

  bool put(Channel channel, std::uint64_t offset, ByteView payload, TimePoint now,
           bool storage_works) {
    bool is_new = false;
    for (std::size_t i = 0; i < payload.size(); ++i) {
      const auto there = stored.find(offset + i);
      is_new = is_new || there == stored.end();
      if (there != stored.end() && there->second != payload[i]) {
        return fault(channel, ErrorCode::kConflictingChunk, now);
      }
    }
    if (!is_new) {
      ++duplicates;
      return false;
    }
    if (!storage_works) {
      fail(ErrorCode::kStorageFailed);
      return false;
    }
    const std::size_t before = stored.size();
    for (std::size_t i = 0; i < payload.size(); ++i) stored[offset + i] = payload[i];
    progressed_at = now;
    const auto came = static_cast<std::int64_t>(stored.size() - before);
    const auto rate = static_cast<std::int64_t>(limits_.min_rate);
    away = rate == 0 ? Duration::zero()
                     : std::max(Duration::zero(), away - std::chrono::seconds(came) / rate);
    if (!minute) minute = now;
    complete_if_all_is_there();
    return false;
  }

  [[nodiscard]] Sha256Sum sum_of_file() const {
    Sha256 hash = std::move(Sha256::create().value());
    hash.update(file());
    return hash.sum();
  }

  void complete_if_all_is_there() {
    if (!said_all || stored.size() != *size) return;
    if (named && sum_of_file() != *named) {
      ++rejected;
      return fail(ErrorCode::kHashMismatch);
    }
    state = UploadState::kComplete;
    for (const auto& [channel, peer] : peers) {
      if (peer.joined) news[channel].emplace_back("done");
    }
  }

  void say_hello(Channel channel, const control::Hello& hello, TimePoint now, bool allowed) {
    Peer& peer = peers[channel];
    if (peer.joined) {
      fault(channel, ErrorCode::kUnexpectedMessage, now);
      return;
    }
    const bool again =
        !hello.upload && hello.nonce && begun.nonce && hello.nonce->text() == begun.nonce->text();
    if (!hello.upload && !again) {
      if (state != UploadState::kIdle) {
        fault(channel, ErrorCode::kUnknownUpload, now);
      } else if (hello.size && *hello.size > limits_.max_size) {
        fault(channel, ErrorCode::kTooLarge, now);
      } else if (!allowed) {
        fail(ErrorCode::kUnauthorized);
      } else {
        state = UploadState::kUploading;
        begun = hello;
        size = hello.size;
        named = hello.sha256;
        said_all = size && named;
        peer.joined = true;
        progressed_at = now;
        for (auto& [other, known] : peers) known.opened_at = now;
        news[channel].emplace_back("ready");
        complete_if_all_is_there();
      }
      return;
    }
    if (hello.upload && (state == UploadState::kIdle || hello.upload->text() != id_.text())) {
      fault(channel, ErrorCode::kUnknownUpload, now);
    } else if (error) {
      tell_end(channel, *error, false);
      peers.erase(channel);
    } else if (hello.size && size && *hello.size != *size) {
      fault(channel, ErrorCode::kSizeMismatch, now);
    } else if (hello.size && *hello.size > limits_.max_size) {
      fault(channel, ErrorCode::kTooLarge, now);
    } else if (hello.size && !stored.empty() && stored.rbegin()->first >= *hello.size) {
      fault(channel, ErrorCode::kSizeMismatch, now);
    } else if (complete() && hello.sha256 && *hello.sha256 != sum_of_file()) {
      fault(channel, ErrorCode::kHashMismatch, now);
    } else if (hello.sha256 && named && *hello.sha256 != *named) {
      fault(channel, ErrorCode::kHashMismatch, now);
    } else {
      if (joined() >= limits_.max_connections) replace_quietest();
      peer.joined = true;
      news[channel].emplace_back("ready");
      if (complete()) news[channel].emplace_back("done");
      if (interrupted_at) {
        const Duration lost = now - *interrupted_at;
        const Duration was_idle = *interrupted_at - progressed_at;
        progressed_at += lost;
        if (minute) *minute += lost;
        away += lost;
        interrupted_at.reset();
        if (limits_.idle_timeout.count() > 0) {
          const Duration left = std::max(Duration::zero(), limits_.resume_timeout - away);
          const Duration restored = std::min(was_idle, left);
          progressed_at += restored;
          away += restored;
        }
      }
      if (complete()) return;
      if (hello.size) size = hello.size;
      if (hello.sha256) named = hello.sha256;
      said_all = said_all || (hello.size && hello.sha256);
      complete_if_all_is_there();
    }
  }

  void say_end(Channel channel, const control::End& end, TimePoint now) {
    if (!peers[channel].joined) {
      fault(channel, ErrorCode::kUnexpectedMessage, now);
    } else if (size && *size != end.size) {
      fault(channel, ErrorCode::kSizeMismatch, now);
    } else if (end.size > limits_.max_size) {
      fault(channel, ErrorCode::kTooLarge, now);
    } else if (!stored.empty() && stored.rbegin()->first >= end.size) {
      fault(channel, ErrorCode::kSizeMismatch, now);
    } else if (named && end.sha256 && *named != *end.sha256) {
      fault(channel, ErrorCode::kHashMismatch, now);
    } else {
      size = end.size;
      if (end.sha256) named = end.sha256;
      said_all = true;
      complete_if_all_is_there();
    }
  }

  void left(bool was_joined, ErrorCode why, TimePoint now) {
    if (state == UploadState::kIdle) {
      if (peers.empty()) fail(why);
    } else if (state == UploadState::kUploading && was_joined && joined() == 0) {
      if (limits_.resume_timeout.count() == 0) {
        fail(why);
      } else {
        interrupted_at = now;
      }
    }
  }

  void hear(Channel channel, std::uint64_t bytes, TimePoint now) {
    if (!peers.contains(channel)) return;
    peers[channel].heard_at = now;
    peers[channel].waiting -= std::min(peers[channel].waiting, bytes);
  }

  void replace_quietest() {
    std::optional<Channel> quietest;
    for (const auto& [channel, peer] : peers) {
      if (peer.joined && (!quietest || peer.heard_at < peers[*quietest].heard_at)) {
        quietest = channel;
      }
    }
    tell_end(*quietest, ErrorCode::kTooManyChannels, true);
    peers.erase(*quietest);
  }

  void silent_peers(TimePoint now) {
    if (state == UploadState::kIdle || limits_.idle_timeout.count() == 0) return;
    const auto before = peers;
    for (const auto& [channel, peer] : before) {
      if (peer.joined || now - peer.opened_at < limits_.idle_timeout) continue;
      tell_end(channel, ErrorCode::kIdleTimeout, false);
      peers.erase(channel);
    }
  }

  void tell_end(Channel channel, ErrorCode code, bool resumable) {
    news[channel].push_back("error " + std::string(to_string(code)) +
                            (resumable ? " resumable" : ""));
    news[channel].emplace_back("close");
  }

  const Limits limits_;
  const UploadId id_;
};

}  // namespace webrtcupload::fuzz
