// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channel_owner.h"

#include <utility>

#include "core/mutex.h"

namespace webrtcupload {
namespace {

Mutex watching_mutex;
bool watches GUARDED_BY(watching_mutex) = false;

// A key of its own for each copy of this code: a program may have one linked in, and load the
// plugins' library beside it.
GQuark owner_key() {
  static const GQuark key = [] {
    const GCharPtr text(
        g_strdup_printf("webrtcupload-channel-owner-%p", static_cast<void*>(&watching_mutex)));
    return g_quark_from_string(text.get());
  }();
  return key;
}

// In the emission of a signal of webrtcbin's, with its locks held.
gboolean note_owner(GSignalInvocationHint*, guint count, const GValue* parameters, gpointer) {
  constexpr gboolean kGoOn = TRUE;
  if (count < 2) return kGoOn;
  auto* webrtcbin = static_cast<GObject*>(g_value_get_object(&parameters[0]));
  auto* channel = static_cast<GObject*>(g_value_get_object(&parameters[1]));
  if (!webrtcbin || !channel || g_object_get_qdata(channel, owner_key())) return kGoOn;
  auto* owner = new GWeakRef;
  g_weak_ref_init(owner, webrtcbin);
  g_object_set_qdata_full(channel, owner_key(), owner, [](gpointer data) {
    auto* weak = static_cast<GWeakRef*>(data);
    g_weak_ref_clear(weak);
    delete weak;
  });
  return kGoOn;
}

// The type has to be there before its signals can be found.
GType webrtcbin_type() {
  const GstPtr<GstElementFactory> factory(gst_element_factory_find("webrtcbin"));
  if (!factory) return G_TYPE_INVALID;
  const GstPtr<GstPluginFeature> loaded(gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory.get())));
  return loaded ? gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(loaded.get()))
                : G_TYPE_INVALID;
}

}  // namespace

void watch_channel_owners() {
  const MutexLock lock(watching_mutex);
  if (watches) return;
  const GType type = webrtcbin_type();
  if (type == G_TYPE_INVALID) return;
  // Never given back: the hooks need the class.
  g_type_class_ref(type);
  // The former is told of each channel of either side before it is used, where there is such a
  // signal (from 1.22 on); the latter only of those that the peer makes.
  for (const char* signal : {"prepare-data-channel", "on-data-channel"}) {
    const guint id = g_signal_lookup(signal, type);
    if (id != 0) g_signal_add_emission_hook(id, 0, note_owner, nullptr, nullptr);
  }
  watches = true;
}

ChannelOwner owner_of(GstWebRTCDataChannel* channel) {
  auto* weak = static_cast<GWeakRef*>(g_object_get_qdata(G_OBJECT(channel), owner_key()));
  if (!weak) return {};
  return {.is_known = true,
          .webrtcbin = GstPtr<GstElement>(static_cast<GstElement*>(g_weak_ref_get(weak)))};
}

}  // namespace webrtcupload
