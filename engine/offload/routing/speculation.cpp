#include "offload/routing/speculation.h"

#include <algorithm>
#include <cmath>

#include "offload/routing/running_mean.h"

namespace saccade {

namespace {

constexpr double kNearlyOne = 1e-9;       // from there on every token is taken for accepted
constexpr double kKeptPerDraft = 0.95;    // weight of what was learnt when another draft is judged
constexpr unsigned kMostPerDraft = 1024;  // tokens of one draft that count

}  // namespace

double expected_tokens(double acceptance, unsigned drafted) {
  const double alpha = bounded(acceptance, 0, 1, 0);
  const double n = static_cast<double>(drafted) + 1;
  if (1 - alpha < kNearlyOne) return n;
  return std::clamp((1 - std::pow(alpha, n)) / (1 - alpha), 1.0, n);
}

Duration verification_gain(const VerificationCosts &costs, unsigned drafted) {
  if (drafted == 0) return {};
  const double alpha = bounded(costs.acceptance, 0, 1, 0);
  const double refused = 1 - std::pow(alpha, static_cast<double>(drafted));
  const double saved = (expected_tokens(alpha, drafted - 1) - 1) * to_seconds(costs.per_token);
  const double again = refused * (to_seconds(costs.round_trip) + to_seconds(costs.prefill));
  return from_seconds(bounded(saved - again, -3600, 3600, 0));
}

void AcceptanceEstimate::verified(unsigned drafted, unsigned accepted) {
  if (drafted == 0) return;
  const unsigned tokens = std::min(drafted, kMostPerDraft);
  const unsigned taken = std::min(accepted, tokens);
  // The tokens behind the first that was refused were not judged.
  const unsigned judged = taken < tokens ? taken + 1 : taken;
  accepted_ = kKeptPerDraft * accepted_ + taken;
  judged_ = kKeptPerDraft * judged_ + judged;
  // Keeps it off 0 and 1, from where verification would never be tried, or never doubted, again.
  accepted_ = std::clamp(accepted_, 0.01 * judged_, 0.99 * judged_);
}

}  // namespace saccade
