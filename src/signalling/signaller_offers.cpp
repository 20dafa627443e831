// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/signaller_offers.h"

#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include "core/mutex.h"
#include "glib/main_context.h"
#include "signalling/session_request.h"
#include "webrtc/sdp/offer.h"

namespace webrtcupload {
namespace {

using SharedSignaller = std::shared_ptr<GstWebrtcUploadSignaller>;

// Held from an offer until the last word on it has been said.
using Place = std::shared_ptr<void>;

// What a peer may have made as long as it liked. One byte more than is allowed is refused.
std::string bounded(const char* text, std::size_t most) {
  return text ? std::string(text, strnlen(text, most + 1)) : "";
}

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

// Of the handlers, which run on any thread and may be running when the source is destroyed.
struct SignallerOffers::Shared : std::enable_shared_from_this<Shared> {
  SharedSignaller signaller;
  std::shared_ptr<GMainContext> context;
  std::weak_ptr<OfferTaker> taker;
  std::shared_ptr<Announcer> announcer;
  std::function<void(std::string why)> failed;
  std::shared_ptr<std::atomic<int>> waiting = std::make_shared<std::atomic<int>>(0);

  // Protects what follows, and that nothing is posted once it is closed. Held while posting.
  Mutex mutex;
  bool open GUARDED_BY(mutex) = true;

  // False when the server takes nothing any more.
  bool post(std::function<void()> what) EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    if (open) post_to(context.get(), std::move(what));
    return open;
  }

  // None if there are too many.
  Place take_place() {
    if (waiting->fetch_add(1) >= kMostWaiting) {
      waiting->fetch_sub(1);
      return nullptr;
    }
    return {waiting.get(), [count = waiting](void*) { count->fetch_sub(1); }};
  }

  std::shared_ptr<OfferReply> make_reply(const std::string& id, const Place& place) const {
    OfferReply::Events events;
    events.answered = [to = signaller, by = announcer, id](const std::string& sdp) {
      by->tell(
          [to, id, sdp] { gst_webrtc_upload_signaller_answer(to.get(), id.c_str(), sdp.c_str()); });
    };
    events.refused = [to = signaller, by = announcer, id, place](const HttpError& error) {
      by->tell([to, id, place, error] {
        gst_webrtc_upload_signaller_refuse(to.get(), id.c_str(), error.error_type.c_str(),
                                           error.message.c_str());
      });
    };
    events.ended = [to = signaller, by = announcer, id, place](const Outcome& why) {
      by->tell([to, id, place, why] {
        gst_webrtc_upload_signaller_end(to.get(), id.c_str(), or_null(why.code),
                                        or_null(why.message));
      });
    };
    return std::make_shared<OfferReply>(std::move(events));
  }

  bool on_offer(const char* name, const char* sdp) {
    std::string id = bounded(name, kMaxIdBytes);
    if (id.empty() || id.size() > kMaxIdBytes) return false;
    Place place = take_place();
    if (!place) return false;
    return post([self = shared_from_this(), id = std::move(id), place = std::move(place),
                 offer = bounded(sdp, OfferLimits().max_bytes)] {
      const auto reply = self->make_reply(id, place);
      if (const auto alive = self->taker.lock()) {
        alive->take_offer(id, offer, reply);
      } else {
        reply->refuse(server_stops());
      }
    });
  }

  void on_withdraw(const char* name) {
    post([weak = taker, id = bounded(name, kMaxIdBytes)] {
      const auto alive = weak.lock();
      if (alive) static_cast<void>(alive->withdraw(id));
    });
  }

  void on_fail(const char* message) {
    constexpr std::size_t kMostBytes = 1024;
    const GCharPtr text(g_utf8_make_valid(bounded(message, kMostBytes).c_str(), -1));
    post([tell = failed, weak = taker, why = std::string(text.get())] {
      if (weak.lock()) tell(why);
    });
  }
};

SignallerOffers::SignallerOffers(GstWebrtcUploadSignaller* signaller, GMainContext* context,
                                 std::weak_ptr<OfferTaker> taker,
                                 std::shared_ptr<Announcer> announcer,
                                 std::function<void(std::string why)> failed)
    : shared_(std::make_shared<Shared>()) {
  shared_->signaller = SharedSignaller(ref_gobject(signaller).release(), g_object_unref);
  shared_->context =
      std::shared_ptr<GMainContext>(g_main_context_ref(context), g_main_context_unref);
  shared_->taker = std::move(taker);
  shared_->announcer = std::move(announcer);
  shared_->failed = std::move(failed);
  using Closure = std::shared_ptr<Shared>;
  connections_.emplace_back(
      signaller, "offer",
      G_CALLBACK(+[](GObject*, const char* id, const char* sdp, Closure* shared) -> gboolean {
        return (*shared)->on_offer(id, sdp);
      }),
      shared_);
  connections_.emplace_back(
      signaller, "withdraw",
      G_CALLBACK(+[](GObject*, const char* id, Closure* shared) { (*shared)->on_withdraw(id); }),
      shared_);
  connections_.emplace_back(signaller, "fail",
                            G_CALLBACK(+[](GObject*, const char* message, Closure* shared) {
                              (*shared)->on_fail(message);
                            }),
                            shared_);
}

void SignallerOffers::stop() {
  {
    const MutexLock lock(shared_->mutex);
    shared_->open = false;
  }
  connections_.clear();
}

}  // namespace webrtcupload
