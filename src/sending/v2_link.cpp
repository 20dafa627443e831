// SPDX-License-Identifier: LGPL-2.1-or-later

#include "sending/v2_link.h"

#include <algorithm>
#include <utility>

#include "core/wire_v2.h"
#include "glib/debug.h"
#include "json/control_writer.h"
#include "webrtc/channel_owner.h"

#define GST_CAT_DEFAULT webrtcupload::debug::sink()

namespace webrtcupload {
namespace {

using Outcome = SenderChannel::Outcome;

std::chrono::nanoseconds resume_timeout_of(const control::Ready& server) {
  // It may say any number below 2^53.
  constexpr std::uint64_t kMost = 1ULL << 32;
  return std::chrono::seconds(std::min(server.resume_timeout, kMost));
}

guint max_connections_of(const control::Ready& server) {
  return static_cast<guint>(std::min<std::uint64_t>(server.max_connections, G_MAXUINT));
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

guint64 nanoseconds(std::chrono::nanoseconds time) { return static_cast<guint64>(time.count()); }

}  // namespace

GstFlowReturn V2Link::tend(Host& host) {
  if (bell_->is_interrupted()) {
    const GstFlowReturn flow = host.until_done(
        [&] { return bell_->is_interrupted() ? Outcome::kInterrupted : Outcome::kDone; });
    if (flow != GST_FLOW_OK) return flow;
  }
  seen_ = bell_->rings();
  if (const GstFlowReturn flow = hear_verdict(host); flow != GST_FLOW_OK) return flow;
  if (is_done()) return GST_FLOW_OK;
  for (const auto& connection : connections_->list()) {
    if (const GstFlowReturn flow = look_at(host, *connection); flow != GST_FLOW_OK) return flow;
  }
  if (const GstFlowReturn flow = put_out(host); flow != GST_FLOW_OK) return flow;
  note_joined(host);
  if (interruption_ && Bell::Clock::now() >= interruption_->until) {
    GST_INFO_OBJECT(host.element(), "no connection has come within %.3g s",
                    seconds(interruption_->patience));
    return host.peer_gone(interruption_->why);
  }
  return GST_FLOW_OK;
}

GstFlowReturn V2Link::wait(Host& host, Deadline until, WaitedTime* waited) {
  return host.until_done([&] {
    const auto begin = Bell::Clock::now();
    auto next = begin + kOwnerInterval;
    if (until) next = std::min(next, *until);
    if (interruption_) next = std::min(next, interruption_->until);
    bell_->wait(seen_, next);
    if (waited) {
      *waited +=
          static_cast<std::uint64_t>(std::chrono::nanoseconds(Bell::Clock::now() - begin).count());
    }
    return bell_->is_interrupted() ? Outcome::kInterrupted : Outcome::kDone;
  });
}

GstFlowReturn V2Link::hear_verdict(Host& host) {
  MutexLock lock(conversation_->mutex);
  const auto told = conversation_->told;
  auto fault = conversation_->fault;
  if (!fault && conversation_->sender->failure()) {
    fault = Error{ErrorCode::kHashMismatch, conversation_->sender->failure()->message};
  }
  lock.unlock();
  if (told) return host.refused(*told);
  return fault ? host.fail(*fault) : GST_FLOW_OK;
}

bool V2Link::is_done() const {
  const MutexLock lock(conversation_->mutex);
  return conversation_->sender->done().has_value();
}

GstFlowReturn V2Link::look_at(Host& host, V2Connection& connection) {
  SenderChannel& channel = *connection.channel;
  if (channel.is_gone() || !connection.problem.empty()) {
    return lose(host, connection, connection.problem);
  }
  return connection.greeted || !channel.is_open() ? GST_FLOW_OK : greet(host, connection);
}

GstFlowReturn V2Link::greet(Host& host, V2Connection& connection) {
  GST_DEBUG_OBJECT(host.element(), "the data channel is open");
  switch (const PeerTrust trust = host.trust_of(*connection.channel)) {
    case PeerTrust::kTrusted:
      break;
    case PeerTrust::kWebrtcbinHasGone:
      return lose(host, connection, kOwnerHasGone);
    case PeerTrust::kOtherCertificate:
      if (connection.id != V2Connections::kFirst) return lose(host, connection, to_string(trust));
      return host.fail({ErrorCode::kUntrustedPeer, to_string(trust)});
  }
  connection.greeted = true;
  if (!has_joined_) conversation_->expect_ready(connection.id);
  const MutexLock lock(conversation_->mutex);
  conversation_->sender->channel_opened(connection.id);
  return GST_FLOW_OK;
}

GstFlowReturn V2Link::put_out(Host& host) {
  for (;;) {
    MutexLock lock(conversation_->mutex);
    const auto outputs = conversation_->sender->take_outputs();
    const bool has_ended = conversation_->sender->ended();
    lock.unlock();
    if (outputs.empty()) return GST_FLOW_OK;
    const auto all = connections_->list();
    for (const Output& output : outputs) {
      const auto to = std::ranges::find(all, output.channel, [](const auto& c) { return c->id; });
      if (to == all.end()) continue;
      if (!output.message) {
        // The session closes them all when the upload has ended.
        if (has_ended) continue;
        if (const GstFlowReturn flow = lose(host, **to, ""); flow != GST_FLOW_OK) return flow;
        continue;
      }
      std::string problem;
      if ((*to)->channel->send_text(write_control(*output.message), problem)) continue;
      if (const GstFlowReturn flow = lose(host, **to, problem); flow != GST_FLOW_OK) return flow;
    }
  }
}

void V2Link::note_joined(Host& host) {
  SharedConnection newest;
  std::uint64_t stored = 0;
  {
    const auto all = connections_->list();
    const MutexLock lock(conversation_->mutex);
    stored = conversation_->sender->stored();
    for (const auto& connection : all) {
      if (connection->joined || !conversation_->sender->has_joined(connection->id)) continue;
      connection->joined = true;
      newest = connection;
    }
  }
  if (!newest) return;
  if (!std::exchange(has_joined_, true)) tell_begin(host, *newest);
  if (!interruption_) return;
  interruption_.reset();
  GST_INFO_OBJECT(host.element(), "resumes: the receiver has %" G_GUINT64_FORMAT " bytes",
                  guint64{stored});
  post(host, gst_structure_new("webrtcuploadsink-resumed", "stored", G_TYPE_UINT64, guint64{stored},
                               nullptr));
}

void V2Link::tell_begin(Host& host, V2Connection& over) {
  const auto server = [this] {
    const MutexLock lock(conversation_->mutex);
    return *conversation_->sender->server();
  }();
  GST_DEBUG_OBJECT(host.element(),
                   "the receiver takes blocks of %" G_GUINT64_FORMAT
                   " bytes and a file of %" G_GUINT64_FORMAT " over %" G_GUINT64_FORMAT
                   " connections, and waits %" G_GUINT64_FORMAT " s for a sender that is lost",
                   guint64{server.max_payload}, guint64{server.max_size},
                   guint64{server.max_connections}, guint64{server.resume_timeout});
  post(host, gst_structure_new("webrtcuploadsink-ready", "max-connections", G_TYPE_UINT,
                               max_connections_of(server), "resume-timeout", G_TYPE_UINT64,
                               nanoseconds(resume_timeout_of(server)), nullptr));
  // Nothing is before it in the channel, so that it takes what the way takes.
  conversation_->expect_echo(over.id);
  if (!over.channel->send(std::vector<std::uint8_t>{0}, over.problem)) bell_->ring();
}

bool V2Link::carries(const V2Connection& connection) const {
  return connection.joined || connection.greeted ||
         (!has_joined_ && connection.id == V2Connections::kFirst);
}

bool V2Link::is_last(const V2Connection& lost) const {
  return !interruption_ && carries(lost) &&
         std::ranges::none_of(connections_->list(), [&](const auto& other) {
           return other->id != lost.id && carries(*other) && !other->channel->is_gone();
         });
}

GstFlowReturn V2Link::lose(Host& host, V2Connection& connection, const std::string& why) {
  SenderChannel& channel = *connection.channel;
  const ChannelId id = connection.id;
  std::optional<control::Failure> refusal;
  const auto look_up_refusal = [&] {
    const MutexLock lock(conversation_->mutex);
    const auto entry = conversation_->refusals.find(id);
    if (entry != conversation_->refusals.end()) refusal = entry->second;
  };
  look_up_refusal();
  if (!refusal) {
    if (const GstFlowReturn flow = host.shutdown_over(why); flow != GST_FLOW_OK) return flow;
  }
  const bool was_last = is_last(connection);
  if (was_last && !refusal) {
    if (const GstFlowReturn flow = hear_last_words(host, connection); flow != GST_FLOW_OK) {
      return flow;
    }
    if (is_done()) return GST_FLOW_OK;
    look_up_refusal();
  }
  // What the channel itself says ("the data channel is not open") is less than what the watch found
  // out.
  std::string reason = channel.why_gone();
  if (refusal) {
    reason = refusal->code + ": " + refusal->message;
  } else if (reason.empty()) {
    reason = why.empty() ? "the receiver is not that of the upload" : why;
  }
  std::size_t remaining = 0;
  {
    const MutexLock lock(conversation_->mutex);
    conversation_->sender->channel_lost(id);
    conversation_->refusals.erase(id);
    remaining = conversation_->sender->connections();
  }
  GST_INFO_OBJECT(host.element(), "a connection is lost, %u remain: %s",
                  static_cast<guint>(remaining), reason.c_str());
  post(host, gst_structure_new("webrtcuploadsink-connection-lost", "webrtcbin", GST_TYPE_ELEMENT,
                               channel.webrtcbin(), "reason", G_TYPE_STRING, reason.c_str(),
                               "remaining", G_TYPE_UINT, static_cast<guint>(remaining), nullptr));
  connections_->remove(id);
  host.unlocked([&] {
    // One that works still finishes the message that SCTP is taking, and its peer sees it close.
    const bool works = !channel.is_gone();
    channel.drop();
    if (!works) channel.abandon(Bell::Clock::now());
  });
  return was_last ? interrupt(host, reason, refusal) : GST_FLOW_OK;
}

GstFlowReturn V2Link::hear_last_words(Host& host, const V2Connection& connection) {
  const auto until = Bell::Clock::now() + SenderChannel::kPatience;
  // Of other connections not all has been looked at since then.
  const std::uint64_t looked_at = seen_;
  for (;;) {
    seen_ = bell_->rings();
    {
      const MutexLock lock(conversation_->mutex);
      if (!conversation_->has_not_ended() || conversation_->refusals.contains(connection.id)) break;
    }
    if (Bell::Clock::now() >= until) break;
    if (const GstFlowReturn flow = wait(host, until); flow != GST_FLOW_OK) return flow;
  }
  seen_ = looked_at;
  return hear_verdict(host);
}

GstFlowReturn V2Link::interrupt(Host& host, const std::string& why,
                                const std::optional<control::Failure>& refusal) {
  std::chrono::nanoseconds patience = settings_.resume_timeout;
  {
    const MutexLock lock(conversation_->mutex);
    if (const auto& server = conversation_->sender->server()) {
      patience = std::min(patience, resume_timeout_of(*server));
    }
  }
  if (patience.count() == 0) return refusal ? host.refused(*refusal) : host.peer_gone(why);
  interruption_ = {.why = why, .patience = patience, .until = Bell::Clock::now() + patience};
  GST_INFO_OBJECT(host.element(), "interrupted, and waits %.3g s for another connection: %s",
                  seconds(patience), why.c_str());
  post(host, gst_structure_new("webrtcuploadsink-interrupted", "reason", G_TYPE_STRING, why.c_str(),
                               "resume-timeout", G_TYPE_UINT64, nanoseconds(patience), nullptr));
  return GST_FLOW_OK;
}

void V2Link::post(Host& host, GstStructure* news) const {
  gst_element_post_message(host.element(),
                           gst_message_new_element(GST_OBJECT(host.element()), news));
}

}  // namespace webrtcupload
