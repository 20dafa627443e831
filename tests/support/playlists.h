// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files that name other files and addresses: playlists, manifests, descriptions of sessions, as
// they are and wrapped. All of them are harmless in themselves: what they name is a file and a
// listener of the test, which notice that they are opened.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace webrtcupload::test {

// What must not be opened: a TCP port of this machine and a file.
class OpenWitness {
 public:
  OpenWitness();
  ~OpenWitness();
  OpenWitness(const OpenWitness&) = delete;
  OpenWitness& operator=(const OpenWitness&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  // What has been opened since the last call, for a person. Empty: nothing, by anybody, however
  // short. What somebody is about to do cannot be seen: call it when nobody does anything any more.
  [[nodiscard]] std::string opened();

 private:
  int listener_ = -1;
  int watcher_ = -1;
  int port_ = 0;
  std::string directory_;
  std::string file_;
};

struct Playlist {
  // Letters, digits and underscores.
  std::string name;
  std::string content;
  // GStreamer knows it for a list of addresses, and would follow it if it has the elements. It
  // knows nothing of the others.
  bool is_known = true;
};

[[nodiscard]] std::vector<Playlist> playlists(const std::string& address, const std::string& file);
// The names alone, in the same order.
[[nodiscard]] std::vector<std::string> playlist_names();
[[nodiscard]] Playlist playlist(const std::string& name, const OpenWitness& witness);

}  // namespace webrtcupload::test
