// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_server.h"

#include <libsoup/soup.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <string_view>
#include <sys/socket.h>
#include <utility>

#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "signalling/request_framing.h"
#include "signalling/request_stream.h"
#include "signalling/whip.h"
#include "web/web_file.h"

namespace webrtcupload {

namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kAllowOrigin = "Access-Control-Allow-Origin";

std::string header(SoupMessageHeaders* headers, const char* name) {
  const char* value = soup_message_headers_get_one(headers, name);
  return value ? value : "";
}

}  // namespace

// A message that waits for its reply. `message` is null once it was replied to or went away.
struct HttpResponder::Pending {
  GObjectPtr<SoupServerMessage> message;
  std::function<void()> on_gone;
  // Told once that there is a reply.
  std::function<void()> on_reply;
  // libsoup does not look at a connection while its message is paused; this does.
  GSource* watch = nullptr;

  ~Pending() {
    reply(500, kJson, HttpError{500, "InternalError", "No reply was made.", {}}.body(), {});
  }

  void reply(unsigned status, const char* content_type, std::string_view body,
             const HttpHeaders& more) {
    stop_watching();
    on_gone = nullptr;
    const auto to = std::exchange(message, nullptr);
    const auto tell = std::exchange(on_reply, nullptr);
    if (!to) return;
    if (tell) tell();
    soup_server_message_set_status(to.get(), status, reason_phrase(status));
    SoupMessageHeaders* headers = soup_server_message_get_response_headers(to.get());
    for (const auto& [name, value] : more) {
      soup_message_headers_replace(headers, name.c_str(), value.c_str());
    }
    soup_server_message_set_response(to.get(), body.empty() ? nullptr : content_type,
                                     SOUP_MEMORY_COPY, body.data(), body.size());
    soup_server_message_unpause(to.get());
  }

  // Without `connected` the message has no connection any more that would take a reply.
  void gone(bool connected) {
    const auto notify = std::exchange(on_gone, nullptr);
    if (!connected) message.reset();
    // Whoever only closed its sending half, which is as rare as it is legal, can read why.
    const HttpError error{503, "ClientGone", "The client ended its side of the connection.", {}};
    reply(error.status, kJson, error.body(), {});
    if (notify) notify();
  }

  void stop_watching() {
    if (GSource* source = std::exchange(watch, nullptr)) {
      g_source_destroy(source);
      g_source_unref(source);
    }
  }

  static void start_watching(const std::shared_ptr<Pending>& self, GSocket* socket) {
    self->watch = g_socket_create_source(
        socket, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), nullptr);
    g_source_set_callback(
        self->watch, G_SOURCE_FUNC(+[](GSocket* of, GIOCondition, gpointer data) -> gboolean {
          const auto pending = static_cast<std::weak_ptr<Pending>*>(data)->lock();
          if (!pending) return G_SOURCE_REMOVE;
          char byte = 0;
          const ssize_t n = recv(g_socket_get_fd(of), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
          if (n < 0 && (errno == EAGAIN || errno == EINTR)) return G_SOURCE_CONTINUE;
          // Something that nobody asked for would be readable for ever.
          if (n > 0) {
            pending->stop_watching();
          } else {
            pending->gone(true);
          }
          return G_SOURCE_REMOVE;
        }),
        new std::weak_ptr<Pending>(self),
        [](gpointer data) { delete static_cast<std::weak_ptr<Pending>*>(data); });
    g_source_attach(self->watch, g_main_context_get_thread_default());
  }
};

void HttpResponder::reply_json(unsigned status, const std::string& body,
                               const HttpHeaders& more) const {
  pending_->reply(status, kJson, body, more);
}

void HttpResponder::reply(unsigned status, const std::string& content_type, std::string_view body,
                          const HttpHeaders& more) const {
  pending_->reply(status, content_type.c_str(), body, more);
}

void HttpResponder::on_gone(std::function<void()> gone) const {
  if (pending_->message) pending_->on_gone = std::move(gone);
}

