// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/channel_claim.h"

namespace webrtcupload {
namespace {

// The same for each copy of this code that a program has loaded.
GQuark claimant_key() {
  static const GQuark key = g_quark_from_static_string("webrtcupload-channel-claimant");
  return key;
}

// Compare-and-swap.
bool replace_claimant(GstWebRTCDataChannel* channel, const void* old, const void* claimant) {
  return g_object_replace_qdata(G_OBJECT(channel), claimant_key(), const_cast<void*>(old),
                                const_cast<void*>(claimant), nullptr, nullptr);
}

}  // namespace

bool claim_channel(GstWebRTCDataChannel* channel, const void* claimant) {
  return replace_claimant(channel, nullptr, claimant);
}

void release_channel(GstWebRTCDataChannel* channel, const void* claimant) {
  replace_claimant(channel, claimant, nullptr);
}

}  // namespace webrtcupload
