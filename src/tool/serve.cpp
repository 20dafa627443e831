// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve.h"

#include <glib-unix.h>
#include <gst/gst.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>

#include "json/json.h"
#include "signalling/http_server.h"
#include "signalling/main_context.h"
#include "signalling/peer.h"
#include "signalling/worker_request.h"
#include "tool/event_output.h"
#include "tool/options.h"
#include "tool/session_pipeline.h"
#include "tool/session_runner.h"

namespace webrtcupload {
namespace {

// For sessions to end when the server is told to. A session's process has a shorter one.
constexpr std::chrono::milliseconds kShutdownTimeout{15000};
constexpr double kMaxSeconds = 1e7;

struct ServeOptions {
  HttpServerOptions http;
  std::string pipeline;
  bool isolate = true;
  std::size_t max_sessions = 8;
  // What every session starts from.
  SessionConfig session;
};

class Server {
 public:
  explicit Server(ServeOptions options)
      : options_(std::move(options)),
        loop_(g_main_loop_new(nullptr, FALSE)),
        http_(options_.http, [this](HttpRequest request, HttpResponder responder) {
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
        for (auto& [id, runner] : sessions_) runner->resume();
      });
    });
    const guint on_int = g_unix_signal_add(SIGINT, on_signal, this);
    const guint on_term = g_unix_signal_add(SIGTERM, on_signal, this);
    output_.write(JsonWriter().set("event", "listening").set("url", http_.url()).text());
    g_main_loop_run(loop_);
    g_source_remove(on_int);
    g_source_remove(on_term);
    sessions_.clear();
    return kExitOk;
  }

 private:
  static gboolean on_signal(gpointer self) {
    static_cast<Server*>(self)->shut_down();
    return G_SOURCE_CONTINUE;
  }

  // Once in order; a second time at once.
  void shut_down() {
    if (std::exchange(stopping_, true)) {
      for (auto& [id, runner] : sessions_) runner->kill();
      g_main_loop_quit(loop_);
      return;
    }
    http_.stop_listening();
    // Sessions in this process would wait for a reader that does not read.
    output_.end_patience();
    if (sessions_.empty()) return g_main_loop_quit(loop_);
    shutdown_timer_.start(kShutdownTimeout, [this] { g_main_loop_quit(loop_); });
    // A session may end, and leave the map, while it is told to.
    std::vector<SessionRunner*> runners;
    for (auto& [id, runner] : sessions_) runners.push_back(runner.get());
    for (SessionRunner* runner : runners) runner->stop();
  }

  // Which pipeline a request gets. There is one.
  [[nodiscard]] const std::string& pipeline_for(const WorkerRequest&) const {
    return options_.pipeline;
  }

  void on_request(const HttpRequest& request, HttpResponder responder) {
    auto parsed = parse_worker_request(request.body);
    if (const auto* error = std::get_if<HttpError>(&parsed)) return responder.fail(*error);
    if (stopping_) {
      return responder.fail({503, "Stopping", "The server is stopping.", {}});
    }
    if (sessions_.size() >= options_.max_sessions) {
      return responder.fail({429,
                             "TooManySessions",
                             "The server has as many sessions as it allows (" +
                                 std::to_string(options_.max_sessions) + "). Try again later.",
                             {}});
    }
    auto& worker = std::get<WorkerRequest>(parsed);
    SessionConfig config = options_.session;
    config.id = std::to_string(++last_id_);
    config.pipeline = pipeline_for(worker);
    auto chosen = choose_outputs(worker);
    if (const auto* error = std::get_if<HttpError>(&chosen)) return responder.fail(*error);
    auto& outputs = std::get<ChosenOutputs>(chosen);
    config.data_output = std::move(outputs.data);
    config.video_output = std::move(outputs.video);
    config.offer_sdp = std::move(worker.offer_sdp);
    config.realtime = worker.realtime;
    config.declared_fps = worker.declared_fps;
    config.ice_servers = std::move(worker.ice_servers);
    if (worker.processing_timeout) {
      config.processing_timeout = from_seconds(std::min(*worker.processing_timeout, kMaxSeconds));
    }

    const std::string id = config.id;
    SessionObserver observer = observe(id, std::move(responder));
    auto runner =
        options_.isolate
            ? make_child_session(context_, output_, std::move(config), std::move(observer))
            : make_local_session(context_, std::move(config), std::move(observer));
    SessionRunner* started = runner.get();
    sessions_.emplace(id, std::move(runner));
    started->start();
  }

  SessionObserver observe(const std::string& id, HttpResponder responder) {
    auto waiting = std::make_shared<std::optional<HttpResponder>>(std::move(responder));
    SessionObserver observer;
    observer.answered = [waiting](const std::string& sdp) {
      if (*waiting) (*waiting)->reply_json(200, worker_reply(sdp));
      waiting->reset();
    };
    observer.refused = [this, id, waiting](const HttpError& error) {
      if (*waiting) (*waiting)->fail(error);
      waiting->reset();
      g_message("session %s refused: %s", id.c_str(), error.message.c_str());
      remove(id);
    };
    if (options_.isolate) {
      observer.frame = [this](const std::string& line) { output_.write(line); };
    } else {
      observer.frame = [this](const std::string& line) { output_.write_patiently(line); };
    }
    observer.ended = [this, id](const SessionEnd& end) {
      output_.write(end_line(id, end));
      remove(id);
    };
    return observer;
  }

  // Not at once: the session itself is calling.
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
  HttpServer http_;
  Timer shutdown_timer_{context_};
  std::map<std::string, std::unique_ptr<SessionRunner>> sessions_;
  std::uint64_t last_id_ = 0;
  bool stopping_ = false;
};

