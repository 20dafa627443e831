// SPDX-License-Identifier: LGPL-2.1-or-later

#include "receiver_input.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../unit/core/receiver_driver.h"
#include "input.h"
#include "reference_upload.h"

namespace webrtcupload::fuzz {
namespace {

using testing::Bytes;
using Answer = ReferenceUpload::Answer;

enum class Step : std::uint8_t {
  // The chunk that an honest client would send; one byte chooses the index. Several values, so that
  // uploads get somewhere.
  kHonestChunk0,
  kHonestChunk1,
  kHonestChunk2,
  kHonestChunk3,
  // The lowest chunk that is missing.
  kNextChunk,
  // Any size and content; index, size, content: one byte each.
  kOddChunk,
  // Any small index and total: one byte each.
  kOddHeader,
  // Index and total: four bytes each, then size: one byte.
  kAnyHeader,
  // Length: one byte, then the message itself.
  kRawBinary,
  kRawText,
  kKeepalive,
  // By two bytes of milliseconds.
  kTimePasses,
  // To one nanosecond before (even byte) or to (odd byte) the deadline.
  kDeadline,
  // For another reason: one byte.
  kFailure,
  kReadingStarts,
  kReadingEnds,
  // Bits of one byte: deny authorization, reserving fails, writing fails, the channel opens.
  kSettings,
  kCount,
};

Limits read_limits(Input& input) {
  Limits limits;
  limits.max_chunks = 1 + input.byte() % 40U;
  limits.max_chunk_size = 1 + input.byte() % 40U;
  limits.max_size = 1 + input.byte() * 6U;
  const std::uint8_t timeouts = input.byte();
  limits.upload_timeout = std::chrono::seconds(timeouts % 4 * 20);
  limits.idle_timeout = std::chrono::seconds(timeouts / 4 % 4 * 5);
  limits.min_rate = timeouts / 16 % 4;
  return limits;
}

class Play {
 public:
  Play(const Limits& limits, std::uint32_t total)
      : limits_(limits), total_(total), driver_(limits), reference_(limits) {
    driver_.authorize = [this](const UploadRequest&) {
      ++questions_;
      return allowed_;
    };
  }

  std::string step(Input& input) {
    using enum Step;
    const auto step = static_cast<Step>(input.byte() % static_cast<unsigned>(kCount));
    switch (step) {
      case kHonestChunk0:
      case kHonestChunk1:
      case kHonestChunk2:
      case kHonestChunk3:
        return honest_chunk(input.byte() % total_);
      case kNextChunk: {
        std::uint32_t index = 0;
        while (reference_.chunks.contains(index)) ++index;
        return honest_chunk(index % total_);
      }
      case kOddChunk: {
        const std::uint32_t index = input.byte();
        const std::size_t size = input.byte() % (limits_.max_chunk_size + 3U);
        return message(testing::v1_chunk(index, total_, testing::pattern(size, input.byte())));
      }
      case kOddHeader: {
        const std::uint32_t index = input.byte() % (limits_.max_chunks + 2);
        const std::uint32_t total = input.byte() % (limits_.max_chunks + 2);
        return message(testing::v1_chunk(index, total, testing::pattern(1, index)));
      }
      case kAnyHeader: {
        const std::uint32_t index = input.u32();
        const std::uint32_t total = input.u32();
        const std::size_t size = input.byte() % (limits_.max_chunk_size + 3U);
        return message(testing::v1_chunk(index, total, testing::pattern(size, index)));
      }
      case kRawBinary:
      case kRawText: {
        const std::size_t size = input.byte();
        const ByteView bytes = input.bytes(size);
        return message(Bytes(bytes.begin(), bytes.end()),
                       step == kRawText ? Message::Kind::kText : Message::Kind::kBinary);
      }
      case kKeepalive: {
        const std::uint8_t form = input.byte();
        return message(Bytes(form % 2, form),
                       form & 2 ? Message::Kind::kText : Message::Kind::kBinary);
      }
      case kTimePasses: {
        const unsigned high = input.byte();
        now_ += std::chrono::milliseconds(high * 256 + input.byte());
        return compare(driver_.tick(now_), reference_.tick(now_));
      }
      case kDeadline:
        if (const auto deadline = driver_.receiver().deadline()) {
          now_ = std::max(now_, *deadline - TimePoint(input.byte() % 2 == 0 ? 1 : 0));
        }
        return compare(driver_.tick(now_), reference_.tick(now_));
      case kFailure: {
        constexpr ErrorCode kReasons[] = {ErrorCode::kPeerGone, ErrorCode::kQuotaExceeded,
                                          ErrorCode::kStorageFailed, ErrorCode::kOverloaded,
                                          ErrorCode::kCancelled};
        const ErrorCode code = kReasons[input.byte() % std::size(kReasons)];
        return compare(driver_.fail(code), reference_.fail(code));
      }
      case kReadingStarts:
        if (driver_.receiver().begin_processing() != reference_.begin_processing()) {
          return "begin_processing() differs";
        }
        return compare({}, Answer::kNothing);
      case kReadingEnds:
        driver_.receiver().finish_processing();
        reference_.finish_processing();
        return compare({}, Answer::kNothing);
      case kSettings: {
        const std::uint8_t bits = input.byte();
        const Error full{ErrorCode::kStorageFailed, "full"};
        allowed_ = (bits & 1) == 0;
        driver_.memory().reserve_failure = bits & 2 ? std::optional(full) : std::nullopt;
        driver_.memory().write_failure = bits & 4 ? std::optional(full) : std::nullopt;
        if (bits & 8) {
          driver_.receiver().opened(now_);
          reference_.open(now_);
        }
        return compare({}, Answer::kNothing);
      }
      case kCount:
        break;
    }
    return "no such step";
  }

