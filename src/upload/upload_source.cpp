// SPDX-License-Identifier: LGPL-2.1-or-later

#include "upload/upload_source.h"

#include <algorithm>
#include <utility>

#include "core/name_list.h"
#include "core/spool.h"
#include "downstream/plugging_wait.h"
#include "downstream/upload_origin.h"
#include "glib/debug.h"
#include "upload/storage_factory.h"
#include "webrtc/channel_owner.h"
#include "webrtc/channels.h"
#include "webrtc/find_webrtcbin.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

GQuark source_quark() {
  static const GQuark quark = g_quark_from_static_string("webrtcupload-source");
  return quark;
}

}  // namespace

UploadSource::UploadSource(GstBaseSrc* element, const Signals& signals, GParamSpec* state_property)
    : element_(element),
      signals_(signals),
      state_property_(state_property),
      guard_(GST_ELEMENT(element), [](GstElement* upload, const std::string& why) {
        if (UploadSource* source = of(upload)) source->refuse(why);
      }) {
  g_object_set_qdata(G_OBJECT(element), source_quark(), this);
  watch_channel_owners();
}

UploadSource* UploadSource::of(GstElement* element) {
  return static_cast<UploadSource*>(g_object_get_qdata(G_OBJECT(element), source_quark()));
}

// -------------------------------------------------------------------------------------------------
// starting and stopping

UploadSource::~UploadSource() {
  // An element that never got to PAUSED, though its pad did. There is nobody left to tell.
  end_session(false);
  drop(std::move(waiting_));
}

bool UploadSource::find_source(GstPtr<GstElement>& webrtcbin) {
  std::string name;
  bool has_channel;
  bool waits_for_peer;
  unsigned versions;
  {
    const MutexLock lock(settings_mutex_);
    waits_for_peer = settings_.waits_for_peer;
    has_channel = settings_.data_channel != nullptr;
    webrtcbin = ref_gst(settings_.webrtcbin.get());
    name = settings_.webrtcbin_name;
    versions = settings_.versions;
  }
  // With a channel in hand the name only serves the back-pressure, but a wrong one is still a
  // mistake to be told.
  if (!resolve_webrtcbin(GST_ELEMENT(element_), name, webrtcbin)) return false;
  if (versions == 0) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("The property \"protocols\" names no wire format."), (nullptr));
    return false;
  }
  if (!webrtcbin && !has_channel && !waits_for_peer) {
    GST_ELEMENT_ERROR(element_, RESOURCE, SETTINGS,
                      ("Nothing to receive from: set one of the properties \"webrtcbin-name\", "
                       "\"webrtcbin\", \"data-channel\" and \"wait-for-peer\"."),
                      (nullptr));
    return false;
  }
  return true;
}

