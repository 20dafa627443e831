// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/upload_life.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/wire_v1.h"

namespace webrtcupload {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

bool passed(std::optional<TimePoint> moment, TimePoint now) { return moment && now >= *moment; }

}  // namespace

std::string seconds_text(Duration duration) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g s", std::chrono::duration<double>(duration).count());
  return buffer;
}

std::optional<TimePoint> expiry(TimePoint since, Duration limit) {
  if (limit <= Duration::zero() || since > TimePoint::max() - limit) return std::nullopt;
  return since + limit;
}

void UploadLife::opened(TimePoint now) {
  if (statistics_.opened_at) return;
  statistics_.opened_at = now;
  progressed_at_ = now;
}

void UploadLife::resume(const Limits& limits, TimePoint now) {
  limits_ = limits;
  limits_changed();
  drop_pending();
  progressed_at_ = now;
  minute_begins_ = now;
  bytes_before_ = statistics_.bytes;
  away_for_ = Duration::zero();
  if (interrupted_at_) interrupted_at_ = now;
}

void UploadLife::kept_waiting(Duration duration) {
  const TimePoint latest =
      std::max({minute_begins_, progressed_at_, interrupted_at_.value_or(TimePoint{})});
  if (duration <= Duration::zero() || latest > TimePoint::max() - duration) return;
  minute_begins_ += duration;
  progressed_at_ += duration;
  // Whoever comes back may be among those that had to wait.
  if (interrupted_at_) *interrupted_at_ += duration;
}

void UploadLife::progressed(std::uint64_t bytes, TimePoint now) {
  statistics_.bytes += bytes;
  if (!statistics_.first_chunk_at) {
    statistics_.first_chunk_at = now;
    minute_begins_ = now;
  }
  progressed_at_ = now;
  const Duration back = given_back(bytes);
  away_for_ -= std::min(away_for_, back);
}

// So much that what is interrupted is in proportion to what comes. Nobody keeps a place by one byte
// a minute.
Duration UploadLife::given_back(std::uint64_t bytes) const {
  if (bytes == 0) return Duration::zero();
  if (limits_.min_rate == 0) return Duration::max();
  constexpr std::uint64_t kNoOverflow = std::uint64_t{1} << 32;
  const std::uint64_t nanoseconds = std::min(bytes, kNoOverflow) * 1'000'000'000 / limits_.min_rate;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
}

void UploadLife::begun(TimePoint now) { progressed_at_ = now; }

void UploadLife::completed(TimePoint now) {
  statistics_.completed_at = now;
  apply(UploadEvent::kLastChunk);
}

void UploadLife::interrupt(TimePoint now) {
  if (!interrupted_at_) interrupted_at_ = now;
}

void UploadLife::end_interruption(TimePoint now) {
  const auto since = std::exchange(interrupted_at_, std::nullopt);
  if (!since) return;
  kept_waiting(now - *since);
  away_for_ += now - *since;
  // Whoever has come back needs the idle time-out's whole time; what of it had passed is taken from
  // what may be interrupted. So an upload without a new byte ends in these two times together.
  if (limits_.idle_timeout <= Duration::zero()) return;
  Duration again = now - progressed_at_;
  if (limits_.resume_timeout >= Duration::zero()) {
    again = std::min(again, limits_.resume_timeout - std::min(limits_.resume_timeout, away_for_));
    away_for_ += again;
  }
  progressed_at_ += again;
}

std::optional<TimePoint> UploadLife::interruption_due() const {
  // Not "no limit": this may be set while an upload waits.
  if (limits_.resume_timeout == Duration::zero()) return interrupted_at_;
  const auto due = expiry(*interrupted_at_, limits_.resume_timeout);
  return due ? std::optional(std::max(*due - away_for_, *interrupted_at_)) : due;
}

