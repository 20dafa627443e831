// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A look at a complete film before any demuxer reads it, for what demuxers do not bound themselves:
// they keep tags and indexes in memory whole, make a stream for each track that the index names,
// and call themselves for each level of nested boxes. Only what can be seen at the film's outside
// is looked at; everything else is for whoever watches the decoding. A film of a kind that is not
// known here, or one that is cut or broken, is no error: its demuxer says so.

#pragma once

#include <cstdint>
#include <optional>

#include "core/film_limits.h"
#include "core/film_reader.h"

namespace webrtcupload {

// MP4 and QuickTime, Matroska and WebM, with or without ID3 and APE tags around them. Memory does
// not depend on the film.
[[nodiscard]] std::optional<Error> check_film(FilmReader& film, const FilmLimits& limits);

// Of those above, from `offset` on: what is not of that kind passes.
[[nodiscard]] std::optional<Error> check_mp4(FilmReader& film, std::uint64_t offset,
                                             const FilmLimits& limits);
[[nodiscard]] std::optional<Error> check_matroska(FilmReader& film, std::uint64_t offset,
                                                  const FilmLimits& limits);

// Headers looked at in a film, boxes at the top or elements. A day of pictures and sound whose
// clusters do not tell their size, as browsers record, has about 7 million.
inline constexpr std::uint64_t kMaxHeaders = 20'000'000;

}  // namespace webrtcupload
