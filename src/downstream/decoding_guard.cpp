// SPDX-License-Identifier: LGPL-2.1-or-later

#include "downstream/decoding_guard.h"

#include <string_view>
#include <utility>

#include "core/mutex.h"
#include "downstream/upload_origin.h"
#include "glib/debug.h"
#include "glib/elements_in.h"
#include "glib/upstream.h"
#include "webrtc/find_webrtcbin.h"

#define GST_CAT_DEFAULT webrtcupload::debug::upload()

namespace webrtcupload {
namespace {

constexpr char kPlaylist[] = "this is a playlist, not a video";
constexpr char kNoVideo[] = "this is not a video";
constexpr char kDenied[] = "this kind of video is not taken here";

// GstAutoplugSelectResult, of which there is no header.
constexpr int kTry = 0;
constexpr int kSkip = 2;

const char* sentence_for(ElementKind kind) {
  return kind == ElementKind::kDocument ? kNoVideo : kPlaylist;
}

std::vector<GstPtr<GstPad>> pads_of(GstElement* element, bool only_sinks) {
  std::vector<GstPtr<GstPad>> pads;
  GST_OBJECT_LOCK(element);
  for (GList* item = only_sinks ? element->sinkpads : element->pads; item; item = item->next) {
    pads.push_back(ref_gst(GST_PAD(item->data)));
  }
  GST_OBJECT_UNLOCK(element);
  return pads;
}

gboolean refuse_to_start(GstPad*, GstObject*, GstPadMode, gboolean active) { return !active; }
gboolean refuse_to_start_at_all(GstPad*, GstObject*) { return FALSE; }

// Whoever has made the element goes on, and sets its state next. It fails on its way to PAUSED,
// since its pads do not start, before it has asked for anything or been given anything. There is
// no way to take it out: whoever made it counts on its being there.
void keep_from_starting(GstElement* element) {
  for (const auto& pad : pads_of(element, false)) {
    gst_pad_set_activate_function(pad.get(), refuse_to_start_at_all);
    gst_pad_set_activatemode_function(pad.get(), refuse_to_start);
    gst_pad_add_probe(
        pad.get(),
        GstPadProbeType(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST |
                        GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH),
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }, nullptr, nullptr);
  }
  // A source that starts without pads.
  for (const char* name : {"uri", "location"}) {
    GParamSpec* property = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
    if (property && G_IS_PARAM_SPEC_STRING(property) && (property->flags & G_PARAM_WRITABLE)) {
      g_object_set(element, name, nullptr, nullptr);
    }
  }
}

// What is before a stream whose type was found by looking at its bytes: the whole file, or what
// follows a tag. A part of a file with several may well be a text.
bool is_whole_file(GstPad* pad) {
  GstPtr<GstPad> target = ref_gst(pad);
  while (target && GST_IS_GHOST_PAD(target.get())) {
    target.reset(gst_ghost_pad_get_target(GST_GHOST_PAD(target.get())));
  }
  const GstPtr<GstElement> element(target ? gst_pad_get_parent_element(target.get()) : nullptr);
  GstElementFactory* factory = element ? gst_element_get_factory(element.get()) : nullptr;
  if (!factory) return false;
  const std::string_view klass =
      gst_element_factory_get_metadata(factory, GST_ELEMENT_METADATA_KLASS);
  return std::string_view(GST_OBJECT_NAME(factory)) == "typefind" ||
         klass.find("Metadata") != std::string_view::npos;
}

// Whether decodebin is to give out streams of these caps as they are, and look no further.
bool gives_out(GstElement* autoplugger, GstCaps* caps) {
  GParamSpec* property = g_object_class_find_property(G_OBJECT_GET_CLASS(autoplugger), "caps");
  if (!property || G_PARAM_SPEC_VALUE_TYPE(property) != GST_TYPE_CAPS) return false;
  GstCaps* wanted = nullptr;
  g_object_get(autoplugger, "caps", &wanted, nullptr);
  const GstCapsPtr owned(wanted);
  return wanted && gst_caps_can_intersect(wanted, caps);
}

}  // namespace

