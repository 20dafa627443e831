// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads of films that say they have an alpha channel, as browsers record them, in a pipeline that
// decodes them by itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <tuple>

#include "support/webm_film.h"
#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {
namespace {

using Codec = WebmFilm::Codec;

class Recording : public testing::TestWithParam<std::tuple<Codec, bool, const char*>> {};

TEST_P(Recording, IsDecodedToItsFrames) {
  const auto [codec, alpha_data, properties] = GetParam();
  WebmFilm film;
  film.codec = codec;
  film.alpha_data = alpha_data;
  film.sound = true;
  const Bytes bytes = make_webm(film);

  PeerPair pair({.observe_incoming = false});
  ReceivingPipeline receiver(pair.answerer(), properties,
                             "decodebin caps=video/x-raw(ANY) expose-all-streams=false "
                             "! fakesink name=sink signal-handoffs=true sync=false async=false");
  const auto frames = std::make_shared<std::atomic<int>>(0);
  const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(receiver.pipeline()), "sink"));
  const SignalConnection on_frame(
      sink.get(), "handoff",
      G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, std::shared_ptr<std::atomic<int>>* count) {
        ++**count;
      }),
      frames);
  receiver.play();
  const PeerPair::Channel channel = pair.connect();
  constexpr std::size_t kChunk = 1000;
  const std::size_t total = (bytes.size() + kChunk - 1) / kChunk;
  for (std::size_t i = 0; i < total; ++i) {
    const auto rest = std::span(bytes).subspan(i * kChunk);
    ASSERT_TRUE(
        send_chunk(channel.channel.get(), i, total, rest.first(std::min(kChunk, rest.size()))));
  }
  ASSERT_TRUE(receiver.wait_eos());
  EXPECT_EQ(*frames, film.frames);
}
INSTANTIATE_TEST_SUITE_P(All, Recording,
                         testing::Combine(testing::Values(Codec::kVp8, Codec::kVp9),
                                          testing::Bool(), testing::Values("", "progressive=true")),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) == Codec::kVp8 ? "Vp8"
                                                                                      : "Vp9") +
                                  (std::get<1>(param.param) ? "WithAlpha" : "WithoutAlpha") +
                                  (*std::get<2>(param.param) ? "Progressive" : "");
                         });

}  // namespace
}  // namespace webrtcupload::test
