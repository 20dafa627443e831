// SPDX-License-Identifier: LGPL-2.1-or-later

#include "v2_receiver_input.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../unit/core/v2_receiver_driver.h"
#include "input.h"
#include "reference_v2_upload.h"

namespace webrtcupload::fuzz {
namespace {

using testing::Bytes;
using testing::V2Outcome;

enum class Step : std::uint8_t {
  // What an honest client sends over a channel that has mostly joined: begin and length, one byte
  // each. Several values, so that uploads get somewhere.
  kPiece0,
  kPiece1,
  kPiece2,
  // The first bytes that are missing; length: one byte.
  kNext0,
  kNext1,
  kOpen,
  // How: one byte.
  kHello,
  // Over a channel that is open, or that is opened for it. How: one byte.
  kJoin,
  kOpenAndJoin,
  kEnd,
  kCancel,
  // Of another type; or no control message.
  kOddControl,
  // Offset, size, content: one byte each.
  kOddBlock,
  // Offset: eight bytes, size: one byte.
  kAnyOffset,
  // A good block with a bit that is wrong: one byte.
  kCorrupt,
  // Length: one byte, then the message itself.
  kRawBinary,
  kTooLong,
  kKeepalive,
  kClose,
  // So many bytes wait: two bytes.
  kWaiting,
  // By two bytes of milliseconds.
  kTimePasses,
  // To one nanosecond before (even byte) or to (odd byte) the deadline.
  kDeadline,
  // For another reason: one byte.
  kFailure,
  kReadingStarts,
  kReadingEnds,
  // Bits of one byte: deny authorization, reserving fails, writing fails.
  kSettings,
  kCount,
};

constexpr ChannelId kChannels = 6;

Limits read_limits(Input& input) {
  Limits limits;
  const std::uint8_t sizes = input.byte();
  limits.max_chunk_size = 1 + sizes % 60U;
  limits.max_size = 40 + input.byte() * 2U;
  const std::uint8_t window = input.byte();
  limits.window = 1 + window % 64U * 8;
  limits.max_connections = 1 + window / 64U;
  const std::uint8_t timeouts = input.byte();
  limits.upload_timeout = std::chrono::seconds(timeouts % 4 * 40);
  limits.idle_timeout = std::chrono::seconds(timeouts / 4 % 4 * 5);
  limits.min_rate = timeouts / 16 % 4;
  limits.resume_timeout = std::chrono::seconds(timeouts / 64 * 20);
  return limits;
}

class Play {
 public:
  Play(const Limits& limits, std::size_t size)
      : limits_(limits),
        file_(testing::pattern(size, 9)),
        sum_(testing::sum_of(file_)),
        driver_(limits),
        reference_(limits, testing::V2Driver::test_id()) {
    driver_.authorize = [this](const UploadRequest&) {
      ++questions_;
      return allowed_;
    };
  }

  std::string step(Input& input) {
    const auto step = static_cast<Step>(input.byte() % static_cast<unsigned>(Step::kCount));
    std::string wrong = act(step, input);
    return wrong.empty() ? compare_state() : wrong;
  }

