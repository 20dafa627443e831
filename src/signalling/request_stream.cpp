// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/request_stream.h"

#include <utility>

namespace webrtcupload {
namespace {

// This code can be in a process twice, in the plugin and in the program: each has types of its own.
template <typename Instance, typename Class>
GType register_type(GType parent, const char* name, GClassInitFunc init_class) {
  static int copy;
  const GCharPtr unique(g_strdup_printf("%s-%p", name, static_cast<void*>(&copy)));
  return g_type_register_static_simple(parent, unique.get(), sizeof(Class), init_class,
                                       sizeof(Instance), nullptr, GTypeFlags(0));
}

// -------------------------------------------------------------------------------------------------
// what is read

struct Input {
  GFilterInputStream parent;
  struct State {
    std::shared_ptr<RequestFraming> framing;
    std::function<void()> refused;
  } * state;

  static Input* of(gpointer stream) { return static_cast<Input*>(stream); }
  static GPollableInputStream* base(gpointer stream) {
    return G_POLLABLE_INPUT_STREAM(g_filter_input_stream_get_base_stream(&of(stream)->parent));
  }
};

struct InputClass {
  GFilterInputStreamClass parent;
};

// What nobody wants is read in such portions, between which others have their turn.
constexpr int kMostReads = 64;

gssize read_input(GPollableInputStream* stream, void* buffer, gsize count, GError** error) {
  auto& [framing, refused] = *Input::of(stream)->state;
  for (int i = 0; i < kMostReads; ++i) {
    const gssize read = g_pollable_input_stream_read_nonblocking(Input::base(stream), buffer, count,
                                                                 nullptr, error);
    if (read < 0) return read;
    std::size_t taken = 0;
    if (read == 0) {
      framing->finish();
    } else {
      taken = framing->feed({static_cast<const char*>(buffer), static_cast<std::size_t>(read)});
    }
    if (framing->error()) {
      // Nobody is to act on what came of it just now.
      taken = 0;
      if (const auto tell = std::exchange(refused, nullptr)) tell();
    }
    if (taken > 0 || read == 0) return static_cast<gssize>(taken);
  }
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "nothing to read");
  return -1;
}

GSource* create_input_source(GPollableInputStream* stream, GCancellable* cancellable) {
  GSource* base = g_pollable_input_stream_create_source(Input::base(stream), cancellable);
  GSource* source = g_pollable_source_new_full(stream, base, nullptr);
  g_source_unref(base);
  return source;
}

void init_pollable(gpointer interface, gpointer) {
  auto* pollable = static_cast<GPollableInputStreamInterface*>(interface);
  pollable->read_nonblocking = read_input;
  pollable->is_readable = [](GPollableInputStream* stream) {
    return g_pollable_input_stream_is_readable(Input::base(stream));
  };
  pollable->create_source = create_input_source;
}

void init_input_class(gpointer self, gpointer) {
  G_OBJECT_CLASS(self)->finalize = [](GObject* object) {
    delete Input::of(object)->state;
    static_cast<GObjectClass*>(g_type_class_peek(G_TYPE_FILTER_INPUT_STREAM))->finalize(object);
  };
  // Nobody does.
  G_INPUT_STREAM_CLASS(self)->read_fn = [](GInputStream*, void*, gsize, GCancellable*,
                                           GError** error) -> gssize {
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "only without blocking");
    return -1;
  };
}

GType input_type() {
  static const GType type = [] {
    const GType made = register_type<Input, InputClass>(
        G_TYPE_FILTER_INPUT_STREAM, "WebrtcUploadRequestInput", init_input_class);
    const GInterfaceInfo pollable{init_pollable, nullptr, nullptr};
    g_type_add_interface_static(made, G_TYPE_POLLABLE_INPUT_STREAM, &pollable);
    return made;
  }();
  return type;
}

// -------------------------------------------------------------------------------------------------
// the connection

struct Stream {
  GIOStream parent;
  GIOStream* connection;
  GInputStream* input;

  static Stream* of(gpointer stream) { return static_cast<Stream*>(stream); }
};

struct StreamClass {
  GIOStreamClass parent;
};

void init_stream_class(gpointer self, gpointer) {
  G_OBJECT_CLASS(self)->dispose = [](GObject* object) {
    // Closes what is open still.
    static_cast<GObjectClass*>(g_type_class_peek(G_TYPE_IO_STREAM))->dispose(object);
    g_clear_object(&Stream::of(object)->input);
    g_clear_object(&Stream::of(object)->connection);
  };
  GIOStreamClass* stream = G_IO_STREAM_CLASS(self);
  stream->get_input_stream = [](GIOStream* of) { return Stream::of(of)->input; };
  stream->get_output_stream = [](GIOStream* of) {
    return g_io_stream_get_output_stream(Stream::of(of)->connection);
  };
  stream->close_fn = [](GIOStream* of, GCancellable* cancellable, GError** error) {
    return g_io_stream_close(Stream::of(of)->connection, cancellable, error);
  };
}

GType stream_type() {
  static const GType type = register_type<Stream, StreamClass>(
      G_TYPE_IO_STREAM, "WebrtcUploadRequestStream", init_stream_class);
  return type;
}

}  // namespace

GObjectPtr<GIOStream> make_request_stream(GIOStream* connection,
                                          std::shared_ptr<RequestFraming> framing,
                                          std::function<void()> refused) {
  auto* stream = Stream::of(g_object_new(stream_type(), nullptr));
  stream->connection = static_cast<GIOStream*>(g_object_ref(connection));
  stream->input = G_INPUT_STREAM(
      g_object_new(input_type(), "base-stream", g_io_stream_get_input_stream(connection), nullptr));
  Input::of(stream->input)->state = new Input::State{std::move(framing), std::move(refused)};
  return GObjectPtr<GIOStream>(G_IO_STREAM(stream));
}

}  // namespace webrtcupload
