// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/upload_server.h"

#include <future>
#include <optional>
#include <utility>
#include <variant>

#include "core/redaction.h"
#include "glib/debug.h"
#include "glib/main_context.h"
#include "results/result_sender.h"
#include "signalling/announced_peers.h"
#include "signalling/further_peers.h"
#include "signalling/http_offers.h"
#include "signalling/session_request.h"
#include "signalling/session_status.h"
#include "signalling/signaller_offers.h"
#include "webrtc/peer.h"
#include "webrtc/sdp/offer_check.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {
namespace {

// When the server stops: for its last word to the peer, and then for the good-bye, which takes less
// as a rule. What is left of it goes on without the server.
constexpr std::chrono::milliseconds kLastWordTimeout{3000};
constexpr std::chrono::milliseconds kGoodbyeTimeout{3000};

}  // namespace

// Lives on the server's thread.
class UploadServer::Worker : public OfferTaker, public std::enable_shared_from_this<Worker> {
 public:
  Worker(Settings settings, Events events, std::shared_ptr<Announcer> announcer,
         GMainContext* context)
      : settings_(std::move(settings)),
        events_(std::move(events)),
        announcer_(std::move(announcer)),
        context_(context),
        loop_(g_main_loop_new(context, FALSE)),
        timer_(context),
        failed_timer_(context) {}
  ~Worker() override { g_main_loop_unref(loop_); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] std::string listen() {
    further_ = make_further_peers();
    if (settings_.signaller) {
      source_ = std::make_unique<SignallerOffers>(
          settings_.signaller.get(), context_, weak_from_this(), announcer_,
          [this](const std::string& why) {
            tell([failed = events_.signaller_failed, why] { failed(why); });
          });
    } else {
      watch_upload();
      source_ =
          std::make_unique<HttpOffers>(HttpOffers::Settings{.name = settings_.name,
                                                            .address = settings_.address,
                                                            .port = settings_.port,
                                                            .origins = settings_.origins,
                                                            .keys = settings_.keys,
                                                            .ice_servers = settings_.ice_servers,
                                                            .limits = events_.limits},
                                       weak_from_this());
    }
    return source_->start();
  }
  [[nodiscard]] const OfferSource& source() const { return *source_; }
  void run() {
    g_main_loop_run(loop_);
    // Those whose good-bye was not waited for.
    drop_peer();
    further_->abandon();
  }

  void stop() {
    stopping_ = true;
    source_->stop();
    close_further();
    if (!peer_) return quit_when_alone();
    // When the upload has begun, its peer waits for a last word, which a webrtcresultsink has said
    // by now if there is one.
    if (!leaving_ && events_.upload_begun() && say_last_word(events_.outcome())) {
      // Whoever stops the element waits.
      return results_->hurry();
    }
    leave();
  }

