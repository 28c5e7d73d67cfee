// What an answer may cost, so that it comes in time.
#pragma once

#include "base/statistics.h"
#include "base/time.h"
#include "mllm/answer.h"

namespace saccade {

// In the order in which it is given up: a closer look answers few questions, a quarter of the visual tokens
// answers most of them (docs/benchmarks.md), and half an answer is hardly one.
struct Spending {
  bool detail = true;
  double keep = 1;     // share of the visual tokens, (0, 1]
  int max_tokens = 0;  // of the answer, at least 1
};

// Learns what answers cost from those that were given, and plans the next so that 95 of 100 stay within the
// budget, if it can be had at all. Used by one thread at a time.
class LatencyBudget {
 public:
  // Zero: nothing is ever given up.
  LatencyBudget(Duration budget, int max_tokens);

  // Of an answer about a picture that has waited so long already. encoded: its tokens are there.
  Spending plan(Duration waited, bool encoded) const;

  void learn(const Answer &answer);

 private:
  Duration budget_;
  int max_tokens_;
  DurationStatistics encode_;      // with the wait for the model
  DurationStatistics read_token_;  // of a prompt
  DurationStatistics say_token_;   // of an answer, after the first
  DurationStatistics decode_;      // of whole answers
  int text_tokens_ = 0;            // that the last prompt was read with,
  int visual_tokens_ = 0;          // and those that it would have had with keep = 1
};

}  // namespace saccade
