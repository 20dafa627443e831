// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the log says.

#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace webrtcupload::test {

// The lines of our categories while it lives, each as "CATEGORY OBJECT: TEXT". The object is its
// path, or the name that stands for it, or "nobody".
class Log {
 public:
  // Up to this level: 5 is DEBUG, 6 is LOG.
  explicit Log(int level = 5);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Whether there is a line that has all of these in it, as written.
  [[nodiscard]] bool has(const std::vector<std::string>& words) const;
  // Until there is.
  [[nodiscard]] testing::AssertionResult says(const std::vector<std::string>& words) const;
  // Whether each line has an object.
  [[nodiscard]] testing::AssertionResult names_everybody() const;
  // Whether none of the lines has this in it.
  [[nodiscard]] testing::AssertionResult keeps_secret(const std::string& text) const;
  [[nodiscard]] std::vector<std::string> lines() const;
  // The same as "LEVEL CATEGORY <OBJECT> TEXT", which is how GStreamer prints them, without the
  // time, the process and the place in the code.
  [[nodiscard]] std::vector<std::string> printed() const;

 private:
  static void on_line(GstDebugCategory* category, GstDebugLevel level, const char* file,
                      const char* function, int line, GObject* object, GstDebugMessage* message,
                      gpointer self);

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> printed_;
};

// Does something the first time that a line with this text is logged, on the thread that logs it.
class AtALine {
 public:
  AtALine(std::string text, std::function<void()> work);
  ~AtALine();
  AtALine(const AtALine&) = delete;
  AtALine& operator=(const AtALine&) = delete;

 private:
  static void on_line(GstDebugCategory* category, GstDebugLevel level, const char* file,
                      const char* function, int line, GObject* object, GstDebugMessage* message,
                      gpointer self);

  const std::string text_;
  std::function<void()> work_;
};

}  // namespace webrtcupload::test
