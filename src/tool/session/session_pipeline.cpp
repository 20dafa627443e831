// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session_pipeline.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/name_list.h"
#include "downstream/error_for_client.h"
#include "glib/elements_in.h"
#include "glib/enum_nick.h"
#include "glib/main_context.h"
#include "tool/common/options.h"
#include "tool/sandbox/sandbox_paths.h"
#include "tool/session/decoded_video.h"
#include "upload/upload_source.h"

namespace webrtcupload {
namespace {

GstPtr<GstElement> parse(const std::string& description, std::string& problem) {
  GError* error = nullptr;
  const std::string text = "webrtcupload name=upload ! " + description;
  GstElement* element =
      gst_parse_launch_full(text.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  GstPtr<GstElement> pipeline(element ? GST_ELEMENT(gst_object_ref_sink(element)) : nullptr);
  if (error) {
    problem = error->message;
    g_clear_error(&error);
    return nullptr;
  }
  if (!GST_IS_PIPELINE(pipeline.get())) {
    problem = "nothing follows the upload";
    return nullptr;
  }
  return pipeline;
}

// decodebin3 does not ask which decoder it may choose. This process is for the operator's pipelines
// alone, so their ranks can be changed for all of it.
void never_choose(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const GstPtr<GstElementFactory> factory(gst_element_factory_find(name.c_str()));
    if (factory) gst_plugin_feature_set_rank(GST_PLUGIN_FEATURE(factory.get()), GST_RANK_NONE);
  }
}

bool has_sink(GstElement* pipeline) { return !sinks_in(GST_BIN(pipeline)).empty(); }

GstPtr<GstElement> find_result_sink(GstElement* pipeline) {
  return element_made_by(GST_BIN(pipeline), "webrtcresultsink");
}

// What an upload's request or its statistics say.
FilmFacts film_of(const GstStructure* facts) {
  const auto text = [facts](const char* field) {
    const char* value = gst_structure_get_string(facts, field);
    return std::string(value ? value : "");
  };
  return {.name = text("name"), .content_type = text("content-type"), .sha256 = text("sha256")};
}

GstStructurePtr stats_of(GstElement* upload) {
  GstStructure* stats = nullptr;
  g_object_get(upload, "stats", &stats, nullptr);
  return GstStructurePtr(stats);
}

}  // namespace

SessionPipeline::SessionPipeline(GMainContext* context, Events events)
    : context_(g_main_context_ref(context)), events_(std::move(events)) {}

SessionPipeline::~SessionPipeline() {
  stop(nullptr);
  g_main_context_unref(context_);
}

std::string SessionPipeline::check(const std::string& description, SessionConfig config) {
  std::string problem;
  for (const char* element : {"webrtcupload", "webrtcbin"}) {
    if (problem = missing_element(element); !problem.empty()) return problem;
  }
  {
    const auto pipeline = parse(description, problem);
    if (!pipeline) return problem;
    if (!has_sink(pipeline.get())) {
      return "it does not end in a sink; \"fakesink sync=false\" takes what nobody else wants";
    }
  }
  // What a session does, with a peer that never comes.
  const std::unique_ptr<GMainContext, decltype(&g_main_context_unref)> context(
      g_main_context_new(), g_main_context_unref);
  const GstPtr<GstElement> webrtcbin(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("webrtcbin", nullptr))));
  config.pipeline = description;
  Events events;
  events.state_changed = [] {};
  events.frame = [](const FrameObserver::Frame&) {};
  const auto trial = create(context.get(), config, webrtcbin.get(), std::move(events), problem);
  if (!trial) return problem;
  if (const auto sink = trial->result_sink()) {
    g_object_set(sink.get(), "webrtcbin", webrtcbin.get(), nullptr);
  }
  return trial->start();
}

std::string SessionPipeline::output_name(const std::string& description) {
  std::string problem;
  const auto pipeline = parse(description, problem);
  const auto sink = pipeline ? find_result_sink(pipeline.get()) : nullptr;
  if (!sink) return "";
  char* name = nullptr;
  g_object_get(sink.get(), "output-name", &name, nullptr);
  const GCharPtr owned(name);
  return name ? name : "";
}