 private:
  std::string honest_chunk(std::uint32_t index) {
    const std::size_t size = 1 + (index * 7) % limits_.max_chunk_size;
    return message(testing::v1_chunk(index, total_, testing::pattern(size, index)));
  }

  std::string message(const Bytes& bytes, Message::Kind kind = Message::Kind::kBinary) {
    const Message message{kind, bytes};
    const testing::MemoryStorage& memory = driver_.memory();
    const unsigned reservations_before = memory.reservations;
    const testing::Outcome outcome = driver_.deliver(message, now_);
    const bool reserves = memory.reservations > reservations_before;
    const bool works = !memory.write_failure && !(memory.reserve_failure && reserves);
    if (outcome.stored && memory.bytes.size() > memory.reserved)
      return "stored beyond what is reserved";
    if (memory.reserved > memory.bytes.size() + bytes.size() + kReserveStep) {
      return "reserves more than a step";
    }
    if (outcome.replied &&
        (outcome.reply.kind != kind || outcome.reply.bytes.data() != bytes.data() ||
         outcome.reply.bytes.size() != bytes.size())) {
      return "the reply is not the message";
    }
    return compare(outcome, reference_.message(message, now_, allowed_, works));
  }

  std::string compare(const testing::Outcome& outcome, Answer expected) {
    if (outcome.failure && ++failures_ > 1) return "failed twice";
    if (outcome.failure.has_value() != (expected == Answer::kFailed)) return "failure differs";
    if (outcome.failure && outcome.failure->code != reference_.error) return "code differs";
    if (outcome.failure && outcome.failure->message.empty()) return "failure without a reason";
    if (outcome.replied != (expected == Answer::kReply)) return "reply differs";
    if (outcome.stored != (expected == Answer::kStored)) return "storing differs";
    if (expected == Answer::kDuplicate && !outcome.compared) return "duplicate not compared";
    if (expected == Answer::kNothing && !outcome.nothing()) return "something happened";
    if (questions_ > 1) return "authorization asked for twice";
    return compare_state();
  }

  [[nodiscard]] std::string compare_state() const {
    const Receiver& receiver = driver_.receiver();
    const ReceiverStatistics& statistics = receiver.statistics();
    const std::uint64_t bytes = reference_.bytes_stored();
    if (receiver.state() != reference_.state) return "state differs";
    if (receiver.error().has_value() != (receiver.state() == UploadState::kError)) {
      return "error without its state, or the other way round";
    }
    if (statistics.bytes != bytes || statistics.chunks != reference_.chunks.size() ||
        statistics.chunks_announced != reference_.total.value_or(0) ||
        statistics.keepalives != reference_.keepalives ||
        statistics.ignored != reference_.ignored ||
        statistics.duplicates != reference_.duplicates ||
        statistics.rejected != reference_.rejected ||
        statistics.opened_at != reference_.opened_at) {
      return "statistics differ";
    }
    if (statistics.bytes > limits_.max_size) return "more bytes than max-size";
    if (statistics.chunks > limits_.max_chunks) return "more chunks than max-chunks";
    if (driver_.memory().bytes.size() != bytes) return "storage holds other than what counts";
    const bool all = reference_.total && reference_.chunks.size() == *reference_.total;
    if (receiver.complete() != (all && !reference_.error)) return "complete() differs";
    const int percent = receiver.percent();
    if (percent < 0 || percent > 100 || (percent == 100) != all) return "percent is wrong";
    if (const auto size = receiver.expected_size()) {
      if (*size < bytes || *size > limits_.max_size) return "expected_size() out of bounds";
      if (all && *size != bytes) return "expected_size() not exact";
    } else if (statistics.chunks != 0) {
      return "no expected_size()";
    }
    if (receiver.deadline() != reference_.deadline()) return "deadline differs";
    return compare_file();
  }

  [[nodiscard]] std::string compare_file() const {
    const ChunkIndex& index = driver_.receiver().chunks();
    const Bytes expected = reference_.file();
    if (index.contiguous_bytes() != expected.size()) return "contiguous_bytes() differs";
    if (driver_.file() != expected) return "file differs";
    for (const std::uint64_t offset : {expected.size() / 2, expected.size() / 3}) {
      const auto extent = index.locate(offset);
      if (extent.has_value() != (offset < expected.size())) return "locate() differs";
      if (extent && driver_.memory().bytes[extent->position] != expected[offset]) {
        return "locate() finds another byte";
      }
    }
    for (std::uint32_t chunk = 0; chunk <= limits_.max_chunks; ++chunk) {
      const auto known = reference_.chunks.find(chunk);
      const auto extent = index.find(chunk);
      if (extent.has_value() != (known != reference_.chunks.end())) return "find() differs";
      if (extent && extent->length != known->second.size()) return "find() differs in length";
    }
    return {};
  }

  const Limits limits_;
  const std::uint32_t total_;
  testing::ReceiverDriver driver_;
  ReferenceUpload reference_;
  TimePoint now_ = std::chrono::seconds(1);
  bool allowed_ = true;
  int questions_ = 0;
  int failures_ = 0;
};

}  // namespace

std::string check_receiver_input(ByteView bytes) {
  Input input(bytes);
  const Limits limits = read_limits(input);
  // One more than is allowed is possible, and rare.
  Play play(limits, 1 + input.byte() % (limits.max_chunks + 1));
  for (int number = 0; !input.empty() && number < 300; ++number) {
    if (std::string wrong = play.step(input); !wrong.empty()) {
      return "step " + std::to_string(number) + ": " + wrong;
    }
  }
  return {};
}

}  // namespace webrtcupload::fuzz
