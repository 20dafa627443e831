// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The page's files as the server gives them out.

#include "web/web_file.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace webrtcupload {
namespace {

TEST(WebFile, ThePageIsAtTheRoot) {
  const auto page = web_file("/");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->bytes.starts_with("<!doctype html>"));
  EXPECT_EQ(page->mime_type, "text/html; charset=utf-8");
}

TEST(WebFile, EveryFileThatThePageNamesIsThere) {
  const std::string_view page = web_file("/")->bytes;
  int found = 0;
  for (const std::string_view attribute : {"href=\"", "src=\""}) {
    for (auto at = page.find(attribute); at != page.npos; at = page.find(attribute, at + 1)) {
      const auto begin = at + attribute.size();
      const auto name = page.substr(begin, page.find('"', begin) - begin);
      EXPECT_TRUE(web_file("/" + std::string(name))) << name;
      ++found;
    }
  }
  EXPECT_GE(found, 6);
  EXPECT_EQ(web_file("/upload.js")->mime_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(web_file("/icon.svg")->mime_type, "image/svg+xml");
}

TEST(WebFile, NothingElseIs) {
  for (const char* path : {"", "upload.js", "/index.html", "/upload.js/", "/../upload.js", "//",
                           "/.", "/web_file.cpp", "/package.json"}) {
    EXPECT_FALSE(web_file(path)) << path;
  }
}

TEST(WebFile, EtagsDifferAndAreQuoted) {
  std::set<std::string_view> seen;
  for (const char* path : {"/", "/upload.js", "/page.js", "/icon.svg"}) {
    const auto etag = web_file(path)->etag;
    EXPECT_TRUE(etag.size() > 10 && etag.front() == '"' && etag.back() == '"') << etag;
    EXPECT_TRUE(seen.insert(etag).second) << etag;
    EXPECT_EQ(etag, web_file(path)->etag);
  }
}

TEST(WebFile, ThePolicyLetsTheStyleInAndNothingFromElsewhere) {
  const auto policy = web_file("/")->policy;
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'sha256-"));
  EXPECT_EQ(policy.find("unsafe"), policy.npos);
  EXPECT_EQ(policy.find("http"), policy.npos);
  EXPECT_TRUE(web_file("/upload.js")->policy.empty());
}

TEST(WebFile, ThePageIsLight) {
  std::size_t bytes = 0;
  for (const char* path : {"/", "/icon.svg", "/overlay.js", "/page.js", "/results.js",
                           "/sha256_worker.js", "/upload.js", "/words.js"}) {
    const auto file = web_file(path);
    ASSERT_TRUE(file) << path;
    bytes += file->bytes.size();
  }
  EXPECT_LT(bytes, 110000u);
}

TEST(WebFile, TheClientIsOneFile) {
  const auto bytes = web_file("/upload.js")->bytes;
  EXPECT_EQ(bytes.find("import "), bytes.npos);
  EXPECT_EQ(bytes.find(" from '"), bytes.npos);
  EXPECT_FALSE(web_file("/upload/wire.js"));
  // Its worker is beside it.
  EXPECT_NE(bytes.find("new URL('./sha256_worker.js', import.meta.url)"), bytes.npos);
  EXPECT_TRUE(web_file("/sha256_worker.js"));
}

TEST(WebFile, WhatIsServedIsPackedAndLicensed) {
  for (const char* path : {"/page.js", "/upload.js"}) {
    const auto bytes = web_file(path)->bytes;
    EXPECT_TRUE(bytes.starts_with("// SPDX-License-Identifier: LGPL-2.1-or-later\n")) << path;
    EXPECT_EQ(bytes.find("\n "), bytes.npos) << path;
  }
}

}  // namespace
}  // namespace webrtcupload
