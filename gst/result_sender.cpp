// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/result_sender.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "analysis/result_document.h"
#include "core/result_framing.h"
#include "core/result_window.h"
#include "gst/abandon_outgoing.h"
#include "gst/glib_ptr.h"
#include "gst/jpeg_encoder.h"
#include "gst/peer_watch.h"
#include "gst/signal_connection.h"
#include "json/json.h"

GST_DEBUG_CATEGORY_STATIC(webrtc_results_debug);
#define GST_CAT_DEFAULT webrtc_results_debug

namespace webrtcupload {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kImageOutput = "image";
// From the peer, and waiting for the thread that hands them on. More is lost: what a peer may ask
// for is little, and its acknowledgements do not go this way.
constexpr std::size_t kMaxControlMessages = 64;
constexpr std::size_t kMaxControlSize = 16 * 1024;
// A channel that does not drain at all for so long belongs to a peer that takes nothing any more.
constexpr std::chrono::seconds kDrainPatience{15};
// For the peer to close its side, once it has everything: what SCTP has taken and not delivered yet
// may be some hundred kilobytes, over a slow line.
constexpr std::chrono::seconds kClosePatience{15};
// For a handler of the application's that runs while everything ends.
constexpr std::chrono::milliseconds kHandlerPatience{200};
// Over how many results their rate is measured.
constexpr std::size_t kRateWindow = 30;

GQuark owner_quark() {
  static const GQuark quark = g_quark_from_static_string("webrtcupload-results-channel-owner");
  return quark;
}

GstWebRTCDataChannelState state_of(GstWebRTCDataChannel* channel) {
  GstWebRTCDataChannelState state = GST_WEBRTC_DATA_CHANNEL_STATE_CONNECTING;
  g_object_get(channel, "ready-state", &state, nullptr);
  return state;
}

std::uint64_t buffered_amount(GstWebRTCDataChannel* channel) {
  guint64 amount = 0;
  g_object_get(channel, "buffered-amount", &amount, nullptr);
  return amount;
}

// Whether the channel took it.
bool send_message(GstWebRTCDataChannel* channel, std::vector<std::uint8_t> message) {
  // 1.22 never frees what it is given for a channel that is not open.
  if (state_of(channel) != GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) return false;
  auto* owned = new std::vector<std::uint8_t>(std::move(message));
  const GBytesPtr bytes(g_bytes_new_with_free_func(
      owned->data(), owned->size(),
      [](gpointer data) { delete static_cast<std::vector<std::uint8_t>*>(data); }, owned));
  return gst_webrtc_data_channel_send_data_full(channel, bytes.get(), nullptr);
}

// `text` as one JSON value, written anew: what an element upstream calls JSON must not be able to
// break the message it becomes part of.
std::optional<std::string> checked_json(std::string_view text, std::string& problem) {
  std::string wrapped = "{\"value\":";
  wrapped += text;
  wrapped += '}';
  auto parsed = parse_json_object(wrapped);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    problem = "the value " + error->message;
    return std::nullopt;
  }
  JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  JsonNode* value = json_member(object, "value");
  if (!value || json_object_get_size(object) != 1) {
    problem = "the value is not one JSON value";
    return std::nullopt;
  }
  const GCharPtr written(json_to_string(value, FALSE));
  return std::string(written.get());
}

}  // namespace

