// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What GstWebrtcUpload is inside: settings, the session while there is one, and how the session's
// news become signals and messages. GstBaseSrc's virtual methods are one call each to this. In
// three files: upload_source.cpp starts, stops and is read; upload_source_channels.cpp has the
// channels; upload_source_news.cpp tells the application.

#pragma once

#include <gst/base/gstbasesrc.h>
#include <gst/webrtc/webrtc.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/channel_labels.h"
#include "core/film_limits.h"
#include "core/mutex.h"
#include "downstream/decoding_guard.h"
#include "downstream/film_watch.h"
#include "glib/glib_ptr.h"
#include "glib/signal_connection.h"
#include "glib/weak_ref.h"
#include "upload/upload_session.h"
#include "webrtc/channel_settings.h"

namespace webrtcupload {

class UploadSource final : public UploadObserver {
 public:
  // Changed by properties, which is allowed up to READY.
  struct Settings : ChannelSettings {
    Settings() { channel_label = kUploadLabel; }

    Limits limits;
    FilmLimits film;
    Duration quota_interval = std::chrono::seconds(1);
    // Empty: Spool::default_directory().
    std::string spool_directory;
    // An open file instead of one there; -1 = none.
    int spool_fd = -1;
    bool progressive = false;
    Inbox::Marks marks;
    // Of a peer whose messages come faster than they are stored.
    bool holds_back = true;
    int socket_buffer_size = 4 * 1024 * 1024;
    bool check_certificate = true;
    // See speaks().
    unsigned versions = kAllVersions;
    // Names of factories, with commas between.
    std::string allow_elements;
    std::string deny_elements;
    // The element starts with nothing to receive from: somebody calls attach().
    bool waits_for_peer = false;
    // Another number whenever one has changed that sessions begin with.
    unsigned revision = 0;
  };

  // Ids of the element's signals.
  struct Signals {
    guint authorize;
    guint check_quota;
    guint upload_complete;
    guint upload_failed;
  };

  UploadSource(GstBaseSrc* element, const Signals& signals, GParamSpec* state_property);
  ~UploadSource() override;

  // What is inside of a webrtcupload, or null if `element` is none. For as long as it lives.
  [[nodiscard]] static UploadSource* of(GstElement* element);

  // Runs `change` on the settings, under their lock.
  template <typename Change>
  auto with_settings(Change change) {
    const MutexLock lock(settings_mutex_);
    return change(settings_);
  }
  // Messages of `channel` are kept from here on, so that an application may set the property inside
  // on-data-channel and start the element later.
  void set_data_channel(GstWebRTCDataChannel* channel);

  // GstBaseSrc starts and stops its source with its pad, which whoever is downstream may activate,
  // in one mode and then in the other, in any state. The upload is not concerned: it begins with
  // the first start, and goes on until the element leaves PAUSED, which is when end() is called.
  // Between stop() and start() nobody waits for its bytes. start() has posted why when it returns
  // false.
  bool start();
  void stop();
  void end();
  // GstBaseSrc's virtual methods.
  void set_flushing(bool flushing);
  [[nodiscard]] std::optional<std::uint64_t> size() const;
  // True when the answer is in `query` or there is none; false: the base class may answer.
  [[nodiscard]] bool answer(GstQuery* query, gboolean& answered);
  GstFlowReturn create(std::uint64_t offset, guint length, GstBuffer** buffer);
  void end_of_stream_sent();
  // Once all bytes are here or EOS is out, a webrtcbin in the same pipeline no longer keeps that
  // from EOS, see pipeline_eos.h.
  void let_pipeline_end();

  // For whoever makes the connections, and may have to make another while nothing is uploaded: with
  // `waits_for_peer` the element starts without a webrtcbin, and gets one, and then others, here.
  // Also for further connections of an upload in v2 that has begun. False, and nothing is done: it
  // has not started, does not wait for a peer, or an upload in v1 has begun.
  [[nodiscard]] bool attach(GstElement* webrtcbin);
  // Whether an upload in v2 is under way.
  [[nodiscard]] bool may_be_joined() const;
  // That one's peer has left, and it has stopped: nothing of it is kept.
  void detach(const GstElement* webrtcbin);

  void cancel();
  // What is in the pipeline by now is guarded: nothing is made behind the upload that opens
  // sources.
  void guard_decoding();
  // The file is no video. On the thread that has found out.
  void refuse(const std::string& why);
  [[nodiscard]] UploadState state() const;
  // Whether a first chunk is here: stored, or kept until the application has said that it may be.
  [[nodiscard]] bool has_a_chunk() const;
  [[nodiscard]] GstStructurePtr stats() const;

