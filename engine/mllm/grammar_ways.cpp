#include "mllm/grammar_ways.h"

#include <algorithm>
#include <unordered_set>

namespace saccade {
namespace {

// JSON has about 10. A list of 10,000 names to choose from has as many in its beginning; a grammar that can
// be read in twice as many ways at each bracket stops at the 13th.
constexpr std::size_t kMaxWays = 20'000;
constexpr std::size_t kMaxKept = 1'000'000;  // about 50 MB; a letter of JSON adds about one

std::uint64_t key_of(GrammarWays::Way way) { return static_cast<std::uint64_t>(way.step) << 32 | way.behind; }

}  // namespace

GrammarWays::Front GrammarWays::start() {
  std::vector<Way> ways;
  for (const auto alternative : grammar_->rules[grammar_->root]) ways.push_back({alternative, kNothing});
  return before_letters(std::move(ways));
}

GrammarWays::Front GrammarWays::after(const Front &front, std::uint32_t letter) {
  std::vector<Way> ways;
  for (const auto &way : front.ways)
    if (grammar_->letters[grammar_->steps[way.step].index].has(letter))
      ways.push_back({way.step + 1, way.behind});
  return before_letters(std::move(ways));
}

bool GrammarWays::may_read(const Front &front, std::uint32_t first, std::uint32_t last) const {
  return std::ranges::any_of(front.ways, [&](const Way &way) {
    return grammar_->letters[grammar_->steps[way.step].index].has_any_of(first, last);
  });
}

// Goes into rules and out of them until each way stands before a letter.
GrammarWays::Front GrammarWays::before_letters(std::vector<Way> todo) {
  using Kind = GrammarSteps::Kind;
  Front front;
  std::unordered_set<std::uint64_t> seen;
  while (!todo.empty()) {
    const auto way = todo.back();
    todo.pop_back();
    if (!seen.insert(key_of(way)).second) continue;
    front.too_many = seen.size() > kMaxWays || kept_.size() > kMaxKept;
    if (front.too_many) return front;
    const auto step = grammar_->steps[way.step];
    if (step.kind == Kind::letter) {
      front.ways.push_back(way);
    } else if (step.kind == Kind::rule) {
      const bool last = grammar_->steps[way.step + 1].kind == Kind::end;
      const auto behind = last ? way.behind : keep({way.step + 1, way.behind});
      for (const auto alternative : grammar_->rules[step.index]) todo.push_back({alternative, behind});
    } else if (way.behind == kNothing) {
      front.may_end = true;
    } else {
      todo.push_back(kept_[way.behind]);
    }
  }
  return front;
}

std::uint32_t GrammarWays::keep(Way way) {
  const auto [place, is_new] = places_.try_emplace(key_of(way), static_cast<std::uint32_t>(kept_.size()));
  if (is_new) kept_.push_back(way);
  return place->second;
}

void GrammarWays::forget_since(std::size_t size) {
  for (; kept_.size() > size; kept_.pop_back()) places_.erase(key_of(kept_.back()));
}

}  // namespace saccade
