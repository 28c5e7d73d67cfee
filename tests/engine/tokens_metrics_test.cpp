#include "tokens/token_metrics.h"

#include <gtest/gtest.h>

#include "tokens/compressor.h"
#include "tokens_sets.h"

namespace saccade {
namespace {

TokenMetrics measure(const TokenSet &original, const TokenSet &kept) {
  const auto metrics = measure_compression(original, kept);
  EXPECT_TRUE(metrics.ok()) << metrics.status().message();
  return metrics.value();
}

// If this fails, a lossless compression looks lossy.
TEST(TokenMetrics, NothingIsLostWhenAllIsKept) {
  const auto tokens = noisy_set({3, 4}, 5);
  const auto metrics = measure(tokens, tokens);
  EXPECT_EQ(metrics.quantisation_error, 0);
  EXPECT_EQ(metrics.coverage, 1);
}

// If this fails, the figures are not the ones that papers print. By hand: the mean is (1, 0); the rows
// are 1 away from it each, the lost row 2 from the nearest kept one.
TEST(TokenMetrics, AgreesWithTheSumDoneByHand) {
  const auto tokens = token_set({1, 2}, {{2, 0}, {0, 0}});
  const auto kept = token_set({1, 1}, {{2, 0}});
  EXPECT_DOUBLE_EQ(measure(tokens, kept).quantisation_error, 4.0 / 2.0);
  EXPECT_DOUBLE_EQ(measure(tokens, kept).coverage, 0.5);
}

// If this fails, coverage depends on a token's length, not on its direction at cosine 0.90.
TEST(TokenMetrics, CoverageBeginsAtACosineOfNinetyHundredths) {
  const auto tokens = token_set({1, 3}, {{5, 0}, {0.91F, 0.4146F}, {0.89F, 0.456F}});
  EXPECT_NEAR(measure(tokens, token_set({1, 1}, {{1, 0}})).coverage, 2.0 / 3.0, 1e-9);
}

// If this fails, the metrics cannot tell a good method from the control on a scene of few kinds of tokens.
TEST(TokenMetrics, DiversityBeatsTheGridOnARepetitiveScene) {
  std::vector<std::vector<float>> rows(36, {1, 0, 0, 0});
  rows[0] = {0, 1, 0, 0};
  rows[17] = {0, 0, 1, 0};
  rows[30] = {0, 0, 0, 1};
  const auto tokens = token_set({6, 6}, rows);
  KeepRequest four;
  four.amount.least = four.amount.most = 4;
  const auto by_grid = make_compressor("grid").value()->compress(tokens, four).value();
  const auto by_diversity = make_compressor("divprune").value()->compress(tokens, four).value();
  EXPECT_EQ(measure(tokens, by_diversity).coverage, 1);
  EXPECT_EQ(measure(tokens, by_diversity).quantisation_error, 0);
  EXPECT_LT(measure(tokens, by_grid).coverage, 1);
}

// If this fails, comparing with an empty set divides by zero.
TEST(TokenMetrics, RefusesWhatCannotBeCompared) {
  const auto tokens = noisy_set({2, 2}, 3);
  EXPECT_EQ(measure_compression(tokens, TokenSet()).status().kind(), StatusKind::invalid_argument);
  EXPECT_EQ(measure_compression(tokens, noisy_set({2, 2}, 4)).status().kind(), StatusKind::invalid_argument);
}

}  // namespace
}  // namespace saccade
