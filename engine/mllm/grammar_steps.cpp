#include "mllm/grammar_steps.h"

#include <algorithm>
#include <string>
#include <utility>

namespace saccade {
namespace {

constexpr std::size_t kMaxSteps = 200'000;  // 8 bytes each

Status refuse(const GbnfRule &rule, const std::string &what) {
  return {StatusKind::invalid_argument,
          "line " + std::to_string(rule.line) + ": rule \"" + rule.name + "\" " + what};
}

class Check {
 public:
  explicit Check(const GbnfRules &grammar) : grammar_(grammar) {}

  Status run() const {
    const auto empty = fitting([](const Letters &letters) { return letters.empty(); });
    const auto ends = fitting([](const Letters &) { return true; });
    if (!ends[grammar_.root]) return refuse(grammar_.rules[grammar_.root], "can never end");
    return find_left_recursion(empty);
  }

 private:
  // By rule: whether an alternative holds only what may be left out, letters that fit, and rules of this
  // kind.
  template <typename Fits>
  std::vector<bool> fitting(Fits letters_fit) const {
    std::vector<bool> marked(grammar_.rules.size());
    const auto fits = [&](const GbnfItem &item) {
      if (item.least == 0) return true;
      if (const auto *letters = std::get_if<Letters>(&item.what)) return letters_fit(*letters);
      return static_cast<bool>(marked[std::get<RuleIndex>(item.what)]);
    };
    const auto all_fit = [&](const GbnfSequence &sequence) { return std::ranges::all_of(sequence, fits); };
    for (bool found = true; found;) {
      found = false;
      // From the last on, because most rules refer to later ones.
      for (std::size_t i = marked.size(); i-- > 0;) {
        if (marked[i] || !std::ranges::any_of(grammar_.rules[i].alternatives, all_fit)) continue;
        marked[i] = true;
        found = true;
      }
    }
    return marked;
  }

  // The rules that stand at the beginning of a rule, or behind nothing there.
  std::vector<RuleIndex> beginning(RuleIndex rule, const std::vector<bool> &empty) const {
    std::vector<RuleIndex> found;
    for (const auto &sequence : grammar_.rules[rule].alternatives)
      for (const auto &item : sequence) {
        const auto *letters = std::get_if<Letters>(&item.what);
        if (!letters) found.push_back(std::get<RuleIndex>(item.what));
        if (item.least > 0 && !(letters ? letters->empty() : static_cast<bool>(empty[found.back()]))) break;
      }
    return found;
  }

  Status find_left_recursion(const std::vector<bool> &empty) const {
    struct Visit {
      RuleIndex rule;
      std::vector<RuleIndex> ahead;
    };
    enum class Seen : std::uint8_t { no, on_the_way, done };
    std::vector<Seen> seen(grammar_.rules.size(), Seen::no);
    for (RuleIndex start = 0; start < seen.size(); ++start) {
      std::vector<Visit> way;
      const auto enter = [&](RuleIndex rule) {
        seen[rule] = Seen::on_the_way;
        way.push_back({rule, beginning(rule, empty)});
      };
      if (seen[start] == Seen::no) enter(start);
      while (!way.empty()) {
        auto &[rule, ahead] = way.back();
        if (ahead.empty()) {
          seen[rule] = Seen::done;
          way.pop_back();
          continue;
        }
        const auto next = ahead.back();
        ahead.pop_back();
        if (seen[next] == Seen::on_the_way)
          return refuse(grammar_.rules[next], "begins with itself; let a letter or a word come first");
        if (seen[next] == Seen::no) enter(next);
      }
    }
    return {};
  }

  const GbnfRules &grammar_;
};

class Layout {
 public:
  explicit Layout(const GbnfRules &grammar) : grammar_(grammar) {}

  Result<GrammarSteps> write() {
    nothing_ = append({});
    laid_out_.root = static_cast<std::uint32_t>(grammar_.root);
    laid_out_.rules.resize(grammar_.rules.size());
    for (RuleIndex i = 0; i < grammar_.rules.size(); ++i)
      for (const auto &sequence : grammar_.rules[i].alternatives) {
        const auto start = append(steps_of(sequence));
        laid_out_.rules[i].push_back(start);
        if (laid_out_.steps.size() > kMaxSteps)
          return Status{
              StatusKind::exhausted,
              "line " + std::to_string(grammar_.rules[i].line) + ": rule \"" + grammar_.rules[i].name +
                  "\" makes the grammar too large: with its repetitions written out it has more than " +
                  std::to_string(kMaxSteps) + " steps"};
      }
    return std::move(laid_out_);
  }

 private:
  using Steps = std::vector<GrammarSteps::Step>;
  using Kind = GrammarSteps::Kind;

  std::uint32_t append(const Steps &sequence) {
    const auto start = static_cast<std::uint32_t>(laid_out_.steps.size());
    laid_out_.steps.insert(laid_out_.steps.end(), sequence.begin(), sequence.end());
    laid_out_.steps.push_back({Kind::end, 0});
    return start;
  }

  Steps steps_of(const GbnfSequence &sequence) {
    Steps steps;
    for (const auto &item : sequence) {
      const auto once = steps_of(item);
      for (std::size_t i = 0; i < item.least && !is_too_large(steps); ++i)
        steps.insert(steps.end(), once.begin(), once.end());
      if (item.most == GbnfItem::kWithoutEnd) {
        steps.push_back(rule(any_number_of(once)));
      } else if (item.most > item.least) {
        steps.push_back(rule(at_most(item.most - item.least, once)));
      }
    }
    return steps;
  }

  Steps steps_of(const GbnfItem &item) {
    const auto *letters = std::get_if<Letters>(&item.what);
    if (!letters) return {rule(static_cast<std::uint32_t>(std::get<RuleIndex>(item.what)))};
    Steps steps;
    for (const auto &set : *letters) {
      steps.push_back({Kind::letter, static_cast<std::uint32_t>(laid_out_.letters.size())});
      laid_out_.letters.push_back(set);
    }
    return steps;
  }

  static GrammarSteps::Step rule(std::uint32_t index) { return {Kind::rule, index}; }

  std::uint32_t new_rule() {
    laid_out_.rules.push_back({nothing_});
    return static_cast<std::uint32_t>(laid_out_.rules.size() - 1);
  }

  std::uint32_t any_number_of(Steps once) {
    const auto repeated = new_rule();
    once.push_back(rule(repeated));
    laid_out_.rules[repeated].push_back(append(once));
    return repeated;
  }

  std::uint32_t at_most(std::size_t count, const Steps &once) {
    auto repeated = new_rule();
    laid_out_.rules[repeated].push_back(append(once));
    for (std::size_t i = 1; i < count && !is_too_large({}); ++i) {
      auto longer = once;
      longer.push_back(rule(repeated));
      repeated = new_rule();
      laid_out_.rules[repeated].push_back(append(longer));
    }
    return repeated;
  }

  // Checked within repetitions, which are what makes a grammar large.
  bool is_too_large(const Steps &more) const { return laid_out_.steps.size() + more.size() > kMaxSteps; }

  const GbnfRules &grammar_;
  GrammarSteps laid_out_;
  std::uint32_t nothing_ = 0;  // where a sequence of no steps starts
};

}  // namespace

Result<GrammarSteps> GrammarSteps::of(std::string_view gbnf) {
  const auto grammar = read_gbnf(gbnf);
  if (!grammar.ok()) return grammar.status();
  if (auto status = Check(grammar.value()).run(); !status.ok()) return status;
  return Layout(grammar.value()).write();
}

}  // namespace saccade
