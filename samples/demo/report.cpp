#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace saccade::demo {

double Summary::cpu_seconds_per_minute() const {
  return figures.stream_seconds > 0 ? to_seconds(figures.cpu) * 60 / figures.stream_seconds : 0;
}

namespace {

constexpr double kMegabyte = 1e6;
constexpr auto kProgressOffTerminal = std::chrono::seconds(10);  // a log needs fewer lines than a person

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

class TextReport : public Report {
 public:
  TextReport() : terminal_(isatty(STDOUT_FILENO)), progress_terminal_(isatty(STDERR_FILENO)) {
    colours_ = terminal_ && !std::getenv("NO_COLOR");
  }

  void start(const Arguments &arguments, const std::vector<std::string> &questions) override {
    std::printf("%s, %s, is answered by %s through\n  %s\n", arguments.clip.c_str(),
                arguments.live ? "played by the clock" : "read as fast as it is answered",
                arguments.model.c_str(), StreamRun::description());
    for (const auto &question : questions) width_ = std::max(width_, static_cast<int>(question.size()));
    std::printf("\n%8s  %-6s %5s  %-*s  %-10s %9s  %s\n", "stream", "source", "sure", width_, "question",
                "answer", "after", "tokens kept");
  }

  void answer(const AnswerRecord &answer, Verdict verdict, const std::optional<std::string> &truth) override {
    clear_progress();
    std::printf("%6.1f s  %-6s %5.2f  %-*s  %s%-10s%s %6.0f ms  %d of %d", answer.stream_time,
                answer.source.c_str(), answer.confidence, width_, answer.question.c_str(), colour_of(verdict),
                answer.text.empty() ? "(nothing)" : answer.text.c_str(), end_colour(),
                answer.capture_to_answer_ms, answer.tokens_kept, answer.tokens_seen);
    if (verdict == Verdict::right) std::printf("  right");
    if (verdict == Verdict::wrong) std::printf("  wrong, it is %s", truth.value_or("").c_str());
    if (answer.truncated) std::printf("  (cut at max-tokens)");
    std::printf("\n");
    std::fflush(stdout);
  }

  void progress(const std::string &what) override {
    if (!progress_terminal_) {
      if (Clock::now() - last_progress_ < kProgressOffTerminal) return;
      last_progress_ = Clock::now();
      std::fprintf(stderr, "… %s\n", what.c_str());
      return;
    }
    clear_progress();
    std::fprintf(stderr, "… %s", what.c_str());
    progress_shown_ = true;
  }

  void warning(const std::string &sentence) override {
    clear_progress();
    std::fprintf(stderr, "warning: %s\n", sentence.c_str());
  }

  void summary(const Summary &s) override {
    clear_progress();
    const auto &f = s.figures;
    const auto sampled = static_cast<double>(f.frames_sampled);
    std::printf("\n%s\n", f.interrupted ? "Stopped by hand. Until then:" : "The clip has ended.");
    row("frames seen", count(f.frames_seen), seconds("in %.1f s of stream", f.stream_seconds));
    row("frames kept", count(f.frames_sampled),
        format("%.1f %% of those seen", percent(sampled, static_cast<double>(f.frames_seen))));
    row("  of these with news", count(f.frames_needed), "");
    row("  of these encoded", count(f.frames_encoded),
        f.frames_encoded < f.frames_needed ? "the others had their tokens already" : "");
    if (f.frames_dropped) row("  of these dropped", count(f.frames_dropped), "the model was busy");
    row("answers", count(s.answers),
        format("%.1f %% of visual tokens kept",
               percent(static_cast<double>(s.tokens_kept), static_cast<double>(s.tokens_seen))));
    if (s.accuracy) accuracy(*s.accuracy);
    row("capture to answer, p50", format("%.0f ms", to_milliseconds(s.latency_p50)), "");
    row("capture to answer, p95", format("%.0f ms", to_milliseconds(s.latency_p95)), "");
    row("CPU per stream minute", format("%.1f s", s.cpu_seconds_per_minute()),
        "of all cores, without loading the model");
    row("peak memory", format("%.0f MB", static_cast<double>(f.peak_memory) / kMegabyte), "");
    row("time taken", format("%.1f s", to_seconds(f.wall)),
        seconds("and %.1f s to load the model", to_seconds(f.load)));
  }

 private:
  static std::string format(const char *pattern, double value) {
    char text[96];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
  }
  static std::string seconds(const char *pattern, double value) { return format(pattern, value); }
  static std::string count(std::uint64_t n) { return std::to_string(n); }
  static std::string share(const Share &s) { return format("%.1f %%", 100 * s.fraction()); }

  static void row(const std::string &name, const std::string &value, const std::string &note) {
    std::printf("  %-36s %10s  %s\n", name.c_str(), value.c_str(), note.c_str());
  }

  static void accuracy(const Summary::Accuracy &accuracy) {
    row("answers that are right", share(accuracy.at_answers),
        "of " + count(accuracy.at_answers.all) + ", each at the moment that it speaks of");
    row("right over time", share(accuracy.over_time),
        "every question, ten times a second, by what was known then");
    for (const auto &[question, right] : accuracy.by_question)
      row("  " + question, share(right), "of " + count(right.all));
  }

  const char *colour_of(Verdict verdict) const {
    if (!colours_) return "";
    switch (verdict) {
      case Verdict::right: return "\033[32m";
      case Verdict::wrong: return "\033[31m";
      case Verdict::open: return "\033[1m";
    }
    return "";
  }
  const char *end_colour() const { return colours_ ? "\033[0m" : ""; }

  void clear_progress() {
    if (std::exchange(progress_shown_, false)) std::fprintf(stderr, "\r\033[K");
  }

  const bool terminal_;
  const bool progress_terminal_;
  bool colours_ = false;
  bool progress_shown_ = false;
  int width_ = 8;  // of the column of questions
  Clock::time_point last_progress_ = Clock::now();
};

}  // namespace

std::unique_ptr<Report> text_report() { return std::make_unique<TextReport>(); }

}  // namespace saccade::demo
