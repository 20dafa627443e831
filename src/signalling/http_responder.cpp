// SPDX-License-Identifier: LGPL-2.1-or-later

#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include "glib/debug.h"
#include "signalling/http_pending.h"

#define GST_CAT_DEFAULT webrtcupload::debug::server()

namespace webrtcupload {
namespace {

constexpr const char* kJson = "application/json";
// What a client is told to wait when there is no room for it, in seconds.
constexpr const char* kRetryAfter = "5";

}  // namespace

HttpResponder::Pending::~Pending() {
  reply(500, kJson, HttpError{500, "InternalError", "No reply was made.", {}}.body(), {});
}

std::shared_ptr<HttpResponder::Pending> HttpResponder::Pending::wait(
    SoupServerMessage* message, GSocket* socket, std::function<void()> replied) {
  auto self = std::make_shared<Pending>();
  self->message = ref_gobject(message);
  self->on_reply_ = std::move(replied);
  soup_server_message_pause(message);
  // The reply to a client that went away has nobody to go to.
  g_signal_connect_data(
      message, "disconnected", G_CALLBACK(+[](SoupServerMessage*, gpointer data) {
        if (const auto waiting = static_cast<std::weak_ptr<Pending>*>(data)->lock()) {
          waiting->gone(false);
        }
      }),
      new std::weak_ptr<Pending>(self),
      [](gpointer data, GClosure*) { delete static_cast<std::weak_ptr<Pending>*>(data); },
      GConnectFlags(0));
  if (socket) start_watching(self, socket);
  return self;
}

void HttpResponder::Pending::reply(unsigned status, const char* content_type, std::string_view body,
                                   const HttpHeaders& more) {
  stop_watching();
  on_gone = nullptr;
  const auto to = std::exchange(message, nullptr);
  const auto tell = std::exchange(on_reply_, nullptr);
  if (!to) return;
  GST_LOG_ID(server_name.c_str(), "replies %u with %" G_GSIZE_FORMAT " bytes", status, body.size());
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

void HttpResponder::Pending::gone(bool connected) {
  const auto notify = std::exchange(on_gone, nullptr);
  if (message) GST_DEBUG_ID(server_name.c_str(), "the client went away before it had its reply");
  if (!connected) message.reset();
  // Whoever only closed its sending half, which is as rare as it is legal, can read why.
  const HttpError error{503, "ClientGone", "The client ended its side of the connection.", {}};
  reply(error.status, kJson, error.body(), {});
  if (notify) notify();
}

void HttpResponder::Pending::start_watching(const std::shared_ptr<Pending>& self, GSocket* socket) {
  self->watch_ = g_socket_create_source(
      socket, static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR), nullptr);
  g_source_set_callback(
      self->watch_, G_SOURCE_FUNC(+[](GSocket* of, GIOCondition, gpointer data) -> gboolean {
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
  g_source_attach(self->watch_, g_main_context_get_thread_default());
}

void HttpResponder::Pending::stop_watching() {
  if (GSource* source = std::exchange(watch_, nullptr)) {
    g_source_destroy(source);
    g_source_unref(source);
  }
}

void HttpResponder::reply_json(unsigned status, const std::string& body,
                               const HttpHeaders& more) const {
  pending_->reply(status, kJson, body, more);
}

void HttpResponder::reply(unsigned status, const std::string& content_type, std::string_view body,
                          const HttpHeaders& more) const {
  pending_->reply(status, content_type.c_str(), body, more);
}

void HttpResponder::fail(const HttpError& error, HttpHeaders more) const {
  GST_DEBUG_ID(pending_->server_name.c_str(), "request refused: %u %s: %s", error.status,
               error.error_type.c_str(), debug::quote(error.reason()).c_str());
  // RFC 9110 wants it with every 401.
  if (error.status == 401) more.emplace_back("WWW-Authenticate", "Bearer");
  if (error.passes()) more.emplace_back("Retry-After", kRetryAfter);
  reply_json(error.status, error.body(), more);
}

void HttpResponder::on_gone(std::function<void()> gone) const {
  if (pending_->message) pending_->on_gone = std::move(gone);
}

}  // namespace webrtcupload
