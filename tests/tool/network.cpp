// SPDX-License-Identifier: LGPL-2.1-or-later

#include "network.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "process.h"
#include "signalling/worker_request.h"

namespace webrtcupload::test {
namespace {

// Headers of the server's replies that a client looks at.
constexpr const char* kPassedOn[] = {"Location", "Retry-After"};

std::string value_of(const std::string& head, const char* header) {
  const std::string begin = std::string("\r\n") + header + ": ";
  const auto at = head.find(begin);
  if (at == std::string::npos) return "";
  return head.substr(at + begin.size(), head.find('\r', at + begin.size()) - at - begin.size());
}

}  // namespace

Network::Network(const Server& server, Interfere interfere, UdpRelay::Options relay)
    : interfere_(std::move(interfere)),
      relay_options_(relay),
      port_(server.port()),
      proxy_([this](const HookQuestion& question) { return answer(question); }) {}

HookReply Network::answer(const HookQuestion& question) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(question.method + " " + question.path);
  }
  if (cut_http_) return {.silent = true};
  if (interfere_) {
    if (auto reply = interfere_(question)) return *std::move(reply);
  }
  return pass_on(question);
}

HookReply Network::pass_on(const HookQuestion& question) {
  const bool below = question.path.starts_with(kBelow);
  const std::string path = question.path.substr(below ? std::string_view(kBelow).size() - 1 : 0);
  // The reply ends with the connection.
  std::string headers = "Connection: close\r\n";
  if (question.authorization) headers += "Authorization: " + *question.authorization + "\r\n";
  std::string request =
      question.method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
  std::unique_ptr<UdpRelay> relay;
  if (!question.body.empty()) {
    auto parsed = parse_worker_request(question.body);
    auto* offer = std::get_if<WorkerRequest>(&parsed);
    if (!offer) return {.status = 500};
    relay = std::make_unique<UdpRelay>(relay_options_);
    offer->offer_sdp = relay->rewrite_offer(offer->offer_sdp);
    request = post(write_worker_request(*offer), headers, path);
  }
  const std::string reply = http_exchange(port_, request);
  const auto end = reply.find("\r\n\r\n");
  if (!reply.starts_with("HTTP/1.1 ") || end == std::string::npos) return {.status = 502};
  const std::string head = reply.substr(0, end + 2);
  HookReply result;
  result.status = static_cast<unsigned>(std::atoi(reply.c_str() + 9));
  result.body = reply.substr(end + 4);
  const auto answer = relay ? parse_worker_reply(result.status, result.body).answer_sdp
                            : std::optional<std::string>();
  if (answer) {
    result.body = worker_reply(relay->rewrite_answer(*answer));
    const std::lock_guard lock(mutex_);
    relays_.push_back(std::move(relay));
  }
  for (const char* header : kPassedOn) {
    const std::string value = value_of(head, header);
    if (!value.empty()) result.headers.emplace_back(header, value);
  }
  return result;
}

void Network::cut_packets() {
  const std::lock_guard lock(mutex_);
  for (const auto& relay : relays_) relay->set_blackout(true);
}

void Network::cut_packets(std::size_t connection) {
  const std::lock_guard lock(mutex_);
  relays_.at(connection)->set_blackout(true);
}

void Network::cut_all() {
  cut_http_ = true;
  cut_packets();
}

std::size_t Network::connections() const {
  const std::lock_guard lock(mutex_);
  return relays_.size();
}

UdpRelay::Counts Network::counts(std::size_t connection) const {
  const std::lock_guard lock(mutex_);
  return relays_.at(connection)->counts();
}

std::vector<std::string> Network::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace webrtcupload::test
