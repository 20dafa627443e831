// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A film to upload.

#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/channel_observer.h"
#include "support/odd_directory.h"
#include "support/run_to_end.h"

namespace webrtcupload::test {

// What a pipeline as for gst-launch, which ends in a muxer, makes.
inline Bytes film_bytes(const std::string& description) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/film";
  EXPECT_TRUE(run_to_end(description + " ! filesink location=" + path));
  std::ifstream file(path, std::ios::binary);
  return Bytes{std::istreambuf_iterator<char>(file), {}};
}

}  // namespace webrtcupload::test
