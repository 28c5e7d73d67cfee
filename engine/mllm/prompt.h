// Conversations as the model's own chat template wants them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "mllm/stretch.h"
#include "mllm/turn.h"
#include "vision/model_pair.h"

namespace saccade {

// What stands behind the last turn of a prompt.
enum class AnswerStart {
  anew,       // whatever the template writes before an answer
  continued,  // whatever it writes before the words of an assistant's turn, but for the lead
};

// Makes prompts for one model. Immutable after creation; thread-safe.
class PromptMaker {
 public:
  // `chat_template`: empty = the one in the model's file. A Jinja text or one of llama.cpp's built-in
  // names; fails with the list of names when it is none that llama.cpp recognises.
  static Result<PromptMaker> create(std::shared_ptr<ModelPair> pair, const std::string &chat_template);

  // The conversation, read from left to right; two that start alike give prompts that start alike. Only the
  // template's own text is read as control tokens, nothing of what the turns hold. Adjacent text is one
  // stretch, so that a cache sees one between two pictures.
  // Errors: unsupported (the template has no place for one of the turns where it stands).
  Result<std::vector<Stretch>> lay_out(std::span<const Turn> turns, AnswerStart start) const;

  // Text for a turn, never read as control tokens. A character at its end that is cut off is read as its
  // bytes, where the model has words for them.
  TextTokens words(const std::string &text) const;

  // The white space that an answer of this template begins with, and that belongs to its first token: a blank
  // where "Assistant:" is followed by " yes".
  const std::string &lead() const { return lead_; }

 private:
  PromptMaker() = default;
  std::string render(std::span<const Turn> turns, AnswerStart start) const;

  std::shared_ptr<ModelPair> pair_;
  std::string template_;
  std::string lead_;
};

}  // namespace saccade
