// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/live_objects.h"

#include <gst/gst.h>
#include <gst/gsttracer.h>

#include <mutex>
#include <set>
#include <utility>

#include "glib/glib_ptr.h"

namespace webrtcupload::test {
namespace {

GstPtr<GstObject> leaks_tracer() {
  GstPtr<GstObject> found;
  GList* tracers = gst_tracing_get_active_tracers();
  for (GList* item = tracers; item; item = item->next) {
    if (g_str_equal(G_OBJECT_TYPE_NAME(item->data), "GstLeaksTracer")) {
      found = ref_gst(GST_OBJECT(item->data));
    }
  }
  g_list_free_full(tracers, gst_object_unref);
  return found;
}

// While a thread holds this mutex, no other thread frees the memory of an object. Recursive, since
// what the tracer prints of an object may make and free others.
std::recursive_mutex& freeing() {
  static std::recursive_mutex mutex;
  return mutex;
}

// GStreamer calls this on the thread that is about to free the memory of an object.
void on_destroyed(GObject* /*tracer*/, GstClockTime /*now*/, gpointer /*object*/) {
  const std::lock_guard until_listed(freeing());
}

// The tracer's list, in `info`. g_signal_emit_by_name() would copy the list, and free the tracer's,
// which makes and drops references to objects that may be gone.
void ask(GstObject* tracer, GValue* info) {
  GValue instance = G_VALUE_INIT;
  g_value_init_from_instance(&instance, tracer);
  g_value_init(info, GST_TYPE_STRUCTURE);
  g_signal_emitv(&instance, g_signal_lookup("get-live-objects", G_OBJECT_TYPE(tracer)), 0, info);
  g_value_unset(&instance);
}

// An entry of the tracer's list.
struct Listed {
  const GstStructure* entry;
  GValue* object;
};

std::vector<Listed> entries(const GstStructure* info) {
  std::vector<Listed> found;
  const GValue* list = gst_structure_get_value(info, "live-objects-list");
  for (guint i = 0; list && i < gst_value_list_get_size(list); ++i) {
    const GstStructure* entry = gst_value_get_structure(gst_value_list_get_value(list, i));
    found.push_back({entry, const_cast<GValue*>(gst_structure_get_value(entry, "object"))});
  }
  return found;
}

// False if the last reference has been dropped. g_object_ref() and gst_mini_object_ref() would
// count up all the same, and the latter's object would then be freed twice.
bool take_reference(int* count) {
  int seen = g_atomic_int_get(count);
  while (seen > 0) {
    if (g_atomic_int_compare_and_exchange(count, seen, seen + 1)) return true;
    seen = g_atomic_int_get(count);
  }
  return false;
}

// The tracer (1.22 to 1.28) lists objects without taking references, but whoever frees its list
// drops one of each. This takes the missing one, or takes an object that is being finalised off the
// list.
bool take_listed(GValue* object) {
  gpointer pointer = object->data[0].v_pointer;
  int* count = G_VALUE_HOLDS_OBJECT(object)
                   ? reinterpret_cast<int*>(&static_cast<GObject*>(pointer)->ref_count)
                   : &static_cast<GstMiniObject*>(pointer)->refcount;
  if (take_reference(count)) return true;
  object->data[0].v_pointer = nullptr;
  return false;
}

// webrtcbin never frees the error that a data channel's appsrc posts when the channel closes while
// that sends (webrtc_error_ignore_bin_handle_message() in webrtcdatachannel.c of 1.22), and with it
// stay the appsrc and its pads.
std::set<gpointer> kept_by_errors_of_data_channels(const std::vector<Listed>& listed) {
  std::set<gpointer> kept;
  for (const Listed& item : listed) {
    if (!G_VALUE_HOLDS(item.object, GST_TYPE_MESSAGE)) continue;
    auto* message = static_cast<GstMessage*>(g_value_get_boxed(item.object));
    GstObject* source = GST_MESSAGE_SRC(message);
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR || !source || source->parent ||
        !g_str_equal(G_OBJECT_TYPE_NAME(source), "GstAppSrc")) {
      continue;
    }
    kept.insert(message);
    kept.insert(source);
    for (GList* pad = GST_ELEMENT(source)->pads; pad; pad = pad->next) kept.insert(pad->data);
  }
  return kept;
}

// See webrtcbin_leaks_messages(). The message's memory is the sender's, who may have freed it.
std::set<gpointer> kept_by_closed_data_channels(const std::vector<Listed>& listed) {
  std::set<gpointer> kept;
  const GType of_messages = g_type_from_name("GstSctpSendMetaAPI");
  if (of_messages == G_TYPE_INVALID || !webrtcbin_leaks_messages()) return kept;
  for (const Listed& item : listed) {
    if (!G_VALUE_HOLDS(item.object, GST_TYPE_BUFFER)) continue;
    auto* buffer = static_cast<GstBuffer*>(g_value_get_boxed(item.object));
    // One reference is the leaked one, the other this list's.
    constexpr int kReferences = 2;
    if (GST_MINI_OBJECT_REFCOUNT_VALUE(buffer) != kReferences ||
        !gst_buffer_get_meta(buffer, of_messages)) {
      continue;
    }
    kept.insert(buffer);
    for (guint i = 0; i < gst_buffer_n_memory(buffer); ++i) {
      kept.insert(gst_buffer_peek_memory(buffer, i));
    }
  }
  return kept;
}

}  // namespace

bool webrtcbin_leaks_messages() {
  guint major = 0;
  guint minor = 0;
  guint micro = 0;
  guint nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return minor < 24;
}

bool leaks_tracer_active() { return leaks_tracer() != nullptr; }

void prepare_live_objects() {
  const GstPtr<GstObject> tracer = leaks_tracer();
  if (!tracer) return;
  for (const char* hook : {"object-destroyed", "mini-object-destroyed"}) {
    gst_tracing_register_hook(reinterpret_cast<GstTracer*>(tracer.get()), hook,
                              G_CALLBACK(on_destroyed));
  }
}

std::vector<std::string> live_objects() {
  std::vector<std::string> found;
  const GstPtr<GstObject> tracer = leaks_tracer();
  if (!tracer) return found;
  g_auto(GValue) info = G_VALUE_INIT;
  std::vector<Listed> taken;
  {
    const std::lock_guard none_is_freed(freeing());
    ask(tracer.get(), &info);
    for (const Listed& item : entries(gst_value_get_structure(&info))) {
      if (take_listed(item.object)) {
        taken.push_back(item);
      } else {
        found.push_back(std::string(G_VALUE_TYPE_NAME(item.object)) + " that is being finalised");
      }
    }
  }
  std::set<gpointer> kept = kept_by_errors_of_data_channels(taken);
  kept.merge(kept_by_closed_data_channels(taken));
  bool generated_certificate_seen = false;
  for (const auto& [entry, object] : taken) {
    if (kept.contains(object->data[0].v_pointer)) continue;
    // dtlsdec keeps the one that holds its generated certificate for the life of the process
    // (generated_cert_agent in gstdtlsdec.c).
    if (g_str_equal(G_VALUE_TYPE_NAME(object), "GstDtlsAgent") &&
        !std::exchange(generated_certificate_seen, true)) {
      continue;
    }
    const GCharPtr text(gst_structure_to_string(entry));
    found.push_back(std::string(G_VALUE_TYPE_NAME(object)) + " " + text.get());
  }
  return found;
}

}  // namespace webrtcupload::test
