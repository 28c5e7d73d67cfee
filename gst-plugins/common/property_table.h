// One line per property: its name, its bounds, its words, and the setting that it stands for.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace saccade::gst {

// `setting` of each function is a captureless lambda from Settings & to a reference to the value.
template <typename Settings>
class PropertyTable {
 public:
  static constexpr auto kReady =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
  static constexpr auto kPlaying =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

  struct Words {
    const char *name;
    const char *nick;
    const char *blurb;
  };

  template <typename Setting>
  void text(const Words &w, Setting setting, const char *otherwise = "", GParamFlags flags = kReady) {
    add(
        g_param_spec_string(w.name, w.nick, w.blurb, otherwise, flags),
        [setting](Settings &s, const GValue *value) {
          const char *string = g_value_get_string(value);
          setting(s) = string ? string : "";
        },
        [setting, otherwise](Settings &s, GValue *value) {
          const std::string &string = setting(s);
          g_value_set_string(value, string.empty() ? otherwise : string.c_str());
        });
  }

  // The same, with the setting's own default.
  template <typename Setting>
  void preset_text(const Words &w, Setting setting, GParamFlags flags = kReady) {
    add(
        g_param_spec_string(w.name, w.nick, w.blurb, setting(defaults_).c_str(), flags),
        [setting](Settings &s, const GValue *value) {
          const char *string = g_value_get_string(value);
          setting(s) = string ? string : "";
        },
        [setting](Settings &s, GValue *value) { g_value_set_string(value, setting(s).c_str()); });
  }

  // A list of strings: prompts=<"one", "two"> in gst-launch.
  template <typename Setting>
  void texts(const Words &w, Setting setting, GParamFlags flags = kReady) {
    auto *element = g_param_spec_string("text", "Text", "One of them", "", flags);
    add(
        gst_param_spec_array(w.name, w.nick, w.blurb, element, flags),
        [setting](Settings &s, const GValue *value) {
          setting(s).clear();
          for (guint i = 0; i < gst_value_array_get_size(value); ++i)
            if (const char *string = g_value_get_string(gst_value_array_get_value(value, i)))
              setting(s).emplace_back(string);
        },
        [setting](Settings &s, GValue *value) {
          for (const std::string &string : setting(s)) {
            GValue one = G_VALUE_INIT;
            g_value_init(&one, G_TYPE_STRING);
            g_value_set_string(&one, string.c_str());
            gst_value_array_append_and_take_value(value, &one);
          }
        });
  }

  template <typename Setting>
  void choice(const Words &w, GType type, Setting setting) {
    using E = std::remove_reference_t<decltype(setting(defaults_))>;
    gst_type_mark_as_plugin_api(type, static_cast<GstPluginAPIFlags>(0));
    add(
        g_param_spec_enum(w.name, w.nick, w.blurb, type, static_cast<gint>(setting(defaults_)), kReady),
        [setting](Settings &s, const GValue *value) { setting(s) = static_cast<E>(g_value_get_enum(value)); },
        [setting](Settings &s, GValue *value) { g_value_set_enum(value, static_cast<gint>(setting(s))); });
  }

  template <typename Setting>
  void count(const Words &w, int low, int high, Setting setting, GParamFlags flags = kReady) {
    using I = std::remove_reference_t<decltype(setting(defaults_))>;
    add(
        g_param_spec_int(w.name, w.nick, w.blurb, low, high, static_cast<gint>(setting(defaults_)), flags),
        [setting](Settings &s, const GValue *value) { setting(s) = static_cast<I>(g_value_get_int(value)); },
        [setting](Settings &s, GValue *value) { g_value_set_int(value, static_cast<gint>(setting(s))); });
  }

  // A count that may be beyond what an int holds.
  template <typename Setting>
  void bytes(const Words &w, guint64 low, Setting setting) {
    add(
        g_param_spec_uint64(w.name, w.nick, w.blurb, low, G_MAXINT64, setting(defaults_), kReady),
        [setting](Settings &s, const GValue *value) { setting(s) = g_value_get_uint64(value); },
        [setting](Settings &s, GValue *value) { g_value_set_uint64(value, setting(s)); });
  }

  template <typename Setting>
  void yes_or_no(const Words &w, Setting setting) {
    add(
        g_param_spec_boolean(w.name, w.nick, w.blurb, setting(defaults_), kReady),
        [setting](Settings &s, const GValue *value) { setting(s) = g_value_get_boolean(value); },
        [setting](Settings &s, GValue *value) { g_value_set_boolean(value, setting(s)); });
  }

