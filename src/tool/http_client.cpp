// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/http_client.h"

#include <libsoup/soup.h>

#include <utility>

#include "gst/glib_ptr.h"
#include "signalling/http_server.h"

namespace webrtcupload {
namespace {

constexpr int kTimeoutSeconds = 30;
constexpr gsize kMaxReply = 1 << 20;

}  // namespace

std::optional<ServerUrl> parse_server_url(const std::string& text, std::string& problem) {
  GError* error = nullptr;
  GUri* uri = g_uri_parse(text.c_str(), static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS), &error);
  const std::string scheme = uri ? g_uri_get_scheme(uri) : "";
  if (!uri || (scheme != "http" && scheme != "https") || !g_uri_get_host(uri) ||
      !*g_uri_get_host(uri)) {
    problem = "\"" + text + "\" is not an address like http://127.0.0.1:8080";
    g_clear_error(&error);
    if (uri) g_uri_unref(uri);
    return std::nullopt;
  }
  const std::string path = g_uri_get_path(uri);
  if (path.empty() || path == "/") {
    GUri* full = soup_uri_copy(uri, SOUP_URI_PATH, HttpServer::kWorkerPath, SOUP_URI_NONE);
    g_uri_unref(uri);
    uri = full;
  }
  char* full_text = g_uri_to_string(uri);
  ServerUrl result{full_text, g_uri_get_host(uri)};
  g_free(full_text);
  g_uri_unref(uri);
  return result;
}

struct HttpClient::Impl {
  GObjectPtr<SoupSession> session;
  GObjectPtr<GCancellable> cancellable;

  // Given up with the reply, or when it is of no use any more.
  struct Request {
    GObjectPtr<GCancellable> cancellable;
    GObjectPtr<SoupMessage> message;
    GObjectPtr<GInputStream> stream;
    std::function<void(Reply)> done;
    Reply reply;
  };

  static void on_sent(GObject* session, GAsyncResult* result, gpointer data) {
    std::unique_ptr<Request> request(static_cast<Request*>(data));
    GError* error = nullptr;
    request->stream.reset(soup_session_send_finish(SOUP_SESSION(session), result, &error));
    if (!request->stream) return failed(std::move(request), error);
    request->reply.status = soup_message_get_status(request->message.get());
    read(std::move(request));
  }

  static void read(std::unique_ptr<Request> request) {
    GInputStream* stream = request->stream.get();
    GCancellable* cancellable = request->cancellable.get();
    g_input_stream_read_bytes_async(stream, 16384, G_PRIORITY_DEFAULT, cancellable, on_read,
                                    request.release());
  }

  static void on_read(GObject* stream, GAsyncResult* result, gpointer data) {
    std::unique_ptr<Request> request(static_cast<Request*>(data));
    GError* error = nullptr;
    const GBytesPtr bytes(g_input_stream_read_bytes_finish(G_INPUT_STREAM(stream), result, &error));
    if (!bytes) return failed(std::move(request), error);
    gsize size = 0;
    const auto* text = static_cast<const char*>(g_bytes_get_data(bytes.get(), &size));
    if (size == 0 || request->reply.body.size() + size > kMaxReply) {
      return request->done(std::move(request->reply));
    }
    request->reply.body.append(text, size);
    read(std::move(request));
  }

  static void failed(std::unique_ptr<Request> request, GError* error) {
    const GErrorPtr owned(error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) return;
    request->reply.problem = error->message;
    request->done(std::move(request->reply));
  }
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {
  impl_->session.reset(soup_session_new_with_options("timeout", kTimeoutSeconds, "user-agent",
                                                     "webrtc-upload ", nullptr));
  impl_->cancellable.reset(g_cancellable_new());
}

HttpClient::~HttpClient() { g_cancellable_cancel(impl_->cancellable.get()); }

void HttpClient::post_json(const ServerUrl& url, const std::optional<std::string>& bearer_token,
                           const std::string& body, std::function<void(Reply)> done) {
  auto request = std::make_unique<Impl::Request>();
  request->cancellable = ref_gobject(impl_->cancellable.get());
  request->message.reset(soup_message_new("POST", url.text.c_str()));
  request->done = std::move(done);
  if (bearer_token) {
    soup_message_headers_replace(soup_message_get_request_headers(request->message.get()),
                                 "Authorization", ("Bearer " + *bearer_token).c_str());
  }
  const GBytesPtr bytes(g_bytes_new(body.data(), body.size()));
  soup_message_set_request_body_from_bytes(request->message.get(), "application/json", bytes.get());
  SoupMessage* message = request->message.get();
  soup_session_send_async(impl_->session.get(), message, G_PRIORITY_DEFAULT,
                          impl_->cancellable.get(), Impl::on_sent, request.release());
}

}  // namespace webrtcupload
