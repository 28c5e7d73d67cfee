#include "mllm/generation.h"

#include <algorithm>
#include <utility>

#include "mllm/choice.h"
#include "mllm/token_text.h"
#include "vision/llama_handles.h"

namespace saccade {
namespace {

// So many tokens must match the guess before it is believed to go on alike; fewer where fewer were said.
constexpr std::size_t kMatch = 3;

constexpr std::size_t kFirstTokens = 4;  // whose choice says how much an answer hesitates

}  // namespace

Generation::Generation(const ModelPair &pair, GenerationOptions options)
    : vocabulary_(llama_model_get_vocab(pair.impl().text.get())), options_(std::move(options)) {
  if (options_.grammar) walk_ = options_.grammar->start();
}

Result<bool> Generation::grow(std::span<const float> logits) {
  if (logits.empty()) return Status{StatusKind::internal, "llama.cpp gave no logits"};
  if (is_given()) return take_given(logits);
  const auto choice = walk_ ? walk_->choose(logits) : choose_greedily(logits);
  if (!choice)
    return Status{StatusKind::unsupported,
                  "the grammar allows nothing after \"" + text_ +
                      "\" that the model has a word for. Allow more in the grammar."};
  const bool ended = llama_vocab_is_eog(vocabulary_, choice->token);
  // The end counts only when nothing was said. Averaged with a sure end, an even guess between two words
  // would have a confidence of 0.7 (measured: the model card's calibration); and servers leave it out, too.
  if (!ended || log_probabilities_.empty()) {
    if (hesitations_.size() < kFirstTokens)
      hesitations_.push_back(hesitation_of(logits, walk_ ? choose_greedily(logits) : *choice));
    log_probabilities_.push_back(choice->log_probability);
    if (options_.alternatives) records_.push_back(record_of(choice->token, logits, *options_.alternatives));
  }
  if (ended) return false;
  if (walk_)
    if (auto status = walk_->accept(choice->token); !status.ok()) return status;
  tokens_.push_back(choice->token);
  const auto piece = text_of_token(vocabulary_, choice->token);
  text_ += piece;
  fresh_ += piece;
  truncated_ = tokens_.size() >= most_tokens();
  return !truncated_;
}

Result<bool> Generation::take_given(std::span<const float> logits) {
  const auto token = options_.beginning[tokens_.size()];
  if (walk_ && !walk_->accept(token).ok()) {
    std::string what = "the given beginning of the answer does not follow its grammar from \"";
    what += text_of_token(vocabulary_, token);
    return Status{StatusKind::invalid_argument, what += "\" on. Begin as the grammar does, or not at all."};
  }
  beginning_.push_back(record_of(token, logits, std::max<std::size_t>(1, options_.alternatives.value_or(1))));
  tokens_.push_back(token);
  return true;
}

TokenRecord Generation::record_of(std::int32_t token, std::span<const float> logits,
                                  std::size_t alternatives) const {
  const auto best = choose_greedily(logits);
  const auto standing = standing_of(token, logits, best);
  TokenRecord record{{token, text_of_token(vocabulary_, token), standing.log_probability, standing.rank}, {}};
  for (const auto &choice : choose_several(logits, alternatives, best)) {
    const auto rank = static_cast<int>(record.alternatives.size()) + 1;
    record.alternatives.push_back(
        {choice.token, text_of_token(vocabulary_, choice.token), choice.log_probability, rank});
  }
  return record;
}

std::optional<Hesitation> Generation::hesitation() const {
  if (hesitations_.empty()) return std::nullopt;
  Hesitation mean{0, 0};
  const auto count = static_cast<float>(hesitations_.size());
  for (const auto &one : hesitations_) {
    mean.margin += one.margin / count;
    mean.entropy += one.entropy / count;
  }
  return mean;
}

std::span<const std::int32_t> Generation::expected(std::size_t most) const {
  if (is_given()) {
    const auto rest = std::span(options_.beginning).subspan(tokens_.size());
    return rest.first(std::min(most, rest.size()));
  }
  const auto &guess = options_.guess;
  // Where in the guess the answer is: behind the last place that reads as the answer's end does.
  const auto match = std::min(kMatch, tokens_.size());
  const auto said = std::span(tokens_).last(match);
  for (std::size_t behind = guess.size(); behind >= match; --behind) {
    if (!std::ranges::equal(std::span(guess).subspan(behind - match, match), said)) {
      if (behind == match) break;
      continue;
    }
    // An answer that follows the guess from its start is where its length says.
    const bool from_start =
        tokens_.size() < guess.size() && std::ranges::equal(std::span(guess).first(tokens_.size()), tokens_);
    const auto at = from_start ? tokens_.size() : behind;
    return std::span(guess).subspan(at).first(std::min({most, guess.size() - at, room()}));
  }
  return {};
}

}  // namespace saccade
