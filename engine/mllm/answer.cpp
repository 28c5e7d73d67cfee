#include "mllm/answer.h"

#include <cmath>
#include <numeric>

namespace saccade {

float confidence_of(const std::vector<float> &token_log_probabilities) {
  if (token_log_probabilities.empty()) return 0;
  const float sum = std::accumulate(token_log_probabilities.begin(), token_log_probabilities.end(), 0.0F);
  return std::exp(sum / static_cast<float>(token_log_probabilities.size()));
}

}  // namespace saccade
