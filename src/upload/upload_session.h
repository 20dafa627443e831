// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One run of the webrtcupload element: its state, and the worker thread that drives it. Where the
// upload comes from is UploadConnection's part, what differs between versions of the wire format
// UploadProtocol's, and the side of whoever reads is UploadReader's. In three files:
// upload_session.cpp starts, runs and stops it; upload_session_work.cpp handles what comes over its
// channels; upload_session_news.cpp tells the observer of it.

#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/film_limits.h"
#include "core/progress_sequence.h"
#include "core/progress_throttle.h"
#include "core/storage.h"
#include "glib/glib_ptr.h"
#include "upload/inbox.h"
#include "upload/shared_upload.h"
#include "upload/upload_channel.h"
#include "upload/upload_connection.h"
#include "upload/upload_protocol.h"
#include "upload/upload_reader.h"
#include "upload/upload_worker.h"

namespace webrtcupload {

// How an upload gets on.
struct UploadProgress {
  ProgressMessage message;
  int percent = 0;
  ReceiverStatistics statistics;
  // Why it has failed, or was cancelled; nothing when the element stops.
  std::optional<Error> error;
};

// What an upload tells its element. All of it runs on the worker thread without a lock, so a
// handler may take its time, and may stop the element.
class UploadObserver {
 public:
  virtual ~UploadObserver() = default;

  // The state has changed.
  virtual void state_changed() = 0;
  // Whether the upload may begin. Nothing of it is stored yet.
  virtual bool authorize(const UploadRequest& request, const std::string& channel_label,
                         const std::string& channel_protocol) = 0;
  // Whether the upload, or the work on it, may go on.
  virtual bool check_quota() = 0;
  // How the upload gets on, in the order that ProgressSequence makes.
  virtual void progressed(const UploadProgress& progress) = 0;
  virtual void completed() = 0;
  // The upload has failed; and then, unless failing() or anybody else has stopped the element.
  virtual void failing(const Error& error) = 0;
  virtual void failed(const Error& error) = 0;

  // Whether the application is taking down what this runs in, so that what looks like a peer that
  // left is none.
  virtual bool shutting_down() = 0;
  // A reference on the object whose methods these are, for as long as one of them runs.
  virtual GObjectPtr<GObject> hold() = 0;
};

class UploadSession : public std::enable_shared_from_this<UploadSession> {
 public:
  struct Settings {
    Limits limits;
    FilmLimits film;
    UploadConnection::Settings connection;
    // 0: never.
    Duration quota_interval{};
    // See UploadReader.
    bool progressive = false;
    // See SharedUpload.
    std::string name;
    // A peer that leaves before its first chunk is no failure: another one may come, see attach().
    bool outlives_idle_peers = false;
    // Of the inbox, for an upload in v1. Those for v2 follow from its window.
    Inbox::Marks marks;
    // The state that the observer knows of, from an upload before this one.
    UploadState known_state = UploadState::kIdle;
  };

  // What a run begins with, and what it may leave for the next one.
  struct Upload {
    std::shared_ptr<Inbox> inbox;
    // As long as none is taken there is none; of v1 there is one at most.
    UploadConnection::Channels channels;
    // Null, both of these, as long as no run has had the upload.
    std::unique_ptr<Storage> storage;
    std::unique_ptr<UploadLife> receiver;
    // The receiver's.
    WireVersion version = WireVersion::kV1;
    bool completion_told = false;
    // How far the one before it came in telling, if there is no receiver.
    ProgressSequence progress;
  };

  // `upload` has an inbox and a storage. `webrtcbin` may be null: there is no back-pressure then.
  // `observer` has to live until stop() has returned.
  static std::shared_ptr<UploadSession> start(Settings settings, Upload upload,
                                              GstPtr<GstElement> webrtcbin,
                                              UploadObserver* observer);
  // Waits for the worker, but not long for a method of the observer (which may be waiting for this
  // very thread, or be what calls stop()): the worker then ends by itself when that returns, and
  // calls no other.
  // With `keep` an upload that can go on is given back, if nothing of it has been read and the
  // worker has ended. Of all others the channel is closed when the peer is still sending, and with
  // `tells` the observer is told of their end.
  [[nodiscard]] std::optional<Upload> stop(bool keep, bool tells);
  // What has been told. Underway after stop(): nobody could be told of the end.
  [[nodiscard]] ProgressSequence progress() const;
  // Whether it has this channel; never to be dereferenced.
  [[nodiscard]] bool has_channel(const void* wanted) const { return connection_.has(wanted); }
  // Whether a peer that is there has sent a chunk, whatever has come of it.
  [[nodiscard]] bool has_a_chunk() const { return connection_.has_a_chunk(); }

