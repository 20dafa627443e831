// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The end of a connection while its other side goes on sending.

#include "signalling/peer.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <dlfcn.h>
#include <functional>
#include <future>
#include <gmodule.h>
#include <memory>
#include <string>
#include <variant>

#include "gst/elements_made_by.h"
#include "signalling/main_context.h"
#include "support/wait.h"

namespace webrtcupload {
namespace {

using test::eventually;
using test::kDeadline;

// Runs the default context until `condition` holds.
bool run_until(const std::function<bool()>& condition) {
  Timer deadline(g_main_context_default());
  bool late = false;
  deadline.start(kDeadline, [&] { late = true; });
  while (!condition() && !late) g_main_context_iteration(nullptr, TRUE);
  return !late;
}

std::shared_ptr<Peer> make_peer(Peer::Events events) {
  std::string problem;
  auto peer = Peer::create(g_main_context_default(), PeerOptions{.local_addresses = {"127.0.0.1"}},
                           std::move(events), problem);
  EXPECT_TRUE(peer) << problem;
  return peer;
}

bool close_peer(const std::shared_ptr<Peer>& peer) {
  bool closed = false;
  peer->close([&] { closed = true; });
  return run_until([&] { return closed; });
}

// Stops the thread that hands `webrtcbin` its peer's packets in the middle of adding a pad for a
// new stream to the SCTP decoder, and keeps it there until webrtcbin is being stopped: the pad has
// been removed again, or the decoder takes nothing more.
class NewStream {
 public:
  explicit NewStream(GstElement* webrtcbin)
      : decoder_(element_made_by(GST_BIN(webrtcbin), "sctpdec")),
        sink_(gst_element_get_static_pad(decoder_.get(), "sink")) {
    current = this;
  }
  ~NewStream() { current = nullptr; }
  NewStream(const NewStream&) = delete;
  NewStream& operator=(const NewStream&) = delete;

  [[nodiscard]] bool seen() const { return seen_; }
  // Whether the thread went on because of what happened, rather than for having waited too long.
  [[nodiscard]] bool released() { return released_.get_future().get(); }

  void on_start_task(GstPad* pad) {
    if (GST_OBJECT_PARENT(pad) != GST_OBJECT(decoder_.get()) || seen_.exchange(true)) return;
    released_.set_value(
        eventually([&] { return !GST_OBJECT_PARENT(pad) || GST_PAD_IS_FLUSHING(sink_.get()); }));
  }

  static std::atomic<NewStream*> current;

 private:
  const GstPtr<GstElement> decoder_;
  const GstPtr<GstPad> sink_;
  std::atomic<bool> seen_ = false;
  std::promise<bool> released_;
};

std::atomic<NewStream*> NewStream::current = nullptr;

// Stopped at that moment, sctpdec of 1.22 starts a thread for a pad it has removed, and the program
// ends with a segmentation fault.
TEST(PeerEnd, MayMeetTheFirstDataOfAStream) {
  std::shared_ptr<DataChannel> arrived;
  const auto server = make_peer(
      {.channel = [&](std::shared_ptr<DataChannel> channel) { arrived = std::move(channel); }});
  const auto client = make_peer({});
  server->watch_channel("first", 1);
  ASSERT_TRUE(server->start());
  ASSERT_TRUE(client->start());
  const auto first = client->create_channel("first", 1);
  ASSERT_TRUE(first);

  std::string problem;
  bool negotiated = false;
  client->offer([&](std::variant<std::string, PeerError> offer) {
    if (const auto* error = std::get_if<PeerError>(&offer)) problem = error->message;
    if (!problem.empty()) return;
    server->answer(std::get<std::string>(offer), [&](std::variant<std::string, PeerError> answer) {
      if (const auto* error = std::get_if<PeerError>(&answer)) problem = error->message;
      if (!problem.empty()) return;
      client->accept_answer(std::get<std::string>(answer), [&](std::string refusal) {
        problem = std::move(refusal);
        negotiated = true;
      });
    });
  });
  ASSERT_TRUE(run_until([&] { return negotiated || !problem.empty(); }));
  ASSERT_EQ(problem, "");
  ASSERT_TRUE(run_until([&] { return arrived && first->is_open(); }));

  NewStream stream(server->webrtcbin());
  const auto second = client->create_channel("second", 1);
  ASSERT_TRUE(second);
  ASSERT_TRUE(eventually([&] { return stream.seen(); }));
  EXPECT_TRUE(close_peer(server));
  EXPECT_TRUE(stream.released());
  EXPECT_TRUE(close_peer(client));
}

}  // namespace
}  // namespace webrtcupload

// In place of GStreamer's, whoever calls it.
extern "C" G_MODULE_EXPORT gboolean gst_pad_start_task(GstPad* pad, GstTaskFunction function,
                                                       gpointer data, GDestroyNotify notify) {
  using Function = gboolean (*)(GstPad*, GstTaskFunction, gpointer, GDestroyNotify);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "gst_pad_start_task"));
  if (auto* stream = webrtcupload::NewStream::current.load()) stream->on_start_task(pad);
  return real(pad, function, data, notify);
}
