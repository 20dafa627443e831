// SPDX-License-Identifier: LGPL-2.1-or-later

#include "server.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "json/json.h"

namespace webrtcupload::test {

namespace fs = std::filesystem;

std::string program() {
  const char* path = std::getenv("WEBRTC_UPLOAD");
  return path ? path : "";
}

std::optional<Event> parse_event(const std::string& line) {
  auto parsed = parse_json_object(line);
  const auto* node = std::get_if<JsonNodePtr>(&parsed);
  if (!node) return std::nullopt;
  JsonObject* object = json_node_get_object(node->get());
  Event event;
  event.text = line;
  event.event = json_string(object, "event").value_or("");
  event.session = json_string(object, "session").value_or("");
  event.status = json_string(object, "status").value_or("");
  event.code = json_string(object, "code").value_or("");
  event.message = json_string(object, "message").value_or("");
  event.frames = json_integer(object, "frames").value_or(-1);
  event.frame = json_integer(object, "frame").value_or(-1);
  event.pts = json_integer(object, "pts");
  event.bytes = json_integer(object, "bytes").value_or(-1);
  event.chunks = json_integer(object, "chunks").value_or(-1);
  return event;
}

Server::Server(std::vector<std::string> more, const std::string& pipeline) {
  char name[] = "/tmp/webrtc-upload-test-XXXXXX";
  spool_ = mkdtemp(name);
  std::vector<std::string> arguments = {program(),           "serve", "--port",     "0",
                                        "--spool-directory", spool_,  "--pipeline", pipeline};
  arguments.insert(arguments.end(), more.begin(), more.end());
  process_ = std::make_unique<Process>(arguments);
  lost_.emplace([process = process_.get()] { return process->ended_by_itself().has_value(); });
  const auto line = process_->wait_for_line(
      [](const std::string& text) { return text.find("\"listening\"") != std::string::npos; });
  if (!line) {
    ADD_FAILURE() << "the server does not listen: " << process_->errors();
    return;
  }
  auto parsed = parse_json_object(*line);
  JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
  url_ = json_string(object, "url").value_or("");
  port_ = std::stoi(url_.substr(url_.rfind(':') + 1));
}

Server::~Server() {
  if (process_) {
    const auto status = process_->ended_by_itself();
    // All that it said is wanted.
    if (status) process_->wait_for_exit(std::chrono::seconds(10));
    EXPECT_FALSE(status) << "the server has ended by itself, with status " << *status << ": "
                         << process_->errors();
    EXPECT_TRUE(eventually([&] { return fs::is_empty(spool_); }));
    lost_.reset();
    process_.reset();
  }
  fs::remove_all(spool_);
}

Event Server::wait_for_end(int session, std::chrono::milliseconds deadline) {
  std::optional<Event> found;
  std::string id;
  int sessions = 0;
  process_->wait_for_line(
      [&](const std::string& line) {
        if (line.find("\"event\":\"frame\"") != std::string::npos) return false;
        const auto event = parse_event(line);
        if (event && event->event == "session" && ++sessions == session) id = event->session;
        if (!event || event->event != "end" || event->session != id) return false;
        found = event;
        return true;
      },
      deadline);
  if (!found) {
    std::string said;
    for (const std::string& line : process_->lines()) {
      if (line.find("\"event\":\"frame\"") == std::string::npos) said += line + "\n";
    }
    ADD_FAILURE() << "no end of session " << session << "; it said\n" << said << process_->errors();
  }
  return found.value_or(Event{});
}

std::vector<Event> Server::events() const {
  std::vector<Event> events;
  for (const std::string& line : process_->lines()) {
    const auto event = parse_event(line);
    EXPECT_TRUE(event) << "not JSON: " << line;
    if (event) events.push_back(*event);
  }
  return events;
}

std::vector<Event> Server::frames_of(int session) const {
  std::vector<Event> frames;
  std::string id;
  int sessions = 0;
  for (const Event& event : events()) {
    if (event.event == "session" && ++sessions == session) id = event.session;
    if (event.event == "frame" && event.session == id) frames.push_back(event);
  }
  return frames;
}

}  // namespace webrtcupload::test
