// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/send/sender_connections.h"

#include <algorithm>
#include <utility>

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;

// So long may one try for a further connection take.
constexpr milliseconds kFurtherTimeout{15000};
// One that has lived for so long was a good one: what comes in its place is not a repeated try.
constexpr std::chrono::seconds kGoodLife{10};
// For the server to say that it has heard that something is over.
constexpr milliseconds kGoodbye{1000};

// Whether anything still comes is looked at so often. webrtcbin itself notices after half a minute
// or more that nobody is there.
constexpr milliseconds kLook{250};
// Looks without a packet, which are time that this program has run, and not time for which it was
// stopped: after so many the other side is asked for one, again and again, and after these it is
// given up.
constexpr int kQuiet = 8;
constexpr int kDead = 20;

std::string connections_of(std::string session) {
  while (session.ends_with('/')) session.pop_back();
  return session + "/connections";
}

}  // namespace

SenderConnections::SenderConnections(GMainContext* context, HttpClient& http, Options options,
                                     Events events)
    : context_(context),
      http_(http),
      options_(std::move(options)),
      events_(std::move(events)),
      retry_timer_(context),
      look_timer_(context) {}

void SenderConnections::start() { add(); }

SenderConnections::Entry* SenderConnections::find(int number) {
  const auto found = std::ranges::find(entries_, number, &Entry::number);
  return found == entries_.end() ? nullptr : &*found;
}

SenderConnection::Events SenderConnections::events_for(int number) {
  // Calls what is there while this is.
  const auto guarded = [weak = std::weak_ptr(self_), number](auto function) {
    return [weak, number, function](auto&&... values) {
      if (const auto self = weak.lock()) function(**self, number, values...);
    };
  };
  SenderConnection::Events events;
  events.prepare = number == 1 ? events_.prepare : events_.attach;
  events.answered = guarded(
      [](auto& self, int of, const std::string& location) { self.on_answered(of, location); });
  events.open = guarded([](auto& self, int of) { self.on_open(of); });
  events.result = guarded(
      [](auto& self, int, std::span<const std::uint8_t> message) { self.events_.result(message); });
  events.failed = guarded([](auto& self, int of, const SenderConnection::Failure& failure) {
    self.on_failed(of, failure);
  });
  events.lost = guarded([](auto& self, int of, const std::string& why) { self.on_lost(of, why); });
  events.untrusted =
      guarded([](auto& self, int of, const std::string& why) { self.on_untrusted(of, why); });
  return events;
}

void SenderConnections::add() {
  const int number = ++last_number_;
  const bool first = number == 1;
  if (!first && open_count() == 0) ++attempts_;
  const bool has_results = std::ranges::none_of(
      entries_, [](const Entry& entry) { return entry.connection->has_results(); });
  const auto connection =
      SenderConnection::create(context_, http_,
                               {.url = first ? options_.server.text : connections_of(location_),
                                .host = options_.server.host,
                                .api_key = options_.api_key,
                                .workflow = options_.workflow,
                                .results = has_results,
                                .timeout = first ? options_.connect_timeout : kFurtherTimeout},
                               events_for(number));
  entries_.push_back({.number = number, .connection = connection});
  connection->start();
}

void SenderConnections::on_answered(int number, const std::string& location) {
  if (number != 1) return;
  location_ = location;
  events_.answered(location);
}

void SenderConnections::on_open(int number) {
  Entry* entry = find(number);
  if (!entry) return;
  entry->opened_at = std::chrono::steady_clock::now();
  was_open_ = true;
  if (number == 1) events_.open();
  maintain();
}

void SenderConnections::on_failed(int number, const SenderConnection::Failure& failure) {
  drop(number);
  if (number == 1) return events_.failed(failure.problem);
  if (failure.may_pass()) {
    try_again_after(failure.retry_after);
  } else {
    wanted_ = static_cast<unsigned>(open_count());
  }
  if (open_count() == 0) {
    events_.refused(failure);
  } else {
    events_.not_added();
  }
}

// It is sent nothing, and others are who they should be.
void SenderConnections::on_untrusted(int number, const std::string& why) {
  const Entry* entry = find(number);
  if (!entry) return;
  if (number == 1 || entry->connection->is_open()) return events_.untrusted(why);
  on_failed(number, {.problem = why});
}

void SenderConnections::note_resumed() {
  attempts_ = 0;
  back_off_.reset();
}

void SenderConnections::lose(GstElement* webrtcbin, const std::string& why) {
  const auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return webrtcbin && entry.connection->webrtcbin() == webrtcbin;
  });
  if (found != entries_.end()) on_lost(found->number, why);
}

void SenderConnections::lose_all(const std::string& why) {
  while (open_count() > 0) {
    const auto open = std::ranges::find_if(
        entries_, [](const Entry& entry) { return entry.connection->is_open(); });
    on_lost(open->number, why);
  }
}

