// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcuploadserver and the further connections of a client that uploads in wire format v2.

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/wire_v2.h"
#include "noting_signaller.h"
#include "server_element.h"
#include "support/log.h"
#include "tool/serve_rig.h"
#include "upload/v2_client.h"

namespace webrtcupload::test {
namespace {

using ::testing::StartsWith;

constexpr std::size_t kSize = 1'000'000;

class FurtherConnections : public ServerElement {
 protected:
  void begin(const std::string& properties = "") {
    start(properties, "filesink location=" + out());
    ASSERT_EQ(first_.connect(port()), 200) << first_.reply();
    ASSERT_TRUE(first_.channel().observer->wait_open());
    over_first_ = client_.add(first_.channel());
    ASSERT_TRUE(client_.run_until_stored(kSize / 2));
  }
  ChannelId join(WorkerClient& connection) {
    EXPECT_EQ(connection.join(port(), first_.location()), 201) << connection.reply();
    EXPECT_THAT(connection.location(), StartsWith(first_.location() + "/connections/"));
    EXPECT_TRUE(connection.channel().observer->wait_open());
    return client_.add(connection.channel());
  }
  // How many peers have been removed since.
  [[nodiscard]] std::shared_ptr<std::atomic<int>> count_removed() const {
    const auto count = std::make_shared<std::atomic<int>>(0);
    using Count = std::shared_ptr<std::atomic<int>>;
    g_signal_connect_data(
        server_.get(), "peer-removed",
        G_CALLBACK(+[](GstElement*, GstElement*, Count* counts) { ++**counts; }), new Count(count),
        [](gpointer data, GClosure*) { delete static_cast<Count*>(data); }, GConnectFlags(0));
    return count;
  }
  [[nodiscard]] std::string further() const { return first_.location() + "/connections"; }
  void expect_complete() {
    client_.send_all();
    ASSERT_TRUE(client_.run_to_end());
    ASSERT_TRUE(bus_->wait(GST_MESSAGE_EOS));
    EXPECT_EQ(written(), file_);
  }

  const Bytes file_ = random_bytes(kSize);
  V2Client client_{file_, {.first = kSize / 2}};
  WorkerClient first_{kV2Protocol};
  ChannelId over_first_ = 0;
};

TEST_F(FurtherConnections, OneJoinsAndIsDeleted) {
  begin();
  WorkerClient second(kV2Protocol);
  const ChannelId over_second = join(second);
  EXPECT_EQ(status_of(http_exchange(port(), del(second.location()))), 200);
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(port(), del(second.location()))) == 404; }));
  client_.lose(over_second);
  WorkerClient third(kV2Protocol);
  join(third);
  // The rest has no other way.
  first_.hang_up();
  client_.lose(over_first_);
  expect_complete();
}

TEST_F(FurtherConnections, OneGoesOnWhenTheFirstIsLost) {
  begin();
  first_.hang_up();
  client_.lose(over_first_);
  // The place stays that client's.
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body()))), 429);
  WorkerClient second(kV2Protocol);
  join(second);
  expect_complete();
}

TEST_F(FurtherConnections, NobodyComesBackInTime) {
  begin("resume-timeout=300000000");
  first_.hang_up();
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(error_text(error.get()).code, "peer-gone");
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), "", further()))), 404);
}

TEST_F(FurtherConnections, AnInterruptedUploadIsDeleted) {
  begin();
  first_.hang_up();
  EXPECT_EQ(status_of(http_exchange(port(), del(first_.location()))), 200);
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(error_text(error.get()).code, "cancelled");
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), "", further()))), 404);
}

TEST_F(FurtherConnections, TheDeletedSessionEndsThemAll) {
  begin();
  WorkerClient second(kV2Protocol);
  join(second);
  const auto removed = count_removed();
  EXPECT_EQ(status_of(http_exchange(port(), del(first_.location()))), 200);
  EXPECT_TRUE(eventually([&] { return *removed == 2; })) << *removed;
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(port(), del(first_.location()))) == 404; }));
}

TEST_F(FurtherConnections, TheDeletedSessionEndsThemAllWhenItsUploadIsComplete) {
  begin();
  first_.hang_up();
  client_.lose(over_first_);
  WorkerClient second(kV2Protocol);
  join(second);
  const auto removed = count_removed();
  expect_complete();
  EXPECT_EQ(status_of(http_exchange(port(), del(first_.location()))), 200);
  EXPECT_TRUE(eventually([&] { return *removed >= 1; }));
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(port(), del(first_.location()))) == 404; }));
}

