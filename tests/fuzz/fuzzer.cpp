// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libFuzzer's entry points. FUZZ_TARGET names the target.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "target.h"

namespace {

const webrtcupload::fuzz::Target& target() {
  static const auto* chosen = [] {
    const char* name = std::getenv("FUZZ_TARGET");
    const auto* found = webrtcupload::fuzz::find_target(name ? name : "");
    if (!found) {
      std::fprintf(stderr, "FUZZ_TARGET has to name one of:");
      for (const auto& each : webrtcupload::fuzz::targets()) std::fprintf(stderr, " %s", each.name);
      std::fprintf(stderr, "\n");
      std::exit(2);
    }
    return found;
  }();
  return *chosen;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

EXPORTED int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = target().check({data, size});
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}

// One in four inputs is changed by bytes, also where there is a better way.
EXPORTED std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                             std::size_t max_size, unsigned seed) {
  if (!target().mutate || seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::mt19937 random(seed);
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::string output = target().mutate(input, random);
  const std::size_t length = std::min(output.size(), max_size);
  std::memcpy(data, output.data(), length);
  return length;
}
