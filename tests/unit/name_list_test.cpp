// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/name_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace webrtcupload {
namespace {

using testing::ElementsAre;

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

}  // namespace
}  // namespace webrtcupload
