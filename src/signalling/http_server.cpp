// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_server.h"

#include <libsoup/soup.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/name_list.h"
#include "glib/debug.h"
#include "glib/glib_ptr.h"
#include "signalling/http_connections.h"
#include "signalling/http_pending.h"
#include "signalling/session_path.h"
#include "signalling/whip.h"
#include "web/web_file.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {

namespace {

constexpr const char* kAllowOrigin = "Access-Control-Allow-Origin";

std::string header(SoupMessageHeaders* headers, const char* name) {
  const char* value = soup_message_headers_get_one(headers, name);
  return value ? value : "";
}

}  // namespace

struct HttpServer::Impl {
  HttpServerOptions options;
  Handler handler;
  GObjectPtr<SoupServer> soup;
  std::unique_ptr<HttpConnections> connections;

  ~Impl() {
    connections.reset();
    if (soup) {
      g_signal_handlers_disconnect_by_data(soup.get(), this);
      soup_server_disconnect(soup.get());
    }
  }

  static void on_request(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                         gpointer self) {
    static_cast<Impl*>(self)->handle(message, path);
  }

  void handle(SoupServerMessage* message, const char* path) {
    auto asker = connections->take(message);
    if (!asker) {
      // It has its reply; this one goes nowhere.
      soup_server_message_set_status(message, 408, reason_phrase(408));
      return;
    }
    SoupMessageHeaders* request = soup_server_message_get_request_headers(message);
    SoupMessageHeaders* response = soup_server_message_get_response_headers(message);
    for (const auto& [name, value] : sharing(all_of_header(request, "Origin"))) {
      soup_message_headers_replace(response, name.c_str(), value.c_str());
    }
    soup_message_headers_replace(response, "Access-Control-Expose-Headers",
                                 "Link, Location, Retry-After");
    soup_message_headers_replace(response, "Connection", "close");

    auto pending = HttpResponder::Pending::wait(message, asker->socket, std::move(asker->replied));
    pending->server_name = options.name;
    HttpResponder responder(std::move(pending));
    log_request(message, path);
    if (const auto error = check_page(request)) return responder.fail(*error);

    const std::string_view method = soup_server_message_get_method(message);
    const std::string_view at = path;
    if (method == "GET" || method == "HEAD") {
      if (show(at, header(request, "If-None-Match"), responder)) return;
    }
    const bool session = at.starts_with(kSessionsPath);
    if (!session && at != kWorkerPath && at != kUploadPath) {
      responder.fail({404, "NotFound", "There is nothing at this path.", {}});
      return;
    }
    const std::string allowed = session ? session_path_methods(at) : "POST";
    if (method == "OPTIONS") {
      HttpHeaders headers = preflight(request, allowed);
      if (at == kUploadPath || parse_session_path(at).what == SessionPath::What::kConnections) {
        headers.emplace_back("Accept-Post", "application/sdp");
        if (options.ice_servers) {
          auto links = ice_links(options.ice_servers(bearer_token(request)));
          std::move(links.begin(), links.end(), std::back_inserter(headers));
        }
      }
      responder.reply_json(204, "", headers);
      return;
    }
    // libsoup leaves out the body of a reply to HEAD.
    const std::string_view asked = session && method == "HEAD" ? "GET" : method;
    const auto methods = list_parts(allowed);
    if (std::ranges::find(methods, method) == methods.end()) {
      responder.fail({405, "MethodNotAllowed", "This address takes " + allowed + " only.", {}},
                     {{"Allow", allowed + ", OPTIONS"}});
      return;
    }
    HttpRequest parsed;
    parsed.method = asked;
    parsed.path = path;
    const char* query = g_uri_get_query(soup_server_message_get_uri(message));
    if (query) parsed.query = query;
    if (const char* type = soup_message_headers_get_content_type(request, nullptr)) {
      const GCharPtr lower(g_ascii_strdown(type, -1));
      parsed.content_type = lower.get();
    }
    GBytes* body = soup_message_body_flatten(soup_server_message_get_request_body(message));
    gsize size = 0;
    const auto* data = static_cast<const char*>(g_bytes_get_data(body, &size));
    if (size > 0) parsed.body.assign(data, size);
    g_bytes_unref(body);
    parsed.bearer_token = bearer_token(request);
    if (const char* host = soup_server_message_get_remote_host(message)) {
      parsed.client_address = host;
    }
    handler(std::move(parsed), std::move(responder));
  }

