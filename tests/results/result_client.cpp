// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/result_client.h"

#include <numeric>
#include <utility>
#include <variant>

namespace webrtcupload::test {
namespace {

ReceivedResult read_result(const ResultAssembler::Assembled& assembled) {
  ReceivedResult result{assembled.frame_id, assembled.text, nullptr};
  auto parsed = parse_json_object(assembled.text);
  if (auto* node = std::get_if<JsonNodePtr>(&parsed)) {
    result.json = std::move(*node);
  } else {
    ADD_FAILURE() << "result " << assembled.frame_id << " " << std::get<JsonError>(parsed).message
                  << ": " << assembled.text;
    result.json = JsonWriter().take();
  }
  return result;
}

}  // namespace

std::vector<std::string> ReceivedResult::errors() const {
  std::vector<std::string> errors;
  JsonNode* node = json_member(object(), "errors");
  if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
    ADD_FAILURE() << "no errors in " << text;
    return errors;
  }
  JsonArray* array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    errors.emplace_back(json_array_get_string_element(array, i));
  }
  return errors;
}

std::vector<JsonObject*> ReceivedResult::predictions(const char* name) const {
  std::vector<JsonObject*> items;
  JsonObject* output = child(outputs(), name);
  JsonNode* node = output ? json_member(output, "predictions") : nullptr;
  if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
    ADD_FAILURE() << "no predictions in " << text;
    return items;
  }
  JsonArray* array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); ++i) {
    items.push_back(json_array_get_object_element(array, i));
  }
  return items;
}

struct ResultClient::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool stuck = false;
  ResultAssembler assembler;
  std::vector<ResultAssembler::Assembled> results;
  bool complete = false;

  // On the pc thread.
  void receive(std::span<const std::uint8_t> bytes) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !stuck; });
    if (auto result = assembler.add(bytes)) {
      complete = complete || result->text.find("\"processing_complete\":true") != std::string::npos;
      results.push_back(std::move(*result));
      changed.notify_all();
    }
  }

  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kDeadline, condition);
  }
};

ResultClient::ResultClient(PeerPair& peers, const char* label)
    : channel_(peers.create_channel(label)),
      observer_(std::make_shared<ChannelObserver>(channel_.get())),
      state_(std::make_shared<State>()) {
  observer_->set_on_message(
      [state = state_](std::span<const std::uint8_t> bytes) { state->receive(bytes); });
}

ResultClient::~ResultClient() { set_stuck(false); }

void ResultClient::set_stuck(bool stuck) {
  const std::lock_guard lock(state_->mutex);
  state_->stuck = stuck;
  state_->changed.notify_all();
}

bool ResultClient::wait_results(std::size_t count) const {
  return state_->wait([&] { return state_->results.size() >= count; });
}

bool ResultClient::wait_completion() const {
  return state_->wait([&] { return state_->complete; });
}

std::vector<ReceivedResult> ResultClient::results() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<ReceivedResult> results;
  for (const auto& assembled : state_->results) results.push_back(read_result(assembled));
  return results;
}

std::size_t ResultClient::count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->results.size();
}

std::vector<std::uint32_t> header_ids(const std::vector<ReceivedResult>& results) {
  std::vector<std::uint32_t> ids;
  for (const auto& result : results) ids.push_back(result.header_id);
  return ids;
}

std::vector<std::uint32_t> count_to(std::uint32_t last) {
  std::vector<std::uint32_t> ids(last);
  std::iota(ids.begin(), ids.end(), 1U);
  return ids;
}

}  // namespace webrtcupload::test
