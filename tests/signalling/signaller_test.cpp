// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadserver with a signaller of the application's: one that is in this process, and hands
// offers and answers over as texts.

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "noting_signaller.h"
#include "signalling/upload_server.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "support/taken_udp_port.h"
#include "tool/worker_client.h"
#include "webrtcupload/webrtcupload.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;
using test::BusLog;
using test::Bytes;
using test::eventually;
using test::TakenUdpPort;
using test::WorkerClient;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Signaller : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/webrtc-upload-test-XXXXXX";
    directory_ = mkdtemp(name);
    bytes_ = test::random_bytes(1'000'000);
    std::ofstream(file(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes_.data()),
               static_cast<std::streamsize>(bytes_.size()));
    signaller_.reset(static_cast<TestSignaller*>(g_object_new(test_signaller_get_type(), nullptr)));
    signaller_->told = &told_;
  }
  void TearDown() override {
    if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    bus_.reset();
    fs::remove_all(directory_);
  }

  void make(const std::string& properties = "") {
    pipeline_ = test::parse_pipeline("webrtcuploadserver name=server " + properties +
                                     " ! filesink location=" + out());
    ASSERT_TRUE(pipeline_);
    bus_ = std::make_unique<BusLog>(pipeline_.get());
    server_ = test::element_named(pipeline_, "server");
    g_object_set(server_.get(), "signaller", signaller_.get(), nullptr);
  }
  void play() {
    ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  }
  void start(const std::string& properties = "") {
    make(properties);
    play();
  }

  [[nodiscard]] GstWebrtcUploadSignaller* signaller() const {
    return GST_WEBRTC_UPLOAD_SIGNALLER(signaller_.get());
  }
  [[nodiscard]] bool offer(const std::string& id, const std::string& sdp) const {
    return gst_webrtc_upload_signaller_offer(signaller(), id.c_str(), sdp.c_str());
  }
  [[nodiscard]] bool told(const std::string& call) {
    return eventually([&] {
      const auto calls = told_.all();
      return std::find(calls.begin(), calls.end(), call) != calls.end();
    });
  }
  // As a client that has its answer.
  [[nodiscard]] std::unique_ptr<WorkerClient> connect(const std::string& id) {
    auto client = std::make_unique<WorkerClient>();
    EXPECT_TRUE(offer(id, client->make_offer()));
    if (!told("answer " + id)) return nullptr;
    std::string sdp;
    {
      const std::lock_guard lock(told_.mutex);
      sdp = told_.sdp;
    }
    client->take_answer(sdp);
    return client;
  }
  void expect_upload(WorkerClient& client) {
    client.upload(file());
    ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
    std::ifstream in(out(), std::ios::binary);
    EXPECT_EQ(Bytes(std::istreambuf_iterator<char>(in), {}), bytes_);
  }
  [[nodiscard]] bool begun(const std::string& code) const {
    return static_cast<bool>(bus_->wait(GST_MESSAGE_PROGRESS, [&](GstMessage* message) {
      GstProgressType type{};
      char* text = nullptr;
      gst_message_parse_progress(message, &type, &text, nullptr);
      const GCharPtr owned(text);
      return type == GST_PROGRESS_TYPE_START && code == text;
    }));
  }

  [[nodiscard]] std::string file() const { return directory_ + "/file"; }
  [[nodiscard]] std::string out() const { return directory_ + "/out"; }

  Told told_;
  std::string directory_;
  Bytes bytes_;
  GObjectPtr<TestSignaller> signaller_;
  GstPtr<GstElement> pipeline_;
  GstPtr<GstElement> server_;
  std::unique_ptr<BusLog> bus_;
};

// A handler of "peer-added" that returns when it is released. For one peer.
class BlockedPeerAdded {
 public:
  explicit BlockedPeerAdded(GstElement* server)
      : connection_(server, "peer-added",
                    G_CALLBACK(+[](GstElement*, GstElement*, BlockedPeerAdded** self) {
                      (*self)->blocked_.set_value();
                      (*self)->released_.get_future().wait();
                    }),
                    this) {}

  void wait_blocked() { blocked_.get_future().wait(); }
  void release() { released_.set_value(); }

