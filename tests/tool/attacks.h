// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What clients do that want to harm a server, each over a connection of its own.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "worker_client.h"

namespace webrtcupload::test {

struct Attack {
  const char* name;
  // With both channels open. False if it could not be carried out.
  std::function<bool(WorkerClient&)> act;
  // With which of the documented codes its session then ends.
  std::vector<std::string> codes;
};

// For a server that takes files of 20,000,000 bytes and ends idle sessions.
[[nodiscard]] std::vector<Attack> attacks();

}  // namespace webrtcupload::test
