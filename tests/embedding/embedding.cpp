// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How an application embeds webrtcupload: negotiate, attach, decode, react to every signal. A
// complete program, with both peers in it so that it runs by itself; an application has one of
// them, and a server between.
//
//   embedding FILE    sends the video FILE over a real connection on 127.0.0.1 and counts its
//   frames

#include <gst/gst.h>
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <webrtcupload/webrtcupload.h>

namespace {

// Signals and messages come on many threads; lines should not mix.
void say(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line << std::endl;
}

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "embedding: " << why << std::endl;
  std::exit(1);
}

// ----------------------------------------------------------------------------- 1. the receiver

std::atomic<int> frames = 0;

// The first chunk is here and nothing is stored yet. May take its time: look at a data base, ask a
// person. FALSE refuses.
gboolean on_authorize(GstElement*, GstStructure* request, gpointer) {
  guint64 size = 0;
  gst_structure_get_uint64(request, "estimated-size", &size);
  say("authorize: about " + std::to_string(size) + " bytes");
  return size < 100'000'000;
}

// Every `quota-interval`, to the end of the processing. FALSE ends it.
gboolean on_check_quota(GstElement*, gpointer) {
  say("check-quota");
  return TRUE;
}

void on_upload_complete(GstElement* upload, gpointer) {
  g_autoptr(GstStructure) stats = nullptr;
  g_object_get(upload, "stats", &stats, nullptr);
  guint64 bytes = 0;
  gst_structure_get_uint64(stats, "bytes", &bytes);
  say("upload-complete: " + std::to_string(bytes) + " bytes");
}

// Also posted on the bus, as the pipeline's error.
void on_upload_failed(GstElement*, GError* error, gpointer) {
  if (g_error_matches(error, GST_WEBRTC_UPLOAD_ERROR, GST_WEBRTC_UPLOAD_ERROR_UNAUTHORIZED)) {
    say("upload-failed: refused");
  } else {
    say(std::string("upload-failed: ") + error->message);
  }
}

void on_state(GstElement* upload, GParamSpec*, gpointer) {
  gint state = 0;
  g_object_get(upload, "state", &state, nullptr);
  say("state: " + std::to_string(state));
}

void on_frame(GstElement*, GstBuffer*, GstPad*, gpointer) { ++frames; }

// The pipeline that works on the video. Its source needs to know the webrtcbin, which may live in
// the same pipeline or, as here, in another one whose errors are then separate.
GstElement* make_analysis(GstElement* webrtcbin) {
  g_autoptr(GError) error = nullptr;
  GstElement* pipeline = gst_parse_launch(
      "webrtcupload name=upload max-size=100000000 idle-timeout=10000000000 "
      "! decodebin ! fakesink name=frames sync=false signal-handoffs=true",
      &error);
  if (!pipeline) give_up(error->message);
  g_autoptr(GstElement) upload = gst_bin_get_by_name(GST_BIN(pipeline), "upload");
  g_object_set(upload, "webrtcbin", webrtcbin, nullptr);
  g_signal_connect(upload, "authorize", G_CALLBACK(on_authorize), nullptr);
  g_signal_connect(upload, "check-quota", G_CALLBACK(on_check_quota), nullptr);
  g_signal_connect(upload, "upload-complete", G_CALLBACK(on_upload_complete), nullptr);
  g_signal_connect(upload, "upload-failed", G_CALLBACK(on_upload_failed), nullptr);
  g_signal_connect(upload, "notify::state", G_CALLBACK(on_state), nullptr);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "frames");
  g_signal_connect(sink, "handoff", G_CALLBACK(on_frame), nullptr);
  return pipeline;
}

// ------------------------------------------------------------------------------- 2. the peers

GstElement* make_peer(const char* name) {
  GstElement* pipeline = gst_pipeline_new(name);
  GstElement* webrtcbin = gst_element_factory_make("webrtcbin", "pc");
  if (!webrtcbin) give_up("there is no webrtcbin: install gst-plugins-bad and libnice's plugin");
  // Browsers that offer an unused m=video reach "connected" only with this one.
  gst_util_set_object_arg(G_OBJECT(webrtcbin), "bundle-policy", "max-bundle");
  gst_bin_add(GST_BIN(pipeline), webrtcbin);
  // On this machine only. An application leaves this out, or sets `stun-server`.
  g_autoptr(GstObject) ice = nullptr;
  g_object_get(webrtcbin, "ice-agent", &ice, nullptr);
  gboolean added = FALSE;
  g_signal_emit_by_name(ice, "add-local-ip-address", "127.0.0.1", &added);
  if (!added) give_up("cannot restrict ICE to 127.0.0.1");
  // libnice asks the routers around to open ports, unless told not to.
  g_autoptr(GObject) nice = nullptr;
  g_object_get(ice, "agent", &nice, nullptr);
  g_object_set(nice, "upnp", FALSE, nullptr);
  return pipeline;
}

