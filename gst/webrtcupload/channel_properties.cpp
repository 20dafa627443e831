// SPDX-License-Identifier: LGPL-2.1-or-later

#include "gst/webrtcupload/channel_properties.h"

#include "glib/settings_properties.h"
#include "webrtc/channels.h"

namespace webrtcupload {

void install_channel_properties(GObjectClass* object_class, const char* default_label,
                                int data_channel_mutable) {
  g_object_class_install_property(
      object_class, PROP_DATA_CHANNEL,
      g_param_spec_object(
          "data-channel", "Data channel",
          "The data channel to use, if the application has it already; it has to be reliable and "
          "ordered. Takes precedence over webrtcbin and webrtcbin-name: set one of them as well, "
          "so "
          "that the element notices a peer that ends the whole connection, and webrtcupload can "
          "hold back its peer. A channel that the peer has opened is set inside on-data-channel, "
          "since messages that come before that are lost",
          GST_TYPE_WEBRTC_DATA_CHANNEL,
          static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                   data_channel_mutable)));
  g_object_class_install_property(
      object_class, PROP_WEBRTCBIN,
      g_param_spec_object(
          "webrtcbin", "webrtcbin",
          "The webrtcbin whose data channel is used, in this pipeline or another. webrtcupload and "
          "webrtcresultsink take the first fitting one that the peer opens, and have to be PAUSED "
          "before the offer is answered. webrtcuploadsink makes one on its way to PAUSED, which "
          "has "
          "to be before the offer is made, with this webrtcbin at least in READY",
          GST_TYPE_ELEMENT, kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_WEBRTCBIN_NAME,
      g_param_spec_string(
          "webrtcbin-name", "Name of the webrtcbin",
          "Like webrtcbin, by the name that it has in the outermost bin around this "
          "element, at any depth; used when webrtcbin is not set",
          nullptr, kReadyFlags));
  g_object_class_install_property(
      object_class, PROP_CHANNEL_LABEL,
      g_param_spec_string("channel-label", "Label of the channel",
                          "The label of the data channel: webrtcupload and webrtcresultsink take "
                          "the first one with it that no other element has, webrtcuploadsink makes "
                          "one with it. Without effect on data-channel",
                          default_label, kReadyFlags));
  gst_type_mark_as_plugin_api(end_pipeline_get_type(), GstPluginAPIFlags(0));
  g_object_class_install_property(
      object_class, PROP_END_PIPELINE,
      g_param_spec_enum(
          kEndPipelineProperty, "End the pipeline",
          "Whether this element's end is that of a webrtcbin in the same pipeline: the pipeline "
          "waits for its EOS, which it never posts by itself, so it is posted in its name. auto: "
          "only if it carries no media, so that a call goes on",
          end_pipeline_get_type(), static_cast<gint>(EndPipeline::kAuto), kPlayingFlags));
}

ChannelPropertyChange::ChannelPropertyChange(guint id, const GValue* value, GParamSpec* pspec)
    : id_(id) {
  switch (id) {
    case PROP_DATA_CHANNEL:
      other_.data_channel =
          ref_gobject(static_cast<GstWebRTCDataChannel*>(g_value_get_object(value)));
      break;
    case PROP_WEBRTCBIN:
      other_.webrtcbin = ref_gst(static_cast<GstElement*>(g_value_get_object(value)));
      if (other_.webrtcbin) keep_channels(other_.webrtcbin.get());
      break;
    case PROP_WEBRTCBIN_NAME:
      store_value(value, pspec, other_.webrtcbin_name);
      break;
    case PROP_CHANNEL_LABEL:
      store_value(value, pspec, other_.channel_label);
      break;
    case PROP_END_PIPELINE:
      other_.end_pipeline = static_cast<EndPipeline>(g_value_get_enum(value));
      break;
    default:
      break;
  }
}

void ChannelPropertyChange::apply(ChannelSettings& settings) {
  switch (id_) {
    case PROP_DATA_CHANNEL:
      settings.data_channel.swap(other_.data_channel);
      break;
    case PROP_WEBRTCBIN:
      settings.webrtcbin.swap(other_.webrtcbin);
      break;
    case PROP_WEBRTCBIN_NAME:
      settings.webrtcbin_name.swap(other_.webrtcbin_name);
      break;
    case PROP_CHANNEL_LABEL:
      settings.channel_label.swap(other_.channel_label);
      break;
    case PROP_END_PIPELINE:
      settings.end_pipeline = other_.end_pipeline;
      break;
    default:
      break;
  }
}

void get_channel_property(const ChannelSettings& settings, guint id, GValue* value) {
  switch (id) {
    case PROP_DATA_CHANNEL:
      g_value_set_object(value, settings.data_channel.get());
      break;
    case PROP_WEBRTCBIN:
      g_value_set_object(value, settings.webrtcbin.get());
      break;
    case PROP_WEBRTCBIN_NAME:
      g_value_set_string(
          value, settings.webrtcbin_name.empty() ? nullptr : settings.webrtcbin_name.c_str());
      break;
    case PROP_CHANNEL_LABEL:
      g_value_set_string(value, settings.channel_label.c_str());
      break;
    case PROP_END_PIPELINE:
      g_value_set_enum(value, static_cast<gint>(settings.end_pipeline));
      break;
    default:
      break;
  }
}

}  // namespace webrtcupload
