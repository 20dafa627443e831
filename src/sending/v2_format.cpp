// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Wire format v2: blocks within the credit that the receiver grants, the file's SHA-256, and an
// answer at the end. One channel, so the upload ends when that does.

#include <algorithm>
#include <cassert>
#include <chrono>
#include <span>
#include <string_view>
#include <sys/random.h>
#include <utility>
#include <variant>
#include <vector>

#include "core/chunk_sender.h"
#include "core/mutex.h"
#include "core/v2_sender.h"
#include "core/wire_v2.h"
#include "glib/debug.h"
#include "json/control_reader.h"
#include "json/control_writer.h"
#include "sending/sending_format.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace webrtcupload {
namespace {

constexpr ChannelId kChannel = 1;

std::string text(std::uint64_t number) { return std::to_string(number); }

// Nothing where the system has no random numbers.
std::optional<UploadId> draw_id() {
  UploadId::Bytes bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return std::nullopt;
  }
  return UploadId(bytes);
}

// What the peer's messages and the streaming thread meet at. Control messages are read where they
// arrive, on webrtcbin's pc thread: a later one takes the place of an earlier one here, so that
// none has to wait, however many a peer sends while nobody looks.
struct Peer {
  // A leaf.
  mutable Mutex mutex;
  std::optional<V2Sender> sender GUARDED_BY(mutex);
  // Before that nothing that the peer says counts.
  bool greeted GUARDED_BY(mutex) = false;
  // Counts the messages that may have changed something.
  std::uint64_t news GUARDED_BY(mutex) = 0;
  // The first message that the peer must not send, and its word that the upload has failed; nothing
  // counts after either, nor after its word that all is done.
  std::optional<Error> fault GUARDED_BY(mutex);
  std::optional<control::Failure> told GUARDED_BY(mutex);

  [[nodiscard]] bool listens() const REQUIRES(mutex) {
    return greeted && !fault && !told && !sender->ended();
  }
  [[nodiscard]] bool has_failed() const REQUIRES(mutex) {
    return fault || told || sender->failure();
  }

  // On the pc thread, with the PC lock held.
  void take(const Message& message) EXCLUDES(mutex);
  [[nodiscard]] static Result<std::optional<ControlMessage>> read(const Message& message);
};

Result<std::optional<ControlMessage>> Peer::read(const Message& message) {
  if (message.kind == Message::Kind::kBinary) {
    return Error{ErrorCode::kMalformedMessage, "a binary message of " + text(message.bytes.size()) +
                                                   " bytes, which only the sender may send"};
  }
  return read_control({reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()});
}

void Peer::take(const Message& message) {
  if (message.bytes.size() <= kV1MaxKeepaliveSize) return;
  {
    const MutexLock lock(mutex);
    if (!listens()) return;
  }
  const auto said = read(message);
  const MutexLock lock(mutex);
  ++news;
  if (!said) {
    fault = Error{said.error().code,
                  "what the receiver says is not understood: " + said.error().message};
  } else if (said.value()) {
    if (const auto* failure = std::get_if<control::Failure>(&*said.value())) told = *failure;
    sender->received(kChannel, *said.value());
  }
}

class V2Format final : public SendingFormat {
 public:
  explicit V2Format(const SenderSettings& settings)
      : settings_(settings),
        named_sum_(parse_sha256(settings.sha256)),
        peer_(std::make_shared<Peer>()) {}

  std::function<void(const Message&)> listener() override {
    return [peer = peer_](const Message& message) { peer->take(message); };
  }

  std::optional<Error> begin(std::optional<std::uint64_t> size) override;
  GstFlowReturn opened(Host& host) override;
  GstFlowReturn send(Host& host, ByteView data) override;
  bool finished() const override { return size_ && taken_ == *size_; }
  std::optional<Error> end() override;
  GstFlowReturn complete(Host& host) override;
  Figures figures() const override;
  std::optional<Sha256Sum> sha256() const override { return sum_; }
  std::optional<control::Failure> last_words(SenderChannel& channel) override;
  std::optional<std::string> farewell(const std::string& reason) override;

 private:
  // Bytes of the file in the message under way.
  [[nodiscard]] std::size_t pending() const { return message_.size() - kV2HeaderSize; }
  void begin_message();
  // Says what is to be said; an error when the upload has failed.
  [[nodiscard]] GstFlowReturn look(Host& host);
  // Until the peer has failed or `condition` holds, which is called without the peer's mutex.
  template <typename Condition>
  [[nodiscard]] GstFlowReturn wait(Host& host, Condition condition,
                                   std::optional<std::chrono::nanoseconds> timeout = std::nullopt,
                                   bool* timed_out = nullptr);
  // The channel is gone: waits for `condition`, until the last chance is over.
  template <typename Condition>
  bool hear_last(SenderChannel& channel, Condition condition);
  // What is in the message under way.
  [[nodiscard]] GstFlowReturn send_pending(Host& host);
  [[nodiscard]] std::vector<std::uint8_t> message_of(const Range& range);
  // Bytes that the peer has stored, as it says.
  [[nodiscard]] std::uint64_t stored() const REQUIRES(peer_->mutex) {
    return std::min(peer_->sender->stored(), taken_);
  }