 private:
  std::promise<void> blocked_;
  std::promise<void> released_;
  SignalConnection connection_;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

bool listens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  const bool connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

TEST_F(Signaller, BringsAWholeUpload) {
  const int port = free_port();
  start("port=" + std::to_string(port));
  EXPECT_FALSE(listens(port)) << "there is no HTTP server";
  char* url = nullptr;
  g_object_get(server_.get(), "url", &url, nullptr);
  EXPECT_EQ(url, nullptr);
  const auto client = connect("one");
  ASSERT_TRUE(client);
  expect_upload(*client);
  ASSERT_EQ(test::set_state(pipeline_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_THAT(told_.all(), ElementsAre("start", "answer one", "end one", "stop"));
}

TEST_F(Signaller, IsToldWhyAnOfferIsRefused) {
  start();
  ASSERT_TRUE(offer("text", "v=0\r\n"));
  ASSERT_TRUE(told("refuse text InvalidOffer"));
  EXPECT_NE(told_.message, "");
  ASSERT_TRUE(offer("long", std::string(2'000'000, 'x')));
  ASSERT_TRUE(told("refuse long InvalidOffer"));
  ASSERT_TRUE(offer("nothing", ""));
  ASSERT_TRUE(told("refuse nothing InvalidOffer"));
  EXPECT_FALSE(offer("", "v=0\r\n"));
  const std::string longest(256, 'x');
  ASSERT_TRUE(offer(longest, "v=0\r\n"));
  ASSERT_TRUE(told("refuse " + longest + " InvalidOffer"));
  EXPECT_FALSE(offer(longest + "x", "v=0\r\n"));
  // All of which leaves the place free. While it is taken, others are refused, and whoever comes
  // with the name of the one that is there.
  const auto client = connect("one");
  ASSERT_TRUE(client);
  WorkerClient other;
  const std::string sdp = other.make_offer();
  ASSERT_TRUE(offer("two", sdp));
  ASSERT_TRUE(told("refuse two TooManySessions"));
  ASSERT_TRUE(offer("one", sdp));
  ASSERT_TRUE(told("refuse one TooManySessions"));
  expect_upload(*client);
  EXPECT_THAT(told_.all(), Not(Contains(StartsWith("end"))));
}

TEST_F(Signaller, BringsOnePeerAfterTheOther) {
  start();
  auto gone = connect("gone");
  ASSERT_TRUE(gone);
  ASSERT_TRUE(gone->wait_open());
  gone->hang_up();
  ASSERT_TRUE(told("end gone peer-gone"));
  auto withdrawn = connect("withdrawn");
  ASSERT_TRUE(withdrawn);
  gst_webrtc_upload_signaller_withdraw(signaller(), "another");
  gst_webrtc_upload_signaller_withdraw(signaller(), "withdrawn");
  ASSERT_TRUE(told("end withdrawn"));
  const auto client = connect("last");
  ASSERT_TRUE(client);
  expect_upload(*client);
}

// A peer whose answer never reaches it has as much time as any other.
TEST_F(Signaller, LosesAnswersAndThePlaceIsFreeAgain) {
  start("connect-timeout=300000000");
  WorkerClient lost;
  ASSERT_TRUE(offer("lost", lost.make_offer()));
  ASSERT_TRUE(told("end lost connect-timeout"));
  EXPECT_THAT(told_.message, HasSubstr("did not begin to upload in time"));
  EXPECT_THAT(told_.all(), ElementsAre("start", "answer lost", "end lost connect-timeout"));
}

// It may take its time, and holds up nothing of the peer's but what it is told.
TEST_F(Signaller, TakesItsTimeToAnswer) {
  std::promise<void> go_on;
  start();
  WorkerClient client;
  told_.on_answer = [&] { go_on.get_future().wait(); };
  ASSERT_TRUE(offer("late", client.make_offer()));
  ASSERT_TRUE(told("answer late"));
  // Others wait for their word in the meantime, but not any number of them: with the one that is
  // answered, as many as the document says.
  int taken = 0;
  while (taken < 1000 && offer("other", "v=0\r\n")) ++taken;
  EXPECT_EQ(taken + 1, 16);
  EXPECT_THAT(told_.all(), ElementsAre("start", "answer late"));
  client.take_answer(told_.sdp);
  expect_upload(client);
  go_on.set_value();
  ASSERT_TRUE(eventually([&] {
    const auto calls = told_.all();
    return std::count(calls.begin(), calls.end(), "refuse other TooManySessions") == taken;
  }));
  EXPECT_TRUE(offer("next", "v=0\r\n")) << "there is room again";
}

// While the application is told of the peer, who is not answered before that.
TEST_F(Signaller, WithdrawsAnOfferThatIsNotAnsweredYet) {
  start();
  BlockedPeerAdded handler(server_.get());
  WorkerClient client;
  ASSERT_TRUE(offer("one", client.make_offer()));
  handler.wait_blocked();
  gst_webrtc_upload_signaller_withdraw(signaller(), "one");
  handler.release();
  ASSERT_TRUE(told("refuse one Withdrawn"));
  EXPECT_EQ(told_.message, "The offer was withdrawn.");
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  EXPECT_THAT(told_.all(), ElementsAre("start", "refuse one Withdrawn", "stop"));
}

TEST_F(Signaller, IsToldThatNoPortIsFree) {
  TakenUdpPort taken;
  start(taken.as_only_port());
  WorkerClient client;
  ASSERT_TRUE(offer("one", client.make_offer()));
  ASSERT_TRUE(told("refuse one NoPortFree"));
  EXPECT_THAT(told_.message, HasSubstr("none of the UDP ports " + taken.number() + " is free"));
}

// Which is the application's doing, or webrtcbin's. The server is asked without its element, whose
// offers have a minute.
TEST_F(Signaller, IsToldThatAnOfferTookTooLong) {
  std::promise<void> left;
  UploadServer::Settings settings;
  settings.answer_timeout = std::chrono::milliseconds(100);
  settings.signaller.reset(static_cast<GstWebrtcUploadSignaller*>(g_object_ref(signaller())));
  UploadServer::Events events;
  events.hold = [this] { return ref_gobject(G_OBJECT(signaller())); };
  events.upload_begun = [] { return false; };
  events.attach = [](GstElement*) {};
  events.detach = [&](GstElement*) { left.set_value(); };
  events.peer_added = [&](GstElement*) { left.get_future().wait(); };
  events.peer_removed = [](GstElement*) {};
  std::string problem;
  const auto server = UploadServer::start(std::move(settings), std::move(events), problem);
  ASSERT_TRUE(server) << problem;
  WorkerClient client;
  ASSERT_TRUE(offer("one", client.make_offer()));
  ASSERT_TRUE(told("refuse one InternalError"));
  EXPECT_EQ(told_.message, "The offer could not be answered in time.");
}

TEST_F(Signaller, FailsAmidAnUploadWhichGoesOn) {
  start();
  const auto client = connect("one");
  ASSERT_TRUE(client);
  client->upload_part(file(), 2);
  ASSERT_TRUE(client->wait_stored());
  ASSERT_TRUE(begun("upload"));
  gst_webrtc_upload_signaller_fail(signaller(), "the line is dead");
  const auto warning = bus_->wait(GST_MESSAGE_WARNING);
  ASSERT_TRUE(warning);
  // Nobody has it any more but the element.
  signaller_.reset();
  expect_upload(*client);
  EXPECT_EQ(bus_->count(GST_MESSAGE_ERROR), 0U);
}

TEST_F(Signaller, FailsBeforeAnUploadWhichIsAnError) {
  start();
  gst_webrtc_upload_signaller_fail(signaller(), "the line is dead");
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(test::error_text(error.get()).message, HasSubstr("the line is dead"));
}

TEST_F(Signaller, IsStartedAndStoppedWithTheElement) {
  EXPECT_FALSE(offer("early", "v=0\r\n"));
  make();
  EXPECT_FALSE(offer("early", "v=0\r\n"));
  for (int round = 0; round < 2; ++round) {
    play();
    const auto client = connect("peer");
    ASSERT_TRUE(client);
    expect_upload(*client);
    ASSERT_EQ(test::set_state(pipeline_.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    EXPECT_THAT(told_.all(), ElementsAre("start", "answer peer", "end peer", "stop"));
    EXPECT_FALSE(offer("late", "v=0\r\n"));
    told_.calls.clear();
    bus_.reset();
    bus_ = std::make_unique<BusLog>(pipeline_.get());
  }
  // And without it HTTP has its turn.
  const int port = free_port();
  g_object_set(server_.get(), "signaller", nullptr, "port", port, nullptr);
  play();
  EXPECT_TRUE(listens(port));
  EXPECT_THAT(told_.all(), ElementsAre());
}

// Amid its upload, and as one that is being answered.
TEST_F(Signaller, IsToldOfThePeersThatAStopEnds) {
  start();
  const auto client = connect("one");
  ASSERT_TRUE(client);
  client->upload_part(file(), 2);
  ASSERT_TRUE(client->wait_stored());
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  EXPECT_THAT(told_.all(), ElementsAre("start", "answer one", "end one", "stop"));
  told_.calls.clear();
  BlockedPeerAdded handler(server_.get());
  play();
  WorkerClient second;
  ASSERT_TRUE(offer("two", second.make_offer()));
  handler.wait_blocked();
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  handler.release();
  ASSERT_TRUE(told("refuse two Stopped"));
}

TEST_F(Signaller, StopsTheElementWhenItIsToAnswer) {
  start();
  told_.on_answer = [&] { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); };
  WorkerClient client;
  ASSERT_TRUE(offer("one", client.make_offer()));
  ASSERT_TRUE(told("end one"));
  EXPECT_THAT(told_.all(), ElementsAre("start", "answer one", "stop", "end one"));
}

TEST_F(Signaller, DoesNotStart) {
  told_.start_problem = "no line";
  make();
  EXPECT_EQ(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_THAT(test::error_text(error.get()).message, HasSubstr("no line"));
  EXPECT_THAT(told_.all(), ElementsAre("start")) << "what has not started is not stopped";
  // Which changes nothing for the next time.
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  told_.start_problem.clear();
  play();
}

// How many listen to its offers. Counted by blocking one after the other.
std::size_t listeners(GstWebrtcUploadSignaller* signaller) {
  const guint signal = g_signal_lookup("offer", GST_TYPE_WEBRTC_UPLOAD_SIGNALLER);
  constexpr auto kMatch =
      static_cast<GSignalMatchType>(G_SIGNAL_MATCH_ID | G_SIGNAL_MATCH_UNBLOCKED);
  std::vector<gulong> found;
  while (const gulong id =
             g_signal_handler_find(signaller, kMatch, signal, 0, nullptr, nullptr, nullptr)) {
    g_signal_handler_block(signaller, id);
    found.push_back(id);
  }
  for (const gulong id : found) g_signal_handler_unblock(signaller, id);
  return found.size();
}

TEST_F(Signaller, IsOfOneElement) {
  start();
  const auto other = test::parse_pipeline("webrtcuploadserver name=server ! fakesink");
  const auto server = test::element_named(other, "server");
  g_object_set(server.get(), "signaller", signaller_.get(), nullptr);
  // On the thread that changes the state, when the error is posted.
  struct Seen {
    GstWebrtcUploadSignaller* signaller;
    std::size_t listeners = 0;
  } seen{signaller()};
  const GstPtr<GstBus> bus(gst_element_get_bus(other.get()));
  gst_bus_set_sync_handler(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer data) {
        auto* self = static_cast<Seen*>(data);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
          self->listeners = listeners(self->signaller);
        }
        gst_message_unref(message);
        return GST_BUS_DROP;
      },
      &seen, nullptr);
  EXPECT_EQ(gst_element_set_state(other.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_EQ(seen.listeners, 1U) << "the other one could have taken an offer";
  gst_element_set_state(other.get(), GST_STATE_NULL);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  EXPECT_NE(gst_element_set_state(other.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  EXPECT_EQ(listeners(signaller()), 1U);
  gst_element_set_state(other.get(), GST_STATE_NULL);
  EXPECT_EQ(listeners(signaller()), 0U);
}

TEST_F(Signaller, HasToAnswer) {
  make();
  auto* iface = GST_WEBRTC_UPLOAD_SIGNALLER_GET_IFACE(signaller());
  const auto answer = std::exchange(iface->answer, nullptr);
  EXPECT_EQ(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  iface->answer = answer;
  ASSERT_TRUE(error);
  EXPECT_THAT(test::error_text(error.get()).message,
              HasSubstr("a TestSignaller, does not implement \"answer\""));
  EXPECT_THAT(told_.all(), ElementsAre()) << "it is not started";
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  play();
}

}  // namespace
}  // namespace webrtcupload