// Connections are accepted here and given to libsoup one by one, rather than by soup_server_listen,
// because only so is there a socket to set limits on before a request has begun.
struct HttpServer::Impl {
  HttpServerOptions options;
  Handler handler;
  GObjectPtr<SoupServer> soup;
  GObjectPtr<GSocketService> service;
  std::uint16_t port = 0;
  // libsoup keeps a stream while it serves it; the weak reference tells when it let go.
  struct Connection {
    Impl* impl;
    GSocketConnection* stream;  // Not owned.
    GObjectPtr<GSocketAddress> remote;
    // For what the client has to do: send its request, take its reply.
    Timer deadline;
    std::uint64_t number;  // In the order in which they came.
    std::shared_ptr<RequestFraming> framing;
    bool whole = false;    // The request is; it is being answered.
    bool refused = false;  // Has its reply before that.
    bool dropped = false;  // Only libsoup has to see it yet.

    Connection(Impl* owner, GSocketConnection* connection)
        : impl(owner),
          stream(connection),
          deadline(g_main_context_get_thread_default() ? g_main_context_get_thread_default()
                                                       : g_main_context_default()),
          number(owner->accepted++),
          framing(std::make_shared<RequestFraming>(owner->options.max_body)) {}
  };
  std::uint64_t accepted = 0;
  std::map<GObject*, std::shared_ptr<Connection>> connections;
  // The same ones, by the object that libsoup knows their remote address as.
  std::map<GSocketAddress*, Connection*> by_address;

  ~Impl() {
    for (auto& [object, connection] : connections) {
      g_object_weak_unref(object, connection_gone, this);
    }
    connections.clear();
    if (service) {
      g_socket_service_stop(service.get());
      g_socket_listener_close(G_SOCKET_LISTENER(service.get()));
    }
    if (soup) {
      g_signal_handlers_disconnect_by_data(soup.get(), this);
      soup_server_disconnect(soup.get());
    }
  }

  static void connection_gone(gpointer self, GObject* where) {
    auto* impl = static_cast<Impl*>(self);
    const auto found = impl->connections.find(where);
    if (found == impl->connections.end()) return;
    std::erase_if(impl->by_address,
                  [&](const auto& entry) { return entry.second == found->second.get(); });
    impl->connections.erase(found);
  }

  static gboolean on_incoming(GSocketService*, GSocketConnection* stream, GObject*, gpointer self) {
    static_cast<Impl*>(self)->accept(stream);
    return TRUE;
  }

  void accept(GSocketConnection* stream) {
    const auto open = std::count_if(connections.begin(), connections.end(),
                                    [](const auto& entry) { return !entry.second->dropped; });
    if (static_cast<std::size_t>(open) >= options.max_connections && !make_room()) {
      g_io_stream_close(G_IO_STREAM(stream), nullptr, nullptr);
      return;
    }
    GSocket* socket = g_socket_connection_get_socket(stream);
    auto connection = std::make_shared<Connection>(this, stream);
    connection->deadline.start(options.request_timeout,
                               [this, raw = connection.get()] { refuse(*raw, too_late()); });
    GSocketAddress* local = g_socket_get_local_address(socket, nullptr);
    GSocketAddress* remote = g_socket_get_remote_address(socket, nullptr);
    if (!local || !remote) {
      // It is gone again.
      g_clear_object(&local);
      g_clear_object(&remote);
      return;
    }
    connection->remote.reset(remote);
    by_address[remote] = connection.get();
    const auto one_request = make_request_stream(
        G_IO_STREAM(stream), connection->framing, [weak = std::weak_ptr<Connection>(connection)] {
          const auto found = weak.lock();
          if (found && !found->refused) found->impl->refuse(*found, *found->framing->error());
        });
    g_object_weak_ref(G_OBJECT(stream), connection_gone, this);
    connections.emplace(G_OBJECT(stream), std::move(connection));
    GError* error = nullptr;
    if (!soup_server_accept_iostream(soup.get(), one_request.get(), local, remote, &error)) {
      g_warning("could not take a connection: %s", error->message);
      g_clear_error(&error);
    }
    g_object_unref(local);
  }

