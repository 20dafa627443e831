// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/common/http_client.h"

#include <libsoup/soup.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "glib/glib_ptr.h"
#include "glib/main_context.h"
#include "signalling/http_server.h"

namespace webrtcupload {
namespace {

constexpr int kMaxRedirects = 5;
// Of an address that a server has sent, in a sentence.
constexpr std::size_t kMaxShown = 200;
// Of a Retry-After. Who says more does not mean a client that waits.
constexpr guint64 kMostSeconds = 86400;

GUri* parse_http_url(const std::string& text) {
  GUri* uri = g_uri_parse(text.c_str(), static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS), nullptr);
  if (!uri) return nullptr;
  const std::string_view scheme = g_uri_get_scheme(uri);
  const char* host = g_uri_get_host(uri);
  if ((scheme == "http" || scheme == "https") && host && *host) return uri;
  g_uri_unref(uri);
  return nullptr;
}

}  // namespace

bool is_http_url(const std::string& text) {
  GUri* uri = parse_http_url(text);
  if (uri) g_uri_unref(uri);
  return uri != nullptr;
}

bool is_same_origin(const std::string& one, const std::string& other) {
  GUri* a = parse_http_url(one);
  GUri* b = parse_http_url(other);
  const auto port = [](GUri* uri) {
    const int given = g_uri_get_port(uri);
    if (given > 0) return given;
    return std::string_view(g_uri_get_scheme(uri)) == "https" ? 443 : 80;
  };
  const bool same = a && b && g_strcmp0(g_uri_get_scheme(a), g_uri_get_scheme(b)) == 0 &&
                    g_ascii_strcasecmp(g_uri_get_host(a), g_uri_get_host(b)) == 0 &&
                    port(a) == port(b);
  for (GUri* uri : {a, b}) {
    if (uri) g_uri_unref(uri);
  }
  return same;
}

