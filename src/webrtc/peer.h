// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One peer connection: a webrtcbin in a pipeline of its own, with its signals and promises brought
// to one GMainContext, negotiation without trickle, and one notion of "the other side is gone".
//
// It has its own pipeline so that its errors (a peer that hangs up is an ERROR message of sctpenc)
// are not those of the pipeline that looks at the video.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "glib/glib_ptr.h"
#include "webrtc/connect_stage.h"
#include "webrtc/data_channel.h"
#include "webrtc/ice_network.h"
#include "webrtc/ice_server.h"
#include "webrtc/ice_setup.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {

struct PeerOptions {
  // Where ICE may listen; empty = every interface.
  std::vector<std::string> local_addresses;
  // The other side is on this machine, and so it has to be: see IceSetup::this_machine.
  bool this_machine = false;
  // See IceSetup::machine.
  std::optional<LocalMachine> machine;
  IceNetwork network;
  // The first STUN server is used, and every TURN server; none of them when only loopback is
  // listened on, where they are of no use.
  std::vector<IceServer> ice_servers;
  // How long to wait for candidates. Without a usable interface gathering never completes.
  std::chrono::milliseconds gather_timeout{2000};
};

struct PeerError {
  std::string message;
  // Not the session description's fault: other peers have all ports now.
  bool busy = false;
};

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  // An upload has two. Each that is opened, and be it closed at once, costs webrtcbin two bins and
  // two threads, some of which stay until the connection's end; and the stacks of so many threads
  // have to fit into the memory that a session may have, or webrtcbin locks up.
  static constexpr std::size_t kMostChannels = 16;

  // Every event comes on the context's thread.
  struct Events {
    std::function<void()> connected;
    // The other side hung up or cannot be reached any more. At most once.
    std::function<void(const std::string& why)> gone;
    // Instead of `gone`: whoever has connected is not who sent the session description. Nothing
    // that came from there may be used.
    std::function<void(const std::string& why)> untrusted;
    // The other side has opened more than kMostChannels. Nothing more is received; it may still be
    // told good-bye. At most once.
    std::function<void(const std::string& why)> too_many_channels;
    // A channel the other side opened, with a label for which `watch_channel` was called.
    std::function<void(std::shared_ptr<DataChannel>)> channel;
  };
  using SdpCallback = std::function<void(std::variant<std::string, PeerError>)>;
  using DoneCallback = std::function<void()>;
  using ErrorCallback = std::function<void(std::string problem)>;  // Empty if all went well.

  // Null, with `problem` set, if GStreamer lacks something.
  static std::shared_ptr<Peer> create(GMainContext* context, PeerOptions options, Events events,
                                      std::string& problem);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // For the elements that look for channels themselves; valid as long as this is.
  [[nodiscard]] GstElement* webrtcbin() const;

  // Before the negotiation: report channels of that label.
  void watch_channel(std::string label, std::size_t max_pending);
  // Starts webrtcbin; everything that listens to its channels must be attached by now.
  [[nodiscard]] bool start();

  // The answering side.
  void answer(const Offer& offer, SdpCallback callback);
  // The offering side: channels first, then the offer, then the other's answer.
  std::shared_ptr<DataChannel> create_channel(const std::string& label, std::size_t max_pending);
  void offer(SdpCallback callback);
  void accept_answer(const std::string& answer_sdp, ErrorCallback callback);

  // What has not come about yet of the connection.
  [[nodiscard]] ConnectStage stage() const;
  // Why nothing has come yet over a channel with this label that the client was to open: which step
  // towards that is missing, for a person.
  [[nodiscard]] std::string why_no_upload(const std::string& label) const;

  // How many packets of the data channels' connection have come from the other side. It
  // acknowledges whatever it is sent, so a count that stands still then means that it is gone.
  [[nodiscard]] std::uint64_t packets_received() const;
  // How long ago the last of them came, or this was made.
  [[nodiscard]] std::chrono::microseconds silent_for() const;

  // Tells the other side and stops webrtcbin. Channels should be closed, and their closing awaited,
  // before: what is still queued would be lost. No event follows. `done` comes on the context. A
  // peer that is destroyed before that does not wait; the rest happens without it.
  void close(DoneCallback done);

 private:
  struct Impl;
  explicit Peer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace webrtcupload