  // Whoever opens connections and says nothing on them must not keep others out. That it is the
  // oldest, and not one of the client that has most, is because behind a proxy all have one
  // address. False if all requests are being answered.
  bool make_room() {
    Connection* longest = nullptr;
    const auto rank = [](const Connection& of) { return std::pair(of.refused, of.number); };
    for (const auto& [object, connection] : connections) {
      if (connection->whole || connection->dropped) continue;
      if (!longest || rank(*connection) < rank(*longest)) longest = connection.get();
    }
    if (!longest) return false;
    // Its place is needed now; whether it gets to read why is up to the network.
    if (!longest->refused) refuse(*longest, too_late());
    drop(*longest);
    return true;
  }

  static HttpError too_late() {
    return {408, "Timeout", "The request did not arrive in time.", {}};
  }

  // Reading or writing now meets the end of the stream, and libsoup lets go.
  static void drop(Connection& connection) {
    connection.dropped = true;
    connection.deadline.cancel();
    g_socket_shutdown(g_socket_connection_get_socket(connection.stream), TRUE, TRUE, nullptr);
  }

  // The same for who has had its time: one that still sends must not wait for somebody to read it.
  static void reset(Connection& connection) {
    const linger at_once{1, 0};
    setsockopt(g_socket_get_fd(g_socket_connection_get_socket(connection.stream)), SOL_SOCKET,
               SO_LINGER, &at_once, sizeof at_once);
    drop(connection);
  }

  // Says no while the request is still arriving: libsoup answers only after the last byte of a
  // body, however long. The reply goes out at once; what the client still sends is read and thrown
  // away for a moment, so that it gets to see the reply instead of a reset.
  void refuse(Connection& connection, const HttpError& error) {
    GSocket* socket = g_socket_connection_get_socket(connection.stream);
    connection.refused = true;
    const std::string body = error.body();
    std::string reply =
        "HTTP/1.1 " + std::to_string(error.status) + " " + reason_phrase(error.status) +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\nConnection: close\r\n";
    for (const auto& [name, value] : sharing(connection.framing->origin())) {
      reply += name + ": " + value + "\r\n";
    }
    reply += "\r\n" + body;
    g_socket_send(socket, reply.data(), reply.size(), nullptr, nullptr);
    g_socket_shutdown(socket, FALSE, TRUE, nullptr);
    connection.deadline.start(std::chrono::milliseconds(500), [raw = &connection] { reset(*raw); });
  }

  Connection* find(SoupServerMessage* message) {
    const auto found = by_address.find(soup_server_message_get_remote_address(message));
    return found == by_address.end() ? nullptr : found->second;
  }

  static void on_request(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                         gpointer self) {
    static_cast<Impl*>(self)->handle(message, path);
  }

