// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Notices that the other side is gone. No single thing webrtcbin shows covers every way a peer can
// leave: a closed channel shows on the channel only, a closed connection on the DTLS transport
// only, a peer that vanished on the connection state only. Both elements watch all of them through
// this class.

#pragma once

#include <gst/webrtc/webrtc.h>

#include <functional>
#include <memory>
#include <string>

#include "glib/glib_ptr.h"

namespace webrtcupload {

class PeerWatch {
 public:
  // `why` is a sentence for a person. Runs at most once in the life of a PeerWatch, on whichever
  // thread noticed: webrtcbin's pc thread with the PC lock held, a DTLS or SCTP thread, or the
  // thread that called a watch_ function. So it must neither block nor touch a webrtcbin; setting a
  // flag and signalling a condition is what it is for. It can still be running when the destructor
  // returns, so it captures what it uses by (weak or shared) pointer.
  using OnGone = std::function<void(const std::string& why)>;

  explicit PeerWatch(OnGone on_gone);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // Watches for the channel's closing. May be called under the PC lock (in on-data-channel). A
  // channel that is closed already is reported at once.
  void watch_channel(GstWebRTCDataChannel* channel);

  // Watches the connection: its state, its SCTP association and its DTLS transport, the latter two
  // as soon as they exist. Reads properties of webrtcbin, so it must not be called under the PC
  // lock (in no handler of a data channel's signals).
  void watch_connection(GstElement* webrtcbin);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace webrtcupload
