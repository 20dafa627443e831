// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A further connection that comes to nothing, and what it asks of the system.

#include "signalling/further_peers.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include "glib/main_context.h"
#include "support/sample_offers.h"
#include "support/taken_udp_port.h"
#include "support/wait.h"

namespace {

// Of the thread that has set it.
thread_local std::optional<int> sockets_made;

}  // namespace

// The C library's, as everything in this program and its libraries calls it.
extern "C" int socket(int domain, int type, int protocol) noexcept {
  if (sockets_made) ++*sockets_made;
  return static_cast<int>(syscall(SYS_socket, domain, type, protocol));
}

namespace webrtcupload {
namespace {

using Result = std::variant<std::string, HttpError>;

class FurtherPeersTest : public ::testing::Test {
 protected:
  FurtherPeersTest() {
    settings_.peer.local_addresses = {"127.0.0.1"};
    events_.may_be_joined = [this] { return joinable_; };
    events_.attach = [this](GstElement*) {
      ++attached_;
      return joinable_;
    };
    events_.announce = [](const std::string&, GstElement*, const std::function<void()>& ready) {
      ready();
    };
    events_.detach = [this](GstElement*) { --attached_; };
  }

  void allow_only(const test::TakenUdpPort& port) {
    settings_.peer.network.udp_ports = std::get<UdpPortRange>(parse_udp_port_range(port.number()));
  }
  void connect() {
    peers_ = std::make_shared<FurtherPeers>(g_main_context_default(), settings_, events_);
    peers_->connect("one", crlf(kWebrtcbinOffer), {.max_connections = 1},
                    [this](const Result& result) { replies_.push_back(result); });
  }
  // The status of the only reply, or 201.
  int reply() {
    run_until([this] { return !replies_.empty(); });
    if (replies_.size() != 1) return -1;
    const auto* error = std::get_if<HttpError>(&replies_.front());
    return error ? static_cast<int>(error->status) : 201;
  }
  void run_until(const std::function<bool()>& condition) {
    Timer deadline(g_main_context_default());
    bool late = false;
    deadline.start(test::kDeadline, [&] { late = true; });
    while (!condition() && !late) g_main_context_iteration(nullptr, TRUE);
    EXPECT_FALSE(late);
  }
  void TearDown() override {
    bool closed = false;
    peers_->close([&] { closed = true; });
    run_until([&] { return closed; });
    EXPECT_EQ(attached_, 0);
    EXPECT_EQ(replies_.size(), 1u);
  }

  bool joinable_ = true;
  int attached_ = 0;
  std::vector<Result> replies_;
  FurtherPeers::Settings settings_;
  FurtherPeers::Events events_;
  std::shared_ptr<FurtherPeers> peers_;
};

TEST_F(FurtherPeersTest, NothingIsMadeWhereThereIsNothingToJoin) {
  joinable_ = false;
  events_.attach = [](GstElement*) {
    ADD_FAILURE() << "a webrtcbin was made";
    return false;
  };
  connect();
  EXPECT_EQ(reply(), 409);
}

TEST_F(FurtherPeersTest, WithoutAFreePortTheClientMayTryAgain) {
  const test::TakenUdpPort port;
  allow_only(port);
  connect();
  EXPECT_EQ(reply(), 503);
}

// A sandbox forbids sockets from then on, and webrtcbin says that no port is free.
TEST_F(FurtherPeersTest, TheUploadBecomesCompleteMeanwhile) {
  const test::TakenUdpPort port;
  allow_only(port);
  connect();
  joinable_ = false;
  EXPECT_EQ(reply(), 409);
}

// An application that never gets to say that it listens.
TEST_F(FurtherPeersTest, TheAnswerIsNotWaitedForForEver) {
  settings_.answer_timeout = std::chrono::milliseconds(50);
  std::function<void()> late;
  events_.announce = [&late](const std::string&, GstElement*, std::function<void()> ready) {
    late = std::move(ready);
  };
  connect();
  EXPECT_EQ(reply(), 500);
  run_until([this] { return peers_->size() == 0; });
  late();
}

// A sandbox ends a process whose thread makes one that is none of webrtcbin's.
TEST_F(FurtherPeersTest, TheCallingThreadMakesNoSocketOnceTheMachineIsKnown) {
  sockets_made = 0;
  settings_.peer.this_machine = true;
  settings_.peer.machine = look_at_machine();
  EXPECT_GT(std::exchange(sockets_made, 0), 0);
  connect();
  EXPECT_EQ(reply(), 201);
  EXPECT_EQ(sockets_made, 0);
  sockets_made.reset();
}

}  // namespace
}  // namespace webrtcupload