  void handle(SoupServerMessage* message, const char* path) {
    if (Connection* connection = find(message)) {
      if (connection->refused) {
        // It has its reply; this one goes nowhere.
        soup_server_message_set_status(message, 408, reason_phrase(408));
        return;
      }
      connection->whole = true;
      connection->deadline.cancel();
    }
    SoupMessageHeaders* request = soup_server_message_get_request_headers(message);
    SoupMessageHeaders* response = soup_server_message_get_response_headers(message);
    for (const auto& [name, value] : sharing(all_of_header(request, "Origin"))) {
      soup_message_headers_replace(response, name.c_str(), value.c_str());
    }
    soup_message_headers_replace(response, "Access-Control-Expose-Headers",
                                 "Link, Location, Retry-After");
    soup_message_headers_replace(response, "Connection", "close");

    auto pending = std::make_shared<HttpResponder::Pending>();
    pending->message = ref_gobject(message);
    soup_server_message_pause(message);
    // The reply to a client that went away has nobody to go to.
    g_signal_connect_data(
        message, "disconnected", G_CALLBACK(+[](SoupServerMessage*, gpointer data) {
          if (const auto waiting =
                  static_cast<std::weak_ptr<HttpResponder::Pending>*>(data)->lock()) {
            waiting->gone(false);
          }
        }),
        new std::weak_ptr<HttpResponder::Pending>(pending),
        [](gpointer data, GClosure*) {
          delete static_cast<std::weak_ptr<HttpResponder::Pending>*>(data);
        },
        GConnectFlags(0));
    if (Connection* connection = find(message)) {
      const auto& shared = connections.at(G_OBJECT(connection->stream));
      pending->on_reply = [weak = std::weak_ptr<Connection>(shared)] {
        const auto replied = weak.lock();
        if (!replied) return;
        replied->deadline.start(replied->impl->options.request_timeout,
                                [raw = replied.get()] { reset(*raw); });
      };
      HttpResponder::Pending::start_watching(pending,
                                             g_socket_connection_get_socket(connection->stream));
    }
    HttpResponder responder(std::move(pending));
    if (const auto error = check_page(request)) return responder.fail(*error);

    const std::string_view method = soup_server_message_get_method(message);
    const std::string_view at = path;
    if (method == "GET" || method == "HEAD") {
      if (show(at, header(request, "If-None-Match"), responder)) return;
    }
    const bool session = at.starts_with(kSessionsPath);
    if (!session && at != kWorkerPath && at != kUploadPath) {
      responder.fail({404, "NotFound", std::string("There is nothing at ") + path + ".", {}});
      return;
    }
    const std::string allowed = session ? "GET, HEAD, DELETE" : "POST";
    if (method == "OPTIONS") {
      HttpHeaders headers = preflight(request, allowed);
      if (at == kUploadPath) {
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
    if (session ? asked != "GET" && asked != "DELETE" : asked != allowed) {
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
  GInetAddress* address = g_inet_address_new_from_string(impl.options.address.c_str());
  if (!address) return "\"" + impl.options.address + "\" is not an IP address";
  impl.soup.reset(soup_server_new("server-header", "webrtc-upload ", nullptr));
  soup_server_add_handler(impl.soup.get(), nullptr, Impl::on_request, &impl, nullptr);

  impl.service.reset(g_socket_service_new());
  // Before the address is added. Who finds no room there, as in a burst of clients or a flood of
  // connections, waits for retransmissions. The kernel takes less if it is to (net.core.somaxconn).
  g_socket_listener_set_backlog(G_SOCKET_LISTENER(impl.service.get()), 4096);
  GSocketAddress* wanted = g_inet_socket_address_new(address, impl.options.port);
  GSocketAddress* actual = nullptr;
  GError* error = nullptr;
  std::string problem;
  if (g_socket_listener_add_address(G_SOCKET_LISTENER(impl.service.get()), wanted,
                                    G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr, &actual,
                                    &error)) {
    impl.port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(actual));
    g_signal_connect(impl.service.get(), "incoming", G_CALLBACK(Impl::on_incoming), &impl);
    g_socket_service_start(impl.service.get());
  } else {
    problem = "cannot listen on " + impl.options.address + " port " +
              std::to_string(impl.options.port) + ": " + error->message;
    g_clear_error(&error);
  }
  g_clear_object(&actual);
  g_object_unref(wanted);
  g_object_unref(address);
  return problem;
}

void HttpServer::stop_listening() {
  if (!impl_->service) return;
  g_socket_service_stop(impl_->service.get());
  g_socket_listener_close(G_SOCKET_LISTENER(impl_->service.get()));
  impl_->service.reset();
}

std::uint16_t HttpServer::port() const { return impl_->port; }

std::string HttpServer::url() const {
  const bool v6 = impl_->options.address.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + impl_->options.address + "]" : impl_->options.address) + ":" +
         std::to_string(impl_->port);
}

}  // namespace webrtcupload
