// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/goodbye.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "glib/enum_nick.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload {
namespace {

constexpr std::chrono::milliseconds kTimeout{500};
// For the alert to leave, which it does at once where the threads that carry it get to run, in
// looks of kTimeout; and when the connection is over, be it by the other side's alert.
constexpr int kDepartureLooks = 10;
constexpr int kLooksWhenOver = 2;
// Without a packet to encrypt for so long, SCTP's threads have handed on all they had.
constexpr std::chrono::milliseconds kQuiet{100};
// RFC 6347: a record's first byte is its type.
constexpr std::uint8_t kAlertRecord = 21;

// Whether an encrypted connection is up, by the element that holds it.
bool is_connected(GstPad* dtlsenc_sink) {
  const GstPtr<GstElement> element(gst_pad_get_parent_element(dtlsenc_sink));
  if (!element) return false;
  // GstDtlsConnectionState: new, closed, failed, connecting, connected.
  return enum_nick(G_OBJECT(element.get()), "connection-state") == "connected";
}

struct Departure {
  Mutex mutex;
  ConditionVariable changed;
  bool seen GUARDED_BY(mutex) = false;
};

bool is_alert(GstBuffer* buffer) {
  std::uint8_t type = 0;
  return buffer && gst_buffer_extract(buffer, 0, &type, 1) == 1 && type == kAlertRecord;
}

GstPadProbeReturn on_packet(GstPad*, GstPadProbeInfo* info, gpointer data) {
  bool alert = false;
  if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
    GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
    for (guint i = 0; i < gst_buffer_list_length(list); ++i) {
      alert = alert || is_alert(gst_buffer_list_get(list, i));
    }
  } else {
    alert = is_alert(GST_PAD_PROBE_INFO_BUFFER(info));
  }
  if (alert) {
    Departure& departure = **static_cast<std::shared_ptr<Departure>*>(data);
    const MutexLock lock(departure.mutex);
    departure.seen = true;
    departure.changed.notify_all();
  }
  return GST_PAD_PROBE_OK;
}

struct Traffic {
  Mutex mutex;
  ConditionVariable changed;
  std::chrono::steady_clock::time_point last GUARDED_BY(mutex) = std::chrono::steady_clock::now();
};

GstPadProbeReturn on_traffic(GstPad*, GstPadProbeInfo*, gpointer data) {
  Traffic& traffic = **static_cast<std::shared_ptr<Traffic>*>(data);
  const MutexLock lock(traffic.mutex);
  traffic.last = std::chrono::steady_clock::now();
  return GST_PAD_PROBE_OK;
}

void on_connection_state(GObject*, GParamSpec*, std::shared_ptr<Traffic>* traffic) {
  const MutexLock lock((*traffic)->mutex);
  (*traffic)->changed.notify_all();
}

// Nothing can be sent behind the alert. When the last channel has just been closed, our
// confirmation of the other side's part in that may still be on its way here; without it some
// (aiortc) never take the channel for closed, not even when the alert comes. What is left in
// `encoders` is what is still connected then: the other side may have left meanwhile.
void wait_for_quiet(std::vector<GstPtr<GstPad>>& encoders) {
  auto traffic = std::make_shared<Traffic>();
  std::vector<std::pair<GstPtr<GstPad>, gulong>> probes;
  std::vector<SignalConnection> connections;
  for (const auto& pad : encoders) {
    probes.emplace_back(ref_gst(pad.get()),
                        gst_pad_add_probe(pad.get(), kPackets, on_traffic,
                                          new std::shared_ptr<Traffic>(traffic), [](gpointer data) {
                                            delete static_cast<std::shared_ptr<Traffic>*>(data);
                                          }));
    const GstPtr<GstElement> element(gst_pad_get_parent_element(pad.get()));
    if (element) {
      connections.emplace_back(element.get(), "notify::connection-state",
                               G_CALLBACK(on_connection_state), traffic);
    }
  }
  const auto end = std::chrono::steady_clock::now() + kTimeout;
  while (true) {
    std::erase_if(encoders, [](const auto& pad) { return !is_connected(pad.get()); });
    MutexLock lock(traffic->mutex);
    const auto quiet_at = std::min(traffic->last + kQuiet, end);
    if (encoders.empty() || std::chrono::steady_clock::now() >= quiet_at) break;
    traffic->changed.wait_until(traffic->mutex, quiet_at);
  }
  for (const auto& [pad, probe] : probes) gst_pad_remove_probe(pad.get(), probe);
}

}  // namespace

void say_goodbye(GstElement* webrtcbin) {
  auto encoders = sink_pads_of(webrtcbin, inner::kDtlsEncoder);
  wait_for_quiet(encoders);
  if (encoders.empty()) return;
  const auto network = sink_pads_of(webrtcbin, inner::kIceSink);
  auto departure = std::make_shared<Departure>();
  std::vector<gulong> probes;
  for (const auto& pad : network) {
    probes.push_back(gst_pad_add_probe(
        pad.get(), kPackets, on_packet, new std::shared_ptr<Departure>(departure),
        [](gpointer data) { delete static_cast<std::shared_ptr<Departure>*>(data); }));
  }
  // What dtlsenc makes of EOS is the alert, which its own thread sends.
  for (const auto& pad : encoders) gst_pad_send_event(pad.get(), gst_event_new_eos());
  int over = 0;
  for (int look = 0; look < kDepartureLooks && over < kLooksWhenOver; ++look) {
    {
      MutexLock lock(departure->mutex);
      if (departure->changed.wait_for(departure->mutex, kTimeout,
                                      [&]() REQUIRES(departure->mutex) { return departure->seen; }))
        break;
    }
    const bool connected = std::any_of(encoders.begin(), encoders.end(),
                                       [](const auto& pad) { return is_connected(pad.get()); });
    if (!connected) ++over;
  }
  for (std::size_t i = 0; i < network.size(); ++i) {
    gst_pad_remove_probe(network[i].get(), probes[i]);
    // The probe saw it before the sink did, which has it when the packet's push is over.
    wait_for_packet(network[i].get());
  }
}

}  // namespace webrtcupload
