// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/serve_options.h"

#include <gst/gst.h>

#include <cmath>
#include <string_view>
#include <sys/resource.h>
#include <tuple>
#include <utility>

#include "core/film_limits.h"
#include "core/name_list.h"
#include "core/spool.h"
#include "glib/glib_ptr.h"
#include "tool/common/options.h"
#include "tool/sandbox/sandbox.h"
#include "tool/sandbox/sandbox_user.h"
#include "tool/serve/serve_command_line.h"
#include "tool/session/session_memory.h"
#include "upload/upload_protocol.h"
#include "webrtc/ice_network.h"

namespace webrtcupload {
namespace {

constexpr double kMaxSeconds = kLongestTime.count() / 1000;
constexpr std::chrono::milliseconds kDefaultStallTimeout{60000};
constexpr std::chrono::milliseconds kDefaultQuotaInterval{10000};
// Each costs about 89 MiB of the memory that a process may have, nearly all of it stacks. Four are
// less than half of what the smallest default leaves.
constexpr std::uint32_t kDefaultConnections = 4;
// With 9 descriptors each they need about 600 of the 1024 that a session's process has.
constexpr gint64 kMostConnections = 64;

// Each of the following: empty, or what is wrong.

std::string read_times(const ServeCommandLine& raw, ServeOptions& options) {
  SessionConfig& session = options.session;
  session.stall_timeout = kDefaultStallTimeout;
  session.quota_interval = kDefaultQuotaInterval;
  std::optional<std::chrono::milliseconds> connect_timeout;
  std::optional<std::chrono::milliseconds> hook_timeout;
  struct Time {
    const char* name;
    const char* text;
    double least;
    std::optional<std::chrono::milliseconds>* value;
  };
  // Those that may be 0 know it as "never".
  constexpr double kTick = 0.001;
  for (const Time& time :
       {Time{"--idle-timeout", raw.idle_timeout, 0, &session.idle_timeout},
        Time{"--upload-timeout", raw.upload_timeout, 0, &session.upload_timeout},
        Time{"--resume-timeout", raw.resume_timeout, 0, &session.resume_timeout},
        Time{"--stall-timeout", raw.stall_timeout, 0, &session.stall_timeout},
        Time{"--max-duration", raw.max_duration, 0, &session.max_duration},
        Time{"--connect-timeout", raw.connect_timeout, kTick, &connect_timeout},
        Time{"--max-processing-timeout", raw.max_processing_timeout, kTick,
             &options.max_processing_timeout},
        Time{"--auth-hook-timeout", raw.auth_hook_timeout, kTick, &hook_timeout},
        Time{"--quota-interval", raw.quota_interval, kTick, &session.quota_interval}}) {
    if (!time.text) continue;
    if (auto problem = read_seconds(time.name, time.text, time.least, *time.value);
        !problem.empty()) {
      return problem;
    }
  }
  if (session.stall_timeout->count() == 0) session.stall_timeout.reset();
  if (connect_timeout) session.connect_timeout = *connect_timeout;
  if (hook_timeout && options.hook) options.hook->timeout = *hook_timeout;
  return "";
}

std::string read_access(ServeCommandLine& raw, ServeOptions& options) {
  for (char** key = raw.api_keys; key && *key; ++key) {
    if (const std::string problem = options.keys.add(*key); !problem.empty()) {
      return "--api-key: " + problem;
    }
  }
  for (char** origin = raw.allowed_origins; origin && *origin; ++origin) {
    if (const std::string problem = options.http.origins.add(*origin); !problem.empty()) {
      return "--allow-origin: " + problem;
    }
  }
  options.key_file = take_string(raw.api_key_file);
  if (options.key_file) {
    if (const std::string problem = options.keys.read_file(*options.key_file); !problem.empty()) {
      return "--api-key-file: " + problem;
    }
  }
  if (auto url = take_string(raw.auth_hook)) {
    if (const std::string problem = check_hook_url(*url); !problem.empty()) {
      return "--auth-hook: " + problem;
    }
    options.hook =
        AuthHookOptions{.url = std::move(*url), .forward_key = raw.auth_hook_forward_key != FALSE};
  } else if (raw.auth_hook_timeout || raw.quota_interval || raw.auth_hook_forward_key) {
    return "--auth-hook-timeout, --auth-hook-forward-key and --quota-interval are about "
           "--auth-hook, which is missing";
  }
  options.session.asks_policy = options.hook.has_value();
  options.insecure = raw.insecure != FALSE;
  if (!options.insecure && options.keys.empty() && !options.hook &&
      !is_loopback_address(options.http.address)) {
    return "anybody who can reach " + options.http.address +
           " could use this server: give it keys (--api-key-file, --api-key) or an --auth-hook, "
           "or say --insecure if that is meant";
  }
  return "";
}

std::string read_ice_servers(ServeCommandLine& raw, ServeOptions& options) {
  for (char** uri = raw.ice_servers; uri && *uri; ++uri) {
    auto parsed = parse_ice_server_uri(*uri);
    if (const auto* error = std::get_if<IceUrlError>(&parsed)) {
      // Without the URI, which may hold a password.
      return "--ice-server: the address " + error->message;
    }
    options.session.ice_servers.push_back(std::move(std::get<IceServer>(parsed)));
  }
  const auto clients = take_string(raw.client_ice_servers);
  if (!clients || *clients == "ignore") return "";
  if (*clients != "allow" && *clients != "refuse") {
    return "--client-ice-servers is \"ignore\", \"allow\" or \"refuse\", not \"" + *clients + "\"";
  }
  options.client_ice_servers =
      *clients == "allow" ? ClientIceServers::kAllow : ClientIceServers::kRefuse;
  return "";
}

std::string read_ice_network(ServeCommandLine& raw, ServeOptions& options) {
  IceNetwork& network = options.session.ice_network;
  if (const auto text = take_string(raw.udp_port_range)) {
    const auto parsed = parse_udp_port_range(*text);
    if (const auto* error = std::get_if<IceNetworkError>(&parsed)) {
      return "--udp-port-range: " + error->message;
    }
    const auto range = std::get<UdpPortRange>(parsed);
    // One for each session at each address; libnice takes the same one twice only if it must.
    if (range.size() < options.max_sessions) {
      return "--udp-port-range: " + to_string(range) + " is too small for --max-sessions " +
             std::to_string(options.max_sessions) + ", since each needs a port";
    }
    network.udp_ports = range;
  }
  for (char** text = raw.announce_addresses; text && *text; ++text) {
    auto parsed = parse_announced_address(*text);
    if (const auto* error = std::get_if<IceNetworkError>(&parsed)) {
      return "--announce-address: " + error->message;
    }
    if (is_loopback_address(options.http.address)) {
      return "--announce-address is for clients on other machines, and with --address " +
             options.http.address + " there are none: use another --address, such as 0.0.0.0";
    }
    network.announced_addresses.push_back(std::move(std::get<std::string>(parsed)));
  }
  return "";
}

std::string read_film_limits(const ServeCommandLine& raw, SessionConfig& session) {
  if (raw.max_pixels) {
    const auto parsed = parse_pixels(raw.max_pixels);
    const auto* pixels = std::get_if<std::uint64_t>(&parsed);
    if (!pixels) return "--max-pixels: " + std::get<std::string>(parsed);
    if (*pixels > G_MAXINT64) return "--max-pixels is too large";
    session.max_pixels = *pixels;
  }
  if (raw.max_frames != kNotGiven) {
    if (raw.max_frames < 0) return "--max-frames must not be negative";
    session.max_frames = static_cast<std::uint64_t>(raw.max_frames);
  }
  if (raw.max_streams != kNotGiven) {
    if (raw.max_streams < 0 || raw.max_streams > G_MAXUINT) {
      return "--max-streams must be between 0 and " + std::to_string(G_MAXUINT);
    }
    session.max_streams = static_cast<std::uint32_t>(raw.max_streams);
  }
  return "";
}

std::string read_protocols(ServeCommandLine& raw, SessionConfig& session) {
  if (const auto list = take_string(raw.protocols)) {
    unsigned versions = 0;
    for (const std::string_view name : list_parts(*list)) {
      const auto named = [name](WireVersion version) { return name == to_string(version); };
      if (!named(WireVersion::kV1) && !named(WireVersion::kV2)) {
        return "--protocols is \"v1\", \"v2\" or \"v1,v2\", not \"" + *list + "\"";
      }
      versions |= named(WireVersion::kV1) ? 1U : 2U;
    }
    session.protocols = versions;
  }
  session.max_connections = kDefaultConnections;
  if (raw.max_connections == kNotGiven) return "";
  if (raw.max_connections < 1 || raw.max_connections > kMostConnections) {
    return "--max-connections must be between 1 and " + std::to_string(kMostConnections);
  }
  session.max_connections = static_cast<std::uint32_t>(raw.max_connections);
  return "";
}

// That a client may make beside its session's first one.
std::size_t further_connections(const SessionConfig& session) {
  const bool has_v2 = speaks(session.protocols.value_or(kAllVersions), WireVersion::kV2);
  return has_v2 ? session.max_connections.value_or(kDefaultConnections) : 0;
}

// Sessions in this process share its descriptors, and GLib ends the process when there are none
// left.
std::string check_descriptors(const ServeOptions& options) {
  if (options.isolate) return "";
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kServer = 300;  // Of which its clients have most.
  constexpr rlim_t kSession = 20;
  constexpr rlim_t kConnection = 10;
  const rlim_t each = kSession + further_connections(options.session) * kConnection;
  const rlim_t needed = kServer + options.max_sessions * each;
  if (needed <= limit.rlim_cur) return "";
  return "--isolation none with --max-sessions " + std::to_string(options.max_sessions) +
         " needs up to " + std::to_string(needed) + " descriptors, " + std::to_string(each) +
         " for each session, and this process may have " + std::to_string(limit.rlim_cur) +
         " (ulimit -Hn): lower --max-sessions or --max-connections";
}

// A name that means nothing is a mistake, and an element that was to be denied would be used.
std::string read_elements(const char* option, char** lists, std::string& all) {
  for (char** list = lists; list && *list; ++list) {
    for (const std::string& name : split_names(*list)) {
      const GstPtr<GstElementFactory> factory(gst_element_factory_find(name.c_str()));
      if (!factory) return std::string(option) + ": there is no element \"" + name + "\" here";
      all += (all.empty() ? "" : ",") + name;
    }
  }
  return "";
}

std::string read_session_memory(const ServeCommandLine& raw, ServeOptions& options) {
  if (raw.session_memory == kNotGiven) {
    if (options.isolate) {
      options.session.memory_limit =
          default_session_memory({.memory = machine_memory(), .processors = g_get_num_processors()},
                                 options.max_sessions, further_connections(options.session));
    }
    return "";
  }
  if (raw.session_memory < 0) return "--session-memory must not be negative";
  if (raw.session_memory == 0) return "";
  if (!options.isolate) return "--session-memory needs --isolation process";
  options.session.memory_limit = static_cast<std::uint64_t>(raw.session_memory);
  return "";
}

// What the operator says belongs to a pipeline, and is not there, is a mistake.
std::string read_paths(const char* option, char** paths, std::vector<std::string>& list) {
  for (char** path = paths; path && *path; ++path) {
    if (!g_file_test(*path, G_FILE_TEST_EXISTS)) {
      return std::string(option) + ": there is no \"" + *path + "\"";
    }
    list.emplace_back(*path);
  }
  return "";
}

std::string read_sandbox(ServeCommandLine& raw, ServeOptions& options) {
  SandboxConfig& sandbox = options.session.sandbox;
  const std::string wanted = take_string(raw.sandbox).value_or("auto");
  const auto mode = parse_sandbox_mode(wanted);
  if (!mode) return "--sandbox is \"auto\", \"strict\" or \"off\", not \"" + wanted + "\"";
  sandbox.mode = options.isolate || *mode == SandboxMode::kStrict ? *mode : SandboxMode::kOff;
  sandbox.network = raw.sandbox_network != FALSE;
  std::string problem = read_paths("--sandbox-read", raw.sandbox_read, sandbox.paths.read);
  if (problem.empty()) {
    problem = read_paths("--sandbox-write", raw.sandbox_write, sandbox.paths.write);
  }
  if (!problem.empty()) return problem;
  if (auto user = take_string(raw.session_user)) {
    if (!options.isolate) return "--session-user needs --isolation process";
    if (!sandbox_parts().root) return "--session-user is for a server that root has started";
    if (problem = check_user(*user); !problem.empty()) return "--session-user: " + problem;
    sandbox.user = std::move(*user);
  }
  if (sandbox.mode != SandboxMode::kStrict) return "";
  problem = missing_for_strict(sandbox_parts(), sandbox, options.isolate);
  return problem.empty() ? "" : "--sandbox strict is not possible: " + problem;
}

std::string convert(ServeCommandLine& raw, ServeOptions& options) {
  if (raw.port < 0 || raw.port > 65535) return "--port must be between 0 and 65535";
  if (raw.max_size < 0) return "--max-size must not be negative";
  if (raw.max_chunks < 0 || raw.max_chunks > G_MAXUINT) {
    return "--max-chunks must be between 0 and " + std::to_string(G_MAXUINT);
  }
  if (raw.min_rate != kNotGiven && raw.min_rate < 0) return "--min-rate must not be negative";
  if (raw.max_sessions < 1) return "--max-sessions must be at least 1";
  options.http.port = static_cast<std::uint16_t>(raw.port);
  if (const auto text = take_string(raw.address)) {
    auto address = listen_address(*text);
    if (!address) return "--address: \"" + *text + "\" is not an IP address";
    options.http.address = std::move(*address);
  }
  for (char** text = raw.pipelines; text && *text; ++text) {
    if (const std::string problem = options.pipelines.add(*text); !problem.empty()) {
      return "--pipeline: " + problem;
    }
  }
  options.pipelines.add_default(default_pipeline());
  if (const auto isolation = take_string(raw.isolation)) {
    if (*isolation != "process" && *isolation != "none") {
      return "--isolation is \"process\" or \"none\", not \"" + *isolation + "\"";
    }
    options.isolate = *isolation == "process";
  }
  options.max_sessions = static_cast<std::size_t>(raw.max_sessions);
  SessionConfig& session = options.session;
  if (const auto codec = take_string(raw.video_codec)) {
    if (*codec != "VP8" && *codec != "H264") {
      return "--video-codec is VP8 or H264, not \"" + *codec + "\"";
    }
    session.video_codec = *codec;
  }
  session.ice_addresses = ice_addresses_for(options.http.address);
  if (raw.max_size > 0) session.max_size = static_cast<std::uint64_t>(raw.max_size);
  if (raw.max_chunks > 0) session.max_chunks = static_cast<std::uint32_t>(raw.max_chunks);
  if (raw.min_rate != kNotGiven) session.min_rate = static_cast<std::uint64_t>(raw.min_rate);
  session.spool_directory = take_string(raw.spool_directory);
  if (std::string problem = read_film_limits(raw, session); !problem.empty()) return problem;
  if (std::string problem = read_protocols(raw, session); !problem.empty()) return problem;
  if (std::string problem = check_descriptors(options); !problem.empty()) return problem;
  if (std::string problem = read_session_memory(raw, options); !problem.empty()) return problem;
  if (std::string problem = read_sandbox(raw, options); !problem.empty()) return problem;
  for (const auto& [option, lists, all] :
       {std::tuple{"--allow-elements", raw.allow_elements, &session.allow_elements},
        std::tuple{"--deny-elements", raw.deny_elements, &session.deny_elements}}) {
    if (std::string problem = read_elements(option, lists, *all); !problem.empty()) return problem;
  }
  if (std::string problem = read_access(raw, options); !problem.empty()) return problem;
  if (std::string problem = read_ice_servers(raw, options); !problem.empty()) return problem;
  if (std::string problem = read_ice_network(raw, options); !problem.empty()) return problem;
  return read_times(raw, options);
}

}  // namespace

std::string read_seconds(const char* name, const char* text, double least,
                         std::optional<std::chrono::milliseconds>& value) {
  char* end = nullptr;
  const double seconds = g_ascii_strtod(text, &end);
  if (end == text || *end != '\0' || !std::isfinite(seconds)) {
    return std::string(name) + ": \"" + text + "\" is not a number of seconds";
  }
  if (seconds < 0) return std::string(name) + " must not be negative";
  if (seconds < least) return std::string(name) + " must be above 0";
  if (seconds > kMaxSeconds) {
    return std::string(name) + " must be at most " + std::to_string(std::lround(kMaxSeconds)) +
           " seconds";
  }
  // Something that small is still not "never".
  value = std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
  return "";
}

std::string default_pipeline() {
  // Video only, upright, and people in it. The sizes are those of a person a few metres away.
  return "decodebin caps=video/x-raw(ANY) expose-all-streams=false ! videoconvert "
         "! facedetect profile=/usr/share/opencv4/haarcascades/haarcascade_fullbody.xml "
         "display=false scale-factor=1.1 min-neighbors=3 min-size-width=28 min-size-height=56 "
         "! fakesink";
}

std::optional<int> read_serve_options(int argc, char** argv, ServeOptions& options) {
  ServeCommandLine raw;
  std::string problem = raw.read(argc, argv);
  if (problem.empty()) problem = convert(raw, options);
  if (!problem.empty()) return usage_error("serve", problem);

  const std::string directory =
      options.session.spool_directory.value_or(Spool::default_directory());
  if (const auto spool = Spool::open(directory); !spool) {
    problem = "uploads cannot be kept: " + spool.error().message;
  }
  if (problem.empty()) problem = options.pipelines.check(options.session);
  if (problem.empty()) return std::nullopt;
  g_printerr("webrtc-upload serve: %s\n", problem.c_str());
  return kExitFailed;
}

}  // namespace webrtcupload
