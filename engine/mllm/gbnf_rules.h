// A grammar's text in llama.cpp's notation (GBNF), read. Internal to mllm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace saccade {

// Letters are Unicode's code points.
struct LetterSet {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;  // both ends belong to them
  bool all_others = false;                                      // the set is what the ranges leave out

  bool has(std::uint32_t letter) const;
  bool has_any_of(std::uint32_t first, std::uint32_t last) const;
};

using Letters = std::vector<LetterSet>;  // one behind the other: a literal, or a single class
using RuleIndex = std::size_t;

// One thing in a sequence, as often in a row as its repetition says.
struct GbnfItem {
  static constexpr std::size_t kWithoutEnd = static_cast<std::size_t>(-1);

  std::variant<Letters, RuleIndex> what;
  std::size_t least = 1;
  std::size_t most = 1;  // kWithoutEnd for * and +
};

using GbnfSequence = std::vector<GbnfItem>;

struct GbnfRule {
  std::string name;  // of a group in parentheses: the name of the rule that it stands in
  int line = 1;      // where it is defined, or else first named
  bool defined = false;
  std::vector<GbnfSequence> alternatives;
};

struct GbnfRules {
  std::vector<GbnfRule> rules;
  RuleIndex root = 0;
};

// Takes a little less than llama.cpp does: no rule twice, no repetition of a repetition, no empty class, no
// tokens in <>. All rules that are named are defined, and one of them is `root`. Errors: invalid_argument,
// with the line and what is wrong there; exhausted, when it is too large.
Result<GbnfRules> read_gbnf(std::string_view text);

}  // namespace saccade
