// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What hostile sessions of `webrtc-upload serve` take from a good one beside them, and how much
// memory they get. The same file is sent by itself, beside as many good uploads, and beside
// hostile sessions that all act when it begins. Fails if
//
// - it does not arrive whole, or takes longer than beside the good ones,
// - a hostile session does not end with the code that is documented for what it did,
// - the server and its sessions have 64 MiB and 2 MiB a session more than they had without
//   sessions (isolation none), or more than they had with as many idle ones (processes: each has
//   GStreamer in it, whatever its client does).
//
//   hostile_bench [SESSIONS [ISOLATION]]     64, and both kinds

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/checksum.h"
#include "tool/attacks.h"
#include "tool/memory_watch.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFile = 16'000'000;
constexpr double kMiB = 1 << 20;
constexpr double kMostMemory = 64;           // MiB,
constexpr double kMostMemoryOfASession = 2;  // and as many for each.
// Some end only when nothing has come for so long.
constexpr std::chrono::seconds kIdle{60};

// One for each client, at the same time.
void for_each(std::size_t count, const std::function<void(std::size_t)>& act) {
  std::vector<std::thread> threads;
  threads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back(act, i);
  for (std::thread& thread : threads) thread.join();
}

class Bench {
 public:
  Bench(const std::string& isolation, std::size_t count)
      : count_(count),
        own_processes_(isolation == "process"),
        film_(directory_ / "film"),
        kept_(directory_ / "kept"),
        server_({"--isolation", isolation, "--pipeline", "keep=filesink location=" + kept_,
                 "--pipeline", "drop=fakesink", "--max-sessions", std::to_string(count + 1),
                 "--max-size", "20000000", "--idle-timeout", std::to_string(kIdle.count()),
                 "--min-rate", "0", "--connect-timeout", "120"},
                "decodebin ! fakesink") {
    const Bytes bytes = random_bytes(kFile, 9);
    std::ofstream(film_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(kFile));
  }
  ~Bench() { fs::remove_all(directory_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  bool run() {
    // What the first session needs stays.
    if (!connect(0, std::nullopt)) return false;
    send();
    leave();
    const double empty = memory();
    if (!connect(0, std::nullopt)) return false;
    const double alone = send();
    leave();
    if (!connect(count_, "drop")) return false;
    const double idle = memory();
    hang_up();
    leave();

    if (!connect(count_, "drop")) return false;
    double among_good = 0;
    {
      std::thread good([&] { among_good = send(); });
      for_each(count_, [&](std::size_t i) { clients_[i]->upload(film_); });
      good.join();
    }
    for (std::size_t i = 0; i < count_; ++i) {
      const auto end = end_of(*clients_[i]);
      if (!end || end->status != "done") fail(end ? end->text : "a good one has no end");
    }
    leave();

    // These go to the default pipeline, which decodes.
    if (!connect(count_, std::nullopt)) return false;
    double among_hostile = 0;
    double peak = 0;
    const auto all = attacks();
    {
      const MemoryWatch watch(server_.process().pid());
      std::thread good([&] { among_hostile = send(); });
      for_each(count_, [&](std::size_t i) {
        const Attack& attack = all[i % all.size()];
        if (!attack.act(*clients_[i])) fail(std::string(attack.name) + " could not be done");
      });
      good.join();
      for (std::size_t i = 0; i < count_; ++i) check_end(all[i % all.size()], *clients_[i]);
      peak = static_cast<double>(watch.peak()) / kMiB;
    }
    leave();

    const double before = own_processes_ ? idle : empty;
    const double most = kMostMemory + kMostMemoryOfASession * static_cast<double>(count_ + 1);
    std::printf(
        "the good upload takes %.2f s alone, %.2f s beside %zu good ones, %.2f s beside "
        "%zu hostile ones\n",
        alone, among_good, count_, among_hostile, count_);
    std::printf(
        "memory: %.0f MiB without sessions, %.0f MiB with %zu idle ones, at most %.0f MiB "
        "with hostile ones: %.0f MiB more than %s, of %.0f MiB allowed\n",
        empty, idle, count_, peak, peak - before, own_processes_ ? "with idle ones" : "without",
        most);
    if (among_hostile > among_good) fail("the good upload was slowed down");
    if (peak - before > most) fail("too much memory");
    return !failed_ && !testing::UnitTest::GetInstance()->Failed();
  }

 private:
  void fail(const std::string& what) {
    std::printf("FAILED: %s\n", what.c_str());
    failed_ = true;
  }

  double memory() { return static_cast<double>(memory_of_all(server_.process().pid())) / kMiB; }

  // So many, and the good one, all with both channels open.
  bool connect(std::size_t count, const std::optional<std::string>& workflow) {
    clients_.clear();
    clients_.resize(count + 1);
    for_each(count + 1, [&](std::size_t i) {
      WorkerRequest request;
      request.workflow_id = i < count ? workflow : "keep";
      clients_[i] = std::make_unique<WorkerClient>();
      if (clients_[i]->connect(server_.port(), request) != 200) fail(clients_[i]->reply());
      if (!clients_[i]->wait_open()) fail("a channel does not open");
    });
    return !failed_;
  }

  void hang_up() {
    for_each(clients_.size(), [&](std::size_t i) { clients_[i]->hang_up(); });
  }

  // Their sessions have ended, or end now.
  void leave() {
    for (const auto& client : clients_) (void)end_of(*client);
    clients_.clear();
    if (!eventually([&] { return children_of(server_.process().pid()).empty(); })) {
      fail("a process is left");
    }
  }

  std::optional<Event> end_of(const WorkerClient& client) {
    const std::string path = client.location();
    const std::string session = path.substr(path.rfind('/') + 1);
    const auto line = server_.process().wait_for_line(
        [&](const std::string& text) {
          return text.find("\"event\":\"end\"") != std::string::npos &&
                 text.find(session) != std::string::npos;
        },
        kIdle + kDeadline);
    return line ? parse_event(*line) : std::nullopt;
  }

  void check_end(const Attack& attack, const WorkerClient& client) {
    const auto end = end_of(client);
    if (!end) return fail(std::string(attack.name) + " has no end");
    if (std::ranges::find(attack.codes, end->code) == attack.codes.end()) {
      fail(std::string(attack.name) + ": " + end->text);
    }
  }

  // How long the good one's upload takes, in seconds.
  double send() {
    const auto start = std::chrono::steady_clock::now();
    clients_.back()->upload(film_);
    if (!clients_.back()->wait_end()) fail("the good one is not told how it went");
    const auto end = end_of(*clients_.back());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!end || end->status != "done") fail(end ? end->text : "the good one has no end");
    if (sha256_of(kept_) != sha256_of(film_)) fail("the file is another one");
    fs::remove(kept_);
    return took.count();
  }

  static fs::path make_directory() {
    char name[] = "/tmp/webrtc-upload-hostile-XXXXXX";
    return mkdtemp(name);
  }

  const std::size_t count_;
  const bool own_processes_;
  const fs::path directory_ = make_directory();
  const std::string film_;
  const std::string kept_;
  Server server_;
  std::vector<std::unique_ptr<WorkerClient>> clients_;
  std::atomic<bool> failed_ = false;
};

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  // Each line when it is known, wherever it goes.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 64;
  std::vector<std::string> isolations = {"process", "none"};
  if (argc > 2) isolations = {argv[2]};
  bool good = true;
  for (const std::string& isolation : isolations) {
    std::printf("isolation: %s\n", isolation.c_str());
    good = webrtcupload::test::Bench(isolation, count).run() && good;
  }
  return good ? 0 : 1;
}
