// How right the answers are, in two ways: when they are given, and for as long as they stand.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "answer_record.h"
#include "ground_truth.h"

namespace saccade::demo {

struct Share {
  std::size_t right = 0;
  std::size_t all = 0;

  double fraction() const { return all ? static_cast<double>(right) / static_cast<double>(all) : 0; }
};

enum class Verdict { right, wrong, open };  // open: there is no ground truth, or something is on a border

// The same words, whatever their case and the punctuation and spaces around them.
bool same_answer(const std::string &a, const std::string &b);

class Score {
 public:
  explicit Score(const GroundTruth &truth) : truth_(truth) {}

  // Answers come in the order in which they are given. `known_at`: seconds of stream time from which on a
  // user has it.
  Verdict add(const AnswerRecord &answer, double known_at);

  // Of the answers, each against the truth at the moment that it speaks of.
  Share at_answers() const;
  std::map<std::string, Share> at_answers_by_question() const { return by_question_; }

  // Every question, ten times a second from 0 to `end` seconds: is what a user knows then the truth then? A
  // stale answer is wrong as soon as the truth has changed, and so is one that is still to come.
  Share over_time(double end) const;

 private:
  struct Standing {
    double from = 0;
    std::string text;
  };

  const GroundTruth &truth_;
  std::map<std::string, Share> by_question_;
  std::map<std::string, std::vector<Standing>> history_;
};

}  // namespace saccade::demo