void SessionPipeline::add_needs(const std::string& description, SandboxConfig& sandbox) {
  std::string problem;
  const auto pipeline = parse(description, problem);
  if (!pipeline) return;
  SandboxPaths named = paths_named_in(pipeline.get());
  std::ranges::move(named.read, std::back_inserter(sandbox.paths.read));
  std::ranges::move(named.write, std::back_inserter(sandbox.paths.write));
  sandbox.hardware = sandbox.hardware || uses_hardware(pipeline.get());
}

GstPtr<GstElement> SessionPipeline::result_sink() const {
  return find_result_sink(pipeline_.get());
}

std::unique_ptr<SessionPipeline> SessionPipeline::create(GMainContext* context,
                                                         const SessionConfig& config,
                                                         GstElement* webrtcbin, Events events,
                                                         std::string& problem) {
  std::unique_ptr<SessionPipeline> self(new SessionPipeline(context, std::move(events)));
  self->pipeline_ = parse(config.pipeline, problem);
  if (!self->pipeline_) return nullptr;
  self->upload_.reset(gst_bin_get_by_name(GST_BIN(self->pipeline_.get()), "upload"));
  if (!self->upload_) {
    problem = "the pipeline has no element named upload";
    return nullptr;
  }
  GObject* upload = G_OBJECT(self->upload_.get());
  const auto nanoseconds = [](std::chrono::milliseconds time) {
    return static_cast<guint64>(time.count()) * GST_MSECOND;
  };
  g_object_set(upload, "webrtcbin", webrtcbin, nullptr);
  if (config.protocols) g_object_set(upload, "protocols", guint{*config.protocols}, nullptr);
  if (config.max_connections) {
    g_object_set(upload, "max-connections", guint{*config.max_connections}, nullptr);
  }
  if (config.resume_timeout) {
    g_object_set(upload, "resume-timeout", nanoseconds(*config.resume_timeout), nullptr);
  }
  if (config.max_size) g_object_set(upload, "max-size", guint64{*config.max_size}, nullptr);
  if (config.max_chunks) g_object_set(upload, "max-chunks", guint{*config.max_chunks}, nullptr);
  if (config.min_rate) g_object_set(upload, "min-rate", guint64{*config.min_rate}, nullptr);
  if (config.max_pixels) g_object_set(upload, "max-pixels", guint64{*config.max_pixels}, nullptr);
  if (config.max_frames) g_object_set(upload, "max-frames", guint64{*config.max_frames}, nullptr);
  if (config.max_streams) g_object_set(upload, "max-streams", guint{*config.max_streams}, nullptr);
  if (config.max_duration) {
    g_object_set(upload, "max-duration", nanoseconds(*config.max_duration), nullptr);
  }
  if (config.idle_timeout) {
    g_object_set(upload, "idle-timeout", nanoseconds(*config.idle_timeout), nullptr);
  }
  if (config.upload_timeout) {
    g_object_set(upload, "upload-timeout", nanoseconds(*config.upload_timeout), nullptr);
  }
  if (config.spool_directory) {
    g_object_set(upload, "spool-directory", config.spool_directory->c_str(), nullptr);
  }
  if (config.spool_fd >= 0) g_object_set(upload, "spool-fd", config.spool_fd, nullptr);

  if (!config.allow_elements.empty()) {
    g_object_set(upload, "allow-elements", config.allow_elements.c_str(), nullptr);
  }
  if (!config.deny_elements.empty()) {
    g_object_set(upload, "deny-elements", config.deny_elements.c_str(), nullptr);
    never_choose(split_names(config.deny_elements));
  }
  if (config.quota_interval) {
    g_object_set(upload, "quota-interval", nanoseconds(*config.quota_interval), nullptr);
  }
  if (config.asks_policy) self->ask_before_storing();
  // After whoever is asked: the handlers are called in this order, up to the first no.
  if (self->events_.feeding) self->tell_of_feeding();
  if (config.realtime) self->pacer_ = std::make_shared<Pacer>();
  self->streams_->watch(self->pipeline_.get());
  prepare_decoded_video(self->pipeline_.get(), self->pacer_);

  // The upload's element lives as long as the pads that are looked at.
  self->frames_ = std::make_shared<FrameObserver>(
      self->events_.frame, [element = self->upload_.get()] { return stored_bytes(element) > 0; });
  self->frames_->attach(self->pipeline_.get());

  // The upload's state changes on threads that must not wait for ours.
  self->state_connection_ = SignalConnection(
      upload, "notify::state",
      G_CALLBACK(+[](GObject*, GParamSpec*, std::function<void()>* changed) { (*changed)(); }),
      std::function<void()>(
          [context, changed = self->events_.state_changed] { post_to(context, changed); }));

  self->complete_connection_ = SignalConnection(
      upload, "upload-complete",
      G_CALLBACK(+[](GstElement* element, std::function<void(const std::string&)>* complete) {
        const GstStructurePtr stats = stats_of(element);
        (*complete)(stats ? film_of(stats.get()).sha256 : "");
      }),
      self->events_.complete);

  const GstPtr<GstBus> bus(gst_element_get_bus(self->pipeline_.get()));
  gst_bus_set_sync_handler(
      bus.get(), on_sync_message,
      new SyncHandler{self->frames_, self->streams_, self->result_sink() != nullptr},
      [](gpointer data) { delete static_cast<SyncHandler*>(data); });
  self->bus_source_ = gst_bus_create_watch(bus.get());
  g_source_set_callback(self->bus_source_,
                        G_SOURCE_FUNC(+[](GstBus*, GstMessage* message, gpointer data) -> gboolean {
                          static_cast<SessionPipeline*>(data)->on_message(message);
                          return G_SOURCE_CONTINUE;
                        }),
                        self.get(), nullptr);
  g_source_attach(self->bus_source_, context);
  return self;
}

