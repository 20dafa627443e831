// SPDX-License-Identifier: LGPL-2.1-or-later

#include "results/result_session.h"

#include <string_view>
#include <utility>

#include "downstream/error_for_client.h"
#include "glib/debug.h"
#include "glib/error_details.h"
#include "glib/pad_flushing.h"
#include "glib/upstream.h"
#include "json/json.h"
#include "webrtc/find_webrtcbin.h"
#include "webrtc/pipeline_eos.h"
#include "webrtc/pipeline_picture.h"

#define GST_CAT_DEFAULT webrtcupload::debug::results()

namespace webrtcupload {
namespace {

// For the last message to leave when the pipeline goes down: enough for a peer that is there, and
// nobody waits longer for one that is not.
constexpr std::chrono::milliseconds kGoodbye{150};

// What the peer wants in "data_output", if it says.
std::optional<std::vector<std::string>> wanted_outputs(const std::string& json_text) {
  const auto parsed = parse_json_object(json_text);
  const auto* root = std::get_if<JsonNodePtr>(&parsed);
  return root ? json_names(json_node_get_object(root->get()), "data_output") : std::nullopt;
}

bool is_within(GstObject* object, GstElement* ancestor) {
  return object && ancestor &&
         (object == GST_OBJECT(ancestor) ||
          gst_object_has_as_ancestor(object, GST_OBJECT(ancestor)));
}

GstStructure* stats_structure(const char* name, const ResultStats& stats) {
  GstStructure* structure =
      gst_structure_new(name,                                                //
                        "sent", G_TYPE_UINT64, guint64{stats.sent},          //
                        "dropped", G_TYPE_UINT64, guint64{stats.dropped},    //
                        "messages", G_TYPE_UINT64, guint64{stats.messages},  //
                        "bytes", G_TYPE_UINT64, guint64{stats.bytes},        //
                        "last-frame-id", G_TYPE_UINT, guint{stats.last_frame_id}, nullptr);
  if (stats.acked) gst_structure_set(structure, "acked", G_TYPE_UINT, guint{*stats.acked}, nullptr);
  return structure;
}

}  // namespace

std::shared_ptr<ResultSession> ResultSession::create(
    GstBaseSink* sink, const ResultSettings& settings,
    std::function<void(const std::string&)> on_control) {
  std::shared_ptr<ResultSession> self(new ResultSession(sink, settings));
  self->on_control_ = std::move(on_control);
  const std::weak_ptr<ResultSession> weak = self;
  ResultEvents events;
  events.control = [weak](const std::string& text) {
    if (const auto session = weak.lock()) session->on_control(text);
  };
  events.gone = [weak](const Error& why) {
    if (const auto session = weak.lock()) session->on_gone(why);
  };
  events.shutting_down = [weak] {
    const auto session = weak.lock();
    const GstPtr<GstElement> keep = session ? session->sink() : nullptr;
    return keep && is_shutting_down(keep.get());
  };
  events.finished = [weak](const Delivery& delivery) {
    if (const auto session = weak.lock()) session->on_finished(delivery);
  };
  ResultSettings named = settings;
  const GCharPtr name(gst_object_get_name(GST_OBJECT(sink)));
  named.name = name.get();
  self->sender_ = ResultSender::create(std::move(named), std::move(events));
  return self;
}

ResultSession::ResultSession(GstBaseSink* sink, const ResultSettings& settings)
    : sink_(sink), settings_(settings) {
  g_weak_ref_init(&weak_sink_, sink);
}

ResultSession::~ResultSession() {
  bus_connections_.clear();
  if (bus_) gst_bus_disable_sync_message_emission(bus_.get());
  sender_.reset();
  g_weak_ref_clear(&weak_sink_);
}

GstPtr<GstElement> ResultSession::sink() const {
  return GstPtr<GstElement>(static_cast<GstElement*>(g_weak_ref_get(&weak_sink_)));
}

void ResultSession::attach(GstElement* webrtcbin) {
  webrtcbin_ = ref_gst(webrtcbin);
  sender_->attach(webrtcbin);
}

void ResultSession::follow(GstElement* server) {
  follows_ = true;
  // On the server's thread.
  on_peer_added_ = SignalConnection(
      server, "peer-added",
      G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, std::weak_ptr<ResultSession>* weak) {
        if (const auto self = weak->lock()) self->meet(webrtcbin);
      }),
      weak_from_this());
  on_peer_removed_ = SignalConnection(
      server, "peer-removed",
      G_CALLBACK(+[](GstElement*, GstElement* webrtcbin, std::weak_ptr<ResultSession>* weak) {
        if (const auto self = weak->lock()) self->part_from(webrtcbin);
      }),
      weak_from_this());
}

// Results go over the first of a client's connections.
void ResultSession::meet(GstElement* webrtcbin) {
  if (followed_) return;
  followed_ = webrtcbin;
  sender_->attach(webrtcbin);
}

void ResultSession::part_from(GstElement* webrtcbin) {
  if (followed_ == webrtcbin) followed_ = nullptr;
  sender_->detach(webrtcbin);
}