// With which they can be ended.
TEST_F(FurtherConnections, TheirNumbersAreNotInTheLog) {
  const Log log(6);
  begin();
  WorkerClient second(kV2Protocol);
  const ChannelId over_second = join(second);
  second.hang_up();
  client_.lose(over_second);
  EXPECT_TRUE(
      eventually([&] { return status_of(http_exchange(port(), del(second.location()))) == 404; }));
  const std::string path = second.location();
  EXPECT_TRUE(log.keeps_secret(path.substr(path.rfind('/') + 1)));
}

TEST_F(FurtherConnections, AFailedUploadEndsThem) {
  begin();
  WorkerClient second(kV2Protocol);
  join(second);
  const auto removed = count_removed();
  const auto upload = element_named(pipeline_, "upload");
  g_signal_emit_by_name(upload.get(), "cancel");
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(error_text(error.get()).code, "cancelled");
  EXPECT_TRUE(eventually([&] { return *removed == 1; })) << *removed;
}

TEST_F(FurtherConnections, AreCounted) {
  begin("max-connections=1");
  const std::string unknown = "/sessions/00112233445566778899aabbccddeeff/connections";
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), "", unknown))), 404);
  WorkerClient second(kV2Protocol);
  ASSERT_EQ(second.join(port(), first_.location()), 201);
  ASSERT_TRUE(second.channel().observer->wait_open());
  // Neither of them has been silent for long.
  ASSERT_TRUE(first_.say("{}"));
  EXPECT_EQ(status_of(http_exchange(port(), post(request_body(), "", further()))), 429);
}

TEST_F(FurtherConnections, TheOneThatIsSilentLongestMakesRoom) {
  begin("max-connections=1");
  first_.vanish();
  client_.lose(over_first_);
  WorkerClient second(kV2Protocol);
  const ChannelId over_second = join(second);
  second.vanish();
  client_.lose(over_second);
  WorkerClient third(kV2Protocol);
  ASSERT_EQ(third.join_when_there_is_room(port(), first_.location()), 201) << third.reply();
  ASSERT_TRUE(third.channel().observer->wait_open());
  client_.add(third.channel());
  expect_complete();
}

// A signaller brings no further offers, and so nobody could come back.
class OverASignaller : public ServerElement {
 protected:
  void prepare() {
    signaller_.reset(static_cast<TestSignaller*>(g_object_new(test_signaller_get_type(), nullptr)));
    signaller_->told = &told_;
    make("", "filesink location=" + out());
    g_object_set(server_.get(), "signaller", signaller_.get(), nullptr);
  }
  void begin() {
    prepare();
    play();
  }
  [[nodiscard]] guint64 resume_timeout() const {
    guint64 timeout = 0;
    g_object_get(server_.get(), "resume-timeout", &timeout, nullptr);
    return timeout;
  }

  Told told_;
  GObjectPtr<TestSignaller> signaller_;
};

TEST_F(OverASignaller, ALostConnectionIsTheEnd) {
  begin();
  EXPECT_EQ(resume_timeout(), 0U);
  const Bytes file = random_bytes(kSize);
  WorkerClient client(kV2Protocol);
  ASSERT_TRUE(gst_webrtc_upload_signaller_offer(GST_WEBRTC_UPLOAD_SIGNALLER(signaller_.get()),
                                                "one", client.make_offer().c_str()));
  ASSERT_TRUE(eventually([&] { return !told_.last_answer().empty(); }));
  client.take_answer(told_.last_answer());
  ASSERT_TRUE(client.channel().observer->wait_open());
  V2Client upload(file, {.first = kSize / 2});
  upload.add(client.channel());
  ASSERT_TRUE(upload.run_until_stored(kSize / 2));
  client.hang_up();
  const auto error = bus_->wait(GST_MESSAGE_ERROR);
  ASSERT_TRUE(error);
  EXPECT_EQ(error_text(error.get()).code, "peer-gone");
}

TEST_F(OverASignaller, WhatTheApplicationHasSetStays) {
  constexpr guint64 kMinute = 60 * GST_SECOND;
  for (const char* set_on : {"server", "upload"}) {
    prepare();
    g_object_set(element_named(pipeline_, set_on).get(), "resume-timeout", kMinute, nullptr);
    play();
    EXPECT_EQ(resume_timeout(), kMinute) << set_on;
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }
}

TEST_F(OverASignaller, WithoutOneLaterClientsMayComeBackAgain) {
  begin();
  EXPECT_EQ(resume_timeout(), 0U);
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  g_object_set(server_.get(), "signaller", nullptr, nullptr);
  play();
  EXPECT_EQ(resume_timeout(), 60'000'000'000U);
}

}  // namespace
}  // namespace webrtcupload::test
