// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/serve.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unistd.h>
#include <utility>

#include "core/spool.h"
#include "core/upload_limits.h"
#include "glib/main_context.h"
#include "json/json.h"
#include "signalling/http_server.h"
#include "signalling/session_path.h"
#include "signalling/session_request.h"
#include "signalling/session_status.h"
#include "signalling/whip.h"
#include "signalling/worker_request.h"
#include "tool/common/event_output.h"
#include "tool/common/options.h"
#include "tool/sandbox/sandbox.h"
#include "tool/serve/connection_offers.h"
#include "tool/serve/policy.h"
#include "tool/serve/serve_options.h"
#include "tool/serve/session_runner.h"

namespace webrtcupload {
namespace {

// For sessions to end when the server is told to. A session's process has a shorter one.
constexpr std::chrono::milliseconds kShutdownTimeout{15000};

std::string session_line(const SessionFacts& facts) {
  JsonWriter line;
  line.set("event", "session")
      .set("session", facts.session)
      .set("client_address", facts.client_address);
  if (facts.pipeline) {
    line.set("pipeline", *facts.pipeline);
  } else {
    line.set_null("pipeline");
  }
  return line.text();
}

class Server {
 public:
  explicit Server(ServeOptions options)
      : options_(std::move(options)),
        loop_(g_main_loop_new(nullptr, FALSE)),
        policy_(options_.keys, options_.key_file, options_.hook),
        http_(http_options(), [this](HttpRequest request, HttpResponder responder) {
          on_request(request, std::move(responder));
        }) {}
  ~Server() { g_main_loop_unref(loop_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int run() {
    if (const std::string problem = http_.start(); !problem.empty()) {
      g_printerr("webrtc-upload serve: %s\n", problem.c_str());
      return kExitFailed;
    }
    output_.set_on_relief([this] {
      post_to(context_, [this] {
        for (auto& [id, session] : sessions_) {
          if (session.runner) session.runner->resume();
        }
      });
    });
    const guint on_int = g_unix_signal_add(SIGINT, on_signal, this);
    const guint on_term = g_unix_signal_add(SIGTERM, on_signal, this);
    const guint on_hup = options_.key_file ? g_unix_signal_add(SIGHUP, on_hang_up, this) : 0;
    g_message(
        "%s",
        describe_sandbox(sandbox_parts(), options_.session.sandbox, options_.isolate).c_str());
    const std::string spool = options_.session.spool_directory.value_or(Spool::default_directory());
    if (Spool::is_in_memory(spool)) {
      g_warning(
          "uploads are kept in \"%s\", whose files are in memory; --spool-directory names a "
          "directory on a disk",
          spool.c_str());
    }
    output_.write(JsonWriter().set("event", "listening").set("url", http_.url()).text());
    g_main_loop_run(loop_);
    sessions_.clear();
    for (const guint source : {on_int, on_term, on_hup}) {
      if (source != 0) g_source_remove(source);
    }
    // It ends in order whoever says so again: what is left takes no time.
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_IGN);
    return kExitOk;
  }

 private:
  // A session that the policy is still asked about.
  struct Proposal {
    SessionConfig config;
    HttpResponder responder;
    bool whip;  // Answered in WHIP's way.
  };
  // From the moment a request is worth one of the places there are, to the session's end.
  struct Entry {
    SessionFacts facts;
    std::optional<Proposal> proposal;
    // What the hook is being asked: one thing at a time, and nothing once this is gone.
    AuthHook::Question question;
    std::unique_ptr<SessionRunner> runner;          // Null before it begins.
    std::shared_ptr<ConnectionOffers> connections;  // Likewise.
    bool deleted = false;                           // For clients it is there no more.
  };

  HttpServerOptions http_options() {
    HttpServerOptions http = options_.http;
    http.keys_required = !options_.keys.empty();
    // Credentials are for those who have shown a key. What the hook would say is asked with an
    // offer.
    http.ice_servers = [this](const std::optional<std::string>& key) {
      const bool known = policy_.wants_keys() ? !policy_.keys().check(key) : !policy_.protects();
      return known ? options_.session.ice_servers
                   : without_credentials(options_.session.ice_servers);
    };
    http.limits = [this] {
      Limits limits;
      limits.max_size = options_.session.max_size.value_or(limits.max_size);
      limits.max_chunks = options_.session.max_chunks.value_or(limits.max_chunks);
      return limits_json(
          {.max_size = reachable_size(limits),
           .keys_required = policy_.wants_keys(),
           .protocols = options_.session.protocols.value_or(kAllVersions),
           .max_connections = max_connections(),
           .resume_timeout = options_.session.resume_timeout.value_or(std::chrono::milliseconds(
               std::chrono::ceil<std::chrono::milliseconds>(limits.resume_timeout)))});
    };
    return http;
  }

  [[nodiscard]] unsigned max_connections() const {
    return options_.session.max_connections.value_or(Limits{}.max_connections);
  }

  using Clock = std::chrono::steady_clock;

  static gboolean on_signal(gpointer self) {
    static_cast<Server*>(self)->shut_down();
    return G_SOURCE_CONTINUE;
  }

  static gboolean on_hang_up(gpointer self) {
    const std::string problem = static_cast<Server*>(self)->policy_.reload_keys();
    if (problem.empty()) {
      g_message("the keys have been read again");
    } else {
      g_warning("the keys stay as they were: %s", problem.c_str());
    }
    return G_SOURCE_CONTINUE;
  }

  // Once in order; a second time at once.
  void shut_down() {
    if (std::exchange(stopping_, true)) {
      for (auto& [id, session] : sessions_) {
        if (session.runner) session.runner->kill();
      }
      g_main_loop_quit(loop_);
      return;
    }
    http_.stop_listening();
    // Sessions in this process would wait for a reader that does not read.
    output_.end_patience();
    std::erase_if(sessions_, [](const auto& item) {
      const Entry& entry = item.second;
      if (entry.proposal) entry.proposal->responder.fail(stopping_error());
      return !entry.runner;
    });
    if (sessions_.empty()) return g_main_loop_quit(loop_);
    shutdown_timer_.start(kShutdownTimeout, [this] { g_main_loop_quit(loop_); });
    // A session may end, and leave the map, while it is told to.
    std::vector<SessionRunner*> runners;
    for (auto& [id, session] : sessions_) {
      session.connections->refuse_all(stopping_error());
      runners.push_back(session.runner.get());
    }
    for (SessionRunner* runner : runners) runner->stop("the server is stopping");
  }

  void on_request(const HttpRequest& request, HttpResponder responder) {
    if (request.method == "GET") return show_session(request, responder);
    const SessionPath path = parse_session_path(request.path);
    if (request.method == "DELETE") {
      return path.what == SessionPath::What::kConnection ? end_connection(path, request, responder)
                                                         : end_session(request, responder);
    }
    auto read = read_session_request(request, policy_.keys());
    if (const auto* error = std::get_if<HttpError>(&read)) return responder.fail(*error);
    auto& asked = std::get<SessionRequest>(read);
    if (path.what == SessionPath::What::kConnections) {
      return add_connection(path, request, std::move(asked), std::move(responder));
    }
    auto& worker = asked.worker;
    SessionFacts facts;
    facts.key = std::move(asked.key);
    auto pipeline = options_.pipelines.choose(worker.workflow_id);
    auto chosen = choose_outputs(worker, pipeline.output);
    if (const auto* error = std::get_if<HttpError>(&chosen)) return responder.fail(*error);
    auto ice_servers =
        choose_ice_servers(worker, options_.client_ice_servers, options_.session.ice_servers);
    if (const auto* error = std::get_if<HttpError>(&ice_servers)) return responder.fail(*error);
    if (stopping_) return responder.fail(stopping_error());
    if (sessions_.size() >= options_.max_sessions) {
      return responder.fail(too_many_sessions(options_.max_sessions));
    }
    if (const auto error = policy_.check_hook()) return responder.fail(*error);
    const auto id = make_session_id();
    if (!id) return responder.fail(no_randomness());

    facts.session = *id;
    facts.client_address = request.client_address;
    facts.workflow_id = worker.workflow_id;
    facts.workspace_name = worker.workspace_name;
    facts.pipeline = pipeline.name;
    facts.realtime = worker.realtime;
    SessionConfig config = options_.session;
    config.id = *id;
    config.pipeline = std::move(pipeline.description);
    config.sandbox = std::move(pipeline.sandbox);
    config.ice_servers = std::move(std::get<std::vector<IceServer>>(ice_servers));
    // On loopback none is used anyway.
    if (!worker.ice_servers.empty() && config.ice_addresses.empty() &&
        options_.client_ice_servers == ClientIceServers::kIgnore) {
      g_message("session %s: the STUN and TURN servers that its client names are not used",
                id->c_str());
    }
    configure(std::move(worker), std::move(std::get<ChosenOutputs>(chosen)), config);

    responder.on_gone([this, id = *id] { client_left(id); });
    Entry& entry = sessions_[*id];
    entry.facts = std::move(facts);
    entry.proposal.emplace(Proposal{std::move(config), std::move(responder), asked.whip});
    if (!policy_.asks_sessions()) return begin(entry);
    entry.question = policy_.ask_session(
        entry.facts, [this, id = *id](const HookVerdict& verdict) { on_verdict(id, verdict); });
  }

  // What the client asked for, as far as the operator lets it.
  void configure(WorkerRequest worker, ChosenOutputs outputs, SessionConfig& config) const {
    config.offer_sdp = std::move(worker.offer_sdp);
    config.data_output = std::move(outputs.data);
    config.video_output = std::move(outputs.video);
    config.realtime = worker.realtime;
    config.declared_fps = worker.declared_fps;
    if (worker.processing_timeout) {
      const double most = static_cast<double>(kLongestTime.count());
      const double wanted = std::min(std::ceil(*worker.processing_timeout * 1000), most);
      config.processing_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(wanted));
    }
    apply_limits({.processing_timeout = options_.max_processing_timeout}, config);
  }

