// The next token, chosen from the model's logits. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <span>

namespace saccade {

struct Choice {
  std::int32_t token = 0;
  // Natural logarithm of what the model gives the token among all tokens, 0 at most. That holds for a token
  // that a grammar forces, too: one that the model found improbable makes an answer of low confidence.
  float log_probability = 0;
};

// The most probable token. Ties go to the lowest id, so that equal input gives equal output. A logit that is
// no number or -inf counts as probability 0. `logits` must not be empty.
Choice choose_greedily(std::span<const float> logits);

}  // namespace saccade