// The handlers run on the upload's worker, one after the other.
void SessionPipeline::tell_of_feeding() {
  struct Feeding {
    std::function<void(bool joined)> feeding;
    std::function<void()> fed;
    bool joined = false;
  };
  const auto told = std::make_shared<Feeding>(Feeding{events_.feeding, events_.fed});
  feeding_connection_ = SignalConnection(
      upload_.get(), "authorize",
      G_CALLBACK(+[](GstElement*, GstStructure* request, std::shared_ptr<Feeding>* to) -> gboolean {
        const char* protocol = gst_structure_get_string(request, "channel-protocol");
        (*to)->joined = version_of(protocol ? protocol : "") == WireVersion::kV2;
        (*to)->feeding((*to)->joined);
        return TRUE;
      }),
      told);
  fed_connection_ = SignalConnection(upload_.get(), "upload-complete",
                                     G_CALLBACK(+[](GstElement*, std::shared_ptr<Feeding>* to) {
                                       if ((*to)->joined) (*to)->fed();
                                     }),
                                     told);
}

// Both handlers run on the upload's worker, which waits for as long as it takes.
void SessionPipeline::ask_before_storing() {
  gate_ = std::make_shared<PolicyGate>(events_.ask);
  struct Asker {
    std::shared_ptr<PolicyGate> gate;
    std::function<void()> asks;
    // The element asks for the quota right after the authorization as well: one answer is enough.
    std::shared_ptr<std::atomic<bool>> just_asked;
  };
  const Asker asker{gate_, [context = context_, asks = events_.asks] { post_to(context, asks); },
                    std::make_shared<std::atomic<bool>>(false)};
  authorize_connection_ = SignalConnection(
      upload_.get(), "authorize",
      G_CALLBACK(+[](GstElement*, GstStructure* request, Asker* asking) -> gboolean {
        guint64 announced = 0;
        gst_structure_get_uint64(request, "estimated-size", &announced);
        *asking->just_asked = true;
        asking->asks();
        return asking->gate->allows({.point = PolicyQuestion::Point::kUpload,
                                     .bytes_announced = announced,
                                     .film = film_of(request)});
      }),
      asker);
  quota_connection_ = SignalConnection(
      upload_.get(), "check-quota", G_CALLBACK(+[](GstElement* upload, Asker* asking) -> gboolean {
        if (asking->just_asked->exchange(false)) return TRUE;
        return asking->gate->allows(
            {.point = PolicyQuestion::Point::kRunning, .bytes_received = stored_bytes(upload)});
      }),
      asker);
}

// Analysers post what they found right before they push the frame, on the same thread.
GstBusSyncReply SessionPipeline::on_sync_message(GstBus*, GstMessage* message, gpointer data) {
  const auto& handler = *static_cast<SyncHandler*>(data);
  handler.frames->add_message(message);
  handler.streams->add_message(message);
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
    case GST_MESSAGE_EOS:
      return GST_BUS_PASS;
    case GST_MESSAGE_ELEMENT:
      if (handler.keeps_element_messages) return GST_BUS_PASS;
      [[fallthrough]];
    default:
      // Nobody reads the rest, of which there can be several per frame.
      gst_message_unref(message);
      return GST_BUS_DROP;
  }
}

