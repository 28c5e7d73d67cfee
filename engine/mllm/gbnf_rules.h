// A grammar's text in llama.cpp's notation (GBNF), read far enough to see what it would cost. Internal to
// mllm.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace saccade {

// One thing in a sequence, as often in a row as its repetition says.
struct GbnfItem {
  static constexpr std::size_t kLetters = static_cast<std::size_t>(-1);

  std::size_t rule = kLetters;  // of the rule that it refers to; kLetters: a literal or a class of letters
  std::size_t size = 1;         // elements that llama.cpp keeps for it once
  std::size_t least = 1;
  std::size_t most = 1;  // kWithoutEnd for * and +
};
constexpr std::size_t kWithoutEnd = static_cast<std::size_t>(-1);

using GbnfSequence = std::vector<GbnfItem>;

struct GbnfRule {
  std::string name;  // of a group in parentheses: the name of the rule that it stands in
  int line = 1;      // where it is defined, or else first named
  bool defined = false;
  std::vector<GbnfSequence> alternatives;
};

struct GbnfRules {
  std::vector<GbnfRule> rules;
  std::size_t root = 0;
};

// Takes less than llama.cpp does: no rule twice, no repetition of a repetition, no empty class, no tokens in
// <>. All rules that are named are defined, and one of them is `root`.
// Errors: invalid_argument, with the line and what is wrong there; exhausted, when it is too large.
Result<GbnfRules> read_gbnf(std::string_view text);

}  // namespace saccade