GstElement* webrtcbin_of(GstElement* pipeline) {
  GstElement* webrtcbin = gst_bin_get_by_name(GST_BIN(pipeline), "pc");
  gst_object_unref(webrtcbin);  // The pipeline keeps it.
  return webrtcbin;
}

// -------------------------------------------------------------------------------- 3. negotiation

GstWebRTCSessionDescription* create(GstElement* webrtcbin, const char* signal, const char* field) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtcbin, signal, nullptr, promise);
  gst_promise_wait(promise);
  GstWebRTCSessionDescription* description = nullptr;
  const GstStructure* reply = gst_promise_get_reply(promise);
  if (!reply || !gst_structure_get(reply, field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &description,
                                   nullptr)) {
    give_up(std::string(signal) + " failed");
  }
  gst_promise_unref(promise);
  return description;
}

void set(GstElement* webrtcbin, const char* signal, GstWebRTCSessionDescription* description) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtcbin, signal, description, promise);
  gst_promise_wait(promise);
  gst_promise_unref(promise);
}

// Candidates go to the other side as they are found; over the network an application sends them
// with the rest of its signalling.
void on_ice_candidate(GstElement*, guint mline, const char* candidate, GstElement* other) {
  g_signal_emit_by_name(other, "add-ice-candidate", mline, candidate);
}

void negotiate(GstElement* offerer, GstElement* answerer) {
  g_signal_connect(offerer, "on-ice-candidate", G_CALLBACK(on_ice_candidate), answerer);
  g_signal_connect(answerer, "on-ice-candidate", G_CALLBACK(on_ice_candidate), offerer);
  GstWebRTCSessionDescription* offer = create(offerer, "create-offer", "offer");
  set(offerer, "set-local-description", offer);
  set(answerer, "set-remote-description", offer);
  GstWebRTCSessionDescription* answer = create(answerer, "create-answer", "answer");
  set(answerer, "set-local-description", answer);
  set(offerer, "set-remote-description", answer);
  gst_webrtc_session_description_free(offer);
  gst_webrtc_session_description_free(answer);
}

// ------------------------------------------------------------------------------ 4. all together

// Progress, until the pipeline has ended. Returns whether it ended well.
bool run(GstElement* pipeline) {
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  while (true) {
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_PROGRESS));
    if (!message) give_up("nothing happened for 60 s");
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) return true;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      g_autoptr(GError) error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      say(std::string("error: ") + error->message);
      return false;
    }
    g_autofree char* text = nullptr;
    gst_message_parse_progress(message, nullptr, nullptr, &text);
    say(text);
  }
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc != 2) give_up("usage: embedding FILE");

  GstElement* receiving_peer = make_peer("receiver");
  GstElement* sending_peer = make_peer("sender");
  gst_element_set_state(receiving_peer, GST_STATE_PLAYING);
  gst_element_set_state(sending_peer, GST_STATE_PLAYING);

  // Both ends are attached before the negotiation: the sender so that the offer speaks of its
  // channel, the receiver so that it sees the channel come.
  GstElement* analysis = make_analysis(webrtcbin_of(receiving_peer));
  gst_element_set_state(analysis, GST_STATE_PLAYING);

  GstElement* upload = gst_parse_launch("filesrc name=file ! webrtcuploadsink name=sink", nullptr);
  g_autoptr(GstElement) file = gst_bin_get_by_name(GST_BIN(upload), "file");
  g_object_set(file, "location", argv[1], nullptr);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(upload), "sink");
  g_object_set(sink, "webrtcbin", webrtcbin_of(sending_peer), nullptr);
  gst_element_set_state(upload, GST_STATE_PLAYING);

  negotiate(webrtcbin_of(sending_peer), webrtcbin_of(receiving_peer));
  const bool fine = run(analysis);
  if (fine) say("decoded " + std::to_string(frames) + " frames");

  // While its peer may still send, a webrtcbin has to be prepared before it is stopped.
  for (GstElement* peer : {sending_peer, receiving_peer}) {
    gboolean prepared = FALSE;
    g_signal_emit_by_name(sink, "prepare-stop", webrtcbin_of(peer), &prepared);
    if (!prepared) give_up("a webrtcbin that is none");
  }
  for (GstElement* pipeline : {upload, sending_peer, analysis, receiving_peer}) {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
  }
  return fine && frames > 0 ? 0 : 1;
}
