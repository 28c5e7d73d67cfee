#include "mllm/latency_budget.h"

#include <algorithm>

namespace saccade {
namespace {

constexpr std::size_t kRemembered = 64;  // answers
constexpr double kNearlyAll = 0.95;
constexpr double kShares[] = {1, 0.5, 0.25};  // of the visual tokens

}  // namespace

LatencyBudget::LatencyBudget(Duration budget, int max_tokens)
    : budget_(budget),
      max_tokens_(std::max(max_tokens, 1)),
      encode_(kRemembered),
      read_token_(kRemembered),
      say_token_(kRemembered),
      decode_(kRemembered) {}

Spending LatencyBudget::plan(Duration waited, bool encoded) const {
  Spending spending{.detail = true, .keep = 1, .max_tokens = max_tokens_};
  if (budget_ <= Duration::zero() || read_token_.count() == 0) return spending;
  const auto left = budget_ - waited - (encoded ? Duration::zero() : encode_.quantile(kNearlyAll));
  const auto answer = decode_.quantile(kNearlyAll);
  const auto reading = [&](double share) {
    const double tokens = text_tokens_ + share * visual_tokens_;
    return Duration(
        static_cast<Duration::rep>(tokens * static_cast<double>(read_token_.quantile(kNearlyAll).count())));
  };
  for (const double share : kShares) {
    spending.keep = share;
    if (reading(share) + answer <= left) break;
  }
  spending.detail = spending.keep == 1.0;
  if (say_token_.count() == 0) return spending;
  const auto each = std::max(say_token_.quantile(kNearlyAll), Duration(1));
  const auto tokens = 1 + std::max(left - reading(spending.keep), Duration::zero()) / each;
  spending.max_tokens = static_cast<int>(std::min<Duration::rep>(tokens, max_tokens_));
  return spending;
}

void LatencyBudget::learn(const Answer &answer) {
  encode_.add(answer.timings.encode + answer.timings.waiting);
  if (answer.prompt_tokens_read > 0) read_token_.add(answer.timings.prefill / answer.prompt_tokens_read);
  // The first token comes out of the prompt.
  const auto tokens = static_cast<Duration::rep>(answer.token_log_probabilities.size());
  if (tokens > 1) say_token_.add(answer.timings.decode / (tokens - 1));
  decode_.add(answer.timings.decode);
  text_tokens_ = std::max(0, answer.prompt_tokens_read - answer.visual_tokens_kept);
  visual_tokens_ = answer.visual_tokens_seen;
}

}  // namespace saccade
