// The next token, chosen from the model's logits. Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

// The `count` most probable tokens, the most probable first; fewer where there are fewer that have a
// probability at all. As choose_greedily, whose choice `best` is, for ties and for what is no number.
std::vector<Choice> choose_several(std::span<const float> logits, std::size_t count, const Choice &best);

// How much the model hesitates over its next token, whatever it then is: how much more probable the most
// probable token is than the next, and the entropy of all over the logarithm of their number. Both in [0, 1];
// what is no number counts as probability 0, and a single token is no choice (1 and 0). `best` is
// choose_greedily's.
struct Hesitation {
  float margin = 1;
  float entropy = 0;
};
Hesitation hesitation_of(std::span<const float> logits, const Choice &best);

// Where a token stands among all.
struct Standing {
  float log_probability = 0;
  int rank = 1;  // 1 = choose_greedily would choose it
};
Standing standing_of(std::int32_t token, std::span<const float> logits, const Choice &best);

}  // namespace saccade
