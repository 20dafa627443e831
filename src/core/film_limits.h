// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a film may ask of whoever decodes it. Its bytes are bounded elsewhere (upload_limits.h); a
// few of them can stand for a picture, a length or a number of streams that no machine bears.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/error.h"
#include "core/time_point.h"

namespace webrtcupload {

struct FilmLimits {
  // Of one picture. 8192x8192: a decoded frame then has 100 to 270 MB. 0: no limit.
  std::uint64_t max_pixels = 8192ULL * 8192;
  // By what the file says and by what its timestamps come to. 0: no limit.
  Duration max_duration = std::chrono::hours(24);
  // Of one stream of pictures: those of a day at 120 a second come to 10,368,000. 0: no limit.
  std::uint64_t max_frames = 12'000'000;
  // Video, sound, text and others. Each has threads and queues of its own. 0: no limit.
  std::uint64_t max_streams = 64;
};

// What an index, or the tags, may have in bytes. A demuxer keeps them in memory whole, up to three
// times over. An index of 32 MiB and more is more than GStreamer's demuxer for MP4 takes.
inline constexpr std::uint64_t kMaxMetadata = 64ULL * 1024 * 1024;
// How deep boxes and elements may be nested. Films have below 12; demuxers call themselves for each
// level.
inline constexpr unsigned kMaxNesting = 64;

// Each: nothing, or the error.
[[nodiscard]] std::optional<Error> check_picture(const FilmLimits& limits, std::uint64_t width,
                                                 std::uint64_t height);
[[nodiscard]] std::optional<Error> check_duration(const FilmLimits& limits, Duration duration);
[[nodiscard]] std::optional<Error> check_frames(const FilmLimits& limits, std::uint64_t frames);
[[nodiscard]] std::optional<Error> check_streams(const FilmLimits& limits, std::uint64_t streams);
[[nodiscard]] std::optional<Error> check_metadata(std::uint64_t bytes, std::string_view what);
[[nodiscard]] std::optional<Error> check_nesting(std::uint64_t levels);

// `ticks` of which `scale` make a second; the longest Duration if that is longer.
[[nodiscard]] Duration duration_of(std::uint64_t ticks, std::uint64_t scale);

// A number of pixels as people write it: "67108864", "8192x8192". Or what is wrong with it.
[[nodiscard]] std::variant<std::uint64_t, std::string> parse_pixels(std::string_view text);

}  // namespace webrtcupload