std::optional<ServerUrl> parse_server_url(const std::string& text, std::string& problem) {
  GUri* uri = parse_http_url(text);
  if (!uri) {
    problem = "\"" + text + "\" is not an address like http://127.0.0.1:8080";
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
  // Kept by whichever of libsoup's operations is under way, and known here while it can be of use.
  struct Request : std::enable_shared_from_this<Request> {
    GObjectPtr<GCancellable> cancellable{g_cancellable_new()};
    GObjectPtr<SoupMessage> message;
    GObjectPtr<GInputStream> stream;
    Timer deadline{g_main_context_get_thread_default() ? g_main_context_get_thread_default()
                                                       : g_main_context_default()};
    GObjectPtr<SoupSession> session;
    const char* method = "GET";
    // Of a POST.
    GBytesPtr body;
    std::optional<std::string> bearer_token;
    int redirects_left = 0;
    std::size_t max_reply = 0;
    std::function<void(Reply)> done;  // Empty once it was called, or is not to be.
    Reply reply;
    std::string target;  // Where the reply's Location leads.

    using Handle = std::shared_ptr<Request>;
    gpointer handle() { return new Handle(shared_from_this()); }
    static Handle take(gpointer data) {
      const std::unique_ptr<Handle> handle(static_cast<Handle*>(data));
      return std::move(*handle);
    }

    void finish() {
      deadline.cancel();
      // Nothing of it is waited for any longer.
      g_cancellable_cancel(cancellable.get());
      if (const auto call = std::exchange(done, nullptr)) call(std::move(reply));
    }

    void give_up() {
      done = nullptr;
      finish();
    }

    void fail(Reply::Failure failure, std::string problem) {
      reply.failure = failure;
      reply.problem = std::move(problem);
      finish();
    }

    // To the server that was named.
    void send(const std::string& to) {
      reply = Reply();
      message.reset(soup_message_new(method, to.c_str()));
      SoupMessage* raw = message.get();
      // libsoup would take what is in the request anywhere.
      soup_message_add_flags(raw, SOUP_MESSAGE_NO_REDIRECT);
      if (body) soup_message_set_request_body_from_bytes(raw, "application/json", body.get());
      if (bearer_token) {
        soup_message_headers_replace(soup_message_get_request_headers(raw), "Authorization",
                                     ("Bearer " + *bearer_token).c_str());
      }
      soup_session_send_async(session.get(), raw, G_PRIORITY_DEFAULT, cancellable.get(), on_sent,
                              handle());
    }

    // Once the reply is whole.
    void on_reply() {
      const std::string here = url();
      const std::string there = std::exchange(target, {});
      const bool same = !there.empty() && is_same_origin(here, there);
      if (is_redirect(reply.status) && !there.empty() && redirects_left >= 0) {
        if (!same) {
          return fail(Reply::Failure::kElsewhere,
                      here + " redirects to " + there.substr(0, kMaxShown) +
                          ", which is another server: nothing was sent there");
        }
        if (redirects_left-- == 0) {
          return fail(Reply::Failure::kUnreachable, "it redirects too often");
        }
        // As browsers and libsoup do it: what came by another method than GET is asked for with GET
        // there, unless 307 or 308 says not to.
        if (reply.status < 307) {
          body.reset();
          method = "GET";
        }
        return send(there);
      }
      if (same) reply.location = there;
      finish();
    }

    static bool is_redirect(unsigned status) {
      return (status >= 301 && status <= 303) || status == 307 || status == 308;
    }

    [[nodiscard]] std::string url() const {
      return GCharPtr(g_uri_to_string(soup_message_get_uri(message.get()))).get();
    }

    static void on_sent(GObject* session, GAsyncResult* result, gpointer data) {
      const Handle self = take(data);
      GError* error = nullptr;
      self->stream.reset(soup_session_send_finish(SOUP_SESSION(session), result, &error));
      const GErrorPtr owned(error);
      if (!self->done) return;
      if (error) return self->fail(Reply::Failure::kUnreachable, error->message);
      self->reply.status = soup_message_get_status(self->message.get());
      self->target = self->location();
      self->reply.retry_after = self->retry_after();
      self->read();
    }

    // It may be given without scheme and host.
    [[nodiscard]] std::string location() const {
      const char* header = soup_message_headers_get_one(
          soup_message_get_response_headers(message.get()), "Location");
      if (!header) return {};
      const GCharPtr whole(g_uri_resolve_relative(
          url().c_str(), header, static_cast<GUriFlags>(SOUP_HTTP_URI_FLAGS), nullptr));
      return whole ? whole.get() : "";
    }

    // As a date it would need a clock that both sides agree on.
    [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const {
      const char* header = soup_message_headers_get_one(
          soup_message_get_response_headers(message.get()), "Retry-After");
      guint64 seconds = 0;
      if (!header || !g_ascii_string_to_unsigned(header, 10, 0, kMostSeconds, &seconds, nullptr)) {
        return std::nullopt;
      }
      return std::chrono::seconds(seconds);
    }

    void read() {
      g_input_stream_read_bytes_async(stream.get(), 16384, G_PRIORITY_DEFAULT, cancellable.get(),
                                      on_read, handle());
    }

    static void on_read(GObject* stream, GAsyncResult* result, gpointer data) {
      const Handle self = take(data);
      GError* error = nullptr;
      const GBytesPtr bytes(
          g_input_stream_read_bytes_finish(G_INPUT_STREAM(stream), result, &error));
      const GErrorPtr owned(error);
      if (!self->done) return;
      if (!bytes) return self->fail(Reply::Failure::kUnreachable, error->message);
      gsize size = 0;
      const auto* text = static_cast<const char*>(g_bytes_get_data(bytes.get(), &size));
      if (size == 0) return self->on_reply();
      if (self->reply.body.size() + size > self->max_reply) {
        self->reply.body.clear();
        return self->fail(Reply::Failure::kTooLarge,
                          "the reply is larger than " + std::to_string(self->max_reply) + " bytes");
      }
      self->reply.body.append(text, size);
      self->read();
    }
  };

  Call send(const char* method, const std::string& url, GBytesPtr body,
            const std::optional<std::string>& bearer_token, std::chrono::milliseconds timeout,
            std::function<void(Reply)> done);

  HttpClientOptions options;
  GObjectPtr<SoupSession> session;
  std::vector<std::weak_ptr<Request>> requests;
};

HttpClient::HttpClient(HttpClientOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
  impl_->session.reset(soup_session_new_with_options("user-agent", "webrtc-upload ", "max-conns",
                                                     options.max_connections, "max-conns-per-host",
                                                     options.max_connections, nullptr));
  // What the limit counts is what is kept.
  soup_session_remove_feature_by_type(impl_->session.get(), SOUP_TYPE_CONTENT_DECODER);
  // A 401 is a reply; the key is the caller's business.
  soup_session_remove_feature_by_type(impl_->session.get(), SOUP_TYPE_AUTH_MANAGER);
}

HttpClient::~HttpClient() {
  for (const auto& weak : impl_->requests) {
    if (const auto request = weak.lock()) request->give_up();
  }
}

HttpClient::Call& HttpClient::Call::operator=(Call&& other) noexcept {
  if (this != &other) {
    cancel();
    request_ = std::move(other.request_);
  }
  return *this;
}

void HttpClient::Call::cancel() {
  if (const auto request = std::exchange(request_, {}).lock()) {
    static_cast<Impl::Request*>(request.get())->give_up();
  }
}

std::size_t HttpClient::waiting() const {
  return static_cast<std::size_t>(
      std::count_if(impl_->requests.begin(), impl_->requests.end(), [](const auto& weak) {
        const auto request = weak.lock();
        return request && request->done;
      }));
}

HttpClient::Call HttpClient::post_json(const std::string& url,
                                       const std::optional<std::string>& bearer_token,
                                       const std::string& body, std::function<void(Reply)> done) {
  return impl_->send("POST", url, GBytesPtr(g_bytes_new(body.data(), body.size())), bearer_token,
                     impl_->options.timeout, std::move(done));
}

HttpClient::Call HttpClient::get(const std::string& url,
                                 const std::optional<std::string>& bearer_token,
                                 std::chrono::milliseconds timeout,
                                 std::function<void(Reply)> done) {
  return impl_->send("GET", url, nullptr, bearer_token, timeout, std::move(done));
}

HttpClient::Call HttpClient::del(const std::string& url,
                                 const std::optional<std::string>& bearer_token,
                                 std::chrono::milliseconds timeout,
                                 std::function<void(Reply)> done) {
  return impl_->send("DELETE", url, nullptr, bearer_token, timeout, std::move(done));
}

HttpClient::Call HttpClient::Impl::send(const char* method, const std::string& url, GBytesPtr body,
                                        const std::optional<std::string>& bearer_token,
                                        std::chrono::milliseconds timeout,
                                        std::function<void(Reply)> done) {
  std::erase_if(requests, [](const auto& weak) { return weak.expired(); });
  auto request = std::make_shared<Request>();
  requests.push_back(request);
  request->session = ref_gobject(session.get());
  request->method = method;
  request->body = std::move(body);
  request->bearer_token = bearer_token;
  request->redirects_left = options.follow_redirects ? kMaxRedirects : -1;
  request->max_reply = options.max_reply;
  request->done = std::move(done);
  request->deadline.start(timeout, [raw = request.get()] {
    const auto keep = raw->shared_from_this();
    raw->fail(Reply::Failure::kTimeout, "no reply came in time");
  });
  request->send(url);
  Call call;
  call.request_ = request;
  return call;
}

}  // namespace webrtcupload
