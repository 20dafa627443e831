// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channels.h"

#include <algorithm>
#include <cstddef>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "glib/elements_in.h"
#include "glib/glib_ptr.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_owner.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload {
namespace {

// As many of those that have closed are kept. What webrtcbin still does with one, it does on one
// thread, in the order in which it was caused; so that is over when many others have been opened
// since.
constexpr std::size_t kKept = 256;

bool is_channel_bin(GstElement* element) {
  return g_str_equal(G_OBJECT_TYPE_NAME(element), inner::kChannelBinType);
}

bool has_parent(GstElement* element) {
  GST_OBJECT_LOCK(element);
  const bool found = GST_OBJECT_PARENT(element) != nullptr;
  GST_OBJECT_UNLOCK(element);
  return found;
}

// A channel, and the bins with which webrtcbin sends and receives for it.
struct ChannelParts {
  // Null for bins that were there before the keeping began.
  GObjectPtr<GstWebRTCDataChannel> channel;
  std::vector<GstPtr<GstElement>> bins;
  // Told before webrtcbin adds its bins, which are then the next two.
  bool awaits_bins = false;

  // What webrtcbin does not let go of by itself when the channel closes (1.22), it has to be rid
  // of: its thread that sends for the channel would stay.
  [[nodiscard]] bool needs_stop() const {
    return channel &&
           std::ranges::any_of(bins, [](const auto& bin) { return has_parent(bin.get()); });
  }
  [[nodiscard]] bool is_over() const {
    if (channel) return ready_state(channel.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED;
    return std::ranges::none_of(bins, [](const auto& bin) { return has_parent(bin.get()); });
  }
  // Waits for the threads of the bins.
  void stop() {
    for (const auto& bin : bins) {
      gst_element_set_locked_state(bin.get(), TRUE);
      gst_element_set_state(bin.get(), GST_STATE_NULL);
      const GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(bin.get())));
      if (parent) gst_bin_remove(GST_BIN(parent.get()), bin.get());
    }
  }
};
using AllParts = std::vector<ChannelParts>;

// Belongs to a webrtcbin, as data of the object.
class Kept {
 public:
  static Kept& of(GstElement* webrtcbin) {
    static Mutex mutex;
    const MutexLock lock(mutex);
    // A key of its own for each copy of this code: a program may have one linked in, and load the
    // plugins' library beside it.
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
    const MutexLock lock(mutex_);
    return !std::exchange(begun_, true);
  }

  void add(GstElement* bin) {
    const MutexLock lock(mutex_);
    if (!known_.insert(bin).second) return;
    if (!parts_.empty() && parts_.back().awaits_bins) {
      auto& bins = parts_.back().bins;
      bins.push_back(ref_gst(bin));
      parts_.back().awaits_bins = bins.size() < 2;
    } else {
      parts_.emplace_back().bins.push_back(ref_gst(bin));
    }
  }

  // What is not kept any longer, for the caller to let go of.
  [[nodiscard]] AllParts add(GstWebRTCDataChannel* channel, bool awaits_bins) {
    AllParts over;
    const MutexLock lock(mutex_);
    if (!known_.insert(channel).second) return over;
    parts_.push_back({.channel = ref_gobject(channel), .awaits_bins = awaits_bins});
    if (parts_.size() >= next_look_) over = sweep();
    return over;
  }

 private:
  // Looks at all of them, but only once for each kKept new ones.
  AllParts sweep() REQUIRES(mutex_) {
    AllParts over;
    std::vector<char> is_over(parts_.size());
    std::ranges::transform(parts_, is_over.begin(),
                           [](const auto& part) { return part.is_over(); });
    auto closed = static_cast<std::size_t>(std::ranges::count(is_over, 1));
    AllParts left;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const bool goes = is_over[i] && closed > kKept;
      if (goes) {
        --closed;
        known_.erase(parts_[i].channel.get());
        for (const auto& bin : parts_[i].bins) known_.erase(bin.get());
      }
      (goes ? over : left).push_back(std::move(parts_[i]));
    }
    parts_ = std::move(left);
    next_look_ = parts_.size() + kKept;
    return over;
  }

  // Taken below webrtcbin's locks. With it held only a channel's getters are called.
  Mutex mutex_;
  bool begun_ GUARDED_BY(mutex_) = false;
  // In the order in which they came, and the addresses of all that is in there.
  AllParts parts_ GUARDED_BY(mutex_);
  std::unordered_set<const void*> known_ GUARDED_BY(mutex_);
  std::size_t next_look_ GUARDED_BY(mutex_) = 2 * kKept;
};

void keep(GstElement* webrtcbin, GstWebRTCDataChannel* channel, bool awaits_bins) {
  AllParts over = Kept::of(webrtcbin).add(channel, awaits_bins);
  std::erase_if(over, [](const ChannelParts& parts) { return !parts.needs_stop(); });
  if (over.empty()) return;
  // Not here: under webrtcbin's locks nobody waits for its threads.
  gst_element_call_async(
      webrtcbin,
      [](GstElement*, gpointer parts) {
        for (ChannelParts& one : *static_cast<AllParts*>(parts)) one.stop();
      },
      new AllParts(std::move(over)), [](gpointer parts) { delete static_cast<AllParts*>(parts); });
}

void keep_bins_in(GstBin* bin, Kept& kept) {
  for (const auto& element : elements_in(bin)) {
    if (is_channel_bin(element.get())) kept.add(element.get());
  }
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
  if (g_signal_lookup("prepare-data-channel", G_OBJECT_TYPE(webrtcbin)) != 0) {
    g_signal_connect(
        webrtcbin, "prepare-data-channel",
        G_CALLBACK(+[](GstElement* of, GstWebRTCDataChannel* channel) { keep(of, channel, true); }),
        nullptr);
  }
  if (g_signal_lookup("on-data-channel", G_OBJECT_TYPE(webrtcbin)) != 0) {
    g_signal_connect(webrtcbin, "on-data-channel", G_CALLBACK(keep_channel), nullptr);
  }
}

void keep_channel(GstElement* webrtcbin, GstWebRTCDataChannel* channel) {
  keep(webrtcbin, channel, false);
}

void close_channel(GstWebRTCDataChannel* channel) {
  // Held as long as the channel uses it.
  const ChannelOwner owner = owner_of(channel);
  if (owner.has_gone()) return;
  if (ready_state(channel) != GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING) {
    gst_webrtc_data_channel_close(channel);
  }
}

}  // namespace webrtcupload
