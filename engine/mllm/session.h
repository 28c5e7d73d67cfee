// One conversation with the language model: pictures, sounds and a question go in, an answer comes out.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "mllm/answer.h"
#include "mllm/grammar.h"
#include "mllm/kv_type.h"
#include "mllm/turn.h"
#include "vision/model_pair.h"
#include "vision/vision_encoder.h"

namespace saccade {

// Where a question stands in the prompt.
enum class PromptPosition {
  after,   // behind the pictures, which any number of questions then share
  before,  // before them: read once for all pictures to come, but the pictures are then its own
};

// What becomes of the pictures that stay when the oldest has left the window.
enum class KvPolicy {
  reread,  // all are read again, as if the one that left had never been there
  slide,   // they stay as they are, and only what is new is read
  // As slide; and Answer::attention says what the question looked at, so that the picture that it looked at
  // least may leave in the place of the oldest (after Inf-MLLM, arXiv 2409.09086). Costs the faster attention
  // kernels, and wants kv_type f16.
  saliency,
};

// Called for every piece of text as it is generated; pieces are not cut at UTF-8 boundaries.
using TokenListener = std::function<void(std::string_view piece)>;

struct SessionOptions {
  int max_context = 2048;     // tokens of prompt and answer; cut to what the model was trained for
  int max_tokens = 64;        // of one answer
  std::string chat_template;  // empty = the model's own
  std::string system_prompt;  // of conversations that do not begin with one of their own
  PromptPosition prompt_position = PromptPosition::after;
  KvType kv_type = KvType::f16;
  KvPolicy kv_policy = KvPolicy::reread;
  // Tokens of the last answer to the same question that are taken for a guess at the next and checked in one
  // evaluation, 0 = none. It changes no answer, but for near ties.
  int guesses = 0;
  // Path of a small text model with the same vocabulary, which guesses where no last answer does, as many
  // tokens as `guesses` says; empty = none.
  std::string draft_model;
  float draft_certainty = 0.5F;  // what it gives less than this is not guessed, see DraftOptions
  int priority = 0;              // sessions with a higher one are begun and read first
};

// What one question wants, besides what its session wants for all.
struct AskOptions {
  std::shared_ptr<const Grammar> grammar;  // that the answer must follow; null = any words
  TokenListener listener;
  int max_tokens = std::numeric_limits<int>::max();  // of the answer, where the session allows more
  // What the answer begins with, read as words. It is not chosen: how probable each of its tokens was, and
  // what the model would have said in its place, stands in Answer::beginning, and the answer is what follows.
  // With max_tokens = 1 that is the check of a draft (arXiv 2211.17192): it is the model's own as far as the
  // ranks are 1. Cheap where the session has guesses: so many tokens are scored in one evaluation. A grammar
  // holds for both together.
  std::string beginning;
  // What the answer probably is, taken for a guess in the place of the last answer to the same question;
  // behind a beginning, what follows it. Changes no answer, but for near ties; needs SessionOptions::guesses.
  std::string prediction;
  // So many of the most probable tokens are recorded for each one of Answer::tokens; empty = no records.
  std::optional<std::size_t> alternatives;
};

// All sessions of a process with one pair share its weights. Those with the same KV type and policy share a
// cache and a thread, which reads and writes for several at once (see Scheduler). Used by one thread at a
// time. What the cache holds of it already, the opening and the pictures of the last question, is not read
// again as long as the new prompt starts alike.
class Session {
 public:
  // Errors: unavailable (memory), unsupported (kv_type, chat_template), as of Draft::create.
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<ModelPair> pair,
                                                 const SessionOptions &options);
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  // What is wrong with the model's own calibration of its confidence; empty when nothing is.
  const std::string &complaint() const;

  // Text of a turn, or among the pictures of a question; never read as control tokens.
  EncodedImage words(const std::string &text) const;

  // Whether a prompt of so many tokens has a place in max_context: exhausted where not. For whoever would
  // rather know before all of it is encoded. Safe from any thread.
  Status check_fits(int tokens) const;

  // What the assistant says after `conversation`.
  // Greedy decoding: the same input gives the same answer. Fills text, log-probabilities, confidence,
  // waiting, prefill and decode times and the token counts; everything else is the caller's. The listener is
  // called on this thread.
  // Errors: exhausted (the prompt does not fit into max_context), unavailable (there is no memory for it, or
  // the cache is full, which is not the prompt's fault and may pass), cancelled (stop; honoured within one
  // slice of prompt or one token), invalid_argument (another model's tokens; a beginning that breaks the
  // grammar), unsupported (the template cannot write the conversation; the model has no word for what the
  // grammar allows), internal. After an error the session is usable again.
  Result<Answer> answer(std::vector<Turn> conversation, std::stop_token stop, const AskOptions &options = {});

  // The same, about one question of the user's and images: pictures, sounds and words, in the order in which
  // they are read.
  Result<Answer> ask(const std::string &question, std::span<const EncodedImage> images, std::stop_token stop,
                     const AskOptions &options = {});

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade
