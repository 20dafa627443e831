// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/channel_observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <utility>
#include <variant>

#include "core/wire_v1.h"
#include "support/lost_cause.h"
#include "webrtc/channel_getters.h"

namespace webrtcupload::test {

struct ChannelObserver::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool opened = false;
  bool closed = false;
  bool echo = false;
  std::vector<Message> messages;
  std::function<void(std::span<const std::uint8_t>)> on_message;

  template <typename Condition>
  bool wait(std::chrono::milliseconds deadline, Condition condition) {
    std::unique_lock lock(mutex);
    return wait_unless_lost(changed, lock, deadline, condition);
  }

  void receive(Message message) {
    std::function<void(std::span<const std::uint8_t>)> callback;
    {
      const std::lock_guard lock(mutex);
      callback = on_message;
      if (!callback) messages.push_back(std::move(message));
      changed.notify_all();
    }
    if (callback) callback(message.bytes);
  }
};

ChannelObserver::ChannelObserver(GstWebRTCDataChannel* channel)
    : channel_(ref_gst(channel)), state_(std::make_shared<State>()) {
  using Closure = std::shared_ptr<State>;
  connections_.emplace_back(channel, "on-open",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, Closure* state) {
                              const std::lock_guard lock((*state)->mutex);
                              (*state)->opened = true;
                              (*state)->changed.notify_all();
                            }),
                            state_);
  connections_.emplace_back(channel, "on-close",
                            G_CALLBACK(+[](GstWebRTCDataChannel*, Closure* state) {
                              const std::lock_guard lock((*state)->mutex);
                              (*state)->closed = true;
                              (*state)->changed.notify_all();
                            }),
                            state_);
  connections_.emplace_back(
      channel, "on-message-data",
      G_CALLBACK(+[](GstWebRTCDataChannel* object, GBytes* data, Closure* state) {
        Message message;
        gsize size = 0;
        // webrtcbin hands over NULL for an empty message.
        if (data) {
          const auto* begin = static_cast<const std::uint8_t*>(g_bytes_get_data(data, &size));
          message.bytes.assign(begin, begin + size);
        }
        bool echo = false;
        {
          const std::lock_guard lock((*state)->mutex);
          echo = (*state)->echo && size == 1;
        }
        (*state)->receive(std::move(message));
        // Sending takes no lock of webrtcbin's.
        if (echo) gst_webrtc_data_channel_send_data_full(object, data, nullptr);
      }),
      state_);
  connections_.emplace_back(
      channel, "on-message-string",
      G_CALLBACK(+[](GstWebRTCDataChannel*, const char* text, Closure* state) {
        Message message;
        message.is_text = true;
        const std::string_view view = text ? text : "";
        message.bytes.assign(view.begin(), view.end());
        (*state)->receive(std::move(message));
      }),
      state_);
}

std::string ChannelObserver::label() const {
  char* raw = nullptr;
  g_object_get(channel_.get(), "label", &raw, nullptr);
  const GCharPtr label(raw);
  return label ? label.get() : "";
}

GstWebRTCDataChannelState ChannelObserver::ready_state() const {
  return webrtcupload::ready_state(channel_.get());
}

std::uint64_t ChannelObserver::buffered_amount() const {
  guint64 amount = 0;
  g_object_get(channel_.get(), "buffered-amount", &amount, nullptr);
  return amount;
}

bool ChannelObserver::wait_open(std::chrono::milliseconds deadline) const {
  // It may have been open before it was observed.
  return ready_state() == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN ||
         state_->wait(deadline, [this] { return state_->opened; });
}

bool ChannelObserver::wait_closed(std::chrono::milliseconds deadline) const {
  return ready_state() == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED ||
         state_->wait(deadline, [this] { return state_->closed; });
}

bool ChannelObserver::wait_messages(std::size_t count, std::chrono::milliseconds deadline) const {
  return state_->wait(deadline, [&] { return state_->messages.size() >= count; });
}

std::vector<ChannelObserver::Message> ChannelObserver::messages() const {
  const std::lock_guard lock(state_->mutex);
  return state_->messages;
}

std::size_t ChannelObserver::message_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->messages.size();
}

void ChannelObserver::set_echo(bool echo) {
  const std::lock_guard lock(state_->mutex);
  state_->echo = echo;
}

void ChannelObserver::set_on_message(
    std::function<void(std::span<const std::uint8_t>)> on_message) {
  const std::lock_guard lock(state_->mutex);
  state_->on_message = std::move(on_message);
}

namespace {

// 1.22 never frees a message that it is given for a channel that is not open.
bool is_open(GstWebRTCDataChannel* channel) {
  return webrtcupload::ready_state(channel) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

}  // namespace

bool send_bytes(GstWebRTCDataChannel* channel, std::span<const std::uint8_t> bytes) {
  if (!is_open(channel)) return false;
  const GBytesPtr data(g_bytes_new(bytes.data(), bytes.size()));
  return gst_webrtc_data_channel_send_data_full(channel, data.get(), nullptr);
}

bool send_text(GstWebRTCDataChannel* channel, const std::string& text) {
  return is_open(channel) &&
         gst_webrtc_data_channel_send_string_full(channel, text.c_str(), nullptr);
}

bool send_chunk(GstWebRTCDataChannel* channel, std::uint32_t index, std::uint32_t total,
                std::span<const std::uint8_t> payload) {
  Bytes message(kV1HeaderSize);
  encode_v1_header(index, total,
                   std::span<std::uint8_t, kV1HeaderSize>(message.data(), kV1HeaderSize));
  message.insert(message.end(), payload.begin(), payload.end());
  return send_bytes(channel, message);
}

Bytes reassemble_v1(const std::vector<ChannelObserver::Message>& messages) {
  const V1Parser parser;
  std::map<std::uint32_t, Bytes> chunks;
  for (const auto& message : messages) {
    const auto parsed = parser.parse({message.is_text ? webrtcupload::Message::Kind::kText
                                                      : webrtcupload::Message::Kind::kBinary,
                                      message.bytes});
    if (std::holds_alternative<Keepalive>(parsed)) continue;
    const auto* chunk = std::get_if<Chunk>(&parsed);
    if (!chunk) {
      ADD_FAILURE() << "a message that is not a chunk: " << std::get<Error>(parsed).message;
      return {};
    }
    const bool is_new =
        chunks.emplace(chunk->index, Bytes(chunk->payload.begin(), chunk->payload.end())).second;
    EXPECT_TRUE(is_new) << "chunk " << chunk->index << " came twice";
  }
  Bytes whole;
  std::uint32_t expected = 0;
  for (const auto& [index, payload] : chunks) {
    EXPECT_EQ(index, expected++);
    whole.insert(whole.end(), payload.begin(), payload.end());
  }
  return whole;
}

Bytes random_bytes(std::size_t size, std::uint32_t seed) {
  std::mt19937_64 generator(seed);
  Bytes bytes(size);
  for (std::size_t at = 0; at < size; at += 8) {
    std::uint64_t value = generator();
    for (std::size_t i = at; i < std::min(at + 8, size); ++i, value >>= 8) {
      bytes[i] = static_cast<std::uint8_t>(value);
    }
  }
  return bytes;
}

}  // namespace webrtcupload::test