  // See UploadConnection.
  void offer(GstWebRTCDataChannel* channel, GstElement* webrtcbin) {
    connection_.offer(channel, webrtcbin);
  }
  [[nodiscard]] UploadConnection::Attached attach(GstElement* webrtcbin) {
    return connection_.attach(webrtcbin);
  }
  void forget(const void* webrtcbin) { connection_.forget(webrtcbin); }
  // Whether attach() is for it: it waits for a peer, or is an upload that further channels may
  // join.
  [[nodiscard]] bool may_attach() const EXCLUDES(shared_.mutex);
  // One in v2 is under way: its bytes are coming, or waited for.
  [[nodiscard]] bool may_be_joined() const EXCLUDES(shared_.mutex);
  void detach(const GstElement* webrtcbin) { connection_.detach(webrtcbin); }
  // The upload fails with code `cancelled`, soon.
  void cancel();
  // The film asks for more than it may: the upload fails with this error, soon. Also one that is
  // done, where nothing but an error message can come of it.
  void reject_film(Error error);
  // Whoever reads has found that the file is no good: the upload has failed when this returns. True
  // for the first who says so; what remains is to post the error, which is that caller's part and
  // not the worker's, so that it comes before those that the refusal causes downstream.
  [[nodiscard]] bool refuse(Error error);

  [[nodiscard]] UploadReader& reader() { return reader_; }
  // See UploadReader.
  [[nodiscard]] std::optional<std::uint64_t> wait_for_size() { return reader_.wait_for_size(); }
  [[nodiscard]] std::optional<std::uint64_t> size() const { return reader_.size(); }

  [[nodiscard]] UploadState state() const;
  // See make_upload_stats().
  [[nodiscard]] GstStructurePtr stats() const;

 private:
  UploadSession(Settings settings, Upload upload, GstPtr<GstElement> webrtcbin,
                UploadObserver* observer);
  // Of stop(), when the worker has ended.
  [[nodiscard]] std::optional<Upload> give_back() EXCLUDES(shared_.mutex);
  // Of stop(): those who go on sending are told that it is for nobody.
  void dismiss_channels(bool is_unfinished) EXCLUDES(shared_.mutex);

