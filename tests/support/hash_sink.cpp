// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What came out of a pipeline, told to a test in another process: `testhashsink` leaves an empty
// file in `directory`, named by the SHA-256 of all bytes, when they are at their end.

#include <gst/base/gstbasesink.h>
#include <gst/gst.h>

#include <string>

namespace {

struct TestHashSink {
  GstBaseSink parent;
  GChecksum* checksum;
  char* directory;
};
struct TestHashSinkClass {
  GstBaseSinkClass parent_class;
};

enum { kPropDirectory = 1 };

GType test_hash_sink_get_type();
G_DEFINE_TYPE(TestHashSink, test_hash_sink, GST_TYPE_BASE_SINK)

TestHashSink* self_of(gpointer object) { return static_cast<TestHashSink*>(object); }

GstFlowReturn render(GstBaseSink* sink, GstBuffer* buffer) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return GST_FLOW_ERROR;
  g_checksum_update(self_of(sink)->checksum, map.data, static_cast<gssize>(map.size));
  gst_buffer_unmap(buffer, &map);
  return GST_FLOW_OK;
}

gboolean on_event(GstBaseSink* sink, GstEvent* event) {
  TestHashSink* self = self_of(sink);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && self->directory) {
    const std::string path =
        std::string(self->directory) + "/" + g_checksum_get_string(self->checksum);
    GError* error = nullptr;
    if (!g_file_set_contents(path.c_str(), "", 0, &error)) {
      GST_ELEMENT_ERROR(sink, RESOURCE, WRITE, ("%s", error->message), (nullptr));
      g_clear_error(&error);
    }
  }
  return GST_BASE_SINK_CLASS(test_hash_sink_parent_class)->event(sink, event);
}

gboolean start(GstBaseSink* sink) {
  g_checksum_reset(self_of(sink)->checksum);
  return TRUE;
}

void set_property(GObject* object, guint, const GValue* value, GParamSpec*) {
  g_free(self_of(object)->directory);
  self_of(object)->directory = g_value_dup_string(value);
}

void finalize(GObject* object) {
  g_checksum_free(self_of(object)->checksum);
  g_free(self_of(object)->directory);
  G_OBJECT_CLASS(test_hash_sink_parent_class)->finalize(object);
}

void test_hash_sink_class_init(TestHashSinkClass* klass) {
  auto* object_class = reinterpret_cast<GObjectClass*>(klass);
  object_class->set_property = set_property;
  object_class->finalize = finalize;
  g_object_class_install_property(
      object_class, kPropDirectory,
      g_param_spec_string("directory", "Directory", "Where the file is left", nullptr,
                          static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS)));
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  GstCaps* caps = gst_caps_new_any();
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
  gst_element_class_set_static_metadata(element_class, "Test hash sink", "Sink",
                                        "Tells the SHA-256 of what it gets", "webrtcupload");
  auto* sink_class = reinterpret_cast<GstBaseSinkClass*>(klass);
  sink_class->render = render;
  sink_class->event = on_event;
  sink_class->start = start;
}

void test_hash_sink_init(TestHashSink* self) {
  self->checksum = g_checksum_new(G_CHECKSUM_SHA256);
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}

gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "testhashsink", GST_RANK_NONE, test_hash_sink_get_type());
}

}  // namespace

#define PACKAGE "webrtcupload"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, testhashsink,
                  "Tells tests what came out of a pipeline", plugin_init, "1", "LGPL",
                  "webrtcupload", "webrtcupload")
