// SPDX-License-Identifier: LGPL-2.1-or-later
//
// webrtcupload without a peer: its properties, what it says about itself to people and to other
// elements, and everything that keeps it from starting.

#include <gst/webrtc/webrtc.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "core/spool.h"
#include "glib/signal_connection.h"
#include "support/gst_test.h"
#include "support/odd_directory.h"

namespace webrtcupload::test {
namespace {

using PadPtr = GstPtr<GstPad>;
using QueryPtr = GstMiniPtr<GstQuery>;

GstPtr<GstElement> make_upload() {
  GstElement* upload = gst_element_factory_make("webrtcupload", nullptr);
  EXPECT_TRUE(upload);
  return GstPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(upload)));
}

// Starts a pipeline that cannot start, and gives the first error it posts.
ErrorText start_error(const GstPtr<GstElement>& pipeline) {
  if (!pipeline) return {};
  BusLog bus(pipeline.get());
  EXPECT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
  const auto errors = bus.all(GST_MESSAGE_ERROR);
  EXPECT_FALSE(errors.empty());
  // GstBaseSrc adds one of its own.
  EXPECT_LE(errors.size(), 2U);
  const ErrorText text = errors.empty() ? ErrorText() : error_text(errors.front().get());
  stop_promptly(pipeline.get());
  return text;
}

std::string type_name(GParamSpec* spec) { return g_type_name(G_PARAM_SPEC_VALUE_TYPE(spec)); }

std::vector<GParamSpec*> own_properties(GstElement* upload) {
  guint count = 0;
  GParamSpec** all = g_object_class_list_properties(G_OBJECT_GET_CLASS(upload), &count);
  std::vector<GParamSpec*> own;
  for (guint i = 0; i < count; ++i) {
    if (all[i]->owner_type == G_OBJECT_TYPE(upload)) own.push_back(all[i]);
  }
  g_free(all);
  return own;
}

bool is_sentence(const char* text) { return text && std::string(text).size() > 20; }

// -------------------------------------------------------------------------------------------------
// properties

struct NumberProperty {
  const char* name;
  guint64 minimum;
  guint64 standard;
  guint64 maximum;
};

const NumberProperty kNumbers[] = {
    {"max-size", 1, 524'288'000, G_MAXINT64},
    {"max-chunks", 0, 0, G_MAXUINT},
    {"max-chunk-size", 1, 65'528, G_MAXUINT},
    {"upload-timeout", 0, 0, G_MAXINT64},
    {"min-rate", 0, 4096, G_MAXUINT64},
    {"max-pixels", 0, 67108864, G_MAXUINT64},
    {"max-duration", 0, 24 * 3600 * GST_SECOND, G_MAXINT64},
    {"max-frames", 0, 12000000, G_MAXUINT64},
    {"max-streams", 0, 64, G_MAXUINT},
    {"idle-timeout", 0, 30 * GST_SECOND, G_MAXINT64},
    {"quota-interval", 0, GST_SECOND, G_MAXINT64},
    {"backlog-high", 64 * 1024, 4 * 1024 * 1024, 1024ULL * 1024 * 1024},
    {"backlog-low", 0, 1024 * 1024, 1024ULL * 1024 * 1024},
    {"socket-buffer-size", 0, 4 * 1024 * 1024, G_MAXINT / 2},
};

guint64 number(GstElement* upload, const char* name) {
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(upload), name);
  GValue value = G_VALUE_INIT;
  g_value_init(&value, G_PARAM_SPEC_VALUE_TYPE(spec));
  g_object_get_property(G_OBJECT(upload), name, &value);
  GValue wide = G_VALUE_INIT;
  g_value_init(&wide, G_TYPE_UINT64);
  EXPECT_TRUE(g_value_transform(&value, &wide)) << name;
  return g_value_get_uint64(&wide);
}

TEST(UploadElement, NumbersHaveTheirDefaultsAndRanges) {
  const auto upload = make_upload();
  for (const auto& [name, minimum, standard, maximum] : kNumbers) {
    EXPECT_EQ(number(upload.get(), name), standard) << name;
    for (const guint64 value : {minimum, maximum}) {
      gst_util_set_object_arg(G_OBJECT(upload.get()), name, std::to_string(value).c_str());
      EXPECT_EQ(number(upload.get(), name), value) << name;
    }
  }
}