// What GOption fills in.
struct RawOptions {
  int port = 8080;
  char* address = nullptr;
  char* pipeline = nullptr;
  char* isolation = nullptr;
  char* spool_directory = nullptr;
  gint64 max_size = 0;
  double idle_timeout = -1;
  double upload_timeout = -1;
  double connect_timeout = 30;
  int max_sessions = 8;

  ~RawOptions() {
    for (char* text : {address, pipeline, isolation, spool_directory}) g_free(text);
  }
};

// Empty, or what is wrong.
std::string convert(RawOptions& raw, ServeOptions& options) {
  if (raw.port < 0 || raw.port > 65535) return "--port must be between 0 and 65535";
  if (raw.max_size < 0) return "--max-size must not be negative";
  if (raw.max_sessions < 1) return "--max-sessions must be at least 1";
  for (const double seconds : {raw.idle_timeout, raw.upload_timeout, raw.connect_timeout}) {
    if (!(seconds <= kMaxSeconds)) return "a time-out is too long";
  }
  if (raw.connect_timeout <= 0) return "--connect-timeout must be above 0";
  options.http.port = static_cast<std::uint16_t>(raw.port);
  if (auto address = take_string(raw.address)) options.http.address = std::move(*address);
  options.pipeline = take_string(raw.pipeline).value_or(default_pipeline());
  if (const auto isolation = take_string(raw.isolation)) {
    if (*isolation != "process" && *isolation != "none") {
      return "--isolation is \"process\" or \"none\", not \"" + *isolation + "\"";
    }
    options.isolate = *isolation == "process";
  }
  options.max_sessions = static_cast<std::size_t>(raw.max_sessions);
  SessionConfig& session = options.session;
  session.ice_addresses = ice_addresses_for(options.http.address);
  if (raw.max_size > 0) session.max_size = static_cast<std::uint64_t>(raw.max_size);
  if (raw.idle_timeout >= 0) session.idle_timeout = from_seconds(raw.idle_timeout);
  if (raw.upload_timeout >= 0) session.upload_timeout = from_seconds(raw.upload_timeout);
  session.connect_timeout = from_seconds(raw.connect_timeout);
  session.spool_directory = take_string(raw.spool_directory);
  return "";
}

}  // namespace

std::string default_pipeline() {
  // Video only, upright, and people in it. The sizes are those of a person a few metres away.
  return "decodebin caps=video/x-raw(ANY) expose-all-streams=false ! videoconvert "
         "! videoflip video-direction=auto "
         "! facedetect profile=/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml "
         "display=false scale-factor=1.1 min-neighbors=3 min-size-width=28 min-size-height=56 "
         "! fakesink";
}

int serve_main(int argc, char** argv) {
  RawOptions raw;
  const GOptionEntry entries[] = {
      {"port", 'p', 0, G_OPTION_ARG_INT, &raw.port, "Port for HTTP; 0 = any that is free (8080)",
       "PORT"},
      {"address", 'a', 0, G_OPTION_ARG_STRING, &raw.address,
       "IP address to listen on (127.0.0.1: this machine only)", "ADDRESS"},
      {"pipeline", 0, 0, G_OPTION_ARG_STRING, &raw.pipeline,
       "What to do with an upload: the part of a GStreamer pipeline after \"webrtcupload !\" "
       "(decode it and look for people)",
       "DESCRIPTION"},
      {"max-size", 0, 0, G_OPTION_ARG_INT64, &raw.max_size,
       "Largest file accepted, in bytes (524288000)", "BYTES"},
      {"idle-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.idle_timeout,
       "End an upload from which nothing new comes for so long; 0 = never (30)", "SECONDS"},
      {"upload-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.upload_timeout,
       "End an upload that takes longer; 0 = never (300)", "SECONDS"},
      {"connect-timeout", 0, 0, G_OPTION_ARG_DOUBLE, &raw.connect_timeout,
       "Forget a client that does not connect, or does not begin to upload, in so long (30)",
       "SECONDS"},
      {"spool-directory", 0, 0, G_OPTION_ARG_FILENAME, &raw.spool_directory,
       "Where uploads are kept until they are processed, in files without a name (the system's "
       "directory for temporary files)",
       "DIRECTORY"},
      {"max-sessions", 0, 0, G_OPTION_ARG_INT, &raw.max_sessions,
       "How many uploads at once; further ones are told to try later (8)", "NUMBER"},
      {"isolation", 0, 0, G_OPTION_ARG_STRING, &raw.isolation,
       "\"process\": each upload in a process of its own; \"none\": all in this one (process)",
       "KIND"},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr},
  };
  if (const std::string problem =
          parse_options("- take video uploads and analyse them",
                        "Prints one JSON line when it listens, one for each analysed frame and one "
                        "for the end of\n"
                        "each upload. Ctrl-C ends it. Logs go to standard error.\n",
                        entries, argc, argv);
      !problem.empty()) {
    return usage_error("serve", problem);
  }
  if (argc > 1) return usage_error("serve", std::string("unexpected argument ") + argv[1]);

  ServeOptions options;
  if (const std::string problem = convert(raw, options); !problem.empty()) {
    return usage_error("serve", problem);
  }
  if (const std::string problem = SessionPipeline::check(options.pipeline); !problem.empty()) {
    g_printerr("webrtc-upload serve: the pipeline does not work: %s\n", problem.c_str());
    return kExitFailed;
  }
  return Server(std::move(options)).run();
}

}  // namespace webrtcupload
