// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/film_limits.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace webrtcupload {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string seconds(Duration duration) {
  return number(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count()));
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Error> check_picture(const FilmLimits& limits, std::uint64_t width,
                                   std::uint64_t height) {
  // No product, which might not fit.
  if (limits.max_pixels == 0 || width == 0 || height <= limits.max_pixels / width) {
    return std::nullopt;
  }
  return Error{ErrorCode::kTooLargePicture, "the picture is " + number(width) + "x" +
                                                number(height) + ", at most " +
                                                number(limits.max_pixels) + " pixels are accepted"};
}

std::optional<Error> check_duration(const FilmLimits& limits, Duration duration) {
  if (limits.max_duration.count() <= 0 || duration <= limits.max_duration) return std::nullopt;
  return Error{ErrorCode::kTooLong, "the film lasts at least " + seconds(duration) +
                                        " s, at most " + seconds(limits.max_duration) +
                                        " s are accepted"};
}

std::optional<Error> check_frames(const FilmLimits& limits, std::uint64_t frames) {
  if (limits.max_frames == 0 || frames <= limits.max_frames) return std::nullopt;
  return Error{ErrorCode::kTooManyFrames, "the film has at least " + number(frames) +
                                              " frames, at most " + number(limits.max_frames) +
                                              " are accepted"};
}

std::optional<Error> check_streams(const FilmLimits& limits, std::uint64_t streams) {
  if (limits.max_streams == 0 || streams <= limits.max_streams) return std::nullopt;
  return Error{ErrorCode::kTooManyStreams, "the film has at least " + number(streams) +
                                               " streams, at most " + number(limits.max_streams) +
                                               " are accepted"};
}

std::optional<Error> check_metadata(std::uint64_t bytes, std::string_view what) {
  if (bytes <= kMaxMetadata) return std::nullopt;
  return Error{ErrorCode::kTooMuchMetadata, "the film has at least " + number(bytes) +
                                                " bytes of " + std::string(what) + ", at most " +
                                                number(kMaxMetadata) + " are accepted"};
}

std::optional<Error> check_nesting(std::uint64_t levels) {
  if (levels <= kMaxNesting) return std::nullopt;
  return Error{ErrorCode::kTooMuchMetadata,
               "the film's boxes are nested more than " + number(kMaxNesting) + " deep"};
}

Duration duration_of(std::uint64_t ticks, std::uint64_t scale) {
  if (scale == 0) return Duration{};
  const long double nanoseconds =
      static_cast<long double>(ticks) * Duration::period::den / Duration::period::num / scale;
  constexpr auto kLongest = std::numeric_limits<Duration::rep>::max();
  if (nanoseconds >= static_cast<long double>(kLongest)) return Duration(kLongest);
  return Duration(static_cast<Duration::rep>(nanoseconds));
}

std::variant<std::uint64_t, std::string> parse_pixels(std::string_view text) {
  const std::string wrong =
      "\"" + std::string(text) + "\" is neither a number of pixels nor WIDTHxHEIGHT";
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) {
    const auto pixels = read_number(text);
    if (!pixels) return wrong;
    return *pixels;
  }
  const auto width = read_number(text.substr(0, cross));
  const auto height = read_number(text.substr(cross + 1));
  if (!width || !height || *width == 0 || *height == 0) return wrong;
  if (*height > std::numeric_limits<std::int64_t>::max() / *width) {
    return "\"" + std::string(text) + "\" is too large";
  }
  return *width * *height;
}

}  // namespace webrtcupload
