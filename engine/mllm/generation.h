// The words of one answer, token by token. Internal to mllm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "mllm/answer.h"
#include "mllm/grammar.h"
#include "mllm/stretch.h"
#include "vision/model_pair.h"

struct llama_vocab;

namespace saccade {

struct GenerationOptions {
  int max_tokens = 64;
  std::shared_ptr<const Grammar> grammar;  // that the answer must follow; null = any words
  TextTokens guess;                        // what the answer may be: see expected()
  TextTokens beginning{};                  // of the answer, that is given; max_tokens counts what follows it
  // The tokens beside each one that are recorded; of a beginning at least the most probable. Empty = of the
  // answer itself nothing is recorded.
  std::optional<std::size_t> alternatives{};
};

// Greedy decoding: the same logits give the same answer. Used by one thread at a time.
class Generation {
 public:
  Generation(const ModelPair &pair, GenerationOptions options);

  // Chooses a token from the logits behind the last one, or takes the next one of the beginning; false when
  // the answer is complete with it. Errors: internal, when the grammar cannot go on; invalid_argument, when
  // the beginning does not follow it.
  Result<bool> grow(std::span<const float> logits);

  // Whether the next token is one of the beginning, and so no guess and no choice.
  bool is_given() const { return tokens_.size() < options_.beginning.size(); }

  // Tokens of beginning and answer so far, without an end token.
  const TextTokens &tokens() const { return tokens_; }
  // The tokens that come next, at most `most`: the rest of the beginning, which its scores are read for many
  // at a time; then those that probably do, where the guess goes on after what was said last. A guess
  // changes no answer, but for near ties; it is checked against the model in one evaluation
  // (arXiv 2211.17192, with a copy as the draft as in prompt lookup decoding).
  std::span<const std::int32_t> expected(std::size_t most) const;
  // How many tokens a guess may have at most: the answer's last one needs no checking of what follows it.
  std::size_t room() const { return most_tokens() - tokens_.size() - 1; }

  // Text that was not taken yet; pieces are not cut at UTF-8 boundaries.
  std::string take_fresh() { return std::exchange(fresh_, {}); }
  const std::string &text() const { return text_; }  // behind the beginning
  const std::vector<TokenRecord> &beginning() const { return beginning_; }
  const std::vector<TokenRecord> &records() const { return records_; }
  // Natural logarithms, one per token; of the end token alone when nothing was said.
  const std::vector<float> &log_probabilities() const { return log_probabilities_; }
  std::optional<Hesitation> hesitation() const;  // see Answer; nothing before the first token
  bool truncated() const { return truncated_; }

 private:
  Result<bool> take_given(std::span<const float> logits);
  TokenRecord record_of(std::int32_t token, std::span<const float> logits, std::size_t alternatives) const;
  std::size_t most_tokens() const {
    return options_.beginning.size() + static_cast<std::size_t>(options_.max_tokens);
  }

  const llama_vocab *vocabulary_;
  GenerationOptions options_;
  std::optional<Grammar::Walk> walk_;
  TextTokens tokens_;
  std::string text_;
  std::string fresh_;
  std::vector<float> log_probabilities_;
  std::vector<TokenRecord> beginning_;
  std::vector<TokenRecord> records_;
  std::vector<Hesitation> hesitations_;  // over the first tokens
  bool truncated_ = false;
};

}  // namespace saccade
