// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/log.h"

#include <algorithm>
#include <utility>

#include "glib/glib_ptr.h"
#include "support/wait.h"

namespace webrtcupload::test {

Log::Log(int level) {
  const std::string threshold = "*:0,webrtcupload*:" + std::to_string(level);
  gst_debug_set_threshold_from_string(threshold.c_str(), TRUE);
  // The function and not the macro of this name, which compares pointers as C++ does not.
  (gst_debug_add_log_function)(on_line, this, nullptr);
}

Log::~Log() {
  gst_debug_remove_log_function_by_data(this);
  gst_debug_set_threshold_from_string("*:1", TRUE);
}

bool Log::has(const std::vector<std::string>& words) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(lines_, [&](const std::string& line) {
    return std::ranges::all_of(
        words, [&](const std::string& word) { return line.find(word) != std::string::npos; });
  });
}

testing::AssertionResult Log::says(const std::vector<std::string>& words) const {
  if (eventually([&] { return has(words); })) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << "no such line among";
  for (const std::string& line : lines()) failure << "\n  " << line;
  return failure;
}

testing::AssertionResult Log::names_everybody() const {
  for (const std::string& line : lines()) {
    if (line.find(" nobody: ") != std::string::npos) return testing::AssertionFailure() << line;
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult Log::keeps_secret(const std::string& text) const {
  if (text.empty()) return testing::AssertionFailure() << "there is no secret";
  for (const std::string& line : lines()) {
    if (line.find(text) != std::string::npos) return testing::AssertionFailure() << line;
  }
  return testing::AssertionSuccess();
}

std::vector<std::string> Log::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::vector<std::string> Log::printed() const {
  const std::lock_guard lock(mutex_);
  return printed_;
}

void Log::on_line(GstDebugCategory* category, GstDebugLevel level, const char*, const char*, int,
                  GObject* object, GstDebugMessage* message, gpointer self) {
  const std::string name = gst_debug_category_get_name(category);
  if (!name.starts_with("webrtcupload")) return;
  std::string who = "nobody";
  if (const char* id = gst_debug_message_get_id(message)) {
    who = id;
  } else if (GST_IS_OBJECT(object)) {
    const GCharPtr path(gst_object_get_path_string(GST_OBJECT(object)));
    who = path.get();
  } else if (object) {
    who = G_OBJECT_TYPE_NAME(object);
  }
  const std::string text = gst_debug_message_get(message);
  std::string level_name = gst_debug_level_get_name(level);
  level_name.resize(5, ' ');
  auto& log = *static_cast<Log*>(self);
  const std::lock_guard lock(log.mutex_);
  log.lines_.push_back(name + " " + who + ": " + text);
  log.printed_.push_back(level_name + " " + name + " <" + who + "> " + text);
}

AtALine::AtALine(std::string text, std::function<void()> work)
    : text_(std::move(text)), work_(std::move(work)) {
  (gst_debug_add_log_function)(on_line, this, nullptr);
}

AtALine::~AtALine() { gst_debug_remove_log_function_by_data(this); }

void AtALine::on_line(GstDebugCategory*, GstDebugLevel, const char*, const char*, int, GObject*,
                      GstDebugMessage* message, gpointer self) {
  auto& line = *static_cast<AtALine*>(self);
  if (!line.work_ || line.text_ != gst_debug_message_get(message)) return;
  std::exchange(line.work_, nullptr)();
}

}  // namespace webrtcupload::test
