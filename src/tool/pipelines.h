// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operator's pipelines: a default one, and others that a client picks by name. Clients never
// see their text, let alone write it.

#pragma once

#include <map>
#include <optional>
#include <string>

namespace webrtcupload {

class Pipelines {
 public:
  // What `--pipeline` was given: "DESCRIPTION", or "NAME=DESCRIPTION". It is the latter if it
  // begins with letters, digits, '_', '.' or '-' with "=" right after them, which no description
  // does: there an element's name, a space or a "/" always comes before the first "=". Empty, or
  // what is wrong.
  [[nodiscard]] std::string add(const std::string& text);
  // Fills in the default unless there is one.
  void add_default(const std::string& description);
  // Whether every one of them makes a pipeline; empty, or what is wrong with which.
  [[nodiscard]] std::string check() const;

  struct Choice {
    std::string description;
    std::optional<std::string> name;  // Nothing for the default one.
  };
  // The one called `workflow_id`, or else the default.
  [[nodiscard]] Choice choose(const std::optional<std::string>& workflow_id) const;

 private:
  std::optional<std::string> default_;
  std::map<std::string, std::string, std::less<>> named_;
};

}  // namespace webrtcupload
