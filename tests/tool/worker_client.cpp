// SPDX-License-Identifier: LGPL-2.1-or-later

#include "worker_client.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "json/json.h"
#include "process.h"
#include "webrtc/inner_elements.h"

namespace webrtcupload::test {
namespace {

using Side = PeerPair::Side;
using DescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription,
                                       FunctionDeleter<gst_webrtc_session_description_free>>;

constexpr std::size_t kChunk = 49152;
// As the clients do.
constexpr std::uint64_t kMaxBuffered = 262144;

// Emits a signal of webrtcbin's that takes `argument` and a promise, and waits for its reply.
DescriptionPtr ask(GstElement* webrtcbin, const char* signal, gpointer argument,
                   const char* field) {
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(webrtcbin, signal, argument, promise);
  GstWebRTCSessionDescription* description = nullptr;
  if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED && field) {
    gst_structure_get(gst_promise_get_reply(promise), field, GST_TYPE_WEBRTC_SESSION_DESCRIPTION,
                      &description, nullptr);
  }
  gst_promise_unref(promise);
  return DescriptionPtr(description);
}

std::string offer_with_candidates(GstElement* webrtcbin) {
  const DescriptionPtr offer = ask(webrtcbin, "create-offer", nullptr, "offer");
  if (!offer) return "";
  ask(webrtcbin, "set-local-description", offer.get(), nullptr);
  EXPECT_TRUE(eventually([&] {
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtcbin, "ice-gathering-state", &state, nullptr);
    return state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE;
  }));
  GstWebRTCSessionDescription* local = nullptr;
  g_object_get(webrtcbin, "pending-local-description", &local, nullptr);
  const DescriptionPtr owned(local);
  if (!owned) return "";
  const GCharPtr text(gst_sdp_message_as_text(owned->sdp));
  return text.get();
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

WorkerClient::WorkerClient(std::string protocol) : protocol_(std::move(protocol)) {
  pair_.emplace(PeerPair::Options{.observe_incoming = false});
}

std::string WorkerClient::make_offer() {
  gst_element_set_state(pair_->pipeline(Side::kOfferer), GST_STATE_PLAYING);
  const GstStructurePtr options(
      gst_structure_new("options", "protocol", G_TYPE_STRING, protocol_.c_str(), nullptr));
  if (wants_results_) results_.channel = pair_->create_channel("inference");
  upload_.channel = pair_->create_channel("video_upload", Side::kOfferer, options.get());
  for (PeerPair::Channel* made : {&results_, &upload_}) {
    if (!made->channel) continue;
    made->observer = std::make_shared<ChannelObserver>(made->channel.get());
  }
  return offer_with_candidates(pair_->offerer());
}

void WorkerClient::take_answer(const std::string& answer_sdp) {
  GstSDPMessage* sdp = nullptr;
  EXPECT_EQ(gst_sdp_message_new_from_text(answer_sdp.c_str(), &sdp), GST_SDP_OK);
  const DescriptionPtr answer(gst_webrtc_session_description_new(GST_WEBRTC_SDP_TYPE_ANSWER, sdp));
  ask(pair_->offerer(), "set-remote-description", answer.get(), nullptr);
}

int WorkerClient::connect(int port, WorkerRequest request, const std::string& more_headers) {
  return post_offer(port, std::move(request), more_headers, "/initialise_webrtc_worker");
}

int WorkerClient::join(int port, const std::string& location, const std::string& more_headers) {
  return post_offer(port, {}, more_headers, location + "/connections");
}

int WorkerClient::post_offer(int port, WorkerRequest request, const std::string& headers,
                             const std::string& path) {
  request.offer_sdp = make_offer();
  return exchange(port, request, headers, path);
}

int WorkerClient::join_when_there_is_room(int port, const std::string& location) {
  WorkerRequest request;
  request.offer_sdp = make_offer();
  int status = 0;
  EXPECT_TRUE(eventually([&] {
    status = exchange(port, request, "", location + "/connections");
    return status != 429;
  }));
  return status;
}

int WorkerClient::exchange(int port, WorkerRequest request, const std::string& headers,
                           const std::string& path) {
  path_ = path;
  if (rewrite_offer_) request.offer_sdp = rewrite_offer_(request.offer_sdp);
  reply_ = http_exchange(port, post(write_worker_request(request), headers, path));
  const int status = reply_.size() > 12 ? std::atoi(reply_.c_str() + 9) : 0;
  const std::size_t body = reply_.find("\r\n\r\n");
  if ((status != 200 && status != 201) || body == std::string::npos) return status;
  const WorkerReply parsed =
      parse_worker_reply(static_cast<unsigned>(status), reply_.substr(body + 4));
  EXPECT_TRUE(parsed.answer_sdp) << parsed.problem;
  if (parsed.answer_sdp) {
    take_answer(rewrite_answer_ ? rewrite_answer_(*parsed.answer_sdp) : *parsed.answer_sdp);
  }
  return status;
}

std::string WorkerClient::location() const {
  constexpr std::string_view kHeader = "\r\nLocation: ";
  const std::size_t at = reply_.find(kHeader);
  if (at == std::string::npos) return "";
  const std::size_t value = at + kHeader.size();
  return path_.substr(0, path_.rfind('/') + 1) +
         reply_.substr(value, reply_.find('\r', value) - value);
}

void WorkerClient::upload(const std::string& path) { upload_part(path, G_MAXUINT32); }

void WorkerClient::upload_part(const std::string& path, std::uint32_t chunks) {
  ASSERT_TRUE(upload_.observer->wait_open());
  const std::string bytes = read_file(path);
  const auto total = static_cast<std::uint32_t>((bytes.size() + kChunk - 1) / kChunk);
  for (std::uint32_t i = 0; i < std::min(total, chunks); ++i) {
    ASSERT_TRUE(eventually([&] { return upload_.observer->buffered_amount() <= kMaxBuffered; }));
    const std::size_t at = i * kChunk;
    const std::span<const std::uint8_t> payload(
        reinterpret_cast<const std::uint8_t*>(bytes.data()) + at,
        std::min(kChunk, bytes.size() - at));
    ASSERT_TRUE(send_chunk(upload_.channel.get(), i, total, payload)) << i;
  }
}

bool WorkerClient::say(const std::string& text) {
  return results_.observer->wait_open() && send_text(results_.channel.get(), text);
}

std::vector<ResultAssembler::Assembled> WorkerClient::results() const {
  ResultAssembler assembler;
  std::vector<ResultAssembler::Assembled> results;
  for (const auto& message : results_.observer->messages()) {
    if (auto result = assembler.add(message.bytes)) results.push_back(std::move(*result));
  }
  return results;
}

bool WorkerClient::wait_results(std::size_t count) const {
  // A result is one message at least.
  return results_.observer->wait_messages(count) &&
         eventually([&] { return results().size() >= count; });
}

bool WorkerClient::wait_completion() const {
  return eventually([&] {
    const auto results = this->results();
    return !results.empty() &&
           results.back().text.find("\"processing_complete\":true") != std::string::npos;
  });
}

bool WorkerClient::wait_end() {
  return wait_completion() && say("{\"ack\": " + std::to_string(results().back().frame_id) + "}") &&
         wait_closed();
}

void WorkerClient::hang_up() {
  pair_->close_connection(Side::kOfferer);
  pair_.reset();
}

void WorkerClient::vanish() {
  // Nothing more reaches the network, and nobody says good-bye.
  GstIterator* sinks =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(pair_->offerer()), inner::kIceSink);
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(sinks, &item) == GST_ITERATOR_OK) {
    const GstPtr<GstPad> pad(
        gst_element_get_static_pad(GST_ELEMENT(g_value_get_object(&item)), "sink"));
    gst_pad_add_probe(
        pad.get(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }, nullptr, nullptr);
    g_value_unset(&item);
  }
  gst_iterator_free(sinks);
}

}  // namespace webrtcupload::test
