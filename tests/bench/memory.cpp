// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peak resident memory of a receiving process, by the size of the upload: what does not grow with
// the file, and how much of it. Sender and receiver are processes of their own on loopback, so that
// the figure is the receiver's alone.
//
//   memory_bench [MEGABYTES...]    default: 10 1000

#include <gst/gst.h>
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;
constexpr GstClockTime kDeadline = 600 * GST_SECOND;

[[noreturn]] void give_up(const std::string& what) {
  std::cerr << "memory_bench: " << what << "\n";
  std::exit(1);
}

// One SDP each way through a pipe, length first.
void write_text(int fd, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  if (write(fd, &size, sizeof size) != sizeof size ||
      write(fd, text.data(), size) != static_cast<ssize_t>(size)) {
    give_up("cannot write to the other process");
  }
}
std::string read_text(int fd) {
  std::uint32_t size = 0;
  if (read(fd, &size, sizeof size) != sizeof size) give_up("the other process ended");
  std::string text(size, '\0');
  for (std::size_t got = 0; got < size;) {
    const ssize_t n = read(fd, text.data() + got, size - got);
    if (n <= 0) give_up("the other process ended");
    got += static_cast<std::size_t>(n);
  }
  return text;
}

// A pipeline from `description`, with a webrtcbin called "pc" that uses loopback only.
GstPtr<GstElement> make_pipeline(const std::string& description) {
  g_autoptr(GError) error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  if (error) give_up(error->message);
  const GstPtr<GstElement> webrtcbin(gst_bin_get_by_name(GST_BIN(pipeline), "pc"));
  g_autoptr(GstObject) ice = nullptr;
  g_object_get(webrtcbin.get(), "ice-agent", &ice, nullptr);
  gboolean added = FALSE;
  g_signal_emit_by_name(ice, "add-local-ip-address", "127.0.0.1", &added);
  g_autoptr(GObject) nice = nullptr;
  g_object_get(ice, "agent", &nice, nullptr);
  g_object_set(nice, "upnp", FALSE, nullptr);
  return GstPtr<GstElement>(GST_ELEMENT(gst_object_ref_sink(pipeline)));
}

// Emits "create-offer" or "create-answer", sets the result, and returns it with all candidates.
std::string describe_locally(GstElement* webrtcbin, const char* signal, const char* field) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtcbin, signal, nullptr, promise);
  if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) give_up("no description");
  GstWebRTCSessionDescription* description = nullptr;
  gst_structure_get(gst_promise_get_reply(promise), field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                    &description, nullptr);
  gst_promise_unref(promise);
  g_signal_emit_by_name(webrtcbin, "set-local-description", description, nullptr);
  gst_webrtc_session_description_free(description);
  // A benchmark may poll: gathering on loopback takes milliseconds, and is not what is measured.
  for (gint state = 0; state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE; g_usleep(1000)) {
    g_object_get(webrtcbin, "ice-gathering-state", &state, nullptr);
  }
  g_object_get(webrtcbin, "local-description", &description, nullptr);
  g_autofree char* text = gst_sdp_message_as_text(description->sdp);
  gst_webrtc_session_description_free(description);
  return text;
}

void set_remote(GstElement* webrtcbin, GstWebRTCSDPType type, const std::string& text) {
  GstSDPMessage* sdp = nullptr;
  gst_sdp_message_new_from_text(text.c_str(), &sdp);
  GstWebRTCSessionDescription* description = gst_webrtc_session_description_new(type, sdp);
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtcbin, "set-remote-description", description, promise);
  gst_promise_wait(promise);
  gst_promise_unref(promise);
  gst_webrtc_session_description_free(description);
}

void wait_for_end(GstElement* pipeline) {
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline));
  const GstMessagePtr message(gst_bus_timed_pop_filtered(
      bus.get(), kDeadline, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  if (!message) give_up("the upload did not end");
  if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message.get(), &error, nullptr);
    give_up(error->message);
  }
}

