// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which pipeline a session gets, and times as a command line has them.

#include "tool/serve/pipelines.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>

#include "tool/serve/serve_options.h"

namespace webrtcupload {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(Pipelines, ADefaultAndNamedOnes) {
  Pipelines pipelines;
  EXPECT_EQ(pipelines.add("fakesink name=x"), "");
  EXPECT_EQ(pipelines.add("codes=identity ! fakesink name=y"), "");
  EXPECT_EQ(pipelines.add("a-b_c.9=fakesink sync=false"), "");
  pipelines.add_default("not this");
  EXPECT_EQ(pipelines.choose(std::nullopt).description, "fakesink name=x");
  EXPECT_EQ(pipelines.choose(std::nullopt).name, std::nullopt);
  for (const char* unknown : {"", "what", "code", "codes ", "Codes", "fakesink"}) {
    EXPECT_EQ(pipelines.choose(unknown).description, "fakesink name=x") << unknown;
    EXPECT_EQ(pipelines.choose(unknown).name, std::nullopt) << unknown;
  }
  EXPECT_EQ(pipelines.choose("codes").description, "identity ! fakesink name=y");
  EXPECT_EQ(pipelines.choose("codes").name, "codes");
  EXPECT_EQ(pipelines.choose("a-b_c.9").description, "fakesink sync=false");

  Pipelines named;
  EXPECT_EQ(named.add("codes=fakesink"), "");
  named.add_default("the default");
  EXPECT_EQ(named.choose(std::nullopt).description, "the default");
}

TEST(Pipelines, KnowWhatTheirFindingsAreCalled) {
  Pipelines pipelines;
  EXPECT_EQ(pipelines.add("fakesink"), "");
  EXPECT_EQ(pipelines.add("own=identity ! webrtcresultsink output-name=mine"), "");
  EXPECT_EQ(pipelines.check(), "");
  EXPECT_EQ(pipelines.choose(std::nullopt).output, "predictions");
  EXPECT_EQ(pipelines.choose("own").output, "mine");
}

// "=" is everywhere in descriptions. Only where none could begin like that it ends a name.
TEST(Pipelines, DescriptionsAreNotTakenForNames) {
  for (const char* description :
       {"fakesink name=x", "fakesink sync=false", " codes=fakesink", "video/x-raw,format=RGB ! x",
        "video/x-raw(ANY) ! x", "( fakesink name=a )", "x.src_0 ! fakesink", "decodebin ! a=b",
        "fakesink\tname=x", "fakesink\nname=x", "a =b", "=b", "!a=b", "\"a\"=b", "\xc3\xa4=b"}) {
    Pipelines pipelines;
    EXPECT_EQ(pipelines.add(description), "") << description;
    EXPECT_EQ(pipelines.choose(std::nullopt).description, description);
  }
  for (const char* named : {"a=b", "a==b", "9=b", "-=b", "caps=video/x-raw ! fakesink"}) {
    Pipelines pipelines;
    EXPECT_EQ(pipelines.add(named), "") << named;
    const std::string text(named);
    const std::size_t equals = text.find('=');
    EXPECT_EQ(pipelines.choose(text.substr(0, equals)).description, text.substr(equals + 1));
  }
}

// As sessions build and start them.
TEST(Pipelines, AreTriedWhole) {
  for (const char* text :
       {"decodebin3 ! videoconvert ! fakesink", "decodebin ! videoconvert ! fakesink",
        "parsebin ! fakesink", "typefind ! decodebin3 ! fakesink", "queue2 ! decodebin3 ! fakesink",
        "decodebin3 ! videoconvert ! webrtcresultsink output-name=found"}) {
    Pipelines pipelines;
    EXPECT_EQ(pipelines.add("x=" + std::string(text)), "");
    EXPECT_EQ(pipelines.check(), "") << text;
  }
}

TEST(Pipelines, MistakesAreSaid) {
  Pipelines pipelines;
  EXPECT_THAT(pipelines.add(""), HasSubstr("empty"));
  EXPECT_THAT(pipelines.add("  "), HasSubstr("empty"));
  EXPECT_THAT(pipelines.add("a="), HasSubstr("\"a\" is empty"));
  EXPECT_EQ(pipelines.add("fakesink"), "");
  EXPECT_THAT(pipelines.add("fakesink"), HasSubstr("two default"));
  EXPECT_EQ(pipelines.add("a=fakesink"), "");
  EXPECT_THAT(pipelines.add("a=fakesink"), HasSubstr("\"a\""));
  EXPECT_EQ(pipelines.check(), "");
  EXPECT_EQ(pipelines.add("b=nosuchelement"), "");
  EXPECT_THAT(pipelines.check(), HasSubstr("the pipeline \"b\" does not work: "));
  EXPECT_THAT(pipelines.check(), HasSubstr("nosuchelement"));

  // What parses, and does not start.
  for (const char* text : {"fakesink filesrc ! fakesink", "decodebin3 ! filesink",
                           "tee name=t ! fakesink t. ! filesink location=/no/such/folder/x"}) {
    Pipelines broken;
    EXPECT_EQ(broken.add(std::string("x=") + text), "");
    EXPECT_THAT(broken.check(), HasSubstr("the pipeline \"x\" does not work: ")) << text;
  }
  // And in a configuration that does not let it.
  Pipelines good;
  EXPECT_EQ(good.add("fakesink"), "");
  SessionConfig config;
  config.spool_directory = "/no/such/folder";
  EXPECT_THAT(good.check(config), HasSubstr("/no/such/folder"));

  Pipelines endless;
  EXPECT_EQ(endless.add("decodebin ! videoconvert"), "");
  EXPECT_THAT(endless.check(), HasSubstr("does not end in a sink"));
}

TEST(ServeOptions, Seconds) {
  const auto read = [](const char* text, double least = 0) {
    std::optional<milliseconds> value;
    const std::string problem = read_seconds("--x", text, least, value);
    if (problem.empty()) return std::to_string(value->count());
    EXPECT_FALSE(value);
    return problem;
  };
  EXPECT_EQ(read("0"), "0");
  EXPECT_EQ(read("2.5"), "2500");
  EXPECT_EQ(read("1e-9"), "1");
  EXPECT_EQ(read("2147483"), "2147483000");
  for (const char* wrong : {"", "x", "1x", "1,5", "nan", "inf", "-inf", "1e999"}) {
    EXPECT_THAT(read(wrong), HasSubstr("--x: \"" + std::string(wrong) + "\" is not a number"));
  }
  EXPECT_THAT(read("-1"), HasSubstr("--x must not be negative"));
  EXPECT_THAT(read("-0.001"), HasSubstr("--x must not be negative"));
  EXPECT_THAT(read("0", 0.001), HasSubstr("--x must be above 0"));
  EXPECT_THAT(read("2147484"), HasSubstr("--x must be at most 2147483 seconds"));
  EXPECT_THAT(read("1e300"), HasSubstr("--x must be at most"));
}

}  // namespace
}  // namespace webrtcupload

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
