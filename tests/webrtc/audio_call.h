// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call beside an upload: audio that one side of a PeerPair sends to the other, over the same
// connection as the data channels.

#pragma once

#include <cstdint>
#include <memory>

#include "support/peer_pair.h"
#include "upload/upload_witness.h"

namespace webrtcupload::test {

class AudioCall {
 public:
  // Before the pair's start(): puts a source of audio into the pipeline of `sender`.
  AudioCall(PeerPair& pair, PeerPair::Side sender);
  // After start() and before negotiate(): the offerer offers to receive, if it does not send.
  void prepare();

  // Whether `packets` more arrive from now on, before the deadline.
  bool goes_on(int packets = 20, std::chrono::milliseconds deadline = kDeadline) const;
  [[nodiscard]] int packets() const { return arrived_->value(); }

 private:
  PeerPair& pair_;
  const PeerPair::Side sender_;
  const std::shared_ptr<Count> arrived_ = std::make_shared<Count>();
  SignalConnection on_pad_;
};

}  // namespace webrtcupload::test
