// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/sender.h"

#include <utility>

#include "core/channel_labels.h"
#include "signalling/worker_request.h"
#include "tool/common/options.h"

namespace webrtcupload {
namespace {

// For results that wait for this thread: many, since the last one, which is what is wanted, must
// not be dropped. In bytes of memory.
constexpr std::size_t kMaxPendingResults = 64 << 20;
// For what the server sends on the channel of the upload, which nobody reads.
constexpr std::size_t kMaxPendingOthers = 64 << 10;
// For the other side to say why, when the upload failed first. It does, or it goes.
constexpr std::chrono::milliseconds kReasonGrace{10000};
// For what it has said to reach us on another thread, once it can say no more; and for ours to tell
// that all was handed over.
constexpr std::chrono::milliseconds kThreadGrace{2000};

}  // namespace

Sender::Sender(GMainContext* context, SenderOptions options, Events events)
    : context_(g_main_context_ref(context)),
      options_(std::move(options)),
      events_(std::move(events)),
      timer_(context),
      watch_(context, http_,
             {.sign_of_life = [this] { return peer_ ? peer_->packets_received() : 0; },
              .ended = [this](const SessionStatus& status) { on_session_ended(status); },
              .server_gone = [this](const std::string& why) { on_server_gone(why); }}) {}

Sender::~Sender() {
  if (bus_source_) {
    g_source_destroy(bus_source_);
    g_source_unref(bus_source_);
  }
  if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  g_main_context_unref(context_);
}

std::shared_ptr<Sender> Sender::create(GMainContext* context, SenderOptions options,
                                       Events events) {
  return std::shared_ptr<Sender>(new Sender(context, std::move(options), std::move(events)));
}

void Sender::start() {
  const std::weak_ptr<Sender> weak = weak_from_this();
  std::string problem;
  Peer::Events events;
  events.gone = [weak](const std::string& why) {
    if (const auto self = weak.lock()) self->fail_at_last(why);
  };
  events.untrusted = [weak](const std::string& why) {
    if (const auto self = weak.lock()) self->finish(why);
  };
  peer_ = Peer::create(context_,
                       PeerOptions{.local_addresses = ice_addresses_for(options_.server.host)},
                       std::move(events), problem);
  if (!peer_ || !peer_->start()) {
    return finish(problem.empty() ? "webrtcbin does not start" : problem);
  }
  results_ = peer_->create_channel(kResultsLabel, kMaxPendingResults);
  upload_ = peer_->create_channel(kUploadLabel, kMaxPendingOthers);
  if (!results_ || !upload_) return finish("the data channels could not be made");
  results_->set_events({.open = nullptr,
                        .text = nullptr,
                        .data =
                            [weak](std::span<const std::uint8_t> message) {
                              if (const auto self = weak.lock()) self->on_results(message);
                            },
                        .closed =
                            [weak] {
                              if (const auto self = weak.lock()) {
                                self->fail_at_last("the server closed the connection");
                              }
                            }});
  upload_->set_events({.open =
                           [weak] {
                             if (const auto self = weak.lock()) self->on_open();
                           },
                       .text = nullptr,
                       .data = nullptr,
                       .closed = nullptr});
  timer_.start(options_.connect_timeout, [this] {
    finish("no connection came about in time: " +
           (answered_ ? missing_at(peer_->stage(), "server")
                      : "the server has not answered the offer, which it was sent over HTTP"));
  });
  peer_->offer([weak](std::variant<std::string, PeerError> result) {
    const auto self = weak.lock();
    if (!self) return;
    if (const auto* error = std::get_if<PeerError>(&result)) return self->finish(error->message);
    self->post_offer(std::get<std::string>(result));
  });
}

void Sender::post_offer(const std::string& sdp) {
  WorkerRequest request;
  request.offer_sdp = sdp;
  request.workflow_id = options_.workflow;
  // Every frame, as fast as it goes, and nothing but the data.
  request.realtime = false;
  request.stream_output.emplace();
  call_ = http_.post_json(options_.server.text, options_.api_key, write_worker_request(request),
                          [weak = weak_from_this()](HttpClient::Reply reply) {
                            if (const auto self = weak.lock()) self->on_reply(std::move(reply));
                          });
}

void Sender::on_reply(HttpClient::Reply reply) {
  if (ending_) return;
  if (reply.failure == HttpClient::Reply::Failure::kElsewhere) return finish(reply.problem);
  if (!reply.problem.empty()) {
    return finish("cannot reach " + options_.server.text + ": " + reply.problem);
  }
  const WorkerReply parsed = parse_worker_reply(reply.status, reply.body);
  if (!parsed.answer_sdp) return finish(parsed.problem);
  answered_ = true;
  watch_.start(reply.location, options_.api_key);
  peer_->accept_answer(*parsed.answer_sdp, [weak = weak_from_this()](const std::string& problem) {
    const auto self = weak.lock();
    if (self && !problem.empty()) self->finish("the server's answer does not work: " + problem);
  });
}

void Sender::on_open() {
  if (ending_ || std::exchange(open_, true)) return;
  timer_.cancel();
  std::string problem;
  if (!build_pipeline(problem)) return finish(problem);
  if (events_.connected) events_.connected();
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

bool Sender::build_pipeline(std::string& problem) {
  pipeline_ = GstPtr<GstElement>(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  GstElement* source = gst_element_factory_make("filesrc", nullptr);
  GstElement* sink = gst_element_factory_make("webrtcuploadsink", nullptr);
  for (GstElement* element : {source, sink}) {
    if (element) gst_bin_add(GST_BIN(pipeline_.get()), element);
  }
  if (!source || !sink) {
    problem = missing_element(source ? "webrtcuploadsink" : "filesrc");
    return false;
  }
  g_object_set(source, "location", options_.file.c_str(), "blocksize", 262144u, nullptr);
  g_object_set(sink, "webrtcbin", peer_->webrtcbin(), "data-channel", upload_->get(), nullptr);
  if (options_.chunk_size) g_object_set(sink, "chunk-size", guint{*options_.chunk_size}, nullptr);
  if (options_.buffer_limit) {
    g_object_set(sink, "buffer-limit", guint64{*options_.buffer_limit}, nullptr);
  }
  gst_element_link(source, sink);
  const GstPtr<GstPad> pad(gst_element_get_static_pad(sink, "sink"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer self) {
        static_cast<Sender*>(self)->bytes_ += gst_buffer_get_size(GST_PAD_PROBE_INFO_BUFFER(info));
        return GST_PAD_PROBE_OK;
      },
      this, nullptr);
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  bus_source_ = gst_bus_create_watch(bus.get());
  g_source_set_callback(bus_source_,
                        G_SOURCE_FUNC(+[](GstBus*, GstMessage* message, gpointer self) -> gboolean {
                          static_cast<Sender*>(self)->on_message(message);
                          return G_SOURCE_CONTINUE;
                        }),
                        this, nullptr);
  g_source_attach(bus_source_, context_);
  return true;
}

void Sender::on_message(GstMessage* message) {
  if (ending_) return;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    uploaded_ = true;
    if (events_.uploaded) events_.uploaded();
    if (completion_) succeed();
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    const std::string text = error ? error->message : "the upload failed";
    g_clear_error(&error);
    if (failure_.empty()) fail_softly(text, kReasonGrace);
  }
}

void Sender::on_results(std::span<const std::uint8_t> message) {
  if (ending_ || completion_) return;
  const auto result = assembler_.add(message);
  if (!result) return;
  auto completion = read_completion(*result);
  if (!completion) return;
  completion_ = std::move(completion);
  std::string problem;
  if (!completion_->errors.empty()) {
    problem = completion_->errors.front();
  } else if (!completion_->termination_reason.empty()) {
    problem = completion_->termination_reason;
  }
  if (problem.empty()) return succeed();
  finish(problem);
}

void Sender::on_session_ended(const SessionStatus& status) {
  if (status.done) return fail_at_last("the server is done, but its last word did not arrive");
  if (ending_ || completion_) return;
  const std::string message = status.message.empty() ? status.code : status.message;
  finish(status.code == "crashed" ? "the server could not cope with this video: " + message
                                  : message);
}

void Sender::succeed() {
  if (uploaded_) return finish("");
  // Its word was faster than the news from our own pipeline that all was handed over.
  timer_.start(kThreadGrace, [this] {
    finish(bytes_ >= options_.size ? "" : "the server ended before everything was sent");
  });
}

void Sender::fail_softly(const std::string& problem, std::chrono::milliseconds grace) {
  // With success announced, the other side may close at once.
  if (ending_ || completion_) return;
  if (failure_.empty()) failure_ = problem;
  if (!open_) return finish(failure_);
  timer_.start(grace, [this] { finish(failure_); });
  watch_.lost();
}

// A server that stops takes no questions any more, while its last word is still on its way to us.
void Sender::on_server_gone(const std::string& why) {
  if (ending_ || completion_) return;
  failure_ = why;
  timer_.start(kThreadGrace, [this] { finish(failure_); });
}

void Sender::fail_at_last(const std::string& problem) { fail_softly(problem, kThreadGrace); }

void Sender::stop(const std::string& problem) { finish(problem); }

void Sender::finish(const std::string& problem) {
  if (std::exchange(ending_, true)) return;
  problem_ = problem;
  timer_.cancel();
  watch_.stop();
  const auto keep = shared_from_this();
  if (!pipeline_) return disconnect();
  struct Stop {
    std::weak_ptr<Sender> sender;
    GMainContext* context;
  };
  gst_element_call_async(
      pipeline_.get(),
      [](GstElement* pipeline, gpointer data) {
        gst_element_set_state(pipeline, GST_STATE_NULL);
        const auto* stop = static_cast<Stop*>(data);
        post_to(stop->context, [sender = stop->sender] {
          if (const auto self = sender.lock()) self->disconnect();
        });
      },
      new Stop{weak_from_this(), g_main_context_ref(context_)},
      [](gpointer data) {
        auto* stop = static_cast<Stop*>(data);
        g_main_context_unref(stop->context);
        delete stop;
      });
}

void Sender::disconnect() {
  if (!peer_) return conclude();
  for (const auto& channel : {upload_, results_}) {
    if (channel && channel->is_open()) channel->close();
  }
  peer_->close([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->conclude();
  });
}

void Sender::conclude() {
  const auto keep = shared_from_this();
  results_.reset();
  upload_.reset();
  peer_.reset();
  events_.ended(problem_, completion_.value_or(Completion{}));
}

std::uint64_t Sender::bytes_sent() const {
  const std::uint64_t handed = bytes_;
  const std::uint64_t buffered = upload_ ? upload_->buffered_amount() : 0;
  return handed > buffered ? handed - buffered : 0;
}

}  // namespace webrtcupload
