// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the checksums of wire format v2 cost: processor time for each GB, in messages of the usual
// size. SHA-256 by OpenSSL, which is what uploads use, next to GLib's; CRC-32C by ISA-L; and a copy
// of the same bytes, to see what the memory alone takes.
//
//   ./dev bench checksums

#include <glib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <utility>
#include <vector>

#include "core/crc32c.h"
#include "core/sha256.h"

namespace webrtcupload {
namespace {

constexpr std::size_t kMessage = 65536 - 16;
// As many as the usual window holds, so that not all of it is in the processor's caches.
constexpr std::size_t kMessages = 8 * 1024 * 1024 / kMessage;
constexpr int kPasses = 8;
constexpr int kRounds = 5;

double processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double median(std::array<double, kRounds> values) {
  std::ranges::sort(values);
  return values[kRounds / 2];
}

int run() {
  std::vector<std::uint8_t> bytes(kMessages * kMessage);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 131 >> 3);
  std::vector<std::uint8_t> copy(bytes.size());
  auto openssl = Sha256::create();
  if (!openssl) return 1;
  GChecksum* glib = g_checksum_new(G_CHECKSUM_SHA256);
  std::uint32_t crc = 0;

  using Way = std::pair<const char*, std::function<void(ByteView)>>;
  const std::array<Way, 4> ways = {
      Way{"copy",
          [&](ByteView part) {
            std::memcpy(copy.data() + (part.data() - bytes.data()), part.data(), part.size());
          }},
      Way{"CRC-32C, ISA-L", [&](ByteView part) { crc ^= crc32c(part); }},
      Way{"SHA-256, OpenSSL", [&](ByteView part) { openssl.value().update(part); }},
      Way{"SHA-256, GLib",
          [&](ByteView part) {
            g_checksum_update(glib, part.data(), static_cast<gssize>(part.size()));
          }},
  };
  std::array<std::array<double, kRounds>, ways.size()> taken{};
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const double begin = processor_time();
      for (std::size_t i = 0; i < kPasses * kMessages; ++i) {
        ways[way].second(ByteView(bytes).subspan(i % kMessages * kMessage, kMessage));
      }
      taken[way][round] = processor_time() - begin;
    }
  }
  std::printf("median of %d rounds in turn, messages of %zu bytes\n\n%-18s  %8s  %8s\n", kRounds,
              kMessage, "", "s per GB", "MB/s");
  for (std::size_t way = 0; way < ways.size(); ++way) {
    const double gigabytes = static_cast<double>(kPasses * kMessages * kMessage) / 1e9;
    const double cost = median(taken[way]) / gigabytes;
    std::printf("%-18s  %8.3f  %8.0f\n", ways[way].first, cost, 1000 / cost);
  }
  std::printf("\n(%08x %s %s)\n", crc, to_hex(openssl.value().sum()).substr(0, 8).c_str(),
              g_checksum_get_string(glib));
  g_checksum_free(glib);
  return 0;
}

}  // namespace
}  // namespace webrtcupload

int main() { return webrtcupload::run(); }
