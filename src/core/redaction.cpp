// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/redaction.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace webrtcupload {
namespace {

constexpr std::size_t kMostBytes = 1024;
constexpr std::string_view kLeftOut = "\u2026";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

// Files of these are named in messages of programs and libraries; other words with a point in them
// are names of hosts, versions and abbreviations.
constexpr std::array<std::string_view, 51> kEndings{
    "c",    "cc",   "cpp", "cxx", "h",   "hpp",    "m",      "rs",  "py",   "js",   "mjs",
    "vala", "so",   "a",   "o",   "xml", "json",   "yaml",   "yml", "toml", "ini",  "conf",
    "cfg",  "txt",  "log", "pem", "key", "crt",    "sock",   "pid", "db",   "bin",  "dat",
    "tmp",  "onnx", "pt",  "pth", "pb",  "tflite", "engine", "mp4", "mkv",  "webm", "mov",
    "avi",  "ts",   "jpg", "png", "mpd", "m3u8",   "ttf"};

bool is_ending(std::string_view text) {
  return std::ranges::find(kEndings, text) != kEndings.end();
}

// Whether a word is the name of a file, perhaps with numbers behind it (libx.so.59).
bool names_file(std::string_view word) {
  while (true) {
    const std::size_t point = word.rfind('.');
    if (point == std::string_view::npos || point == 0) return false;
    const std::string_view ending = word.substr(point + 1);
    if (is_ending(ending)) return true;
    const bool is_number = !ending.empty() && std::ranges::all_of(ending, is_digit);
    if (!is_number || word.find(".so.") == std::string_view::npos) return false;
    word = word.substr(0, point);
  }
}

bool is_source_ending(std::string_view ending) {
  constexpr std::array<std::string_view, 11> kSources{"c", "cc", "cpp", "cxx", "h",   "hpp",
                                                      "m", "rs", "py",  "js",  "vala"};
  return std::ranges::find(kSources, ending) != kSources.end();
}

// "gstqtdemux.c(1234)", "foo.rs:12".
bool names_source_line(std::string_view word) {
  for (std::size_t point = word.find('.'); point != std::string_view::npos;
       point = word.find('.', point + 1)) {
    std::size_t end = point + 1;
    while (end < word.size() && is_letter(word[end])) ++end;
    if (!is_source_ending(word.substr(point + 1, end - point - 1))) continue;
    if (end + 1 < word.size() && (word[end] == '(' || word[end] == ':') &&
        is_digit(word[end + 1])) {
      return true;
    }
  }
  return false;
}

// Where in a word a path or an address begins, if one does. "video/x-raw" has none.
std::optional<std::size_t> find_location(std::string_view word) {
  if (const std::size_t at = word.find("://"); at != std::string_view::npos) {
    std::size_t begin = at;
    while (begin > 0 && (is_word(word[begin - 1]) || word[begin - 1] == '+' ||
                         word[begin - 1] == '-' || word[begin - 1] == '.')) {
      --begin;
    }
    return begin;
  }
  for (std::size_t at = word.find('/'); at != std::string_view::npos; at = word.find('/', at + 1)) {
    if (at + 1 >= word.size() || !(is_word(word[at + 1]) || word[at + 1] == '.')) continue;
    std::size_t begin = at;
    while (begin > 0 &&
           (word[begin - 1] == '.' || word[begin - 1] == '~' || word[begin - 1] == '/')) {
      --begin;
    }
    if (begin == 0 || !(is_word(word[begin - 1]) || word[begin - 1] == '-' ||
                        word[begin - 1] == '+' || word[begin - 1] == ')')) {
      return begin;
    }
  }
  return std::nullopt;
}

// What a sentence puts around a word is no part of it.
std::size_t end_of_location(std::string_view word, std::size_t from) {
  std::size_t end = word.size();
  while (end > from + 1) {
    const char last = word[end - 1];
    if (is_word(last) || last == '/' || last == '-' || last == '+' || last == '%' || last == '=') {
      break;
    }
    --end;
  }
  return end;
}

std::string clean_word(std::string_view word) {
  if (const auto begin = find_location(word)) {
    const std::size_t end = end_of_location(word, *begin);
    return std::string(word.substr(0, *begin)) + std::string(kLeftOut) +
           std::string(word.substr(end));
  }
  // The name of a file, in whatever quotes.
  std::size_t begin = 0;
  while (begin < word.size() && !is_word(word[begin])) ++begin;
  std::size_t end = word.size();
  while (end > begin && !is_word(word[end - 1])) --end;
  const std::size_t equals = word.find('=', begin);
  if (equals != std::string_view::npos && equals + 1 < end) begin = equals + 1;
  if (begin < end && names_file(word.substr(begin, end - begin))) {
    return std::string(word.substr(0, begin)) + std::string(kLeftOut) +
           std::string(word.substr(end));
  }
  return std::string(word);
}

struct Quotes {
  std::string_view open;
  std::string_view close;
};
constexpr std::array<Quotes, 5> kQuotes{
    {{"\"", "\""}, {"\u201C", "\u201D"}, {"\u2018", "\u2019"}, {"'", "'"}, {"`", "'"}}};

// What is in quotes may have spaces: as a whole it is a path, or it is not.
std::string clean_quotes(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const Quotes* quotes = nullptr;
    const bool opens = clean.empty() || !is_word(clean.back());
    for (const Quotes& each : kQuotes) {
      if (opens && text.starts_with(each.open)) quotes = &each;
    }
    const std::size_t close =
        quotes ? text.find(quotes->close, quotes->open.size()) : std::string_view::npos;
    if (close == std::string_view::npos) {
      clean += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string_view inside = text.substr(quotes->open.size(), close - quotes->open.size());
    const std::size_t space = inside.rfind(' ');
    const bool is_file =
        find_location(inside) == std::optional<std::size_t>(0) ||
        names_file(space == std::string_view::npos ? inside : inside.substr(space + 1));
    clean += quotes->open;
    clean += is_file ? kLeftOut : inside;
    clean += quotes->close;
    text.remove_prefix(close + quotes->close.size());
  }
  return clean;
}

}  // namespace

std::string text_for_client(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  line = clean_quotes(line);
  std::string clean;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string_view word(line.data() + at, end - at);
    if (names_source_line(word)) break;
    if (!word.empty()) {
      if (!clean.empty()) clean += ' ';
      clean += clean_word(word);
    }
    at = end + 1;
  }
  if (clean.size() > kMostBytes) {
    std::size_t end = kMostBytes;
    // Not within a character.
    while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0) == 0x80) --end;
    clean.resize(end);
  }
  return clean;
}

}  // namespace webrtcupload
