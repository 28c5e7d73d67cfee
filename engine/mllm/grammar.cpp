#include "mllm/grammar.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "vision/llama_handles.h"

namespace saccade {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The first and the last code point that bytes which begin a character of UTF-8 may become.
std::pair<std::uint32_t, std::uint32_t> letters_from(std::string_view begun) {
  constexpr std::uint32_t kFirst[] = {0, 0, 0x80, 0x800, 0x10000};  // by length
  const auto byte = static_cast<unsigned char>(begun.front());
  const std::size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  std::uint32_t bits = length == 1 ? byte : byte & (0x7FU >> length);
  for (const char c : begun.substr(1)) bits = bits << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  const auto open = 6 * (length - begun.size());
  const auto last = bits << open | ((1U << open) - 1);
  const std::uint32_t limit = byte == 0xED ? 0xD7FF : 0x10FFFF;  // behind 0xED come no surrogates
  return {std::max(bits << open, kFirst[length]), std::min(last, limit)};
}

}  // namespace

// Reads texts, each from where the walk is, and what it begins with in common with the one before only once.
class Grammar::Walk::Reading {
 public:
  Reading(GrammarWays &ways, const State &from) : ways_(ways), kept_(ways.kept_size()), states_{from} {}
  ~Reading() { ways_.forget_since(kept_); }
  Reading(const Reading &) = delete;
  Reading &operator=(const Reading &) = delete;

  // Whether the text may come next.
  bool allows(std::string_view text) {
    const auto [here, there] = std::ranges::mismatch(text, text_);
    const auto alike = static_cast<std::size_t>(here - text.begin());
    states_.resize(std::min(states_.size(), alike + 1));
    text_ = text;
    while (!states_.back().is_dead() && states_.size() <= text.size())
      states_.push_back(behind(states_.back(), text[states_.size() - 1]));
    return !states_.back().is_dead();
  }

  // Behind the text that was read last.
  const State &state() const { return states_.back(); }
  // Makes it last.
  State keep() {
    kept_ = ways_.kept_size();
    return states_.back();
  }

 private:
  State behind(const State &state, char byte) {
    if (state.front.too_many) return state;
    State next{{}, state.begun + byte};
    const auto unfinished = unfinished_utf8(next.begun);
    if (!unfinished) return {};
    const auto [first, last] = letters_from(next.begun);
    if (*unfinished == 0) return {ways_.after(state.front, first), {}};
    if (ways_.may_read(state.front, first, last)) next.front = state.front;
    return next;
  }

  GrammarWays &ways_;
  std::size_t kept_;
  std::string_view text_;
  std::vector<State> states_;  // behind each byte of text_, until nothing may come
};

Grammar::Grammar(const ModelPair &pair, std::shared_ptr<const GrammarSteps> steps)
    : steps_(std::move(steps)), tokens_(llama_model_get_vocab(pair.impl().text.get())) {}

Result<std::shared_ptr<const Grammar>> Grammar::create(std::shared_ptr<ModelPair> pair,
                                                       const std::string &gbnf) {
  auto steps = GrammarSteps::of(gbnf);
  if (!steps.ok()) return Status{steps.status().kind(), "grammar: " + steps.status().message()};
  auto shared = std::make_shared<const GrammarSteps>(std::move(steps).value());
  if (GrammarWays(shared).start().too_many)
    return Status{
        StatusKind::exhausted,
        "grammar: a text can begin in too many ways. Let the alternatives of a rule begin differently."};
  return std::shared_ptr<const Grammar>(new Grammar(*pair, std::move(shared)));
}

Grammar::Walk Grammar::start() const { return Walk(shared_from_this()); }

Grammar::Walk::Walk(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), ways_(grammar_->steps_), at_{ways_.start(), {}} {}

bool Grammar::Walk::allows(std::int32_t token) const {
  if (ended_) return false;
  if (grammar_->tokens_.is_end(token)) return may_end();
  const auto text = grammar_->tokens_.text_of(token);
  return !text.empty() && Reading(ways_, at_).allows(text);
}

std::optional<Choice> Grammar::Walk::choose(std::span<const float> logits) const {
  if (ended_ || logits.empty()) return std::nullopt;
  const auto greedy = choose_greedily(logits);
  if (allows(greedy.token)) return greedy;

  const auto logit_of = [&](std::int32_t token) {
    const auto at = static_cast<std::size_t>(token);
    return at >= logits.size() || std::isnan(logits[at]) ? kNever : logits[at];
  };
  std::optional<std::int32_t> best;
  const auto is_better = [&](std::int32_t token) {
    if (!best) return true;
    const float logit = logit_of(token);
    const float most = logit_of(*best);
    return logit > most || (logit == most && token < *best);
  };
  Reading reading(ways_, at_);
  for (const auto &token : grammar_->tokens_.tokens())
    if (is_better(token.id) && reading.allows(grammar_->tokens_.text(token))) best = token.id;
  if (may_end())
    for (const auto end : grammar_->tokens_.ends())
      if (is_better(end)) best = end;
  if (!best) return std::nullopt;
  if (logit_of(*best) == kNever) return Choice{*best, kNever};
  return Choice{*best, logit_of(*best) - logit_of(greedy.token) + greedy.log_probability};
}

Status Grammar::Walk::accept(std::int32_t token) {
  if (!allows(token))
    return {StatusKind::invalid_argument, "grammar: token " + std::to_string(token) + " may not come next"};
  if (grammar_->tokens_.is_end(token)) {
    ended_ = true;
    return {};
  }
  Reading reading(ways_, at_);
  reading.allows(grammar_->tokens_.text_of(token));
  if (reading.state().front.too_many)
    return {
        StatusKind::exhausted,
        "grammar: the text so far can be read in too many ways. Let the alternatives of a rule that contains "
        "itself begin differently."};
  at_ = reading.keep();
  return {};
}

}  // namespace saccade
