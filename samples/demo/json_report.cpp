#include <json-glib/json-glib.h>

#include <cstdio>

#include "handles.h"
#include "report.h"

namespace saccade::demo {
namespace {

// One JSON object that is being written.
class Line {
 public:
  explicit Line(const char *type) : builder_(json_builder_new()) {
    json_builder_begin_object(builder_.get());
    add("type", std::string(type));
  }

  void add(const char *name, const std::string &value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_string_value(builder_.get(), value.c_str());
  }
  void add(const char *name, double value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_double_value(builder_.get(), value);
  }
  void add(const char *name, std::uint64_t value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_int_value(builder_.get(), static_cast<gint64>(value));
  }
  void add(const char *name, bool value) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_add_boolean_value(builder_.get(), value);
  }
  void add(const char *name, const Share &share) {
    begin(name);
    add("right", static_cast<std::uint64_t>(share.right));
    add("all", static_cast<std::uint64_t>(share.all));
    end();
  }
  void begin(const char *name) {
    json_builder_set_member_name(builder_.get(), name);
    json_builder_begin_object(builder_.get());
  }
  void end() { json_builder_end_object(builder_.get()); }

  void print() {
    end();
    const ObjectPtr<JsonGenerator> generator(json_generator_new());
    const std::unique_ptr<JsonNode, void (*)(JsonNode *)> root(json_builder_get_root(builder_.get()),
                                                               json_node_unref);
    json_generator_set_root(generator.get(), root.get());
    const TextPtr text(json_generator_to_data(generator.get(), nullptr));
    std::printf("%s\n", text.get());
    std::fflush(stdout);
  }

 private:
  ObjectPtr<JsonBuilder> builder_;
};

class JsonReport : public Report {
 public:
  void start(const Arguments &, const std::vector<std::string> &) override {}

  void answer(const AnswerRecord &answer, Verdict verdict, const std::optional<std::string> &truth) override {
    Line line("answer");
    line.add("stream-time", answer.stream_time);
    line.add("question", answer.question);
    line.add("answer", answer.text);
    line.add("source", answer.source);
    line.add("confidence", answer.confidence);
    line.add("capture-to-answer-ms", answer.capture_to_answer_ms);
    line.add("encode-ms", answer.encode_ms);
    line.add("prefill-ms", answer.prefill_ms);
    line.add("decode-ms", answer.decode_ms);
    line.add("tokens-seen", static_cast<std::uint64_t>(answer.tokens_seen));
    line.add("tokens-kept", static_cast<std::uint64_t>(answer.tokens_kept));
    line.add("truncated", answer.truncated);
    if (truth) line.add("truth", *truth);
    if (verdict != Verdict::open) line.add("right", verdict == Verdict::right);
    line.print();
  }

  void progress(const std::string &) override {}
  void warning(const std::string &sentence) override {
    std::fprintf(stderr, "warning: %s\n", sentence.c_str());
  }

  void summary(const Summary &s) override {
    const auto &f = s.figures;
    Line line("summary");
    line.add("frames-seen", f.frames_seen);
    line.add("frames-kept", f.frames_sampled);
    line.add("frames-needed", f.frames_needed);
    line.add("frames-encoded", f.frames_encoded);
    line.add("frames-dropped", f.frames_dropped);
    line.add("stream-seconds", f.stream_seconds);
    line.add("answers", s.answers);
    line.add("tokens-seen", s.tokens_seen);
    line.add("tokens-kept", s.tokens_kept);
    line.add("capture-to-answer-p50-ms", to_milliseconds(s.latency_p50));
    line.add("capture-to-answer-p95-ms", to_milliseconds(s.latency_p95));
    line.add("cpu-seconds-per-stream-minute", s.cpu_seconds_per_minute());
    line.add("peak-memory-bytes", f.peak_memory);
    line.add("load-seconds", to_seconds(f.load));
    line.add("wall-seconds", to_seconds(f.wall));
    line.add("interrupted", f.interrupted);
    if (s.accuracy) {
      line.add("right-at-answers", s.accuracy->at_answers);
      line.add("right-over-time", s.accuracy->over_time);
      line.begin("right-by-question");
      for (const auto &[question, share] : s.accuracy->by_question) line.add(question.c_str(), share);
      line.end();
    }
    line.print();
  }
};

}  // namespace

std::unique_ptr<Report> json_report() { return std::make_unique<JsonReport>(); }

}  // namespace saccade::demo
