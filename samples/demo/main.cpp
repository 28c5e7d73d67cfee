// saccade-demo: a clip is answered while it streams. One line per answer, and at the end what it took.
//
//   saccade-demo --clip build/clips/street60.avi --timeline build/clips/street60.json
//   saccade-demo --clip vtest.avi --prompt "How many people are there?" --live
#include <cstdio>
#include <map>
#include <optional>

#include "arguments.h"
#include "base/statistics.h"
#include "ground_truth.h"
#include "report.h"
#include "score.h"
#include "stream_run.h"

namespace saccade::demo {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr std::size_t kLatenciesKept = 65536;

int fail(const Status &status) {
  std::fprintf(stderr, "saccade-demo: %s\n", status.message().c_str());
  return status.kind() == StatusKind::invalid_argument ? kUsage : kFailed;
}

// Hears every answer, judges it, prints it and keeps the sums.
class Audience {
 public:
  Audience(const Arguments &arguments, const std::optional<GroundTruth> &truth, Report &report)
      : arguments_(arguments), truth_(truth), report_(report) {
    if (truth_) score_.emplace(*truth_);
  }

  void hear(const AnswerRecord &answer) {
    ++sums_.answers;
    sums_.tokens_seen += static_cast<std::uint64_t>(answer.tokens_seen);
    sums_.tokens_kept += static_cast<std::uint64_t>(answer.tokens_kept);
    const double waited = answer.capture_to_answer_ms / 1000;
    latency_.add(from_seconds(waited));
    // A file waits for its answers, so they are there with their picture; a live stream has gone on
    // meanwhile.
    const auto verdict =
        score_ ? score_->add(answer, answer.stream_time + (arguments_.live ? waited : 0)) : Verdict::open;

    auto &last = last_text_[answer.question];
    const bool changed = last != answer.text;
    last = answer.text;
    if (arguments_.changes_only && !changed) return;
    report_.answer(answer, verdict,
                   truth_ ? truth_->answer(answer.question, answer.stream_time) : std::nullopt);
  }

  Summary summary(const RunFigures &figures) const {
    Summary summary = sums_;
    summary.figures = figures;
    summary.latency_p50 = latency_.quantile(0.50);
    summary.latency_p95 = latency_.quantile(0.95);
    if (score_) {
      summary.accuracy = {score_->at_answers(), score_->over_time(figures.stream_seconds),
                          score_->at_answers_by_question()};
    }
    return summary;
  }

 private:
  const Arguments &arguments_;
  const std::optional<GroundTruth> &truth_;
  Report &report_;
  std::optional<Score> score_;
  Summary sums_;
  DurationStatistics latency_{kLatenciesKept};
  std::map<std::string, std::string> last_text_;
};

std::string progress_line(const Progress &progress) {
  char text[128];
  if (progress.stream_length > 0) {
    std::snprintf(text, sizeof text, "%.0f of %.0f s of stream watched, %llu answers",
                  progress.stream_seconds, progress.stream_length,
                  static_cast<unsigned long long>(progress.answers));
  } else {
    std::snprintf(text, sizeof text, "%.0f s of stream watched, %llu answers", progress.stream_seconds,
                  static_cast<unsigned long long>(progress.answers));
  }
  return text;
}

int watch(const Arguments &arguments) {
  std::optional<GroundTruth> truth;
  auto questions = arguments.questions;
  if (arguments.timeline) {
    auto read = GroundTruth::read(*arguments.timeline);
    if (!read.ok()) return fail(read.status());
    truth = std::move(read).value();
    if (questions.empty()) questions = truth->questions();
  }

  const auto report = arguments.json ? json_report() : text_report();
  Audience audience(arguments, truth, *report);
  auto created = StreamRun::create(
      arguments, questions,
      {.answer = [&](const AnswerRecord &answer) { audience.hear(answer); },
       .progress = [&](const Progress &progress) { report->progress(progress_line(progress)); },
       .warning = [&](const std::string &sentence) { report->warning(sentence); }});
  if (!created.ok()) return fail(created.status());
  auto &run = *created.value();

  report->start(arguments, questions);
  report->progress("loading the model");
  if (const auto status = run.load(); !status.ok()) return fail(status);
  if (const auto status = run.run(); !status.ok()) return fail(status);
  report->summary(audience.summary(run.figures()));
  return 0;
}

}  // namespace
}  // namespace saccade::demo

int main(int argc, char **argv) {
  const auto arguments = saccade::demo::parse_arguments(argc, argv);
  if (!arguments.ok()) return saccade::demo::fail(arguments.status());
  if (!arguments.value()) return 0;
  return saccade::demo::watch(*arguments.value());
}
