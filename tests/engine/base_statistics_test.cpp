#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "base/prometheus.h"
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

// Prometheus computes rates and quantiles from these; a wrong count in one makes all of them wrong.
TEST(Prometheus, AHistogramCountsEveryDurationThatFits) {
  DurationStatistics times(2);  // that only few are kept for quantiles does not matter
  for (const int ms : {1, 3, 40, 700, 60'000}) times.add(milliseconds(ms));
  PrometheusText text(prometheus_label("stream", "the \"door\"\n"));
  text.histogram("saccade_wait_seconds", "Waiting", times);
  text.counter("saccade_frames_total", "Frames", 7);
  const auto has = [&](const std::string &line) {
    return text.text().find(line + "\n") != std::string::npos;
  };
  const std::string stream = R"(stream="the \"door\"\n")";
  EXPECT_TRUE(has("# TYPE saccade_wait_seconds histogram"));
  EXPECT_TRUE(has("saccade_wait_seconds_bucket{" + stream + R"(,le="0.001"} 1)")) << text.text();
  EXPECT_TRUE(has("saccade_wait_seconds_bucket{" + stream + R"(,le="0.05"} 3)"));
  EXPECT_TRUE(has("saccade_wait_seconds_bucket{" + stream + R"(,le="30"} 4)"));
  EXPECT_TRUE(has("saccade_wait_seconds_bucket{" + stream + R"(,le="+Inf"} 5)"));
  EXPECT_TRUE(has("saccade_wait_seconds_sum{" + stream + "} 60.744"));
  EXPECT_TRUE(has("saccade_wait_seconds_count{" + stream + "} 5"));
  EXPECT_TRUE(has("saccade_frames_total{" + stream + "} 7"));
}

// Whoever reads the file must never see half of it, and whoever set a wrong path must learn of it.
TEST(Prometheus, TheFileIsReplacedAsAWhole) {
  const auto path = testing::TempDir() + "/saccade-metrics.prom";
  EXPECT_TRUE(replace_file(path, "first, which is longer\n").ok());
  EXPECT_TRUE(replace_file(path, "second\n").ok());
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "second\n");
  const auto refused = replace_file("/no/such/folder/metrics.prom", "x");
  EXPECT_EQ(refused.kind(), StatusKind::unavailable);
  EXPECT_NE(refused.message().find("/no/such/folder"), std::string::npos);
}

// Routing compares this figure with thresholds in [0, 1].
TEST(Confidence, IsTheGeometricMeanOfTheProbabilities) {
  EXPECT_FLOAT_EQ(confidence_of({}), 0.0F);
  EXPECT_NEAR(confidence_of({std::log(0.5F), std::log(0.125F)}), 0.25F, 1e-6F);
}

}  // namespace
}  // namespace saccade
