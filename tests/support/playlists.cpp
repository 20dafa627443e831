// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/playlists.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

namespace webrtcupload::test {
namespace {

constexpr char kXml[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::string media_playlist(const std::string& segment, const std::string& more = "") {
  return "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n" + more + "#EXTINF:9.9,\n" +
         segment + "\n";
}

std::string finished(const std::string& playlist) { return playlist + "#EXT-X-ENDLIST\n"; }

std::string master_playlist(const std::string& variant) {
  return "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"avc1.42e01e\"\n" + variant + "\n";
}

std::string dash_manifest(const std::string& address) {
  return kXml +
         std::string(
             "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
             "mediaPresentationDuration=\"PT10S\" minBufferTime=\"PT1S\" "
             "profiles=\"urn:mpeg:dash:profile:isoff-main:2011\"><Period id=\"1\" start=\"PT0S\" "
             "duration=\"PT10S\"><AdaptationSet mimeType=\"video/mp4\" codecs=\"avc1.42e01e\">"
             "<SegmentTemplate duration=\"2\" timescale=\"1\" startNumber=\"1\" media=\"") +
         address + "\" initialization=\"" + address +
         "\"/><Representation id=\"1\" bandwidth=\"800000\" width=\"320\" height=\"240\"/>"
         "</AdaptationSet></Period></MPD>\n";
}

std::string smooth_manifest() {
  return kXml + std::string(
                    "<SmoothStreamingMedia MajorVersion=\"2\" MinorVersion=\"0\" "
                    "Duration=\"100000000\"></SmoothStreamingMedia>\n");
}

std::string session_description() {
  return "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
         "m=video 49170 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
}

// A tag without frames, ID3v2.4, of 64 bytes of padding.
std::string behind_id3(const std::string& content) {
  std::string tag("ID3\x04\x00\x00\x00\x00\x00\x40", 10);
  tag.append(64, '\0');
  return tag + content;
}

// An empty APEv2 tag at the begin.
std::string behind_ape(const std::string& content) {
  std::string tag = "APETAGEX";
  const auto number = [&tag](std::uint32_t value) {
    for (int i = 0; i < 4; ++i) tag.push_back(static_cast<char>(value >> (8 * i)));
  };
  number(2000);         // version
  number(32);           // size, without the header
  number(0);            // items
  number(0xA0000000u);  // has a header; this is it
  tag.append(8, '\0');
  std::string footer = tag;
  footer[23] = static_cast<char>(0x80);
  return tag + footer + content;
}

std::string in_parts(const std::string& type, const std::string& content) {
  const auto part = [&] {
    return "--part\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content + "\r\n";
  };
  return part() + part() + part();
}

}  // namespace

OpenWitness::OpenWitness() {
  char name[] = "/tmp/webrtcupload-witness-XXXXXX";
  directory_ = mkdtemp(name);
  file_ = directory_ + "/named";
  std::ofstream(file_) << std::string(4096, 'x');
  watcher_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  inotify_add_watch(watcher_, directory_.c_str(), IN_OPEN | IN_ACCESS);

  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 100) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no listener");
  }
  port_ = ntohs(address.sin_port);
}

OpenWitness::~OpenWitness() {
  close(listener_);
  close(watcher_);
  std::filesystem::remove_all(directory_);
}

std::string OpenWitness::opened() {
  std::string what;
  for (int client; (client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    close(client);
    what += "a connection; ";
  }
  alignas(inotify_event) char events[4096];
  for (ssize_t size; (size = read(watcher_, events, sizeof events)) > 0;) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events + at);
      // Without a name it is the directory: somebody who has to do with no test lists /tmp.
      if (event->len > 0) {
        what +=
            (event->mask & IN_OPEN ? "open of " : "access to ") + std::string(event->name) + "; ";
      }
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  return what;
}

