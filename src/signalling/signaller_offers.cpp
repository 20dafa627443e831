// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/signaller_offers.h"

#include <atomic>
#include <cstring>
#include <set>
#include <utility>

#include "core/mutex.h"
#include "glib/main_context.h"
#include "signalling/session_request.h"
#include "webrtc/sdp/offer_check.h"

namespace webrtcupload {
namespace {

using SharedSignaller = std::shared_ptr<GstWebrtcUploadSignaller>;

// A copy of `text`, which a peer may have made as long as it liked: at most one byte more than
// `most`, by which whoever checks the copy sees that it is too long.
std::string bounded(const char* text, std::size_t most) {
  return text ? std::string(text, strnlen(text, most + 1)) : "";
}

// UTF-8 of so many bytes at most.
std::string text_within(const char* text, std::size_t most) {
  const GCharPtr valid(g_utf8_make_valid(bounded(text, most).c_str(), -1));
  const std::size_t size = std::strlen(valid.get());
  if (size <= most) return valid.get();
  // Where a character begins.
  return {valid.get(), g_utf8_find_prev_char(valid.get(), valid.get() + most + 1)};
}

// The offers whose last word the signaller has not heard yet. On any thread.
class OpenOffers {
 public:
  explicit OpenOffers(std::size_t most) : most_(most) {}

  // False if there are too many.
  [[nodiscard]] bool add(const std::string& id) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (open_.size() >= most_) return false;
    open_.insert(id);
    return true;
  }
  void remove(const std::string& id) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (const auto found = open_.find(id); found != open_.end()) open_.erase(found);
  }

  // False if there is nothing to withdraw, or if the server is to be told of it already: so what
  // waits for the server is bounded, whatever the signaller does.
  [[nodiscard]] bool begin_withdrawal(const std::string& id) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return open_.contains(id) && withdrawn_.insert(id).second;
  }
  void end_withdrawal(const std::string& id) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    withdrawn_.erase(id);
  }

 private:
  const std::size_t most_;
  // A leaf.
  Mutex mutex_;
  // A name may be offered again while its session is there; that is refused later.
  std::multiset<std::string> open_ GUARDED_BY(mutex_);
  std::set<std::string> withdrawn_ GUARDED_BY(mutex_);
};

// Held from an offer until the last word on it has been said.
using Place = std::shared_ptr<void>;

const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

// Of the handlers, which run on any thread and may be running when the source is destroyed.
struct SignallerOffers::Shared : std::enable_shared_from_this<Shared> {
  SharedSignaller signaller;
  std::shared_ptr<GMainContext> context;
  std::weak_ptr<OfferTaker> taker;
  std::shared_ptr<Announcer> announcer;
  std::function<void(std::string why)> failed;
  std::shared_ptr<OpenOffers> offers = std::make_shared<OpenOffers>(kMostWaiting);
  // Once is enough.
  std::atomic<bool> has_failed = false;

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
  Place take_place(const std::string& id) const {
    if (!offers->add(id)) return nullptr;
    return {offers.get(), [to = offers, id](void*) { to->remove(id); }};
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
    events.ended = [to = signaller, by = announcer, id, place](const OfferOutcome& why) {
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
    Place place = take_place(id);
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
    const std::string id = bounded(name, kMaxIdBytes);
    if (!offers->begin_withdrawal(id)) return;
    const bool posted = post([to = offers, weak = taker, id] {
      // First, since the same name may be offered and withdrawn anew from now on.
      to->end_withdrawal(id);
      const auto alive = weak.lock();
      if (alive) static_cast<void>(alive->withdraw(id));
    });
    if (!posted) offers->end_withdrawal(id);
  }

  void on_fail(const char* message) {
    constexpr std::size_t kMostBytes = 1024;
    if (has_failed.exchange(true)) return;
    post([tell = failed, weak = taker, why = text_within(message, kMostBytes)] {
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