  // stop() for a server that is stopped on this very thread, by a handler of something that
  // webrtcbin does here: what is to be done is done when that has returned, without the element,
  // which may be used again by then.
  void leave_behind() {
    left_behind_ = events_.hold();
    stopping_ = true;
    source_->stop();
    post_to(context_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->close_further();
      if (!self->peer_) return self->quit_when_alone();
      self->leave();
    });
  }
  [[nodiscard]] bool is_left_behind() const { return left_behind_ != nullptr; }

  void take_offer(std::string id, const std::string& offer_sdp,
                  std::shared_ptr<OfferReply> reply) override {
    if (stopping_) return refuse(*reply, server_stops());
    if (peer_ || announces_ || events_.upload_begun()) return refuse(*reply, too_many_sessions(1));
    const auto checked = check_offer(offer_sdp);
    if (const auto* error = std::get_if<OfferError>(&checked)) {
      return refuse(*reply, {400, "InvalidOffer", error->message, {}});
    }
    id_ = std::move(id);
    std::string problem;
    peer_ = make_peer(problem);
    if (!peer_) return refuse(*reply, {500, "InternalError", text_for_client(problem), {}});
    GST_INFO_ID(name(), "a peer has the place: %s", GST_OBJECT_NAME(peer_->webrtcbin()));
    reply_ = std::move(reply);
    pending_ = std::get<Offer>(checked);
    timer_.start(settings_.answer_timeout, [this] { leave(); });
    events_.attach(peer_->webrtcbin());
    announce_peer();
  }

  void take_further_offer(const std::string& session, std::string id, const std::string& offer_sdp,
                          std::shared_ptr<OfferReply> reply) override {
    if (stopping_) return refuse(*reply, server_stops());
    const auto status = this->status(session);
    if (!status || status->ended) return refuse(*reply, no_such_session());
    const unsigned most = events_.limits().max_connections;
    // One that makes room is there for a moment longer.
    if (further_->size() + (peer_ ? 1 : 0) > most_connections(most)) {
      return refuse(*reply, too_many_connections(most));
    }
    further_->connect(id, offer_sdp,
                      {.max_connections = most,
                       .first = leaving_ ? nullptr : peer_.get(),
                       .end_first = [this] { leave(); }},
                      [reply](const std::variant<std::string, HttpError>& result) {
                        const auto* error = std::get_if<HttpError>(&result);
                        if (error) return reply->refuse(*error);
                        reply->answer(std::get<std::string>(result));
                      });
  }

  bool withdraw_further(const std::string& session, const std::string& id) override {
    return session == id_ && has_session() && further_->disconnect(id);
  }

  // All connections end, and the upload of one that could come back for it.
  bool withdraw(const std::string& id) override {
    const bool may_come_back = events_.may_be_joined();
    if (id != id_ || (!peer_ && !may_come_back && further_->size() == 0)) return false;
    if (may_come_back) events_.give_up();
    further_->end_all(withdrawn());
    leave();
    return true;
  }

  // The session that is there, or the last one, unless its client has ended that. Once an upload
  // has begun it is there until stop(), whether its peer is or not.
  [[nodiscard]] std::optional<SessionStatus> status(const std::string& id) const override {
    const SessionStatus* ended = ended_.find(id, "", std::chrono::steady_clock::now());
    if (ended) return *ended;
    if (!has_session() || id != id_) return std::nullopt;
    if (const OfferOutcome outcome = events_.failure(); !outcome.code.empty()) {
      return SessionStatus{
          .ended = true, .code = outcome.code, .message = text_for_client(outcome.message)};
    }
    return SessionStatus{};
  }

 private:
  // For the log.
  [[nodiscard]] const char* name() const { return settings_.name.c_str(); }

  void refuse(OfferReply& reply, const HttpError& error) const {
    GST_DEBUG_ID(name(), "offer refused: %s: %s", error.error_type.c_str(), error.message.c_str());
    reply.refuse(error);
  }

  [[nodiscard]] bool has_session() const { return (peer_ && !leaving_) || events_.upload_begun(); }

  // The application may connect what it likes before there is an answer.
  void announce_peer() {
    const std::shared_ptr<GMainContext> context(g_main_context_ref(context_), g_main_context_unref);
    announces_ = true;
    tell([added = events_.peer_added, webrtcbin = shared_webrtcbin(), self = weak_from_this(),
          context, id = id_] {
      added(webrtcbin.get());
      post_to(context.get(), [self, id] {
        const auto worker = self.lock();
        if (!worker) return;
        worker->announces_ = false;
        if (worker->id_ == id) worker->answer_announced();
      });
    });
  }

  void answer_announced() {
    if (!peer_ || leaving_ || stopping_ || !pending_) {
      GST_DEBUG_ID(name(), "the peer is not answered: it has left, or the server stops");
      return;
    }
    const Offer offer = *std::exchange(pending_, std::nullopt);
    make_results();
    const bool started = peer_->start();
    // A handler of what that has caused may have stopped the server.
    if (stopping_) return;
    if (!started) {
      reply_->refuse({500, "InternalError", "webrtcbin does not start.", {}});
      return drop_peer();
    }
    peer_->answer(offer, [self = weak_from_this(),
                          reply = reply_](const std::variant<std::string, PeerError>& result) {
      const auto worker = self.lock();
      if (worker) worker->on_answer(result, *reply);
    });
  }

  // Runs `what` where the application is told things, with the element held.
  void tell(std::function<void()> what) {
    const std::shared_ptr<GObject> held(events_.hold().release(), g_object_unref);
    announcer_->tell([held, what = std::move(what)] { what(); });
  }
  [[nodiscard]] std::shared_ptr<GstElement> shared_webrtcbin() const {
    return {ref_gst(peer_->webrtcbin()).release(), gst_object_unref};
  }

  void on_answer(const std::variant<std::string, PeerError>& result, OfferReply& reply) {
    if (const auto* error = std::get_if<PeerError>(&result)) {
      GST_INFO_ID(name(), "the peer's offer is not answered: %s", error->message.c_str());
      HttpError refusal = not_answered(*error);
      refusal.message = text_for_client(refusal.message);
      reply.refuse(refusal);
      return leave();
    }
    // Being stopped, it has another use for the timer.
    GST_INFO_ID(name(), "the peer is answered");
    if (!leaving_ && !stopping_) limit_time_to_begin();
    reply.answer(std::get<std::string>(result));
  }

  std::shared_ptr<Peer> make_peer(std::string& problem) {
    const auto weak = weak_from_this();
    Peer::Events events;
    events.gone = [weak](const std::string& why) {
      const auto self = weak.lock();
      if (!self) return;
      // What that means for an upload which has begun is the upload's affair, and it has noticed.
      if (self->events_.upload_begun()) return self->leave();
      self->leave(OfferOutcome{"peer-gone", why});
    };
    const auto distrust = [weak](const char* code) {
      return [weak, code](const std::string& why) {
        const auto self = weak.lock();
        if (!self) return;
        if (self->events_.upload_begun()) {
          self->events_.give_up();
          self->tell([distrusted = self->events_.distrusted, why] { distrusted(why); });
        }
        self->leave(OfferOutcome{code, why});
      };
    };
    events.untrusted = distrust("untrusted-peer");
    events.too_many_channels = distrust("too-many-channels");
    return Peer::create(context_, peer_options(), std::move(events), problem);
  }

  [[nodiscard]] PeerOptions peer_options() const {
    auto addresses = ice_addresses_for(settings_.address);
    const bool this_machine = only_loopback(addresses);
    return {.local_addresses = std::move(addresses),
            .this_machine = this_machine,
            .network = settings_.network,
            .ice_servers = settings_.ice_servers};
  }

  // Takes the peer's channel for results if no webrtcresultsink does.
  void make_results() {
    ResultEvents events;
    events.finished = [weak = weak_from_this(), context = context_](const Delivery&) {
      post_to(context, [weak] {
        if (const auto self = weak.lock()) self->leave();
      });
    };
    results_ = ResultSender::create({.name = settings_.name}, std::move(events));
    results_->attach(peer_->webrtcbin());
  }

  void remember(const OfferOutcome& outcome) {
    why_ = {outcome.code, text_for_client(outcome.message)};
    ended_.add(id_, "", {.ended = true, .code = why_.code, .message = why_.message},
               std::chrono::steady_clock::now());
  }

  // The place is free when the peer is gone from here as well. `why` is for its client.
  void leave(std::optional<OfferOutcome> why = std::nullopt) {
    if (!peer_) return;
    if (!std::exchange(leaving_, true)) {
      GST_INFO_ID(name(), "the peer leaves%s%s: %s", why ? ", " : "", why ? why->code.c_str() : "",
                  why ? why->message.c_str() : "nothing is wrong");
      // Whoever waits for an answer is told that there is none.
      pending_.reset();
      if (reply_) reply_->refuse(why_no_answer());
      if (why) remember(*why);
      timer_.cancel();
      peer_->close([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->drop_peer();
        if (self->stopping_) self->quit_when_alone();
      });
    }
    if (stopping_) quit_when_alone();
  }

  std::shared_ptr<FurtherPeers> make_further_peers() {
    return std::make_shared<FurtherPeers>(
        context_,
        FurtherPeers::Settings{.peer = peer_options(),
                               .connect_timeout = settings_.connect_timeout},
        announced_peers(context_, events_,
                        [this](std::function<void()> what) { tell(std::move(what)); }));
  }

  // Those beside the first peer have nothing to wait for once they have heard of the failure.
  void watch_upload() {
    const std::shared_ptr<GMainContext> context(g_main_context_ref(context_), g_main_context_unref);
    watch_ = events_.watch([weak = weak_from_this(), context] {
      post_to(context.get(), [weak] {
        const auto self = weak.lock();
        if (!self || self->events_.failure().code.empty()) return;
        self->failed_timer_.start(kLastWordTimeout,
                                  [raw = self.get()] { raw->further_->end_all(withdrawn()); });
      });
    });
  }

  void close_further() {
    further_->close([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->quit_when_alone();
    });
  }
  // Of a server that stops.
  void quit_when_alone() {
    if (!peer_ && further_->size() == 0) return g_main_loop_quit(loop_);
    if (!timer_.armed()) timer_.start(kGoodbyeTimeout, [this] { g_main_loop_quit(loop_); });
  }

  void limit_time_to_begin() {
    GST_DEBUG_ID(name(), "the peer has %d ms to begin its upload",
                 static_cast<int>(settings_.connect_timeout.count()));
    timer_.start(settings_.connect_timeout, [this] {
      if (events_.upload_begun()) return;
      if (!events_.has_a_chunk()) return give_up();
      // The peer has done its part. Should nothing come of it, it has no place for ever.
      limit_time_to_begin();
    });
  }

  // The peer's time has passed.
  void give_up() {
    const std::string why =
        "it did not begin to upload in time: " + peer_->why_no_upload(events_.upload_label());
    GST_INFO_ID(name(), "the peer loses its place: %s", why.c_str());
    tell([not_begun = events_.not_begun, why] { not_begun(why); });
    const OfferOutcome outcome{"connect-timeout", why};
    remember(outcome);
    if (!say_last_word(outcome)) leave();
  }

  // Tells the peer how its session ended; it leaves when it has heard that, or has had its time.
  // False if it has no channel for that.
  bool say_last_word(const OfferOutcome& outcome) {
    if (!results_ || !results_->has_channel()) return false;
    timer_.start(kLastWordTimeout, [this] { leave(); });
    std::vector<std::string> errors;
    if (!outcome.code.empty()) errors.push_back(text_for_client(outcome.message));
    results_->finish(outcome.code, std::move(errors));
    return true;
  }

  void drop_peer() {
    if (!peer_) return;
    GST_INFO_ID(name(), "the place is free again: %s has stopped",
                GST_OBJECT_NAME(peer_->webrtcbin()));
    events_.detach(peer_->webrtcbin());
    tell([removed = events_.peer_removed, webrtcbin = shared_webrtcbin()] {
      removed(webrtcbin.get());
    });
    pending_.reset();
    results_.reset();
    peer_.reset();
    leaving_ = false;
    if (const auto reply = std::exchange(reply_, nullptr)) reply->end(std::exchange(why_, {}));
  }

  [[nodiscard]] HttpError why_no_answer() const {
    if (stopping_) return server_stops();
    if (timer_.armed()) return {503, "Withdrawn", "The offer was withdrawn.", {}};
    return not_in_time();
  }

  const Settings settings_;
  const Events events_;
  const std::shared_ptr<Announcer> announcer_;
  GMainContext* const context_;
  GMainLoop* const loop_;
  std::unique_ptr<OfferSource> source_;
  Timer timer_;
  Timer failed_timer_;
  SignalConnection watch_;
  std::shared_ptr<Peer> peer_;  // There is one from the offer on.
  std::shared_ptr<FurtherPeers> further_;
  std::shared_ptr<ResultSender> results_;
  std::string id_;
  // To the peer's offer.
  std::shared_ptr<OfferReply> reply_;
  // Why the peer has to leave, as whoever brought its offer is told.
  OfferOutcome why_;
  // An offer whose peer the application is being told of.
  std::optional<Offer> pending_;
  GObjectPtr<GObject> left_behind_;
  // How sessions ended whose clients may want to know.
  EndedSessions ended_;
  // A peer is being announced. It may have left already: its client waits no longer than it likes,
  // and a handler may take its time.
  bool announces_ = false;
  bool leaving_ = false;
  bool stopping_ = false;
};

