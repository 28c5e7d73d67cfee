#include "localmllm/run_counters.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/prometheus.h"

namespace saccade::gst {
namespace {

struct Count {
  const char *name;
  const char *help;
  std::uint64_t value;
};

std::vector<Count> counts_of(const RunCounters &c) {
  return {
      {"frames", "Frames that came in", c.frames},
      {"taken", "Frames that the model looked at", c.taken},
      {"unchanged", "Frames that the standing answer serves", c.unchanged},
      {"dropped", "Frames lost to the leak", c.dropped},
      {"answers", "Answers given", c.answers},
      {"failed", "Frames and questions without an answer", c.failed},
      {"stale", "Answers given up because the scene had moved on", c.stale},
      {"late", "Answers that took longer than the latency declared to a live pipeline", c.late},
      {"unsure", "Answers in whose place unsure-text was said", c.unsure},
      {"offloaded", "Segments sent to the cloud", c.offloaded},
      {"corrected", "Answers that the cloud replaced", c.corrected},
      {"tokens-seen", "Visual tokens before compression", c.tokens_seen},
      {"tokens-kept", "Visual tokens after compression", c.tokens_kept},
      {"prompt-tokens", "Tokens of prompts", c.prompt_tokens},
      {"prompt-tokens-read", "Tokens of prompts that were not in the KV cache already", c.prompt_tokens_read},
      {"tokens-generated", "Tokens of answers", c.tokens_generated},
      {"tokens-guessed", "Tokens of answers that were guessed", c.tokens_guessed},
      {"tokens-guessed-right", "Tokens of answers that were guessed right", c.tokens_guessed_right},
      {"closer-looks-given-up", "Closer looks given up for the latency budget", c.given_up.closer_looks},
      {"pictures-compressed", "Pictures read in part for the latency budget", c.given_up.pictures_compressed},
      {"answers-shortened", "Answers cut for the latency budget", c.given_up.answers_shortened},
  };
}

struct Times {
  const char *name;
  const char *help;
  const DurationStatistics &values;
};

std::vector<Times> times_of(const RunCounters &c) {
  return {
      {"latency", "From a picture's coming, or the asking, to the answer", c.capture_to_answer},
      {"queued", "Waiting for the model", c.queued},
      {"encode", "Encoding the picture", c.encode},
      {"prefill", "Reading the prompt", c.prefill},
      {"decode", "Writing the answer", c.decode},
      {"first-token", "To the first word of an answer", c.first_token},
      {"each-token", "Of each token after the first", c.each_token},
  };
}

std::string metric(std::string_view name, const char *unit) {
  auto metric = "saccade_" + std::string(name) + unit;
  std::ranges::replace(metric, '-', '_');
  return metric;
}

}  // namespace

void RunCounters::count(const Answer &answer) {
  const auto count = [](int tokens) { return static_cast<std::uint64_t>(tokens); };
  const auto &took = answer.timings;
  ++answers;
  if (answer.unsure_of) ++unsure;
  tokens_seen += count(answer.visual_tokens_seen);
  tokens_kept += count(answer.visual_tokens_kept);
  capture_to_answer.add(took.capture_to_answer);
  if (answer.supersedes) return;  // the cloud's work
  prompt_tokens += count(answer.prompt_tokens);
  prompt_tokens_read += count(answer.prompt_tokens_read);
  tokens_generated += answer.token_log_probabilities.size();
  tokens_guessed += count(answer.tokens_guessed);
  tokens_guessed_right += count(answer.tokens_guessed_right);
  queued.add(took.queued);
  encode.add(took.encode);
  prefill.add(took.prefill);
  decode.add(took.decode);
  first_token.add(took.queued + took.encode + took.prefill);
  const auto more = static_cast<Duration::rep>(answer.token_log_probabilities.size()) - 1;
  if (more > 0) each_token.add(took.decode / more);
}

GstStructure *RunCounters::to_structure(std::size_t queue_level, std::size_t questions_waiting) const {
  GstStructure *structure = gst_structure_new("localmllm-statistics", "questions-waiting", G_TYPE_UINT,
                                              static_cast<guint>(questions_waiting), "queue-level",
                                              G_TYPE_UINT, static_cast<guint>(queue_level), nullptr);
  for (const auto &[name, help, value] : counts_of(*this))
    gst_structure_set(structure, name, G_TYPE_UINT64, static_cast<guint64>(value), nullptr);
  for (const auto &[name, help, values] : times_of(*this)) {
    const auto p50 = std::string(name) + "-p50-ms";
    const auto p95 = std::string(name) + "-p95-ms";
    gst_structure_set(structure, p50.c_str(), G_TYPE_DOUBLE, to_milliseconds(values.quantile(0.50)),
                      p95.c_str(), G_TYPE_DOUBLE, to_milliseconds(values.quantile(0.95)), nullptr);
  }
  return structure;
}

std::string RunCounters::to_prometheus(const std::string &stream) const {
  PrometheusText text(prometheus_label("stream", stream));
  for (const auto &[name, help, value] : counts_of(*this)) text.counter(metric(name, "_total"), help, value);
  for (const auto &[name, help, values] : times_of(*this))
    text.histogram(metric(name, "_seconds"), help, values);
  return text.text();
}

}  // namespace saccade::gst