// Shared by the sender, its worker and the handlers of signals, of which each may be the last to
// leave.
class ResultSender::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(ResultSettings settings, ResultEvents events)
      : settings_(std::move(settings)),
        events_(std::move(events)),
        window_(settings_.realtime ? 0 : settings_.ack_window),
        data_output_(settings_.data_output) {}

  void start();
  void stop();
  void attach(GstElement* webrtcbin);
  bool adopt(GstWebRTCDataChannel* channel);

  bool send_frame(GstBuffer* frame, const GstVideoInfo& info,
                  const std::vector<Detection>& detections);
  bool send_value(GstBuffer* timestamps, std::string_view name, ValueKind kind,
                  std::string_view value, std::string* problem);
  void set_data_output(std::vector<std::string> names);
  void set_flushing(bool flushing);
  void finish(std::string reason, std::vector<std::string> errors);
  void cancel(std::string reason, std::vector<std::string> errors,
              std::chrono::milliseconds patience, bool abandon);
  bool has_channel() const;
  ResultStats stats() const;

 private:
  using Closure = std::weak_ptr<Impl>;
  using Lock = std::unique_lock<std::mutex>;
  enum class Turn { kSend, kDrop, kStop };

  // Handlers; the first four on the pc thread with the PC lock held.
  void on_data_channel(GstWebRTCDataChannel* channel);
  void on_text(const char* text);
  void on_binary();
  void on_channel_state(GstWebRTCDataChannel* channel);
  void on_gone(const std::string& why, bool connection);
  void on_buffered();

  // The streaming thread's.
  VideoMetadata next_metadata(GstBuffer* timestamps);
  template <typename MakeText>
  bool send_result(VideoMetadata& metadata, const MakeText& make_text);
  GstBufferPtr encode_image(GstBuffer* frame, const GstVideoInfo& info);

  // With the mutex held.
  bool has_room() const;
  bool is_drained() const { return !channel_ || buffered_amount(channel_.get()) == 0; }
  bool wants(std::string_view output) const;
  bool send_completion(Lock& lock);

  // The worker's.
  void run();
  void hand_on_control(Lock& lock);
  std::optional<Delivery> conclude(Lock& lock);
  std::string deliver_the_rest(Lock& lock);

  const ResultSettings settings_;
  const ResultEvents events_;

  // Only the channel's own lock is taken with this one held, by its getters, which call nobody.
  mutable std::mutex mutex_;
  // For whoever waits for the channel: the streaming thread, the worker at the end, cancel().
  std::condition_variable changed_;
  // For the worker: something to do.
  std::condition_variable work_;

  GstPtr<GstElement> webrtcbin_;
  GstPtr<GstWebRTCDataChannel> channel_;  // Set once.
  bool open_ = false;
  bool channel_closed_ = false;  // On both sides.
  bool gone_ = false;            // Nothing can be sent any more.
  bool connection_gone_ = false;
  bool gone_to_tell_ = false;
  std::string why_gone_;
  ResultWindow window_;
  std::deque<std::string> control_;
  std::vector<std::string> data_output_;
  bool flushing_ = false;
  bool sending_ = false;  // Somebody is handing messages to the channel, or about to.
  std::optional<Clock::time_point> channel_deadline_;
  bool finishing_ = false;  // finish() or cancel() has been called: no more results.
  bool concluded_ = false;
  bool completion_sent_ = false;
  bool closing_ = false;  // We have closed the channel.
  bool cancelled_ = false;
  bool stopping_ = false;
  std::string termination_reason_;
  std::vector<std::string> final_errors_;
  std::uint32_t frame_id_ = 0;
  ResultStats stats_;
  std::vector<SignalConnection> connections_;
  std::unique_ptr<PeerWatch> channel_watch_;
  std::unique_ptr<PeerWatch> connection_watch_;

  // The streaming thread's.
  ResultDocument document_;
  std::optional<GstClockTime> first_pts_;
  std::deque<Clock::time_point> recent_;
  std::unique_ptr<JpegEncoder> jpeg_;
  std::string image_problem_;
  std::vector<std::string> next_errors_;

  std::thread worker_;
  std::condition_variable worker_left_;
  bool worker_running_ = false;  // Protected by the mutex.
};

void ResultSender::Impl::start() {
  static std::once_flag once;
  std::call_once(once, [] {
    GST_DEBUG_CATEGORY_INIT(webrtc_results_debug, "webrtcresults", 0,
                            "Results over a data channel");
  });
  worker_running_ = true;
  worker_ = std::thread([self = shared_from_this()] {
    self->run();
    const std::lock_guard lock(self->mutex_);
    self->worker_running_ = false;
    self->worker_left_.notify_all();
  });
}

