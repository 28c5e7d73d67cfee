// One conversation with the language model: pictures and a question go in, an answer comes out.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/status.h"
#include "mllm/answer.h"
#include "vision/model_pair.h"
#include "vision/vision_encoder.h"

namespace saccade {

struct SessionOptions {
  int max_context = 2048;     // tokens that the KV cache holds; memory is bounded by it
  int max_tokens = 64;        // of one answer
  std::string chat_template;  // empty = the model's own
  std::string system_prompt;
};

// Called for every piece of text as it is generated; pieces are not cut at UTF-8 boundaries.
using TokenListener = std::function<void(std::string_view piece)>;

// Holds one KV cache. Used by one thread at a time. What the cache holds already, the opening and the
// pictures of the last question, is not computed again as long as the new prompt starts alike.
class Session {
 public:
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<ModelPair> pair,
                                                 const SessionOptions &options);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  // Greedy decoding: the same input gives the same answer. Fills text, log-probabilities, confidence,
  // prefill and decode times and the token counts; everything else is the caller's.
  // Errors: exhausted (the prompt does not fit into max_context), cancelled (stop; honoured within one
  // prefill slice or one token), internal. After an error the session is usable again.
  Result<Answer> ask(const std::string &question, std::span<const EncodedImage> images, std::stop_token stop,
                     const TokenListener &listener = {});

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade
