// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Uploads that name files and addresses, in pipelines that choose their elements themselves: they
// are refused, and nothing that they name is opened.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include "support/playlists.h"
#include "upload/upload_witness.h"
#include "webrtcupload/gstwebrtcuploaderror.h"

namespace webrtcupload::test {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;
using ::testing::Not;

// From the last chunk to the error. Much less as a rule: nothing has to be waited for.
constexpr std::chrono::seconds kAtOnce{1};

constexpr char kPlaylist[] = "this is a playlist, not a video";
constexpr char kNoVideo[] = "this is not a video";

// One connection for all tests; each has a channel of its own on it.
class Guard : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    pair_ = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
    ASSERT_TRUE(pair_->connect("first").channel);
  }
  static void TearDownTestSuite() { pair_.reset(); }

  void run(const std::string& tail, const std::string& properties, const std::string& content) {
    receiver_ = std::make_unique<ReceivingPipeline>(pair_->answerer(), properties, tail);
    ASSERT_TRUE(receiver_->pipeline());
    witness_ = std::make_unique<UploadWitness>(receiver_->upload());
    receiver_->play();
    channel_ = open_channel(*pair_);
    ASSERT_TRUE(channel_.channel);
    const Bytes bytes(content.begin(), content.end());
    // In several, so that a pipeline that reads as they come has something to wait for.
    ASSERT_TRUE(
        send_file(channel_.channel.get(), bytes, std::max<std::size_t>(content.size() / 3, 1)));
  }

  // Stopped, so that nobody does anything any more. What pushes is let come to its end before: a
  // decodebin3 that is stopped while it makes its pads does not free them all.
  [[nodiscard]] std::string opened() {
    const GstPtr<GstPad> pad(gst_element_get_static_pad(receiver_->upload(), "src"));
    if (GST_PAD_MODE(pad.get()) == GST_PAD_MODE_PUSH) {
      EXPECT_TRUE(eventually([&] { return gst_pad_get_task_state(pad.get()) != GST_TASK_STARTED; },
                             kDeadline));
      GST_PAD_STREAM_LOCK(pad.get());
      GST_PAD_STREAM_UNLOCK(pad.get());
    }
    stop_promptly(receiver_->pipeline());
    return opened_.opened();
  }

  // The first error that the pipeline posts, and how long after completion it came.
  [[nodiscard]] ErrorText first_error() {
    const GstMessagePtr message = receiver_->bus().wait(GST_MESSAGE_ERROR);
    return message ? error_text(message.get()) : ErrorText{};
  }

  static inline std::unique_ptr<PeerPair> pair_;
  OpenWitness opened_;
  PeerPair::Channel channel_;
  std::unique_ptr<ReceivingPipeline> receiver_;
  std::unique_ptr<UploadWitness> witness_;
};

// -------------------------------------------------------------------------------------------------
// every kind of file, in every pipeline

struct Tail {
  const char* name;
  const char* description;
  const char* properties;
};

constexpr Tail kTails[] = {
    {"decodebin", "decodebin ! fakesink", ""},
    {"decodebin_progressive", "decodebin ! fakesink", "progressive=true"},
    {"decodebin3", "decodebin3 ! fakesink", ""},
    {"decodebin3_progressive", "typefind ! decodebin3 ! fakesink", "progressive=true"},
    {"parsebin", "parsebin ! fakesink", ""},
    {"parsebin_pushed", "queue ! parsebin ! fakesink", ""},
};

class Refused : public Guard, public testing::WithParamInterface<std::tuple<Tail, std::string>> {};

TEST_P(Refused, AtOnceAndNothingIsOpened) {
  const auto& [tail, name] = GetParam();
  const Playlist playlist = test::playlist(name, opened_);
  run(tail.description, tail.properties, playlist.content);
  if (HasFatalFailure()) return;
  // One that is refused while it arrives is never complete.
  EXPECT_TRUE(eventually([this] { return receiver_->state() != "idle"; }, kDeadline));
  const ErrorText error = first_error();
  EXPECT_THAT(opened(), IsEmpty());
  if (playlist.is_known) {
    EXPECT_THAT(error.message, AnyOf(kPlaylist, kNoVideo));
    EXPECT_EQ(error.code, "not-a-video");
    EXPECT_EQ(receiver_->state(), "error");
    const GstStructurePtr stats = receiver_->stats();
    EXPECT_STREQ(gst_structure_get_string(stats.get(), "error-code"), "not-a-video");
  } else {
    EXPECT_NE(error.message, "");
  }
}

