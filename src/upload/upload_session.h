// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One run of the webrtcupload element: the worker thread, and what it shares with the thread that
// reads.

#pragma once

#include <gst/gst.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "core/film_limits.h"
#include "core/progress_throttle.h"
#include "core/read_coverage.h"
#include "core/receiver.h"
#include "core/storage.h"
#include "glib/glib_ptr.h"
#include "upload/inbox.h"
#include "upload/upload_channel.h"

namespace webrtcupload {

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
  virtual void started() = 0;
  virtual void progressed(int percent, const ReceiverStatistics& statistics) = 0;
  virtual void completed(const ReceiverStatistics& statistics) = 0;
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
    // Of webrtcbin's sockets, in bytes; 0 leaves them alone.
    int socket_buffer_size = 0;
    // 0: never.
    Duration quota_interval{};
    // Bytes can be read as soon as they and all before them are there, rather than when all are.
    bool progressive = false;
    std::string channel_label;
    // A peer that leaves before its first chunk is no failure: another one may come, see attach().
    bool outlives_idle_peers = false;
    // The state that the observer knows of, from an upload before this one.
    UploadState known_state = UploadState::kIdle;
  };

  // What a run begins with, and what it may leave for the next one.
  struct Upload {
    std::shared_ptr<Inbox> inbox;
    // Null: none is taken yet.
    std::shared_ptr<UploadChannel> channel;
    // Null, all of these, as long as no run has had the upload.
    std::unique_ptr<Storage> storage;
    std::unique_ptr<Receiver> receiver;
    bool start_told = false;
    bool completion_told = false;
  };

  enum class Readable { kYes, kEndOfFile, kFlushing };
  struct Availability {
    Readable status;
    // From the offset asked for, in bytes, when status is kYes.
    std::uint64_t bytes = 0;
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
  // worker has ended. Of all others the channel is closed when the peer is still sending.
  [[nodiscard]] std::optional<Upload> stop(bool keep);
  // Which channel it has; never to be dereferenced.
  [[nodiscard]] bool has_channel(const void* wanted) const;

  // A channel that this upload could take: it does if it has none, the label fits and nobody else
  // has it. May be called under the PC lock.
  void offer(GstWebRTCDataChannel* channel);
  // From now on the peer is one of this webrtcbin, whose channels are to be offered. Does nothing
  // when the upload has begun.
  void attach(GstElement* webrtcbin);
  // The upload fails with code `cancelled`, soon.
  void cancel();
  // The film asks for more than it may: the upload fails with this error, soon. Also one that is
  // done, where nothing but an error message can come of it.
  void reject_film(Error error);
  // Whoever reads has found that the file is no good: the upload has failed when this returns. True
  // for the first who says so; what remains is to post the error, which is that caller's part and
  // not the worker's, so that it comes before those that the refusal causes downstream.
  [[nodiscard]] bool refuse(Error error);

  // Waits until at least one byte at `offset` can be read, or there never will be one, and until
  // the observer has been told of the state in which that is so. The first call after completion
  // starts the processing.
  [[nodiscard]] Availability wait_for(std::uint64_t offset);
  // Fills `out` from a range that wait_for() found there. Nothing on success. A failure of the
  // storage also fails the upload, soon, unless that is done.
  [[nodiscard]] std::optional<Error> read(std::uint64_t offset, std::span<std::uint8_t> out);
  // A read met the end of the file. Whether that is the end of reading is known only by the reader,
  // who does not say, and demuxers look there first: it is taken for one when every byte has been
  // read.
  void end_of_file_met();
  // EOS is about to go out: all was read that will be. Waits until the observer has been told.
  void reading_ended();
  // While set, nobody waits in wait_for().
  void set_flushing(bool flushing);

  // Waits for completion. Nothing when it is not going to come: flushing, or failed.
  [[nodiscard]] std::optional<std::uint64_t> wait_for_size();
  // What is known of the size without waiting: exact once complete; before that nothing, or with
  // `progressive` an estimate.
  [[nodiscard]] std::optional<std::uint64_t> size() const;
  [[nodiscard]] UploadState state() const;
  // A structure application/x-webrtcupload-stats; docs/elements.md names its fields.
  [[nodiscard]] GstStructurePtr stats() const;

 private:
  UploadSession(Settings settings, Upload upload, GstPtr<GstElement> webrtcbin,
                UploadObserver* observer);
  // False: the worker is left behind, in a method of the observer.
  bool join();
  // Of stop(), when the worker has ended.
  [[nodiscard]] std::optional<Upload> give_back();

  // Of the worker thread.
  void run();
  // False: stop() has begun, and the item has to be handled by whoever goes on.
  [[nodiscard]] bool handle(const Inbox::Item& item);
  // What can be done about the connection as soon as it is there, which for a channel that was
  // made before the negotiation is when the channel opens.
  void plumb_connection(bool is_open);
  [[nodiscard]] bool handle_message(const Message& message);
  // Does what the receiver wants and gives its answer to how that went.
  Action carry_out(const Action& action);
  Action carry_out(const action::Store& store);
  Action carry_out(const action::Compare& compare);
  Action carry_out(const action::Authorize& authorize);
  Action forget_request();
  Action fail(Error error);
  void carry_out_rejection(const Error& error);
  void tell_refusal();
  void check_timers();
  void check_quota(TimePoint now);
  void report_progress();
  void tell_completion(const ReceiverStatistics& statistics);
  [[nodiscard]] std::optional<Error> check_film();
  [[nodiscard]] std::optional<TimePoint> next_wake_up() const;
  // Tells the observer of a new state.
  void tell_state();
  // Runs `work` so that stop() need not wait for it. False: stop() has begun, and it did nothing.
  template <typename Work>
  bool run_detachable(Work work);

  // Of any thread.
  void adopt(std::shared_ptr<UploadChannel> channel);
  void request_failure(Error error);
  // On a thread that reads, and could not be stopped by what the observer calls: waits until the
  // worker has told the state, or nobody is to wait.
  void wait_until_told();
  [[nodiscard]] std::shared_ptr<UploadChannel> channel() const;
  [[nodiscard]] GstPtr<GstElement> webrtcbin() const;
  // What read() does for its caller.
  [[nodiscard]] std::optional<Error> read_stored(std::uint64_t offset,
                                                 std::span<std::uint8_t> out) const;
  // Lets go of the channel if nothing has come over it. With `gone` only if it is that one.
  bool forget_idle_channel(const void* gone = nullptr);
  // Under mutex_.
  void begin_processing();
  [[nodiscard]] bool finished() const { return receiver_->complete() && completion_told_; }

  const Settings settings_;
  // The storage and the receiver are here until they are given back.
  std::unique_ptr<Storage> storage_;
  const std::shared_ptr<Inbox> inbox_;
  UploadObserver* const observer_;
  // Of the thread that starts and stops.
  std::thread thread_;

  // Of the worker only.
  std::optional<TimePoint> next_quota_check_;
  ProgressThrottle progress_;
  bool told_start_ = false;
  // An answer of the application was needed, and stop() came first.
  bool unanswered_ = false;
  // What has been done about the channel's connection, and for which channel.
  bool watches_connection_ = false;
  bool has_sockets_ = false;
  bool holds_back_ = false;
  std::weak_ptr<UploadChannel> plumbed_;

  // Protects what follows. Never held while calling out, writing or reading the storage; inbox and
  // pad locks are not taken under it.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Receiver> receiver_;
  GstPtr<GstElement> webrtcbin_;
  std::shared_ptr<UploadChannel> channel_;
  // The channel is new, and the worker has not seen to its connection yet.
  bool adopted_ = false;
  // What the observer has been told last, and the thread that tells it.
  UploadState told_state_;
  std::thread::id worker_;
  // A failure found on another thread, for the worker to carry out.
  std::optional<Error> requested_failure_;
  std::optional<Error> rejection_;
  // What came of one when the upload was done.
  std::optional<Error> rejected_;
  // One that has been carried out but for telling of it.
  std::optional<Error> refusal_;
  int socket_buffer_granted_ = 0;
  // The application knows that the upload is complete; only then are its last bytes given out.
  bool completion_told_ = false;
  ReadCoverage read_;
  bool was_read_ = false;
  std::optional<TimePoint> processing_began_at_;
  std::optional<TimePoint> processing_ended_at_;
  bool flushing_ = false;
  bool stopping_ = false;
  bool detachable_ = false;
  bool worker_ended_ = false;
};

}  // namespace webrtcupload
