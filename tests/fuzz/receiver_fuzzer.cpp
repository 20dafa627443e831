// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libFuzzer's entry point: `receiver-fuzzer CORPUS_DIRECTORY`.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "receiver_input.h"

extern "C" __attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(
    const std::uint8_t* data, std::size_t size) {
  const std::string wrong = webrtcupload::fuzz::check_receiver_input({data, size});
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
