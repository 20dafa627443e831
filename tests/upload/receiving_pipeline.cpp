// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/receiving_pipeline.h"

namespace webrtcupload::test {

ReceivingPipeline::ReceivingPipeline(GstElement* webrtcbin, const std::string& properties,
                                     const std::string& tail)
    : pipeline_(parse_pipeline("webrtcupload name=upload " + properties + " ! " + tail)) {
  if (!pipeline_) return;
  bus_ = std::make_unique<BusLog>(pipeline_.get());
  upload_ = element_named(pipeline_, "upload");
  if (webrtcbin) g_object_set(upload_.get(), "webrtcbin", webrtcbin, nullptr);
  const GstPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink"));
  if (!sink || g_signal_lookup("handoff", G_OBJECT_TYPE(sink.get())) == 0) return;
  using Closure = std::shared_ptr<Collected>;
  on_handoff_ = SignalConnection(
      sink.get(), "handoff",
      G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, Closure* collected) {
        GstMapInfo map;
        if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return;
        {
          const std::lock_guard lock((*collected)->mutex);
          (*collected)->bytes.insert((*collected)->bytes.end(), map.data, map.data + map.size);
        }
        gst_buffer_unmap(buffer, &map);
      }),
      collected_);
}

ReceivingPipeline::~ReceivingPipeline() {
  if (pipeline_) stop_promptly(pipeline_.get());
}

void ReceivingPipeline::play() {
  ASSERT_NE(gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
}

Bytes ReceivingPipeline::bytes() const {
  const std::lock_guard lock(collected_->mutex);
  return collected_->bytes;
}

std::string ReceivingPipeline::state() const {
  GEnumValue* value = nullptr;
  gint state = 0;
  g_object_get(upload_.get(), "state", &state, nullptr);
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(upload_.get()), "state");
  value = g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, state);
  return value ? value->value_nick : "";
}

GstStructurePtr ReceivingPipeline::stats() const {
  GstStructure* stats = nullptr;
  g_object_get(upload_.get(), "stats", &stats, nullptr);
  return GstStructurePtr(stats);
}

guint64 ReceivingPipeline::stat_u64(const char* field) const {
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats().get(), field, &value)) << field;
  return value;
}

guint ReceivingPipeline::stat_uint(const char* field) const {
  guint value = 0;
  EXPECT_TRUE(gst_structure_get_uint(stats().get(), field, &value)) << field;
  return value;
}

ErrorText ReceivingPipeline::wait_error() {
  const GstMessagePtr message = bus_->wait(GST_MESSAGE_ERROR);
  return message ? error_text(message.get()) : ErrorText{};
}

bool ReceivingPipeline::wait_eos() {
  const GstMessagePtr message =
      bus_->wait(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return true;
  ADD_FAILURE() << (message ? describe(message.get()) : "neither EOS nor an error came");
  return false;
}

GstPtr<GstElement> make_noise_sender(GstElement* webrtcbin, guint64 size) {
  constexpr guint64 kBlock = 64 * 1024;
  auto sender = parse_pipeline(
      "fakesrc name=noise sizetype=fixed filltype=random sizemax=" + std::to_string(kBlock) +
      " num-buffers=" + std::to_string(size / kBlock) +
      " ! webrtcuploadsink name=sink size=" + std::to_string(size));
  const auto sink = element_named(sender, "sink");
  g_object_set(sink.get(), "webrtcbin", webrtcbin, nullptr);
  return sender;
}

}  // namespace webrtcupload::test