void SessionPipeline::on_message(GstMessage* message) {
  if (over_) return;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    over_ = true;
    events_.finished();
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    over_ = true;
    on_error(message);
  }
}

void SessionPipeline::on_error(GstMessage* message) {
  GError* error = nullptr;
  char* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  // The log has all of it.
  g_message("%s: %s (%s)", GST_OBJECT_NAME(GST_MESSAGE_SRC(message)),
            error ? error->message : "the pipeline failed", debug ? debug : "");
  g_free(debug);
  g_clear_error(&error);
  ClientError told = error_for_client(message, true);
  // A film whose streams nobody wants fails by what its demuxer says to that.
  if (told.code == kProcessingFailed && frames_->buffers() == 0) {
    told = why_unused().value_or(std::move(told));
  }
  events_.failed(std::move(told.code), std::move(told.message));
}

std::string SessionPipeline::start() {
  const bool started =
      gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  // Nothing has come that could be processed: an error now is one of the pipeline itself, also
  // where an element posts it and goes on.
  const GstMessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  if (started && !message) return "";
  over_ = true;
  if (!message) return "its state cannot be changed";
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  const GErrorPtr owned(error);
  return error->message;
}

void SessionPipeline::stop(std::function<void()> done) {
  over_ = true;
  state_connection_.disconnect();
  if (pacer_) pacer_->stop();
  if (gate_) gate_->stop();
  if (GSource* source = std::exchange(bus_source_, nullptr)) {
    g_source_destroy(source);
    g_source_unref(source);
  }
  if (!pipeline_) {
    if (done) post_to(context_, std::move(done));
    return;
  }
  if (!done) {
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    return;
  }
  struct Stop {
    GMainContext* context;
    std::function<void()> done;
  };
  gst_element_call_async(
      pipeline_.get(),
      [](GstElement* pipeline, gpointer data) {
        gst_element_set_state(pipeline, GST_STATE_NULL);
        auto* stop = static_cast<Stop*>(data);
        post_to(stop->context, stop->done);
      },
      new Stop{g_main_context_ref(context_), std::move(done)},
      [](gpointer data) {
        auto* stop = static_cast<Stop*>(data);
        g_main_context_unref(stop->context);
        delete stop;
      });
}

std::string SessionPipeline::upload_state() const {
  return enum_nick(G_OBJECT(upload_.get()), "state");
}

std::uint64_t SessionPipeline::stored_bytes(GstElement* upload) {
  const GstStructurePtr stats = stats_of(upload);
  guint64 bytes = 0;
  if (stats) gst_structure_get_uint64(stats.get(), "bytes", &bytes);
  return bytes;
}

bool SessionPipeline::upload_begun() const { return upload_state() != "idle"; }

bool SessionPipeline::upload_complete() const {
  const std::string state = upload_state();
  return state == "complete" || state == "processing" || state == "done";
}

bool SessionPipeline::may_be_joined() const {
  const UploadSource* upload = UploadSource::of(upload_.get());
  return upload && upload->may_be_joined();
}

bool SessionPipeline::attach(GstElement* webrtcbin) {
  return may_be_joined() && UploadSource::of(upload_.get())->attach(webrtcbin);
}

void SessionPipeline::detach(GstElement* webrtcbin) {
  if (UploadSource* upload = UploadSource::of(upload_.get())) upload->detach(webrtcbin);
}

FilmFacts SessionPipeline::film() const {
  const GstStructurePtr stats = stats_of(upload_.get());
  return stats ? film_of(stats.get()) : FilmFacts{};
}

SessionPipeline::Counts SessionPipeline::counts() const {
  Counts counts;
  counts.frames = frames_->frames();
  counts.buffers = frames_->buffers();
  if (const GstStructurePtr stats = stats_of(upload_.get())) {
    guint64 bytes = 0;
    guint chunks = 0;
    gst_structure_get_uint64(stats.get(), "bytes", &bytes);
    gst_structure_get_uint(stats.get(), "chunks-received", &chunks);
    counts.bytes = bytes;
    counts.chunks = chunks;
    gboolean interrupted = FALSE;
    gst_structure_get_boolean(stats.get(), "interrupted", &interrupted);
    counts.interrupted = interrupted;
  }
  return counts;
}

}  // namespace webrtcupload
