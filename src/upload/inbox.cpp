// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/inbox.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace webrtcupload {
namespace {

std::uint64_t cost_of(const Inbox::Item& item) {
  const auto* received = std::get_if<Inbox::Received>(&item);
  if (!received) return 0;
  const std::uint64_t size = received->bytes ? g_bytes_get_size(received->bytes.get()) : 0;
  return size + Inbox::kMessageCost;
}

}  // namespace

std::optional<Inbox::Serial> Inbox::channel_of(const Item& item) {
  if (const auto* opened = std::get_if<Opened>(&item)) return opened->channel;
  if (const auto* gone = std::get_if<Gone>(&item)) return gone->channel;
  if (const auto* received = std::get_if<Received>(&item)) return received->channel;
  return std::nullopt;
}

Message Inbox::Received::message() const {
  if (!bytes) return {kind, {}};
  gsize size = 0;
  const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(bytes.get(), &size));
  return {kind, ByteView(data, size)};
}

void Inbox::push(Item item) {
  // Freed after the lock: the last reference to a message's bytes may be a large one.
  std::deque<Item> dropped;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    const std::uint64_t backlog = backlog_.now + cost_of(item);
    if (backlog > std::max(marks_.overload_factor * marks_.high, kOverloadFloor)) {
      std::swap(dropped, items_);
      items_.emplace_back(Overloaded{backlog});
      backlog_.now = 0;
      closed_ = true;
    } else {
      items_.push_back(std::move(item));
      backlog_.now = backlog;
    }
    backlog_.peak = std::max(backlog_.peak, backlog);
    update_gates();
  }
  filled_.notify_one();
}

std::optional<Inbox::Item> Inbox::pop(std::optional<TimePoint> until) {
  MutexLock lock(mutex_);
  const auto ready = [this]() REQUIRES(mutex_) { return !items_.empty() || woken_; };
  if (until) {
    const std::chrono::steady_clock::time_point when(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(*until));
    filled_.wait_until(mutex_, when, ready);
  } else {
    filled_.wait(mutex_, ready);
  }
  woken_ = false;
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  backlog_.now -= cost_of(item);
  update_gates();
  return item;
}

void Inbox::put_back(Item item) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  backlog_.now += cost_of(item);
  items_.push_front(std::move(item));
  update_gates();
}

void Inbox::wake() {
  {
    const MutexLock lock(mutex_);
    woken_ = true;
  }
  filled_.notify_one();
}

void Inbox::set_marks(Marks marks) {
  const MutexLock lock(mutex_);
  marks_ = marks;
  update_gates();
}

void Inbox::hold_back_with(std::unique_ptr<ReceiveGate> gate, const void* connection) {
  const MutexLock lock(mutex_);
  if (closed_) return;
  gates_[connection] = std::move(gate);
  update_gates();
}

void Inbox::stop_holding_back(const void* connection) {
  Gates::node_type gate;
  const MutexLock lock(mutex_);
  gate = gates_.extract(connection);
}

void Inbox::stop_holding_back() {
  Gates gates;
  const MutexLock lock(mutex_);
  std::swap(gates, gates_);
}

void Inbox::close() {
  std::deque<Item> dropped;
  Gates gates;
  const MutexLock lock(mutex_);
  closed_ = true;
  backlog_.now = 0;
  std::swap(dropped, items_);
  std::swap(gates, gates_);
}

Inbox::Backlog Inbox::backlog() const {
  const MutexLock lock(mutex_);
  return backlog_;
}

void Inbox::update_gates() {
  const bool closes = !closed_ && backlog_.now > marks_.high;
  const bool opens = closed_ || backlog_.now <= marks_.low;
  for (const auto& [connection, gate] : gates_) {
    if (closes) {
      gate->close();
    } else if (opens) {
      gate->open();
    }
  }
}

}  // namespace webrtcupload
