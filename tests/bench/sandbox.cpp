// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the sandbox of sessions costs: two servers, one with it and one without, that take the same
// uploads in turns, each of them first in every second round. Prints the medians of throughput, of
// the time until a session answers, and of the processor time of both. What else a machine does
// only ever slows an upload down, so throughput is compared by the best quarter of the rounds;
// processor time, which varies by more than is looked for, by the median. Fails if throughput is
// more than 2 % worse, or the start by more than 20 ms.
//
//   sandbox_bench [ROUNDS [MEBIBYTES]]     32 rounds, 64 MiB

#include <gst/gst.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

#include "clients/upload_client.h"
#include "json/json.h"
#include "support/sample_offers.h"
#include "tool/process.h"
#include "tool/server.h"

namespace webrtcupload::test {
namespace {

constexpr int kStarts = 5;  // A round.
constexpr double kMostLoss = 0.02;
constexpr double kMostDelay = 0.020;
constexpr double kMiB = 1 << 20;

// Of a server's sessions that have ended, in seconds.
double children_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  // After the name, which may hold anything: state, then fields from the fourth one on.
  std::vector<std::string> fields;
  std::size_t at = text.rfind(')') + 2;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    fields.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  constexpr std::size_t kUser = 13;  // cutime, counted from the state.
  if (fields.size() <= kUser + 1) return 0;
  return (std::stod(fields[kUser]) + std::stod(fields[kUser + 1])) /
         static_cast<double>(sysconf(_SC_CLK_TCK));
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Side {
 public:
  explicit Side(const std::string& sandbox)
      : server_({"--sandbox", sandbox, "--max-size", "4000000000"}, "fakesink"), name_(sandbox) {}

  // False if it failed.
  bool upload(const std::string& film) {
    const double before = children_time(server_.process().pid());
    const auto start = std::chrono::steady_clock::now();
    {
      UploadClient client({.url = server_.url(), .film = film});
      if (!client.wait_closed()) {
        std::printf("%s: %s\n", name_.c_str(), client.problem().c_str());
        return false;
      }
    }
    const double took = seconds_since(start);
    if (server_.wait_for_end(++sessions_).status != "done") return false;
    rates_.push_back(static_cast<double>(film.size()) / kMiB / took);
    upload_times_.push_back(children_time(server_.process().pid()) - before);
    return true;
  }

  // Until the answer, for a client that then leaves.
  bool start(const std::string& offer) {
    const double before = children_time(server_.process().pid());
    const auto begin = std::chrono::steady_clock::now();
    const std::string reply = http_exchange(server_.port(), post(offer));
    starts_.push_back(seconds_since(begin));
    if (reply.find(" 200 ") == std::string::npos) {
      std::printf("%s: %s\n", name_.c_str(), reply.c_str());
      return false;
    }
    const std::string header = "Location: ";
    const std::size_t at = reply.find(header) + header.size();
    const std::string path = "/" + reply.substr(at, reply.find("\r\n", at) - at);
    (void)http_exchange(server_.port(), "DELETE " + path +
                                            " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                            "Connection: close\r\n\r\n");
    (void)server_.wait_for_end(++sessions_);
    start_times_.push_back(children_time(server_.process().pid()) - before);
    return true;
  }

  // The median of the best quarter.
  [[nodiscard]] double best_rate() const {
    std::vector<double> rates = rates_;
    std::ranges::sort(rates, std::greater());
    return rates[rates.size() / 8];
  }
  [[nodiscard]] double upload_time() const { return median(upload_times_); }
  [[nodiscard]] double start_time() const { return median(starts_); }
  void print() const {
    std::printf(
        "%-8s %8.1f MiB/s (best quarter %.1f) %8.3f s of CPU an upload %8.1f ms to the answer "
        "%8.3f s of CPU\n",
        name_.c_str(), median(rates_), best_rate(), upload_time(), start_time() * 1000,
        median(start_times_));
  }

 private:
  using Moment = std::chrono::steady_clock::time_point;
  static double seconds_since(Moment start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  Server server_;
  const std::string name_;
  int sessions_ = 0;
  std::vector<double> rates_;
  std::vector<double> upload_times_;
  std::vector<double> starts_;
  std::vector<double> start_times_;
};

std::string offer_request() {
  JsonWriter session;
  session.set("type", "offer").set("sdp", crlf(kChromiumOffer));
  return JsonWriter().set("webrtc_offer", std::move(session).take()).text();
}

bool run(int rounds, std::size_t mebibytes) {
  std::string film(mebibytes << 20, '\0');
  for (std::size_t i = 0; i < film.size(); ++i) film[i] = static_cast<char>(i * 2654435761U >> 16);
  const std::string offer = offer_request();
  Side off("off");
  Side on("auto");
  for (int round = 0; round < rounds; ++round) {
    Side* const first = round % 2 == 0 ? &off : &on;
    Side* const second = first == &off ? &on : &off;
    for (Side* side : {first, second}) {
      if (!side->upload(film)) return false;
      for (int i = 0; i < kStarts; ++i) {
        if (!side->start(offer)) return false;
      }
    }
  }
  off.print();
  on.print();
  const double loss = 1 - on.best_rate() / off.best_rate();
  const double work = on.upload_time() / off.upload_time() - 1;
  const double delay = on.start_time() - off.start_time();
  std::printf(
      "the sandbox costs %.1f %% of throughput, %.1f %% of processor time and %.1f ms of a "
      "session's "
      "start\n",
      loss * 100, work * 100, delay * 1000);
  return loss <= kMostLoss && delay <= kMostDelay;
}

}  // namespace
}  // namespace webrtcupload::test

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 32;
  const std::size_t mebibytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64;
  return webrtcupload::test::run(std::max(rounds, 1), mebibytes) ? 0 : 1;
}
