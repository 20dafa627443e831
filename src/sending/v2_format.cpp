// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v2: blocks within the credit that the receiver grants, over the connections that
// there are, the file's SHA-256, and an answer at the end.

#include <algorithm>
#include <chrono>
#include <sys/random.h>
#include <utility>
#include <vector>

#include "core/chunk_sender.h"
#include "core/mutex.h"
#include "core/v2_sender.h"
#include "core/wire_v2.h"
#include "sending/kept_blocks.h"
#include "sending/sending_format.h"
#include "sending/v2_connections.h"
#include "sending/v2_conversation.h"
#include "sending/v2_link.h"

namespace webrtcupload {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

// Nothing where the system has no random numbers.
std::optional<UploadId> draw_id() {
  UploadId::Bytes bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return std::nullopt;
  }
  return UploadId(bytes);
}

class V2Format final : public SendingFormat {
 public:
  V2Format(const SenderSettings& settings, FirstChannel first, std::shared_ptr<Bell> bell)
      : settings_(settings),
        named_sum_(parse_sha256(settings.sha256)),
        conversation_(std::make_shared<V2Conversation>()),
        connections_(std::make_shared<V2Connections>(conversation_, bell)),
        link_(settings, conversation_, connections_, bell) {
    connections_->add(std::move(first.channel), std::move(first.webrtcbin), first.is_ours);
  }

  std::optional<Error> begin(std::optional<std::uint64_t> size) override;
  GstFlowReturn open(Host& host) override;
  GstFlowReturn send(Host& host, ByteView data) override;
  bool finished() const override { return size_ && taken_ == *size_; }
  std::optional<Error> end() override;
  GstFlowReturn complete(Host& host) override;
  Figures figures() const override;
  std::optional<Sha256Sum> sha256() const override { return sum_; }

  std::uint64_t buffered_amount() const override { return connections_->buffered_amount(); }
  std::optional<Traffic> traffic() const override;
  bool attach(GstElement* webrtcbin, const std::string& label, std::string& problem) override {
    return connections_->attach(webrtcbin, label, problem);
  }
  void close() override { connections_->close(); }
  void abandon(const std::string& reason) override { connections_->abandon(reason); }

 private:
  // Bytes of the file in the message under way.
  [[nodiscard]] std::size_t pending() const { return message_.size() - kV2HeaderSize; }
  void begin_message();
  // What is in the message under way becomes a block that can be sent.
  void close_message();
  // Looks after the connections, and sends what they take.
  [[nodiscard]] GstFlowReturn step(Host& host);
  // Until a block may be kept, and all that are kept have been sent.
  [[nodiscard]] GstFlowReturn hand_out(Host& host);
  // The next block, over the connection in which least waits; false when none takes it.
  [[nodiscard]] bool send_one();
  void forget();
  // What keeps a block back, to be measured; null when there is no connection to wait for.
  [[nodiscard]] V2Link::WaitedTime* reason_to_wait();
  [[nodiscard]] bool has_room(const V2Connection& connection) const {
    return may_hand_over(kV2HeaderSize + block_size_, connection.channel->buffered_amount(),
                         settings_.buffer_limit);
  }
  [[nodiscard]] GstFlowReturn wait_stored(Host& host);
  // Bytes that the peer has stored, as it says.
  [[nodiscard]] std::uint64_t stored() const REQUIRES(conversation_->mutex) {
    return std::min(conversation_->sender->stored(), taken_);
  }

  const SenderSettings settings_;
  // By the application.
  const std::optional<Sha256Sum> named_sum_;
  const std::shared_ptr<V2Conversation> conversation_;
  const std::shared_ptr<V2Connections> connections_;
  V2Link::WaitedTime waited_for_room_ = 0;
  V2Link::WaitedTime waited_for_credit_ = 0;

  // The streaming thread's.
  V2Link link_;
  std::optional<std::uint64_t> size_;
  std::optional<Sha256> hash_;
  std::optional<Sha256Sum> sum_;
  // Bytes that came from upstream.
  std::uint64_t taken_ = 0;
  // The message under way, and how many bytes of the file one has.
  std::vector<std::uint8_t> message_;
  std::size_t block_size_ = 0;
  KeptBlocks kept_;
  // The news after which it was looked what has to be kept.
  std::uint64_t news_ = 0;
  std::uint32_t blocks_ = 0;
  bool confirmed_ = false;
};