void send(std::uint64_t size, int from_peer, int to_peer) {
  constexpr std::uint64_t kBlock = 100'000;
  const auto pipeline =
      make_pipeline("fakesrc sizetype=fixed filltype=random sizemax=" + std::to_string(kBlock) +
                    " num-buffers=" + std::to_string(size / kBlock) +
                    " ! webrtcuploadsink webrtcbin-name=pc size=" + std::to_string(size) +
                    " webrtcbin name=pc bundle-policy=max-bundle");
  const GstPtr<GstElement> webrtcbin(gst_bin_get_by_name(GST_BIN(pipeline.get()), "pc"));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  write_text(to_peer, describe_locally(webrtcbin.get(), "create-offer", "offer"));
  set_remote(webrtcbin.get(), GST_WEBRTC_SDP_TYPE_ANSWER, read_text(from_peer));
  wait_for_end(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

// The peak in bytes, of this process.
std::uint64_t peak_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  }
  give_up("/proc/self/status has no VmHWM");
}

std::uint64_t receive(int from_peer, int to_peer) {
  const auto pipeline = make_pipeline(
      "webrtcupload webrtcbin-name=pc max-size=4000000000 max-chunks=100000 upload-timeout=0 ! "
      "fakesink sync=false webrtcbin name=pc bundle-policy=max-bundle");
  const GstPtr<GstElement> webrtcbin(gst_bin_get_by_name(GST_BIN(pipeline.get()), "pc"));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  set_remote(webrtcbin.get(), GST_WEBRTC_SDP_TYPE_OFFER, read_text(from_peer));
  write_text(to_peer, describe_locally(webrtcbin.get(), "create-answer", "answer"));
  wait_for_end(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return peak_resident();
}

// In a process of its own; `work` gets the pipe's ends.
template <typename Work>
pid_t spawn(int from_peer, int to_peer, Work work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) give_up("cannot fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    gst_init(nullptr, nullptr);
    work(from_peer, to_peer);
    // Without destructors: what is measured has been measured.
    _exit(0);
  }
  return child;
}

void wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) give_up("a process failed");
}

std::uint64_t measure(std::uint64_t size) {
  int forth[2];
  int back[2];
  int result[2];
  if (pipe(forth) || pipe(back) || pipe(result)) give_up("cannot make pipes");
  const pid_t receiver = spawn(forth[0], back[1], [&](int from_peer, int to_peer) {
    const std::uint64_t peak = receive(from_peer, to_peer);
    if (write(result[1], &peak, sizeof peak) != sizeof peak) give_up("cannot report");
  });
  const pid_t sender =
      spawn(back[0], forth[1], [&](int from_peer, int to_peer) { send(size, from_peer, to_peer); });
  for (const int fd : {forth[0], forth[1], back[0], back[1], result[1]}) close(fd);
  std::uint64_t peak = 0;
  if (read(result[0], &peak, sizeof peak) != sizeof peak) give_up("the receiver failed");
  close(result[0]);
  wait_for(sender);
  wait_for(receiver);
  return peak;
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  std::vector<std::uint64_t> megabytes;
  for (int i = 1; i < argc; ++i) megabytes.push_back(std::strtoull(argv[i], nullptr, 10));
  if (megabytes.empty()) megabytes = {10, 1000};
  std::printf("%12s  %18s\n", "upload (MB)", "receiver's peak (MiB)");
  double first = 0;
  double last = 0;
  for (const std::uint64_t size : megabytes) {
    last = static_cast<double>(webrtcupload::measure(size * webrtcupload::kMegabyte)) / (1 << 20);
    if (first == 0) first = last;
    std::printf("%12llu  %18.1f\n", static_cast<unsigned long long>(size), last);
    std::fflush(stdout);
  }
  std::printf("last - first: %.1f MiB\n", last - first);
}
