// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/sending_pipeline.h"

#include <gio/gio.h>

#include <algorithm>
#include <unistd.h>
#include <utility>

#include "glib/error_details.h"
#include "glib/main_context.h"
#include "tool/common/options.h"

namespace webrtcupload {
namespace {

// Of a read: large enough that reading costs little.
constexpr guint kBlockSize = 262144;
// How long the sink waits for a further connection: as long as the server does, but not for ever.
constexpr std::chrono::nanoseconds kResumeTimeout = std::chrono::hours(1);

GstStructurePtr stats_of(GstElement* sink) {
  GstStructure* stats = nullptr;
  g_object_get(sink, "stats", &stats, nullptr);
  return GstStructurePtr(stats);
}

std::chrono::nanoseconds time_in(const GstStructure* structure, const char* field) {
  guint64 time = 0;
  gst_structure_get_uint64(structure, field, &time);
  return std::chrono::nanoseconds(std::min(time, guint64{G_MAXINT64}));
}

unsigned count_in(const GstStructure* structure, const char* field) {
  guint count = 0;
  gst_structure_get_uint(structure, field, &count);
  return count;
}

std::string text_of(const GstStructure* structure, const char* field) {
  const char* text = structure ? gst_structure_get_string(structure, field) : nullptr;
  return text ? text : "";
}

}  // namespace

SendingPipeline::SendingPipeline(GMainContext* context, SendingOptions options, Events events)
    : context_(context), options_(std::move(options)), events_(std::move(events)) {}

SendingPipeline::~SendingPipeline() {
  if (bus_source_) {
    g_source_destroy(bus_source_);
    g_source_unref(bus_source_);
  }
  if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

std::string SendingPipeline::prepare(GstElement* webrtcbin) {
  if (std::string problem = build(webrtcbin); !problem.empty()) return problem;
  if (gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE) {
    watch_bus();
    return "";
  }
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  const std::unique_ptr<GstMessage, FunctionDeleter<gst_message_unref>> message(
      gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  if (!message) return "the upload cannot begin";
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, nullptr);
  std::string problem = error->message;
  g_error_free(error);
  return problem;
}

std::string SendingPipeline::build(GstElement* webrtcbin) {
  pipeline_ = GstPtr<GstElement>(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  source_ = make_source();
  sink_ = gst_element_factory_make("webrtcuploadsink", nullptr);
  for (GstElement* element : {source_, sink_}) {
    if (element) gst_bin_add(GST_BIN(pipeline_.get()), element);
  }
  if (!source_) return "GStreamer lacks its core elements";
  if (!sink_) return missing_element("webrtcuploadsink");
  gst_util_set_object_arg(G_OBJECT(sink_), "protocol", options_.v2 ? "v2" : "v1");
  g_object_set(sink_, "webrtcbin", webrtcbin, nullptr);
  if (options_.v2) {
    g_object_set(sink_, "resume-timeout", guint64{kResumeTimeout.count()}, nullptr);
    if (options_.file != kStandardInput) name_file();
  }
  if (options_.chunk_size) g_object_set(sink_, "chunk-size", guint{*options_.chunk_size}, nullptr);
  if (options_.buffer_limit) {
    g_object_set(sink_, "buffer-limit", guint64{*options_.buffer_limit}, nullptr);
  }
  gst_element_link(source_, sink_);
  const GstPtr<GstPad> pad(gst_element_get_static_pad(sink_, "sink"));
  gst_pad_add_probe(
      pad.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad*, GstPadProbeInfo* info, gpointer self) {
        return static_cast<SendingPipeline*>(self)->on_data(info);
      },
      this, nullptr);
  return "";
}

void SendingPipeline::name_file() {
  const std::unique_ptr<char, FunctionDeleter<g_free>> name(
      g_filename_display_basename(options_.file.c_str()));
  // By the name alone, as browsers do. A system that knows no types says that it is unsure.
  gboolean is_unsure = FALSE;
  const std::unique_ptr<char, FunctionDeleter<g_free>> type(
      g_content_type_guess(name.get(), nullptr, 0, &is_unsure));
  const std::unique_ptr<char, FunctionDeleter<g_free>> mime_type(
      is_unsure ? nullptr : g_content_type_get_mime_type(type.get()));
  g_object_set(sink_, "file-name", name.get(), "content-type", mime_type.get(), nullptr);
}

GstElement* SendingPipeline::make_source() {
  const bool is_input = options_.file == kStandardInput;
  // fdsrc waits for what comes in a way that can be interrupted.
  GstElement* source = gst_element_factory_make(is_input ? "fdsrc" : "filesrc", nullptr);
  if (!source) return nullptr;
  g_object_set(source, "blocksize", kBlockSize, nullptr);
  if (is_input) {
    g_object_set(source, "fd", gint{STDIN_FILENO}, nullptr);
  } else {
    g_object_set(source, "location", options_.file.c_str(), nullptr);
  }
  return source;
}

void SendingPipeline::watch_bus() {
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  bus_source_ = gst_bus_create_watch(bus.get());
  g_source_set_callback(bus_source_,
                        G_SOURCE_FUNC(+[](GstBus*, GstMessage* message, gpointer self) -> gboolean {
                          static_cast<SendingPipeline*>(self)->on_message(message);
                          return G_SOURCE_CONTINUE;
                        }),
                        this, nullptr);
  g_source_attach(bus_source_, context_);
}

GstPadProbeReturn SendingPipeline::on_data(GstPadProbeInfo* info) {
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
    taken_ += gst_buffer_get_size(GST_PAD_PROBE_INFO_BUFFER(info));
  } else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS && taken_ == 0) {
    // v2 would send an empty file, which is no video. Of files it is known before.
    GST_ELEMENT_ERROR(source_, RESOURCE, READ, ("standard input is empty"), (nullptr));
    return GST_PAD_PROBE_DROP;
  }
  return GST_PAD_PROBE_OK;
}

