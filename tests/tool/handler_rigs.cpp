// SPDX-License-Identifier: LGPL-2.1-or-later

#include "handler_rigs.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <unistd.h>
#include <vector>

#include "glib/signal_connection.h"
#include "results/result_client.h"
#include "support/gst_test.h"
#include "support/peer_pair.h"
#include "upload/upload_witness.h"
#include "worker_client.h"

namespace webrtcupload::test {
namespace {

// A peer for all that need no connection of their own.
std::unique_ptr<PeerPair> shared_pair;

PeerPair& pair() {
  if (!shared_pair) {
    shared_pair = std::make_unique<PeerPair>(PeerPair::Options{.observe_incoming = false});
    EXPECT_TRUE(shared_pair->connect("another").channel);
  }
  return *shared_pair;
}

// Until `upload` has read so many bytes to their end.
testing::AssertionResult wait_done(GstElement* upload, guint64 size) {
  guint64 bytes = 0;
  std::string state;
  const bool done = eventually([&] {
    GstStructure* raw = nullptr;
    g_object_get(upload, "stats", &raw, nullptr);
    const GstStructurePtr stats(raw);
    gst_structure_get_uint64(stats.get(), "bytes", &bytes);
    state = enum_nick(upload, "state");
    return state == "done" && bytes == size;
  });
  if (done) return testing::AssertionSuccess();
  return testing::AssertionFailure() << state << " after " << bytes << " of " << size << " bytes";
}

constexpr std::size_t kFile = 100'000;
constexpr std::size_t kNextFile = 60'000;

class UploadRig : public Rig {
 public:
  UploadRig() : Rig("webrtcupload name=element ! fakesink sync=false") {
    g_object_set(element(), "webrtcbin", pair().answerer(), nullptr);
  }

  void cause(Cause cause) override {
    play();
    if (cause == Cause::kStart) return;
    channel_ = open_channel(pair());
    ASSERT_TRUE(channel_.channel);
    GstWebRTCDataChannel* channel = channel_.channel.get();
    if (cause == Cause::kBegin) {
      EXPECT_TRUE(send_chunk(channel, 0, 2, Bytes(10)));
    } else if (cause == Cause::kFail) {
      EXPECT_TRUE(send_chunk(channel, 3, 2, Bytes(10)));
    } else {
      // A handler of something that comes early may end it before all has been sent.
      static_cast<void>(send_file(channel, random_bytes(kFile)));
    }
    if (cause != Cause::kStartAgain) return;
    EXPECT_TRUE(wait_done(element(), kFile));
    gst_element_set_state(pipeline(), GST_STATE_NULL);
    play();
  }

  void expect_works(bool) override {
    channel_ = open_channel(pair());
    ASSERT_TRUE(channel_.channel);
    ASSERT_TRUE(send_file(channel_.channel.get(), random_bytes(kNextFile)));
    EXPECT_TRUE(wait_done(element(), kNextFile));
  }

 private:
  PeerPair::Channel channel_;
};

class ResultsRig : public Rig {
 public:
  ResultsRig()
      : Rig("videotestsrc is-live=true ! video/x-raw,width=16,height=16,framerate=30/1 "
            "! webrtcresultsink name=element") {
    g_object_set(element(), "webrtcbin", pair().answerer(), nullptr);
    heard_ = SignalConnection(element(), "control",
                              G_CALLBACK(+[](GstElement*, const char*,
                                             std::shared_ptr<Count>* count) { (*count)->raise(); }),
                              count_);
  }

  void cause(Cause cause) override {
    play();
    if (cause == Cause::kStart) return;
    connect();
    if (cause == Cause::kControl) {
      client_->say("{\"hello\": 1}");
    } else if (cause == Cause::kComplete) {
      g_signal_emit_by_name(element(), "finish", nullptr, nullptr);
      EXPECT_TRUE(client_->wait_completion());
      client_->close();
    } else {
      EXPECT_TRUE(client_->wait_results(1));
      client_->close();
    }
  }

  void expect_works(bool whole_pipeline) override {
    connect();
    // Upstream has been told that nobody listens when the sink alone was restarted.
    if (whole_pipeline) {
      EXPECT_TRUE(client_->wait_results(1));
    }
    const int before = count_->value();
    client_->say("{\"hello\": 2}");
    EXPECT_TRUE(count_->wait(before + 1));
    g_signal_emit_by_name(element(), "finish", nullptr, nullptr);
    EXPECT_TRUE(client_->wait_completion());
    client_->close();
  }

  void end() override {
    Rig::end();
    client_.reset();
  }

