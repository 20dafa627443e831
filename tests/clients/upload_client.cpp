// SPDX-License-Identifier: LGPL-2.1-or-later

#include "clients/upload_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "signalling/worker_request.h"

namespace webrtcupload::test {
namespace {

// As the public SDKs have them.
constexpr std::size_t kChunkSize = 49152;
constexpr std::uint64_t kBufferLimit = 262144;
constexpr std::chrono::milliseconds kPoll{2};
constexpr std::size_t kMaxPendingResults = 64 << 20;
constexpr std::size_t kHeaderSize = 12;
constexpr std::chrono::seconds kDeadline{60};
constexpr std::chrono::seconds kGoneGrace{20};
// As `webrtc-upload send` waits.
constexpr std::chrono::seconds kConnectTimeout{30};

std::uint32_t read_u32(const std::uint8_t* bytes) {
  return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

void write_u32(std::uint8_t* bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

UploadClient::UploadClient(Options options)
    : options_(std::move(options)), context_(g_main_context_new()), thread_([this] { run(); }) {}

UploadClient::~UploadClient() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  g_main_context_wakeup(context_.get());
  thread_.join();
}

void UploadClient::run() {
  g_main_context_push_thread_default(context_.get());
  timer_ = std::make_unique<Timer>(context_.get());
  gone_timer_ = std::make_unique<Timer>(context_.get());
  http_ = std::make_unique<HttpClient>();
  start();
  const auto pending = [this](const bool& flag) {
    const std::lock_guard lock(mutex_);
    return !flag;
  };
  while (pending(leaving_)) g_main_context_iteration(context_.get(), TRUE);
  timer_.reset();
  gone_timer_.reset();
  http_.reset();
  results_channel_.reset();
  upload_channel_.reset();
  if (peer_) {
    peer_->close([this] {
      const std::lock_guard lock(mutex_);
      left_ = true;
    });
    while (pending(left_)) g_main_context_iteration(context_.get(), TRUE);
    peer_.reset();
  }
  // What was posted and is of no use to anybody any more.
  while (g_main_context_iteration(context_.get(), FALSE)) {
  }
  g_main_context_pop_thread_default(context_.get());
}

void UploadClient::start() {
  Peer::Events events;
  // The server leaves after its last word, of which we may hear on a slower thread than of this.
  events.gone = [this](const std::string& why) {
    if (gone_timer_) gone_timer_->start(kGoneGrace, [this, why] { fail(why); });
  };
  events.untrusted = [this](const std::string& why) { fail(why); };
  std::string problem;
  peer_ = Peer::create(context_.get(), PeerOptions{.local_addresses = {"127.0.0.1"}},
                       std::move(events), problem);
  if (!peer_ || !peer_->start()) return fail("no peer: " + problem);
  results_channel_ = peer_->create_channel("inference", kMaxPendingResults);
  upload_channel_ = peer_->create_channel("video_upload", 64 << 10);
  if (!results_channel_ || !upload_channel_) return fail("no channels");
  DataChannel::Events results;
  results.data = [this](std::span<const std::uint8_t> message) { on_data(message); };
  results.closed = [this] {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  };
  results_channel_->set_events(std::move(results));
  DataChannel::Events uploads;
  uploads.open = [this] {
    timer_->cancel();
    upload();
  };
  upload_channel_->set_events(std::move(uploads));
  timer_->start(kConnectTimeout, [this] { fail("no connection came about in time"); });
  peer_->offer([this](std::variant<std::string, PeerError> result) {
    if (const auto* error = std::get_if<PeerError>(&result)) return fail(error->message);
    post_offer(std::get<std::string>(result));
  });
}

void UploadClient::post_offer(const std::string& sdp) {
  if (!http_) return;  // Leaving.
  WorkerRequest request;
  request.offer_sdp = options_.rewrite_offer ? options_.rewrite_offer(sdp) : sdp;
  request.realtime = options_.realtime;
  request.data_output = options_.data_output;
  request.stream_output.emplace();
  std::string problem;
  const auto url = parse_server_url(options_.url, problem);
  if (!url) return fail(problem);
  call_ = http_->post_json(
      url->text, std::nullopt, write_worker_request(request), [this](HttpClient::Reply reply) {
        if (!reply.problem.empty()) return fail(reply.problem);
        const WorkerReply parsed = parse_worker_reply(reply.status, reply.body);
        if (!parsed.answer_sdp) return fail(parsed.problem);
        const std::string& answer = *parsed.answer_sdp;
        peer_->accept_answer(options_.rewrite_answer ? options_.rewrite_answer(answer) : answer,
                             [this](const std::string& what) {
                               if (!what.empty()) fail(what);
                             });
      });
}

bool UploadClient::next_message(std::vector<std::uint8_t>& message) const {
  if (!options_.messages.empty()) {
    if (chunks_sent_ == options_.messages.size()) return false;
    const std::string& next = options_.messages[chunks_sent_];
    message.assign(next.begin(), next.end());
    return true;
  }
  const std::string& film = options_.film;
  const std::size_t total = (film.size() + kChunkSize - 1) / kChunkSize;
  if (chunks_sent_ == total) return false;
  const std::size_t start = chunks_sent_ * kChunkSize;
  const std::size_t size = std::min(kChunkSize, film.size() - start);
  message.resize(8 + size);
  write_u32(message.data(), static_cast<std::uint32_t>(chunks_sent_));
  write_u32(message.data() + 4, static_cast<std::uint32_t>(total));
  std::memcpy(message.data() + 8, film.data() + start, size);
  return true;
}

// As much as may wait in the channel; again a little later, until all is sent.
void UploadClient::upload() {
  std::vector<std::uint8_t> message;
  while (next_message(message)) {
    if (upload_channel_->buffered_amount() > kBufferLimit) {
      return timer_->start(kPoll, [this] { upload(); });
    }
    if (!upload_channel_->send(message)) {
      // The server refuses what came before; it says so itself.
      if (options_.messages.empty()) fail("the upload channel takes nothing");
      break;
    }
    ++chunks_sent_;
  }
  if (options_.closes_upload) upload_channel_->close();
  const std::lock_guard lock(mutex_);
  sent_ = true;
  changed_.notify_all();
}

void UploadClient::on_data(std::span<const std::uint8_t> message) {
  if (message.size() <= kHeaderSize) return fail("a result's message without a payload");
  const std::uint32_t frame_id = read_u32(message.data());
  const std::uint32_t index = read_u32(message.data() + 4);
  const std::uint32_t total = read_u32(message.data() + 8);
  if (index != parts_) return fail("the parts of a result are not in order");
  partial_.append(message.begin() + kHeaderSize, message.end());
  if (++parts_ < total) return;
  parts_ = 0;
  {
    const std::lock_guard lock(mutex_);
    results_.push_back({frame_id, std::exchange(partial_, {}), std::chrono::steady_clock::now()});
    changed_.notify_all();
  }
  if (options_.acknowledges) send_ack(frame_id);
}

void UploadClient::send_ack(std::uint32_t frame_id) {
  const std::string text = "{\"ack\": " + std::to_string(frame_id) + "}";
  // The server may have closed the channel by now.
  gst_webrtc_data_channel_send_string_full(results_channel_->get(), text.c_str(), nullptr);
}

void UploadClient::acknowledge(std::uint32_t frame_id) {
  post_to(context_.get(), [this, frame_id] {
    if (results_channel_) send_ack(frame_id);
  });
}

void UploadClient::fail(const std::string& problem) {
  const std::lock_guard lock(mutex_);
  if (problem_.empty()) problem_ = problem;
  changed_.notify_all();
}

bool UploadClient::wait(const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  const bool done = changed_.wait_for(lock, kDeadline,
                                      [&] { return condition() || closed_ || !problem_.empty(); });
  return done && condition();
}

bool UploadClient::wait_results(std::size_t count) {
  return wait([this, count] { return results_.size() >= count; });
}

bool UploadClient::wait_sent() {
  return wait([this] { return sent_; });
}

bool UploadClient::wait_closed() {
  return wait([this] { return closed_; });
}

std::vector<UploadClient::Result> UploadClient::results() const {
  const std::lock_guard lock(mutex_);
  return results_;
}

std::string UploadClient::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

}  // namespace webrtcupload::test
