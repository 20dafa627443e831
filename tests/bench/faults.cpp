// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many uploads to one server, some at a time, most with a fault of their own: in the network
// between, in what the client says, or in how it leaves. Each has to end in the right SHA-256 or in
// exactly one documented error, and nothing may be left. Fails otherwise, and names the upload.
//
//   faults_bench [UPLOADS [ISOLATION [SEED]]]     1000, process, 1

#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "clients/flow_support.h"
#include "clients/upload_client.h"
#include "support/checksum.h"
#include "support/udp_relay.h"
#include "tool/send/completion.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937;

constexpr int kAtOnce = 8;
constexpr int kWarmUp = 32;

// How an upload may end, by docs/protocol.md and docs/operating.md.
const std::set<std::string> kCodes = {"malformed-message", "total-changed",     "bad-index",
                                      "chunk-too-large",   "conflicting-chunk", "idle-timeout",
                                      "peer-gone",         "connect-timeout",   "too-many-chunks"};

struct Plan {
  std::string fault;
  std::string content;
  UploadClient::Options client;
  std::optional<UdpRelay::Options> network;
  // The network ends for good, or for a moment.
  bool blackout = false;
  bool comes_back = false;
  // The client goes once all is handed over.
  bool leaves = false;
  bool may_succeed = true;
  bool must_succeed = false;
};

std::string u32(std::uint32_t value) {
  std::string text(4, '\0');
  for (int i = 0; i < 4; ++i) text[i] = static_cast<char>(value >> (8 * i));
  return text;
}

std::string chunk(std::uint32_t index, std::uint32_t total, const std::string& payload) {
  return u32(index) + u32(total) + payload;
}

int below(Random& random, int end) {
  return std::uniform_int_distribution<int>(0, end - 1)(random);
}

std::vector<std::string> chunks_of(const std::string& content, std::size_t size) {
  const std::size_t total = (content.size() + size - 1) / size;
  std::vector<std::string> chunks;
  for (std::size_t i = 0; i < total; ++i) {
    chunks.push_back(chunk(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(total),
                           content.substr(i * size, size)));
  }
  return chunks;
}

