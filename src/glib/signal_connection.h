// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A signal connection that ends with its owner.

#pragma once

#include <glib-object.h>

#include <functional>
#include <memory>
#include <utility>

namespace webrtcupload {

// Disconnects in its destructor. A handler that is running at that moment on another thread is not
// waited for, so a handler captures what it uses by weak pointer or by value, never a bare `this`
// whose lifetime the connection does not extend.
class SignalConnection {
 public:
  SignalConnection() = default;

  // `callback` is a G_CALLBACK whose last argument is a `Closure*`; the closure is freed when the
  // last running handler of this connection has returned.
  template <typename Closure>
  SignalConnection(gpointer instance, const char* signal, GCallback callback, Closure closure) {
    // Not a reference: a connection does not keep its instance alive.
    g_weak_ref_set(ensure_ref(), instance);
    id_ = g_signal_connect_data(
        instance, signal, callback, new Closure(std::move(closure)),
        [](gpointer data, GClosure*) { delete static_cast<Closure*>(data); }, GConnectFlags(0));
  }

  ~SignalConnection() { disconnect(); }

  SignalConnection(SignalConnection&& other) noexcept
      : instance_(std::move(other.instance_)), id_(std::exchange(other.id_, 0)) {}
  SignalConnection& operator=(SignalConnection&& other) noexcept {
    if (this != &other) {
      disconnect();
      instance_ = std::move(other.instance_);
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  SignalConnection(const SignalConnection&) = delete;
  SignalConnection& operator=(const SignalConnection&) = delete;

  void disconnect() {
    if (const gulong id = std::exchange(id_, 0)) {
      if (gpointer instance = g_weak_ref_get(instance_.get())) {
        g_signal_handler_disconnect(instance, id);
        g_object_unref(instance);
      }
    }
    instance_.reset();
  }

  explicit operator bool() const { return id_ != 0; }

 private:
  struct ClearWeakRef {
    void operator()(GWeakRef* ref) const {
      g_weak_ref_clear(ref);
      delete ref;
    }
  };

  GWeakRef* ensure_ref() {
    auto* ref = new GWeakRef;
    g_weak_ref_init(ref, nullptr);
    instance_.reset(ref);
    return ref;
  }

  // GWeakRef is registered by address, so it lives on the heap and moves with the connection.
  std::unique_ptr<GWeakRef, ClearWeakRef> instance_;
  gulong id_ = 0;
};

}  // namespace webrtcupload
