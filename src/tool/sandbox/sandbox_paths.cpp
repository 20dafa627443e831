// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tool/sandbox/sandbox_paths.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <link.h>
#include <set>
#include <string>
#include <string_view>

#include "glib/elements_in.h"
#include "glib/glib_ptr.h"

namespace webrtcupload {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRead[] = {
    // Programs and libraries, with their data: GStreamer's and its elements', fonts, cascades.
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt/rocm",
    // How libraries are found and set up.
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/alternatives",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/fonts",
    "/etc/mime.types",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gnutls",
    "/etc/system-fips",
    "/etc/OpenCL",
    "/etc/vulkan",
    "/etc/glvnd",
    "/etc/libva.conf",
    "/etc/drirc",
    "/var/cache/fontconfig",
    // Names of STUN and TURN servers.
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    // What the kernel says: of this process, and of processors and memory.
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
};
constexpr const char* kWrite[] = {"/dev/null"};

// Their values are paths, one after the other, that whoever started the server chose.
constexpr const char* kPathVariables[] = {"GST_PLUGIN_PATH",
                                          "GST_PLUGIN_PATH_1_0",
                                          "GST_PLUGIN_SYSTEM_PATH",
                                          "GST_PLUGIN_SYSTEM_PATH_1_0",
                                          "GST_PRESET_PATH",
                                          "LD_LIBRARY_PATH",
                                          "PYTHONPATH",
                                          "LIBVA_DRIVERS_PATH"};

// GStreamer and what it needs may be anywhere: decoders' libraries are beside those that are loaded
// already, and beside the directory of the plugins.
void add_plugins(SandboxPaths& paths) {
  std::set<std::string> directories;
  dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void* data) {
        const fs::path directory = fs::path(library->dlpi_name).parent_path();
        if (directory.is_absolute()) static_cast<std::set<std::string>*>(data)->insert(directory);
        return 0;
      },
      &directories);
  GList* plugins = gst_registry_get_plugin_list(gst_registry_get());
  for (GList* item = plugins; item; item = item->next) {
    const char* file = gst_plugin_get_filename(GST_PLUGIN(item->data));
    if (!file) continue;
    const fs::path directory = fs::path(file).parent_path();
    directories.insert(directory);
    if (directory.filename() == "gstreamer-1.0") directories.insert(directory.parent_path());
  }
  gst_plugin_list_free(plugins);
  for (const std::string& directory : directories) {
    const bool known = std::ranges::any_of(
        kRead, [&](const char* path) { return directory.starts_with(std::string(path) + "/"); });
    if (!known && !directory.empty()) paths.read.push_back(directory);
  }
}

void add_variables(SandboxPaths& paths) {
  for (const char* name : kPathVariables) {
    const std::string_view value = std::getenv(name) ? std::getenv(name) : "";
    for (std::size_t at = 0; at < value.size();) {
      const std::size_t end = std::min(value.find(':', at), value.size());
      if (end > at) paths.read.emplace_back(value.substr(at, end - at));
      at = end + 1;
    }
  }
  if (const char* directory = std::getenv("GST_DEBUG_DUMP_DOT_DIR")) {
    paths.write.emplace_back(directory);
  }
}

void add_fonts(SandboxPaths& paths) {
  const std::string home = g_get_home_dir();
  const std::string data = g_get_user_data_dir();
  const std::string cache = g_get_user_cache_dir();
  const std::string config = g_get_user_config_dir();
  for (const std::string& path :
       {home + "/.fonts", home + "/.fonts.conf", data + "/fonts", cache + "/fontconfig",
        config + "/fontconfig", data + "/gstreamer-1.0"}) {
    paths.read.push_back(path);
  }
}

bool is_kind(GstElement* element, const char* kind) {
  GstElementFactory* factory = gst_element_get_factory(element);
  const char* klass =
      factory ? gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS) : nullptr;
  return klass && std::string_view(klass).find(kind) != std::string_view::npos;
}

// Places where no pipeline's own files are.
bool is_of_the_system(const fs::path& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  if (absolute == absolute.root_path()) return true;
  return std::ranges::any_of(
      std::initializer_list<const char*>{"/dev", "/proc", "/sys", "/etc", "/usr", "/lib"},
      [&](const char* place) {
        return absolute == place || absolute.string().starts_with(std::string(place) + "/");
      });
}

void add_file(const fs::path& file, SandboxPaths& paths) {
  paths.read.push_back(file);
  const fs::path directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const std::string name = file.filename();
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string other = entry->path().filename();
    if (other != name && other.starts_with(name)) paths.read.push_back(entry->path());
  }
}

void add_named(std::string_view text, bool of_sink, SandboxPaths& paths) {
  constexpr std::string_view kFileUri = "file://";
  if (text.starts_with(kFileUri)) text.remove_prefix(kFileUri.size());
  if (text.empty()) return;
  const fs::path path(text);
  std::error_code error;
  const auto kind = fs::status(path, error).type();
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (kind == fs::file_type::directory) {
    if (is_of_the_system(path)) return;
    (of_sink ? paths.write : paths.read).push_back(path);
  } else if (kind == fs::file_type::regular && !of_sink) {
    add_file(path, paths);
  } else if (kind == fs::file_type::regular || text.find('/') != std::string_view::npos ||
             of_sink) {
    if (is_of_the_system(directory) || !fs::is_directory(directory, error)) return;
    paths.write.push_back(directory);
  }
}

void add_named_by(GstElement* element, SandboxPaths& paths) {
  const bool of_sink = is_kind(element, "Sink");
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; ++i) {
    GParamSpec* spec = specs[i];
    constexpr auto kBoth = G_PARAM_READABLE | G_PARAM_WRITABLE;
    if (spec->value_type != G_TYPE_STRING || (spec->flags & kBoth) != kBoth) continue;
    if (std::string_view(spec->name) == "name") continue;
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_STRING);
    g_object_get_property(G_OBJECT(element), spec->name, &value);
    const char* text = g_value_get_string(&value);
    if (text && !g_param_value_defaults(spec, &value)) {
      // A sink's names of anything else (a device, a host) are no files of its own.
      const std::string_view name(spec->name);
      const bool is_place = name.find("location") != name.npos || name.find("file") != name.npos ||
                            name.find("dir") != name.npos || name.find("root") != name.npos;
      if (!of_sink || is_place) add_named(text, of_sink, paths);
    }
    g_value_unset(&value);
  }
  g_free(specs);
}

}  // namespace

SandboxPaths paths_of_every_session() {
  SandboxPaths paths;
  paths.read.assign(std::begin(kRead), std::end(kRead));
  paths.write.assign(std::begin(kWrite), std::end(kWrite));
  add_plugins(paths);
  add_variables(paths);
  add_fonts(paths);
  return paths;
}

SandboxPaths paths_of_hardware() {
  return {.read = {"/sys/devices", "/sys/bus", "/sys/class", "/sys/dev/char", "/run/udev/data",
                   "/proc/driver/nvidia", "/etc/igfx_user_feature.txt"},
          .write = {"/dev/dri", "/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm",
                    "/dev/nvidia-modeset"}};
}

SandboxPaths paths_named_in(GstElement* pipeline) {
  SandboxPaths paths;
  for (const auto& element : elements_in(GST_BIN(pipeline))) add_named_by(element.get(), paths);
  return paths;
}

bool uses_hardware(GstElement* pipeline) {
  return std::ranges::any_of(elements_in(GST_BIN(pipeline)), [](const auto& element) {
    return is_kind(element.get(), "Hardware");
  });
}

}  // namespace webrtcupload
