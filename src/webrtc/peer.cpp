// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/peer.h"

#include <gio/gio.h>
#include <gst/webrtc/webrtc.h>

#include <map>
#include <utility>

#include "glib/debug.h"
#include "glib/main_context.h"
#include "glib/signal_connection.h"
#include "webrtc/announced_channels.h"
#include "webrtc/association.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channels.h"
#include "webrtc/dtls_check.h"
#include "webrtc/fingerprint.h"
#include "webrtc/goodbye.h"
#include "webrtc/ice_setup.h"
#include "webrtc/packet_count.h"
#include "webrtc/peer_gone.h"
#include "webrtc/peer_log.h"
#include "webrtc/prepare_stop.h"
#include "webrtc/promises.h"
#include "webrtc/sdp/ice_candidates.h"
#include "webrtc/transports.h"

#define GST_CAT_DEFAULT webrtcupload::debug::peer()

namespace webrtcupload {
namespace {

void stop(GstElement* pipeline, GstElement* webrtcbin) {
  prepare_stop(webrtcbin);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  GST_INFO_OBJECT(webrtcbin, "stopped");
}

}  // namespace

struct Peer::Impl {
  GMainContext* context;
  PeerOptions options;
  Events events;
  std::weak_ptr<Peer> self;

  GstPtr<GstElement> pipeline;  // Null from close() on: it is stopped there.
  GstPtr<GstElement> webrtcbin;
  GSource* bus_source = nullptr;
  std::shared_ptr<Promises> promises = std::make_shared<Promises>();
  std::vector<SignalConnection> connections;
  SignalConnection dtls_connection;
  Timer gather_timer;
  SdpCallback waiting_for_candidates;
  DtlsCheck dtls_check;
  PacketCount packets;
  bool gone = false;
  bool closed = false;

  std::shared_ptr<AnnouncedChannels> announced = std::make_shared<AnnouncedChannels>();

  // Label and how many messages may wait. Read in on-data-channel, on the pc thread; written
  // before start().
  using Labels = std::map<std::string, std::size_t>;
  std::shared_ptr<Labels> watched_labels = std::make_shared<Labels>();

  explicit Impl(GMainContext* owner) : context(g_main_context_ref(owner)), gather_timer(owner) {}

  ~Impl() {
    stop_listening();
    if (pipeline) {
      promises->wait();
      stop(pipeline.get(), webrtcbin.get());
    }
    g_main_context_unref(context);
  }

  void stop_listening() {
    connections.clear();
    dtls_connection.disconnect();
    gather_timer.cancel();
    if (GSource* source = std::exchange(bus_source, nullptr)) {
      g_source_destroy(source);
      g_source_unref(source);
    }
  }

  // Runs `function` on the context if the peer is still in use then.
  std::function<void()> later(std::function<void(Impl&)> function) const {
    return [context = context, self = self, function = std::move(function)] {
      post_to(context, [self, function] {
        const auto peer = self.lock();
        if (peer && !peer->impl_->closed) function(*peer->impl_);
      });
    };
  }

  // For promises: as above, with the result.
  template <typename Function>
  std::function<void(PromiseResult)> when_done(Function function) const {
    return [self = self, function = std::move(function)](PromiseResult result) {
      const auto peer = self.lock();
      if (peer && !peer->impl_->closed) function(*peer->impl_, std::move(result));
    };
  }

  // Whoever has gone may have left something behind that nobody has looked at yet.
  void set_gone(const std::string& why) {
    if (!check_certificate(something_came())) return;
    if (std::exchange(gone, true) || closed) return;
    GST_INFO_OBJECT(webrtcbin.get(), "the peer is gone: %s", why.c_str());
    if (auto callback = std::exchange(waiting_for_candidates, nullptr)) {
      gather_timer.cancel();
      callback(PeerError{why});
    }
    if (events.gone) events.gone(why);
  }