std::vector<Playlist> playlists(const std::string& address, const std::string& file) {
  const std::string path = "file://" + file;
  const std::string hls = finished(media_playlist(address + "/a.ts"));
  const std::string key = "#EXT-X-KEY:METHOD=AES-128,URI=\"" + address + "/key\"\n";
  const std::string map = "#EXT-X-MAP:URI=\"" + path + "\"\n";
  std::vector<Playlist> all = {
      {"hls_media", hls},
      {"hls_media_of_files", finished(media_playlist(path))},
      {"hls_media_of_a_path", finished(media_playlist(file))},
      {"hls_master", master_playlist(address + "/a.m3u8")},
      {"hls_master_of_files", master_playlist(path)},
      {"hls_nested", master_playlist("data:application/x-mpegurl,%23EXTM3U%0A" + address)},
      {"hls_key", finished(media_playlist(address + "/a.ts", key))},
      {"hls_init_section", finished(media_playlist(address + "/a.mp4", map))},
      {"hls_live", media_playlist(address + "/a.ts", "#EXT-X-MEDIA-SEQUENCE:7\n")},
      {"hls_ftp", finished(media_playlist("ftp://127.0.0.1/a.ts"))},
      {"hls_rtsp", finished(media_playlist("rtsp" + address.substr(4) + "/a"))},
      {"hls_rtmp", finished(media_playlist("rtmp" + address.substr(4) + "/a"))},
      {"hls_pipe", finished(media_playlist("fd://0"))},
      {"hls_behind_id3", behind_id3(hls)},
      {"hls_behind_two_id3", behind_id3(behind_id3(hls))},
      {"hls_behind_ape", behind_ape(hls)},
      {"hls_in_parts", in_parts("application/x-hls", hls)},
      {"hls_in_parts_as_video", in_parts("application/vnd.apple.mpegurl", hls)},
      {"dash", dash_manifest(address + "/a.mp4")},
      {"dash_of_files", dash_manifest(path)},
      {"dash_behind_id3", behind_id3(dash_manifest(address + "/a.mp4"))},
      {"dash_in_parts", in_parts("application/dash+xml", dash_manifest(address + "/a.mp4"))},
      {"smooth", smooth_manifest()},
      {"smooth_behind_id3", behind_id3(smooth_manifest())},
      {"sdp", session_description()},
      {"sdp_in_parts", in_parts("application/sdp", session_description())},
      {"uri_list", "# comment\r\n" + address + "/a.mp4\r\n" + path + "\r\n"},
      {"m3u", "#EXTM3U\n#EXTINF:9,x\n" + address + "/a.mp4\n"},
      {"ram", "rtsp" + address.substr(4) + "/a.rm\n" + std::string(64, '\n')},
      {"smil", std::string(kXml) + "<smil xmlns=\"http://www.w3.org/ns/SMIL\"><body><video src=\"" +
                   address + "/a.mp4\"/></body></smil>\n"},
      {"svg", std::string(kXml) +
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" "
                  "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"64\" height=\"64\">"
                  "<image width=\"64\" height=\"64\" xlink:href=\"" +
                  path + "\"/></svg>\n"},
      {"xspf", std::string(kXml) +
                   "<playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\"><trackList><track>"
                   "<location>" +
                   path + "</location></track></trackList></playlist>\n"},
      {"pls", "[playlist]\nFile1=" + address + "/a.mp4\nNumberOfEntries=1\nVersion=2\n", false},
      {"asx", "<asx version=\"3.0\"><entry><ref href=\"" + address + "/a\"/></entry></asx>\n",
       false},
      {"reference", "[Reference]\nRef1=" + address + "/a.asf\n", false},
      {"rtsptext", "rtsptext\nrtsp" + address.substr(4) + "/a.mov\n", false},
      {"RTSPtext", "RTSPtext\nrtsp" + address.substr(4) + "/a.mov\n", false},
      {"SMILtext", "SMILtext\n<smil><body><video src=\"" + address + "/a\"/></body></smil>\n",
       false},
      {"cue", "FILE \"" + file + "\" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n", false},
      {"concat", "ffconcat version 1.0\nfile '" + file + "'\n", false},
      {"hls_behind_bom", "\xEF\xBB\xBF" + hls, false},
  };
  // Typefinders look at nothing that is shorter than a few dozen bytes.
  for (Playlist& each : all) {
    if (!each.is_known) each.content.append(64, '\n');
  }
  return all;
}

std::vector<std::string> playlist_names() {
  std::vector<std::string> names;
  for (const Playlist& each : playlists("http://x", "/x")) names.push_back(each.name);
  return names;
}

Playlist playlist(const std::string& name, const OpenWitness& witness) {
  for (Playlist& each :
       playlists("http://127.0.0.1:" + std::to_string(witness.port()), witness.file())) {
    if (each.name == name) return each;
  }
  throw std::out_of_range(name);
}

}  // namespace webrtcupload::test
