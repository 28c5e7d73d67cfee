// What an answer may look like: a grammar, and the way of one answer through it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mllm/choice.h"
#include "mllm/grammar_ways.h"
#include "mllm/token_index.h"
#include "vision/model_pair.h"

namespace saccade {

// A grammar in GBNF (llama.cpp's notation; its rule `root` is the whole answer) that the answers of one model
// must follow. Made in 0.1 s for a vocabulary of 150,000. Immutable; thread-safe, shared by the answers of
// all sessions.
class Grammar : public std::enable_shared_from_this<Grammar> {
 public:
  class Walk;

  // Errors, each a sentence with the line: invalid_argument (it is no such grammar, a rule begins with
  // itself, or a text can never end), exhausted (it is too large).
  static Result<std::shared_ptr<const Grammar>> create(std::shared_ptr<ModelPair> pair,
                                                       const std::string &gbnf);

  // At the beginning of an answer.
  Walk start() const;

 private:
  Grammar(const ModelPair &pair, std::shared_ptr<const GrammarSteps> steps);

  std::shared_ptr<const GrammarSteps> steps_;
  TokenIndex tokens_;
};

// One answer's way through a grammar. Used by one thread at a time; a copy goes its own way, so that what was
// only guessed can be taken back; it costs a few microseconds. All text that a walk accepts is UTF-8, and it
// is what people see: a control token has none.
class Grammar::Walk {
 public:
  // The most probable of the tokens that may come next, an end token among them where the text may end; ties
  // go to the lowest id. Nothing when there is none: the text has ended, or the model has no word for what
  // the grammar wants. `logits`: one per token of the model, in the order of their ids.
  std::optional<Choice> choose(std::span<const float> logits) const;

  bool allows(std::int32_t token) const;
  // Whether the text so far follows the grammar from beginning to end.
  bool may_end() const { return !ended_ && at_.begun.empty() && at_.front.may_end; }

  // Goes on with the token; an end token ends the walk. After an error the walk is where it was. Errors:
  // invalid_argument (the token may not come next), exhausted (the text can be read in too many ways).
  Status accept(std::int32_t token);

 private:
  friend class Grammar;

  struct State {
    GrammarWays::Front front;
    std::string begun;  // the first bytes of a character that is not complete yet

    bool is_dead() const { return front.is_dead(); }
  };
  class Reading;

  explicit Walk(std::shared_ptr<const Grammar> grammar);

  std::shared_ptr<const Grammar> grammar_;
  mutable GrammarWays ways_;  // what is tried is forgotten again
  State at_;
  bool ended_ = false;
};

}  // namespace saccade