  bool build(std::string& problem) {
    webrtcbin = ref_gst(gst_element_factory_make("webrtcbin", nullptr));
    if (!webrtcbin) {
      problem = "GStreamer has no webrtcbin; its \"bad\" plugins and libnice's are needed";
      return false;
    }
    pipeline = GstPtr<GstElement>(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
    gst_util_set_object_arg(G_OBJECT(webrtcbin.get()), "bundle-policy", "max-bundle");
    gst_bin_add(GST_BIN(pipeline.get()), webrtcbin.get());
    give_own_association(webrtcbin.get());
    // For as long as there is a webrtcbin, beyond close(): channels come until it has stopped.
    keep_channels(webrtcbin.get());
    problem = set_up_ice(webrtcbin.get(), {.local_addresses = options.local_addresses,
                                           .this_machine = options.this_machine,
                                           .machine = options.machine,
                                           .network = options.network});
    if (!problem.empty()) return false;
    if (!only_loopback(options.local_addresses)) {
      add_ice_servers(webrtcbin.get(), options.ice_servers);
    }
    connect();
    return true;
  }

  using Notify = std::function<void()>;

  void connect() {
    const auto on_notify = G_CALLBACK(+[](GObject*, GParamSpec*, Notify* notify) { (*notify)(); });
    connections.emplace_back(webrtcbin.get(), "notify::connection-state", on_notify,
                             later([](Impl& impl) { impl.check_connection(); }));
    connections.emplace_back(webrtcbin.get(), "notify::ice-gathering-state", on_notify,
                             later([](Impl& impl) { impl.check_gathering(); }));

    using OnChannel = std::function<void(GstElement*, GstWebRTCDataChannel*)>;
    const Notify too_many = later([](Impl& impl) { impl.on_too_many_channels(); });
    // On the pc thread, with the PC lock held: never owns the peer, whose end would deadlock here.
    OnChannel on_channel = [context = context, self = self, labels = watched_labels,
                            announced = announced,
                            too_many](GstElement* of, GstWebRTCDataChannel* channel) {
      const std::string label = label_of(channel);
      const std::size_t count = announced->add(label);
      log_channel(of, label, count, kMostChannels);
      if (count > kMostChannels) {
        // Others may be on their way here.
        if (count == kMostChannels + 1) {
          drop_incoming(of);
          too_many();
        }
        return;
      }
      const auto found = labels->find(label);
      if (found == labels->end()) return;
      auto wrapped = DataChannel::create(channel, context, found->second, is_trusted_peer(self));
      post_to(context, [self, wrapped = std::move(wrapped)] {
        const auto peer = self.lock();
        if (!peer || peer->impl_->closed || !peer->impl_->is_trusted()) return;
        if (peer->impl_->events.channel) peer->impl_->events.channel(wrapped);
      });
    };
    connections.emplace_back(webrtcbin.get(), "on-data-channel",
                             G_CALLBACK(+[](GstElement* of, GstWebRTCDataChannel* channel,
                                            OnChannel* handler) { (*handler)(of, channel); }),
                             std::move(on_channel));

    const GstPtr<GstBus> bus(gst_element_get_bus(pipeline.get()));
    bus_source = gst_bus_create_watch(bus.get());
    // An error of webrtcbin's is an end. The commonest is sctpenc's when the other side closed the
    // connection.
    g_source_set_callback(
        bus_source, G_SOURCE_FUNC(+[](GstBus*, GstMessage* message, gpointer data) -> gboolean {
          if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            static_cast<Impl*>(data)->on_error(message);
          }
          return G_SOURCE_CONTINUE;
        }),
        this, nullptr);
    g_source_attach(bus_source, context);
  }

  void on_error(GstMessage* message) {
    GstObject* source = GST_MESSAGE_SRC(message);
    if (source != GST_OBJECT(webrtcbin.get()) &&
        !gst_object_has_as_ancestor(source, GST_OBJECT(webrtcbin.get()))) {
      // An encoder's, say. The connection does not depend on it.
      GError* error = nullptr;
      gst_message_parse_error(message, &error, nullptr);
      g_message("%s: %s", GST_OBJECT_NAME(source), error ? error->message : "unknown error");
      g_clear_error(&error);
      return;
    }
    const auto keep = self.lock();
    set_gone(why_gone_by_error(message));
  }