  void on_verdict(const std::string& id, const HookVerdict& verdict) {
    const auto found = sessions_.find(id);
    // Its client has left, or the server is stopping.
    if (found == sessions_.end()) return;
    Entry& entry = found->second;
    if (const auto* error = std::get_if<HttpError>(&verdict)) {
      entry.proposal->responder.fail(*error);
      sessions_.erase(found);
      return;
    }
    apply_limits(std::get<SessionLimits>(verdict), entry.proposal->config);
    begin(entry);
  }

  void begin(Entry& entry) {
    Proposal proposal = std::move(*entry.proposal);
    entry.proposal.reset();
    SessionObserver observer = observe(entry.facts, std::move(proposal.responder), proposal.whip);
    entry.runner =
        options_.isolate
            ? make_child_session(context_, output_, std::move(proposal.config), std::move(observer))
            : make_local_session(context_, std::move(proposal.config), std::move(observer));
    entry.connections = std::make_shared<ConnectionOffers>(
        ConnectionOffers::Settings{.session = entry.facts.session,
                                   .max_connections = max_connections(),
                                   .ice_servers = options_.session.ice_servers},
        policy_, *entry.runner);
    entry.runner->start();
  }

  void add_connection(const SessionPath& path, const HttpRequest& request, SessionRequest asked,
                      HttpResponder responder) {
    Entry* session = find_session(path.session);
    if (!session) return responder.fail(no_such_session());
    if (!owns(*session, asked.key)) return responder.fail(not_your_session());
    const auto ice_servers = choose_ice_servers(asked.worker, options_.client_ice_servers, {});
    if (const auto* error = std::get_if<HttpError>(&ice_servers)) return responder.fail(*error);
    if (stopping_) return responder.fail(stopping_error());
    SessionFacts facts = session->facts;
    facts.client_address = request.client_address;
    session->connections->take({.facts = std::move(facts),
                                .offer_sdp = std::move(asked.worker.offer_sdp),
                                .whip = asked.whip},
                               std::move(responder));
  }

