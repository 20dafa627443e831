// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client of the results channel, as simple as clients are: it puts the messages together, reads
// their JSON, and acknowledges if it is told to.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result_framing.h"
#include "json/json.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

// One result, read.
struct ReceivedResult {
  std::uint32_t header_id = 0;
  std::string text;
  JsonNodePtr json;

  [[nodiscard]] JsonObject* object() const { return json_node_get_object(json.get()); }
  [[nodiscard]] JsonObject* metadata() const { return child(object(), "video_metadata"); }
  // Null if there is none or if it is null.
  [[nodiscard]] JsonObject* outputs() const { return child(object(), "serialized_output_data"); }
  [[nodiscard]] bool is_completion() const {
    return json_boolean(object(), "processing_complete") == true;
  }
  [[nodiscard]] std::vector<std::string> errors() const;
  // The items of the output called `name`.
  [[nodiscard]] std::vector<JsonObject*> predictions(const char* name = "predictions") const;

  static JsonObject* child(JsonObject* object, const char* name) {
    JsonNode* node = object ? json_member(object, name) : nullptr;
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : nullptr;
  }
};

class ResultClient {
 public:
  // Creates its channel on the offerer of `peers`, which have been started.
  explicit ResultClient(PeerPair& peers, const char* label = "inference");
  ~ResultClient();
  ResultClient(const ResultClient&) = delete;
  ResultClient& operator=(const ResultClient&) = delete;

  [[nodiscard]] GstWebRTCDataChannel* channel() const { return channel_.get(); }
  [[nodiscard]] ChannelObserver& observer() const { return *observer_; }

  void say(const std::string& text) const { EXPECT_TRUE(send_text(channel_.get(), text)); }
  void ack(std::int64_t id) const { say("{\"ack\": " + std::to_string(id) + "}"); }
  void close() const { gst_webrtc_data_channel_close(channel_.get()); }

  // While it is set, the thread that delivers the messages waits: nothing is read.
  void set_stuck(bool stuck);

  // Each false after the deadline.
  bool wait_results(std::size_t count) const;
  bool wait_completion() const;
  bool wait_closed() const { return observer_->wait_closed(); }

  // In the order of their completion, the last message included.
  [[nodiscard]] std::vector<ReceivedResult> results() const;
  [[nodiscard]] std::size_t count() const;

 private:
  struct State;

  GstPtr<GstWebRTCDataChannel> channel_;
  std::shared_ptr<ChannelObserver> observer_;
  std::shared_ptr<State> state_;
};

// The ids of the results' headers, the completion's too.
std::vector<std::uint32_t> header_ids(const std::vector<ReceivedResult>& results);
// 1, 2, ... `last`.
std::vector<std::uint32_t> count_to(std::uint32_t last);

}  // namespace webrtcupload::test
