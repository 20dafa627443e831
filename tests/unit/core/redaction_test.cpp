// SPDX-License-Identifier: LGPL-2.1-or-later

#include "core/redaction.h"

#include <gtest/gtest.h>

#include <string>

namespace webrtcupload {
namespace {

struct Case {
  const char* text;
  const char* told;
};

// Nothing of this machine is left.
TEST(ClientText, LeavesOutWhereThingsAre) {
  for (const Case& each : {
           Case{"Could not open file \"/srv/secret/film.mp4\" for reading.",
                "Could not open file \"\u2026\" for reading."},
           Case{"Could not open file \"/srv/My Films/film one.mp4\" for reading.",
                "Could not open file \"\u2026\" for reading."},
           Case{"cannot create a file in /var/tmp/spool: No space left on device",
                "cannot create a file in \u2026: No space left on device"},
           Case{"cannot create a file in ~/spool/x, sorry",
                "cannot create a file in \u2026, sorry"},
           Case{"not in ./models/x nor in ../models", "not in \u2026 nor in \u2026"},
           Case{"location=/srv/x.mp4 is gone", "location=\u2026 is gone"},
           Case{"Failed to execute child process \u201C/usr/lib/helper\u201D (No such file)",
                "Failed to execute child process \u201C\u2026\u201D (No such file)"},
           Case{"Can't load 'haarcascade_fullbody.xml'", "Can't load '\u2026'"},
           Case{"model yolo-v8.onnx: wrong shape", "model \u2026: wrong shape"},
           Case{"libx264.so.164: cannot open shared object file",
                "\u2026: cannot open shared object file"},
           Case{"Secure connection to https://user:word@10.0.0.7:8443/hook failed.",
                "Secure connection to \u2026 failed."},
           Case{"\"file:///etc/hostname\" does not exist", "\"\u2026\" does not exist"},
           Case{"(/etc/hostname)", "(\u2026)"},
           Case{"/etc/hostname", "\u2026"},
           // Whatever stands around or within a path or an address.
           Case{"see git+ssh://host/x or web-dav://host or a.b://host",
                "see \u2026 or \u2026 or \u2026"},
           Case{"/srv/.hidden/a-", "\u2026"},
           Case{"is /srv/a+, /srv/a%, /srv/a=; or /srv/a/!",
                "is \u2026, \u2026, \u2026; or \u2026!"},
           Case{"(..//srv)", "(\u2026)"},
           Case{"cannot open //srv/secret/x: gone", "cannot open \u2026: gone"},
           Case{"in main.c( and v.c: as well", "in \u2026( and \u2026: as well"},
           Case{"/....", "\u2026...."},
       }) {
    EXPECT_EQ(text_for_client(each.text), each.told);
  }
}

TEST(ClientText, CutsWhatIsForDebugging) {
  for (const Case& each : {
           Case{"Could not demultiplex stream.\nqtdemux.c(8086): gst_qtdemux_loop_state_header (): "
                "/GstPipeline:pipeline0/GstQTDemux:qtdemux0:\nno 'moov' atom",
                "Could not demultiplex stream."},
           Case{"Internal error. ../gst/playback/gstdecodebin2.c(4719): gst_decode_bin_expose ()",
                "Internal error."},
           Case{"panicked at src/lib.rs:12:5: no", "panicked at"},
           Case{"gstbasesrc.c(1): x", ""},
           Case{"a main.cc:3", "a"},
       }) {
    EXPECT_EQ(text_for_client(each.text), each.told);
  }
}

// Words that only look like it.
TEST(ClientText, KeepsSentences) {
  for (const char* text : {
           "this is a playlist, not a video",
           "No decoder available for type 'video/x-h265, stream-format=(string)hvc1'.",
           "neither a chunk nor a frame came for 60 seconds",
           "chunk 7 has 65529 bytes, at most 65528 are accepted",
           "The property \"min-udp-port\" is 0.5 / 1",
           "the m-line UDP/DTLS/SCTP is not webrtc-datachannel, see RFC 8841.",
           "application/vnd.ms-sstr+xml is not taken, nor application/x-hls",
           "at 12:30:01 and/or 30/1 frames a second, e.g. 29.97",
           "it's the peer's \"name\" that isn't there",
           "stun.example.org does not answer",
           "a-/b, a+/b, (a)/b and a/b are one word each",
           "either//or",
           "it ends with a point. Or with two..",
           "text message of 13 bytes: \"what is this?\"",
           "",
       }) {
    EXPECT_EQ(text_for_client(text), text);
  }
}

TEST(ClientText, IsOneLineOfBoundedLength) {
  EXPECT_EQ(text_for_client("one\n\n two\tthree\x01\x7f"), "one two three");
  EXPECT_EQ(text_for_client(std::string(5000, 'a')), std::string(1024, 'a'));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "\u00E4";
  EXPECT_EQ(text_for_client("a" + many).size(), 1023U) << "no half characters";
  EXPECT_EQ(text_for_client(std::string(5000, '\x80')), "") << "nothing but the ends of characters";
}

// Whatever it is given it ends, and tells no path.
TEST(ClientText, TakesAnything) {
  for (const char* text : {"\"", "\"\"", "'/", "/", "//", "://", "=", "a=", ".", "..", "...", ".c(",
                           ".c(1", "\u201C", "/\u2026", "~", "~/", "=/x", "\xff\xfe/x"}) {
    const std::string told = text_for_client(text);
    EXPECT_EQ(told.find("/x"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace webrtcupload
