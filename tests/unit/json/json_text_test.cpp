// SPDX-License-Identifier: LGPL-2.1-or-later

#include "json/json_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "json/json.h"

namespace webrtcupload {
namespace {

// json-glib gets none of these: its own errors are not free of leaks.
TEST(JsonText, WhatIsWrongIsSaidByUs) {
  for (const char* text :
       {R"({"a":"\ud83d"})", R"({"a":"\ude00"})", R"({"a":"\ud83d\u0041"})", R"({"a":"\ud83dx"})",
        R"({"a":"\ud83d\ud83d\ude00"})", R"({"a":"\u12"})", R"({"a":'b'})", "{\"a\":1}//",
        "{\"a\":1", "{\"a\":01}", "{\"a\":0x1}", "{\"a\":.5}", "{a:1}", "{\"a\":\"\n\"}"}) {
    const auto parsed = parse_json_object(text);
    ASSERT_TRUE(std::holds_alternative<JsonError>(parsed)) << text;
    EXPECT_EQ(std::get<JsonError>(parsed).message.find("is not valid JSON, near byte "), 0U)
        << std::get<JsonError>(parsed).message;
  }
  const auto pair = parse_json_object(R"({"a":"\ud83d\uDE00","b":"\u00e4\ufffd"})");
  EXPECT_TRUE(std::holds_alternative<JsonNodePtr>(pair));
}

TEST(JsonText, Values) {
  for (const char* text : {"true",
                           "false",
                           "null",
                           "0",
                           "-0",
                           "10",
                           "-1.5",
                           "0.1",
                           "1e308",
                           "1E+9",
                           "1.5e-9",
                           "\"\"",
                           "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF\"",
                           "\"gr\xc3\xbc\xc3\x9f \x7f\"",
                           "[]",
                           "[ ]",
                           "{}",
                           "{ }",
                           "[1]",
                           "[1 , [2,{}], \"x\"]",
                           R"({"a":1})",
                           R"( { "a" : [ 1 , null ] , "b":{} } )",
                           "\r\n\t 1 \t"}) {
    EXPECT_TRUE(is_json_value(text)) << text;
  }
}

TEST(JsonText, NoValues) {
  for (const char* text :
       {"",       " ",         "tru",        "truex",       "True",       "NaN",   "Infinity",
        "-",      "+1",        "01",         "-01",         ".5",         "1.",    "1.e5",
        "1e",     "1e+",       "0x10",       "1 2",         "1,2",        "1}",    "[",
        "[1",     "[1,",       "[1,]",       "[,1]",        "[1 2]",      "]",     "{",
        "{\"a\"", "{\"a\":",   "{\"a\":1",   "{\"a\":1,",   "{\"a\":1,}", "{a:1}", "{1:1}",
        "{,}",    "{\"a\" 1}", "{\"a\":1]",  "[1}",         "\"",         "\"a",   "\"\\",
        "\"\\\"", "\"\\x\"",   "\"\\u12\"",  "\"\\u12g4\"", "\"a\nb\"",   "'a'",   "// x\n1",
        "/* */1", "1 //",      "\"a\"\"b\"", "{\"a\":1}{}", "[] x"}) {
    EXPECT_FALSE(is_json_value(text)) << text;
  }
  EXPECT_FALSE(is_json_value(std::string_view("1\0", 2)));
  EXPECT_FALSE(is_json_value(std::string_view("\"\0\"", 3)));
}

TEST(JsonText, CutShortAnywhere) {
  const std::string whole = R"({"a":[1.5e-3,{"b":"\u00fc\n"},[[]],null],"c":{"d":{}}})";
  ASSERT_TRUE(is_json_value(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(is_json_value(whole.substr(0, size))) << size;
  }
}

TEST(JsonText, Depth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(is_json_value(nested(64)));
  EXPECT_FALSE(is_json_value(nested(65)));
  EXPECT_FALSE(is_json_value(std::string(1000000, '[')));
  EXPECT_TRUE(is_json_value("1", 0));
  EXPECT_FALSE(is_json_value("[]", 0));
  // Side by side is not deep.
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[{}],";
  EXPECT_TRUE(is_json_value(wide + "[]]"));
}

TEST(JsonIntegers, AreThoseThatWereWritten) {
  const auto read = [](const std::string& number) {
    const auto parsed =
        parse_json_object(R"({"text": "9999999999999999999 \" 9999999999999999999", "n": )" +
                          number + R"(, "list": [)" + number + "]}");
    EXPECT_TRUE(std::holds_alternative<JsonNodePtr>(parsed)) << number;
    JsonObject* object = json_node_get_object(std::get<JsonNodePtr>(parsed).get());
    EXPECT_EQ(json_string(object, "text"), "9999999999999999999 \" 9999999999999999999");
    return std::pair(json_integer(object, "n"), json_number(object, "n"));
  };
  using Limits = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(read("0").first, 0);
  EXPECT_EQ(read("4000000000000000000").first, 4'000'000'000'000'000'000);
  EXPECT_EQ(read("9223372036854775807").first, Limits::max());
  EXPECT_EQ(read("-9223372036854775808").first, Limits::min());
  EXPECT_EQ(read("1e3").first, std::nullopt);
  // Of more than 64 bits. json-glib takes the third one for 5.
  for (const auto& [number, value] : {std::pair{"9223372036854775808", 9223372036854775808.0},
                                      std::pair{"-9223372036854775809", -9223372036854775809.0},
                                      std::pair{"-18446744073709551611", -18446744073709551611.0},
                                      std::pair{"100000000000000000000000", 1e23}}) {
    EXPECT_EQ(read(number).first, std::nullopt) << number;
    EXPECT_EQ(read(number).second, value) << number;
  }
}

TEST(JsonNames, AreBoundedStrings) {
  const auto names = [](const std::string& list) {
    const auto parsed = parse_json_object(R"({"names":)" + list + "}");
    return json_names(json_node_get_object(std::get<JsonNodePtr>(parsed).get()), "names");
  };
  const auto times = [](int count, const std::string& item) {
    std::string list = "[" + item;
    for (int i = 1; i < count; ++i) list += "," + item;
    return list + "]";
  };
  EXPECT_EQ(names(R"(["a","b"])"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(names("[]"), std::vector<std::string>());
  for (const char* none : {"null", "\"a\"", "{}", "[1]", "[null]", "[[]]"}) {
    EXPECT_FALSE(names(none)) << none;
  }
  EXPECT_TRUE(names(times(64, "\"a\"")));
  EXPECT_FALSE(names(times(65, "\"a\"")));
  EXPECT_TRUE(names(times(1, '"' + std::string(256, 'a') + '"')));
  EXPECT_FALSE(names(times(1, '"' + std::string(257, 'a') + '"')));
}

}  // namespace
}  // namespace webrtcupload
