// The text around pictures and question, as the model's own chat template wants it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "vision/model_pair.h"

namespace saccade {

// Token ids in the order in which the model reads them:
//   opening, picture, picture, …, question, turn
struct Prompt {
  std::vector<std::int32_t> opening;   // system text and the start of the user's turn
  std::vector<std::int32_t> question;  // the user's words, never read as control tokens
  std::vector<std::int32_t> turn;      // end of the user's turn, start of the assistant's
};

// Makes prompts for one model. Immutable after creation; thread-safe.
class PromptMaker {
 public:
  // `chat_template`: empty = the one in the model's file. A Jinja text or one of llama.cpp's built-in
  // names; fails with the list of names when it is none that llama.cpp recognises.
  // `system`: system text, may be empty.
  static Result<PromptMaker> create(std::shared_ptr<ModelPair> pair, const std::string &chat_template,
                                    const std::string &system);

  Prompt make(const std::string &question) const;
  // Text for elsewhere in the user's turn, never read as control tokens.
  std::vector<std::int32_t> words(const std::string &text) const;

 private:
  PromptMaker() = default;
  std::shared_ptr<ModelPair> pair_;
  std::vector<std::int32_t> opening_;
  std::vector<std::int32_t> turn_;
};

}  // namespace saccade
