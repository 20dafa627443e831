// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/http_connections.h"

#include <algorithm>
#include <string_view>
#include <sys/socket.h>
#include <utility>

#include "glib/debug.h"
#include "glib/main_context.h"
#include "signalling/request_framing.h"
#include "signalling/request_stream.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {
namespace {

HttpError too_late() { return {408, "Timeout", "The request did not arrive in time.", {}}; }

}  // namespace

// libsoup keeps a stream while it serves it; the weak reference tells when it let go.
struct HttpConnections::Connection {
  HttpConnections* owner;
  GSocketConnection* stream;  // Not owned.
  GObjectPtr<GSocketAddress> remote;
  // For what the client has to do: send its request, take its reply.
  Timer deadline;
  std::uint64_t number;  // In the order in which they came.
  std::shared_ptr<RequestFraming> framing;
  bool whole = false;    // The request is; it is being answered.
  bool refused = false;  // Has its reply before that.
  bool dropped = false;  // Only libsoup has to see it yet.

  Connection(HttpConnections* of, GSocketConnection* connection)
      : owner(of),
        stream(connection),
        deadline(g_main_context_get_thread_default() ? g_main_context_get_thread_default()
                                                     : g_main_context_default()),
        number(of->accepted_++),
        framing(std::make_shared<RequestFraming>(of->options_.max_body)) {}
};

std::optional<std::string> listen_address(const std::string& text) {
  if (g_ascii_strcasecmp(text.c_str(), "localhost") == 0) return "127.0.0.1";
  const GObjectPtr<GInetAddress> address(g_inet_address_new_from_string(text.c_str()));
  return address ? std::optional(text) : std::nullopt;
}

HttpConnections::HttpConnections(const HttpServerOptions& options, SoupServer* soup,
                                 Sharing sharing)
    : options_(options), soup_(soup), sharing_(std::move(sharing)) {}

HttpConnections::~HttpConnections() {
  for (auto& [object, connection] : connections_) {
    g_object_weak_unref(object, connection_gone, this);
  }
  connections_.clear();
  stop_listening();
}

std::string HttpConnections::listen() {
  const GObjectPtr<GInetAddress> address(g_inet_address_new_from_string(options_.address.c_str()));
  if (!address) return "\"" + options_.address + "\" is not an IP address";
  service_.reset(g_socket_service_new());
  // Before the address is added. Who finds no room there, as in a burst of clients or a flood of
  // connections, waits for retransmissions. The kernel takes less if it is to (net.core.somaxconn).
  g_socket_listener_set_backlog(G_SOCKET_LISTENER(service_.get()), 4096);
  const GObjectPtr<GSocketAddress> wanted(g_inet_socket_address_new(address.get(), options_.port));
  GSocketAddress* actual = nullptr;
  GError* error = nullptr;
  if (!g_socket_listener_add_address(G_SOCKET_LISTENER(service_.get()), wanted.get(),
                                     G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr, &actual,
                                     &error)) {
    const GErrorPtr owned(error);
    return "cannot listen on " + options_.address + " port " + std::to_string(options_.port) +
           ": " + error->message;
  }
  const GObjectPtr<GSocketAddress> owned(actual);
  port_ = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(actual));
  g_signal_connect(service_.get(), "incoming", G_CALLBACK(on_incoming), this);
  g_socket_service_start(service_.get());
  return "";
}

void HttpConnections::stop_listening() {
  if (!service_) return;
  g_socket_service_stop(service_.get());
  g_socket_listener_close(G_SOCKET_LISTENER(service_.get()));
  service_.reset();
}

std::optional<HttpConnections::Asker> HttpConnections::take(SoupServerMessage* message) {
  const auto found = by_address_.find(soup_server_message_get_remote_address(message));
  if (found == by_address_.end()) return Asker{};
  Connection& connection = *found->second;
  if (connection.refused) return std::nullopt;
  connection.whole = true;
  connection.deadline.cancel();
  const auto& shared = connections_.at(G_OBJECT(connection.stream));
  return Asker{g_socket_connection_get_socket(connection.stream),
               [weak = std::weak_ptr<Connection>(shared)] {
                 const auto replied = weak.lock();
                 if (!replied) return;
                 replied->deadline.start(replied->owner->options_.request_timeout,
                                         [raw = replied.get()] { reset(*raw); });
               }};
}