  template <typename Setting>
  void nanoseconds(const Words &w, Setting setting) {
    add(
        g_param_spec_uint64(w.name, w.nick, w.blurb, 0, G_MAXINT64, setting(defaults_), kReady),
        [setting](Settings &s, const GValue *value) { setting(s) = g_value_get_uint64(value); },
        [setting](Settings &s, GValue *value) { g_value_set_uint64(value, setting(s)); });
  }

  // A Duration, in seconds.
  template <typename Setting>
  void seconds(const Words &w, double low, double high, Setting setting, GParamFlags flags = kReady) {
    add(
        g_param_spec_double(w.name, w.nick, w.blurb, low, high, to_seconds(setting(defaults_)), flags),
        [setting](Settings &s, const GValue *value) { setting(s) = from_seconds(g_value_get_double(value)); },
        [setting](Settings &s, GValue *value) { g_value_set_double(value, to_seconds(setting(s))); });
  }

  template <typename Setting>
  void number(const Words &w, double low, double high, Setting setting) {
    add(
        g_param_spec_double(w.name, w.nick, w.blurb, low, high, setting(defaults_), kReady),
        [setting](Settings &s, const GValue *value) { setting(s) = g_value_get_double(value); },
        [setting](Settings &s, GValue *value) { g_value_set_double(value, setting(s)); });
  }

  // In [0, 1].
  template <typename Setting>
  void share(const Words &w, Setting setting) {
    number(w, 0, 1, setting);
  }

  // Names and their values, as a structure whose own name says nothing: x="x,name=value" in gst-launch.
  template <typename Setting>
  void pairs(const Words &w, Setting setting) {
    add(
        g_param_spec_boxed(w.name, w.nick, w.blurb, GST_TYPE_STRUCTURE, kReady),
        [setting](Settings &s, const GValue *value) {
          setting(s).clear();
          const auto *structure = static_cast<const GstStructure *>(g_value_get_boxed(value));
          for (gint i = 0; structure && i < gst_structure_n_fields(structure); ++i) {
            const char *name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
            if (const char *text = gst_structure_get_string(structure, name))
              setting(s).emplace_back(name, text);
          }
        },
        [setting](Settings &s, GValue *value) {
          GstStructure *structure = gst_structure_new_empty("x");
          for (const auto &[name, text] : setting(s))
            gst_structure_set(structure, name.c_str(), G_TYPE_STRING, text.c_str(), nullptr);
          g_value_take_boxed(value, structure);
        });
  }

  // The one property that settings do not hold: the element reads it itself.
  static constexpr guint kStatistics = 1;
  void statistics(const char *blurb) {
    statistics_ = g_param_spec_boxed("statistics", "Statistics", blurb, GST_TYPE_STRUCTURE,
                                     static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  }

  void install(GObjectClass *object_class) const {
    g_object_class_install_property(object_class, kStatistics, statistics_);
    for (std::size_t i = 0; i < properties_.size(); ++i)
      g_object_class_install_property(object_class, kFirst + static_cast<guint>(i), properties_[i].spec);
  }

  // False when `id` is no setting. The caller holds the lock of the settings.
  bool set(Settings &settings, guint id, const GValue *value) const {
    if (!is_setting(id)) return false;
    properties_[id - kFirst].set(settings, value);
    return true;
  }
  bool get(Settings &settings, guint id, GValue *value) const {
    if (!is_setting(id)) return false;
    properties_[id - kFirst].get(settings, value);
    return true;
  }

 private:
  using Set = std::function<void(Settings &, const GValue *)>;
  using Get = std::function<void(Settings &, GValue *)>;
  static constexpr guint kFirst = kStatistics + 1;
  struct Property {
    GParamSpec *spec;  // the class's, from install() on
    Set set;
    Get get;
  };

  void add(GParamSpec *spec, Set set, Get get) {
    properties_.push_back({spec, std::move(set), std::move(get)});
  }

  bool is_setting(guint id) const { return id >= kFirst && id - kFirst < properties_.size(); }

  Settings defaults_;
  GParamSpec *statistics_ = nullptr;  // likewise
  std::vector<Property> properties_;
};

}  // namespace saccade::gst