  void end_connection(const SessionPath& path, const HttpRequest& request,
                      const HttpResponder& responder) {
    if (const auto error = policy_.keys().check(request.bearer_token))
      return responder.fail(*error);
    Entry* session = find_session(path.session);
    if (!session) return responder.fail(no_such_session());
    if (!owns(*session, request.bearer_token)) return responder.fail(not_your_session());
    if (!session->connections->end(path.connection)) return responder.fail(no_such_connection());
    responder.reply_json(200, "");
  }

  SessionObserver observe(const SessionFacts& facts, HttpResponder responder, bool whip) {
    auto waiting = std::make_shared<std::optional<HttpResponder>>(std::move(responder));
    const std::string id = facts.session;
    SessionObserver observer;
    // Pipelines that do not wait for the upload have frames before the answer.
    const auto announced = std::make_shared<std::once_flag>();
    const auto announce = [this, facts, announced] {
      std::call_once(*announced, [&] { output_.write(session_line(facts)); });
    };
    observer.answered = [this, announce, id, waiting, whip](const std::string& sdp) {
      announce();
      if (*waiting) reply_answer(**waiting, whip, sdp, id, options_.session.ice_servers);
      waiting->reset();
    };
    observer.refused = [this, id, waiting](const HttpError& error) {
      if (*waiting) (*waiting)->fail(error);
      waiting->reset();
      g_message("session %s refused: %s", id.c_str(), error.message.c_str());
      remove(id);
    };
    if (options_.isolate) {
      observer.frame = [this, announce](const std::string& line) {
        announce();
        output_.write(line);
      };
    } else {
      observer.frame = [this, announce](const std::string& line) {
        announce();
        output_.write_patiently(line);
      };
    }
    observer.ended = [this, id](const SessionEnd& end) {
      output_.write(end_line(id, end));
      remember(id, end);
      remove(id);
    };
    observer.connection = [this, id](const std::string& connection, const ConnectionNews& news) {
      const auto found = sessions_.find(id);
      if (found != sessions_.end()) found->second.connections->on_news(connection, news);
    };
    observer.ask = [this, id](const PolicyQuestion& question,
                              std::function<void(PolicyAnswer)> reply) {
      post_to(context_, [this, id, question, reply = std::move(reply)]() mutable {
        on_question(id, question, std::move(reply));
      });
    };
    return observer;
  }