void ResultSender::Impl::stop() {
  std::vector<SignalConnection> connections;
  std::unique_ptr<PeerWatch> channel_watch;
  std::unique_ptr<PeerWatch> connection_watch;
  GstPtr<GstElement> webrtcbin;
  GstPtr<GstWebRTCDataChannel> channel;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    finishing_ = true;
    cancelled_ = true;
    connections = std::move(connections_);
    channel_watch = std::move(channel_watch_);
    connection_watch = std::move(connection_watch_);
    webrtcbin = ref_gst(webrtcbin_.get());
    channel = ref_gst(channel_.get());
    changed_.notify_all();
    work_.notify_all();
  }
  if (channel) {
    g_object_replace_qdata(G_OBJECT(channel.get()), owner_quark(), this, nullptr, nullptr, nullptr);
  }
  if (worker_.get_id() == std::this_thread::get_id()) {
    worker_.detach();
    return;
  }
  Lock lock(mutex_);
  // In a handler it may be waiting for this very thread.
  const bool left =
      worker_left_.wait_for(lock, kHandlerPatience, [this] { return !worker_running_; });
  lock.unlock();
  if (left) {
    worker_.join();
  } else {
    worker_.detach();
  }
}

void ResultSender::Impl::attach(GstElement* webrtcbin) {
  SignalConnection connection(
      webrtcbin, "on-data-channel",
      G_CALLBACK(+[](GstElement*, GstWebRTCDataChannel* channel, Closure* closure) {
        if (const auto self = closure->lock()) self->on_data_channel(channel);
      }),
      Closure(weak_from_this()));
  auto watch = std::make_unique<PeerWatch>([weak = weak_from_this()](const std::string& why) {
    if (const auto self = weak.lock()) self->on_gone(why, true);
  });
  watch->watch_connection(webrtcbin);
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  webrtcbin_ = ref_gst(webrtcbin);
  connections_.push_back(std::move(connection));
  connection_watch_ = std::move(watch);
}

bool ResultSender::Impl::adopt(GstWebRTCDataChannel* channel) {
  // Compare-and-swap: of two senders that are offered a channel one gets it.
  if (!g_object_replace_qdata(G_OBJECT(channel), owner_quark(), nullptr, this, nullptr, nullptr)) {
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    if (channel_ || stopping_) {
      g_object_replace_qdata(G_OBJECT(channel), owner_quark(), this, nullptr, nullptr, nullptr);
      return false;
    }
    channel_ = ref_gst(channel);
  }
  const Closure weak = weak_from_this();
  std::vector<SignalConnection> connections;
  const auto connect = [&](const char* signal, GCallback handler) {
    connections.emplace_back(channel, signal, handler, weak);
  };
  connect("on-message-string",
          G_CALLBACK(+[](GstWebRTCDataChannel*, const char* text, Closure* closure) {
            if (const auto self = closure->lock()) self->on_text(text);
          }));
  connect("on-message-data", G_CALLBACK(+[](GstWebRTCDataChannel*, GBytes*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_binary();
          }));
  connect("on-open", G_CALLBACK(+[](GstWebRTCDataChannel* object, Closure* closure) {
            if (const auto self = closure->lock()) self->on_channel_state(object);
          }));
  connect("notify::ready-state",
          G_CALLBACK(+[](GstWebRTCDataChannel* object, GParamSpec*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_channel_state(object);
          }));
  // On the thread that sends and on the channel's own when SCTP takes a message; without locks, and
  // after each change. (on-buffered-amount-low would come by way of the pc thread, and its
  // threshold belongs to the application.)
  connect("notify::buffered-amount",
          G_CALLBACK(+[](GstWebRTCDataChannel*, GParamSpec*, Closure* closure) {
            if (const auto self = closure->lock()) self->on_buffered();
          }));
  auto watch = std::make_unique<PeerWatch>([weak](const std::string& why) {
    if (const auto self = weak.lock()) self->on_gone(why, false);
  });
  watch->watch_channel(channel);
  on_channel_state(channel);
  GST_DEBUG_OBJECT(channel, "taken for results");
  const std::lock_guard lock(mutex_);
  if (stopping_) return true;
  for (auto& connection : connections) connections_.push_back(std::move(connection));
  channel_watch_ = std::move(watch);
  return true;
}

void ResultSender::Impl::on_data_channel(GstWebRTCDataChannel* channel) {
  char* raw = nullptr;
  g_object_get(channel, "label", &raw, nullptr);
  const GCharPtr label(raw);
  if (label && settings_.channel_label == label.get()) adopt(channel);
}

