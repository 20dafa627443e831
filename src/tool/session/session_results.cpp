// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/session/session_results.h"

#include <chrono>
#include <utility>

#include "glib/signal_connection.h"
#include "results/result_sender.h"

namespace webrtcupload {
namespace {

// How long a client's results channel is waited for. Channels open one by one, and a small file can
// be uploaded and analysed before the second one is there; some clients want no results.
constexpr std::chrono::milliseconds kChannelTimeout{2000};

class FrameResults final : public SessionResults {
 public:
  FrameResults(const SessionConfig& config, GstElement* webrtcbin, bool has_track, Events events) {
    ResultSettings settings;
    settings.pts_from_first = has_track;
    settings.data_output = config.data_output;
    settings.realtime = config.realtime;
    settings.declared_fps = config.declared_fps;
    settings.channel_timeout = kChannelTimeout;
    ResultEvents sender_events;
    sender_events.control = std::move(events.control);
    sender_events.finished = [finished = std::move(events.finished)](const Delivery&) {
      finished(true);
    };
    sender_ = ResultSender::create(std::move(settings), std::move(sender_events));
    sender_->attach(webrtcbin);
  }

  void detach(GstElement* webrtcbin) override { sender_->detach(webrtcbin); }
  [[nodiscard]] bool move(GstElement* webrtcbin, GstWebRTCDataChannel* channel) override {
    sender_->attach(webrtcbin);
    return sender_->adopt(channel);
  }
  void on_frame(const FrameObserver::Frame& frame) override {
    sender_->send_frame(frame.buffer, frame.time, frame.info, frame.detections);
  }
  void set_data_output(std::vector<std::string> names) override {
    sender_->set_data_output(std::move(names));
  }
  void set_sha256(const std::string& sha256) override { sender_->set_sha256(sha256); }
  [[nodiscard]] bool has_channel() const override { return sender_->has_channel(); }
  [[nodiscard]] std::uint64_t messages() const override { return sender_->stats().messages; }
  void finish(const std::string& reason, std::vector<std::string> errors) override {
    sender_->finish(reason, std::move(errors));
  }
  [[nodiscard]] bool needs_pipeline() const override { return false; }
  [[nodiscard]] bool is_ending() const override { return sender_->stats().ending; }
  void hurry() override { sender_->hurry(); }
  void abandon() override { sender_->set_flushing(true); }

 private:
  std::shared_ptr<ResultSender> sender_;
};

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

class SinkResults final : public SessionResults {
 public:
  SinkResults(GstElement* sink, const SessionConfig& config, GstElement* webrtcbin, bool has_track,
              Events events)
      : sink_(ref_gst(sink)) {
    g_object_set(sink, "webrtcbin", webrtcbin, "data-output", join(config.data_output).c_str(),
                 "realtime", gboolean{config.realtime}, "channel-timeout",
                 static_cast<guint64>(kChannelTimeout.count()) * GST_MSECOND, nullptr);
    if (has_track) g_object_set(sink, "pts-from-first", TRUE, nullptr);
    if (config.declared_fps) g_object_set(sink, "declared-fps", *config.declared_fps, nullptr);
    using Control = std::function<void(const std::string&)>;
    control_ = SignalConnection(
        sink, "control",
        G_CALLBACK(+[](GstElement*, const char* json, Control* handler) { (*handler)(json); }),
        std::move(events.control));
    watch_bus(std::move(events.finished));
  }
  ~SinkResults() override {
    delivered_.disconnect();
    if (bus_) gst_bus_disable_sync_message_emission(bus_.get());
  }

  // The sink notices by itself, and stays with its connection.
  void detach(GstElement*) override {}
  [[nodiscard]] bool move(GstElement*, GstWebRTCDataChannel*) override { return false; }
  void on_frame(const FrameObserver::Frame&) override {}
  void set_data_output(std::vector<std::string> names) override {
    g_object_set(sink_.get(), "data-output", join(names).c_str(), nullptr);
  }
  void set_sha256(const std::string& sha256) override {
    g_object_set(sink_.get(), "sha256", sha256.c_str(), nullptr);
  }
  [[nodiscard]] bool has_channel() const override { return messages() > 0; }
  [[nodiscard]] std::uint64_t messages() const override {
    const GstStructurePtr stats = this->stats();
    guint64 messages = 0;
    if (stats) gst_structure_get_uint64(stats.get(), "messages", &messages);
    return messages;
  }
  void finish(const std::string& reason, std::vector<std::string> errors) override {
    g_signal_emit_by_name(sink_.get(), "finish", reason.empty() ? nullptr : reason.c_str(),
                          errors.empty() ? nullptr : errors.front().c_str());
  }
  [[nodiscard]] bool needs_pipeline() const override { return true; }
  [[nodiscard]] bool is_ending() const override {
    const GstStructurePtr stats = this->stats();
    gboolean ending = FALSE;
    return stats && gst_structure_get_boolean(stats.get(), "ending", &ending) && ending;
  }
  void hurry() override { g_signal_emit_by_name(sink_.get(), "hurry"); }
  // The sink notices by itself.
  void abandon() override {}

 private:
  using Finished = std::function<void(bool)>;

  [[nodiscard]] GstStructurePtr stats() const {
    GstStructure* stats = nullptr;
    g_object_get(sink_.get(), "stats", &stats, nullptr);
    return GstStructurePtr(stats);
  }

  void watch_bus(Finished finished) {
    GstObject* top = GST_OBJECT(sink_.get());
    while (GST_OBJECT_PARENT(top)) top = GST_OBJECT_PARENT(top);
    bus_.reset(gst_element_get_bus(GST_ELEMENT(top)));
    if (!bus_) return;
    gst_bus_enable_sync_message_emission(bus_.get());
    delivered_ = SignalConnection(
        bus_.get(), "sync-message::element",
        G_CALLBACK(+[](GstBus*, GstMessage* message, Finished* done) {
          if (!gst_message_has_name(message, "application/x-webrtcresults-delivered")) return;
          gboolean cut_short = FALSE;
          gst_structure_get_boolean(gst_message_get_structure(message), "cut-short", &cut_short);
          (*done)(!cut_short);
        }),
        std::move(finished));
  }

  const GstPtr<GstElement> sink_;
  GstPtr<GstBus> bus_;
  SignalConnection control_;
  SignalConnection delivered_;
};

}  // namespace

std::unique_ptr<SessionResults> SessionResults::of_frames(const SessionConfig& config,
                                                          GstElement* webrtcbin, bool has_track,
                                                          Events events) {
  return std::make_unique<FrameResults>(config, webrtcbin, has_track, std::move(events));
}

std::unique_ptr<SessionResults> SessionResults::of_sink(GstElement* sink,
                                                        const SessionConfig& config,
                                                        GstElement* webrtcbin, bool has_track,
                                                        Events events) {
  return std::make_unique<SinkResults>(sink, config, webrtcbin, has_track, std::move(events));
}

}  // namespace webrtcupload
