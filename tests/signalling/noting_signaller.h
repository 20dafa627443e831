// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A signaller of an application's for the tests: it notes what it is told.

#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "webrtcupload/webrtcupload.h"

// What a signaller has been told, and what it does.
struct Told {
  std::mutex mutex;
  // "start", "stop", "answer ID", "refuse ID CODE", "end ID CODE".
  std::vector<std::string> calls;
  std::string sdp;  // The last answer.
  std::string message;
  std::string start_problem;
  // Called by answer(), which returns when it does.
  std::function<void()> on_answer;

  void add(const std::string& call, const char* text = nullptr) {
    const std::lock_guard lock(mutex);
    calls.push_back(call);
    if (text) message = text;
  }
  std::string last_answer() {
    const std::lock_guard lock(mutex);
    return sdp;
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return calls;
  }
};

G_DECLARE_FINAL_TYPE(TestSignaller, test_signaller, TEST, SIGNALLER, GObject)
struct _TestSignaller {
  GObject parent;
  Told* told;
};

static void test_signaller_init_interface(GstWebrtcUploadSignallerInterface* iface) {
  iface->start = [](GstWebrtcUploadSignaller* self, GError** error) -> gboolean {
    Told& told = *TEST_SIGNALLER(self)->told;
    told.add("start");
    if (told.start_problem.empty()) return TRUE;
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, told.start_problem.c_str());
    return FALSE;
  };
  iface->stop = [](GstWebrtcUploadSignaller* self) { TEST_SIGNALLER(self)->told->add("stop"); };
  iface->answer = [](GstWebrtcUploadSignaller* self, const char* id, const char* sdp) {
    Told& told = *TEST_SIGNALLER(self)->told;
    std::function<void()> on_answer;
    {
      const std::lock_guard lock(told.mutex);
      told.sdp = sdp;
      on_answer = told.on_answer;
    }
    told.add(std::string("answer ") + id);
    if (on_answer) on_answer();
  };
  iface->refuse = [](GstWebrtcUploadSignaller* self, const char* id, const char* code,
                     const char* message) {
    TEST_SIGNALLER(self)->told->add(std::string("refuse ") + id + " " + code, message);
  };
  iface->end = [](GstWebrtcUploadSignaller* self, const char* id, const char* code,
                  const char* message) {
    TEST_SIGNALLER(self)->told->add(
        std::string("end ") + id + (code ? " " : "") + (code ? code : ""), message);
  };
}
G_DEFINE_FINAL_TYPE_WITH_CODE(TestSignaller, test_signaller, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_WEBRTC_UPLOAD_SIGNALLER,
                                                    test_signaller_init_interface))
static void test_signaller_class_init(TestSignallerClass*) {}
static void test_signaller_init(TestSignaller*) {}
