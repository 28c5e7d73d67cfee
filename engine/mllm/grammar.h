// What an answer may look like: a grammar, and the way of one answer through it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "mllm/choice.h"
#include "mllm/token_index.h"
#include "vision/model_pair.h"

struct llama_sampler;

namespace saccade {

// A grammar in GBNF (llama.cpp's notation; its rule `root` is the whole answer) that the answers of one model
// must follow. Immutable; thread-safe, shared by the answers of all sessions.
class Grammar : public std::enable_shared_from_this<Grammar> {
 public:
  class Walk;

  // Errors, each a sentence with the line: invalid_argument (it is no such grammar, or none that llama.cpp
  // would survive, see grammar_check.h), exhausted (it is too large).
  static Result<std::shared_ptr<const Grammar>> create(std::shared_ptr<ModelPair> pair,
                                                       const std::string &gbnf);

  // At the beginning of an answer.
  Walk start() const;

 private:
  struct SamplerFree {
    void operator()(llama_sampler *sampler) const;
  };
  using Sampler = std::unique_ptr<llama_sampler, SamplerFree>;

  Grammar(std::shared_ptr<ModelPair> pair, Sampler beginning);

  std::shared_ptr<ModelPair> pair_;
  Sampler beginning_;  // never moved on, only copied
  TokenIndex index_;
};

// One answer's way through a grammar. Used by one thread at a time; a copy goes its own way, so that what was
// only guessed can be taken back. Copying costs as much as the grammar is large (0.1 ms for 2,000 elements).
// All text that a walk accepts is UTF-8, and it is the text that people see: control tokens have none.
class Grammar::Walk {
 public:
  Walk(const Walk &other);
  Walk &operator=(const Walk &other);
  Walk(Walk &&) noexcept = default;
  Walk &operator=(Walk &&) noexcept = default;
  ~Walk() = default;

  // The most probable of the tokens that may come next, the end token being one where the text may end; ties
  // go to the lowest id. Nothing when there is none: the text has ended, or the model has no word for what
  // the grammar wants. `logits`: one per token of the model, in the order of their ids.
  std::optional<Choice> choose(std::span<const float> logits) const;

  bool allows(std::int32_t token) const;
  // Whether the text so far follows the grammar from beginning to end. Never for a model without an end
  // token.
  bool may_end() const;

  // Goes on with the token; an end token ends the walk. Errors: invalid_argument (the token may not come
  // next; the walk is where it was); exhausted (the text can be read in too many ways, see grammar.cpp) and
  // internal, after which the walk has ended.
  Status accept(std::int32_t token);

 private:
  friend class Grammar;
  explicit Walk(std::shared_ptr<const Grammar> grammar);

  bool fits_as_text(std::int32_t token) const;
  std::vector<std::int32_t> with_a_first_byte_that_may_come() const;
  template <typename Better>
  std::optional<std::int32_t> best_of(std::vector<std::int32_t> tokens, Better better) const;

  std::shared_ptr<const Grammar> grammar_;
  Sampler sampler_;
  std::string begun_;  // the first bytes of a character that the last token left unfinished
  bool ended_ = false;
};

}  // namespace saccade
