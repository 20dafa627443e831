// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_witness.h"

#include <algorithm>
#include <utility>

#include "glib/elements_in.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

std::string state_nick(GObject* upload) {
  gint state = 0;
  g_object_get(upload, "state", &state, nullptr);
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(upload), "state");
  const GEnumValue* value = g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, state);
  return value ? value->value_nick : "";
}

}  // namespace

UploadWitness::UploadWitness(GstElement* upload) {
  using Closure = std::shared_ptr<State>;
  connections_.emplace_back(upload, "upload-complete",
                            G_CALLBACK(+[](GstElement*, Closure* closure) {
                              State& state = **closure;
                              const std::lock_guard lock(state.mutex);
                              ++state.completions;
                              state.changed.notify_all();
                            }),
                            state_);
  connections_.emplace_back(
      upload, "upload-failed", G_CALLBACK(+[](GstElement*, GError* error, Closure* closure) {
        State& state = **closure;
        const std::lock_guard lock(state.mutex);
        state.failures.push_back({error->domain, error->code, error->message});
        state.changed.notify_all();
      }),
      state_);
  connections_.emplace_back(upload, "notify::state",
                            G_CALLBACK(+[](GObject* object, GParamSpec*, Closure* closure) {
                              State& state = **closure;
                              const std::lock_guard lock(state.mutex);
                              state.states.push_back(state_nick(object));
                              state.changed.notify_all();
                            }),
                            state_);
}

bool UploadWitness::wait_complete(std::chrono::milliseconds deadline) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, deadline, [this] { return state_->completions > 0; });
}

bool UploadWitness::wait_failed(std::chrono::milliseconds deadline) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, deadline, [this] { return !state_->failures.empty(); });
}

bool UploadWitness::wait_state(const std::string& nick, std::chrono::milliseconds deadline) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, deadline, [&] {
    return std::find(state_->states.begin(), state_->states.end(), nick) != state_->states.end();
  });
}

int UploadWitness::completions() const {
  const std::lock_guard lock(state_->mutex);
  return state_->completions;
}

std::vector<UploadWitness::Failure> UploadWitness::failures() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failures;
}

std::vector<std::string> UploadWitness::states() const {
  const std::lock_guard lock(state_->mutex);
  return state_->states;
}

int Count::raise() {
  const std::lock_guard lock(mutex_);
  raised_.notify_all();
  return ++value_;
}

int Count::value() const {
  const std::lock_guard lock(mutex_);
  return value_;
}

bool Count::wait(int at_least, std::chrono::milliseconds deadline) const {
  std::unique_lock lock(mutex_);
  return raised_.wait_for(lock, deadline, [&] { return value_ >= at_least; });
}

void Blocker::block() {
  std::unique_lock lock(mutex_);
  blocked_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return released_; });
}

void Blocker::release() {
  const std::lock_guard lock(mutex_);
  released_ = true;
  changed_.notify_all();
}

bool Blocker::wait_blocked(std::chrono::milliseconds deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, deadline, [this] { return blocked_; });
}

SignalConnection on_authorize(GstElement* upload,
                              std::function<bool(const GstStructure*)> handler) {
  using Closure = std::function<bool(const GstStructure*)>;
  return {upload, "authorize",
          G_CALLBACK(+[](GstElement*, GstStructure* request, Closure* function) -> gboolean {
            return (*function)(request);
          }),
          std::move(handler)};
}

SignalConnection on_check_quota(GstElement* upload, std::function<bool()> handler) {
  using Closure = std::function<bool()>;
  return {upload, "check-quota",
          G_CALLBACK(+[](GstElement*, Closure* function) -> gboolean { return (*function)(); }),
          std::move(handler)};
}

SignalConnection on_complete(GstElement* upload, std::function<void()> handler) {
  using Closure = std::function<void()>;
  return {upload, "upload-complete",
          G_CALLBACK(+[](GstElement*, Closure* function) { (*function)(); }), std::move(handler)};
}