  void check_connection() {
    GstWebRTCPeerConnectionState state = GST_WEBRTC_PEER_CONNECTION_STATE_NEW;
    // 1.22 does not tell when the latter changes.
    log_state(webrtcbin.get(), "connection-state");
    log_state(webrtcbin.get(), "ice-connection-state");
    g_object_get(webrtcbin.get(), "connection-state", &state, nullptr);
    if (state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED) {
      packets.begin(webrtcbin.get());
      if (check_certificate(false) && events.connected) events.connected();
    } else if (const auto why = why_gone(state)) {
      set_gone(*why);
    }
  }

  // The DTLS transport exists once a description is set.
  void watch_dtls() {
    if (dtls_connection) return;
    const auto dtls = dtls_transport_of(webrtcbin.get());
    if (!dtls) return;
    dtls_connection =
        SignalConnection(dtls.get(), "notify::state",
                         G_CALLBACK(+[](GObject*, GParamSpec*, Notify* notify) { (*notify)(); }),
                         later([](Impl& impl) { impl.check_dtls(); }));
    // It may have connected before.
    check_dtls();
  }

  void check_dtls() {
    const DtlsStatus status = dtls_status(webrtcbin.get());
    log_dtls_state(webrtcbin.get(), status.state);
    if (!check_certificate(false)) return;
    if (const auto why = why_gone(status.state)) set_gone(*why);
  }

  // False if the peer is not who it should be, which is told once. `data_came`: something of what
  // it has sent is about to be used, or has been.
  bool check_certificate(bool data_came) {
    using Verdict = DtlsCheck::Verdict;
    if (dtls_check.verdict() == Verdict::kOpen) {
      const DtlsStatus status = dtls_status(webrtcbin.get());
      if (data_came) {
        dtls_check.data_came(status);
      } else {
        dtls_check.look(status);
      }
      log_verdict(webrtcbin.get(), dtls_check.verdict(), data_came);
    }
    if (dtls_check.verdict() != Verdict::kUntrusted) return true;
    if (!std::exchange(gone, true) && !closed && events.untrusted) {
      const auto keep = self.lock();
      events.untrusted(DtlsCheck::kWhyUntrusted);
    }
    return false;
  }
  bool is_trusted() { return check_certificate(true); }

  bool something_came() { return packets.value() > 0 || announced->count() > 0; }

  // For a channel, which may outlive the peer.
  static std::function<bool()> is_trusted_peer(const std::weak_ptr<Peer>& self) {
    return [self] {
      const auto peer = self.lock();
      return peer && peer->impl_->is_trusted();
    };
  }

  void on_too_many_channels() {
    if (gone || !events.too_many_channels) return;
    const auto keep = self.lock();
    events.too_many_channels("the client has opened more than " + std::to_string(kMostChannels) +
                             " data channels");
  }

  void check_gathering() {
    log_state(webrtcbin.get(), "ice-gathering-state");
    if (!waiting_for_candidates) return;
    GstWebRTCICEGatheringState state = GST_WEBRTC_ICE_GATHERING_STATE_NEW;
    g_object_get(webrtcbin.get(), "ice-gathering-state", &state, nullptr);
    if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE) finish_gathering();
  }

  // Hands out the local description with whatever candidates it holds by now.
  void finish_gathering() {
    gather_timer.cancel();
    const auto callback = std::exchange(waiting_for_candidates, nullptr);
    if (!callback) return;
    GstWebRTCSessionDescription* description = nullptr;
    g_object_get(webrtcbin.get(), "local-description", &description, nullptr);
    if (!description) {
      // An offer is not "the local description" before it is answered.
      g_object_get(webrtcbin.get(), "pending-local-description", &description, nullptr);
    }
    const DescriptionPtr owned(description);
    if (!owned) return callback(PeerError{"webrtcbin made no session description"});
    char* text = gst_sdp_message_as_text(owned->sdp);
    const std::string sdp(text);
    g_free(text);
    if (sdp.find("a=candidate:") == std::string::npos) return callback(no_candidates());
    if (options.this_machine) {
      const std::string problem = restrict_to_this_machine(webrtcbin.get());
      if (!problem.empty()) return callback(PeerError{problem});
    }
    log_candidates(webrtcbin.get(), sdp);
    callback(announce_addresses(sdp, options.network.announced_addresses));
  }