bool UploadSource::start() {
  // The base class decides when a stream ends from the size it knows, which for us may be an
  // estimate; create() knows better.
  gst_base_src_set_automatic_eos(element_, FALSE);
  ended_ = false;
  flushing_ = false;
  guard_decoding();
  const unsigned revision = with_settings([](const Settings& s) { return s.revision; });
  std::shared_ptr<UploadSession> running;
  bool is_current;
  {
    const MutexLock lock(session_mutex_);
    running = session_;
    is_current = session_revision_ == revision;
  }
  // Settings count when they change below PAUSED.
  if (running && (is_current || !may_change_settings())) {
    GST_DEBUG_OBJECT(element_, "src is active again: the upload goes on");
    running->reader().set_flushing(false);
    return true;
  }
  end_session(true);

  GstPtr<GstElement> webrtcbin;
  if (!find_source(webrtcbin) || !check_data_channel(webrtcbin != nullptr)) return false;
  if (webrtcbin) keep_channels(webrtcbin.get());

  const GCharPtr name(gst_object_get_name(GST_OBJECT(element_)));
  UploadSession::Settings session_settings;
  std::string spool_directory;
  int spool_fd;
  bool listens;
  bool keeps;
  {
    const MutexLock lock(settings_mutex_);
    session_settings = {
        .limits = settings_.limits,
        .film = settings_.film,
        .connection = {.channel_label = settings_.channel_label,
                       .socket_buffer_size = settings_.socket_buffer_size,
                       .holds_back = settings_.holds_back,
                       .check_certificate = settings_.check_certificate,
                       .versions = settings_.versions,
                       .max_channels = settings_.limits.max_connections + kMaxStrangers},
        .quota_interval = settings_.quota_interval,
        .progressive = settings_.progressive,
        .name = name.get(),
        .outlives_idle_peers = settings_.waits_for_peer,
        .marks = settings_.marks};
    spool_directory =
        settings_.spool_directory.empty() ? Spool::default_directory() : settings_.spool_directory;
    spool_fd = settings_.spool_fd;
    listens = !settings_.data_channel && webrtcbin;
    keeps = waiting_.storage != nullptr;
  }
  // Made in any case, so that one that does not work shows; but for a file that is given, which
  // holds what has been stored of an upload that is kept, and would be emptied.
  std::unique_ptr<Storage> storage;
  const auto make_storage = [&] {
    auto opened = open_storage(spool_directory, spool_fd);
    if (!opened) {
      post(opened.error());
      return false;
    }
    storage = std::move(opened.value());
    // Of a file that is given, whoever has opened it knows where it is.
    if (spool_fd < 0) {
      GST_DEBUG_OBJECT(element_, "spool: a nameless file in %s", spool_directory.c_str());
      warn_of_memory(spool_directory);
    } else {
      GST_DEBUG_OBJECT(element_, "spool: the file with descriptor %d", spool_fd);
    }
    return true;
  };
  if ((spool_fd < 0 || !keeps) && !make_storage()) return false;
  Upload upload;
  if (!take_data_channel(upload)) return false;
  // Another channel may have been set meanwhile.
  if (!upload.storage && !storage && !make_storage()) {
    {
      const MutexLock lock(settings_mutex_);
      waiting_.progress = upload.progress;
    }
    drop(std::move(upload));
    return false;
  }
  if (!upload.storage) upload.storage = std::move(storage);

  {
    const MutexLock lock(session_mutex_);
    session_settings.known_state = std::exchange(last_state_, UploadState::kIdle);
    last_stats_.reset();
  }
  told_size_ = 0;
  film_watch_ = std::make_unique<FilmWatch>(GST_ELEMENT(element_), session_settings.film,
                                            [this](const Error& error) { film_exceeds(error); });
  auto session = UploadSession::start(std::move(session_settings), std::move(upload),
                                      ref_gst(webrtcbin.get()), this);
  const MutexLock attach_lock(attach_mutex_);
  if (listens) listen(webrtcbin.get(), session);
  if (webrtcbin) know(webrtcbin.get(), true);
  const MutexLock lock(session_mutex_);
  session_ = std::move(session);
  session_revision_ = revision;
  webrtcbin_ = std::move(webrtcbin);
  return true;
}

bool UploadSource::may_change_settings() const {
  GST_OBJECT_LOCK(element_);
  const bool below_paused = GST_STATE(element_) < GST_STATE_PAUSED;
  GST_OBJECT_UNLOCK(element_);
  return below_paused;
}

// GStreamer has flushed, and no longer does: who was about to wait would wait for ever.
void UploadSource::stop() { set_flushing(true); }

void UploadSource::end() { end_session(true); }

// On a streaming thread, with a reference on the element held.
void UploadSource::film_exceeds(const Error& error) {
  if (const auto running = session()) running->reject_film(error);
}

