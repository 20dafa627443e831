// SPDX-License-Identifier: LGPL-2.1-or-later

#include "bench/v2_faulty_client.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/stored_ranges.h"
#include "core/wire_v2.h"
#include "tool/process.h"
#include "tool/worker_client.h"
#include "upload/v2_client.h"

namespace webrtcupload::test {
namespace {

using Random = std::mt19937;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// An upload of some 100 kB.
constexpr std::chrono::seconds kLongest{60};
constexpr std::uint64_t kBuffered = 64 * 1024;

int below(Random& random, int end) {
  return std::uniform_int_distribution<int>(0, end - 1)(random);
}

struct Kind {
  const char* fault;
  Act act;
  std::set<std::string> ends;
};

const std::vector<Kind> kKinds = {
    {"none", Act::kNone, {"done"}},
    {"loss", Act::kNone, {"done"}},
    {"duplicates and reordering", Act::kNone, {"done"}},
    {"size and hash said at the end", Act::kNone, {"done"}},
    {"a connection lost", Act::kLoseOne, {"done"}},
    {"all connections lost at once", Act::kLoseAll, {"done"}},
    {"the client vanishes and comes back", Act::kVanish, {"done"}},
    {"the client leaves", Act::kLeave, {"", "peer-gone"}},
    {"cancelled", Act::kCancel, {"cancelled"}},
    {"a wrong checksum", Act::kWrongSum, {"done"}},
    {"other bytes", Act::kOtherBytes, {"conflicting-chunk"}},
    {"the same bytes again", Act::kSameAgain, {"done"}},
    {"bytes beyond the size", Act::kBeyond, {"size-mismatch"}},
    {"a second hello", Act::kSecondHello, {"unexpected-message"}},
    {"an end that contradicts", Act::kOtherEnd, {"size-mismatch"}},
    {"a text that is no JSON", Act::kNoJson, {"malformed-message"}},
    {"a binary message of five bytes", Act::kShortBinary, {"malformed-message"}},
    {"another hash", Act::kNone, {"hash-mismatch"}},
};

// A client that hands out pieces of random sizes in a random order over its connections, and does
// one thing of its plan on the way. Ends with what the server says, or "" when it has left.
class Client {
 public:
  Client(const Plan& plan, int port, std::uint32_t seed)
      : plan_(plan), port_(port), random_(seed), sum_(parse_sha256(sha256_of(plan.file))) {
    if (plan_.wrong_hash) (*sum_)[0] ^= 1;
  }

