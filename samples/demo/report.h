// What the demo says, to a person or to a program. Answers and figures go to standard output, progress and
// warnings to standard error.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "answer_record.h"
#include "base/time.h"
#include "score.h"
#include "stream_run.h"

namespace saccade::demo {

struct Summary {
  RunFigures figures;
  std::uint64_t answers = 0;
  std::uint64_t tokens_seen = 0;  // visual, of all answers
  std::uint64_t tokens_kept = 0;
  Duration latency_p50{};  // capture to answer
  Duration latency_p95{};
  struct Accuracy {
    Share at_answers;
    Share over_time;
    std::map<std::string, Share> by_question;
  };
  std::optional<Accuracy> accuracy;  // where there is a ground truth

  double cpu_seconds_per_minute() const;
};

class Report {
 public:
  virtual ~Report() = default;
  virtual void start(const Arguments &arguments, const std::vector<std::string> &questions) = 0;
  // `truth`: the right answer, where there is one.
  virtual void answer(const AnswerRecord &answer, Verdict verdict,
                      const std::optional<std::string> &truth) = 0;
  virtual void progress(const std::string &what) = 0;  // of long work; short-lived
  virtual void warning(const std::string &sentence) = 0;
  virtual void summary(const Summary &summary) = 0;
};

// Lines and a table, with colours on a terminal (unless NO_COLOR is set).
std::unique_ptr<Report> text_report();
// One JSON object per line: "type" is "answer" or "summary".
std::unique_ptr<Report> json_report();

}  // namespace saccade::demo
