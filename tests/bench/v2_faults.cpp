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
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/v2_faulty_client.h"
#include "clients/flow_support.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;

constexpr int kAtOnce = 6;
constexpr int kWarmUp = 24;
constexpr const char* kResumeTimeout = "4";

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
    const auto [end, problem] =
        upload_with_faults(plan, server_.port(), seed_ + static_cast<std::uint32_t>(number));
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