  const SenderSettings settings_;
  // By the application.
  const std::optional<Sha256Sum> named_sum_;
  const std::shared_ptr<Peer> peer_;

  // The streaming thread's.
  std::optional<std::uint64_t> size_;
  std::optional<Sha256> hash_;
  std::optional<Sha256Sum> sum_;
  // Bytes that came from upstream.
  std::uint64_t taken_ = 0;
  // The message under way, and how many bytes of the file one has.
  std::vector<std::uint8_t> message_;
  std::size_t block_size_ = 0;
  std::uint32_t blocks_ = 0;
  bool joined_ = false;
  // The peer has gone, and until then its last messages are waited for.
  std::optional<std::chrono::steady_clock::time_point> last_chance_;
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
  const MutexLock lock(peer_->mutex);
  peer_->sender.emplace(control::Hello{.size = size, .sha256 = named_sum_, .nonce = draw_id()},
                        std::min(settings_.chunk_size, kMaxBlockPayload));
  return std::nullopt;
}

GstFlowReturn V2Format::opened(Host& host) {
  if (joined_) return GST_FLOW_OK;
  {
    const MutexLock lock(peer_->mutex);
    if (!std::exchange(peer_->greeted, true)) peer_->sender->channel_opened(kChannel);
  }
  const auto answered = [this] {
    const MutexLock lock(peer_->mutex);
    return peer_->sender->connections() > 0 || peer_->sender->ended();
  };
  if (const GstFlowReturn flow = wait(host, answered); flow != GST_FLOW_OK) return flow;
  joined_ = true;
  MutexLock lock(peer_->mutex);
  const auto server = *peer_->sender->server();
  lock.unlock();
  GST_DEBUG_OBJECT(host.element(),
                   "the receiver takes blocks of %" G_GUINT64_FORMAT
                   " bytes and a file of %" G_GUINT64_FORMAT,
                   guint64{server.max_payload}, guint64{server.max_size});
  block_size_ = static_cast<std::size_t>(std::clamp<std::uint64_t>(
      server.max_payload, 1, std::min(settings_.chunk_size, kMaxBlockPayload)));
  begin_message();
  return GST_FLOW_OK;
}

void V2Format::begin_message() {
  message_.reserve(kV2HeaderSize + block_size_);
  message_.resize(kV2HeaderSize);
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
    if (const GstFlowReturn flow = send_pending(host); flow != GST_FLOW_OK) return flow;
  }
  return GST_FLOW_OK;
}

GstFlowReturn V2Format::send_pending(Host& host) {
  SenderChannel& channel = host.channel();
  {
    const MutexLock lock(peer_->mutex);
    peer_->sender->available(taken_);
  }
  const auto is_sent = [this]() REQUIRES(peer_->mutex) {
    // The receiver may have had some of it before, or all.
    return peer_->sender->ended() || peer_->sender->all_handed_out();
  };
  for (;;) {
    if (const GstFlowReturn flow = look(host); flow != GST_FLOW_OK) return flow;
    MutexLock lock(peer_->mutex);
    if (is_sent()) break;
    lock.unlock();
    const auto has_room = [&] {
      return may_hand_over(message_.size(), channel.buffered_amount(), settings_.buffer_limit);
    };
    if (const GstFlowReturn flow = wait(host, has_room); flow != GST_FLOW_OK) return flow;

    lock.lock();
    const auto range = peer_->sender->next(kChannel);
    const std::uint64_t seen = peer_->news;
    lock.unlock();
    if (range) {
      std::string problem;
      if (!channel.send(message_of(*range), problem)) return host.peer_gone(problem);
      ++blocks_;
    } else {
      const auto has_news = [&] {
        const MutexLock news_lock(peer_->mutex);
        return peer_->news != seen;
      };
      if (const GstFlowReturn waited = wait(host, has_news); waited != GST_FLOW_OK) return waited;
    }
    host.note_progress();
  }
  begin_message();
  return look(host);
}

std::vector<std::uint8_t> V2Format::message_of(const Range& range) {
  const std::uint64_t begin = taken_ - pending();
  assert(range.begin >= begin && range.end <= taken_);
  std::vector<std::uint8_t> message;
  if (range.begin == begin && range.end == taken_) {
    message = std::exchange(message_, {});
    message_.resize(kV2HeaderSize);
  } else {
    const auto first =
        message_.begin() + static_cast<std::ptrdiff_t>(kV2HeaderSize + range.begin - begin);
    message.resize(kV2HeaderSize);
    message.insert(message.end(), first, first + static_cast<std::ptrdiff_t>(range.length()));
  }
  encode_v2_header(range.begin, ByteView(message).subspan(kV2HeaderSize),
                   std::span<std::uint8_t, kV2HeaderSize>(message.data(), kV2HeaderSize));
  return message;
}