  // What went wrong with the test itself is in problem().
  std::string run() {
    if (!connect()) return "";
    plan_pieces({});
    const auto until = Clock::now() + kLongest;
    while (Clock::now() < until && !left_) {
      listen();
      if (end_) return *end_;
      if (!ended_said_ && pieces_.empty() && !plan_.says_size) say_end();
      if (stored_ < plan_.file.size() && pieces_.empty() && !recovers()) {
        std::this_thread::sleep_for(milliseconds(1));
      }
      if (connections_.empty() && !connect()) return end_.value_or("");
      send();
    }
    if (!left_) problem_ = "no end within " + std::to_string(kLongest.count()) + " s";
    return "";
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool acted() const { return acted_; }

 private:
  struct Connection {
    std::unique_ptr<UdpRelay> relay;
    std::unique_ptr<WorkerClient> client;
    std::size_t read = 0;
    bool ready = false;
    std::uint64_t credit = 0;
    std::uint64_t sent = 0;

    [[nodiscard]] GstWebRTCDataChannel* channel() const { return client->upload_channel(); }
  };

  // As many as planned, the first of which begins the upload or goes on with it.
  bool connect() {
    while (connections_.size() < static_cast<std::size_t>(plan_.connections)) {
      if (!connect_one()) return !connections_.empty();
    }
    return true;
  }

  bool connect_one() {
    auto connection = std::make_unique<Connection>();
    connection->client = std::make_unique<WorkerClient>(kV2Protocol);
    connection->client->want_no_results();
    if (plan_.network) {
      connection->relay = std::make_unique<UdpRelay>(*plan_.network);
      connection->client->rewrite([relay = connection->relay.get()](
                                      const std::string& sdp) { return relay->rewrite_offer(sdp); },
                                  [relay = connection->relay.get()](const std::string& sdp) {
                                    return relay->rewrite_answer(sdp);
                                  });
    }
    WorkerClient& client = *connection->client;
    const bool first = location_.empty();
    const int status = first ? client.connect(port_) : client.join(port_, location_);
    if (first) location_ = client.location();
    if (status != 200 && status != 201) {
      // Where it has ended meanwhile, the client asks how.
      if (!first) end_ = how_it_ended();
      if (!end_) problem_ = "status " + std::to_string(status) + " for an offer";
      return false;
    }
    if (!client.channel().observer->wait_open(milliseconds(20'000))) {
      problem_ = "a channel does not open";
      return false;
    }
    control::Hello hello{.name = "film", .upload = id_};
    if (!id_) {
      if (plan_.says_size) {
        hello.size = plan_.file.size();
        hello.sha256 = sum_;
      }
      hello.nonce = UploadId::parse("00112233445566778899aabbccddeeff");
    }
    static_cast<void>(say(connection->channel(), hello));
    connections_.push_back(std::move(connection));
    // Others have to name the upload.
    return id_ || eventually(
                      [&] {
                        listen();
                        return id_ || end_ || connections_.empty();
                      },
                      milliseconds(20'000));
  }

  // The session's status: "done", a code, or nothing while it runs.
  std::optional<std::string> how_it_ended() const {
    const std::string reply =
        http_exchange(port_, "GET " + location_ + " HTTP/1.1\r\nHost: x\r\n\r\n");
    if (reply.find("\"status\":\"done\"") != std::string::npos) return "done";
    const std::string key = "\"code\":\"";
    const std::size_t at = reply.find(key);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + key.size();
    return reply.substr(begin, reply.find('"', begin) - begin);
  }

  void listen() {
    for (std::size_t i = 0; i < connections_.size();) {
      Connection& connection = *connections_[i];
      const auto& observer = *connection.client->channel().observer;
      const bool closed = observer.ready_state() >= GST_WEBRTC_DATA_CHANNEL_STATE_CLOSING;
      bool lost = false;
      const auto messages = observer.messages();
      for (; connection.read < messages.size(); ++connection.read) {
        const Bytes& text = messages[connection.read].bytes;
        const auto read = read_control({reinterpret_cast<const char*>(text.data()), text.size()});
        if (read && read.value()) lost = take(connection, *read.value()) || lost;
      }
      if (end_) return;
      if (lost || closed) {
        drop(i);
      } else {
        ++i;
      }
    }
  }

  // Whether the connection is lost by it.
  bool take(Connection& connection, const ControlMessage& message) {
    if (const auto* ready = std::get_if<control::Ready>(&message)) {
      id_ = ready->upload;
      connection.ready = true;
      connection.credit = ready->credit;
      if (wants_missing_) plan_pieces(ready->have);
      wants_missing_ = false;
    } else if (const auto* ack = std::get_if<control::Ack>(&message)) {
      stored_ = std::max(stored_, ack->stored);
      connection.credit = std::max(connection.credit, ack->credit);
    } else if (const auto* done = std::get_if<control::Done>(&message)) {
      set_end(done->sha256 == *sum_ ? "done" : "another hash");
    } else if (const auto* failure = std::get_if<control::Failure>(&message)) {
      if (failure->resumable) return true;
      set_end(failure->code);
    }
    return false;
  }

  // Of all connections only the first word counts, and there is only one.
  void set_end(const std::string& end) {
    if (end_ && *end_ != end) problem_ = "told " + *end_ + " and then " + end;
    if (!end_) end_ = end;
  }

  void drop(std::size_t index) {
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(index));
    recover_ = true;
  }

  // After a loss: a new connection is told what is there, and what is missing is sent anew.
  bool recovers() {
    if (!recover_) return false;
    recover_ = false;
    wants_missing_ = true;
    return connect_one() || connect();
  }

  void plan_pieces(const std::vector<Range>& have) {
    StoredRanges stored;
    for (const Range& range : have) {
      if (!range.empty()) stored.add(range);
    }
    pieces_.clear();
    const std::uint64_t size = plan_.file.size();
    for (std::uint64_t at = 0; at < size;) {
      const auto missing = stored.first_missing({at, size});
      if (!missing) break;
      const auto length = static_cast<std::uint64_t>(1 + below(random_, 16'000));
      const Range piece{missing->begin, std::min(missing->end, missing->begin + length)};
      pieces_.push_back(piece);
      at = piece.end;
    }
    std::shuffle(pieces_.begin(), pieces_.end(), random_);
  }

  void send() {
    for (const auto& connection : connections_) {
      const auto& observer = *connection->client->channel().observer;
      if (!connection->ready || pieces_.empty() || observer.buffered_amount() > kBuffered) continue;
      const Range piece = pieces_.front();
      if (connection->sent + piece.length() > connection->credit) continue;
      pieces_.pop_front();
      static_cast<void>(send_block(connection->channel(), plan_.file, piece.begin, piece.end));
      connection->sent += piece.length();
      sent_ += piece.length();
      last_ = piece;
      if (!acted_ && sent_ >= plan_.at) {
        acted_ = true;
        act(*connection);
        return;
      }
    }
  }

  void say_end() {
    ended_said_ = true;
    for (const auto& connection : connections_) {
      static_cast<void>(say(connection->channel(), control::End{plan_.file.size(), sum_}));
    }
  }

  // May end the connection.
  void act(Connection& over) {
    GstWebRTCDataChannel* channel = over.channel();
    Bytes block = block_of(plan_.file, last_.begin, last_.end);
    switch (plan_.act) {
      case Act::kNone:
        return;
      case Act::kLoseOne:
        over.client->hang_up();
        return drop(index_of(over));
      case Act::kLoseAll:
      case Act::kVanish:
      case Act::kLeave:
        for (const auto& connection : connections_) {
          if (plan_.act == Act::kVanish) connection->client->vanish();
          if (plan_.act != Act::kVanish) connection->client->hang_up();
        }
        connections_.clear();
        left_ = plan_.act == Act::kLeave;
        recover_ = true;
        pieces_.clear();
        return;
      case Act::kCancel:
        static_cast<void>(say(channel, control::Cancel{}));
        return pieces_.clear();
      case Act::kWrongSum:
        block[4] ^= 1;
        break;
      case Act::kOtherBytes: {
        Bytes other = plan_.file;
        other[last_.begin] ^= 1;
        block = block_of(other, last_.begin, last_.end);
        break;
      }
      case Act::kSameAgain:
        break;
      case Act::kBeyond: {
        Bytes longer = plan_.file;
        longer.resize(longer.size() + 10);
        block = block_of(longer, plan_.file.size(), longer.size());
        break;
      }
      case Act::kSecondHello:
        static_cast<void>(say(channel, control::Hello{.upload = id_}));
        return;
      case Act::kOtherEnd:
        static_cast<void>(say(channel, control::End{plan_.file.size() + 1, std::nullopt}));
        return;
      case Act::kNoJson:
        static_cast<void>(send_text(channel, "{\"type\":"));
        return;
      case Act::kShortBinary:
        block.resize(5);
        break;
    }
    static_cast<void>(send_bytes(channel, block));
    over.sent += last_.length();
  }

  [[nodiscard]] std::size_t index_of(const Connection& wanted) const {
    const auto found = std::ranges::find_if(
        connections_, [&](const auto& connection) { return connection.get() == &wanted; });
    return static_cast<std::size_t>(found - connections_.begin());
  }

  const Plan& plan_;
  const int port_;
  Random random_;
  std::optional<Sha256Sum> sum_;
  std::string location_;
  std::optional<UploadId> id_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Range> pieces_;
  Range last_{};
  std::uint64_t sent_ = 0;
  std::uint64_t stored_ = 0;
  bool acted_ = false;
  bool left_ = false;
  bool recover_ = false;
  bool wants_missing_ = false;
  bool ended_said_ = false;
  std::optional<std::string> end_;
  std::string problem_;
};

}  // namespace

Plan plan_of(std::uint32_t seed, int number) {
  Random random(seed * 1'000'003U + static_cast<std::uint32_t>(number));
  Plan plan;
  plan.file = random_bytes(20'000 + static_cast<std::size_t>(below(random, 300'000)),
                           static_cast<std::uint32_t>(random()));
  plan.connections = 1 + below(random, 3);
  plan.at = 1 + static_cast<std::uint64_t>(below(random, static_cast<int>(plan.file.size() / 2)));
  const Kind& kind =
      kKinds[static_cast<std::size_t>(below(random, static_cast<int>(kKinds.size())))];
  plan.fault = kind.fault;
  plan.act = kind.act;
  plan.ends = kind.ends;
  const std::string fault = kind.fault;
  if (fault == "loss") {
    plan.network = {.delay = milliseconds(10), .loss = 0.01 * (1 + below(random, 4))};
  } else if (fault == "duplicates and reordering") {
    plan.network = {.duplication = 0.2, .reordering = 0.2};
  } else if (fault == "another hash") {
    plan.wrong_hash = true;
  } else if (fault == "size and hash said at the end") {
    plan.says_size = false;
  }
  if (plan.network) plan.network->seed = static_cast<std::uint32_t>(random());
  return plan;
}

FaultyEnd upload_with_faults(const Plan& plan, int port, std::uint32_t seed) {
  Client client(plan, port, seed);
  std::string end = client.run();
  return {.end = std::move(end), .problem = client.problem()};
}

}  // namespace webrtcupload::test
