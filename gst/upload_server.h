// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What webrtcuploadserver does beside being an element: it answers offers over HTTP, one peer at a
// time, on a thread of its own.

#pragma once

#include <gst/gst.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gst/glib_ptr.h"
#include "signalling/allowed_origins.h"
#include "signalling/ice_server.h"

namespace webrtcupload {

class UploadServer {
 public:
  struct Settings {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;  // 0 = any that is free.
    std::vector<IceServer> ice_servers;
    // Empty: everybody may upload.
    std::string api_key;
    // Which web pages may use it.
    AllowedOrigins origins;
    // For a peer to connect and begin; then its place is free again.
    std::chrono::milliseconds connect_timeout{30000};
  };

  // How an upload ended: with a code of the protocol's errors and a sentence, or well (both empty).
  struct Outcome {
    std::string code;
    std::string message;
  };

  // All on the server's thread.
  struct Events {
    // A peer is about to be answered: whoever wants channels of this webrtcbin listens from now on.
    std::function<void(GstElement* webrtcbin)> peer_added;
    // That one will be heard of no more.
    std::function<void(GstElement* webrtcbin)> peer_removed;
    // The label of the channel that the upload comes over.
    std::function<std::string()> upload_label;
    // The peer's time to begin has passed, and its place is given to others.
    std::function<void(const std::string& why)> not_begun;
    // Whether the upload of the peer has begun; it then keeps its place until stop().
    std::function<bool()> upload_begun;
    // The largest upload, in bytes.
    std::function<std::uint64_t()> max_size;
    // How the upload ended, for a peer to whom nobody else says it.
    std::function<Outcome()> outcome;
    // What the peer has uploaded must not be used.
    std::function<void(const std::string& why)> untrusted;
  };

  // Null, with `problem` set, if it cannot listen. Returns when it does.
  static std::unique_ptr<UploadServer> start(Settings settings, Events events,
                                             std::string& problem);
  // Says good-bye to the peer, and waits until that is done, a few seconds at most.
  ~UploadServer();
  UploadServer(const UploadServer&) = delete;
  UploadServer& operator=(const UploadServer&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  class Worker;

  UploadServer() = default;

  std::string url_;
  std::uint16_t port_ = 0;
  GMainContext* context_ = nullptr;
  // The thread owns it.
  std::weak_ptr<Worker> worker_;
  std::thread thread_;
};

}  // namespace webrtcupload
