#include "masgate/masgate_settings.h"

#include <string>

namespace saccade::gst {
namespace {

enum {
  PROP_0,
  PROP_MODE,
  PROP_PROMPT,
  PROP_ROUTE,
  PROP_CHANGE_THRESHOLD,
  PROP_SOUND_THRESHOLD,
  PROP_NOISE_FLOOR,
  PROP_COMPLEXITY_THRESHOLD,
  PROP_COMMIT_TIMEOUT,
  PROP_MAX_AGE,
  PROP_MOTION_INTERVAL,
  PROP_AUDIO_WAIT,
  PROP_AUDIO_WINDOW,
  PROP_COLUMNS,
  PROP_ROWS,
  PROP_POST_MESSAGES,
  PROP_STATISTICS,
};

const GateSettings kDefaults;  // one source of defaults: the engine's settings and GateSettings themselves

GType gate_mode_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(GateMode::annotate), "Every frame goes on and carries its report", "annotate"},
        {static_cast<int>(GateMode::gate), "Only needed frames go on", "gate"},
        {0, nullptr, nullptr}};
    const GType registered = g_enum_register_static("SaccadeGateMode", values);
    gst_type_mark_as_plugin_api(registered, static_cast<GstPluginAPIFlags>(0));
    return registered;
  }();
  return type;
}

GType route_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(Route::automatic), "By the complexity of the picture and the question", "auto"},
        {static_cast<int>(Route::local), "Answer on the device", "local"},
        {static_cast<int>(Route::cloud), "Answer in the cloud", "cloud"},
        {0, nullptr, nullptr}};
    const GType registered = g_enum_register_static("SaccadeGateRoute", values);
    gst_type_mark_as_plugin_api(registered, static_cast<GstPluginAPIFlags>(0));
    return registered;
  }();
  return type;
}

guint64 to_ns(Duration d) { return static_cast<guint64>(d.count()); }

}  // namespace

guint gate_statistics_property() { return PROP_STATISTICS; }