std::optional<Error> V2Format::begin(std::optional<std::uint64_t> size) {
  if (size && *size >= control::kNumberLimit) {
    return Error{ErrorCode::kTooLarge,
                 "the file has " + text(*size) + " bytes, which wire format v2 cannot say"};
  }
  auto hash = Sha256::create();
  if (!hash) return hash.error();
  hash_ = std::move(hash.value());
  size_ = size;
  const MutexLock lock(conversation_->mutex);
  conversation_->sender.emplace(control::Hello{.size = size,
                                               .name = settings_.file_name,
                                               .content_type = settings_.content_type,
                                               .sha256 = named_sum_,
                                               .nonce = draw_id()},
                                std::min(settings_.chunk_size, kMaxBlockPayload));
  return std::nullopt;
}

GstFlowReturn V2Format::open(Host& host) {
  // A source may bring so little at a time that a block is long in coming; connections come and go
  // meanwhile.
  if (block_size_ > 0) return link_.has_news() ? step(host) : GST_FLOW_OK;
  for (;;) {
    if (const GstFlowReturn flow = step(host); flow != GST_FLOW_OK) return flow;
    {
      const MutexLock lock(conversation_->mutex);
      if (conversation_->sender->connections() > 0 || conversation_->sender->ended()) break;
    }
    if (const GstFlowReturn flow = link_.wait(host); flow != GST_FLOW_OK) return flow;
  }
  begin_message();
  return GST_FLOW_OK;
}

void V2Format::begin_message() {
  {
    const MutexLock lock(conversation_->mutex);
    // Every connection may be told another size.
    const auto& server = *conversation_->sender->server();
    block_size_ = static_cast<std::size_t>(std::clamp<std::uint64_t>(
        server.max_payload, 1, std::min(settings_.chunk_size, kMaxBlockPayload)));
  }
  message_.reserve(kV2HeaderSize + block_size_);
  message_.resize(kV2HeaderSize);
}

void V2Format::close_message() {
  write_header(message_, kept_.end());
  kept_.add(std::make_shared<const std::vector<std::uint8_t>>(std::exchange(message_, {})));
  begin_message();
  const MutexLock lock(conversation_->mutex);
  conversation_->sender->available(taken_);
}