std::unique_ptr<UploadServer> UploadServer::start(Settings settings, Events events,
                                                  std::string& problem) {
  std::unique_ptr<UploadServer> self(new UploadServer());
  self->context_ = g_main_context_new();
  self->announcer_ = Announcer::start();
  std::promise<std::string> listening;
  auto listens = listening.get_future();
  self->thread_ = std::thread([&, settings = std::move(settings), events = std::move(events),
                               announcer = self->announcer_,
                               context = g_main_context_ref(self->context_)]() mutable {
    g_main_context_push_thread_default(context);
    auto worker =
        std::make_shared<Worker>(std::move(settings), std::move(events), announcer, context);
    std::string why = worker->listen();
    const bool runs = why.empty();
    self->url_ = worker->source().url();
    self->port_ = worker->source().port();
    self->worker_ = worker;
    // What start() has on its stack is not touched from here on.
    listening.set_value(std::move(why));
    if (runs) worker->run();
    const bool left_behind = worker->is_left_behind();
    worker.reset();
    // What GIO has begun there holds the context, which would stay for ever if nobody heard of its
    // end.
    while (g_main_context_iteration(context, FALSE)) {
    }
    // Then nobody waits for this thread.
    if (left_behind) announcer->finish();
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
  });
  problem = listens.get();
  if (!problem.empty()) return nullptr;
  return self;
}

UploadServer::~UploadServer() {
  if (thread_.get_id() == std::this_thread::get_id()) {
    if (const auto alive = worker_.lock()) alive->leave_behind();
    thread_.detach();
  } else if (thread_.joinable()) {
    post_to(context_, [worker = worker_] {
      if (const auto alive = worker.lock()) alive->stop();
    });
    thread_.join();
    announcer_->finish();
  }
  if (context_) g_main_context_unref(context_);
}

}  // namespace webrtcupload
