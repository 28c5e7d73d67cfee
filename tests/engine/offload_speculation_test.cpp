#include "offload/routing/speculation.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace saccade {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A draft's way through the cloud, drawn token by token.
unsigned accepted_of(std::mt19937 &random, double acceptance, unsigned drafted) {
  std::bernoulli_distribution accepted(acceptance);
  unsigned count = 0;
  while (count < drafted && accepted(random)) ++count;
  return count;
}

// Breaks when the formula is not what drafts yield on average, or fails at its edges.
TEST(Speculation, ExpectedTokensAreWhatDraftsYield) {
  EXPECT_DOUBLE_EQ(expected_tokens(0, 10), 1);
  EXPECT_DOUBLE_EQ(expected_tokens(1, 10), 11);
  EXPECT_DOUBLE_EQ(expected_tokens(0.5, 0), 1);
  EXPECT_NEAR(expected_tokens(0.8, 4), 1 + 0.8 + 0.64 + 0.512 + 0.4096, 1e-12);
  EXPECT_GE(expected_tokens(std::numeric_limits<double>::quiet_NaN(), 10), 1);
  std::mt19937 random(1);
  constexpr int kDrafts = 20000;
  double sum = 0;
  for (int i = 0; i < kDrafts; ++i) sum += accepted_of(random, 0.9, 32) + 1;
  EXPECT_NEAR(sum / kDrafts, expected_tokens(0.9, 32), 0.15);
}

VerificationCosts at(Duration round_trip) { return {0.8, microseconds(28600), round_trip, milliseconds(60)}; }

// Breaks when the break-even lies elsewhere than where the two calls cost the same.
TEST(Speculation, PaysOverShortWaysForLongDraftsOnly) {
  for (const unsigned tokens : {32U, 48U, 64U})
    EXPECT_GT(verification_gain(at(milliseconds(20)), tokens), Duration::zero()) << tokens;
  for (const unsigned tokens : {0U, 1U, 2U})
    EXPECT_LE(verification_gain(at(milliseconds(20)), tokens), Duration::zero()) << tokens;
  for (const unsigned tokens : {1U, 8U, 32U, 64U, 1000U})
    EXPECT_LT(verification_gain(at(milliseconds(150)), tokens), Duration::zero()) << tokens;
  EXPECT_GT(verification_gain(at(milliseconds(53)), 32), Duration::zero());
  EXPECT_LT(verification_gain(at(milliseconds(56)), 32), Duration::zero());
}

// Breaks when the gain is not what simulated calls save on average.
TEST(Speculation, TheGainIsWhatCallsSaveOnAverage) {
  std::mt19937 random(2);
  const auto costs = at(milliseconds(30));
  constexpr unsigned kTokens = 24;
  constexpr int kDrafts = 20000;
  const double per_token = to_seconds(costs.per_token);
  const double again = to_seconds(costs.round_trip) + to_seconds(costs.prefill);
  double saved = 0;
  for (int i = 0; i < kDrafts; ++i) {
    // The answer is kTokens and the end, of which a prefill yields the first. With the draft: a pass over it,
    // and where one was refused, a second call for what comes after the cloud's own in its place.
    const unsigned accepted = accepted_of(random, costs.acceptance, kTokens);
    const double plain = kTokens * per_token;
    const double rest = accepted < kTokens ? again + (kTokens - accepted - 1) * per_token : 0;
    saved += plain - (per_token + rest);
  }
  EXPECT_NEAR(saved / kDrafts, to_seconds(verification_gain(costs, kTokens)), 0.002);
}

// Breaks when acceptance is not learnt, is counted from tokens that nobody judged, or gets stuck at an end.
TEST(Speculation, AcceptanceFollowsWhatWasAccepted) {
  for (const double truth : {0.5, 0.9}) {
    AcceptanceEstimate estimate;
    EXPECT_DOUBLE_EQ(estimate.value(), 0.8);
    std::mt19937 random(3);
    double mean = 0;
    for (int i = 0; i < 400; ++i) {
      estimate.verified(16, accepted_of(random, truth, 16));
      if (i >= 200) mean += estimate.value() / 200;
    }
    EXPECT_NEAR(mean, truth, 0.05);
  }
  AcceptanceEstimate estimate;
  for (int i = 0; i < 500; ++i) estimate.verified(16, 0);
  EXPECT_GT(estimate.value(), 0);
  EXPECT_LT(estimate.value(), 0.05);
  for (int i = 0; i < 500; ++i) estimate.verified(std::numeric_limits<unsigned>::max(), 4000000000U);
  EXPECT_LT(estimate.value(), 1);
  EXPECT_GT(estimate.value(), 0.95);
  const double before = estimate.value();
  estimate.verified(0, 5);
  EXPECT_EQ(estimate.value(), before);
}

}  // namespace
}  // namespace saccade
