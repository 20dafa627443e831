// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many uploads in wire format v2 to one server, some at a time, over one to three connections that
// come and go, most with a fault of their own: in the network between, in how the client leaves and
// comes back, or in what it says. Each has to end in the right SHA-256 or in exactly one documented
// error, on both sides, and nothing may be left. Fails otherwise, and names the upload.
//
//   v2_faults_bench [UPLOADS [ISOLATION [SEED]]]     1000, none, 1

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clients/flow_support.h"
#include "core/stored_ranges.h"
#include "core/wire_v2.h"
#include "support/udp_relay.h"
#include "tool/server.h"
#include "tool/worker_client.h"
#include "webrtc/v2_client.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kAtOnce = 6;
constexpr int kWarmUp = 24;
constexpr const char* kResumeTimeout = "4";
// An upload of some 100 kB.
constexpr seconds kLongest{60};
constexpr std::uint64_t kBuffered = 64 * 1024;

int below(Random& random, int end) {
  return std::uniform_int_distribution<int>(0, end - 1)(random);
}

enum class Act {
  kNone,
  kLoseOne,  // One connection, and a new one takes its place.
  kLoseAll,  // All at once.
  kVanish,   // The same without a word to the server.
  kLeave,    // For good.
  kCancel,
  kWrongSum,    // A block with a wrong checksum.
  kOtherBytes,  // Of what has been sent already.
  kSameAgain,
  kBeyond,  // The file's end.
  kSecondHello,
  kOtherEnd,  // Than the hello said.
  kNoJson,
  kShortBinary,
};

struct Plan {
  const char* fault = "";
  Bytes file;
  int connections = 1;
  std::optional<UdpRelay::Options> network;
  Act act = Act::kNone;
  // When so many bytes have been sent.
  std::uint64_t at = 0;
  bool wrong_hash = false;
  bool says_size = true;
  // How it may end: "done", or a code of docs/protocol.md. "" stands for an end that the client is
  // not there to hear.
  std::set<std::string> ends;
};

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

class Run {
 public:
  Run(std::uint32_t seed, const std::string& isolation)
      : seed_(seed),
        server_(
            {"--isolation", isolation, "--sandbox", "off", "--max-sessions", "64", "--idle-timeout",
             "20", "--resume-timeout", kResumeTimeout, "--max-connections", "8"},
            "fakesink") {}

  void upload(int first, int end) {
    std::atomic<int> next = first;
    std::vector<std::thread> workers;
    for (int i = 0; i < kAtOnce; ++i) {
      workers.emplace_back([&] {
        for (int number = next++; number < end; number = next++) upload(number);
      });
    }
    for (std::thread& worker : workers) worker.join();
  }

  // Every session has one end, with the hash or one of the codes that there may be.
  void check_ends() {
    const auto sessions = std::ranges::count(server_.events(), "session", &Event::event);
    for (int session = 1; session <= sessions; ++session) {
      const Event end = server_.wait_for_end(session, std::chrono::minutes(2));
      ++codes_[end.status == "done" ? "done" : end.code];
    }
    const auto ends = std::ranges::count(server_.events(), "end", &Event::event);
    if (ends != sessions) {
      complain(std::to_string(ends) + " ends of " + std::to_string(sessions) + " sessions");
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [code, count] : told_) {
      if (code.empty()) continue;
      if (codes_[code] < count) {
        std::printf("WRONG: %d clients were told %s, and %d sessions ended with it\n", count,
                    code.c_str(), codes_[code]);
        ++complaints_;
      }
    }
    if (!fs::is_empty(server_.spool())) ++complaints_;
  }

  [[nodiscard]] Usage usage() { return usage_of(server_.process().pid()); }
  [[nodiscard]] Usage settled_usage(const Usage& at_most) {
    return settled_usage_of(server_.process().pid(), at_most);
  }
  void complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++complaints_;
    std::printf("WRONG: %s\n", what.c_str());
    std::fflush(stdout);
  }
  [[nodiscard]] int complaints() const { return complaints_; }

  void report() const {
    for (const auto& [fault, ends] : faults_) {
      std::printf("%-36s", fault.c_str());
      for (const auto& [end, count] : ends) {
        std::printf(" %s %d", end.empty() ? "(left)" : end.c_str(), count);
      }
      std::printf("\n");
    }
    std::printf("\nsessions ended with:");
    for (const auto& [code, count] : codes_) std::printf(" %s %d", code.c_str(), count);
    std::printf("\n");
  }

 private:
  void upload(int number) {
    const Plan plan = plan_of(seed_, number);
    std::string end;
    std::string problem;
    {
      Client client(plan, server_.port(), seed_ + static_cast<std::uint32_t>(number));
      end = client.run();
      problem = client.problem();
    }
    const std::string name = "upload " + std::to_string(number) + " (" + plan.fault + ")";
    if (!problem.empty()) complain(name + ": " + problem);
    if (problem.empty() && !plan.ends.contains(end)) complain(name + " ended with \"" + end + "\"");
    const std::lock_guard lock(mutex_);
    ++faults_[plan.fault][end];
    ++told_[end];
    if (++uploads_ % 100 == 0) {
      std::printf("%d uploads\n", uploads_);
      std::fflush(stdout);
    }
  }

  const std::uint32_t seed_;
  Server server_;
  std::mutex mutex_;  // The below.
  int uploads_ = 0;
  int complaints_ = 0;
  std::map<std::string, std::map<std::string, int>> faults_;
  std::map<std::string, int> told_;
  std::map<std::string, int> codes_;
};

bool run(int uploads, const std::string& isolation, std::uint32_t seed) {
  std::printf("%d uploads, %d at a time, isolation %s, seed %u\n", uploads, kAtOnce,
              isolation.c_str(), seed);
  Run all(seed, isolation);
  // What a server keeps once it has had sessions, it has then.
  all.upload(0, std::min(uploads, kWarmUp));
  const Usage before = all.settled_usage(all.usage());
  all.upload(kWarmUp, uploads);
  all.check_ends();
  const Usage after = all.settled_usage(before);
  all.report();
  std::printf(
      "since the first %d: %+ld descriptors, %+ld threads, %+.1f MiB; %zu children\n", kWarmUp,
      static_cast<long>(after.descriptors) - static_cast<long>(before.descriptors),
      static_cast<long>(after.threads) - static_cast<long>(before.threads),
      (static_cast<double>(after.resident) - static_cast<double>(before.resident)) / 1048576,
      after.children);
  if (after.descriptors > before.descriptors) all.complain("descriptors are left");
  if (after.threads > before.threads) all.complain("threads are left");
  if (after.children > 0) all.complain("processes are left");
  return all.complaints() == 0 && testing::UnitTest::GetInstance()->Passed();
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  // What it shares with tests complains as they do.
  testing::InitGoogleTest(&argc, argv);
  const int uploads = argc > 1 ? std::atoi(argv[1]) : 1000;
  const std::string isolation = argc > 2 ? argv[2] : "none";
  const auto seed = static_cast<std::uint32_t>(argc > 3 ? std::atoi(argv[3]) : 1);
  return webrtcupload::test::run(uploads, isolation, seed) ? 0 : 1;
}
