// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads by `webrtc-upload send` to `webrtc-upload serve`, each a process of its own, for
// benchmarks that compare one way of sending with another: what each took, on either side.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/far_network.h"
#include "tool/process.h"

namespace webrtcupload::test {

// A file of random bytes that goes when this goes.
class RandomFile {
 public:
  explicit RandomFile(std::uint64_t size);
  ~RandomFile();
  RandomFile(const RandomFile&) = delete;
  RandomFile& operator=(const RandomFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // As sha256sum prints it.
  [[nodiscard]] const std::string& sha256() const { return sha256_; }

 private:
  std::string path_;
  std::uint64_t size_;
  std::string sha256_;
};

class SendRuns {
 public:
  struct Run {
    double seconds = 0;
    // Of the server and the process of the session, for this upload.
    double server_cpu_seconds = 0;
    // Most resident memory of the process of the session.
    std::uint64_t peak_bytes = 0;
  };

  // On the network's near end, or without a network on loopback.
  explicit SendRuns(const FarNetwork* network, const std::vector<std::string>& serve_options = {});
  ~SendRuns();
  SendRuns(const SendRuns&) = delete;
  SendRuns& operator=(const SendRuns&) = delete;

  // Nothing, with what was said printed, when the upload has failed or came to another hash.
  // `meanwhile` is called about every 10 ms with the bytes that the session's spool file has.
  std::optional<Run> run(const RandomFile& file, const std::vector<std::string>& send_options,
                         const std::function<void(std::uint64_t)>& meanwhile = nullptr);

 private:
  const FarNetwork* network_;
  std::string spool_;
  std::unique_ptr<Process> server_;
  std::string url_;
};

// Of an odd number of figures, or of the lower half's last one.
[[nodiscard]] double median(std::vector<double> figures);

}  // namespace webrtcupload::test
