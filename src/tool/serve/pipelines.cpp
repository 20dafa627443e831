// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/serve/pipelines.h"

#include <glib.h>

#include <algorithm>

#include "signalling/worker_request.h"
#include "tool/session/session_pipeline.h"

namespace webrtcupload {
namespace {

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// The length of NAME if the text is NAME=DESCRIPTION, else 0.
std::size_t name_length(const std::string& text) {
  const auto end = std::find_if(text.begin(), text.end(), [](char c) {
    return !g_ascii_isalnum(c) && c != '_' && c != '.' && c != '-';
  });
  return end != text.end() && *end == '=' ? static_cast<std::size_t>(end - text.begin()) : 0;
}

}  // namespace

std::string Pipelines::add(const std::string& text) {
  const std::size_t length = name_length(text);
  if (length == 0) {
    if (is_blank(text)) return "a pipeline is empty";
    if (default_) return "there are two default pipelines; give all but one a name: NAME=...";
    default_ = Pipeline{text, "", {}};
    return "";
  }
  const std::string name = text.substr(0, length);
  const std::string description = text.substr(length + 1);
  if (is_blank(description)) return "the pipeline \"" + name + "\" is empty";
  if (!named_.emplace(name, Pipeline{description, "", {}}).second) {
    return "there are two pipelines with the name \"" + name + "\"";
  }
  return "";
}

void Pipelines::add_default(const std::string& description) {
  if (!default_) default_ = Pipeline{description, "", {}};
}

std::string Pipelines::check(Pipeline& pipeline, const SessionConfig& config) {
  std::string problem = SessionPipeline::check(pipeline.description, config);
  if (!problem.empty()) return problem;
  pipeline.output = SessionPipeline::output_name(pipeline.description);
  if (pipeline.output.empty()) pipeline.output = kPredictionsOutput;
  pipeline.sandbox = config.sandbox;
  SessionPipeline::add_needs(pipeline.description, pipeline.sandbox);
  return "";
}

std::string Pipelines::check(const SessionConfig& config) {
  if (default_) {
    if (const std::string problem = check(*default_, config); !problem.empty()) {
      return "the pipeline does not work: " + problem;
    }
  }
  for (auto& [name, pipeline] : named_) {
    if (const std::string problem = check(pipeline, config); !problem.empty()) {
      return "the pipeline \"" + name + "\" does not work: " + problem;
    }
  }
  return "";
}

Pipelines::Choice Pipelines::choose(const std::optional<std::string>& workflow_id) const {
  if (workflow_id) {
    const auto found = named_.find(*workflow_id);
    if (found != named_.end()) {
      const Pipeline& chosen = found->second;
      return {chosen.description, chosen.output, found->first, chosen.sandbox};
    }
  }
  if (!default_) return {};
  return {default_->description, default_->output, std::nullopt, default_->sandbox};
}

}  // namespace webrtcupload
