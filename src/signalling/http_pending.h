// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is behind a responder, for the server that makes one: a message that waits for its reply.

#pragma once

#include <libsoup/soup.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "glib/glib_ptr.h"
#include "signalling/http_server.h"

namespace webrtcupload {

struct HttpResponder::Pending {
  ~Pending();

  // A responder's part for a message that is paused until there is a reply. `replied` is called
  // once when there is one. Without a socket nobody notices a client that goes away before.
  static std::shared_ptr<Pending> wait(SoupServerMessage* message, GSocket* socket,
                                       std::function<void()> replied);

  void reply(unsigned status, const char* content_type, std::string_view body,
             const HttpHeaders& more);
  // Without `connected` the message has no connection any more that would take a reply.
  void gone(bool connected);

  // Null once it was replied to or went away.
  GObjectPtr<SoupServerMessage> message;
  // Of the server, for the log.
  std::string server_name;
  std::function<void()> on_gone;

 private:
  static void start_watching(const std::shared_ptr<Pending>& self, GSocket* socket);
  void stop_watching();

  // Told once that there is a reply.
  std::function<void()> on_reply_;
  // libsoup does not look at a connection while its message is paused; this does.
  GSource* watch_ = nullptr;
};

}  // namespace webrtcupload
