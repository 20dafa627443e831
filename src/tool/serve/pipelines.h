// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operator's pipelines: a default one, and others that a client picks by name. Clients never
// see their text, let alone write it.

#pragma once

#include <map>
#include <optional>
#include <string>

#include "tool/common/session_types.h"

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
  // Whether every one of them makes a pipeline and starts in a session of this configuration;
  // empty, or what is wrong with which. To be called before the first choose().
  [[nodiscard]] std::string check(const SessionConfig& config = {});

  struct Choice {
    std::string description;
    std::string output;               // The name of what it finds, in results.
    std::optional<std::string> name;  // Nothing for the default one.
    SandboxConfig sandbox;            // The configuration's, with what this one needs.
  };
  // The one called `workflow_id`, or else the default.
  [[nodiscard]] Choice choose(const std::optional<std::string>& workflow_id) const;

 private:
  struct Pipeline {
    std::string description;
    std::string output;
    SandboxConfig sandbox;
  };
  // Empty, or what is wrong.
  static std::string check(Pipeline& pipeline, const SessionConfig& config);

  std::optional<Pipeline> default_;
  std::map<std::string, Pipeline, std::less<>> named_;
};

}  // namespace webrtcupload