SignalConnection on_failed(GstElement* upload, std::function<void()> handler) {
  using Closure = std::function<void()>;
  return {upload, "upload-failed",
          G_CALLBACK(+[](GstElement*, GError*, Closure* function) { (*function)(); }),
          std::move(handler)};
}

std::vector<ProgressMessage> progress_messages(const BusLog& bus) {
  std::vector<ProgressMessage> found;
  for (const GstMessagePtr& message : bus.all(GST_MESSAGE_PROGRESS)) {
    ProgressMessage progress;
    char* raw_code = nullptr;
    char* raw_text = nullptr;
    gst_message_parse_progress(message.get(), &progress.type, &raw_code, &raw_text);
    progress.code = GCharPtr(raw_code).get();
    progress.text = GCharPtr(raw_text).get();
    found.push_back(std::move(progress));
  }
  return found;
}

std::size_t count_progress(const BusLog& bus, GstProgressType type) {
  const auto messages = progress_messages(bus);
  return static_cast<std::size_t>(std::count_if(messages.begin(), messages.end(),
                                                [&](const auto& m) { return m.type == type; }));
}

std::vector<GstStructurePtr> stats_messages(const BusLog& bus) {
  std::vector<GstStructurePtr> found;
  for (const GstMessagePtr& message : bus.all(GST_MESSAGE_ELEMENT)) {
    const GstStructure* structure = gst_message_get_structure(message.get());
    if (gst_structure_has_name(structure, "application/x-webrtcupload-stats")) {
      found.emplace_back(gst_structure_copy(structure));
    }
  }
  return found;
}

std::vector<Bytes> cut(const Bytes& file, std::size_t chunk_size) {
  std::vector<Bytes> chunks;
  for (std::size_t at = 0; at < file.size(); at += chunk_size) {
    const auto end = std::min(file.size(), at + chunk_size);
    chunks.emplace_back(file.begin() + static_cast<std::ptrdiff_t>(at),
                        file.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return chunks;
}

bool send_file(GstWebRTCDataChannel* channel, const Bytes& file, std::size_t chunk_size) {
  const auto chunks = cut(file, chunk_size);
  for (std::uint32_t i = 0; i < chunks.size(); ++i) {
    if (!send_chunk(channel, i, static_cast<std::uint32_t>(chunks.size()), chunks[i])) return false;
  }
  return true;
}

bool is_held_back(GstElement* webrtcbin) {
  const GstPtr<GstElement> decoder = element_made_by(GST_BIN(webrtcbin), inner::kSctpDecoder);
  if (!decoder) return false;
  const GstPtr<GstPad> pad(gst_element_get_static_pad(decoder.get(), "sink"));
  return gst_pad_is_blocking(pad.get()) != FALSE;
}

PeerPair::Channel open_channel(PeerPair& pair, const char* label) {
  PeerPair::Channel result;
  result.channel = pair.create_channel(label);
  if (!result.channel) return result;
  result.observer = std::make_shared<ChannelObserver>(result.channel.get());
  EXPECT_TRUE(result.observer->wait_open()) << label << " does not open";
  return result;
}

void expect_upload_works(PeerPair& pair) {
  const Bytes file = random_bytes(200'000, 5);
  ReceivingPipeline receiver(pair.answerer());
  receiver.play();
  const auto channel = open_channel(pair);
  ASSERT_TRUE(channel.channel);
  ASSERT_TRUE(send_file(channel.channel.get(), file));
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(receiver.bytes(), file);
}

bool ping_until(const PeerPair::Channel& channel, const std::function<bool()>& until,
                const std::function<void()>& with_each, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::size_t echoes = channel.observer->message_count();
  while (!until()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    if (with_each) with_each();
    // Refused, or never answered, when the receiver has closed the channel meanwhile; `until` then
    // says so.
    if (!send_bytes(channel.channel.get(), Bytes{1})) continue;
    if (channel.observer->wait_messages(echoes + 1, std::chrono::milliseconds(200))) ++echoes;
  }
  return true;
}

}  // namespace webrtcupload::test
