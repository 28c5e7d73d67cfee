#include "localmllm/properties.h"

#include "common/encoder_kind.h"

namespace saccade::gst {
namespace {

enum Property : guint {
  PROP_STATISTICS = kStatisticsProperty,
  PROP_MODEL,
  PROP_MMPROJ,
  PROP_PROMPT,
  PROP_SYSTEM_PROMPT,
  PROP_CHAT_TEMPLATE,
  PROP_MAX_TOKENS,
  PROP_MAX_CONTEXT,
  PROP_THREADS,
  PROP_ENCODER,
  PROP_DETAIL,
  PROP_WINDOW,
  PROP_ANSWER_ON,
  PROP_ANSWER_EVERY,
  PROP_LEAKY,
  PROP_MAX_QUEUE,
  PROP_TIMESTAMP,
  PROP_DISPLAY_DURATION,
  PROP_LATENCY_BUDGET,
  PROP_ON_UNCHANGED,
  PROP_ROUTE_POLICY,
  PROP_CONFIDENCE_THRESHOLD,
  PROP_OFFLOAD_SIZE,
  PROP_DRAIN_TIMEOUT,
};

const LocalMllmSettings kDefaults;

constexpr auto kReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kPlaying =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

template <typename E>
gint number(E value) {
  return static_cast<gint>(value);
}

GType detail_type() {
  static const GEnumValue values[] = {
      {number(Detail::overview), "The whole picture at the encoder's size", "overview"},
      {number(Detail::tiles), "Cut as the model family's own preprocessing does", "tiles"},
      {number(Detail::crop), "The whole picture, then the part that masgate points at, enlarged", "crop"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmDetail", values);
  return type;
}

GType answer_on_type() {
  static const GEnumValue values[] = {
      {number(AnswerOn::change), "When masgate says that something changed; without a gate every frame",
       "change"},
      {number(AnswerOn::frame), "Every frame", "frame"},
      {number(AnswerOn::question), "Only when asked", "question"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmAnswerOn", values);
  return type;
}

GType leaky_type() {
  static const GEnumValue values[] = {
      {number(LeakySetting::automatic), "downstream when upstream is live, else none", "auto"},
      {number(LeakySetting::none), "Nothing is dropped; the input waits", "none"},
      {number(LeakySetting::upstream), "The newest frame is dropped", "upstream"},
      {number(LeakySetting::downstream), "The oldest waiting frame is dropped", "downstream"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmLeaky", values);
  return type;
}

GType timestamp_type() {
  static const GEnumValue values[] = {
      {number(TimestampMode::automatic), "arrival when upstream is live, else content", "auto"},
      {number(TimestampMode::arrival), "Running time at which the answer is there", "arrival"},
      {number(TimestampMode::content), "Start of what the answer speaks of", "content"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmTimestamp", values);
  return type;
}

GType on_unchanged_type() {
  static const GEnumValue values[] = {
      {number(OnUnchanged::gap), "A GAP event", "gap"},
      {number(OnUnchanged::repeat), "The standing answer again, as overlays need it", "repeat"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmOnUnchanged", values);
  return type;
}

GType route_policy_type() {
  static const GEnumValue values[] = {
      {number(OffloadPolicy::edge), "Never ask the cloud", "edge"},
      {number(OffloadPolicy::cloud), "Ask the cloud about every segment", "cloud"},
      {number(OffloadPolicy::threshold), "Ask it about unsure answers, and where the gate says so",
       "threshold"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmRoutePolicy", values);
  return type;
}

void text(GObjectClass *c, guint id, const char *name, const char *nick, const char *blurb,
          const char *otherwise, GParamFlags flags) {
  g_object_class_install_property(c, id, g_param_spec_string(name, nick, blurb, otherwise, flags));
}

void choice(GObjectClass *c, guint id, const char *name, const char *nick, const char *blurb, GType type,
            gint otherwise) {
  g_object_class_install_property(c, id, g_param_spec_enum(name, nick, blurb, type, otherwise, kReady));
}

void count(GObjectClass *c, guint id, const char *name, const char *nick, const char *blurb, int low,
           int high, int otherwise) {
  g_object_class_install_property(c, id, g_param_spec_int(name, nick, blurb, low, high, otherwise, kReady));
}

void nanoseconds(GObjectClass *c, guint id, const char *name, const char *nick, const char *blurb,
                 GstClockTime otherwise) {
  g_object_class_install_property(c, id,
                                  g_param_spec_uint64(name, nick, blurb, 0, G_MAXINT64, otherwise, kReady));
}

void share(GObjectClass *c, guint id, const char *name, const char *nick, const char *blurb,
           double otherwise) {
  g_object_class_install_property(c, id, g_param_spec_double(name, nick, blurb, 0, 1, otherwise, kReady));
}

std::string string_of(const GValue *value) {
  const char *string = g_value_get_string(value);
  return string ? string : "";
}

}  // namespace

void install_properties(GObjectClass *c) {
  const auto &d = kDefaults;
  text(c, PROP_MODEL, "model", "Model", "Path of the language model's GGUF file", nullptr, kReady);
  text(c, PROP_MMPROJ, "mmproj", "Projector",
       "Path of the vision projector's GGUF file that belongs to the model", nullptr, kReady);
  text(c, PROP_PROMPT, "prompt", "Prompt",
       "Standing question; empty answers only what is asked. A change is answered from the next frame on", "",
       kPlaying);
  text(c, PROP_SYSTEM_PROMPT, "system-prompt", "System prompt", "Text before the conversation", "", kReady);
  text(
      c, PROP_CHAT_TEMPLATE, "chat-template", "Chat template",
      "Name of a built-in template of llama.cpp, or a Jinja text that it recognises; empty = the model's own",
      "", kReady);
  count(c, PROP_MAX_TOKENS, "max-tokens", "Maximum tokens", "Length of an answer, in tokens", 1, 65536,
        d.answerer.session.max_tokens);
  count(c, PROP_MAX_CONTEXT, "max-context", "Maximum context",
        "Tokens that the KV cache holds; bounds memory, and is cut to what the model was trained for", 64,
        1 << 20, d.answerer.session.max_context);
  count(c, PROP_THREADS, "threads", "Threads",
        "Threads for the model; 0 = one for a model of a few million parameters, else all cores", 0, 1024,
        d.files.threads);
  g_object_class_install_property(c, PROP_ENCODER, encoder_kind_spec(kReady));
  choice(c, PROP_DETAIL, "detail", "Detail", "How a picture is cut before it is encoded", detail_type(),
         number(d.answerer.detail));
  count(c, PROP_WINDOW, "window", "Window", "Pictures that a question is asked about, the newest last", 1, 64,
        d.answerer.window);
  choice(c, PROP_ANSWER_ON, "answer-on", "Answer on", "When the standing question is answered again",
         answer_on_type(), number(d.answer_on));
  nanoseconds(c, PROP_ANSWER_EVERY, "answer-every", "Answer every",
              "Least time between two answers to the standing question, in nanoseconds of stream time",
              d.answer_every);
  choice(c, PROP_LEAKY, "leaky", "Leaky", "What is dropped when the model is slower than its input",
         leaky_type(), number(d.leaky));
  count(c, PROP_MAX_QUEUE, "max-queue", "Maximum queue", "Frames that may wait for the model", 1, 64,
        static_cast<int>(d.max_queue));
  choice(c, PROP_TIMESTAMP, "timestamp", "Timestamp", "Which time an answer's buffer carries",
         timestamp_type(), number(d.timestamp));
  nanoseconds(c, PROP_DISPLAY_DURATION, "display-duration", "Display duration",
              "Duration of an answer's buffer with timestamp=arrival, in nanoseconds", d.display_duration);
  nanoseconds(c, PROP_LATENCY_BUDGET, "latency-budget", "Latency budget",
              "Latency that is declared with timestamp=content on a live stream, in nanoseconds",
              d.latency_budget);
  choice(c, PROP_ON_UNCHANGED, "on-unchanged", "On unchanged",
         "What the src pad gives for a frame that needs no new answer", on_unchanged_type(),
         number(d.on_unchanged));
  choice(c, PROP_ROUTE_POLICY, "route-policy", "Route policy",
         "Which segments go to the offload pad, when it is linked", route_policy_type(),
         number(d.router.policy));
  share(c, PROP_CONFIDENCE_THRESHOLD, "confidence-threshold", "Confidence threshold",
        "With route-policy=threshold: confidence (0 to 1) of the local answer below which the cloud is asked",
        d.router.confidence_threshold);
  count(c, PROP_OFFLOAD_SIZE, "offload-size", "Offload size",
        "Longest edge of the pictures on the offload pad, in pixels", 16, 8192,
        static_cast<int>(d.offload_size));
  nanoseconds(c, PROP_DRAIN_TIMEOUT, "drain-timeout", "Drain timeout",
              "How long the end of the stream waits for cloud answers, in nanoseconds", d.drain_timeout);
  g_object_class_install_property(
      c, PROP_STATISTICS,
      g_param_spec_boxed("statistics", "Statistics",
                         "Counts of frames and answers, tokens, and capture-to-answer times in milliseconds; "
                         "none when stopped",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool set_setting(LocalMllmSettings &s, guint id, const GValue *value) {
  switch (id) {
    case PROP_MODEL: s.files.text = string_of(value); return true;
    case PROP_MMPROJ: s.files.mmproj = string_of(value); return true;
    case PROP_PROMPT: s.prompt = string_of(value); return true;
    case PROP_SYSTEM_PROMPT: s.answerer.session.system_prompt = string_of(value); return true;
    case PROP_CHAT_TEMPLATE: s.answerer.session.chat_template = string_of(value); return true;
    case PROP_MAX_TOKENS: s.answerer.session.max_tokens = g_value_get_int(value); return true;
    case PROP_MAX_CONTEXT: s.answerer.session.max_context = g_value_get_int(value); return true;
    case PROP_ENCODER: s.answerer.encoder = static_cast<EncoderKind>(g_value_get_enum(value)); return true;
    case PROP_THREADS: s.files.threads = g_value_get_int(value); return true;
    case PROP_DETAIL: s.answerer.detail = static_cast<Detail>(g_value_get_enum(value)); return true;
    case PROP_WINDOW: s.answerer.window = g_value_get_int(value); return true;
    case PROP_ANSWER_ON: s.answer_on = static_cast<AnswerOn>(g_value_get_enum(value)); return true;
    case PROP_ANSWER_EVERY: s.answer_every = g_value_get_uint64(value); return true;
    case PROP_LEAKY: s.leaky = static_cast<LeakySetting>(g_value_get_enum(value)); return true;
    case PROP_MAX_QUEUE: s.max_queue = static_cast<unsigned>(g_value_get_int(value)); return true;
    case PROP_TIMESTAMP: s.timestamp = static_cast<TimestampMode>(g_value_get_enum(value)); return true;
    case PROP_DISPLAY_DURATION: s.display_duration = g_value_get_uint64(value); return true;
    case PROP_LATENCY_BUDGET: s.latency_budget = g_value_get_uint64(value); return true;
    case PROP_ON_UNCHANGED: s.on_unchanged = static_cast<OnUnchanged>(g_value_get_enum(value)); return true;
    case PROP_ROUTE_POLICY:
      s.router.policy = static_cast<OffloadPolicy>(g_value_get_enum(value));
      return true;
    case PROP_CONFIDENCE_THRESHOLD: s.router.confidence_threshold = g_value_get_double(value); return true;
    case PROP_OFFLOAD_SIZE: s.offload_size = static_cast<unsigned>(g_value_get_int(value)); return true;
    case PROP_DRAIN_TIMEOUT: s.drain_timeout = g_value_get_uint64(value); return true;
    default: return false;
  }
}

bool get_setting(const LocalMllmSettings &s, guint id, GValue *value) {
  switch (id) {
    case PROP_MODEL:
      g_value_set_string(value, s.files.text.empty() ? nullptr : s.files.text.c_str());
      return true;
    case PROP_MMPROJ:
      g_value_set_string(value, s.files.mmproj.empty() ? nullptr : s.files.mmproj.c_str());
      return true;
    case PROP_PROMPT: g_value_set_string(value, s.prompt.c_str()); return true;
    case PROP_SYSTEM_PROMPT: g_value_set_string(value, s.answerer.session.system_prompt.c_str()); return true;
    case PROP_CHAT_TEMPLATE: g_value_set_string(value, s.answerer.session.chat_template.c_str()); return true;
    case PROP_MAX_TOKENS: g_value_set_int(value, s.answerer.session.max_tokens); return true;
    case PROP_MAX_CONTEXT: g_value_set_int(value, s.answerer.session.max_context); return true;
    case PROP_ENCODER: g_value_set_enum(value, number(s.answerer.encoder)); return true;
    case PROP_THREADS: g_value_set_int(value, s.files.threads); return true;
    case PROP_DETAIL: g_value_set_enum(value, number(s.answerer.detail)); return true;
    case PROP_WINDOW: g_value_set_int(value, s.answerer.window); return true;
    case PROP_ANSWER_ON: g_value_set_enum(value, number(s.answer_on)); return true;
    case PROP_ANSWER_EVERY: g_value_set_uint64(value, s.answer_every); return true;
    case PROP_LEAKY: g_value_set_enum(value, number(s.leaky)); return true;
    case PROP_MAX_QUEUE: g_value_set_int(value, static_cast<int>(s.max_queue)); return true;
    case PROP_TIMESTAMP: g_value_set_enum(value, number(s.timestamp)); return true;
    case PROP_DISPLAY_DURATION: g_value_set_uint64(value, s.display_duration); return true;
    case PROP_LATENCY_BUDGET: g_value_set_uint64(value, s.latency_budget); return true;
    case PROP_ON_UNCHANGED: g_value_set_enum(value, number(s.on_unchanged)); return true;
    case PROP_ROUTE_POLICY: g_value_set_enum(value, number(s.router.policy)); return true;
    case PROP_CONFIDENCE_THRESHOLD: g_value_set_double(value, s.router.confidence_threshold); return true;
    case PROP_OFFLOAD_SIZE: g_value_set_int(value, static_cast<int>(s.offload_size)); return true;
    case PROP_DRAIN_TIMEOUT: g_value_set_uint64(value, s.drain_timeout); return true;
    default: return false;
  }
}

}  // namespace saccade::gst