void ResultSender::Impl::on_text(const char* text) {
  const std::size_t size = text ? std::strlen(text) : 0;
  const std::string_view view(text ? text : "", size);
  const auto ack = parse_ack(view);
  const std::lock_guard lock(mutex_);
  if (ack) {
    if (window_.ack(*ack)) {
      stats_.acked = window_.acked();
      changed_.notify_all();
    } else {
      ++stats_.rejected;
    }
  } else if (size == 0 || size > kMaxControlSize || control_.size() >= kMaxControlMessages) {
    ++stats_.rejected;
  } else {
    control_.emplace_back(view);
    work_.notify_all();
  }
}

void ResultSender::Impl::on_binary() {
  const std::lock_guard lock(mutex_);
  ++stats_.rejected;
}

void ResultSender::Impl::on_channel_state(GstWebRTCDataChannel* channel) {
  const auto state = state_of(channel);
  const std::lock_guard lock(mutex_);
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN) open_ = true;
  if (state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED) channel_closed_ = true;
  changed_.notify_all();
}

void ResultSender::Impl::on_gone(const std::string& why, bool connection) {
  const std::lock_guard lock(mutex_);
  connection_gone_ = connection_gone_ || connection;
  // What we have closed ourselves has not gone.
  if (!closing_ && !gone_) {
    gone_ = true;
    why_gone_ = why;
    gone_to_tell_ = !finishing_;
  }
  changed_.notify_all();
  work_.notify_all();
}

