// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channels.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "webrtc/channel_getters.h"

namespace webrtcupload {
namespace {

// As many of those that have closed are kept at least. What webrtcbin still does with one, it does
// on one thread, in the order in which it was caused; so that is over when many others have been
// opened since.
constexpr std::size_t kKept = 256;

bool is_channel_bin(GstElement* element) {
  return g_str_equal(G_OBJECT_TYPE_NAME(element), "WebRTCErrorIgnoreBin");
}

bool has_parent(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const bool found = GST_OBJECT_PARENT(element) != nullptr;
  GST_OBJECT_UNLOCK(element);
  return found;
}

// Belongs to a webrtcbin, as data of the object.
class Kept {
 public:
  static Kept& of(GstElement* webrtcbin) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    // A key of its own for each copy of this code: an application and the plugin have one each.
    static const GQuark key = [] {
      const GCharPtr text(
          g_strdup_printf("webrtcupload-kept-channels-%p", static_cast<void*>(&mutex)));
      return g_quark_from_string(text.get());
    }();
    auto* kept = static_cast<Kept*>(g_object_get_qdata(G_OBJECT(webrtcbin), key));
    if (!kept) {
      kept = new Kept;
      g_object_set_qdata_full(G_OBJECT(webrtcbin), key, kept,
                              [](gpointer data) { delete static_cast<Kept*>(data); });
    }
    return *kept;
  }

  // Whether it is the first to ask.
  [[nodiscard]] bool begin() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(begun_, true);
  }

  void add(GstElement* bin) {
    std::vector<GstPtr<GstElement>> dropped;  // Let go after the lock.
    const std::lock_guard lock(mutex_);
    if (std::ranges::any_of(bins_, [&](const auto& kept) { return kept.get() == bin; })) return;
    bins_.push_back(ref_gst(bin));
    // Each channel has two. One that webrtcbin still has is not for us to let go of.
    while (bins_.size() > 2 * kKept) {
      const auto left =
          std::ranges::find_if(bins_, [](const auto& kept) { return !has_parent(kept.get()); });
      if (left == bins_.end()) break;
      dropped.push_back(std::move(*left));
      bins_.erase(left);
      bins_leave_ = true;
    }
  }

  void add(GstWebRTCDataChannel* channel) {
    std::vector<GObjectPtr<GstWebRTCDataChannel>> dropped;
    const std::lock_guard lock(mutex_);
    if (std::ranges::any_of(channels_, [&](const auto& kept) { return kept.get() == channel; })) {
      return;
    }
    channels_.push_back(ref_gobject(channel));
    while (bins_leave_ && channels_.size() > kKept) {
      const auto closed = std::ranges::find_if(channels_, [](const auto& kept) {
        return ready_state(kept.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
      });
      if (closed == channels_.end()) break;
      dropped.push_back(std::move(*closed));
      channels_.erase(closed);
    }
  }

 private:
  // Taken below webrtcbin's locks. With it held only a channel's getters are called.
  std::mutex mutex_;
  bool begun_ = false;
  // Whether webrtcbin lets go of a closed channel's bins. While it has them, they may call the
  // channel.
  bool bins_leave_ = false;
  std::deque<GstPtr<GstElement>> bins_;
  std::deque<GObjectPtr<GstWebRTCDataChannel>> channels_;
};

void keep_bins_in(GstBin* bin, Kept& kept) {
  GstIterator* iterator = gst_bin_iterate_recurse(bin);
  const auto keep = [](const GValue* item, gpointer data) {
    auto* element = static_cast<GstElement*>(g_value_get_object(item));
    if (is_channel_bin(element)) static_cast<Kept*>(data)->add(element);
  };
  while (gst_iterator_foreach(iterator, keep, &kept) == GST_ITERATOR_RESYNC) {
    gst_iterator_resync(iterator);
  }
  gst_iterator_free(iterator);
}

}  // namespace

void keep_channels(GstElement* webrtcbin) {
  Kept& kept = Kept::of(webrtcbin);
  if (!kept.begin()) return;
  if (GST_IS_BIN(webrtcbin)) {
    // Deep, for a bin that wraps a webrtcbin.
    g_signal_connect(webrtcbin, "deep-element-added",
                     G_CALLBACK(+[](GstElement* of, GstBin*, GstElement* element, gpointer) {
                       if (is_channel_bin(element)) Kept::of(of).add(element);
                     }),
                     nullptr);
    keep_bins_in(GST_BIN(webrtcbin), kept);
  }
  // The former for a channel of either side before it is used, the latter where a bin that wraps a
  // webrtcbin does not forward that.
  const auto keep =
      G_CALLBACK(+[](GstElement* of, GstWebRTCDataChannel* channel) { keep_channel(of, channel); });
  for (const char* signal : {"prepare-data-channel", "on-data-channel"}) {
    if (g_signal_lookup(signal, G_OBJECT_TYPE(webrtcbin)) != 0) {
      g_signal_connect(webrtcbin, signal, keep, nullptr);
    }
  }
}

void keep_channel(GstElement* webrtcbin, GstWebRTCDataChannel* channel) {
  Kept::of(webrtcbin).add(channel);
}

void close_channel(GstWebRTCDataChannel* channel) {
  if (ready_state(channel) != GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING) {
    gst_webrtc_data_channel_close(channel);
  }
}

}  // namespace webrtcupload