GstFlowReturn V2Format::send(Host& host, ByteView data) {
  if (size_ && data.size() > *size_ - taken_) {
    return host.fail({ErrorCode::kSizeMismatch,
                      "the source brings more than the " + text(*size_) + " bytes announced"});
  }
  while (!data.empty()) {
    const ByteView taken = data.first(std::min(data.size(), block_size_ - pending()));
    data = data.subspan(taken.size());
    hash_->update(taken);
    message_.insert(message_.end(), taken.begin(), taken.end());
    taken_ += taken.size();
    if (pending() < block_size_ && !finished()) continue;
    close_message();
    if (const GstFlowReturn flow = hand_out(host); flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_OK;
}

GstFlowReturn V2Format::hand_out(Host& host) {
  for (;;) {
    if (const GstFlowReturn flow = step(host); flow != GST_FLOW_OK) return flow;
    {
      const MutexLock lock(conversation_->mutex);
      const V2Sender& sender = *conversation_->sender;
      // The receiver may have had some of it before, or all.
      if (sender.ended() || (sender.all_handed_out() && !kept_.is_full())) break;
    }
    const GstFlowReturn flow = link_.wait(host, std::nullopt, reason_to_wait());
    if (flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_OK;
}

GstFlowReturn V2Format::step(Host& host) {
  if (const GstFlowReturn flow = link_.tend(host); flow != GST_FLOW_OK) return flow;
  forget();
  while (send_one()) host.note_progress();
  return GST_FLOW_OK;
}

void V2Format::forget() {
  std::uint64_t needed_from = 0;
  {
    const MutexLock lock(conversation_->mutex);
    if (std::exchange(news_, conversation_->news) == conversation_->news) return;
    // Of an upload that is done nothing is sent again.
    const V2Sender& sender = *conversation_->sender;
    needed_from = sender.ended() ? taken_ : sender.needed_from();
  }
  kept_.forget_before(needed_from);
}

bool V2Format::send_one() {
  struct Candidate {
    SharedConnection connection;
    std::uint64_t buffered;
  };
  {
    const MutexLock lock(conversation_->mutex);
    if (conversation_->sender->all_handed_out()) return false;
  }
  std::vector<Candidate> candidates;
  for (auto& connection : connections_->list()) {
    if (!connection->joined || !connection->problem.empty() || !has_room(*connection)) continue;
    const std::uint64_t buffered = connection->channel->buffered_amount();
    candidates.push_back({std::move(connection), buffered});
  }
  std::ranges::sort(candidates, std::less(), &Candidate::buffered);
  for (const auto& [connection, buffered] : candidates) {
    const auto range = [&, id = connection->id] {
      const MutexLock lock(conversation_->mutex);
      return conversation_->sender->next(id);
    }();
    if (!range) continue;
    if (connection->channel->send(kept_.message_of(*range), connection->problem)) {
      ++blocks_;
      return true;
    }
    // Which the link looks at.
    if (connection->problem.empty()) connection->problem = "the data channel takes no message";
  }
  return false;
}

V2Link::WaitedTime* V2Format::reason_to_wait() {
  const MutexLock lock(conversation_->mutex);
  const V2Sender& sender = *conversation_->sender;
  if (sender.connections() == 0) return nullptr;
  return sender.has_credit() ? &waited_for_room_ : &waited_for_credit_;
}

std::optional<Error> V2Format::end() {
  if (!size_ || taken_ == *size_) return std::nullopt;
  return Error{ErrorCode::kSizeMismatch, "the source has brought " + text(taken_) + " of the " +
                                             text(*size_) + " bytes announced"};
}

GstFlowReturn V2Format::complete(Host& host) {
  if (pending() > 0) close_message();
  if (const GstFlowReturn flow = hand_out(host); flow != GST_FLOW_OK) return flow;
  sum_ = hash_->sum();
  if (named_sum_ && *named_sum_ != *sum_) {
    return host.fail({ErrorCode::kHashMismatch, "the file has the SHA-256 " + to_hex(*sum_) +
                                                    ", the property \"sha256\" says " +
                                                    to_hex(*named_sum_)});
  }
  {
    const MutexLock lock(conversation_->mutex);
    conversation_->sender->end(taken_, sum_);
  }
  if (const GstFlowReturn flow = wait_stored(host); flow != GST_FLOW_OK) return flow;
  connections_->end();
  confirmed_ = true;
  host.note_progress();
  return GST_FLOW_OK;
}

GstFlowReturn V2Format::wait_stored(Host& host) {
  auto since = Bell::Clock::now();
  std::uint64_t before = 0;
  for (;;) {
    if (const GstFlowReturn flow = step(host); flow != GST_FLOW_OK) return flow;
    {
      MutexLock lock(conversation_->mutex);
      if (conversation_->sender->done()) return GST_FLOW_OK;
      const bool progressed = stored() > before;
      before = stored();
      lock.unlock();
      // Time without a connection has a limit of its own.
      if (progressed || link_.is_interrupted()) since = Bell::Clock::now();
      if (progressed) host.note_progress();
    }
    V2Link::Deadline until;
    if (settings_.confirm_timeout.count() > 0) {
      until = since + std::chrono::duration_cast<Bell::Clock::duration>(settings_.confirm_timeout);
    }
    if (until && Bell::Clock::now() >= *until) {
      return host.fail(
          {ErrorCode::kIdleTimeout, "the receiver has not answered in time: it has stored " +
                                        text(before) + " of " + text(taken_) + " bytes"});
    }
    if (const GstFlowReturn flow = link_.wait(host, until); flow != GST_FLOW_OK) return flow;
  }
}

SendingFormat::Figures V2Format::figures() const {
  const MutexLock lock(conversation_->mutex);
  return {.size = size_,
          .bytes = taken_,
          .chunks = blocks_,
          .stored = stored(),
          .confirmed = confirmed_};
}

std::optional<SendingFormat::Traffic> V2Format::traffic() const {
  Traffic traffic{.waited_for_room = std::chrono::nanoseconds(waited_for_room_.load()),
                  .waited_for_credit = std::chrono::nanoseconds(waited_for_credit_.load()),
                  .round_trip = conversation_->round_trip()};
  const MutexLock lock(conversation_->mutex);
  if (!conversation_->sender) return traffic;
  const V2Sender& sender = *conversation_->sender;
  traffic.connections = static_cast<std::uint32_t>(sender.connections());
  if (const auto& server = sender.server()) {
    traffic.max_connections =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(server->max_connections, UINT32_MAX));
  }
  traffic.stored = sender.stored();
  traffic.sent = sender.sent_bytes();
  return traffic;
}

}  // namespace

std::unique_ptr<SendingFormat> make_v2_format(const SenderSettings& settings, FirstChannel first,
                                              std::shared_ptr<Bell> bell) {
  return std::make_unique<V2Format>(settings, std::move(first), std::move(bell));
}

}  // namespace webrtcupload
