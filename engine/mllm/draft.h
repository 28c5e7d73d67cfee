// A small language model that guesses how an answer goes on. Internal to mllm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "base/status.h"
#include "mllm/stretch.h"
#include "vision/llama_handles.h"
#include "vision/model_pair.h"

namespace saccade {

struct DraftOptions {
  int max_context = 2048;  // tokens of words and answer; where there are more, nothing is guessed
  // A token that the draft gives less than this is not guessed. Below even odds it is more probably wrong
  // than right, and with it all that is guessed behind it: the time is better spent on the model's own next
  // step. Also, a draft that has not seen the picture is about that unsure of a word that the picture
  // decides.
  float least_probability = 0.5F;
};

// It reads words only and sees no picture; the model checks all that it says, several tokens in one
// evaluation, so that it changes no answer but for near ties (arXiv 2211.17192, greedily). One per session,
// used by one thread at a time; what it has read stays in its own cache from guess to guess. The weights are
// shared by all drafts of the process that are made from the same file.
class Draft {
 public:
  // target: the pair whose answers are guessed at. Takes seconds for large models.
  // Errors name the file: those of check_text_model; corrupt; unsupported where its vocabulary is another,
  // where it or the target cannot take back what it has read, or where it does not generate text from left
  // to right; unavailable (memory).
  static Result<std::unique_ptr<Draft>> create(const std::string &path, const ModelPair &target,
                                               const DraftOptions &options);

  Draft(const Draft &) = delete;
  Draft &operator=(const Draft &) = delete;

  // The tokens that probably follow the words of `prompt` and what was `said`, at most `most`: fewer where
  // the end or an unsure token comes first, none where they do not fit, after a stop (honoured within an
  // evaluation) and where llama.cpp fails, for an answer goes on without a guess.
  TextTokens guess(std::span<const Stretch> prompt, const TextTokens &said, std::size_t most,
                   const std::stop_token &stop);

 private:
  Draft(std::shared_ptr<llama_model> model, std::int32_t shared_tokens, float least_probability)
      : model_(std::move(model)), shared_tokens_(shared_tokens), least_probability_(least_probability) {}
  Status open(int max_context, int threads);
  bool read(const TextTokens &words);

  std::shared_ptr<llama_model> model_;
  std::int32_t shared_tokens_;  // lower ones are in both vocabularies
  float least_probability_;
  LlamaContextHandle context_;
  TextTokens held_;       // what the cache holds
  std::stop_token stop_;  // of the guess under way; llama.cpp itself asks while it computes
};

}  // namespace saccade
