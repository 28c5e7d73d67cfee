#include "localmllm/properties.h"

#include "common/encoder_kind.h"

namespace saccade::gst {
namespace {

using Settings = LocalMllmSettings;
using Table = PropertyTable<Settings>;

template <typename E>
constexpr gint number(E value) {
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
      {number(AnswerOn::interval), "Every answer-every, whether or not something changed", "interval"},
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
      {number(OffloadPolicy::threshold), "Ask it about unsure answers and complex pictures", "threshold"},
      {number(OffloadPolicy::msao), "Ask it where its answer is expected to cost less than a wrong one",
       "msao"},
      {number(OffloadPolicy::budget), "As msao, and no more than budget-per-hour", "budget"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmRoutePolicy", values);
  return type;
}

GType budget_unit_type() {
  static const GEnumValue values[] = {{number(BudgetUnit::bytes), "Bytes sent", "bytes"},
                                      {number(BudgetUnit::money), "Money, see money-per-call", "money"},
                                      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmBudgetUnit", values);
  return type;
}

GType prompt_position_type() {
  static const GEnumValue values[] = {
      {number(PromptPositionSetting::automatic), "before where that is known to save work, else after",
       "auto"},
      {number(PromptPositionSetting::after), "Behind the pictures, which all questions then share", "after"},
      {number(PromptPositionSetting::before), "Before the pictures, read once for all of them", "before"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmPromptPosition", values);
  return type;
}

GType sound_type() {
  static const GEnumValue values[] = {
      {number(SoundSetting::automatic), "The sound itself where the model hears, else nothing", "auto"},
      {number(SoundSetting::text), "A sentence that a sound stands out, whatever the model", "text"},
      {number(SoundSetting::none), "Nothing", "none"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmSound", values);
  return type;
}

GType kv_type_type() {
  static const GEnumValue values[] = {{number(KvType::f16), "16-bit floats", "f16"},
                                      {number(KvType::q8_0), "8 bits", "q8_0"},
                                      {number(KvType::q4_0), "4 bits", "q4_0"},
                                      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmKvType", values);
  return type;
}

GType kv_policy_type() {
  static const GEnumValue values[] = {
      {number(KvPolicy::reread), "The pictures that stay are read again", "reread"},
      {number(KvPolicy::slide), "The pictures that stay are kept as they were read", "slide"},
      {number(KvPolicy::saliency), "As slide, and the picture leaves that questions looked at least",
       "saliency"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLocalMllmKvPolicy", values);
  return type;
}

void add_model(Table &t) {
  t.text(
      {"model", "Model", "Path of the language model's GGUF file"},
      [](Settings & s) -> auto & { return s.files.text; }, nullptr);
  t.text(
      {"mmproj", "Projector", "Path of the vision projector's GGUF file that belongs to the model"},
      [](Settings & s) -> auto & { return s.files.mmproj; }, nullptr);
  t.text(
      {"system-prompt", "System prompt", "Text before the conversation"},
      [](Settings & s) -> auto & { return s.answerer.session.system_prompt; });
  t.text(
      {"chat-template", "Chat template",
       "Name of a built-in template of llama.cpp, or a Jinja text that it recognises; empty = the model's "
       "own"},
      [](Settings & s) -> auto & { return s.answerer.session.chat_template; });
  t.count(
      {"threads", "Threads",
       "Threads for the model; 0 = one for a model of a few million parameters, else all cores"},
      0, 1024, [](Settings & s) -> auto & { return s.files.threads; });
  t.choice(
      {"encoder", "Encoder", "What encodes the pictures"}, encoder_kind_type(),
      [](Settings & s) -> auto & { return s.answerer.encoder; });
  t.choice(
      {"detail", "Detail", "How a picture is cut before it is encoded"}, detail_type(),
      [](Settings & s) -> auto & { return s.answerer.detail; });
  t.choice(
      {"sound", "Sound", "What the model is given of the sound that masgate hands on with a picture"},
      sound_type(), [](Settings & s) -> auto & { return s.sound; });
}

void add_session(Table &t) {
  t.count(
      {"max-context", "Maximum context",
       "Tokens of prompt and answer that the KV cache holds; bounds memory, and is cut to what the model "
       "was trained for"},
      64, 1 << 20, [](Settings & s) -> auto & { return s.answerer.session.max_context; });
  t.count(
      {"window", "Window", "Pictures that a question is asked about, the newest last"}, 1, 64,
      [](Settings & s) -> auto & { return s.answerer.window; });
  t.choice(
      {"kv-type", "KV type", "How the cached keys and values are stored"}, kv_type_type(),
      [](Settings & s) -> auto & { return s.answerer.session.kv_type; });
  t.choice(
      {"kv-policy", "KV policy", "What is done with the other pictures when the oldest leaves the window"},
      kv_policy_type(), [](Settings & s) -> auto & { return s.answerer.session.kv_policy; });
  t.choice(
      {"prompt-position", "Prompt position", "Where a question stands in the prompt"}, prompt_position_type(),
      [](Settings & s) -> auto & { return s.prompt_position; });
  t.count(
      {"guesses", "Guesses",
       "Tokens of the last answer to a question that are taken for a guess at the next and checked at "
       "once; 0 = none"},
      0, 64, [](Settings & s) -> auto & { return s.answerer.session.guesses; });
  t.text(
      {"draft-model", "Draft model",
       "Path of a small text model's GGUF file, with the model's vocabulary, that guesses where no last "
       "answer does; empty = none"},
      [](Settings & s) -> auto & { return s.answerer.session.draft_model; });
  t.count(
      {"priority", "Priority", "Of this stream, when several share one model: higher ones are read first"},
      -100, 100, [](Settings & s) -> auto & { return s.answerer.session.priority; });
}

void add_questions(Table &t) {
  t.text(
      {"prompt", "Prompt",
       "Standing question; empty answers only what is asked. A change is answered from the next frame on"},
      [](Settings & s) -> auto & { return s.prompt; }, "", Table::kPlaying);
  t.texts(
      {"more-prompts", "More prompts", "Further standing questions, answered after it about the same frames"},
      [](Settings & s) -> auto & { return s.more_prompts; }, Table::kPlaying);
  t.choice(
      {"answer-on", "Answer on", "When the standing questions are answered again"}, answer_on_type(),
      [](Settings & s) -> auto & { return s.answer_on; });
  t.nanoseconds(
      {"answer-every", "Answer every",
       "Least time between two answers to a standing question, in nanoseconds of stream time"},
      [](Settings & s) -> auto & { return s.answer_every; });
}

void add_answers(Table &t) {
  t.count(
      {"max-tokens", "Maximum tokens", "Length of an answer, in tokens"}, 1, 65536,
      [](Settings & s) -> auto & { return s.answerer.session.max_tokens; });
  t.text(
      {"json-schema", "JSON schema",
       "JSON schema that every answer follows: its text, which starts with {, or the path of a file"},
      [](Settings & s) -> auto & { return s.answerer.form.json_schema; });
  t.text(
      {"grammar", "Grammar",
       "Grammar in GBNF that every answer follows: its text, which has ::= in it, or the path of a file"},
      [](Settings & s) -> auto & { return s.answerer.form.grammar; });
  t.yes_or_no(
      {"partial", "Partial", "Whether answers are also given while they grow"},
      [](Settings & s) -> auto & { return s.partial; });
  t.text(
      {"unsure-text", "Unsure text",
       "What is said instead of an answer whose confidence is below confidence-threshold; empty = the "
       "answer"},
      [](Settings & s) -> auto & { return s.unsure_text; });
  t.share(
      {"confidence-threshold", "Confidence threshold",
       "Confidence (0 to 1) below which a local answer counts as unsure: unsure-text is said, and with "
       "route-policy=threshold the cloud is asked"},
      [](Settings & s) -> auto & { return s.router.confidence_threshold; });
  t.choice(
      {"on-unchanged", "On unchanged", "What the src pad gives for a frame that needs no new answer"},
      on_unchanged_type(), [](Settings & s) -> auto & { return s.on_unchanged; });
}

void add_time(Table &t) {
  t.choice(
      {"leaky", "Leaky", "What is dropped when the model is slower than its input"}, leaky_type(),
      [](Settings & s) -> auto & { return s.leaky; });
  t.count(
      {"max-queue", "Maximum queue", "Frames that may wait for the model"}, 1, 64,
      [](Settings & s) -> auto & { return s.max_queue; });
  t.choice(
      {"timestamp", "Timestamp", "Which time an answer's buffer carries"}, timestamp_type(),
      [](Settings & s) -> auto & { return s.timestamp; });
  t.nanoseconds(
      {"display-duration", "Display duration",
       "Duration of an answer's buffer with timestamp=arrival, in nanoseconds"},
      [](Settings & s) -> auto & { return s.display_duration; });
  t.nanoseconds(
      {"latency-budget", "Latency budget",
       "Nanoseconds from a frame to its answer that detail, visual tokens and length are given up for; "
       "0 = none. With timestamp=content on a live stream also the latency that is declared, then 1 s"},
      [](Settings & s) -> auto & { return s.latency_budget; });
  t.nanoseconds(
      {"max-answer-age", "Maximum answer age",
       "An answer that grows is given up when a frame comes that is newer than its own by more than "
       "this, in nanoseconds, and wants an answer itself; 0 = never"},
      [](Settings & s) -> auto & { return s.max_answer_age; });
}

void add_offload(Table &t) {
  t.choice(
      {"route-policy", "Route policy", "Which segments go to the offload pad, when it is linked"},
      route_policy_type(), [](Settings & s) -> auto & { return s.router.policy; });
  t.number(
      {"budget-per-hour", "Budget per hour",
       "What may be spent on the cloud in an hour, with route-policy=budget; 0 = no limit"},
      0, 1e15, [](Settings & s) -> auto & { return s.router.budget_per_hour; });
  t.choice(
      {"budget-unit", "Budget unit", "What budget-per-hour counts"}, budget_unit_type(),
      [](Settings & s) -> auto & { return s.router.budget_unit; });
  t.number(
      {"money-per-call", "Money per call", "What a call to the cloud costs, in any currency"}, 0, 1e6,
      [](Settings & s) -> auto & { return s.router.money_per_call; });
  t.number(
      {"money-per-megabyte", "Money per megabyte", "What a megabyte sent costs, in the same currency"}, 0,
      1e6, [](Settings & s) -> auto & { return s.router.money_per_megabyte; });
  t.number(
      {"error-weight", "Error weight",
       "What a wrong answer costs with route-policy=msao and budget, in waits of two seconds; more asks the "
       "cloud more often"},
      0, 1000, [](Settings & s) -> auto & { return s.router.error_weight; });
  t.share(
      {"cloud-error", "Cloud error", "How often (0 to 1) the cloud is wrong when it sees everything"},
      [](Settings & s) -> auto & { return s.router.cloud_error; });
  t.nanoseconds(
      {"draft-hold", "Draft hold",
       "How old an answer may get, in nanoseconds from its picture, before it is shown while the cloud is "
       "asked about it; 0 = it is shown at once"},
      [](Settings & s) -> auto & { return s.draft_hold; });
  t.yes_or_no(
      {"cloud-knowledge", "Cloud knowledge",
       "Whether later questions are told what the cloud said of a picture that they are about, too (true or "
       "false)"},
      [](Settings & s) -> auto & { return s.cloud_knowledge; });
  t.count(
      {"offload-size", "Offload size", "Longest edge of the pictures on the offload pad, in pixels"}, 16,
      8192, [](Settings & s) -> auto & { return s.offload_size; });
  t.yes_or_no(
      {"offload-sound", "Offload sound",
       "Whether the sound that masgate hands on with a picture may go to the offload pad, too, to a server "
       "that "
       "hears (true or false)"},
      [](Settings & s) -> auto & { return s.offload_sound; });
  t.nanoseconds(
      {"drain-timeout", "Drain timeout",
       "How long the end of the stream waits for cloud answers, in nanoseconds"},
      [](Settings & s) -> auto & { return s.drain_timeout; });
}

void add_metrics(Table &t) {
  t.text(
      {"metrics-file", "Metrics file",
       "Path of a file that holds the statistics in Prometheus' text format, written anew about once a "
       "second; empty = none"},
      [](Settings & s) -> auto & { return s.metrics_file; });
}

Table make_table() {
  Table table;
  add_model(table);
  add_session(table);
  add_questions(table);
  add_answers(table);
  add_time(table);
  add_offload(table);
  add_metrics(table);
  table.statistics("Counts of frames, answers and tokens, and times in milliseconds; none when stopped");
  return table;
}

}  // namespace

const PropertyTable<LocalMllmSettings> &properties() {
  static const Table made = make_table();
  return made;
}

}  // namespace saccade::gst