  [[nodiscard]] PeerError no_candidates() const {
    return PeerError{why_no_candidates(options.network), options.network.udp_ports.has_value()};
  }

  void set_local(DescriptionPtr description, SdpCallback callback) {
    waiting_for_candidates = std::move(callback);
    GstPromise* promise = make_promise(
        context, promises, nullptr, when_done([](Impl& impl, PromiseResult result) {
          if (!result.problem.empty()) {
            const auto fail = std::exchange(impl.waiting_for_candidates, nullptr);
            if (fail) fail(PeerError{result.problem});
            return;
          }
          impl.watch_dtls();
          // Gathering that has failed is never complete.
          if (impl.options.network.udp_ports && ice_ports(impl.webrtcbin.get()).empty()) {
            const auto fail = std::exchange(impl.waiting_for_candidates, nullptr);
            if (fail) fail(impl.no_candidates());
            return;
          }
          GST_DEBUG_OBJECT(impl.webrtcbin.get(), "candidates are gathered for %d ms at most",
                           static_cast<int>(impl.options.gather_timeout.count()));
          impl.gather_timer.start(impl.options.gather_timeout, [&impl] {
            const auto keep = impl.self.lock();
            GST_DEBUG_OBJECT(impl.webrtcbin.get(), "no more candidates are waited for");
            impl.finish_gathering();
          });
          impl.check_gathering();
        }));
    g_signal_emit_by_name(webrtcbin.get(), "set-local-description", description.get(), promise);
  }

  // create-offer or create-answer, then on.
  void create_description(const char* signal, const char* field, SdpCallback callback) {
    GstPromise* promise =
        make_promise(context, promises, field,
                     when_done([callback = std::move(callback)](Impl& impl, PromiseResult result) {
                       if (!result.problem.empty()) return callback(PeerError{result.problem});
                       impl.set_local(std::move(result.description), callback);
                     }));
    g_signal_emit_by_name(webrtcbin.get(), signal, nullptr, promise);
  }

  // `then` gets an empty string if it worked.
  void set_remote(GstWebRTCSDPType type, const std::string& sdp,
                  std::function<void(Impl&, std::string)> then) {
    const DescriptionPtr description = parse_description(type, sdp);
    if (!description) return then(*this, "the session description could not be parsed");
    dtls_check.expect(fingerprints_in(sdp));
    GstPromise* promise =
        make_promise(context, promises, nullptr,
                     when_done([then = std::move(then)](Impl& impl, PromiseResult result) {
                       then(impl, std::move(result.problem));
                     }));
    g_signal_emit_by_name(webrtcbin.get(), "set-remote-description", description.get(), promise);
  }
};

Peer::Peer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Peer::~Peer() { impl_->closed = true; }

std::shared_ptr<Peer> Peer::create(GMainContext* context, PeerOptions options, Events events,
                                   std::string& problem) {
  auto impl = std::make_unique<Impl>(context);
  impl->options = std::move(options);
  impl->events = std::move(events);
  std::shared_ptr<Peer> peer(new Peer(std::move(impl)));
  peer->impl_->self = peer;
  if (!peer->impl_->build(problem)) return nullptr;
  return peer;
}

ConnectStage Peer::stage() const { return connect_stage(impl_->webrtcbin.get()); }

std::string Peer::why_no_upload(const std::string& label) const {
  const ConnectStage missing = stage();
  if (missing == ConnectStage::kIce)
    return missing_at(missing, "client") +
           listens_at(impl_->webrtcbin.get(), impl_->options.network);
  if (missing != ConnectStage::kChannel) return missing_at(missing, "client");
  return impl_->announced->why_nothing_came(label);
}

std::uint64_t Peer::packets_received() const { return impl_->packets.value(); }

std::chrono::microseconds Peer::silent_for() const { return impl_->packets.silent_for(); }

