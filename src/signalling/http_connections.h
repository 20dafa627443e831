// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connections of an HTTP server, with limits that hold while a request is still arriving. They
// are accepted here and given to libsoup one by one, rather than by soup_server_listen, because
// only so is there a socket to set limits on before a request has begun.

#pragma once

#include <libsoup/soup.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "glib/glib_ptr.h"
#include "signalling/http_server.h"

namespace webrtcupload {

// Lives on one thread, with that thread's default context.
class HttpConnections {
 public:
  // What a reply has for pages, by the request's Origin; with the request still arriving as far as
  // it is known.
  using Sharing = std::function<HttpHeaders(const std::optional<std::string>& origin)>;

  HttpConnections(const HttpServerOptions& options, SoupServer* soup, Sharing sharing);
  ~HttpConnections();
  HttpConnections(const HttpConnections&) = delete;
  HttpConnections& operator=(const HttpConnections&) = delete;

  // An empty string, or why not.
  [[nodiscard]] std::string listen();
  // Those that are there stay.
  void stop_listening();
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // Whose request has arrived whole.
  struct Asker {
    GSocket* socket = nullptr;  // Null if it has gone already.
    // To be called when there is a reply: from then on it is the client that is waited for.
    std::function<void()> replied;
  };
  // Nothing if it was refused before, and so has its reply.
  [[nodiscard]] std::optional<Asker> take(SoupServerMessage* message);

 private:
  struct Connection;

  static void connection_gone(gpointer self, GObject* where);
  static gboolean on_incoming(GSocketService*, GSocketConnection* stream, GObject*, gpointer self);
  static void drop(Connection& connection);
  static void reset(Connection& connection);
  void accept(GSocketConnection* stream);
  bool make_room();
  void refuse(Connection& connection, const HttpError& error);

  const HttpServerOptions& options_;
  SoupServer* const soup_;
  const Sharing sharing_;
  GObjectPtr<GSocketService> service_;
  std::uint16_t port_ = 0;
  std::uint64_t accepted_ = 0;
  std::map<GObject*, std::shared_ptr<Connection>> connections_;
  // The same ones, by the object that libsoup knows their remote address as.
  std::map<GSocketAddress*, Connection*> by_address_;
};

}  // namespace webrtcupload
