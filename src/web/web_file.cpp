// SPDX-License-Identifier: LGPL-2.1-or-later

#include "web/web_file.h"

#include <gio/gio.h>

#include <map>
#include <string>
#include <utility>

// Made by glib-compile-resources, as C.
extern "C" {
#include "web/webrtcupload-web.h"
}

namespace webrtcupload {
namespace {

constexpr const char* kPrefix = "/webrtcupload/web/";
constexpr std::string_view kPage = "index.html";

struct Entry {
  // The resource's own data, not a copy.
  GBytes* data = nullptr;
  std::string_view bytes;
  std::string mime_type;
  std::string etag;
  std::string policy;
};

using Files = std::map<std::string, Entry, std::less<>>;

std::string sha256_base64(std::string_view text) {
  GChecksum* checksum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(checksum, reinterpret_cast<const guchar*>(text.data()),
                    static_cast<gssize>(text.size()));
  guint8 digest[32];
  gsize size = sizeof digest;
  g_checksum_get_digest(checksum, digest, &size);
  g_checksum_free(checksum);
  gchar* encoded = g_base64_encode(digest, size);
  std::string result = encoded;
  g_free(encoded);
  return result;
}

std::string mime_type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return "image/svg+xml";
}

// Everything from this server and nothing from elsewhere; the page's one style sheet is in it, and
// may stay there because of its hash. The video that a person chose is a blob.
std::string policy_for(std::string_view page) {
  constexpr std::string_view kBegin = "<style>";
  const auto begin = page.find(kBegin) + kBegin.size();
  const auto style = page.substr(begin, page.find("</style>", begin) - begin);
  return "default-src 'none'; script-src 'self'; style-src 'sha256-" + sha256_base64(style) +
         "'; img-src 'self'; media-src blob:; connect-src 'self'; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
}

Files load() {
  Files files;
  GResource* resource = webrtcupload_web_get_resource();
  gchar** names =
      g_resource_enumerate_children(resource, kPrefix, G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr);
  for (gchar** name = names; name && *name; ++name) {
    const std::string path = std::string(kPrefix) + *name;
    GBytes* data =
        g_resource_lookup_data(resource, path.c_str(), G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr);
    if (!data) continue;
    gsize size = 0;
    const auto* bytes = static_cast<const char*>(g_bytes_get_data(data, &size));
    Entry entry;
    entry.data = data;
    entry.bytes = {bytes, size};
    entry.mime_type = mime_type_of(*name);
    entry.etag = '"' + sha256_base64(entry.bytes).substr(0, 22) + '"';
    if (*name == kPage) entry.policy = policy_for(entry.bytes);
    files.emplace(*name == kPage ? "/" : std::string("/") + *name, std::move(entry));
  }
  g_strfreev(names);
  return files;
}

}  // namespace

std::optional<WebFile> web_file(std::string_view path) {
  // Never freed, so that it outlives every thread that still looks.
  static const auto& files = *new Files(load());
  const auto found = files.find(path);
  if (found == files.end()) return std::nullopt;
  const Entry& entry = found->second;
  return WebFile{entry.bytes, entry.mime_type, entry.etag, entry.policy};
}

}  // namespace webrtcupload