void SenderConnections::on_lost(int number, const std::string& why) {
  Entry* entry = find(number);
  if (!entry) return;
  const bool was_open = entry->connection->is_open();
  const bool was_good =
      was_open && std::chrono::steady_clock::now() - entry->opened_at >= kGoodLife;
  drop(number);
  if (was_good) back_off_.reset();
  if (!was_good) try_again_after(std::nullopt);
  if (was_open && open_count() == 0) events_.lost(why);
  maintain();
}

void SenderConnections::keep(unsigned wanted) {
  wanted_ = wanted;
  if (!look_timer_.armed()) look_timer_.start(kLook, [this] { look(); });
  maintain();
}

void SenderConnections::maintain() {
  if (closed_ || location_.empty() || retry_timer_.armed()) return;
  // While there is none, one at a time.
  if (open_count() == 0 && !entries_.empty()) return;
  while (entries_.size() < wanted_) {
    add();
    if (open_count() == 0) return;
  }
}

void SenderConnections::try_again_after(std::optional<std::chrono::seconds> retry_after) {
  retry_timer_.start(back_off_.next(g_random_double(), retry_after), [this] { maintain(); });
}

void SenderConnections::look() {
  look_timer_.start(kLook, [this] { look(); });
  for (Entry& entry : entries_) {
    const std::uint64_t packets = entry.connection->packets_received();
    entry.quiet = packets == entry.packets ? entry.quiet + 1 : 0;
    entry.packets = packets;
    if (entry.quiet > 0 && entry.quiet % kQuiet == 0) entry.connection->probe();
  }
  if (const auto dead = find_dead()) on_lost(*dead, "nothing has come over it for 5 s");
}

std::optional<int> SenderConnections::find_dead() const {
  const bool others_live = std::ranges::any_of(
      entries_, [](const Entry& entry) { return entry.connection->is_open() && entry.quiet == 0; });
  for (const Entry& entry : entries_) {
    // One without results cannot be asked, and is silent by right while nothing is sent over it.
    const bool was_asked = entry.connection->has_results() || others_live;
    if (entry.connection->is_open() && entry.quiet >= kDead && was_asked) return entry.number;
  }
  return std::nullopt;
}

void SenderConnections::halt() {
  wanted_ = 0;
  retry_timer_.cancel();
  look_timer_.cancel();
}

void SenderConnections::settle() {
  halt();
  // One is needed for the results, and for the server to know that somebody is there.
  const auto is_open = [](const Entry& entry) { return entry.connection->is_open(); };
  const auto for_results = std::ranges::find_if(entries_, [&](const Entry& entry) {
    return is_open(entry) && entry.connection->has_results();
  });
  const auto needed =
      for_results == entries_.end() ? std::ranges::find_if(entries_, is_open) : for_results;
  std::vector<int> others;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry != needed) others.push_back(entry->number);
  }
  for (const int number : others) drop(number);
}

void SenderConnections::drop(int number) {
  const auto found = std::ranges::find(entries_, number, &Entry::number);
  const auto connection = found->connection;
  packets_of_gone_ += connection->packets_received();
  entries_.erase(found);
  // The first one's address is the session's.
  if (number != 1 && !connection->location().empty()) end_at_server(connection->location());
  ++closing_;
  // It is kept until then.
  connection->close([weak = std::weak_ptr(self_), connection] {
    const auto self = weak.lock();
    if (!self) return;
    --(*self)->closing_;
    (*self)->when_closed();
  });
}

void SenderConnections::end_at_server(const std::string& address) {
  ++unanswered_goodbyes_;
  goodbyes_.push_back(
      http_.del(address, options_.api_key, kGoodbye, [this](const HttpClient::Reply&) {
        --unanswered_goodbyes_;
        when_closed();
      }));
}

void SenderConnections::close(bool end_session, std::function<void()> closed) {
  halt();
  closed_ = std::move(closed);
  if (end_session && !location_.empty()) end_at_server(location_);
  const Entries entries = entries_;
  for (const Entry& entry : entries) drop(entry.number);
  post_to(context_, [weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->when_closed();
  });
}

void SenderConnections::when_closed() {
  if (closing_ > 0 || unanswered_goodbyes_ > 0) return;
  if (const auto closed = std::exchange(closed_, nullptr)) closed();
}

std::size_t SenderConnections::open_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      entries_, [](const Entry& entry) { return entry.connection->is_open(); }));
}

std::uint64_t SenderConnections::packets_received() const {
  std::uint64_t packets = packets_of_gone_;
  for (const Entry& entry : entries_) packets += entry.connection->packets_received();
  return packets;
}

}  // namespace webrtcupload