void ResultSender::Impl::on_buffered() {
  // An empty critical section: who has looked at the amount before is waiting by now.
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

bool ResultSender::Impl::send_frame(GstBuffer* frame, const GstVideoInfo& info,
                                    const std::vector<Detection>& detections) {
  VideoMetadata metadata = next_metadata(frame);
  metadata.width = GST_VIDEO_INFO_WIDTH(&info);
  metadata.height = GST_VIDEO_INFO_HEIGHT(&info);
  if (!metadata.declared_fps && GST_VIDEO_INFO_FPS_N(&info) > 0 &&
      GST_VIDEO_INFO_FPS_D(&info) > 0) {
    metadata.declared_fps =
        static_cast<double>(GST_VIDEO_INFO_FPS_N(&info)) / GST_VIDEO_INFO_FPS_D(&info);
  }
  return send_result(metadata, [&](Lock& lock) {
    const bool outputs_wanted = !data_output_.empty();
    const bool detections_wanted = wants(settings_.output_name);
    const bool image_wanted = std::ranges::find(data_output_, kImageOutput) != data_output_.end();
    lock.unlock();
    ResultOutputs outputs;
    if (detections_wanted) {
      outputs.detections = ResultOutputs::Detections{settings_.output_name, detections};
    }
    GstBufferPtr image;
    GstMapInfo map{};
    if (image_wanted) image = encode_image(frame, info);
    if (image && gst_buffer_map(image.get(), &map, GST_MAP_READ)) {
      outputs.image = ResultOutputs::Image{kImageOutput, {map.data, map.size}};
    }
    std::string text = document_.result(metadata, outputs_wanted ? &outputs : nullptr,
                                        std::exchange(next_errors_, {}));
    if (map.memory) gst_buffer_unmap(image.get(), &map);
    lock.lock();
    return text;
  });
}

bool ResultSender::Impl::send_value(GstBuffer* timestamps, std::string_view name, ValueKind kind,
                                    std::string_view value, std::string* problem) {
  std::string json;
  std::string why;
  if (kind == ValueKind::kText) {
    append_json_string(json, value);
  } else if (auto checked = checked_json(value, why)) {
    json = std::move(*checked);
  } else {
    if (problem) *problem = why;
    return false;
  }
  VideoMetadata metadata = next_metadata(timestamps);
  return send_result(metadata, [&](Lock& lock) {
    const bool outputs_wanted = !data_output_.empty();
    const bool value_wanted = wants(name);
    lock.unlock();
    ResultOutputs outputs;
    if (value_wanted) outputs.value = ResultOutputs::Value{name, json};
    std::string text = document_.result(metadata, outputs_wanted ? &outputs : nullptr,
                                        std::exchange(next_errors_, {}));
    lock.lock();
    return text;
  });
}

VideoMetadata ResultSender::Impl::next_metadata(GstBuffer* timestamps) {
  VideoMetadata metadata;
  metadata.received_at =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  if (GST_BUFFER_PTS_IS_VALID(timestamps)) {
    const GstClockTime pts = GST_BUFFER_PTS(timestamps);
    if (!first_pts_) first_pts_ = pts;
    const bool later = pts >= *first_pts_;
    const auto ticks = static_cast<std::int64_t>(gst_util_uint64_scale_round(
        later ? pts - *first_pts_ : *first_pts_ - pts, 90000, GST_SECOND));
    metadata.pts = later ? ticks : -ticks;
  }
  metadata.declared_fps = settings_.declared_fps;
  const auto now = Clock::now();
  recent_.push_back(now);
  if (recent_.size() > kRateWindow) recent_.pop_front();
  const double elapsed = std::chrono::duration<double>(now - recent_.front()).count();
  if (recent_.size() > 1 && elapsed > 0) {
    metadata.measured_fps = static_cast<double>(recent_.size() - 1) / elapsed;
  }
  return metadata;
}

// Waits for its turn, and keeps the order with what the worker and cancel() have to send.
template <typename MakeText>
bool ResultSender::Impl::send_result(VideoMetadata& metadata, const MakeText& make_text) {
  Lock lock(mutex_);
  const auto turn = [&] {
    if (finishing_) return Turn::kStop;
    metadata.frame_id = ++frame_id_;
    stats_.last_frame_id = frame_id_;
    for (;;) {
      if (finishing_ || flushing_ || gone_) return Turn::kStop;
      if (open_) {
        if (has_room()) return Turn::kSend;
        if (settings_.realtime) return Turn::kDrop;
        changed_.wait(lock);
        continue;
      }
      // In real time as well: it is the beginning of a file, and nothing is late yet.
      const auto now = Clock::now();
      if (!channel_deadline_) channel_deadline_ = now + settings_.channel_timeout;
      if (now >= *channel_deadline_) return Turn::kDrop;
      changed_.wait_until(lock, *channel_deadline_);
    }
  }();
  if (turn != Turn::kSend) {
    ++stats_.dropped;
    return turn == Turn::kDrop;
  }
  sending_ = true;
  window_.sent(metadata.frame_id);
  const std::string text = make_text(lock);
  lock.unlock();
  const std::uint32_t count = result_chunk_count(text.size());
  bool sent = true;
  for (std::uint32_t i = 0; sent && i < count; ++i) {
    sent = send_message(channel_.get(), result_message(metadata.frame_id, i, text));
  }
  const std::uint64_t buffered = buffered_amount(channel_.get());
  lock.lock();
  sending_ = false;
  if (sent) {
    ++stats_.sent;
    stats_.messages += count;
    stats_.bytes += text.size() + count * kResultHeaderSize;
  } else {
    ++stats_.dropped;
  }
  stats_.buffered_peak = std::max(stats_.buffered_peak, buffered);
  changed_.notify_all();
  return sent;
}

GstBufferPtr ResultSender::Impl::encode_image(GstBuffer* frame, const GstVideoInfo& info) {
  std::string problem;
  GstBufferPtr image;
  if (!jpeg_) jpeg_ = JpegEncoder::create(settings_.jpeg_quality, problem);
  if (jpeg_) image = jpeg_->encode(frame, info, problem);
  // One that has failed may have lost what it needs to know of the next frame.
  if (!image) jpeg_.reset();
  // Once, and not in every result.
  if (!image && image_problem_ != problem) {
    next_errors_.push_back("no image: " + problem);
    image_problem_ = problem;
  }
  return image;
}

bool ResultSender::Impl::has_room() const {
  if (!window_.may_send()) return false;
  const std::uint64_t buffered = buffered_amount(channel_.get());
  return buffered == 0 || buffered < settings_.buffer_limit;
}

bool ResultSender::Impl::wants(std::string_view output) const {
  return std::ranges::any_of(
      data_output_, [&](const std::string& name) { return name == "*" || name == output; });
}

void ResultSender::Impl::set_data_output(std::vector<std::string> names) {
  const std::lock_guard lock(mutex_);
  data_output_ = std::move(names);
}

void ResultSender::Impl::set_flushing(bool flushing) {
  const std::lock_guard lock(mutex_);
  flushing_ = flushing;
  changed_.notify_all();
}

void ResultSender::Impl::finish(std::string reason, std::vector<std::string> errors) {
  const std::lock_guard lock(mutex_);
  if (finishing_) return;
  finishing_ = true;
  termination_reason_ = std::move(reason);
  final_errors_ = std::move(errors);
  changed_.notify_all();
  work_.notify_all();
}

void ResultSender::Impl::cancel(std::string reason, std::vector<std::string> errors,
                                std::chrono::milliseconds patience, bool abandon) {
  const auto until = Clock::now() + patience;
  Lock lock(mutex_);
  if (!finishing_) {
    finishing_ = true;
    termination_reason_ = std::move(reason);
    final_errors_ = std::move(errors);
  }
  cancelled_ = true;
  changed_.notify_all();
  work_.notify_all();
  if (!channel_ || !open_) return;
  if (!changed_.wait_until(lock, until, [this] { return !sending_; })) return;
  if (!gone_ && !completion_sent_) static_cast<void>(send_completion(lock));
  const bool drained = changed_.wait_until(lock, gone_ ? Clock::now() : until, [this] {
    return is_drained() || gone_ || connection_gone_;
  }) && is_drained();
  const bool was_closing = std::exchange(closing_, true);
  const GstPtr<GstElement> webrtcbin = ref_gst(webrtcbin_.get());
  lock.unlock();
  if (abandon && webrtcbin && !drained) {
    gint id = -1;
    g_object_get(channel_.get(), "id", &id, nullptr);
    if (id >= 0) {
      drop_outgoing(webrtcbin.get(), id);
      abandon_outgoing(webrtcbin.get(), id);
    }
  } else if (!was_closing) {
    gst_webrtc_data_channel_close(channel_.get());
  }
}

// By the worker or cancel(), whoever is first. Whether the channel took it.
bool ResultSender::Impl::send_completion(Lock& lock) {
  completion_sent_ = true;
  sending_ = true;
  const std::string text = completion_document(termination_reason_, final_errors_);
  const std::uint32_t frame_id = frame_id_ + 1;
  lock.unlock();
  const std::uint32_t count = result_chunk_count(text.size());
  bool sent = true;
  for (std::uint32_t i = 0; sent && i < count; ++i) {
    sent = send_message(channel_.get(), result_message(frame_id, i, text));
  }
  lock.lock();
  sending_ = false;
  if (sent) {
    stats_.messages += count;
    stats_.bytes += text.size() + count * kResultHeaderSize;
  }
  changed_.notify_all();
  return sent;
}

bool ResultSender::Impl::has_channel() const {
  const std::lock_guard lock(mutex_);
  return channel_ != nullptr;
}

ResultStats ResultSender::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  ResultStats stats = stats_;
  if (channel_) stats.buffered = buffered_amount(channel_.get());
  return stats;
}

