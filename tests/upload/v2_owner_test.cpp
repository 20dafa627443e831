// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A data channel of wire format v2 whose webrtcbin nobody knows. Alone in its program: as soon as
// there has been one of our elements, owners are known.

#include <gtest/gtest.h>

#include "core/wire_v2.h"
#include "upload/v2_fixture.h"

namespace webrtcupload::test {
namespace {

TEST_F(V2Upload, WithoutAWayForItsAnswersDoesNotStart) {
  ASSERT_TRUE(pair_.start());
  const auto made = create_v2(pair_, "any");
  ASSERT_TRUE(made);
  receiver_ = std::make_unique<ReceivingPipeline>(nullptr);
  g_object_set(upload(), "data-channel", made.get(), nullptr);
  gst_element_set_state(receiver_->pipeline(), GST_STATE_PLAYING);
  EXPECT_NE(receiver_->wait_error().message.find("its webrtcbin is not known"), std::string::npos);
  // Nothing has been taken that another start could lack.
  gst_element_set_state(receiver_->pipeline(), GST_STATE_NULL);
  const std::size_t former = receiver_->bus().count(GST_MESSAGE_ERROR);
  g_object_set(upload(), "webrtcbin", pair_.offerer(), nullptr);
  receiver_->play();
  EXPECT_EQ(receiver_->state(), "idle");
  EXPECT_EQ(receiver_->bus().count(GST_MESSAGE_ERROR), former);
}

}  // namespace
}  // namespace webrtcupload::test