void UploadSource::end_session(bool tells) {
  film_watch_.reset();
  {
    const MutexLock lock(attach_mutex_);
    listened_.clear();
  }
  const auto running = session();
  if (!running) return;
  const bool keep = with_settings([&](const Settings& settings) {
    return settings.data_channel && running->has_channel(settings.data_channel.get());
  });
  auto kept = running->stop(keep, tells);
  GstStructurePtr stats = running->stats();
  {
    const MutexLock lock(settings_mutex_);
    if (kept && has(*kept, settings_.data_channel.get())) std::swap(waiting_, *kept);
    waiting_.progress = running->progress();
  }
  const MutexLock lock(session_mutex_);
  last_state_ = running->state();
  last_stats_ = std::move(stats);
  session_.reset();
  webrtcbin_.reset();
  webrtcbins_.clear();
}

// --------------------------------------------------------------------------------------------------------------
// reading

std::shared_ptr<UploadSession> UploadSource::session() const {
  const MutexLock lock(session_mutex_);
  return session_;
}

bool UploadSource::pull_mode() const {
  GstPad* pad = GST_BASE_SRC_PAD(element_);
  GST_OBJECT_LOCK(pad);
  const bool pull = GST_PAD_MODE(pad) == GST_PAD_MODE_PULL;
  GST_OBJECT_UNLOCK(pad);
  return pull;
}

void UploadSource::set_flushing(bool flushing) {
  flushing_ = flushing;
  // Whoever reads next may be another demuxer on the same thread of GStreamer's pool.
  reader_ = std::thread::id();
  if (const auto running = session()) running->reader().set_flushing(flushing);
  // A seek follows, perhaps to somewhere before the end.
  if (!flushing) put_size_in_segment();
}

std::optional<std::uint64_t> UploadSource::size() const {
  const auto running = session();
  return running ? running->size() : std::nullopt;
}

// The base class has asked for the size when it started, and does not ask again.
void UploadSource::put_size_in_segment() {
  const auto known = size();
  if (!known) return;
  GST_OBJECT_LOCK(element_);
  element_->segment.duration = *known;
  GST_OBJECT_UNLOCK(element_);
}

bool UploadSource::answer(GstQuery* query, gboolean& answered) {
  if (asks_for_upload_origin(query)) {
    answer_upload_origin(query, GST_ELEMENT(element_));
    answered = TRUE;
    return true;
  }
  const bool progressive = with_settings([](const Settings& s) { return s.progressive; });
  if (GST_QUERY_TYPE(query) == GST_QUERY_SCHEDULING) {
    // Never left to the base class, which would start and stop the element to find out: decodebin3
    // asks when it is linked, when there may be nothing yet to receive from.
    gst_query_set_scheduling(query, GST_SCHEDULING_FLAG_SEEKABLE, 1, -1, 0);
    // In pull mode typefinders read the end of the file first, and would wait for the whole of it.
    if (!progressive) gst_query_add_scheduling_mode(query, GST_PAD_MODE_PULL);
    gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
    answered = TRUE;
    return true;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_DURATION) {
    GstFormat format;
    gst_query_parse_duration(query, &format, nullptr);
    const auto running = session();
    if (format != GST_FORMAT_BYTES || !running) return false;
    // Whoever pulls asks on the thread that pulls, and can do nothing without knowing. Deactivating
    // that thread's pad flushes ours first, so it is never stuck here.
    const bool pulled = !progressive && pull_mode();
    const auto size = pulled ? running->wait_for_size() : running->size();
    gst_query_set_duration(query, GST_FORMAT_BYTES, size ? static_cast<gint64>(*size) : -1);
    // Without an answer typefind posts an error, where the upload has failed and said so, or is
    // being stopped. With an unknown size it goes on to read, and is told FLUSHING.
    answered = size.has_value() || pulled;
    return true;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_SEEKING) {
    GstFormat format;
    gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
    if (format != GST_FORMAT_BYTES) return false;
    const auto size = this->size();
    gst_query_set_seeking(query, GST_FORMAT_BYTES, TRUE, 0, size ? static_cast<gint64>(*size) : -1);
    answered = TRUE;
    return true;
  }
  return false;
}