void install_gate_properties(GObjectClass *klass) {
  const auto playing =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
  const auto install = [klass](guint id, GParamSpec *spec) {
    g_object_class_install_property(klass, id, spec);
  };
  const auto share = [&](guint id, const char *name, const char *nick, const char *blurb, double otherwise) {
    install(id, g_param_spec_double(name, nick, blurb, 0, 1, otherwise, playing));
  };
  install(PROP_MODE, g_param_spec_enum("mode", "Mode", "What happens to frames that are not needed",
                                       gate_mode_type(), static_cast<int>(kDefaults.mode), playing));
  install(PROP_PROMPT,
          g_param_spec_string("prompt", "Prompt",
                              "The standing question; decides how much sight, sound and fine print matter",
                              nullptr, playing));
  install(PROP_ROUTE, g_param_spec_enum("route", "Route", "Where needed frames should be answered",
                                        route_type(), static_cast<int>(kDefaults.engine.route), playing));
  share(PROP_CHANGE_THRESHOLD, "change-threshold", "Change threshold",
        "Change of a patch, from 0 to 1 (48 luma levels), at which it is encoded again",
        kDefaults.engine.change_threshold);
  share(
      PROP_SOUND_THRESHOLD, "sound-threshold", "Sound threshold",
      "Activity of the sound, from 0 (6 dB over the background) to 1 (24 dB), at which it is worth an answer",
      kDefaults.engine.sound_threshold);
  install(PROP_NOISE_FLOOR,
          g_param_spec_double("noise-floor", "Noise floor",
                              "Differences smaller than this many luma levels (0-255) never count", 0, 40,
                              kDefaults.engine.temporal.noise_floor, playing));
  share(PROP_COMPLEXITY_THRESHOLD, "complexity-threshold", "Complexity threshold",
        "Complexity of the picture or the question, from 0 to 1, above which route=auto says cloud",
        kDefaults.engine.complexity_threshold);
  install(
      PROP_COMMIT_TIMEOUT,
      g_param_spec_uint64("commit-timeout", "Commit timeout",
                          "Nanoseconds of stream time after which patches that no encoder spoke of are sent "
                          "again (live streams only); 0 = never",
                          0, G_MAXINT64, to_ns(kDefaults.engine.commit_timeout), playing));
  install(PROP_MAX_AGE,
          g_param_spec_uint64("max-age", "Maximum age",
                              "Nanoseconds of stream time after which an unchanged patch is encoded "
                              "again all the same; 0 = never",
                              0, G_MAXINT64, to_ns(kDefaults.engine.max_age), playing));
  install(
      PROP_MOTION_INTERVAL,
      g_param_spec_uint64("motion-interval", "Motion interval",
                          "Nanoseconds of stream time between frames that are needed because something goes "
                          "on moving where it moves already; 0 = each. What begins, stops or appears "
                          "elsewhere is needed at once",
                          0, G_MAXINT64, to_ns(kDefaults.engine.motion_interval), playing));
  install(PROP_AUDIO_WAIT,
          g_param_spec_int64("audio-wait", "Audio wait",
                             "Nanoseconds of wall-clock time that a frame waits for late sound at "
                             "most; -1 = 0 when live, else 1 s",
                             -1, 10 * static_cast<gint64>(GST_SECOND), kDefaults.audio_wait, playing));
  install(PROP_AUDIO_WINDOW,
          g_param_spec_uint64(
              "audio-window", "Audio window",
              "Nanoseconds of sound, up to the picture's end, that go with a needed picture while the "
              "sound stands out; 0 = none",
              0, 60 * static_cast<guint64>(GST_SECOND), to_ns(kDefaults.audio_window), playing));
  install(PROP_COLUMNS, g_param_spec_int("columns", "Columns",
                                         "Patches per row; 0 = as the encoder downstream says, else 8", 0,
                                         256, kDefaults.columns, playing));
  install(PROP_ROWS,
          g_param_spec_int("rows", "Rows", "Rows of patches; 0 = as the encoder downstream says, else 8", 0,
                           256, kDefaults.rows, playing));
  install(PROP_POST_MESSAGES, g_param_spec_boolean("post-messages", "Post messages",
                                                   "Post an element message saccade/mas per needed frame",
                                                   kDefaults.post_messages, playing));
  install(PROP_STATISTICS,
          g_param_spec_boxed(
              "statistics", "Statistics",
              "Since start: frames received, kept, dropped, needed, repeated; patches-seen and "
              "patches-refreshed; frames sent-again and woken-by-sound; samples audio-lost; hash-matches; "
              "pending frames",
              GST_TYPE_STRUCTURE, static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool set_gate_property(GateSettings &settings, guint id, const GValue *value) {
  auto &engine = settings.engine;
  switch (id) {
    case PROP_MODE: settings.mode = static_cast<GateMode>(g_value_get_enum(value)); return true;
    case PROP_PROMPT: {
      const char *prompt = g_value_get_string(value);
      engine.question = prompt ? prompt : "";
      return true;
    }
    case PROP_ROUTE: engine.route = static_cast<Route>(g_value_get_enum(value)); return true;
    case PROP_CHANGE_THRESHOLD: engine.change_threshold = g_value_get_double(value); return true;
    case PROP_SOUND_THRESHOLD: engine.sound_threshold = g_value_get_double(value); return true;
    case PROP_NOISE_FLOOR: engine.temporal.noise_floor = g_value_get_double(value); return true;
    case PROP_COMPLEXITY_THRESHOLD: engine.complexity_threshold = g_value_get_double(value); return true;
    case PROP_COMMIT_TIMEOUT:
      engine.commit_timeout = Duration(static_cast<std::int64_t>(g_value_get_uint64(value)));
      return true;
    case PROP_MAX_AGE:
      engine.max_age = Duration(static_cast<std::int64_t>(g_value_get_uint64(value)));
      return true;
    case PROP_MOTION_INTERVAL:
      engine.motion_interval = Duration(static_cast<std::int64_t>(g_value_get_uint64(value)));
      return true;
    case PROP_AUDIO_WAIT: settings.audio_wait = g_value_get_int64(value); return true;
    case PROP_AUDIO_WINDOW:
      settings.audio_window = Duration(static_cast<std::int64_t>(g_value_get_uint64(value)));
      return true;
    case PROP_COLUMNS: settings.columns = g_value_get_int(value); return true;
    case PROP_ROWS: settings.rows = g_value_get_int(value); return true;
    case PROP_POST_MESSAGES: settings.post_messages = g_value_get_boolean(value); return true;
    default: return false;
  }
}

bool get_gate_property(const GateSettings &settings, guint id, GValue *value) {
  const auto &engine = settings.engine;
  switch (id) {
    case PROP_MODE: g_value_set_enum(value, static_cast<int>(settings.mode)); return true;
    case PROP_PROMPT:
      g_value_set_string(value, engine.question.empty() ? nullptr : engine.question.c_str());
      return true;
    case PROP_ROUTE: g_value_set_enum(value, static_cast<int>(engine.route)); return true;
    case PROP_CHANGE_THRESHOLD: g_value_set_double(value, engine.change_threshold); return true;
    case PROP_SOUND_THRESHOLD: g_value_set_double(value, engine.sound_threshold); return true;
    case PROP_NOISE_FLOOR: g_value_set_double(value, engine.temporal.noise_floor); return true;
    case PROP_COMPLEXITY_THRESHOLD: g_value_set_double(value, engine.complexity_threshold); return true;
    case PROP_COMMIT_TIMEOUT: g_value_set_uint64(value, to_ns(engine.commit_timeout)); return true;
    case PROP_MAX_AGE: g_value_set_uint64(value, to_ns(engine.max_age)); return true;
    case PROP_MOTION_INTERVAL: g_value_set_uint64(value, to_ns(engine.motion_interval)); return true;
    case PROP_AUDIO_WAIT: g_value_set_int64(value, settings.audio_wait); return true;
    case PROP_AUDIO_WINDOW: g_value_set_uint64(value, to_ns(settings.audio_window)); return true;
    case PROP_COLUMNS: g_value_set_int(value, settings.columns); return true;
    case PROP_ROWS: g_value_set_int(value, settings.rows); return true;
    case PROP_POST_MESSAGES: g_value_set_boolean(value, settings.post_messages); return true;
    default: return false;
  }
}

}  // namespace saccade::gst