Action UploadLife::check_times(TimePoint now) {
  if (!running() || !statistics_.opened_at) return action::Nothing{};
  if (passed(expiry(*statistics_.opened_at, limits_.upload_timeout), now)) {
    return fail({ErrorCode::kUploadTimeout,
                 "not complete after " + seconds_text(limits_.upload_timeout) + ": " + arrived()});
  }
  if (interrupted_at_) {
    if (!passed(interruption_due(), now)) return action::Nothing{};
    return fail(
        {ErrorCode::kPeerGone, "all connections were lost, and none brought anything new within " +
                                   seconds_text(limits_.resume_timeout) + ": " + arrived()});
  }
  if (passed(expiry(progressed_at_, limits_.idle_timeout), now)) {
    return fail({ErrorCode::kIdleTimeout, std::string("no new ") + unit() + " for " +
                                              seconds_text(limits_.idle_timeout) + ": " +
                                              arrived()});
  }
  if (const auto due = rate_due(); passed(due, now)) {
    const std::uint64_t came = statistics_.bytes - bytes_before_;
    if (came < least_bytes()) {
      return fail({ErrorCode::kTooSlow, text(came) + " bytes came in " + seconds_text(kRateWindow) +
                                            ", at least " + text(limits_.min_rate) +
                                            " a second are wanted: " + arrived()});
    }
    // The next one begins when this is looked at, and not when this should have been.
    minute_begins_ = now;
    bytes_before_ = statistics_.bytes;
  }
  return action::Nothing{};
}

std::optional<TimePoint> UploadLife::rate_due() const {
  if (limits_.min_rate == 0 || !statistics_.first_chunk_at) return std::nullopt;
  return expiry(minute_begins_, kRateWindow);
}

std::uint64_t UploadLife::least_bytes() const {
  constexpr std::uint64_t kSeconds = kRateWindow / std::chrono::seconds(1);
  return std::min(limits_.min_rate, UINT64_MAX / kSeconds) * kSeconds;
}

std::optional<TimePoint> UploadLife::next_time() const {
  if (!running() || !statistics_.opened_at) return std::nullopt;
  const auto whole = expiry(*statistics_.opened_at, limits_.upload_timeout);
  if (interrupted_at_) return earlier(whole, interruption_due());
  return earlier(whole, earlier(expiry(progressed_at_, limits_.idle_timeout), rate_due()));
}

Error UploadLife::oversized_message(std::size_t size, std::uint32_t max_payload) {
  return {ErrorCode::kChunkTooLarge,
          "the peer sends more than " + text(kMaxMessageSize) + " bytes in one message (" +
              text(size) +
              " have arrived of it), which a data channel does not carry unless both "
              "sides agree on a max-message-size (RFC 8841): send at most " +
              text(max_payload) + " bytes in a chunk"};
}

Action UploadLife::reject(Error error) {
  ++statistics_.rejected;
  return fail(std::move(error));
}

Action UploadLife::fail(Error error) {
  if (error.code == ErrorCode::kPeerGone && complete()) return action::Nothing{};
  return end_with(std::move(error), UploadEvent::kFailure);
}

Action UploadLife::refuse(Error error) { return end_with(std::move(error), UploadEvent::kRefusal); }

Action UploadLife::end_with(Error error, UploadEvent event) {
  if (!transition(state_, event)) return action::Nothing{};
  apply(event);
  drop_pending();
  interrupted_at_.reset();
  error_ = error;
  failed(error);
  return action::Fail{std::move(error)};
}

bool UploadLife::begin_processing() {
  if (!transition(state_, UploadEvent::kReadingStarts)) return false;
  apply(UploadEvent::kReadingStarts);
  return true;
}

void UploadLife::finish_processing() { apply(UploadEvent::kReadingEnds); }

void UploadLife::apply(UploadEvent event) { state_ = transition(state_, event).value_or(state_); }

bool UploadLife::complete() const {
  return state_ == UploadState::kComplete || state_ == UploadState::kProcessing ||
         state_ == UploadState::kDone;
}

}  // namespace webrtcupload