// Analysers post before they push the frame, so only in the thread that posts is it certain that
// what they say is here before the frame is. It works beside an application's own sync handler,
// unless that drops messages.
void ResultSession::watch_bus() {
  const GstPtr<GstObject> top = outermost_parent(GST_ELEMENT(sink_));
  bus_.reset(gst_element_get_bus(GST_ELEMENT(top.get())));
  if (!bus_) return;
  streams_->watch(GST_ELEMENT(top.get()));
  gst_bus_enable_sync_message_emission(bus_.get());
  using Closure = std::weak_ptr<ResultSession>;
  bus_connections_.emplace_back(bus_.get(), "sync-message::element",
                                G_CALLBACK(+[](GstBus*, GstMessage* message, Closure* closure) {
                                  if (const auto self = closure->lock()) {
                                    self->on_element_message(message);
                                  }
                                }),
                                Closure(weak_from_this()));
  bus_connections_.emplace_back(bus_.get(), "sync-message::error",
                                G_CALLBACK(+[](GstBus*, GstMessage* message, Closure* closure) {
                                  if (const auto self = closure->lock()) self->on_error(message);
                                }),
                                Closure(weak_from_this()));
}

void ResultSession::on_element_message(GstMessage* message) {
  const GstPtr<GstElement> sink = this->sink();
  GstObject* source = GST_MESSAGE_SRC(message);
  // What is said of another video in the same pipeline may well carry the same timestamps.
  streams_->add_message(message);
  if (!sink || !GST_IS_ELEMENT(source) || !feeds(GST_ELEMENT(source), sink.get())) return;
  detections_.add_message(message);
}

void ResultSession::on_error(GstMessage* message) {
  GstObject* source = GST_MESSAGE_SRC(message);
  // The connection's errors are the peer's leaving, which is noticed where it is understood.
  if (source == GST_OBJECT(sink_) || is_within(source, webrtcbin_.get())) return;
  ClientError error = error_for_client(message);
  // A film whose streams nobody wants fails by what its demuxer says to that.
  if (error.code == kProcessingFailed && sender_->stats().last_frame_id == 0) {
    error = streams_->why_unused().value_or(std::move(error));
  }
  sender_->finish(error.code, {error.message});
}

void ResultSession::on_control(const std::string& json_text) {
  if (auto names = wanted_outputs(json_text)) sender_->set_data_output(std::move(*names));
  const GstPtr<GstElement> keep = sink();
  if (keep && on_control_) on_control_(json_text);
}

void ResultSession::on_gone(const Error& why) {
  // Peers of a server come and go until one of them gets results.
  if (follows_ && sender_->stats().last_frame_id == 0) return;
  const GstPtr<GstElement> sink = this->sink();
  if (!sink) return;
  draw_failure(sink.get(), webrtcbin_.get());
  {
    const MutexLock lock(mutex_);
    error_ = why;
  }
  // A peer may leave at any time, while there is always something wrong about a false one.
  const bool is_false = why.code == ErrorCode::kUntrustedPeer;
  gst_element_message_full_with_details(
      sink.get(), is_false ? GST_MESSAGE_ERROR : GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      is_false ? GST_RESOURCE_ERROR_NOT_AUTHORIZED : GST_RESOURCE_ERROR_WRITE,
      g_strdup_printf("%s are sent: %s.", is_false ? "No results" : "No more results",
                      why.message.c_str()),
      nullptr, __FILE__, GST_FUNCTION, __LINE__, error_details(why));
}

