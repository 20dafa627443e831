// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Properties that are members of a struct of settings: each is said once, as its GParamSpec and
// the member, and is then set and got by its number.

#pragma once

#include <glib-object.h>
#include <gst/gst.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace webrtcupload {

// Of a property that may be set as long as the element is below PAUSED.
inline constexpr auto kReadyFlags =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
inline constexpr auto kPlayingFlags = static_cast<GParamFlags>(
    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
inline constexpr auto kReadFlags =
    static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

template <std::integral Number>
void store_value(const GValue* value, GParamSpec*, Number& member) {
  if (G_VALUE_HOLDS_BOOLEAN(value)) {
    member = static_cast<Number>(g_value_get_boolean(value));
  } else if (G_VALUE_HOLDS_INT(value)) {
    member = static_cast<Number>(g_value_get_int(value));
  } else if (G_VALUE_HOLDS_UINT(value)) {
    member = static_cast<Number>(g_value_get_uint(value));
  } else {
    member = static_cast<Number>(g_value_get_uint64(value));
  }
}

template <std::integral Number>
void load_value(const Number& member, GValue* value) {
  if (G_VALUE_HOLDS_BOOLEAN(value)) {
    g_value_set_boolean(value, static_cast<gboolean>(member));
  } else if (G_VALUE_HOLDS_INT(value)) {
    g_value_set_int(value, static_cast<gint>(member));
  } else if (G_VALUE_HOLDS_UINT(value)) {
    g_value_set_uint(value, static_cast<guint>(member));
  } else {
    g_value_set_uint64(value, static_cast<guint64>(member));
  }
}

// Times are guint64 properties, in nanoseconds.
template <typename Ticks, typename Period>
void store_value(const GValue* value, GParamSpec*, std::chrono::duration<Ticks, Period>& member) {
  member = std::chrono::duration_cast<std::chrono::duration<Ticks, Period>>(
      std::chrono::nanoseconds(static_cast<std::int64_t>(g_value_get_uint64(value))));
}

template <typename Ticks, typename Period>
guint64 nanoseconds(std::chrono::duration<Ticks, Period> time) {
  return static_cast<guint64>(std::chrono::nanoseconds(time).count());
}

template <typename Ticks, typename Period>
void load_value(const std::chrono::duration<Ticks, Period>& member, GValue* value) {
  g_value_set_uint64(value, nanoseconds(member));
}

// A null string stands for the default, or for an empty one if that is null.
inline void store_value(const GValue* value, GParamSpec* pspec, std::string& member) {
  const char* text = g_value_get_string(value);
  if (!text) text = G_PARAM_SPEC_STRING(pspec)->default_value;
  member = text ? text : "";
}

inline void load_value(const std::string& member, GValue* value) {
  g_value_set_string(value, member.c_str());
}

template <typename Settings>
class SettingsProperties {
 public:
  using Set = void (*)(Settings& settings, const GValue* value, GParamSpec* pspec);
  using Get = void (*)(const Settings& settings, GValue* value);

  SettingsProperties(GObjectClass* object_class, guint first_id)
      : object_class_(object_class), first_id_(first_id) {}

  // `Member`: [](auto& settings) -> auto& { return settings.member; }
  template <typename Member>
  void add(GParamSpec* pspec, Member) {
    add(
        pspec,
        [](Settings& settings, const GValue* value, GParamSpec* changed) {
          store_value(value, changed, Member{}(settings));
        },
        [](const Settings& settings, GValue* value) { load_value(Member{}(settings), value); });
  }
  // One that is not just a member.
  void add(GParamSpec* pspec, Set setter, Get getter) {
    g_object_class_install_property(object_class_, first_id_ + static_cast<guint>(members_.size()),
                                    pspec);
    members_.push_back({setter, getter});
  }

  // Whether `id` is one of them. The caller holds the lock that the settings are under.
  [[nodiscard]] bool set(Settings& settings, guint id, const GValue* value,
                         GParamSpec* pspec) const {
    if (!has(id)) return false;
    members_[id - first_id_].setter(settings, value, pspec);
    return true;
  }
  [[nodiscard]] bool get(const Settings& settings, guint id, GValue* value) const {
    if (!has(id)) return false;
    members_[id - first_id_].getter(settings, value);
    return true;
  }

 private:
  struct Access {
    Set setter;
    Get getter;
  };

  [[nodiscard]] bool has(guint id) const {
    return id >= first_id_ && id - first_id_ < members_.size();
  }

  GObjectClass* const object_class_;
  const guint first_id_;
  std::vector<Access> members_;
};

}  // namespace webrtcupload
