// SPDX-License-Identifier: LGPL-2.1-or-later

#include "webrtc/data_channel.h"

#include <atomic>
#include <utility>
#include <vector>

#include "glib/main_context.h"
#include "glib/signal_connection.h"
#include "webrtc/channel_getters.h"
#include "webrtc/channel_sending.h"
#include "webrtc/channels.h"

namespace webrtcupload {

// What the signal handlers, on webrtcbin's threads, share with the object.
struct DataChannel::Link {
  GMainContext* context;
  std::size_t max_pending;
  std::function<bool()> is_trusted;
  std::atomic<std::size_t> pending = 0;  // Bytes of memory.
  std::weak_ptr<DataChannel> target;     // Set before any handler is connected.
  std::vector<SignalConnection> connections;

  ~Link() { g_main_context_unref(context); }

  // `deliver` runs on the context if the channel object is still there.
  static void post_end(const std::shared_ptr<Link>& link,
                       std::function<void(DataChannel&)> deliver) {
    post_to(link->context, [link, deliver = std::move(deliver)] {
      if (const auto channel = link->target.lock()) deliver(*channel);
    });
  }

  // The same, if the peer is trusted.
  static void post(const std::shared_ptr<Link>& link, std::function<void(DataChannel&)> deliver) {
    post_to(link->context, [link, deliver = std::move(deliver)] { deliver_to(link, deliver); });
  }

  // `size` is the message's own bytes.
  static void post_message(const std::shared_ptr<Link>& link, std::size_t size,
                           std::function<void(DataChannel&)> deliver) {
    const std::size_t cost = size + kMessageCost;
    if (link->pending.fetch_add(cost) >= link->max_pending) {
      link->pending.fetch_sub(cost);
      return;
    }
    post_to(link->context, [link, cost, deliver = std::move(deliver)] {
      link->pending.fetch_sub(cost);
      deliver_to(link, deliver);
    });
  }

 private:
  static void deliver_to(const std::shared_ptr<Link>& link,
                         const std::function<void(DataChannel&)>& deliver) {
    const auto channel = link->target.lock();
    if (channel && link->is_trusted()) deliver(*channel);
  }
};

namespace {

// The last argument of each handler.
struct Handler {
  std::function<void()> notify;
  std::function<void(const char*)> text;
  std::function<void(GBytes*)> data;
};

void on_notify(GstWebRTCDataChannel*, Handler* handler) { handler->notify(); }
void on_error(GstWebRTCDataChannel*, GError*, Handler* handler) { handler->notify(); }
void on_text(GstWebRTCDataChannel*, const char* text, Handler* handler) { handler->text(text); }
void on_data(GstWebRTCDataChannel*, GBytes* bytes, Handler* handler) { handler->data(bytes); }

}  // namespace

DataChannel::DataChannel(GstWebRTCDataChannel* channel, GMainContext* context)
    : channel_(ref_gobject(channel)), context_(context) {}

DataChannel::~DataChannel() { link_->connections.clear(); }

std::shared_ptr<DataChannel> DataChannel::create(GstWebRTCDataChannel* channel,
                                                 GMainContext* context, std::size_t max_pending,
                                                 std::function<bool()> is_trusted) {
  std::shared_ptr<DataChannel> self(new DataChannel(channel, context));
  auto link = std::make_shared<Link>();
  link->context = g_main_context_ref(context);
  link->max_pending = max_pending;
  link->is_trusted = std::move(is_trusted);
  link->target = self;
  self->link_ = link;

  // A handler keeps the link alive, not the connections in it: those end with the channel object.
  const auto connect = [&](const char* signal, GCallback callback, Handler handler) {
    link->connections.emplace_back(channel, signal, callback, std::move(handler));
  };
  std::weak_ptr<Link> weak = link;
  const auto tell_end = [weak] {
    const auto alive = weak.lock();
    if (!alive) return;
    Link::post_end(alive, [](DataChannel& c) {
      if (c.events_.closed) c.events_.closed();
    });
  };
  connect("on-open", G_CALLBACK(on_notify), {[weak] {
            const auto alive = weak.lock();
            if (!alive) return;
            Link::post(alive, [](DataChannel& c) {
              if (c.events_.open) c.events_.open();
            });
          }});
  connect("on-close", G_CALLBACK(on_notify), {tell_end});
  connect("on-error", G_CALLBACK(on_error), {tell_end});
  connect("on-message-string", G_CALLBACK(on_text),
          {nullptr, [weak](const char* text) {
             const auto alive = weak.lock();
             if (!alive) return;
             std::string copy(text ? text : "");
             const std::size_t size = copy.size();
             Link::post_message(alive, size, [copy = std::move(copy)](DataChannel& c) {
               if (c.events_.text) c.events_.text(copy);
             });
           }});
  connect("on-message-data", G_CALLBACK(on_data),
          {nullptr, nullptr, [weak](GBytes* bytes) {
             const auto alive = weak.lock();
             if (!alive || !bytes) return;
             std::shared_ptr<GBytes> kept(g_bytes_ref(bytes), g_bytes_unref);
             Link::post_message(alive, g_bytes_get_size(bytes), [kept](DataChannel& c) {
               gsize size = 0;
               const auto* data =
                   static_cast<const std::uint8_t*>(g_bytes_get_data(kept.get(), &size));
               if (c.events_.data) c.events_.data({data, size});
             });
           }});
  return self;
}

void DataChannel::set_events(Events events) { events_ = std::move(events); }

std::string DataChannel::label() const { return label_of(channel_.get()); }

bool DataChannel::is_open() const {
  return ready_state(channel_.get()) == GST_WEBRTC_DATA_CHANNEL_STATE_OPEN;
}

bool DataChannel::is_closed() const {
  const auto state = ready_state(channel_.get());
  return state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSED ||
         state == GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING;
}

std::uint64_t DataChannel::buffered_amount() const {
  return webrtcupload::buffered_amount(channel_.get());
}

bool DataChannel::send(std::span<const std::uint8_t> bytes) {
  return send_on(channel_.get(), {bytes.begin(), bytes.end()});
}

void DataChannel::close() { close_channel(channel_.get()); }

}  // namespace webrtcupload