GstFlowReturn UploadSource::create(std::uint64_t offset, guint length, GstBuffer** buffer) {
  const auto running = session();
  if (!running) return GST_FLOW_FLUSHING;
  if (const auto reader = std::this_thread::get_id();
      pull_mode() && reader_.exchange(reader) != reader) {
    wait_until_plugged(GST_ELEMENT(element_), [this] { return flushing_.load(); });
  }
  const UploadReader::Availability available = running->reader().wait_for(offset);
  put_size_in_segment();
  switch (available.status) {
    case UploadReader::Readable::kFlushing:
      // Also after a failure: the error is on the bus already, and FLUSHING stops this thread
      // without a second one.
      return GST_FLOW_FLUSHING;
    case UploadReader::Readable::kEndOfFile:
      if (pull_mode()) running->reader().end_of_file_met();
      return GST_FLOW_EOS;
    case UploadReader::Readable::kYes:
      break;
  }
  // Cut to what is there before anything is allocated: `length` can come from a number in the file.
  const auto size = static_cast<gsize>(std::min<std::uint64_t>(length, available.bytes));
  GstBufferPtr made;
  GstBuffer* target = *buffer;
  if (!target) {
    made.reset(gst_buffer_new_allocate(nullptr, size, nullptr));
    target = made.get();
  }
  GstMapInfo map;
  if (!target || !gst_buffer_map(target, &map, GST_MAP_WRITE)) {
    GST_ELEMENT_ERROR(element_, RESOURCE, NO_SPACE_LEFT,
                      ("No memory for a buffer of %" G_GSIZE_FORMAT " bytes.", size), (nullptr));
    return GST_FLOW_ERROR;
  }
  const gsize filled = std::min(size, map.size);
  const std::optional<Error> error = running->reader().read(offset, std::span(map.data, filled));
  gst_buffer_unmap(target, &map);
  if (error) {
    // An upload that is done cannot fail any more, but whoever reads on has to be told.
    if (running->state() == UploadState::kDone) post(*error);
    return GST_FLOW_FLUSHING;
  }
  gst_buffer_set_size(target, static_cast<gssize>(filled));
  GST_BUFFER_OFFSET(target) = offset;
  GST_BUFFER_OFFSET_END(target) = offset + filled;
  if (made) *buffer = made.release();
  return GST_FLOW_OK;
}

void UploadSource::end_of_stream_sent() {
  if (const auto running = session()) running->reader().reading_ended();
  // Also an end that somebody else wanted (gst-launch-1.0 -e), before all bytes had come.
  ended_ = true;
  let_pipeline_end();
}

void UploadSource::let_pipeline_end() {
  const UploadState reached = state();
  if (!ended_ && reached != UploadState::kComplete && reached != UploadState::kProcessing &&
      reached != UploadState::kDone) {
    return;
  }
  for (const auto& webrtcbin : webrtcbins()) {
    post_eos_for_webrtcbin(GST_ELEMENT(element_), webrtcbin.get());
  }
}

void UploadSource::cancel() {
  if (const auto running = session()) running->cancel();
}

void UploadSource::guard_decoding() {
  guard_.watch(with_settings([](const Settings& settings) {
    return ElementPolicy{.allowed = split_names<ElementNames>(settings.allow_elements),
                         .denied = split_names<ElementNames>(settings.deny_elements)};
  }));
}

bool UploadSource::has_a_chunk() const {
  const auto running = session();
  return state() != UploadState::kIdle || (running && running->has_a_chunk());
}

UploadState UploadSource::state() const {
  if (const auto running = session()) return running->state();
  const MutexLock lock(session_mutex_);
  return last_state_;
}

GstStructurePtr UploadSource::stats() const {
  if (const auto running = session()) return running->stats();
  const MutexLock lock(session_mutex_);
  if (last_stats_) return GstStructurePtr(gst_structure_copy(last_stats_.get()));
  return GstStructurePtr(gst_structure_new_empty("application/x-webrtcupload-stats"));
}

}  // namespace webrtcupload