TEST(UploadElement, OtherPropertiesHaveTheirDefaults) {
  const auto upload = make_upload();
  gpointer channel = upload.get();
  gpointer webrtcbin = upload.get();
  char* raw_name = nullptr;
  char* raw_label = nullptr;
  char* raw_directory = nullptr;
  gboolean progressive = TRUE;
  gint state = -1;
  GstStructure* raw_stats = nullptr;
  g_object_get(upload.get(), "data-channel", &channel, "webrtcbin", &webrtcbin, "webrtcbin-name",
               &raw_name, "channel-label", &raw_label, "spool-directory", &raw_directory,
               "progressive", &progressive, "state", &state, "stats", &raw_stats, nullptr);
  const GCharPtr name(raw_name);
  const GCharPtr label(raw_label);
  const GCharPtr directory(raw_directory);
  const GstStructurePtr stats(raw_stats);
  EXPECT_EQ(channel, nullptr);
  EXPECT_EQ(webrtcbin, nullptr);
  EXPECT_TRUE(!name || !*name);
  EXPECT_STREQ(label.get(), "video_upload");
  EXPECT_EQ(directory.get(), Spool::default_directory());
  EXPECT_FALSE(progressive);
  EXPECT_EQ(state, 0);
  EXPECT_TRUE(gst_structure_has_name(stats.get(), "application/x-webrtcupload-stats"));
}

TEST(UploadElement, SettingsReadBackAsSet) {
  const auto upload = make_upload();
  g_object_set(upload.get(), "webrtcbin-name", "peer", "channel-label", "film", "spool-directory",
               "/var/tmp", "progressive", TRUE, nullptr);
  char* raw_name = nullptr;
  char* raw_label = nullptr;
  char* raw_directory = nullptr;
  gboolean progressive = FALSE;
  g_object_get(upload.get(), "webrtcbin-name", &raw_name, "channel-label", &raw_label,
               "spool-directory", &raw_directory, "progressive", &progressive, nullptr);
  const GCharPtr name(raw_name);
  const GCharPtr label(raw_label);
  const GCharPtr directory(raw_directory);
  EXPECT_STREQ(name.get(), "peer");
  EXPECT_STREQ(label.get(), "film");
  EXPECT_STREQ(directory.get(), "/var/tmp");
  EXPECT_TRUE(progressive);

  // A null string is an empty one, or the default.
  g_object_set(upload.get(), "webrtcbin-name", nullptr, "channel-label", nullptr, "spool-directory",
               nullptr, nullptr);
  g_object_get(upload.get(), "spool-directory", &raw_directory, nullptr);
  EXPECT_EQ(GCharPtr(raw_directory).get(), Spool::default_directory());
}

TEST(UploadElement, ElementsAreHeldAndLetGo) {
  const auto upload = make_upload();
  GstPtr<GstElement> peer(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("webrtcbin", nullptr))));
  g_object_set(upload.get(), "webrtcbin", peer.get(), nullptr);
  GstElement* raw = nullptr;
  g_object_get(upload.get(), "webrtcbin", &raw, nullptr);
  EXPECT_EQ(GstPtr<GstElement>(raw), peer);
  g_object_set(upload.get(), "webrtcbin", nullptr, nullptr);
  g_object_get(upload.get(), "webrtcbin", &raw, nullptr);
  EXPECT_EQ(raw, nullptr);
  EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(peer.get()), 1);
}

TEST(UploadElement, SettingsOfV2ReadBackAsSet) {
  const auto upload = make_upload();
  guint protocols = 0;
  guint64 window = 0;
  guint64 resume_timeout = 0;
  guint max_connections = 0;
  const auto get = [&] {
    g_object_get(upload.get(), "protocols", &protocols, "window", &window, "resume-timeout",
                 &resume_timeout, "max-connections", &max_connections, nullptr);
  };
  get();
  EXPECT_EQ(protocols, 3U);
  EXPECT_EQ(window, 8U * 1024 * 1024);
  EXPECT_EQ(resume_timeout, 60 * GST_SECOND);
  EXPECT_EQ(max_connections, 8U);
  gst_util_set_object_arg(G_OBJECT(upload.get()), "protocols", "v2");
  g_object_set(upload.get(), "window", guint64{65536}, "resume-timeout", guint64{0},
               "max-connections", 3U, nullptr);
  get();
  EXPECT_EQ(protocols, 2U);
  EXPECT_EQ(window, 65536U);
  EXPECT_EQ(resume_timeout, 0U);
  EXPECT_EQ(max_connections, 3U);
}

// -------------------------------------------------------------------------------------------------
// what gst-inspect-1.0 shows

