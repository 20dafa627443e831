// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/results_channel.h"

#include <utility>

#include "json/json.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;

// For what is still buffered to leave; a peer that stopped reading does not hold a session longer.
constexpr milliseconds kPollInterval{20};
constexpr int kMaxPolls = 250;
// Between the last message and the closing: one client's end marker is lost when the close event
// overtakes its queue.
constexpr milliseconds kLinger{200};
constexpr milliseconds kCloseTimeout{2000};

constexpr std::size_t kHeaderSize = 12;

void append_u32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

std::uint32_t read_u32(const std::uint8_t* bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

std::vector<std::uint8_t> encode_completion(const Completion& completion) {
  JsonArray* errors = json_array_new();
  for (const std::string& error : completion.errors) {
    json_array_add_string_element(errors, error.c_str());
  }
  JsonNodePtr error_list(json_node_new(JSON_NODE_ARRAY));
  json_node_take_array(error_list.get(), errors);
  JsonWriter json;
  json.set_null("serialized_output_data")
      .set_null("video_metadata")
      .set("errors", std::move(error_list))
      .set("processing_complete", true);
  if (completion.termination_reason.empty()) {
    json.set_null("termination_reason");
  } else {
    json.set("termination_reason", completion.termination_reason);
  }
  const std::string text = json.text();
  std::vector<std::uint8_t> message;
  message.reserve(kHeaderSize + text.size());
  append_u32(message, completion.frame_id);
  append_u32(message, 0);
  append_u32(message, 1);
  message.insert(message.end(), text.begin(), text.end());
  return message;
}

std::optional<Completion> decode_completion(std::span<const std::uint8_t> message) {
  // A completion is always a single message.
  if (message.size() < kHeaderSize || read_u32(&message[4]) != 0 || read_u32(&message[8]) != 1) {
    return std::nullopt;
  }
  const std::string_view text(reinterpret_cast<const char*>(message.data()) + kHeaderSize,
                              message.size() - kHeaderSize);
  auto parsed = parse_json_object(text);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return std::nullopt;
  JsonObject* object = json_node_get_object(node->get());
  if (json_boolean(object, "processing_complete") != true) return std::nullopt;
  Completion completion;
  completion.frame_id = read_u32(message.data());
  completion.termination_reason = json_string(object, "termination_reason").value_or("");
  JsonNode* errors = json_member(object, "errors");
  if (errors && JSON_NODE_HOLDS_ARRAY(errors)) {
    JsonArray* array = json_node_get_array(errors);
    for (guint i = 0; i < json_array_get_length(array); ++i) {
      JsonNode* item = json_array_get_element(array, i);
      if (JSON_NODE_HOLDS_VALUE(item) && json_node_get_value_type(item) == G_TYPE_STRING) {
        completion.errors.emplace_back(json_node_get_string(item));
      }
    }
  }
  return completion;
}

ResultsChannel::ResultsChannel(GMainContext* context, std::shared_ptr<DataChannel> channel)
    : channel_(std::move(channel)), timer_(context) {
  channel_->set_events({.open = nullptr, .text = nullptr, .data = nullptr, .closed = [this] {
                          closed_ = true;
                          if (done_) end();
                        }});
}

ResultsChannel::~ResultsChannel() { channel_->set_events({}); }

void ResultsChannel::finish(const Completion& completion, std::function<void()> done) {
  done_ = std::move(done);
  if (closed_ || !channel_->send(encode_completion(completion))) return end();
  polls_left_ = kMaxPolls;
  poll();
}

void ResultsChannel::poll() {
  if (channel_->buffered_amount() > 0 && --polls_left_ > 0) {
    timer_.start(kPollInterval, [this] { poll(); });
  } else {
    timer_.start(kLinger, [this] { close(); });
  }
}

void ResultsChannel::close() {
  timer_.start(kCloseTimeout, [this] { end(); });
  channel_->close();
}

void ResultsChannel::end() {
  timer_.cancel();
  channel_->set_events({});
  if (const auto done = std::exchange(done_, nullptr)) done();
}

}  // namespace webrtcupload
