#include "mllm/grammar_check.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mllm/gbnf_rules.h"

namespace saccade {
namespace {

// Rules that begin with one another; llama.cpp descends on the stack for each.
constexpr int kMaxDepth = 256;
// Ways to begin a rule. llama.cpp follows all of them at every letter, and compares each with each.
constexpr std::uint64_t kMaxWays = 2048;
// llama.cpp looks for left recursion along every way into every rule, again for each copy of a repetition.
constexpr std::uint64_t kMaxSearch = 10'000'000;

Status refuse(const GbnfRule &rule, const std::string &what, StatusKind kind = StatusKind::invalid_argument) {
  return {kind, "line " + std::to_string(rule.line) + ": rule \"" + rule.name + "\" " + what};
}

class Check {
 public:
  explicit Check(const GbnfRules &grammar)
      : grammar_(grammar),
        empty_(grammar.rules.size()),
        ends_(grammar.rules.size()),
        ways_(grammar.rules.size()),
        open_(grammar.rules.size()) {}

  Status run() {
    find_empty_rules();
    find_rules_that_end();
    if (!ends_[grammar_.root]) return refuse(grammar_.rules[grammar_.root], "can never end");
    for (const auto &rule : grammar_.rules)
      if (auto status = check_repetitions(rule); !status.ok()) return status;
    std::uint64_t search = 0;
    for (std::size_t i = 0; i < grammar_.rules.size(); ++i) {
      if (auto status = count_ways(i, 0); !status.ok()) return status;
      search += ways_[i];
    }
    for (const auto &rule : grammar_.rules) search += search_in_repetitions(rule);
    if (search > kMaxSearch)
      return {StatusKind::exhausted, "its repetitions hold too much; shorten them, or what they repeat"};
    return {};
  }

 private:
  bool may_be_empty(const GbnfItem &item) const {
    if (item.least == 0) return true;
    return item.rule == GbnfItem::kLetters ? item.size == 0 : static_cast<bool>(empty_[item.rule]);
  }
  bool may_end(const GbnfItem &item) const {
    return item.least == 0 || item.rule == GbnfItem::kLetters || ends_[item.rule];
  }

  // Marks the rules of which an alternative holds only items that fit, until no more are found. From the last
  // rule on, because most rules refer to later ones.
  template <typename Fits>
  void mark(std::vector<bool> &marked, Fits fits) {
    const auto all_fit = [&](const GbnfSequence &sequence) { return std::ranges::all_of(sequence, fits); };
    for (bool found = true; found;) {
      found = false;
      for (std::size_t i = grammar_.rules.size(); i-- > 0;) {
        if (marked[i] || !std::ranges::any_of(grammar_.rules[i].alternatives, all_fit)) continue;
        marked[i] = true;
        found = true;
      }
    }
  }
  void find_empty_rules() {
    mark(empty_, [this](const GbnfItem &item) { return may_be_empty(item); });
  }
  void find_rules_that_end() {
    mark(ends_, [this](const GbnfItem &item) { return may_end(item); });
  }

  Status check_repetitions(const GbnfRule &rule) const {
    for (const auto &sequence : rule.alternatives)
      for (const auto &item : sequence)
        if (item.most > 1 && item.rule != GbnfItem::kLetters && empty_[item.rule])
          return refuse(rule, "repeats something that may be empty; make it hold at least one letter");
    return {};
  }

  // How many ways lead into a rule until its first letter, in ways_. A rule is met again on its own way when
  // it begins with itself.
  Status count_ways(std::size_t index, int depth) {
    const auto &rule = grammar_.rules[index];
    if (ways_[index] > 0) return {};
    if (open_[index]) return refuse(rule, "begins with itself; let a letter or a word come first");
    if (depth > kMaxDepth)
      return refuse(rule, "is at the end of too long a chain of rules that begin with one another",
                    StatusKind::exhausted);
    open_[index] = true;
    std::uint64_t ways = 0;
    for (const auto &sequence : rule.alternatives) {
      ++ways;
      for (const auto &item : sequence) {
        if (item.rule != GbnfItem::kLetters) {
          if (auto status = count_ways(item.rule, depth + 1); !status.ok()) return status;
          ways += ways_[item.rule];
        }
        if (item.least != item.most) ++ways;  // it becomes a rule that may be left
        if (!may_be_empty(item)) break;
      }
      if (ways > kMaxWays)
        return refuse(rule, "has more than " + std::to_string(kMaxWays) + " ways to begin",
                      StatusKind::exhausted);
    }
    open_[index] = false;
    ways_[index] = ways;
    return {};
  }

  std::uint64_t search_in_repetitions(const GbnfRule &rule) const {
    std::uint64_t search = 0;
    for (const auto &sequence : rule.alternatives)
      for (const auto &item : sequence) {
        const auto copies = item.most == kWithoutEnd ? 1 : item.most - item.least;
        search += copies * (item.rule == GbnfItem::kLetters ? 1 : ways_[item.rule]);
      }
    return search;
  }

  const GbnfRules &grammar_;
  std::vector<bool> empty_;  // by rule: whether it may hold no letter at all
  std::vector<bool> ends_;   // whether a text can be complete with it
  std::vector<std::uint64_t> ways_;
  std::vector<bool> open_;
};

}  // namespace

Status check_grammar(std::string_view gbnf) {
  const auto grammar = read_gbnf(gbnf);
  return grammar.ok() ? Check(grammar.value()).run() : grammar.status();
}

}  // namespace saccade