// What upload `number` of the run with this seed does.
Plan plan_of(std::uint32_t seed, int number) {
  Random random(seed * 1'000'003U + static_cast<std::uint32_t>(number));
  Plan plan;
  plan.content.resize(20'000 + static_cast<std::size_t>(below(random, 400'000)));
  for (char& byte : plan.content) byte = static_cast<char>(random());
  // At least three chunks.
  const std::size_t size = 1'000 + static_cast<std::size_t>(below(random, 5'600));
  auto& messages = plan.client.messages;
  messages = chunks_of(plan.content, size);
  const auto total = static_cast<std::uint32_t>(messages.size());
  const auto somewhere = [&] {
    return static_cast<std::size_t>(below(random, static_cast<int>(messages.size()) - 1));
  };
  const auto insert = [&](const std::string& message) {
    messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(somewhere() + 1), message);
  };
  const auto network = [&](UdpRelay::Options options) {
    options.seed = static_cast<std::uint32_t>(random());
    plan.network = options;
  };
  struct Kind {
    const char* fault;
    std::function<void()> make;
  };
  const std::vector<Kind> kinds = {
      {"none", [&] { plan.must_succeed = true; }},
      {"out of order",
       [&] {
         std::shuffle(messages.begin(), messages.end(), random);
         plan.must_succeed = true;
       }},
      {"a chunk twice",
       [&] {
         insert(messages[somewhere()]);
         plan.must_succeed = true;
       }},
      {"loss", [&] { network({.loss = 0.01 * (1 + below(random, 10))}); }},
      {"duplicates",
       [&] {
         network({.duplication = 0.3});
         plan.must_succeed = true;
       }},
      {"reordering",
       [&] {
         network({.reordering = 0.2});
         plan.must_succeed = true;
       }},
      {"all of these, and delay",
       [&] {
         network({.delay = std::chrono::milliseconds(20),
                  .loss = 0.02,
                  .duplication = 0.05,
                  .reordering = 0.05});
       }},
      {"the network is gone for a moment",
       [&] {
         network({.delay = std::chrono::milliseconds(10)});
         plan.blackout = true;
         plan.comes_back = true;
       }},
      {"the network is gone",
       [&] {
         network({.delay = std::chrono::milliseconds(10)});
         plan.blackout = true;
       }},
      {"the client goes", [&] { plan.leaves = true; }},
      {"the channel is closed early",
       [&] {
         messages.resize(somewhere() + 1);
         plan.client.closes_upload = true;
         plan.may_succeed = false;
       }},
      {"a chunk is missing",
       [&] {
         messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(somewhere()));
         plan.may_succeed = false;
       }},
      {"a chunk twice with other bytes",
       [&] {
         const std::string first = messages[somewhere()];
         std::string other = first;
         other.back() = static_cast<char>(other.back() ^ 1);
         // Behind the first one, and not last.
         messages.insert(messages.begin(), {first, other});
       }},
      {"another total",
       [&] {
         insert(chunk(0, total + 1, "x"));
         plan.may_succeed = false;
       }},
      {"an index beyond the total",
       [&] {
         insert(chunk(total, total, "x"));
         plan.may_succeed = false;
       }},
      {"a message that is too short",
       [&] {
         insert(std::string(2 + static_cast<std::size_t>(below(random, 6)), 'x'));
         plan.may_succeed = false;
       }},
      {"a chunk without bytes",
       [&] {
         insert(chunk(1, total, ""));
         plan.may_succeed = false;
       }},
      {"a chunk that is too large",
       [&] {
         insert(chunk(1, total, std::string(65'529, 'x')));
         plan.may_succeed = false;
       }},
      {"a total of 0",
       [&] {
         messages.insert(messages.begin(), chunk(0, 0, "x"));
         plan.may_succeed = false;
       }},
  };
  const Kind& kind = kinds[static_cast<std::size_t>(below(random, static_cast<int>(kinds.size())))];
  plan.fault = kind.fault;
  kind.make();
  return plan;
}

class Run {
 public:
  Run(std::uint32_t seed, const std::string& isolation) : seed_(seed) {
    char name[] = "/tmp/webrtc-upload-hashes-XXXXXX";
    hashes_ = mkdtemp(name);
    server_ = std::make_unique<Server>(
        std::vector<std::string>{"--isolation", isolation, "--sandbox", "off", "--max-sessions",
                                 "64", "--idle-timeout", "5", "--connect-timeout", "10"},
        "testhashsink directory=" + hashes_);
  }
  ~Run() { fs::remove_all(hashes_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Numbers from `first` on, before `end`.
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

  // Every session has ended by now, or will. A client that goes may have had none.
  void check_ends() {
    const auto began = server_->events();
    const auto sessions = std::ranges::count(began, "session", &Event::event);
    std::size_t done = 0;
    for (int session = 1; session <= sessions; ++session) {
      const Event end = server_->wait_for_end(session, std::chrono::minutes(2));
      ++codes_[end.status == "done" ? "done" : end.code];
      if (end.status == "done") {
        ++done;
      } else if (!kCodes.contains(end.code)) {
        complain("session " + std::to_string(session) + " ended with " + end.text);
      }
    }
    const auto events = server_->events();
    const auto ends = std::ranges::count(events, "end", &Event::event);
    if (ends != sessions) {
      complain(std::to_string(ends) + " ends of " + std::to_string(sessions) + " sessions");
    }
    const auto files = static_cast<std::size_t>(
        std::distance(fs::directory_iterator(hashes_), fs::directory_iterator()));
    // Some come out, and then the client is gone before it has been told.
    const auto untold = static_cast<std::size_t>(codes_["peer-gone"]);
    if (files < done || files > done + untold) {
      complain(std::to_string(files) + " files came out of sessions");
    }
    if (!fs::is_empty(server_->spool())) complain("files are left in the spool directory");
  }

  [[nodiscard]] Usage usage() const { return usage_of(server_->process().pid()); }
  [[nodiscard]] Usage settled_usage(const Usage& at_most) const {
    return settled_usage_of(server_->process().pid(), at_most);
  }

  void complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++complaints_;
    std::printf("WRONG: %s\n", what.c_str());
    std::fflush(stdout);
  }
  [[nodiscard]] int complaints() const { return complaints_; }

  void report() const {
    std::printf("%-36s %8s %8s %8s\n", "fault", "success", "error", "silence");
    for (const auto& [fault, counts] : faults_) {
      std::printf("%-36s %8d %8d %8d\n", fault.c_str(), counts[0], counts[1], counts[2]);
    }
    std::printf("\nsessions ended with:");
    for (const auto& [code, count] : codes_) std::printf(" %s %d", code.c_str(), count);
    std::printf("\n");
  }

 private:
  enum Outcome { kSuccess, kError, kSilence };

  void upload(int number) {
    Plan plan = plan_of(seed_, number);
    std::unique_ptr<UdpRelay> relay;
    plan.client.url = server_->url();
    plan.client.data_output = {"predictions"};
    if (plan.network) {
      relay = std::make_unique<UdpRelay>(*plan.network);
      plan.client.rewrite_offer = [&](const std::string& sdp) { return relay->rewrite_offer(sdp); };
      plan.client.rewrite_answer = [&](const std::string& sdp) {
        return relay->rewrite_answer(sdp);
      };
    }
    std::string problem;
    Outcome outcome = kSilence;
    std::size_t completions = 0;
    {
      UploadClient client(plan.client);
      const bool sent = client.wait_sent();
      if (plan.blackout && sent) {
        relay->set_blackout(true);
        if (plan.comes_back) {
          std::this_thread::sleep_for(std::chrono::milliseconds(500));  // How long it is gone.
          relay->set_blackout(false);
        }
      }
      if (!plan.leaves) static_cast<void>(client.wait_closed());
      for (const auto& result : client.results()) {
        const auto completion = read_completion({result.frame_id, result.json});
        if (!completion) continue;
        ++completions;
        outcome = completion->errors.empty() && completion->termination_reason.empty() ? kSuccess
                                                                                       : kError;
        if (!completion->errors.empty()) problem = completion->errors.front();
      }
      if (completions == 0 && !plan.leaves) {
        problem = client.problem();
        outcome = problem.empty() ? kSilence : kError;
      }
    }
    const std::string name = "upload " + std::to_string(number) + " (" + plan.fault + ")";
    if (completions > 1) complain(name + " was told its end twice");
    const bool arrived = fs::exists(hashes_ + "/" + sha256(plan.content));
    if (outcome == kSuccess && !arrived) complain(name + " was done, with other bytes");
    if (outcome == kSuccess && !plan.may_succeed) complain(name + " was done");
    if (outcome == kError && arrived && !plan.network)
      complain(name + " came out, and failed: " + problem);
    if (outcome != kSuccess && plan.must_succeed) complain(name + " failed: " + problem);
    if (outcome == kSilence && !plan.leaves && !plan.blackout) complain(name + " was told nothing");
    if (outcome == kError && plan.network) std::printf("%s: %s\n", name.c_str(), problem.c_str());
    const std::lock_guard lock(mutex_);
    ++faults_.try_emplace(plan.fault, std::array<int, 3>{}).first->second[outcome];
    if (++uploads_ % 100 == 0) {
      std::printf("%d uploads\n", uploads_);
      std::fflush(stdout);
    }
  }

  const std::uint32_t seed_;
  std::string hashes_;
  std::unique_ptr<Server> server_;
  std::mutex mutex_;  // The below.
  int uploads_ = 0;
  int complaints_ = 0;
  std::map<std::string, std::array<int, 3>> faults_;
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
  return all.complaints() == 0;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const int uploads = argc > 1 ? std::atoi(argv[1]) : 1000;
  const std::string isolation = argc > 2 ? argv[2] : "process";
  const auto seed = static_cast<std::uint32_t>(argc > 3 ? std::atoi(argv[3]) : 1);
  return webrtcupload::test::run(uploads, isolation, seed) ? 0 : 1;
}