TEST(UploadElement, PropertiesAreDescribed) {
  const auto upload = make_upload();
  const auto properties = own_properties(upload.get());
  EXPECT_EQ(properties.size(), 33U);
  for (GParamSpec* spec : properties) {
    EXPECT_TRUE(is_sentence(g_param_spec_get_blurb(spec))) << spec->name;
    EXPECT_TRUE(g_param_spec_get_nick(spec) && *g_param_spec_get_nick(spec)) << spec->name;
    EXPECT_TRUE(spec->flags & G_PARAM_READABLE) << spec->name;
    const std::string name = spec->name;
    const bool read_only = name == "state" || name == "stats";
    EXPECT_EQ((spec->flags & G_PARAM_WRITABLE) != 0, !read_only) << name;
    const bool any_time = name == "end-pipeline";
    EXPECT_EQ((spec->flags & GST_PARAM_MUTABLE_READY) != 0, !read_only && !any_time) << name;
    EXPECT_EQ((spec->flags & GST_PARAM_MUTABLE_PLAYING) != 0, any_time) << name;
    // Units, where a number has one.
    const std::string blurb = g_param_spec_get_blurb(spec);
    if (name.ends_with("-timeout") || name.ends_with("-interval")) {
      EXPECT_NE(blurb.find("nanoseconds"), std::string::npos) << name;
    }
    if (name.starts_with("backlog-") || name.ends_with("-size") || name.ends_with("-rate")) {
      EXPECT_TRUE(blurb.find("bytes") != std::string::npos ||
                  blurb.find("Bytes") != std::string::npos)
          << name;
    }
  }
}

TEST(UploadElement, StatesAreDescribed) {
  const auto upload = make_upload();
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(upload.get()), "state");
  ASSERT_EQ(type_name(spec), "GstWebrtcUploadState");
  const GEnumClass* states = G_PARAM_SPEC_ENUM(spec)->enum_class;
  const std::vector<std::string> nicks{"idle",       "uploading", "complete",
                                       "processing", "done",      "error"};
  ASSERT_EQ(states->n_values, nicks.size());
  for (guint i = 0; i < states->n_values; ++i) {
    EXPECT_EQ(states->values[i].value_nick, nicks[i]);
    EXPECT_NE(states->values[i].value_name, nullptr);
  }
}

TEST(UploadElement, SignalsHaveTheirSignatures) {
  const auto upload = make_upload();
  const GType type = G_OBJECT_TYPE(upload.get());
  guint count = 0;
  g_free(g_signal_list_ids(type, &count));
  EXPECT_EQ(count, 7U);
  const auto query = [type](const char* name) {
    GSignalQuery result{};
    const guint id = g_signal_lookup(name, type);
    EXPECT_NE(id, 0U) << name;
    g_signal_query(id, &result);
    return result;
  };
  const auto parameter = [](const GSignalQuery& signal) {
    return signal.param_types[0] & ~G_SIGNAL_TYPE_STATIC_SCOPE;
  };
  const auto authorize = query("authorize");
  EXPECT_EQ(authorize.return_type, G_TYPE_BOOLEAN);
  ASSERT_EQ(authorize.n_params, 1U);
  EXPECT_EQ(parameter(authorize), GST_TYPE_STRUCTURE);
  const auto quota = query("check-quota");
  EXPECT_EQ(quota.return_type, G_TYPE_BOOLEAN);
  EXPECT_EQ(quota.n_params, 0U);
  const auto complete = query("upload-complete");
  EXPECT_EQ(complete.return_type, G_TYPE_NONE);
  EXPECT_EQ(complete.n_params, 0U);
  const auto failed = query("upload-failed");
  ASSERT_EQ(failed.n_params, 1U);
  EXPECT_EQ(parameter(failed), G_TYPE_ERROR);
  EXPECT_TRUE(query("cancel").signal_flags & G_SIGNAL_ACTION);
  for (const char* name : {"attach", "prepare-stop"}) {
    const auto action = query(name);
    EXPECT_TRUE(action.signal_flags & G_SIGNAL_ACTION) << name;
    EXPECT_EQ(action.return_type, G_TYPE_BOOLEAN) << name;
    ASSERT_EQ(action.n_params, 1U) << name;
    EXPECT_EQ(parameter(action), GST_TYPE_ELEMENT) << name;
  }
  EXPECT_FALSE(authorize.signal_flags & G_SIGNAL_ACTION);
}

