// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/v2_peer.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "core/wire_v2.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "json/control_reader.h"
#include "json/control_writer.h"
#include "unit/core/v2_receiver_driver.h"
#include "webrtc/channel_sending.h"

namespace webrtcupload::test {
namespace {

using webrtcupload::testing::Bytes;
using webrtcupload::testing::V2Driver;
using webrtcupload::testing::V2Outcome;

constexpr ChannelId kChannel = 1;

TimePoint now() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

struct V2Peer::State {
  State(GstWebRTCDataChannel* the_channel, const Options& the_options)
      : channel(ref_gst(the_channel)), options(the_options), driver(the_options.limits) {
    driver.authorize = [allowed = options.authorizes](const UploadRequest&) { return allowed; };
    driver.now = now();
    driver.open(kChannel);
  }

  // On the pc thread.
  void arrive(Message::Kind kind, ByteView bytes) {
    const std::lock_guard lock(mutex);
    queue.push_back({kind, Bytes(bytes.begin(), bytes.end())});
    if (kind == Message::Kind::kBinary && bytes.size() > kV2HeaderSize) {
      ++blocks;
      payload += bytes.size() - kV2HeaderSize;
      overrun = overrun || payload > credit;
    }
    changed.notify_all();
  }

  // Likewise; it counts after what came before.
  void close() {
    const std::lock_guard lock(mutex);
    closed = true;
    changed.notify_all();
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      driver.now = now();
      if (!queue.empty() && !held) {
        const auto [kind, bytes] = std::move(queue.front());
        queue.pop_front();
        handle(kind, bytes);
        changed.notify_all();
        if (kind == Message::Kind::kBinary) {
          changed.wait_for(lock, options.pace, [this] { return stopped; });
        }
        continue;
      }
      if (!held) answer(driver.tick());
      if (!held && std::exchange(closed, false)) answer(driver.close(kChannel));
      // An acknowledgement is due after 50 ms.
      changed.wait_for(lock, std::chrono::milliseconds(20),
                       [this] { return stopped || ((!queue.empty() || closed) && !held); });
    }
  }

  void handle(Message::Kind kind, const Bytes& bytes) {
    if (kind == Message::Kind::kBinary || bytes.size() <= 1) {
      return answer(driver.deliver(kChannel, {kind, bytes}));
    }
    auto message = read_control({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (message && message.value()) said.push_back(*message.value());
    answer(driver.control(kChannel, std::move(message)));
  }

  void answer(const V2Outcome& outcome) {
    for (const Output& output : outcome.outputs) {
      // The client closes the channel when it has been told, so that it is told for sure: closed
      // from here, the channel may lose what was sent just before.
      if (!output.message) continue;
      if (const auto* ready = std::get_if<control::Ready>(&*output.message)) credit = ready->credit;
      if (const auto* ack = std::get_if<control::Ack>(&*output.message)) credit = ack->credit;
      // The client may have gone.
      static_cast<void>(send_text_on(channel.get(), write_control(*output.message)));
    }
  }

  const GstPtr<GstWebRTCDataChannel> channel;
  const Options options;
  mutable std::mutex mutex;
  std::condition_variable changed;
  V2Driver driver;
  std::deque<std::pair<Message::Kind, Bytes>> queue;
  std::vector<ControlMessage> said;
  std::uint64_t payload = 0;
  std::uint64_t credit = 0;
  std::size_t blocks = 0;
  bool overrun = false;
  bool held = false;
  bool closed = false;
  bool stopped = false;
  std::thread thread;
  std::vector<SignalConnection> connections;
};

V2Peer::V2Peer(GstWebRTCDataChannel* channel, const Options& options)
    : state_(std::make_shared<State>(channel, options)) {
  using Closure = std::shared_ptr<State>;
  auto& connections = state_->connections;
  connections.emplace_back(channel, "on-message-data",
                           G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes* data, Closure* state) {
                             gsize size = 0;
                             const void* bytes = data ? g_bytes_get_data(data, &size) : nullptr;
                             (*state)->arrive(
                                 Message::Kind::kBinary,
                                 ByteView(static_cast<const std::uint8_t*>(bytes), size));
                           }),
                           state_);
  connections.emplace_back(
      channel, "on-message-string",
      G_CALLBACK(+[](GstWebRTCDataChannel*, const char* text, Closure* state) {
        const std::string_view view = text ? text : "";
        (*state)->arrive(Message::Kind::kText,
                         ByteView(reinterpret_cast<const std::uint8_t*>(view.data()), view.size()));
      }),
      state_);
  connections.emplace_back(
      channel, "on-close",
      G_CALLBACK(+[](GstWebRTCDataChannel*, Closure* state) { (*state)->close(); }), state_);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

V2Peer::~V2Peer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
  state_->connections.clear();
}

void V2Peer::hold(bool held) {
  const std::lock_guard lock(state_->mutex);
  state_->held = held;
  state_->changed.notify_all();
}

void V2Peer::fail(ErrorCode code) {
  const std::lock_guard lock(state_->mutex);
  state_->answer(state_->driver.fail(code));
}

bool V2Peer::wait_payload(std::uint64_t bytes, std::chrono::milliseconds deadline) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, deadline, [&] { return state_->payload >= bytes; });
}

bool V2Peer::wait(const std::function<bool(const ControlMessage&)>& condition) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, kDeadline,
                                  [&] { return std::ranges::any_of(state_->said, condition); });
}

std::vector<ControlMessage> V2Peer::said() const {
  const std::lock_guard lock(state_->mutex);
  return state_->said;
}

std::vector<std::uint8_t> V2Peer::file() const {
  const std::lock_guard lock(state_->mutex);
  return state_->driver.file();
}

std::optional<Sha256Sum> V2Peer::sha256() const {
  const std::lock_guard lock(state_->mutex);
  return state_->driver.receiver().sha256();
}

std::optional<Error> V2Peer::error() const {
  const std::lock_guard lock(state_->mutex);
  return state_->driver.receiver().error();
}

std::uint64_t V2Peer::payload() const {
  const std::lock_guard lock(state_->mutex);
  return state_->payload;
}

std::size_t V2Peer::blocks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->blocks;
}

bool V2Peer::was_overrun() const {
  const std::lock_guard lock(state_->mutex);
  return state_->overrun;
}

}  // namespace webrtcupload::test