  void on_question(const std::string& id, const PolicyQuestion& question,
                   std::function<void(PolicyAnswer)> reply) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    if (!policy_.asks_sessions()) return reply({});
    found->second.question = policy_.ask_running(found->second.facts, question, std::move(reply));
  }

  // Before it had its answer.
  void client_left(const std::string& id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    g_message("session %s: its client left before the answer", id.c_str());
    // A process can be dropped; what is in this one has to be taken down in order.
    if (found->second.runner && !options_.isolate) {
      return found->second.runner->stop("the client left");
    }
    sessions_.erase(found);
    if (stopping_ && sessions_.empty()) g_main_loop_quit(loop_);
  }

  // The session, if its client has not ended it.
  Entry* find_session(const std::string& id) {
    const auto found = sessions_.find(id);
    const bool is_there =
        found != sessions_.end() && found->second.runner && !found->second.deleted;
    return is_there ? &found->second : nullptr;
  }
  // Whether this is the key that it was made with.
  static bool owns(const Entry& session, const std::optional<std::string>& key) {
    return same_hash(hash_key(session.facts.key.value_or("")), hash_key(key.value_or("")));
  }
  // The session at a request's path, for who shows its key.
  Entry* find_session(const HttpRequest& request) {
    Entry* session = find_session(parse_session_path(request.path).session);
    return session && owns(*session, request.bearer_token) ? session : nullptr;
  }

  // DELETE of a session by who has its id, and its key.
  void end_session(const HttpRequest& request, const HttpResponder& responder) {
    if (const auto error = policy_.keys().check(request.bearer_token))
      return responder.fail(*error);
    Entry* session = find_session(request);
    if (!session) return responder.fail(no_such_session());
    responder.reply_json(200, "");
    session->deleted = true;
    session->runner->stop("its client ended it");
  }

  // GET of a session, by the same.
  void show_session(const HttpRequest& request, const HttpResponder& responder) {
    if (const auto error = policy_.keys().check(request.bearer_token))
      return responder.fail(*error);
    SessionStatus status;
    // One that has ended may still be in both places.
    if (const auto* ended = ended_.find(parse_session_path(request.path).session,
                                        owner_of(request.bearer_token), Clock::now())) {
      status = *ended;
    } else if (!find_session(request)) {
      return responder.fail(no_such_session());
    }
    reply_status(responder, status);
  }

  static std::string owner_of(const std::optional<std::string>& key) {
    const KeyHash hash = hash_key(key.value_or(""));
    return {hash.begin(), hash.end()};
  }

  void remember(const std::string& id, const SessionEnd& end) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.deleted) return;
    ended_.add(id, owner_of(found->second.facts.key),
               {.ended = true,
                .done = end.done,
                .code = end.code,
                .message = end.message,
                .frames = end.frames,
                .bytes = end.bytes,
                .chunks = end.chunks,
                .sha256 = end.film.sha256},
               Clock::now());
  }

  static HttpError stopping_error() { return {503, "Stopping", "The server is stopping.", {}}; }

  // Not at once: the session itself may be calling.
  void remove(const std::string& id) {
    post_to(context_, [this, id] {
      sessions_.erase(id);
      if (stopping_ && sessions_.empty()) g_main_loop_quit(loop_);
    });
  }

  const ServeOptions options_;
  GMainContext* const context_ = g_main_context_default();
  GMainLoop* loop_;
  EventOutput output_{STDOUT_FILENO, EventOutput::Marks{}};
  Policy policy_;
  HttpServer http_;
  Timer shutdown_timer_{context_};
  std::map<std::string, Entry> sessions_;
  EndedSessions ended_;
  bool stopping_ = false;
};

}  // namespace

int serve_main(int argc, char** argv) {
  ServeOptions options;
  if (const auto status = read_serve_options(argc, argv, options)) return *status;
  return Server(std::move(options)).run();
}

}  // namespace webrtcupload