TEST(UploadElement, SaysWhatItIs) {
  const GstPtr<GstElementFactory> factory(gst_element_factory_find("webrtcupload"));
  ASSERT_TRUE(factory);
  for (const char* key : {GST_ELEMENT_METADATA_LONGNAME, GST_ELEMENT_METADATA_DESCRIPTION,
                          GST_ELEMENT_METADATA_AUTHOR}) {
    const char* text = gst_element_factory_get_metadata(factory.get(), key);
    EXPECT_TRUE(text && *text) << key;
  }
  EXPECT_STREQ(gst_element_factory_get_metadata(factory.get(), GST_ELEMENT_METADATA_KLASS),
               "Source/Network");
  const GList* templates = gst_element_factory_get_static_pad_templates(factory.get());
  ASSERT_EQ(g_list_length(const_cast<GList*>(templates)), 1U);
  const auto* src = static_cast<const GstStaticPadTemplate*>(templates->data);
  EXPECT_STREQ(src->name_template, "src");
  EXPECT_EQ(src->direction, GST_PAD_SRC);
  EXPECT_EQ(src->presence, GST_PAD_ALWAYS);
}

// -------------------------------------------------------------------------------------------------
// what keeps it from starting

TEST(UploadElement, NoWebrtcbinOfThatName) {
  const ErrorText error =
      start_error(parse_pipeline("webrtcupload webrtcbin-name=nobody ! fakesink"));
  EXPECT_NE(error.message.find("\"nobody\""), std::string::npos) << error.message;
}

TEST(UploadElement, AnotherElementOfThatName) {
  const ErrorText error = start_error(
      parse_pipeline("webrtcupload webrtcbin-name=other ! fakesink name=other async=false"));
  EXPECT_NE(error.message.find("\"other\""), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("GstFakeSink"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("not a webrtcbin"), std::string::npos) << error.message;
}

TEST(UploadElement, AnotherElementForWebrtcbin) {
  const auto pipeline = parse_pipeline("webrtcupload name=upload ! fakesink name=other");
  const auto upload = element_named(pipeline, "upload");
  const auto other = element_named(pipeline, "other");
  g_object_set(upload.get(), "webrtcbin", other.get(), nullptr);
  const ErrorText error = start_error(pipeline);
  EXPECT_NE(error.message.find("\"other\""), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("not a webrtcbin"), std::string::npos) << error.message;
  // Or they would keep each other.
  g_object_set(upload.get(), "webrtcbin", nullptr, nullptr);
}

TEST(UploadElement, NothingToReceiveFrom) {
  const ErrorText error = start_error(parse_pipeline("webrtcupload ! fakesink"));
  for (const char* property : {"webrtcbin-name", "\"webrtcbin\"", "data-channel"}) {
    EXPECT_NE(error.message.find(property), std::string::npos) << error.message;
  }
}

TEST(UploadElement, NoSpoolDirectory) {
  const ErrorText error = start_error(parse_pipeline(
      "webrtcbin name=pc webrtcupload webrtcbin-name=pc spool-directory=/not/there ! fakesink"));
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find("/not/there"), std::string::npos) << error.message;
  EXPECT_NE(error.message.find("No such file or directory"), std::string::npos) << error.message;
}

TEST(UploadElement, KeepsTheUploadInAFileThatIsOpen) {
  const test::TemporaryDirectory directory;
  const int fd = open(directory.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  const auto pipeline = parse_pipeline(
      "webrtcbin name=pc webrtcupload name=upload webrtcbin-name=pc spool-directory=/not/there ! "
      "fakesink");
  g_object_set(element_named(pipeline, "upload").get(), "spool-fd", fd, nullptr);
  EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  stop_promptly(pipeline.get());
  // It has closed its own duplicate, and no other.
  EXPECT_EQ(close(fd), 0);
}

TEST(UploadElement, AFileThatNothingCanBeKeptIn) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const ErrorText error =
      start_error(parse_pipeline("webrtcbin name=pc webrtcupload webrtcbin-name=pc spool-fd=" +
                                 std::to_string(fd) + " ! fakesink"));
  EXPECT_EQ(error.code, "storage-failed");
  EXPECT_NE(error.message.find("cannot empty the spool file"), std::string::npos) << error.message;
  EXPECT_EQ(close(fd), 0);
}

TEST(UploadElement, AFileForASpoolDirectory) {
  const ErrorText error = start_error(parse_pipeline(
      "webrtcbin name=pc webrtcupload webrtcbin-name=pc spool-directory=/proc/version ! fakesink"));
  EXPECT_EQ(error.code, "storage-failed");
}

TEST(UploadElement, StartsAfterWhatWasWrongIsRight) {
  const auto pipeline =
      parse_pipeline("webrtcbin name=pc webrtcupload name=upload webrtcbin-name=nobody ! fakesink");
  (void)start_error(pipeline);
  g_object_set(element_named(pipeline, "upload").get(), "webrtcbin-name", "pc", nullptr);
  EXPECT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  stop_promptly(pipeline.get());
}

}  // namespace
}  // namespace webrtcupload::test
