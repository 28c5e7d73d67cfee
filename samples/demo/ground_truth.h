// What is true in a clip, and when: the timeline that samples/scenes/clip.py writes beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace saccade::demo {

class GroundTruth {
 public:
  // not_found, or corrupt with the place in the file that is wrong.
  static Result<GroundTruth> read(const std::string &path);

  std::vector<std::string> questions() const;

  // The right answer at this second of stream time. Empty when the question or the time is not in the
  // timeline, or when something is on a border there, so that neither answer is wrong.
  std::optional<std::string> answer(const std::string &question, double seconds) const;

 private:
  struct Interval {
    double start = 0;  // seconds of stream time; the end is not part of it
    double end = 0;
    std::string answer;
  };
  struct Question {
    std::string text;
    std::vector<Interval> intervals;
    std::vector<Interval> unsure;
  };

  friend class TimelineReader;
  std::vector<Question> questions_;
};

}  // namespace saccade::demo