void ResultSession::on_finished(const Delivery& delivery) {
  if (const GstPtr<GstElement> sink = this->sink()) {
    GstStructure* structure =
        stats_structure("application/x-webrtcresults-delivered", delivery.stats);
    gst_structure_set(structure, "delivered", G_TYPE_BOOLEAN, gboolean{delivery.complete},
                      "cut-short", G_TYPE_BOOLEAN, gboolean{cut_short_}, nullptr);
    if (!delivery.problem.empty()) {
      gst_structure_set(structure, kErrorMessageField, G_TYPE_STRING, delivery.problem.c_str(),
                        nullptr);
    }
    GST_INFO_OBJECT(sink.get(), "%" GST_PTR_FORMAT, static_cast<void*>(structure));
    gst_element_post_message(sink.get(),
                             gst_message_new_element(GST_OBJECT(sink.get()), structure));
  }
  const MutexLock lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

bool ResultSession::set_caps(GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  if (gst_structure_has_name(structure, "text/x-raw")) {
    content_ = Content::kText;
  } else if (gst_structure_has_name(structure, "application/x-json")) {
    content_ = Content::kJson;
  } else if (gst_video_info_from_caps(&video_info_, caps)) {
    content_ = Content::kVideo;
  } else {
    return false;
  }
  return true;
}

GstFlowReturn ResultSession::render(GstBuffer* buffer) {
  if (content_ == Content::kNone) return GST_FLOW_NOT_NEGOTIATED;
  const StreamTime time = stream_time_of(buffer, sink_->segment);
  // So that no state change has to wait for the peer. What is rendered while the sink has been
  // paused meanwhile is a frame that has been analysed before.
  GST_BASE_SINK_PREROLL_UNLOCK(sink_);
  bool taken = true;
  GstFlowReturn flow = GST_FLOW_OK;
  if (content_ == Content::kVideo) {
    taken = sender_->send_frame(buffer, time, video_info_, detections_.take(buffer, &video_info_));
  } else {
    flow = render_value(buffer, time, taken);
  }
  GST_BASE_SINK_PREROLL_LOCK(sink_);
  if (taken) return flow;
  cut_short_ = true;
  // Nobody is there to hear more, or wants to: upstream may stop. In a pipeline that has other
  // branches those go on.
  return is_flushing(GST_BASE_SINK_PAD(sink_)) ? GST_FLOW_FLUSHING : GST_FLOW_EOS;
}

GstFlowReturn ResultSession::render_value(GstBuffer* buffer, StreamTime time, bool& taken) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    GST_ELEMENT_ERROR(sink_, RESOURCE, READ, ("A buffer from upstream cannot be read."), (nullptr));
    return GST_FLOW_ERROR;
  }
  std::string_view value(reinterpret_cast<const char*>(map.data), map.size);
  // Some text elements end their buffers as C strings end.
  while (value.ends_with('\0')) value.remove_suffix(1);
  std::string problem;
  taken = sender_->send_value(
      time, settings_.output_name,
      content_ == Content::kText ? ResultSender::ValueKind::kText : ResultSender::ValueKind::kJson,
      value, &problem);
  gst_buffer_unmap(buffer, &map);
  if (problem.empty()) return GST_FLOW_OK;
  taken = true;
  if (std::exchange(value_problem_, problem) != problem) {
    GST_ELEMENT_WARNING(sink_, STREAM, FORMAT,
                        ("A buffer of JSON is left out: %s.", problem.c_str()), (nullptr));
  }
  return GST_FLOW_OK;
}

bool ResultSession::end_of_stream() {
  sender_->finish("", {});
  GST_BASE_SINK_PREROLL_UNLOCK(sink_);
  bool finished = false;
  {
    MutexLock lock(mutex_);
    // Who has cancelled them stops the element, which interrupts this, or else it has an end: see
    // ResultEvents::finished.
    changed_.wait(mutex_, [this]() REQUIRES(mutex_) { return finished_ || interrupted_; });
    // After an error nothing ends well.
    finished = finished_ && (!error_ || error_->code != ErrorCode::kUntrustedPeer);
  }
  GST_BASE_SINK_PREROLL_LOCK(sink_);
  if (!finished || is_flushing(GST_BASE_SINK_PAD(sink_))) return false;
  ended_ = true;
  let_pipeline_end();
  return true;
}

void ResultSession::let_pipeline_end() {
  if (ended_) post_eos_for_webrtcbin(GST_ELEMENT(sink_), webrtcbin_.get());
}

void ResultSession::flushed() {
  {
    const MutexLock lock(mutex_);
    interrupted_ = false;
  }
  detections_.clear();
  sender_->set_flushing(false);
}

void ResultSession::interrupt() {
  // Set before anyone who makes the pad flush takes the lock; otherwise it is only a pause.
  if (!is_flushing(GST_BASE_SINK_PAD(sink_))) return;
  {
    const MutexLock lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  }
  sender_->set_flushing(true);
}

void ResultSession::finish(const std::string& termination_reason, const std::string& message) {
  std::vector<std::string> errors;
  if (!message.empty()) errors.push_back(message);
  sender_->finish(termination_reason, std::move(errors));
}

void ResultSession::set_data_output(std::vector<std::string> names) {
  sender_->set_data_output(std::move(names));
}

GstStructure* ResultSession::stats() const {
  const ResultStats stats = sender_->stats();
  GstStructure* structure = stats_structure("application/x-webrtcresultsink-stats", stats);
  gst_structure_set(structure,                                                         //
                    "control", G_TYPE_UINT64, guint64{stats.control},                  //
                    "rejected", G_TYPE_UINT64, guint64{stats.rejected},                //
                    "buffered", G_TYPE_UINT64, guint64{stats.buffered},                //
                    "buffered-peak", G_TYPE_UINT64, guint64{stats.buffered_peak},      //
                    "lost-detections", G_TYPE_UINT64, guint64{detections_.dropped()},  //
                    "ending", G_TYPE_BOOLEAN, gboolean{stats.ending}, nullptr);
  const MutexLock lock(mutex_);
  if (error_) add_error(structure, *error_);
  return structure;
}

void ResultSession::cancel() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(cancelled_, true)) return;
  }
  // A webrtcbin in another pipeline goes on, and delivers what is queued.
  const bool goes_down_too = webrtcbin_ && is_shutting_down(webrtcbin_.get());
  sender_->cancel("cancelled", {}, kGoodbye, goes_down_too);
}

void ResultSession::stop() {
  cancel();
  sender_->stop();
}

}  // namespace webrtcupload