void ResultSender::Impl::run() {
  Lock lock(mutex_);
  while (!stopping_) {
    if (std::exchange(gone_to_tell_, false)) {
      const std::string why = why_gone_;
      lock.unlock();
      GST_INFO("no more results: %s", why.c_str());
      if (events_.gone) events_.gone(why);
      lock.lock();
    } else if (finishing_ && !concluded_ && !cancelled_) {
      concluded_ = true;
      const auto delivery = conclude(lock);
      if (delivery && !cancelled_ && events_.finished) {
        lock.unlock();
        events_.finished(*delivery);
        lock.lock();
      }
    } else if (!control_.empty()) {
      // The least: a peer that never stops talking must not keep the end from coming.
      hand_on_control(lock);
    } else {
      work_.wait(lock);
    }
  }
}

void ResultSender::Impl::hand_on_control(Lock& lock) {
  const std::string text = std::move(control_.front());
  control_.pop_front();
  lock.unlock();
  const auto parsed = parse_json_object(text);
  const bool is_object = std::holds_alternative<JsonNodePtr>(parsed);
  lock.lock();
  if (!is_object) {
    ++stats_.rejected;
    return;
  }
  JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  // One that says more than that, or says it in another way.
  if (const auto ack = json_integer(object, "ack"); ack && window_.ack(*ack)) {
    stats_.acked = window_.acked();
    changed_.notify_all();
  }
  ++stats_.control;
  if (!events_.control) return;
  lock.unlock();
  events_.control(text);
  lock.lock();
}