GstElement* Peer::webrtcbin() const { return impl_->webrtcbin.get(); }

void Peer::watch_channel(std::string label, std::size_t max_pending) {
  (*impl_->watched_labels)[std::move(label)] = max_pending;
}

bool Peer::start() {
  GST_INFO_OBJECT(impl_->webrtcbin.get(), "starts");
  return gst_element_set_state(impl_->pipeline.get(), GST_STATE_PLAYING) !=
         GST_STATE_CHANGE_FAILURE;
}

void Peer::answer(const Offer& offer, SdpCallback callback) {
  SdpCallback complete = [plan = offer.answer, callback = std::move(callback)](
                             std::variant<std::string, PeerError> result) {
    if (const auto* sdp = std::get_if<std::string>(&result)) {
      auto whole = complete_answer(plan, *sdp);
      if (!whole) return callback(PeerError{"webrtcbin's answer lacks a section"});
      return callback(std::move(*whole));
    }
    callback(std::move(result));
  };
  // Where only this machine's peers are let in, nobody else is sent anything either.
  const std::string seen =
      impl_->options.this_machine ? keep_candidates(offer.sdp, is_of_this_machine) : offer.sdp;
  impl_->set_remote(GST_WEBRTC_SDP_TYPE_OFFER, seen,
                    [complete = std::move(complete)](Impl& impl, const std::string& problem) {
                      if (!problem.empty()) return complete(PeerError{problem});
                      impl.create_description("create-answer", "answer", complete);
                    });
}

std::shared_ptr<DataChannel> Peer::create_channel(const std::string& label,
                                                  std::size_t max_pending) {
  GstWebRTCDataChannel* channel = nullptr;
  g_signal_emit_by_name(impl_->webrtcbin.get(), "create-data-channel", label.c_str(), nullptr,
                        &channel);
  if (!channel) return nullptr;
  auto wrapped = DataChannel::create(channel, impl_->context, max_pending,
                                     Impl::is_trusted_peer(weak_from_this()));
  g_object_unref(channel);
  return wrapped;
}

void Peer::offer(SdpCallback callback) {
  impl_->create_description("create-offer", "offer", std::move(callback));
}

void Peer::accept_answer(const std::string& answer_sdp, ErrorCallback callback) {
  impl_->set_remote(GST_WEBRTC_SDP_TYPE_ANSWER, answer_sdp,
                    [callback = std::move(callback)](Impl& impl, std::string problem) {
                      impl.watch_dtls();
                      callback(std::move(problem));
                    });
}

void Peer::close(DoneCallback done) {
  Impl& impl = *impl_;
  if (std::exchange(impl.closed, true)) return post_to(impl.context, std::move(done));
  GST_INFO_OBJECT(impl.webrtcbin.get(), "the peer is let go%s",
                  impl.gone ? ", and is gone already" : ", and told good-bye");
  impl.stop_listening();
  impl.waiting_for_candidates = nullptr;
  // On a thread of GStreamer's: the goodbye takes a moment, and so can webrtcbin.
  struct Close {
    GMainContext* context;
    bool gone;
    GstPtr<GstElement> webrtcbin;
    std::shared_ptr<Promises> promises;
    DoneCallback done;
  };
  // It has all it needs, also if the peer is destroyed and the context no longer run meanwhile.
  const GstPtr<GstElement> pipeline = std::move(impl.pipeline);
  gst_element_call_async(
      pipeline.get(),
      [](GstElement* stopping, gpointer data) {
        auto* close = static_cast<Close*>(data);
        close->promises->wait();
        if (!close->gone) say_goodbye(close->webrtcbin.get());
        stop(stopping, close->webrtcbin.get());
        post_to(close->context, std::move(close->done));
      },
      new Close{g_main_context_ref(impl.context), impl.gone, ref_gst(impl.webrtcbin.get()),
                impl.promises, std::move(done)},
      [](gpointer data) {
        auto* close = static_cast<Close*>(data);
        g_main_context_unref(close->context);
        delete close;
      });
}

}  // namespace webrtcupload