  // Without the number of a session, which lets whoever knows it ask for that session and end it: a
  // client may misspell the rest of the line in any way.
  void log_request(SoupServerMessage* message, std::string_view path) const {
    const std::string_view method = soup_server_message_get_method(message);
    const bool is_plain = std::ranges::all_of(method, [](char c) { return g_ascii_isupper(c); });
    const char* host = soup_server_message_get_remote_host(message);
    GST_DEBUG_ID(options.name.c_str(), "request of %s: %s %s", host ? host : "nobody",
                 is_plain ? debug::quote(method).c_str() : "an odd method",
                 path.starts_with(kSessionsPath) ? "a session"
                 : is_known(path)                ? debug::quote(path).c_str()
                                                 : "a path where nothing is");
  }
  static bool is_known(std::string_view path) {
    return path == kWorkerPath || path == kUploadPath || path == kLimitsPath || web_file(path);
  }

  // What there is to read: the page with its parts, and the limits. False if it is none of these.
  bool show(std::string_view at, const std::string& known, const HttpResponder& responder) const {
    if (at == kLimitsPath && options.limits) {
      responder.reply_json(200, options.limits(), {{"Cache-Control", "no-store"}});
      return true;
    }
    const auto file = web_file(at);
    if (!file) return false;
    HttpHeaders headers = {{"ETag", std::string(file->etag)},
                           {"Cache-Control", "no-cache"},
                           {"X-Content-Type-Options", "nosniff"},
                           {"Referrer-Policy", "no-referrer"}};
    if (!file->policy.empty()) {
      headers.emplace_back("Content-Security-Policy", std::string(file->policy));
    }
    if (known == file->etag) {
      responder.reply(304, "", "", headers);
    } else {
      responder.reply(200, std::string(file->mime_type), file->bytes, headers);
    }
    return true;
  }

  // What tells a browser which pages may read the reply, and shared caches that it is not the same
  // for all.
  [[nodiscard]] HttpHeaders sharing(const std::optional<std::string>& origin) const {
    if (options.origins.all()) return {{kAllowOrigin, "*"}};
    HttpHeaders headers = {{"Vary", "Origin"}};
    if (origin && options.origins.lists(*origin)) headers.emplace_back(kAllowOrigin, *origin);
    return headers;
  }

  // Why not, if the request comes from a page that may not use this server. Browsers carry out
  // some requests without asking first, and then only keep the reply from the page.
  [[nodiscard]] std::optional<HttpError> check_page(SoupMessageHeaders* request) const {
    const auto origin = all_of_header(request, "Origin");
    if (!origin || options.origins.lists(*origin)) return std::nullopt;
    const OwnOrigin own = own_origin(*origin, all_of_header(request, "Host").value_or(""));
    if (own == OwnOrigin::kYes) return std::nullopt;
    if (own == OwnOrigin::kByName && options.keys_required) return std::nullopt;
    const std::string page = normal_origin(*origin);
    HttpError error{403, "Forbidden", "Pages of " + page + " may not use this server.", {}};
    if (page.empty()) error.message = "The request's Origin header is not an origin.";
    if (own == OwnOrigin::kByName) {
      error.message =
          "Its own page may use this server under this name only if " + page + " is allowed to.";
    }
    return error;
  }

  // With commas between them if it is there more than once.
  static std::optional<std::string> all_of_header(SoupMessageHeaders* headers, const char* name) {
    const char* value = soup_message_headers_get_list(headers, name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  }

  static std::optional<std::string> bearer_token(SoupMessageHeaders* request) {
    const char* value = soup_message_headers_get_one(request, "Authorization");
    if (!value || g_ascii_strncasecmp(value, "Bearer ", 7) != 0) return std::nullopt;
    return value + 7;
  }

  static HttpHeaders preflight(SoupMessageHeaders* request, const std::string& allowed) {
    HttpHeaders headers = {{"Access-Control-Allow-Methods", allowed + ", OPTIONS"},
                           {"Access-Control-Allow-Headers", "Content-Type, Authorization"},
                           {"Access-Control-Max-Age", "86400"}};
    // Chromium asks this before a public page may talk to an address on this machine or network.
    if (soup_message_headers_get_one(request, "Access-Control-Request-Private-Network")) {
      headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    }
    return headers;
  }
};

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->handler = std::move(handler);
}

HttpServer::~HttpServer() = default;

std::string HttpServer::start() {
  Impl& impl = *impl_;
  impl.soup.reset(soup_server_new("server-header", "webrtc-upload ", nullptr));
  soup_server_add_handler(impl.soup.get(), nullptr, Impl::on_request, &impl, nullptr);
  impl.connections = std::make_unique<HttpConnections>(
      impl.options, impl.soup.get(),
      [&impl](const std::optional<std::string>& origin) { return impl.sharing(origin); });
  return impl.connections->listen();
}

void HttpServer::stop_listening() {
  if (impl_->connections) impl_->connections->stop_listening();
}

std::uint16_t HttpServer::port() const {
  return impl_->connections ? impl_->connections->port() : 0;
}

std::string HttpServer::url() const {
  const bool v6 = impl_->options.address.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + impl_->options.address + "]" : impl_->options.address) + ":" +
         std::to_string(port());
}

}  // namespace webrtcupload
