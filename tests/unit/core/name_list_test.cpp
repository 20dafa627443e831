// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/name_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace webrtcupload {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ListParts, AreWhatStandsBetweenCommas) {
  EXPECT_THAT(list_parts("one"), ElementsAre("one"));
  EXPECT_THAT(list_parts("one,two, three"), ElementsAre("one", "two", "three"));
}

TEST(ListParts, HaveNoBlanksAroundThem) {
  EXPECT_THAT(list_parts(" \tone \n, two words "), ElementsAre("one", "two words"));
}

TEST(ListParts, MayBeEmpty) {
  EXPECT_THAT(list_parts(""), ElementsAre(""));
  EXPECT_THAT(list_parts("  "), ElementsAre(""));
  EXPECT_THAT(list_parts(",one, ,"), ElementsAre("", "one", "", ""));
}

TEST(SplitNames, LeavesOutWhatIsEmpty) {
  EXPECT_THAT(split_names(""), IsEmpty());
  EXPECT_THAT(split_names(" b ,a,,\tb\n"), ElementsAre("b", "a", "b"));
  EXPECT_THAT(split_names<std::set<std::string>>("b, ,a,b"), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace webrtcupload
