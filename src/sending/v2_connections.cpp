// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/v2_connections.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/wire_v2.h"
#include "webrtc/find_webrtcbin.h"

namespace webrtcupload {
namespace {

constexpr const char* kOver = "the upload has ended";

}  // namespace

bool V2Connections::add(GstPtr<GstWebRTCDataChannel> channel, GstPtr<GstElement> webrtcbin,
                        bool is_ours) {
  ChannelId id = 0;
  {
    const MutexLock lock(mutex_);
    id = ++last_;
  }
  const auto listener = [conversation = conversation_, id](const Message& message) {
    conversation->take(id, message);
  };
  const SharedConnection connection(
      new V2Connection{.id = id,
                       .channel = std::make_unique<SenderChannel>(
                           std::move(channel), std::move(webrtcbin), bell_, listener),
                       .is_ours = is_ours});
  const bool is_added = [&] {
    const MutexLock lock(mutex_);
    if (!over_) all_.push_back(connection);
    return !over_;
  }();
  if (is_added) {
    bell_->ring();
  } else if (is_ours) {
    connection->channel->close();
  }
  return is_added;
}

bool V2Connections::attach(GstElement* webrtcbin, const std::string& label, std::string& problem) {
  const auto is_over = [this] {
    const MutexLock lock(mutex_);
    return over_;
  };
  // Nothing is announced to a peer for an upload that has ended.
  if (is_over()) {
    problem = kOver;
    return false;
  }
  auto channel = SenderChannel::create(webrtcbin, label.c_str(), kV2Protocol, problem);
  if (!channel) return false;
  if (add(std::move(channel), ref_gst(webrtcbin), true)) return true;
  problem = kOver;
  return false;
}

void V2Connections::remove(ChannelId id) {
  const MutexLock lock(mutex_);
  std::erase_if(all_, [id](const auto& connection) { return connection->id == id; });
}

std::vector<SharedConnection> V2Connections::list() const {
  const MutexLock lock(mutex_);
  return all_;
}

std::uint64_t V2Connections::buffered_amount() const {
  std::uint64_t bytes = 0;
  for (const auto& connection : list()) bytes += connection->channel->buffered_amount();
  return bytes;
}

void V2Connections::end() {
  const MutexLock lock(mutex_);
  over_ = true;
}

void V2Connections::close() {
  end();
  for (const auto& connection : list()) {
    if (connection->is_ours) connection->channel->close();
  }
}

void V2Connections::abandon(const std::string& reason) {
  end();
  say_farewell(reason);
  const auto all = list();
  for (const auto& connection : all) connection->channel->drop();
  const auto until = Bell::Clock::now() + SenderChannel::kPatience;
  for (const auto& connection : all) connection->channel->abandon(until);
}

void V2Connections::say_farewell(const std::string& reason) {
  bool is_first = false;
  Bell::Clock::time_point until;
  {
    const MutexLock lock(mutex_);
    is_first = !farewell_until_;
    if (is_first) farewell_until_ = Bell::Clock::now() + SenderChannel::kPatience;
    until = *farewell_until_;
  }
  if (is_first) {
    tell(reason, until);
    {
      const MutexLock lock(mutex_);
      farewell_until_ = Bell::Clock::now();
    }
    bell_->ring();
    return;
  }
  for (;;) {
    const std::uint64_t seen = bell_->rings();
    {
      const MutexLock lock(mutex_);
      until = *farewell_until_;
    }
    if (Bell::Clock::now() >= until || !bell_->wait_despite_all(seen, until)) return;
  }
}

void V2Connections::tell(const std::string& reason, Bell::Clock::time_point until) const {
  const auto to = best_to_talk();
  if (!to) return;
  const auto words = conversation_->farewell(reason);
  std::string problem;
  if (!words || !to->channel->send_text(*words, problem)) return;
  // Until the receiver has answered. A channel that is closed from here before may lose what has
  // left it and was not handed on at the other end.
  for (;;) {
    const std::uint64_t seen = bell_->rings();
    {
      const MutexLock lock(conversation_->mutex);
      if (conversation_->answered_farewell) return;
    }
    if (to->channel->is_gone() || !bell_->wait_despite_all(seen, until)) return;
  }
}

SharedConnection V2Connections::best_to_talk() const {
  SharedConnection best;
  std::tuple<bool, std::uint64_t> best_rank;
  for (const auto& connection : list()) {
    SenderChannel& channel = *connection->channel;
    if (!channel.is_open() || channel.is_gone()) continue;
    const std::uint64_t waiting = channel.buffered_amount();
    const MutexLock lock(conversation_->mutex);
    if (!conversation_->sender || !conversation_->sender->has_channel(connection->id)) continue;
    const std::tuple rank(!conversation_->sender->has_joined(connection->id), waiting);
    if (best && best_rank <= rank) continue;
    best = connection;
    best_rank = rank;
  }
  return best;
}

}  // namespace webrtcupload