std::optional<Error> V2Format::end() {
  if (!size_ || taken_ == *size_) return std::nullopt;
  return Error{ErrorCode::kSizeMismatch, "the source has brought " + text(taken_) + " of the " +
                                             text(*size_) + " bytes announced"};
}

GstFlowReturn V2Format::complete(Host& host) {
  if (pending() > 0) {
    if (const GstFlowReturn flow = send_pending(host); flow != GST_FLOW_OK) return flow;
  }
  sum_ = hash_->sum();
  if (named_sum_ && *named_sum_ != *sum_) {
    return host.fail({ErrorCode::kHashMismatch, "the file has the SHA-256 " + to_hex(*sum_) +
                                                    ", the property \"sha256\" says " +
                                                    to_hex(*named_sum_)});
  }
  const auto is_done = [this]()
                           REQUIRES(peer_->mutex) { return peer_->sender->done().has_value(); };
  std::uint64_t before = 0;
  {
    const MutexLock lock(peer_->mutex);
    peer_->sender->end(taken_, sum_);
  }
  for (bool done = false; !done;) {
    bool timed_out = false;
    const auto progressed = [&] {
      const MutexLock lock(peer_->mutex);
      return is_done() || stored() > before;
    };
    const GstFlowReturn flow = wait(host, progressed, settings_.confirm_timeout, &timed_out);
    if (flow != GST_FLOW_OK) return flow;
    {
      const MutexLock lock(peer_->mutex);
      done = is_done();
      before = stored();
    }
    if (timed_out && !done) {
      return host.fail(
          {ErrorCode::kIdleTimeout, "the receiver has not answered in time: it has stored " +
                                        text(before) + " of " + text(taken_) + " bytes"});
    }
    confirmed_ = done;
    host.note_progress();
  }
  return GST_FLOW_OK;
}

template <typename Condition>
GstFlowReturn V2Format::wait(Host& host, Condition condition,
                             std::optional<std::chrono::nanoseconds> timeout, bool* timed_out) {
  if (const GstFlowReturn flow = look(host); flow != GST_FLOW_OK) return flow;
  const auto holds = [&] {
    MutexLock lock(peer_->mutex);
    if (peer_->has_failed()) return true;
    lock.unlock();
    return condition();
  };
  const GstFlowReturn flow = host.until_done(
      [&] {
        SenderChannel& channel = host.channel();
        const auto outcome = channel.wait_told(holds, timeout);
        if (outcome != SenderChannel::Outcome::kGone) return outcome;
        return hear_last(channel, holds) ? SenderChannel::Outcome::kDone : outcome;
      },
      timed_out);
  return flow == GST_FLOW_OK ? look(host) : flow;
}

GstFlowReturn V2Format::look(Host& host) {
  MutexLock lock(peer_->mutex);
  const auto outputs = peer_->sender->take_outputs();
  const auto told = peer_->told;
  auto fault = peer_->fault;
  if (!fault && peer_->sender->failure()) {
    fault = Error{ErrorCode::kHashMismatch, peer_->sender->failure()->message};
  }
  lock.unlock();
  if (told) return host.refused(*told);
  if (fault) return host.fail(*fault);
  for (const Output& output : outputs) {
    // The session closes the channel.
    if (!output.message) continue;
    std::string problem;
    if (!host.channel().send_text(write_control(*output.message), problem)) {
      return host.peer_gone(problem);
    }
  }
  return GST_FLOW_OK;
}

SendingFormat::Figures V2Format::figures() const {
  const MutexLock lock(peer_->mutex);
  return {.size = size_,
          .bytes = peer_->sender->sent_bytes(),
          .chunks = blocks_,
          .stored = stored(),
          .confirmed = confirmed_};
}

// What says that the peer has gone may overtake its last messages.
template <typename Condition>
bool V2Format::hear_last(SenderChannel& channel, Condition condition) {
  if (!last_chance_) last_chance_ = std::chrono::steady_clock::now() + SenderChannel::kPatience;
  return channel.wait_despite_all(condition, *last_chance_);
}

std::optional<control::Failure> V2Format::last_words(SenderChannel& channel) {
  hear_last(channel, [this] {
    const MutexLock lock(peer_->mutex);
    return !peer_->listens();
  });
  const MutexLock lock(peer_->mutex);
  return peer_->told;
}

std::optional<std::string> V2Format::farewell(const std::string& reason) {
  const MutexLock lock(peer_->mutex);
  if (!peer_->greeted || peer_->told || peer_->sender->ended()) return std::nullopt;
  return write_control(control::Cancel{.reason = reason});
}

}  // namespace

std::unique_ptr<SendingFormat> make_v2_format(const SenderSettings& settings) {
  return std::make_unique<V2Format>(settings);
}

}  // namespace webrtcupload
