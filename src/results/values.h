// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How what analysers say becomes plain values. Analysers are other people's code, and what they
// read out of a picture is a stranger's: strings may hold anything, and numbers as well.

#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <optional>
#include <string>

#include "results/detections.h"

namespace webrtcupload {

// `text` as valid UTF-8 of at most `max_bytes`, cut between characters. Null is empty.
[[nodiscard]] std::string clean_text(const char* text, std::size_t max_bytes);

// A class' name: `name` as clean_text() leaves it, or "object" if nothing is left.
[[nodiscard]] std::string clean_label(GQuark name, std::size_t max_bytes);

// A float by the decimal that it stands for: 0.9f is 0.9 and not 0.8999999761581421.
[[nodiscard]] double from_float(float value);

// None for what is no confidence: networks also give out logits.
[[nodiscard]] std::optional<double> confidence_from(double value);

// From the corner and size that nearly all analysers give.
[[nodiscard]] Box box_from_corner(double left, double top, double width, double height);

}  // namespace webrtcupload
