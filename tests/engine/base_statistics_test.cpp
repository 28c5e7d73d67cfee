#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mllm/answer.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;

// Without it every p50 and p95 that we report would be wrong.
TEST(DurationStatistics, QuantilesByNearestRank) {
  DurationStatistics statistics;
  for (int i = 100; i >= 1; --i) statistics.add(milliseconds(i));
  EXPECT_EQ(statistics.quantile(0.0), milliseconds(1));
  EXPECT_EQ(statistics.quantile(0.5), milliseconds(51));
  EXPECT_EQ(statistics.quantile(0.95), milliseconds(95));
  EXPECT_EQ(statistics.quantile(1.0), milliseconds(100));
}

// A stream of days must not grow the process.
TEST(DurationStatistics, KeepsOnlyTheNewest) {
  DurationStatistics statistics(3);
  for (int i = 1; i <= 10; ++i) statistics.add(milliseconds(i));
  EXPECT_EQ(statistics.count(), 10U);
  EXPECT_EQ(statistics.quantile(0.0), milliseconds(8));
}

TEST(DurationStatistics, NothingAddedIsZero) {
  EXPECT_EQ(DurationStatistics().quantile(0.5), Duration::zero());
}

// Routing compares this figure with thresholds in [0, 1].
TEST(Confidence, IsTheGeometricMeanOfTheProbabilities) {
  EXPECT_FLOAT_EQ(confidence_of({}), 0.0F);
  EXPECT_NEAR(confidence_of({std::log(0.5F), std::log(0.125F)}), 0.25F, 1e-6F);
}

}  // namespace
}  // namespace saccade
