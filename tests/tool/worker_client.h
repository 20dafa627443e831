// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client of the drop-in endpoint that a test plays by hand: it asks for what `webrtc-upload send`
// does not, sends what no good client would, and keeps every result it gets.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result_framing.h"
#include "signalling/worker_request.h"
#include "support/peer_pair.h"

namespace webrtcupload::test {

class WorkerClient {
 public:
  // Of the channel that it uploads over.
  explicit WorkerClient(std::string protocol = "");

  using Rewrite = std::function<std::string(const std::string& sdp)>;
  // What becomes of descriptions on their way, for who sends through a relay.
  void rewrite(Rewrite offer, Rewrite answer) {
    rewrite_offer_ = std::move(offer);
    rewrite_answer_ = std::move(answer);
  }
  // Opens no channel for results.
  void want_no_results() { wants_results_ = false; }

  // Offers, posts `request` with that offer in it, and takes the answer. The status of the reply;
  // 200 is what a test wants mostly.
  int connect(int port, WorkerRequest request = {}, const std::string& more_headers = "");
  // The same with a further connection of the session at `location`; 201.
  int join(int port, const std::string& location, const std::string& more_headers = "");
  // The same, as often as it is told that there is no room.
  int join_when_there_is_room(int port, const std::string& location);
  // The same by other ways than HTTP: the offer, and what was said to it.
  [[nodiscard]] std::string make_offer();
  void take_answer(const std::string& answer_sdp);
  // The whole reply, headers included.
  [[nodiscard]] const std::string& reply() const { return reply_; }

  // In chunks as the clients send them, waiting as they do while much is buffered. Fails the test
  // if the channel does not open or closes.
  void upload(const std::string& path);
  // As many of the file's chunks as given, from the first.
  void upload_part(const std::string& path, std::uint32_t chunks);
  // On the results channel.
  [[nodiscard]] bool say(const std::string& text);

  // What came on the results channel so far.
  [[nodiscard]] std::vector<ResultAssembler::Assembled> results() const;
  // False if fewer have come by the deadline.
  [[nodiscard]] bool wait_results(std::size_t count) const;
  [[nodiscard]] bool wait_closed() const { return results_.observer->wait_closed(); }
  // The last message; false if it has not come by the deadline.
  [[nodiscard]] bool wait_completion() const;
  // Acknowledges it as soon as it has come, and waits until the server has closed the channel,
  // which it then does at once.
  [[nodiscard]] bool wait_end();

  // Both channels.
  [[nodiscard]] bool wait_open() const {
    return results_.observer->wait_open() && upload_.observer->wait_open();
  }

  // All that was sent for the upload so far has been stored.
  [[nodiscard]] bool wait_stored() const {
    return test::send_bytes(upload_.channel.get(), Bytes{1}) && upload_.observer->wait_messages(1);
  }
  // For clients of wire format v2.
  [[nodiscard]] const PeerPair::Channel& channel() const { return upload_; }
  // For what no good client does.
  [[nodiscard]] GstWebRTCDataChannel* upload_channel() const { return upload_.channel.get(); }
  [[nodiscard]] GstWebRTCDataChannel* results_channel() const { return results_.channel.get(); }
  // One more channel; kept until the connection ends.
  [[nodiscard]] bool open(const char* label) { return pair_->create_channel(label) != nullptr; }
  // Of its session: "/sessions/...", out of the reply.
  [[nodiscard]] std::string location() const;

  // Closes the connection, for good, after which only what has come can be read: webrtcbin 1.26
  // leaks some of its parts when it is stopped and lives on until its ICE fails for want of
  // answers, after 30 s.
  void hang_up();
  // As a program that is killed: without a word.
  void vanish();

 private:
  // Lets the pair make channels of this one side, without its other one.
  std::optional<PeerPair> pair_;
  int post_offer(int port, WorkerRequest request, const std::string& headers,
                 const std::string& path);
  // With an offer that is made.
  int exchange(int port, WorkerRequest request, const std::string& headers,
               const std::string& path);

  const std::string protocol_;
  bool wants_results_ = true;
  Rewrite rewrite_offer_;
  Rewrite rewrite_answer_;
  PeerPair::Channel results_;
  PeerPair::Channel upload_;
  std::string reply_;
  // That was asked for last.
  std::string path_;
};

}  // namespace webrtcupload::test