 private:
  std::string act(Step step, Input& input) {
    using enum Step;
    const std::uint8_t choice = input.byte();
    const ChannelId channel = choice % kChannels;
    switch (step) {
      case kPiece0:
      case kPiece1:
      case kPiece2: {
        const std::uint64_t begin = file_.empty() ? 0 : input.byte() % file_.size();
        return piece(honest(choice), begin, 1 + input.byte() % limits_.max_chunk_size);
      }
      case kNext0:
      case kNext1: {
        std::uint64_t begin = 0;
        while (reference_.stored.contains(begin)) ++begin;
        return piece(honest(choice), begin, 1 + input.byte() % limits_.max_chunk_size);
      }
      case kOpen:
        return open(channel);
      case kHello: {
        control::Hello hello = odd_hello(input);
        return control(channel, hello);
      }
      case kOpenAndJoin:
        if (std::string wrong = open(channel); !wrong.empty()) return wrong;
        [[fallthrough]];
      case kJoin: {
        const std::uint8_t how = input.byte();
        control::Hello hello;
        if (how % 4 == 3) hello = odd_hello(input);
        hello.upload =
            how % 16 == 15 ? testing::V2Driver::other_id() : testing::V2Driver::test_id();
        return control(channel, hello);
      }
      case kEnd: {
        const std::uint8_t how = input.byte();
        control::End end{.size = how % 8 == 7 ? input.byte() : file_.size()};
        if (how & 8) end.sha256 = how & 16 ? testing::sum_of({}) : sum_;
        return control(channel, end);
      }
      case kCancel:
        return control(channel, control::Cancel{});
      case kOddControl: {
        const bool readable = input.byte() % 2 == 0;
        return readable ? control(channel, control::Ack{.stored = 1, .credit = 1})
                        : control(channel, std::nullopt);
      }
      case kOddBlock: {
        const std::uint64_t offset = input.byte() * 2U;
        const std::size_t size = input.byte() % (limits_.max_chunk_size + 3U);
        return binary(channel, testing::v2_block(offset, testing::pattern(size, input.byte())));
      }
      case kAnyOffset: {
        const std::uint64_t high = input.u32();
        const std::uint64_t offset = high << 32 | input.u32();
        const std::size_t size = 1 + input.byte() % limits_.max_chunk_size;
        return binary(channel, testing::v2_block(offset, testing::pattern(size, 1)));
      }
      case kCorrupt: {
        Bytes message = testing::v2_block(
            0, ByteView(file_).first(std::min<std::size_t>(file_.size(), limits_.max_chunk_size)));
        const std::size_t bit = input.byte() % (8 * message.size());
        message[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        return binary(channel, message);
      }
      case kRawBinary: {
        const std::size_t size = input.byte();
        const ByteView bytes = input.bytes(size);
        return binary(channel, Bytes(bytes.begin(), bytes.end()));
      }
      case kTooLong:
        return binary(channel, Bytes(kMaxMessageSize + 1, 1));
      case kKeepalive:
        return binary(channel, Bytes(input.byte() % 2, 7));
      case kClose:
        reference_.close(channel, driver_.now);
        return compare(driver_.close(channel));
      case kWaiting: {
        const unsigned high = input.byte() % 80;
        return waiting(channel, high * 256 + input.byte());
      }
      case kTimePasses: {
        const unsigned high = input.byte();
        return pass(driver_.now + std::chrono::milliseconds(high * 256 + input.byte()));
      }
      case kDeadline: {
        const auto deadline = driver_.receiver().deadline();
        const TimePoint early(input.byte() % 2 == 0 ? 1 : 0);
        return pass(deadline ? std::max(driver_.now, *deadline - early) : driver_.now);
      }
      case kFailure: {
        constexpr ErrorCode kReasons[] = {ErrorCode::kPeerGone, ErrorCode::kQuotaExceeded,
                                          ErrorCode::kStorageFailed, ErrorCode::kCancelled};
        const ErrorCode code = kReasons[input.byte() % std::size(kReasons)];
        reference_.fail(code);
        return compare(driver_.fail(code));
      }
      case kReadingStarts:
        if (driver_.receiver().begin_processing() != reference_.begin_processing()) {
          return "begin_processing() differs";
        }
        return {};
      case kReadingEnds:
        driver_.receiver().finish_processing();
        reference_.finish_processing();
        return {};
      case kSettings: {
        const std::uint8_t bits = input.byte();
        const Error full{ErrorCode::kStorageFailed, "full"};
        allowed_ = (bits & 1) == 0;
        driver_.storage().reserve_failure = bits & 2 ? std::optional(full) : std::nullopt;
        driver_.storage().write_failure = bits & 4 ? std::optional(full) : std::nullopt;
        return {};
      }
      case kCount:
        break;
    }
    return "no such step";
  }

  // One that has joined, if there is any; now and then another one.
  [[nodiscard]] ChannelId honest(std::uint8_t choice) const {
    std::vector<ChannelId> joined;
    for (const auto& [channel, peer] : reference_.peers) {
      if (peer.joined) joined.push_back(channel);
    }
    return joined.empty() || choice > 250 ? choice % kChannels : joined[choice % joined.size()];
  }

  // A channel is opened once.
  std::string open(ChannelId channel) {
    if (reference_.peers.contains(channel)) return {};
    reference_.open(channel, driver_.now);
    credits_.erase(channel);
    return compare(driver_.open(channel));
  }

  control::Hello odd_hello(Input& input) {
    const std::uint8_t how = input.byte();
    control::Hello hello;
    if (how & 1) hello.size = how & 2 && how & 4 ? input.byte() * 4U : file_.size();
    if (how & 64) {
      hello.nonce = how & 128 ? testing::V2Driver::other_id() : testing::V2Driver::test_id();
    }
    if (how & 8) hello.sha256 = how & 16 && how & 32 ? testing::sum_of({}) : sum_;
    return hello;
  }

  std::string piece(ChannelId channel, std::uint64_t begin, std::uint64_t length) {
    const std::uint64_t end = std::min<std::uint64_t>(file_.size(), begin + length);
    if (begin >= end) return {};
    return binary(channel, testing::v2_block(begin, ByteView(file_).subspan(begin, end - begin)));
  }

  std::string binary(ChannelId channel, const Bytes& bytes) {
    const testing::SparseStorage& storage = driver_.storage();
    const unsigned reservations = storage.reservations;
    const V2Outcome outcome = driver_.deliver(channel, testing::binary(bytes));
    const bool reserves = storage.reservations > reservations;
    const bool works = !storage.write_failure && !(storage.reserve_failure && reserves);
    const auto before = reference_.stored.size();
    const auto duplicates = reference_.duplicates;
    const bool replies = reference_.binary(channel, bytes, driver_.now, works);
    if (outcome.replied != replies) return "reply differs";
    if (outcome.stored != (reference_.stored.size() > before)) return "storing differs";
    const bool handled = outcome.stored || reference_.duplicates > duplicates;
    if (handled && reference_.running() && !unacked_.contains(channel)) {
      unacked_[channel] = driver_.now;
    }
    return compare(outcome);
  }

  std::string control(ChannelId channel, const std::optional<ControlMessage>& message) {
    const V2Outcome outcome =
        message ? driver_.say(channel, *message)
                : driver_.control(channel, Error{ErrorCode::kMalformedMessage, "odd"});
    reference_.control(channel, message, driver_.now, allowed_);
    return compare(outcome);
  }

  std::string waiting(ChannelId channel, std::uint64_t bytes) {
    reference_.waiting(channel, bytes, driver_.now);
    return compare(driver_.waiting(channel, bytes));
  }

  std::string pass(TimePoint moment) {
    driver_.now = moment;
    reference_.tick(moment);
    return compare(driver_.tick());
  }

  std::string compare(const V2Outcome& outcome) {
    if (outcome.failure && ++failures_ > 1) return "failed twice";
    if (outcome.failure && outcome.failure->code != reference_.error) return "code differs";
    if (outcome.failure && outcome.failure->message.empty()) return "failure without a reason";
    if (questions_ > 1) return "authorization asked for twice";
    ReferenceV2Upload::News news;
    for (const Output& output : outcome.outputs) {
      if (std::string wrong = read(output, news[output.channel]); !wrong.empty()) return wrong;
    }
    std::erase_if(news, [](const auto& entry) { return entry.second.empty(); });
    if (news != std::exchange(reference_.news, {})) return "what is sent differs";
    return {};
  }

  std::string read(const Output& output, std::vector<std::string>& news) {
    if (!output.message) {
      news.emplace_back("close");
    } else if (const auto* ready = std::get_if<control::Ready>(&*output.message)) {
      news.emplace_back("ready");
      if (ready->upload.text() != testing::V2Driver::test_id().text()) return "another id";
      if (ready->max_payload != limits_.max_chunk_size) return "another payload";
      for (const Range& range : ready->have) {
        for (std::uint64_t at = range.begin; at < range.end; ++at) {
          if (!reference_.stored.contains(at)) return "has what it has not";
        }
      }
      return grant(output.channel, ready->credit);
    } else if (const auto* ack = std::get_if<control::Ack>(&*output.message)) {
      unacked_.erase(output.channel);
      if (ack->stored != reference_.stored.size()) return "acknowledges another size";
      // A channel may be told, and then closed.
      const auto peer = reference_.peers.find(output.channel);
      if (peer != reference_.peers.end() && ack->received != peer->second.received) {
        return "acknowledges another part of the channel";
      }
      return grant(output.channel, ack->credit);
    } else if (std::holds_alternative<control::Done>(*output.message)) {
      news.emplace_back("done");
      const auto& done = std::get<control::Done>(*output.message);
      if (done.sha256 != testing::sum_of(reference_.file())) return "done with another SHA-256";
      if (done.size != reference_.stored.size()) return "done with another size";
    } else if (const auto* failure = std::get_if<control::Failure>(&*output.message)) {
      news.push_back("error " + failure->code + (failure->resumable ? " resumable" : ""));
    } else {
      return "sends what a client sends";
    }
    return {};
  }

  std::string grant(ChannelId channel, std::uint64_t credit) {
    std::uint64_t& known = credits_[channel];
    if (credit < known) return "takes credit back";
    known = credit;
    return {};
  }

  std::string compare_state() {
    const V2Receiver& receiver = driver_.receiver();
    const ReceiverStatistics& statistics = receiver.statistics();
    if (receiver.state() != reference_.state) return "state differs";
    if (receiver.error().has_value() != (receiver.state() == UploadState::kError)) {
      return "error without its state, or the other way round";
    }
    if (receiver.interrupted() != reference_.interrupted_at.has_value()) {
      return "interruption differs";
    }
    if (statistics.bytes != reference_.stored.size() ||
        statistics.keepalives != reference_.keepalives ||
        statistics.ignored != reference_.ignored ||
        statistics.duplicates != reference_.duplicates ||
        statistics.rejected != reference_.rejected ||
        statistics.opened_at != reference_.opened_at ||
        receiver.connections() != reference_.joined()) {
      return "statistics differ";
    }
    if (driver_.storage().stored() != reference_.stored.size()) return "storage differs";
    if (receiver.complete() != reference_.complete()) return "complete() differs";
    if ((receiver.percent() == 100) != receiver.complete()) return "percent is wrong";
    if (receiver.expected_size() != reference_.size) return "expected_size() differs";
    const Bytes expected = reference_.file();
    if (receiver.contiguous_bytes() != expected.size()) return "contiguous_bytes() differs";
    if (driver_.file() != expected) return "file differs";
    if (receiver.complete() && receiver.sha256() != testing::sum_of(expected)) {
      return "SHA-256 differs";
    }
    return compare_credit_and_time();
  }

  std::string compare_credit_and_time() {
    std::erase_if(credits_, [&](const auto& e) { return !reference_.peers.contains(e.first); });
    std::erase_if(unacked_, [&](const auto& e) { return !reference_.peers.contains(e.first); });
    std::uint64_t outstanding = 0;
    for (const auto& [channel, credit] : credits_) {
      const std::uint64_t received = reference_.peers[channel].received;
      outstanding += credit - std::min(credit, received);
    }
    const std::uint64_t bound = limits_.window * 3 / 2 + kChannels * limits_.max_chunk_size;
    if (outstanding > bound) return "grants too much";
    if (!reference_.running()) unacked_.clear();
    const auto deadline = driver_.receiver().deadline();
    const auto expected = reference_.deadline();
    if (unacked_.empty()) return deadline == expected ? "" : "deadline differs";
    if (!deadline || (expected && *deadline > *expected)) return "deadline is late";
    for (const auto& [channel, since] : unacked_) {
      if (*deadline > since + std::chrono::milliseconds(100)) return "an acknowledgement is late";
    }
    return "";
  }

  const Limits limits_;
  const Bytes file_;
  const Sha256Sum sum_;
  testing::V2Driver driver_;
  ReferenceV2Upload reference_;
  // What each channel was told, and since when it has stored what it was not told of.
  std::map<ChannelId, std::uint64_t> credits_;
  std::map<ChannelId, TimePoint> unacked_;
  bool allowed_ = true;
  int questions_ = 0;
  int failures_ = 0;
};

}  // namespace

std::string check_v2_receiver_input(ByteView bytes) {
  Input input(bytes);
  const Limits limits = read_limits(input);
  // A little more than is allowed is possible, and rare.
  Play play(limits, input.byte() % (limits.max_size + 3));
  for (int number = 0; !input.empty() && number < 300; ++number) {
    if (std::string wrong = play.step(input); !wrong.empty()) {
      return "step " + std::to_string(number) + ": " + wrong;
    }
  }
  return {};
}

}  // namespace webrtcupload::fuzz
