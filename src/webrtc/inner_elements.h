// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The names of the elements and types that webrtcbin is made of. If a later GStreamer renames one,
// the test webrtc-workarounds fails; change the name here and nowhere else.

#pragma once

#include <gst/gst.h>

#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {

namespace inner {

// Factories.
inline constexpr const char* kSctpDecoder = "sctpdec";
inline constexpr const char* kSctpEncoder = "sctpenc";
inline constexpr const char* kDtlsEncoder = "dtlsenc";
inline constexpr const char* kDtlsDecoder = "dtlsdec";
inline constexpr const char* kIceSink = "nicesink";
// The type of the bins with which webrtcbin sends and receives for a data channel.
inline constexpr const char* kChannelBinType = "WebRTCErrorIgnoreBin";

}  // namespace inner

// For probes that are told of each packet.
inline constexpr auto kPackets =
    static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST);

// The pads called "sink" of all elements in `webrtcbin` that `factory` has made. None for an
// element that is no bin. Takes no lock of webrtcbin's but its object lock.
[[nodiscard]] std::vector<GstPtr<GstPad>> sink_pads_of(GstElement* webrtcbin, const char* factory);

// Nothing passes from here on, but the packet that came before.
void drop_at(GstPad* pad);

// Until the packet that is on its way through the pad, if any, has been handed over.
void wait_for_packet(GstPad* pad);

}  // namespace webrtcupload
