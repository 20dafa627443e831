// SPDX-License-Identifier: LGPL-2.1-or-later

#include "hook_server.h"

#include <libsoup/soup.h>

#include <future>

#include "glib/main_context.h"

namespace webrtcupload::test {

struct HookServer::Impl {
  static void on_request(SoupServer*, SoupServerMessage* message, const char* path, GHashTable*,
                         gpointer data) {
    auto* self = static_cast<HookServer*>(data);
    HookQuestion question;
    question.method = soup_server_message_get_method(message);
    question.path = path;
    GBytes* body = soup_message_body_flatten(soup_server_message_get_request_body(message));
    gsize size = 0;
    const auto* bytes = static_cast<const char*>(g_bytes_get_data(body, &size));
    if (size > 0) question.body.assign(bytes, size);
    g_bytes_unref(body);
    SoupMessageHeaders* request = soup_server_message_get_request_headers(message);
    if (const char* value = soup_message_headers_get_one(request, "Authorization")) {
      question.authorization = value;
    }
    const HookReply reply = self->decide_(question);
    {
      const std::lock_guard lock(self->mutex_);
      self->questions_.push_back(question);
    }
    if (reply.silent) {
      soup_server_message_pause(message);
      // Nothing more comes on this connection but its end.
      GSource* end =
          g_socket_create_source(soup_server_message_get_socket(message), G_IO_IN, nullptr);
      g_source_set_callback(end, G_SOURCE_FUNC(+[](GSocket*, GIOCondition, gpointer server) {
                              static_cast<HookServer*>(server)->note_end();
                              return G_SOURCE_REMOVE;
                            }),
                            self, nullptr);
      g_source_attach(end, self->context_);
      g_source_unref(end);
      return;
    }
    SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
    for (const auto& [name, value] : reply.headers) {
      soup_message_headers_append(headers, name.c_str(), value.c_str());
    }
    soup_server_message_set_status(message, reply.status, "Said");
    soup_server_message_set_response(message, "application/json", SOUP_MEMORY_COPY,
                                     reply.body.data(), reply.body.size());
  }
};

HookServer::HookServer(Decide decide)
    : decide_(std::move(decide)),
      context_(g_main_context_new()),
      loop_(g_main_loop_new(context_, FALSE)) {
  std::promise<std::string> started;
  thread_ = std::thread([this, &started] {
    g_main_context_push_thread_default(context_);
    SoupServer* server = soup_server_new(nullptr, nullptr);
    soup_server_add_handler(server, nullptr, Impl::on_request, this, nullptr);
    std::string url;
    // By itself libsoup lets only ten connections wait, and a kernel may reset further ones.
    GSocket* socket =
        g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, nullptr);
    GSocketAddress* address = g_inet_socket_address_new_from_string("127.0.0.1", 0);
    g_socket_set_listen_backlog(socket, 128);
    if (g_socket_bind(socket, address, TRUE, nullptr) && g_socket_listen(socket, nullptr) &&
        soup_server_listen_socket(server, socket, static_cast<SoupServerListenOptions>(0),
                                  nullptr)) {
      GSocketAddress* bound = g_socket_get_local_address(socket, nullptr);
      const auto port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
      url = "http://127.0.0.1:" + std::to_string(port) + "/may";
      g_object_unref(bound);
    }
    g_object_unref(address);
    g_object_unref(socket);
    started.set_value(url);
    g_main_loop_run(loop_);
    soup_server_disconnect(server);
    g_object_unref(server);
    while (g_main_context_iteration(context_, FALSE)) {
    }
    g_main_context_pop_thread_default(context_);
  });
  url_ = started.get_future().get();
}

HookServer::~HookServer() {
  post_to(context_, [this] { g_main_loop_quit(loop_); });
  thread_.join();
  g_main_loop_unref(loop_);
  g_main_context_unref(context_);
}

std::vector<HookQuestion> HookServer::questions() const {
  const std::lock_guard lock(mutex_);
  return questions_;
}

int HookServer::given_up() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

void HookServer::note_end() {
  const std::lock_guard lock(mutex_);
  ++given_up_;
}

}  // namespace webrtcupload::test