  // UploadObserver.
  void state_changed() override;
  bool authorize(const UploadRequest& request, const std::string& channel_label,
                 const std::string& channel_protocol) override;
  bool check_quota() override;
  void progressed(const UploadProgress& progress) override;
  void completed() override;
  void failing(const Error& error) override;
  void failed(const Error& error) override;
  bool shutting_down() override;
  GObjectPtr<GObject> hold() override;

 private:
  using Upload = UploadSession::Upload;

  [[nodiscard]] std::shared_ptr<UploadSession> session() const EXCLUDES(session_mutex_);
  [[nodiscard]] bool pull_mode() const;
  // Where the channel comes from, as the settings say. False: posted why not.
  [[nodiscard]] bool find_source(GstPtr<GstElement>& webrtcbin);
  // Whether the settings suit the channel that they have, if they have one. False: posted why not.
  [[nodiscard]] bool check_data_channel(bool has_webrtcbin);
  [[nodiscard]] bool take_data_channel(Upload& upload);
  // `channel` is never dereferenced.
  [[nodiscard]] static bool has(const Upload& upload, const void* channel);
  // From now on channels of `webrtcbin` are offered to the session.
  void listen(GstElement* webrtcbin, const std::shared_ptr<UploadSession>& session)
      REQUIRES(attach_mutex_);
  // Beside those that are known, or in place of them.
  void know(GstElement* webrtcbin, bool in_place) REQUIRES(attach_mutex_) EXCLUDES(session_mutex_);
  // Of those that are known.
  [[nodiscard]] std::vector<WeakRef> others_than(const GstElement* webrtcbin) const
      EXCLUDES(session_mutex_);
  [[nodiscard]] std::vector<GstPtr<GstElement>> webrtcbins() const EXCLUDES(session_mutex_);
  // Lets go of an upload that nobody will go on with.
  void drop(Upload upload);
  // A warning on the bus, once for each directory.
  void warn_of_memory(const std::string& spool_directory);
  // With `tells` the application is told of the upload's end, if need be.
  void end_session(bool tells) EXCLUDES(session_mutex_);
  void film_exceeds(const Error& error) EXCLUDES(session_mutex_);
  // An error on the bus.
  void post(const Error& error) const;
  // Posts that the size is another one than was told before, if it is. On the upload's thread.
  void tell_size(std::optional<std::uint64_t> size);
  // The segment has the size that is known now. On a thread with the pad's stream lock, which
  // protects the segment beside the object lock.
  void put_size_in_segment();
  [[nodiscard]] bool may_change_settings() const;
  void post_stats() EXCLUDES(session_mutex_);

  GstBaseSrc* const element_;
  const Signals signals_;
  GParamSpec* const state_property_;

  mutable Mutex settings_mutex_;
  Settings settings_ GUARDED_BY(settings_mutex_);
  // Of the channel in the settings, what came over it while no session has it: before the first
  // one, and also after one of which nothing was read.
  Upload waiting_ GUARDED_BY(settings_mutex_);

  // Of the thread that starts and ends.
  std::unique_ptr<FilmWatch> film_watch_;
  std::string warned_of_;
  DecodingGuard guard_;

  // Which thread read last, by pulling: another one is a demuxer's that has just been plugged in.
  std::atomic<std::thread::id> reader_;
  std::atomic<bool> flushing_ = false;

  // What tell_size() has told of this upload; 0 = nothing.
  std::atomic<std::uint64_t> told_size_ = 0;

  // EOS has gone out.
  std::atomic<bool> ended_ = false;

  // Of start(), end() and attach(). The first two never run at once: the pad is not active any more
  // when the element has left PAUSED.
  Mutex attach_mutex_ ACQUIRED_BEFORE(settings_mutex_, session_mutex_);
  struct Listened {
    WeakRef webrtcbin;
    SignalConnection on_data_channel;
  };
  // By webrtcbin, which is never dereferenced.
  std::map<const void*, Listened> listened_ GUARDED_BY(attach_mutex_);

  // A leaf: held only to copy or replace what follows.
  mutable Mutex session_mutex_;
  std::shared_ptr<UploadSession> session_ GUARDED_BY(session_mutex_);
  // Of the settings that it began with.
  unsigned session_revision_ GUARDED_BY(session_mutex_) = 0;
  // The last one that channels may come of, and all of them.
  GstPtr<GstElement> webrtcbin_ GUARDED_BY(session_mutex_);
  std::vector<WeakRef> webrtcbins_ GUARDED_BY(session_mutex_);
  // What the last session came to, once it is over.
  UploadState last_state_ GUARDED_BY(session_mutex_) = UploadState::kIdle;
  GstStructurePtr last_stats_ GUARDED_BY(session_mutex_);
};

}  // namespace webrtcupload