void HttpConnections::connection_gone(gpointer self, GObject* where) {
  auto* owner = static_cast<HttpConnections*>(self);
  const auto found = owner->connections_.find(where);
  if (found == owner->connections_.end()) return;
  std::erase_if(owner->by_address_,
                [&](const auto& entry) { return entry.second == found->second.get(); });
  owner->connections_.erase(found);
}

gboolean HttpConnections::on_incoming(GSocketService*, GSocketConnection* stream, GObject*,
                                      gpointer self) {
  static_cast<HttpConnections*>(self)->accept(stream);
  return TRUE;
}

void HttpConnections::accept(GSocketConnection* stream) {
  const auto open = std::count_if(connections_.begin(), connections_.end(),
                                  [](const auto& entry) { return !entry.second->dropped; });
  if (static_cast<std::size_t>(open) >= options_.max_connections && !make_room()) {
    GST_DEBUG_ID(options_.name.c_str(), "connection refused: all of %" G_GSIZE_FORMAT " are in use",
                 options_.max_connections);
    g_io_stream_close(G_IO_STREAM(stream), nullptr, nullptr);
    return;
  }
  GSocket* socket = g_socket_connection_get_socket(stream);
  auto connection = std::make_shared<Connection>(this, stream);
  connection->deadline.start(options_.request_timeout,
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
  by_address_[remote] = connection.get();
  const auto one_request = make_request_stream(
      G_IO_STREAM(stream), connection->framing, [weak = std::weak_ptr<Connection>(connection)] {
        const auto found = weak.lock();
        if (found && !found->refused) found->owner->refuse(*found, *found->framing->error());
      });
  g_object_weak_ref(G_OBJECT(stream), connection_gone, this);
  connections_.emplace(G_OBJECT(stream), std::move(connection));
  GError* error = nullptr;
  if (!soup_server_accept_iostream(soup_, one_request.get(), local, remote, &error)) {
    g_warning("could not take a connection: %s", error->message);
    g_clear_error(&error);
  }
  g_object_unref(local);
}

// Whoever opens connections and says nothing on them must not keep others out. That it is the
// oldest, and not one of the client that has most, is because behind a proxy all have one
// address. False if all requests are being answered.
bool HttpConnections::make_room() {
  Connection* longest = nullptr;
  const auto rank = [](const Connection& of) { return std::pair(of.refused, of.number); };
  for (const auto& [object, connection] : connections_) {
    if (connection->whole || connection->dropped) continue;
    if (!longest || rank(*connection) < rank(*longest)) longest = connection.get();
  }
  if (!longest) return false;
  // Its place is needed now; whether it gets to read why is up to the network.
  if (!longest->refused) refuse(*longest, too_late());
  drop(*longest);
  return true;
}

// Reading or writing now meets the end of the stream, and libsoup lets go.
void HttpConnections::drop(Connection& connection) {
  connection.dropped = true;
  connection.deadline.cancel();
  g_socket_shutdown(g_socket_connection_get_socket(connection.stream), TRUE, TRUE, nullptr);
}

// The same for who has had its time: one that still sends must not wait for somebody to read it.
void HttpConnections::reset(Connection& connection) {
  const linger at_once{1, 0};
  setsockopt(g_socket_get_fd(g_socket_connection_get_socket(connection.stream)), SOL_SOCKET,
             SO_LINGER, &at_once, sizeof at_once);
  drop(connection);
}

// Says no while the request is still arriving: libsoup answers only after the last byte of a
// body, however long. The reply goes out at once; what the client still sends is read and thrown
// away for a moment, so that it gets to see the reply instead of a reset.
void HttpConnections::refuse(Connection& connection, const HttpError& error) {
  GSocket* socket = g_socket_connection_get_socket(connection.stream);
  connection.refused = true;
  GST_DEBUG_ID(options_.name.c_str(), "request refused while it arrives: %u %s: %s", error.status,
               error.error_type.c_str(), debug::quote(error.reason()).c_str());
  const std::string body = error.body();
  std::string reply =
      "HTTP/1.1 " + std::to_string(error.status) + " " + reason_phrase(error.status) +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\nConnection: close\r\n";
  for (const auto& [name, value] : sharing_(connection.framing->origin())) {
    reply += name + ": " + value + "\r\n";
  }
  reply += "\r\n" + body;
  g_socket_send(socket, reply.data(), reply.size(), nullptr, nullptr);
  g_socket_shutdown(socket, FALSE, TRUE, nullptr);
  connection.deadline.start(std::chrono::milliseconds(500), [raw = &connection] { reset(*raw); });
}

}  // namespace webrtcupload