 private:
  void connect() {
    client_ = std::make_unique<ResultClient>(pair());
    ASSERT_TRUE(client_->observer().wait_open());
  }

  const std::shared_ptr<Count> count_ = std::make_shared<Count>();
  SignalConnection heard_;
  std::unique_ptr<ResultClient> client_;
};

class ServerRig : public Rig {
 public:
  explicit ServerRig(bool tells_of_upload)
      : Rig("webrtcuploadserver name=element port=0 ! fakesink sync=false") {
    const GstPtr<GstElement> upload(gst_bin_get_by_name(GST_BIN(element()), "upload"));
    upload_ = upload.get();
    teller_ = tells_of_upload ? upload_ : element();
  }
  ~ServerRig() override {
    if (!path_.empty()) std::filesystem::remove(path_);
  }

  [[nodiscard]] GstElement* teller() const override { return teller_; }

  void cause(Cause cause) override {
    if (cause == Cause::kPeerIsIdle) set_connect_timeout(300 * GST_MSECOND);
    play();
    if (cause == Cause::kStart) return;
    // From the next start on.
    set_connect_timeout(30 * GST_SECOND);
    // So that a restart has to have it free.
    g_object_set(element(), "port", static_cast<guint>(port()), nullptr);
    client_ = std::make_unique<WorkerClient>();
    const int status = client_->connect(port());
    if (cause == Cause::kPeer || cause == Cause::kPeerIsIdle) return;
    ASSERT_EQ(status, 200);
    ASSERT_TRUE(client_->wait_open());
    if (cause == Cause::kPeerGoes) return client_->hang_up();
    write_file(kFile);
    client_->upload_part(path_, cause == Cause::kBegin ? 1 : G_MAXUINT32);
  }

  void expect_works(bool) override {
    ASSERT_TRUE(eventually([&] {
      client_ = std::make_unique<WorkerClient>();
      return client_->connect(port()) == 200;
    }));
    write_file(kNextFile);
    client_->upload(path_);
    EXPECT_TRUE(wait_done(upload_, kNextFile));
  }

  void end() override {
    Rig::end();
    client_.reset();
  }

 private:
  [[nodiscard]] int port() const {
    guint port = 0;
    g_object_get(element(), "port", &port, nullptr);
    return static_cast<int>(port);
  }
  void set_connect_timeout(GstClockTime time) {
    g_object_set(element(), "connect-timeout", guint64{time}, nullptr);
  }
  void write_file(std::size_t size) {
    if (path_.empty()) {
      char name[] = "/tmp/webrtc-upload-test-XXXXXX";
      close(mkstemp(name));
      path_ = name;
    }
    const Bytes bytes = random_bytes(size);
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
  }

  GstElement* upload_ = nullptr;
  GstElement* teller_ = nullptr;
  std::unique_ptr<WorkerClient> client_;
  std::string path_;
};

}  // namespace

Rig::Rig(const std::string& description) : pipeline_(parse_pipeline(description)) {
  const GstPtr<GstElement> found = element_named(pipeline_, "element");
  element_ = found.get();
}

void Rig::play() {
  // A handler may let go of it before this is over.
  const GstPtr<GstElement> keep = ref_gst(pipeline());
  EXPECT_NE(gst_element_set_state(keep.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
}

void Rig::forget_messages() {
  if (!pipeline_) return;
  const GstPtr<GstBus> bus(gst_element_get_bus(pipeline()));
  gst_bus_set_flushing(bus.get(), TRUE);
}

void Rig::end() {
  if (pipeline_) {
    const GstPtr<GstElement> found(gst_bin_get_by_name(GST_BIN(pipeline()), "element"));
    if (found) gst_element_set_locked_state(found.get(), FALSE);
    gst_element_set_state(pipeline(), GST_STATE_NULL);
  }
  let_go();
}

std::shared_ptr<Rig> make_upload_rig() { return std::make_shared<UploadRig>(); }
std::shared_ptr<Rig> make_results_rig() { return std::make_shared<ResultsRig>(); }
std::shared_ptr<Rig> make_server_rig() { return std::make_shared<ServerRig>(false); }
std::shared_ptr<Rig> make_server_rig_of_upload() { return std::make_shared<ServerRig>(true); }
void end_rigs() { shared_pair.reset(); }

std::string enum_nick(gpointer object, const char* property) {
  gint value = 0;
  g_object_get(object, property, &value, nullptr);
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(object), property);
  const GEnumValue* found = g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, value);
  return found ? found->value_nick : "";
}

}  // namespace webrtcupload::test
