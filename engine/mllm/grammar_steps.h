// A grammar, checked and laid out for reading. Internal to mllm.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mllm/gbnf_rules.h"

namespace saccade {

// Sequences of steps lie one behind the other, each with an end. Repetitions are written out: x{1,3} becomes
// x and a rule that is nothing, or x and another such rule; x* a rule that is nothing, or x and itself.
struct GrammarSteps {
  enum class Kind : std::uint8_t { letter, rule, end };
  struct Step {
    Kind kind;
    std::uint32_t index;  // of a set of letters or of a rule
  };

  std::vector<Step> steps;
  Letters letters;
  std::vector<std::vector<std::uint32_t>> rules;  // where their alternatives start
  std::uint32_t root = 0;                         // a rule

  // Errors: invalid_argument (with the line: no grammar, a rule that begins with itself, a text that can
  // never end), exhausted (it is too large).
  static Result<GrammarSteps> of(std::string_view gbnf);
};

}  // namespace saccade