class DecodingGuard::Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(GstElement* upload, OnRefused on_refused) : on_refused_(std::move(on_refused)) {
    g_weak_ref_init(&upload_, upload);
  }
  ~Watch() {
    unhook_types();
    g_weak_ref_clear(&upload_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void watch(ElementPolicy policy) {
    std::vector<SignalConnection> old;
    const GstPtr<GstElement> upload = this->upload();
    if (!upload) return;
    const GstPtr<GstObject> top = outermost_parent(upload.get());
    {
      const MutexLock lock(mutex_);
      policy_ = std::make_shared<const ElementPolicy>(std::move(policy));
      // Those of a bin that it is no longer in.
      old = std::exchange(connections_, {});
    }
    old.clear();
    if (!GST_IS_BIN(top.get())) return;
    connect(SignalConnection(
        top.get(), "deep-element-added",
        G_CALLBACK(+[](GstBin* bin, GstBin* parent, GstElement* element, Weak* weak) {
          if (const auto self = weak->lock()) self->on_added(bin, parent, element);
        }),
        Weak(weak_from_this())));
    hook_all(GST_BIN(top.get()));
    hook_types();
  }

  void stop() {
    unhook_types();
    std::vector<SignalConnection> connections;
    const MutexLock lock(mutex_);
    policy_.reset();
    connections.swap(connections_);
  }

 private:
  using Weak = std::weak_ptr<Watch>;
  using Policy = std::shared_ptr<const ElementPolicy>;

  [[nodiscard]] GstPtr<GstElement> upload() const {
    return GstPtr<GstElement>(static_cast<GstElement*>(g_weak_ref_get(&upload_)));
  }

  void refuse(const char* why) const {
    if (const GstPtr<GstElement> upload = this->upload()) on_refused_(upload.get(), why);
  }

  // Null when it has been stopped.
  [[nodiscard]] Policy policy() const {
    const MutexLock lock(mutex_);
    return policy_;
  }

  void connect(SignalConnection connection) {
    const MutexLock lock(mutex_);
    connections_.push_back(std::move(connection));
  }

  void hook_all(GstBin* bin) {
    for (const auto& element : elements_in(bin)) {
      if (is_autoplugger(element.get())) hook(element.get());
    }
  }

  void hook(GstElement* autoplugger) {
    const GType type = G_OBJECT_TYPE(autoplugger);
    if (g_signal_lookup("autoplug-continue", type)) {
      connect(SignalConnection(
          autoplugger, "autoplug-continue",
          G_CALLBACK(+[](GstElement* bin, GstPad* pad, GstCaps* caps, Weak* weak) -> gboolean {
            if (const auto self = weak->lock()) self->look_at(bin, pad, caps);
            return TRUE;
          }),
          Weak(weak_from_this())));
    }
    if (g_signal_lookup("autoplug-select", type)) {
      connect(SignalConnection(autoplugger, "autoplug-select",
                               G_CALLBACK(+[](GstElement* bin, GstPad*, GstCaps*,
                                              GstElementFactory* factory, Weak* weak) -> int {
                                 const auto self = weak->lock();
                                 return self && self->skips(bin, factory) ? kSkip : kTry;
                               }),
                               Weak(weak_from_this())));
    }
  }

  // What a typefind says is heard here before decodebin hears it, which ends by itself with texts.
  // An emission hook is the only way to be before a handler that an element connects to a child of
  // its own. It is for all typefinds of the process, and looks at those behind this upload.
  void hook_types() {
    if (have_type_hook_ != 0) return;
    const GstPtr<GstElementFactory> factory(gst_element_factory_find("typefind"));
    const GstPtr<GstPluginFeature> loaded(
        factory ? gst_plugin_feature_load(GST_PLUGIN_FEATURE(factory.get())) : nullptr);
    const GType type =
        loaded ? gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(loaded.get())) : 0;
    if (type == 0) return;
    // Signals are there when the class is, which then stays.
    g_type_class_unref(g_type_class_ref(type));
    have_type_signal_ = g_signal_lookup("have-type", type);
    if (have_type_signal_ == 0) return;
    have_type_hook_ = g_signal_add_emission_hook(
        have_type_signal_, 0,
        [](GSignalInvocationHint*, guint count, const GValue* values, gpointer weak) -> gboolean {
          const auto self = static_cast<Weak*>(weak)->lock();
          if (self && count >= 3 && GST_VALUE_HOLDS_CAPS(&values[2])) {
            self->on_type(GST_ELEMENT(g_value_get_object(&values[0])),
                          gst_value_get_caps(&values[2]));
          }
          return TRUE;
        },
        new Weak(weak_from_this()), [](gpointer weak) { delete static_cast<Weak*>(weak); });
  }

  void unhook_types() {
    if (const gulong hook = std::exchange(have_type_hook_, 0)) {
      g_signal_remove_emission_hook(have_type_signal_, hook);
    }
  }

  void on_type(GstElement* typefind, const GstCaps* caps) {
    const Policy policy = this->policy();
    const ElementKind kind = kind_of(caps);
    if (!policy || (kind == ElementKind::kHarmless && !is_plain_text(caps))) return;
    const GstPtr<GstObject> parent(gst_object_get_parent(GST_OBJECT(typefind)));
    const GstPtr<GstObject> top = outermost_parent(typefind);
    if (!GST_IS_BIN(parent.get()) || !GST_IS_BIN(top.get())) return;
    const GstPtr<GstElement> upload = this->upload();
    if (!upload || outermost_parent(upload.get()) != top) return;
    if (policy->has_reader_of(caps) ||
        !is_chosen_for_us(*policy, GST_BIN(top.get()), GST_BIN(parent.get()))) {
      return;
    }
    refuse(kind == ElementKind::kHarmless ? kNoVideo : sentence_for(kind));
  }

  // Whether it chooses elements for this upload's data.
  [[nodiscard]] bool works_for_us(GstElement* autoplugger) const {
    const GstPtr<GstElement> upload = this->upload();
    if (!upload) return false;
    for (const auto& pad : pads_of(autoplugger, true)) {
      if (upload_before(pad.get()) == upload) return true;
    }
    // Something in between that does not pass queries on.
    return feeds(upload.get(), autoplugger);
  }

  void look_at(GstElement* autoplugger, GstPad* pad, GstCaps* caps) {
    const Policy policy = this->policy();
    const ElementKind kind = kind_of(caps);
    if (!policy || (kind == ElementKind::kHarmless && !is_plain_text(caps))) return;
    if (policy->has_reader_of(caps) || !works_for_us(autoplugger)) return;
    if (kind == ElementKind::kHarmless && (!is_whole_file(pad) || gives_out(autoplugger, caps))) {
      return;
    }
    const GCharPtr text(gst_caps_to_string(caps));
    GST_INFO_OBJECT(upload().get(), "%s met %s, which is refused", GST_OBJECT_NAME(autoplugger),
                    text.get());
    refuse(kind == ElementKind::kHarmless ? kNoVideo : sentence_for(kind));
  }

  [[nodiscard]] bool skips(GstElement* autoplugger, GstElementFactory* factory) const {
    const Policy policy = this->policy();
    if (!policy || !policy->refuses(factory) || !works_for_us(autoplugger)) return false;
    GST_INFO_OBJECT(upload().get(), "%s is refused and skipped", GST_OBJECT_NAME(factory));
    return true;
  }

  void on_added(GstBin* top, GstBin* parent, GstElement* element) {
    const Policy policy = this->policy();
    if (!policy) return;
    if (is_autoplugger(element)) hook(element);
    GstElementFactory* factory = gst_element_get_factory(element);
    const ElementKind kind = kind_of(element);
    const bool is_denied = factory && policy->denied.contains(GST_OBJECT_NAME(factory));
    if (!is_denied && (kind == ElementKind::kHarmless || may_open(*policy, element))) return;
    if (!is_chosen_for_us(*policy, top, parent)) return;
    keep_from_starting(element);
    GST_WARNING_OBJECT(upload().get(),
                       "%s was made behind the upload, is refused and does not start",
                       GST_OBJECT_NAME(element));
    refuse(kind == ElementKind::kHarmless ? kDenied : sentence_for(kind));
  }

  [[nodiscard]] static bool may_open(const ElementPolicy& policy, GstElement* element) {
    GstElementFactory* factory = gst_element_get_factory(element);
    return factory && policy.allowed.contains(GST_OBJECT_NAME(factory));
  }

  // Whether what is in `parent` has been chosen by an autoplugger, for the data of this upload,
  // rather than by an element that opens sources because it is to.
  [[nodiscard]] bool is_chosen_for_us(const ElementPolicy& policy, GstBin* top,
                                      GstBin* parent) const {
    GstPtr<GstObject> bin = ref_gst(GST_OBJECT(parent));
    while (bin && bin.get() != GST_OBJECT(top)) {
      auto* element = GST_ELEMENT(bin.get());
      if (may_open(policy, element)) return false;
      if (is_autoplugger(element) && works_for_us(element)) return true;
      bin.reset(gst_object_get_parent(bin.get()));
    }
    return false;
  }

  mutable GWeakRef upload_;
  const OnRefused on_refused_;
  mutable Mutex mutex_;
  Policy policy_ GUARDED_BY(mutex_);
  std::vector<SignalConnection> connections_ GUARDED_BY(mutex_);
  // Of the thread that changes the upload's state.
  guint have_type_signal_ = 0;
  gulong have_type_hook_ = 0;
};

DecodingGuard::DecodingGuard(GstElement* upload, OnRefused on_refused)
    : watch_(std::make_shared<Watch>(upload, std::move(on_refused))) {}

DecodingGuard::~DecodingGuard() { stop(); }

void DecodingGuard::watch(ElementPolicy policy) { watch_->watch(std::move(policy)); }

void DecodingGuard::stop() { watch_->stop(); }

}  // namespace webrtcupload