// Every file with every tail. Texts are given out as texts by GStreamer 1.22's decodebin3, which
// then does not always free its pad: the test of the server has these.
std::vector<std::tuple<Tail, std::string>> cases() {
  std::vector<std::tuple<Tail, std::string>> all;
  for (const Tail& tail : kTails) {
    const bool gives_texts = std::string(tail.name).starts_with("decodebin3");
    for (const std::string& name : playlist_names()) {
      const bool is_text = name == "uri_list" || name == "m3u" || name == "ram" ||
                           (tail.properties[0] && name == "smooth_behind_id3");
      if (!gives_texts || !is_text) all.emplace_back(tail, name);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(, Refused, testing::ValuesIn(cases()), [](const auto& param) {
  return std::string(std::get<0>(param.param).name) + "_" + std::get<1>(param.param);
});

// The witness sees, and the files name what it watches: without an upload before it, decodebin
// follows them.
TEST(Witness, SeesWhatTheSamePlaylistsOpen) {
  for (const char* name : {"hls_media", "hls_behind_id3", "dash"}) {
    OpenWitness witness;
    const Playlist playlist = test::playlist(name, witness);
    const auto pipeline = parse_pipeline("appsrc name=source ! decodebin ! fakesink");
    const auto source = element_named(pipeline, "source");
    BusLog bus(pipeline.get());
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    GstBuffer* buffer = gst_buffer_new_memdup(playlist.content.data(), playlist.content.size());
    GstFlowReturn flow = GST_FLOW_OK;
    g_signal_emit_by_name(source.get(), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    g_signal_emit_by_name(source.get(), "end-of-stream", &flow);
    std::string opened;
    EXPECT_TRUE(eventually([&] { return !(opened = witness.opened()).empty(); }, kDeadline))
        << name;
    stop_promptly(pipeline.get());
  }
}

// What a person does who lists /tmp, or a program that looks for old files there.
TEST(Witness, DoesNotMindWhoListsItsDirectory) {
  OpenWitness witness;
  const std::filesystem::path file = witness.file();
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    EXPECT_EQ(entry.path(), file);
  }
  EXPECT_EQ(witness.opened(), "");
  EXPECT_EQ(std::ifstream(file).get(), 'x');
  EXPECT_EQ(witness.opened(), "open of named; access to named; ");
}

// -------------------------------------------------------------------------------------------------
// how it is told

TEST_F(Guard, IsToldLikeAnyOtherFailure) {
  run("decodebin ! fakesink", "", playlist("hls_media", opened_).content);
  ASSERT_TRUE(witness_->wait_complete());
  const auto completed = std::chrono::steady_clock::now();
  const ErrorText error = first_error();
  EXPECT_LT(std::chrono::steady_clock::now() - completed, kAtOnce);
  EXPECT_EQ(error.message, kPlaylist);
  EXPECT_EQ(error.code, "not-a-video");
  ASSERT_TRUE(witness_->wait_failed());
  ASSERT_EQ(witness_->failures().size(), 1U);
  EXPECT_EQ(witness_->failures()[0].code, GST_WEBRTC_UPLOAD_ERROR_NOT_A_VIDEO);
  EXPECT_EQ(witness_->failures()[0].message, kPlaylist);
  EXPECT_TRUE(channel_.observer->wait_closed()) << "the sender notices";
  EXPECT_EQ(witness_->states().back(), "error");
  EXPECT_THAT(opened(), IsEmpty());
}

// -------------------------------------------------------------------------------------------------
// the second look

// A "decoder" that opens a file when it starts, as a demuxer of playlists does, and says nothing of
// that: neither its class nor its caps.
std::string& opener_opens() {
  static std::string path;
  return path;
}

GstStateChangeReturn change_opener_state(GstElement* element, GstStateChange transition) {
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    GstElement* source = gst_element_factory_make("filesrc", nullptr);
    GstElement* sink = gst_element_factory_make("fakesink", nullptr);
    g_object_set(source, "location", opener_opens().c_str(), nullptr);
    g_object_set(sink, "async", FALSE, nullptr);
    gst_bin_add_many(GST_BIN(element), source, sink, nullptr);
    gst_element_link(source, sink);
    gst_element_sync_state_with_parent(sink);
    gst_element_set_state(source, GST_STATE_PAUSED);
  }
  return GST_ELEMENT_CLASS(g_type_class_peek(GST_TYPE_BIN))->change_state(element, transition);
}

void register_opener() {
  static const bool once = [] {
    GTypeInfo info{};
    info.class_size = sizeof(GstBinClass);
    info.instance_size = sizeof(GstBin);
    info.class_init = [](gpointer klass, gpointer) {
      auto* element_class = GST_ELEMENT_CLASS(klass);
      gst_element_class_set_static_metadata(element_class, "Opener", "Codec/Decoder/Video", "-",
                                            "-");
      const GstCapsPtr in(gst_caps_from_string("video/x-test-opener"));
      const GstCapsPtr out(gst_caps_from_string("video/x-raw"));
      gst_element_class_add_pad_template(
          element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, in.get()));
      gst_element_class_add_pad_template(
          element_class, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, out.get()));
      element_class->change_state = change_opener_state;
    };
    info.instance_init = [](GTypeInstance* instance, gpointer) {
      auto* bin = GST_BIN(instance);
      GstElement* inner = gst_element_factory_make("identity", nullptr);
      gst_bin_add(bin, inner);
      for (const char* name : {"sink", "src"}) {
        const GstPtr<GstPad> pad(gst_element_get_static_pad(inner, name));
        gst_element_add_pad(GST_ELEMENT(bin), gst_ghost_pad_new(name, pad.get()));
      }
    };
    const GType type = g_type_register_static(GST_TYPE_BIN, "TestOpener", &info, GTypeFlags(0));
    GstCaps* caps = gst_caps_from_string("video/x-test-opener");
    const bool known = gst_type_find_register(
        nullptr, "test-opener", GST_RANK_PRIMARY,
        [](GstTypeFind* find, gpointer) {
          const guint8* head = gst_type_find_peek(find, 0, 6);
          if (!head || memcmp(head, "OPENER", 6) != 0) return;
          gst_type_find_suggest_empty_simple(find, GST_TYPE_FIND_MAXIMUM, "video/x-test-opener");
        },
        nullptr, caps, nullptr, nullptr);
    gst_caps_unref(caps);
    return known && gst_element_register(nullptr, "testopener", GST_RANK_PRIMARY + 10, type);
  }();
  ASSERT_TRUE(once);
}