  // Of the worker thread.
  void run() EXCLUDES(shared_.mutex);
  // False: stop() has begun, and the item has to be handled by whoever goes on.
  [[nodiscard]] bool handle(const Inbox::Item& item) EXCLUDES(shared_.mutex);
  [[nodiscard]] bool handle_gone(const Inbox::Gone& gone) EXCLUDES(shared_.mutex);
  void look_at_untold_ends() EXCLUDES(shared_.mutex);
  void plumb_connection(Inbox::Serial channel, bool is_open) EXCLUDES(shared_.mutex);
  // A channel has been taken.
  void meet(Inbox::Serial channel) EXCLUDES(shared_.mutex);
  void forget_left_channels() EXCLUDES(shared_.mutex);
  // It is open: the receiver is told of it, and is one of its version if no upload has begun.
  void introduce(Inbox::Serial channel) EXCLUDES(shared_.mutex);
  void speak(WireVersion version) EXCLUDES(shared_.mutex);
  [[nodiscard]] bool handle_message(const Inbox::Received& received) EXCLUDES(shared_.mutex);
  void leave_untrusted(Inbox::Serial channel, PeerTrust trust) EXCLUDES(shared_.mutex);
  // Of a channel that has been let go of, where peers may come and go.
  [[nodiscard]] bool is_of_former_peer(const Inbox::Item& item) const;
  [[nodiscard]] bool is_nobodys(const Inbox::Gone& gone) const;
  [[nodiscard]] WireVersion version() const EXCLUDES(shared_.mutex);
  // A new receiver in place of the one that there is.
  [[nodiscard]] std::optional<Error> renew_receiver(WireVersion version) EXCLUDES(shared_.mutex);
  [[nodiscard]] Inbox::Marks marks_of(WireVersion version) const;
  [[nodiscard]] TimeBegins time_begins() const;
  // Carries out the action and those that follow from it, and sends what is then to be sent.
  void perform(Action action) EXCLUDES(shared_.mutex);
  void put_out() EXCLUDES(shared_.mutex);
  // Does what the receiver wants and gives its answer to how that went.
  Action carry_out(const Action& action) EXCLUDES(shared_.mutex);
  Action carry_out(const action::Store& store) EXCLUDES(shared_.mutex);
  Action carry_out(const action::Compare& compare) EXCLUDES(shared_.mutex);
  Action carry_out(const action::Authorize& authorize) EXCLUDES(shared_.mutex);
  Action carry_out(const action::ReadControl& control) EXCLUDES(shared_.mutex);
  Action carry_out(const action::Hash& hash) EXCLUDES(shared_.mutex);
  void carry_out(const action::Fail& failure) EXCLUDES(shared_.mutex);
  Action forget_request() EXCLUDES(shared_.mutex);
  Action fail(Error error) EXCLUDES(shared_.mutex);
  void carry_out_rejection(const Error& error) EXCLUDES(shared_.mutex);
  void tell_refusal() EXCLUDES(shared_.mutex);
  void check_timers() EXCLUDES(shared_.mutex);
  void check_quota(TimePoint now) EXCLUDES(shared_.mutex);
  [[nodiscard]] static Error over_quota();
  void report_progress() EXCLUDES(shared_.mutex);
  // What `event` owes of the progress. False: stop() has begun.
  bool tell_progress(ProgressEvent event, const std::optional<Error>& error = std::nullopt,
                     bool is_last_word = false) EXCLUDES(shared_.mutex);
  void tell_end(const Error& error) EXCLUDES(shared_.mutex);
  void tell_stop() EXCLUDES(shared_.mutex);
  void tell_completion() EXCLUDES(shared_.mutex);
  [[nodiscard]] std::optional<TimePoint> next_wake_up() const EXCLUDES(shared_.mutex);
  // Tells the observer of a new state.
  void tell_state() EXCLUDES(shared_.mutex);

  const Settings settings_;
  UploadObserver* const observer_;

  // Of the worker only.
  std::optional<TimePoint> next_quota_check_;
  ProgressThrottle throttle_;
  // The channel of the last message.
  Inbox::Serial handled_ = 0;
  // An answer of the application was needed, and stop() came first.
  bool unanswered_ = false;
  // The sequence is that of an upload before this one.
  bool owes_end_ = false;
  // Peers that left while the pipeline was on its way down: of no matter, unless the upload is kept
  // or the pipeline does not get down.
  std::vector<Inbox::Gone> untold_ends_;
  bool goes_down_ = false;
  TimePoint next_look_at_ends_;
  // Channels that the receiver knows of.
  std::set<Inbox::Serial> introduced_;

  // Its mutex protects what follows as well.
  SharedUpload shared_;
  UploadConnection connection_;
  UploadWorker worker_;
  UploadReader reader_;
  // Of the receiver that there is.
  std::unique_ptr<UploadProtocol> protocol_ GUARDED_BY(shared_.mutex) PT_GUARDED_BY(shared_.mutex);
  ProgressSequence progress_ GUARDED_BY(shared_.mutex);
  // stop() wants a last word.
  bool tells_stop_ GUARDED_BY(shared_.mutex) = false;
  std::optional<Error> rejection_ GUARDED_BY(shared_.mutex);
  // What came of one when the upload was done.
  std::optional<Error> rejected_ GUARDED_BY(shared_.mutex);
  // One that has been carried out but for telling of it.
  std::optional<Error> refusal_ GUARDED_BY(shared_.mutex);
};

}  // namespace webrtcupload
