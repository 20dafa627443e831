// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A reference that does not keep its object alive.

#pragma once

#include <glib-object.h>

#include <memory>

#include "glib/glib_ptr.h"

namespace webrtcupload {

class WeakRef {
 public:
  WeakRef() = default;
  explicit WeakRef(gpointer object) : ref_(new GWeakRef, Clear()) {
    g_weak_ref_init(ref_.get(), object);
  }

  // Null when the object has gone.
  [[nodiscard]] GObjectPtr<GObject> lock() const {
    return GObjectPtr<GObject>(ref_ ? static_cast<GObject*>(g_weak_ref_get(ref_.get())) : nullptr);
  }
  void reset() { ref_.reset(); }

 private:
  struct Clear {
    void operator()(GWeakRef* ref) const {
      g_weak_ref_clear(ref);
      delete ref;
    }
  };

  // GWeakRef is registered by address, so it lives on the heap; copies share it.
  std::shared_ptr<GWeakRef> ref_;
};

}  // namespace webrtcupload
