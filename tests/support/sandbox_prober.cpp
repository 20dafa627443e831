// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An element that does what no element should: `testsandboxprober` tries one thing, which its
// property `what` names, when the first buffer passes, and posts an error that says what came of it
// if the process is still there. What it tries does no harm to anybody.

#include <gst/base/gstbasetransform.h>

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

struct TestSandboxProber {
  GstBaseTransform parent;
  char* what;
  char* argument;
  gboolean done;
};
struct TestSandboxProberClass {
  GstBaseTransformClass parent_class;
};
enum { PROP_0, PROP_WHAT, PROP_ARGUMENT };

GType test_sandbox_prober_get_type();
G_DEFINE_TYPE(TestSandboxProber, test_sandbox_prober, GST_TYPE_BASE_TRANSFORM)

// Each: 0, or minus the error.

long read_file(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

long write_file(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  close(fd);
  return 0;
}

long connect_to(const char* port, int type) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(atoi(port)));
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const long result = connected ? 0 : -errno;
  close(fd);
  return result;
}

// On a thread with the name of one that libnice works on.
long connect_as_ice(const char* port) {
  long result = 0;
  std::thread([&] {
    prctl(PR_SET_NAME, "nicesrc0:src", 0, 0, 0);
    result = connect_to(port, SOCK_DGRAM);
  }).join();
  return result;
}

long start_program() {
  const pid_t child = fork();
  if (child < 0) return -errno;
  if (child == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  return 0;
}

long become_program() {
  const char* arguments[] = {"true", nullptr};
  syscall(SYS_execve, "/bin/true", arguments, nullptr);
  return -errno;
}

long errno_of(long result) { return result < 0 ? -errno : 0; }

long probe(std::string_view what, const char* argument) {
  if (what == "nothing") return 0;
  if (what == "read") return read_file(argument);
  if (what == "write") return write_file(argument);
  if (what == "connect") return connect_to(argument, SOCK_STREAM);
  if (what == "datagram") return connect_to(argument, SOCK_DGRAM);
  if (what == "late-ice") return connect_as_ice(argument);
  if (what == "local-socket") return errno_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (what == "chmod") return errno_of(chmod(argument, 0666));
  if (what == "program") return start_program();
  if (what == "exec") return become_program();
  if (what == "ptrace") return errno_of(ptrace(PTRACE_SEIZE, getppid(), nullptr, nullptr));
  if (what == "signal") return errno_of(kill(getppid(), 0));
  if (what == "thread-signal") return errno_of(syscall(SYS_tkill, getppid(), 0));
  if (what == "limits") {
    rlimit none{0, 0};
    return errno_of(prlimit(getppid(), RLIMIT_NOFILE, nullptr, &none));
  }
  if (what == "namespace") return errno_of(unshare(CLONE_NEWUSER));
  if (what == "mount") return errno_of(mount("none", "/nowhere", "tmpfs", 0, nullptr));
  if (what == "kernel") return errno_of(syscall(SYS_keyctl, 0, 0));
  return -ENOSYS;
}

GstFlowReturn transform_ip(GstBaseTransform* transform, GstBuffer*) {
  auto* self = reinterpret_cast<TestSandboxProber*>(transform);
  if (self->done) return GST_FLOW_OK;
  self->done = TRUE;
  const std::string_view what = self->what ? self->what : "nothing";
  const long result = probe(what, self->argument ? self->argument : "");
  if (what == "nothing") return GST_FLOW_OK;
  GST_ELEMENT_ERROR(self, LIBRARY, FAILED,
                    ("%s: %s", std::string(what).c_str(),
                     result == 0 ? "it was possible" : std::strerror(static_cast<int>(-result))),
                    (nullptr));
  return GST_FLOW_ERROR;
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec*) {
  auto* self = reinterpret_cast<TestSandboxProber*>(object);
  char** text = id == PROP_WHAT ? &self->what : &self->argument;
  g_free(*text);
  *text = g_value_dup_string(value);
}

void finalize(GObject* object) {
  auto* self = reinterpret_cast<TestSandboxProber*>(object);
  g_free(self->what);
  g_free(self->argument);
  G_OBJECT_CLASS(test_sandbox_prober_parent_class)->finalize(object);
}

void test_sandbox_prober_class_init(TestSandboxProberClass* klass) {
  GObjectClass* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->finalize = finalize;
  // Cannot be read, so that the server does not take the argument for a file of the pipeline's.
  constexpr auto kFlags = static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property(object_class, PROP_WHAT,
                                  g_param_spec_string("what", "What", "To try", nullptr, kFlags));
  g_object_class_install_property(
      object_class, PROP_ARGUMENT,
      g_param_spec_string("argument", "Argument", "A path, or a port", nullptr, kFlags));
  GstElementClass* element_class = GST_ELEMENT_CLASS(klass);
  GstCaps* caps = gst_caps_new_any();
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template(
      element_class, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_caps_unref(caps);
  gst_element_class_set_static_metadata(element_class, "Sandbox prober for tests", "Filter",
                                        "Tries what a session's process may not do",
                                        "the authors of webrtcupload");
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = GST_DEBUG_FUNCPTR(transform_ip);
}

void test_sandbox_prober_init(TestSandboxProber* self) {
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), TRUE);
}

gboolean plugin_init(GstPlugin* plugin) {
  return gst_element_register(plugin, "testsandboxprober", GST_RANK_NONE,
                              test_sandbox_prober_get_type());
}

}  // namespace

#define PACKAGE "webrtcupload"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, testsandboxprober,
                  "Element for the tests of webrtcupload", plugin_init, "0", "LGPL", "webrtcupload",
                  "https://gstreamer.freedesktop.org/")