// Nothing when cancel() or the end came first.
std::optional<Delivery> ResultSender::Impl::conclude(Lock& lock) {
  Delivery delivery;
  delivery.problem = deliver_the_rest(lock);
  if (cancelled_) return std::nullopt;
  delivery.complete = delivery.problem.empty();
  GST_INFO("%u results: %s", frame_id_, delivery.complete ? "delivered" : delivery.problem.c_str());
  if (!delivery.complete && open_ && !std::exchange(closing_, true)) {
    // So that the peer notices, if it is still there.
    lock.unlock();
    gst_webrtc_data_channel_close(channel_.get());
    lock.lock();
  }
  delivery.stats = stats_;
  return delivery;
}

// What went wrong, or "".
std::string ResultSender::Impl::deliver_the_rest(Lock& lock) {
  if (!channel_deadline_) channel_deadline_ = Clock::now() + settings_.channel_timeout;
  changed_.wait_until(lock, *channel_deadline_, [this] { return open_ || gone_ || cancelled_; });
  if (cancelled_) return "cancelled";
  if (gone_) return why_gone_;
  if (!open_) return "the peer has opened no channel \"" + settings_.channel_label + "\"";

  changed_.wait(lock, [this] { return !sending_ || cancelled_; });
  if (cancelled_ || completion_sent_) return "cancelled";
  if (!send_completion(lock)) return gone_ ? why_gone_ : "the channel takes no message";

  for (std::uint64_t left = buffered_amount(channel_.get()); left > 0;) {
    const bool better = changed_.wait_for(lock, kDrainPatience, [&] {
      return buffered_amount(channel_.get()) < left || gone_ || cancelled_;
    });
    if (cancelled_) return "cancelled";
    left = buffered_amount(channel_.get());
    // A peer that has it all may have closed the channel by now.
    if (left > 0 && gone_) return why_gone_;
    if (left > 0 && !better) return "the peer does not take what is sent";
  }
  // The peer may well close the channel when it has read the completion.
  changed_.wait_for(lock, settings_.linger, [this] { return gone_ || cancelled_; });
  if (cancelled_) return "cancelled";
  if (connection_gone_) return why_gone_;
  if (!std::exchange(closing_, true)) {
    lock.unlock();
    gst_webrtc_data_channel_close(channel_.get());
    lock.lock();
  }
  // SCTP lets a peer close its side only when that side has everything.
  const bool closed = changed_.wait_for(
      lock, kClosePatience, [this] { return channel_closed_ || connection_gone_ || cancelled_; });
  if (cancelled_) return "cancelled";
  if (channel_closed_) return "";
  return closed ? "the connection ended before the peer had everything"
                : "the peer did not close its side of the channel";
}

std::shared_ptr<ResultSender> ResultSender::create(ResultSettings settings, ResultEvents events) {
  auto impl = std::make_shared<Impl>(std::move(settings), std::move(events));
  impl->start();
  return std::shared_ptr<ResultSender>(new ResultSender(std::move(impl)));
}

ResultSender::ResultSender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ResultSender::~ResultSender() { impl_->stop(); }

void ResultSender::attach(GstElement* webrtcbin) { impl_->attach(webrtcbin); }
bool ResultSender::adopt(GstWebRTCDataChannel* channel) { return impl_->adopt(channel); }

bool ResultSender::send_frame(GstBuffer* frame, const GstVideoInfo& info,
                              const std::vector<Detection>& detections) {
  return impl_->send_frame(frame, info, detections);
}

bool ResultSender::send_value(GstBuffer* timestamps, std::string_view output_name, ValueKind kind,
                              std::string_view value, std::string* problem) {
  return impl_->send_value(timestamps, output_name, kind, value, problem);
}

void ResultSender::set_data_output(std::vector<std::string> names) {
  impl_->set_data_output(std::move(names));
}

void ResultSender::set_flushing(bool flushing) { impl_->set_flushing(flushing); }

void ResultSender::finish(std::string termination_reason, std::vector<std::string> errors) {
  impl_->finish(std::move(termination_reason), std::move(errors));
}

void ResultSender::cancel(std::string termination_reason, std::vector<std::string> errors,
                          std::chrono::milliseconds patience, bool abandon) {
  impl_->cancel(std::move(termination_reason), std::move(errors), patience, abandon);
}

bool ResultSender::has_channel() const { return impl_->has_channel(); }

ResultStats ResultSender::stats() const { return impl_->stats(); }

}  // namespace webrtcupload
