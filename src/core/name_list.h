// SPDX-License-Identifier: LGPL-2.1-or-later
//
// "one, two": what people write where several things are asked for.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace webrtcupload {

// What stands between the commas, without the blanks around it, also where that is nothing: at
// least one part. The parts are of `list`, which has to live longer.
[[nodiscard]] inline std::vector<std::string_view> list_parts(std::string_view list) {
  constexpr std::string_view kBlanks = " \t\n";
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    part.remove_prefix(std::min(part.find_first_not_of(kBlanks), part.size()));
    part.remove_suffix(part.size() - (part.find_last_not_of(kBlanks) + 1));
    parts.push_back(part);
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

// The parts that are not empty, as a container of strings.
template <typename Names = std::vector<std::string>>
[[nodiscard]] Names split_names(std::string_view list) {
  Names names;
  for (const std::string_view part : list_parts(list)) {
    if (!part.empty()) names.insert(names.end(), std::string(part));
  }
  return names;
}

}  // namespace webrtcupload
