// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A webrtcuploadsink that speaks wire format v2, over real channels of one connection.

#pragma once

#include <memory>
#include <string>

#include "core/hex.h"
#include "core/sha256.h"
#include "core/wire_v2.h"
#include "json/control_reader.h"
#include "json/control_writer.h"
#include "sending/sink_fixture.h"
#include "upload/v2_peer.h"

namespace webrtcupload::test {

inline Sha256Sum sum_of(const Bytes& file) {
  Sha256 hash = std::move(Sha256::create().value());
  hash.update(file);
  return hash.sum();
}

inline std::string text_property(GstElement* element, const char* name) {
  char* raw = nullptr;
  g_object_get(element, name, &raw, nullptr);
  const GCharPtr text(raw);
  return text ? text.get() : "";
}

inline control::Ready ready_of(std::uint64_t credit) {
  return {.upload = *UploadId::parse("0123456789abcdef0123456789abcdef"),
          .credit = credit,
          .max_payload = kMaxBlockPayload,
          .max_size = kDefaultMaxSize,
          .max_connections = 8,
          .resume_timeout = 60};
}

class SinkSpeaksV2 : public SinkOverAChannel {
 protected:
  void SetUp() override {
    SinkOverAChannel::SetUp();
    if (!HasFatalFailure()) next_v2_channel();
  }

  // Another channel on the same connection, whose far end only records.
  void next_v2_channel() {
    static std::atomic<int> number{0};
    const std::string label = "v2_upload" + std::to_string(++number);
    const GstStructurePtr options(
        gst_structure_new("options", "protocol", G_TYPE_STRING, kV2Protocol, nullptr));
    near_.channel = pair_.create_channel(label.c_str(), PeerPair::Side::kOfferer, options.get());
    near_.observer = std::make_shared<ChannelObserver>(near_.channel.get());
    far_ = pair_.incoming(PeerPair::Side::kAnswerer, label);
    ASSERT_TRUE(far_);
  }

  // Says something as the receiver.
  void say(const ControlMessage& message) {
    ASSERT_TRUE(send_text(far_->channel(), write_control(message)));
  }
  // The first `count` messages that came to the far end, those that are text.
  std::vector<ControlMessage> heard() const {
    std::vector<ControlMessage> messages;
    for (const auto& message : far_->messages()) {
      if (!message.is_text) continue;
      const auto read =
          read_control({reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()});
      EXPECT_TRUE(read) << read.error().message;
      if (read && read.value()) messages.push_back(*read.value());
    }
    return messages;
  }
};

}  // namespace webrtcupload::test