// The test's types are there for as long as the test is.
class SecondLook : public Guard {
 protected:
  static void SetUpTestSuite() {
    Guard::SetUpTestSuite();
    register_opener();
  }
  static void TearDownTestSuite() {
    for (const auto& [name, type] : {std::pair{"testopener", GST_TYPE_ELEMENT_FACTORY},
                                     std::pair{"test-opener", GST_TYPE_TYPE_FIND_FACTORY}}) {
      const GstPtr<GstPluginFeature> feature(
          gst_registry_find_feature(gst_registry_get(), name, type));
      if (feature) gst_registry_remove_feature(gst_registry_get(), feature.get());
    }
    Guard::TearDownTestSuite();
  }

  void run_opener(const char* tail, const char* properties = "") {
    opener_opens() = opened_.file();
    run(tail, properties, "OPENER" + std::string(5000, 'x'));
  }
};

TEST_F(SecondLook, WhatIsMadeWithoutAskingDoesNotStart) {
  run_opener("decodebin ! fakesink");
  if (HasFatalFailure()) return;
  const ErrorText error = first_error();
  EXPECT_EQ(error.message, kPlaylist);
  EXPECT_EQ(error.code, "not-a-video");
  EXPECT_THAT(opened(), IsEmpty());
}

// -------------------------------------------------------------------------------------------------
// what stays as it was

// A pipeline that reads playlists itself, because it is to.
TEST_F(Guard, WhatTheApplicationPutsInIsItsOwnAffair) {
  run("hlsdemux ! fakesink", "", playlist("hls_media", opened_).content);
  std::string opened;
  EXPECT_TRUE(eventually([&] { return !(opened = opened_.opened()).empty(); }, kDeadline));
  stop_promptly(receiver_->pipeline());
}

TEST_F(Guard, AnElementThatIsAllowedMayOpenWhatItLikes) {
  run("decodebin ! fakesink", "allow-elements=hlsdemux2,hlsdemux",
      playlist("hls_media", opened_).content);
  std::string opened;
  EXPECT_TRUE(eventually([&] { return !(opened = opened_.opened()).empty(); }, kDeadline));
  stop_promptly(receiver_->pipeline());
}

TEST_F(Guard, OneThatIsDeniedIsNotAllowed) {
  run("decodebin ! fakesink", "allow-elements=hlsdemux2,hlsdemux deny-elements=hlsdemux,hlsdemux2",
      playlist("hls_media", opened_).content);
  EXPECT_EQ(first_error().code, "not-a-video");
  EXPECT_THAT(opened(), IsEmpty());
}

// Other inputs of the same pipeline are not the peer's.
TEST_F(Guard, SourcesOfTheApplicationBesideTheUpload) {
  std::atomic<int> frames = 0;
  const std::string text = playlist("hls_media", opened_).content;
  run("decodebin ! fakesink  uridecodebin uri=file://" + opened_.file() + " ! fakesink", "", text);
  ASSERT_TRUE(
      eventually([&] { return opened_.opened().find("open") != std::string::npos; }, kDeadline))
      << "its own file is opened";
  stop_promptly(receiver_->pipeline());
}

}  // namespace
}  // namespace webrtcupload::test
