// SPDX-License-Identifier: LGPL-2.1-or-later

#include "clients/test_server.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace webrtcupload::test {
namespace {

namespace fs = std::filesystem;

std::string program(const char* variable) {
  const char* path = std::getenv(variable);
  return path ? path : "";
}

std::string make_directory() {
  char name[] = "/tmp/webrtc-upload-test-XXXXXX";
  const char* path = mkdtemp(name);
  return path ? path : "";
}

std::size_t entries(const std::string& directory) {
  std::error_code error;
  const fs::directory_iterator begin(directory, error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin, fs::directory_iterator()));
}

}  // namespace

TestServer::TestServer(const std::vector<std::string>& options) : spool_(make_directory()) {
  std::vector<std::string> arguments = {
      program("WEBRTC_UPLOAD"), "serve", "--port",     "0",
      "--spool-directory",      spool_,  "--pipeline", kTrivialAnalyser};
  arguments.insert(arguments.end(), options.begin(), options.end());
  process_ = std::make_unique<Process>(arguments);
  const auto line = process_->wait_for_line(
      [](const std::string& text) { return text.find("\"listening\"") != std::string::npos; });
  if (!line) return;
  const std::string kField = "\"url\":\"";
  const std::size_t start = line->find(kField) + kField.size();
  url_ = line->substr(start, line->find('"', start) - start);
}

TestServer::~TestServer() {
  process_.reset();
  std::error_code error;
  fs::remove_all(spool_, error);
}

std::string TestServer::wait_for_end(std::size_t session) {
  const std::string kStart = "{\"event\":\"end\",\"session\":\"" + std::to_string(session) + "\"";
  return process_->wait_for_line([&](const std::string& line) { return line.starts_with(kStart); })
      .value_or("");
}

bool TestServer::stop() {
  process_->signal(SIGTERM);
  return process_->wait_for_exit() == 0 && entries(spool_) == 0;
}

TestServer::Usage TestServer::usage() const {
  const std::string proc = "/proc/" + std::to_string(process_->pid());
  Usage usage;
  std::ifstream statm(proc + "/statm");
  std::size_t pages = 0;
  statm >> pages >> pages;
  usage.resident = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  usage.descriptors = descriptors_of(process_->pid());
  usage.threads = entries(proc + "/task");
  usage.children = children_of(process_->pid()).size();
  return usage;
}

TestServer::Usage TestServer::settled(const Usage& at_most) const {
  Usage now;
  eventually([&] {
    now = usage();
    return now.children == 0 && now.descriptors <= at_most.descriptors &&
           now.threads <= at_most.threads;
  });
  return now;
}

std::string draw_film(int frames, int kilobits) {
  const std::string directory = make_directory();
  const std::string file = directory + "/film.mp4";
  std::string film;
  Process draw({program("MAKE_NUMBERED_VIDEO"), file, std::to_string(frames), "25",
                std::to_string(kilobits)});
  if (draw.wait_for_exit() == 0) {
    std::ifstream stream(file, std::ios::binary);
    film.assign(std::istreambuf_iterator<char>(stream), {});
  }
  std::error_code error;
  fs::remove_all(directory, error);
  return film;
}

}  // namespace webrtcupload::test
