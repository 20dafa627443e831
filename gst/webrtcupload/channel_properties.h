// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The properties that say which data channel an element uses: the same ones, with the same words,
// for each element that uses one.

#pragma once

#include <gst/gst.h>

#include <string>

#include "webrtc/channel_settings.h"

namespace webrtcupload {

enum ChannelProperty : guint {
  PROP_DATA_CHANNEL = 1,
  PROP_WEBRTCBIN,
  PROP_WEBRTCBIN_NAME,
  PROP_CHANNEL_LABEL,
  PROP_END_PIPELINE,
  // An element numbers its own from here on.
  PROP_AFTER_CHANNEL,
};

// The blurb of "check-certificate" of the two sinks.
inline constexpr const char* kCheckCertificateOfSink =
    "Send nothing to a peer whose certificate is not the one that its session description "
    "announced "
    "(error untrusted-peer). Looked at before the first byte leaves, where the webrtcbin is known";

// `data_channel_mutable`: GST_PARAM_MUTABLE_..., up to when "data-channel" may be set. The others
// may below PAUSED, and end-pipeline in any state.
void install_channel_properties(GObjectClass* object_class, const char* default_label,
                                int data_channel_mutable);

// A new value of one of them. It is made before the lock is taken that the settings are under, and
// goes after that lock is let go, and with it what it has replaced.
class ChannelPropertyChange {
 public:
  ChannelPropertyChange(guint id, const GValue* value, GParamSpec* pspec);
  // Under that lock.
  void apply(ChannelSettings& settings);

 private:
  const guint id_;
  ChannelSettings other_;
};

// Under the lock that the settings are under.
void get_channel_property(const ChannelSettings& settings, guint id, GValue* value);

}  // namespace webrtcupload