void SendingPipeline::play() { gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }

void SendingPipeline::stop(std::function<void()> stopped) {
  if (bus_source_) g_source_destroy(bus_source_);
  if (!pipeline_) return post_to(context_, std::move(stopped));
  struct Stop {
    std::function<void()> stopped;
    GMainContext* context;
  };
  gst_element_call_async(
      pipeline_.get(),
      [](GstElement* pipeline, gpointer data) {
        gst_element_set_state(pipeline, GST_STATE_NULL);
        auto* stop = static_cast<Stop*>(data);
        post_to(stop->context, std::move(stop->stopped));
      },
      new Stop{std::move(stopped), g_main_context_ref(context_)},
      [](gpointer data) {
        auto* stop = static_cast<Stop*>(data);
        g_main_context_unref(stop->context);
        delete stop;
      });
}

void SendingPipeline::on_message(GstMessage* message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    events_.complete();
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    on_error(message);
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT &&
             GST_MESSAGE_SRC(message) == GST_OBJECT(sink_)) {
    on_news(gst_message_get_structure(message));
  }
}

void SendingPipeline::on_news(const GstStructure* news) {
  if (gst_structure_has_name(news, "webrtcuploadsink-ready")) {
    events_.ready({.max_connections = count_in(news, "max-connections"),
                   .resume_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::min(time_in(news, "resume-timeout"), kResumeTimeout))});
  } else if (gst_structure_has_name(news, "webrtcuploadsink-connection-lost")) {
    const GValue* webrtcbin = gst_structure_get_value(news, "webrtcbin");
    if (!webrtcbin || !GST_IS_ELEMENT(g_value_get_object(webrtcbin))) return;
    events_.connection_lost(GST_ELEMENT(g_value_get_object(webrtcbin)), text_of(news, "reason"));
  } else if (gst_structure_has_name(news, "webrtcuploadsink-resumed")) {
    events_.resumed();
  }
}

std::string SendingPipeline::attach(GstElement* webrtcbin) {
  gboolean attached = FALSE;
  g_signal_emit_by_name(sink_, "attach", webrtcbin, &attached);
  return attached ? "" : "the upload takes no further connection";
}

void SendingPipeline::on_error(GstMessage* message) {
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  Failure failure{.message = error ? error->message : "the upload failed"};
  g_clear_error(&error);
  const GstStructure* details = nullptr;
  gst_message_parse_error_details(message, &details);
  failure.code = text_of(details, kErrorCodeField);
  failure.by_server = details && gst_structure_has_field(details, "resumable");
  if (!failure.code.empty()) {
    // Without what the element says around it for those who see only its messages.
    const GstStructurePtr stats = stats_of(sink_);
    if (const std::string text = text_of(stats.get(), kErrorMessageField); !text.empty()) {
      failure.message = text;
    }
  }
  events_.failed(failure);
}

SendingPipeline::Figures SendingPipeline::figures() const {
  Figures figures;
  if (!sink_) return figures;
  const GstStructurePtr stats = stats_of(sink_);
  guint64 bytes = 0;
  gst_structure_get_uint64(stats.get(), options_.v2 ? "stored" : "bytes", &bytes);
  figures.bytes = bytes;
  figures.connections = count_in(stats.get(), "connections");
  figures.waited_for_room = time_in(stats.get(), "waited-for-room");
  figures.round_trip = time_in(stats.get(), "round-trip");
  return figures;
}

std::string SendingPipeline::sha256() const {
  if (!options_.v2 || !sink_) return "";
  char* sum = nullptr;
  g_object_get(sink_, "sha256", &sum, nullptr);
  const GCharPtr owned(sum);
  return sum ? sum : "";
}

}  // namespace webrtcupload
