#include "offload/routing/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct World {
  std::mt19937 random{1};
  double between(double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random);
  }
};

// Breaks when what is no measurement counts as one.
TEST(RunningMean, StartsAtItsPriorAndCountsMeasurementsAlone) {
  RunningMean mean(4, 0.5);
  EXPECT_EQ(mean.mean(), 4);
  for (const double bad : {kNan, -1.0, -kInf}) mean.add(bad);
  EXPECT_EQ(mean.mean(), 4);
  mean.add(8);
  EXPECT_EQ(mean.mean(), 6);
  mean.add(kInf);
  EXPECT_EQ(mean.mean(), 27) << "as eight times what was expected";
  for (int i = 0; i < 100; ++i) mean.add(0);
  EXPECT_NEAR(mean.mean(), 0, 1e-9);
  for (int i = 0; i < 100; ++i) mean.add(1);
  EXPECT_NEAR(mean.mean(), 1, 1e-9) << "it comes back from zero";
}

constexpr CallTimeCoefficients kTruth{0.04, 8e-7, 0.2, 0.025};

CallTimes call_of(World &world, bool told) {
  CallTimes call{world.between(1e4, 3e5), std::floor(world.between(1, 60)), 0};
  const double service =
      (kTruth.service + kTruth.seconds_per_token * call.tokens) * world.between(0.95, 1.05);
  call.took = (kTruth.latency + kTruth.seconds_per_byte * call.bytes) * world.between(0.95, 1.05) + service;
  if (told) call.service = service;
  return call;
}

// Breaks when the fit does not find the line that calls lie on, from their times alone.
TEST(CallTimeFit, FindsWhatCallsCost) {
  World world;
  CallTimeFit fit({.latency = 0.5, .seconds_per_byte = 1e-5, .service = 2, .seconds_per_token = 0.2});
  for (int i = 0; i < 200; ++i) fit.observe(call_of(world, false));
  const auto &c = fit.coefficients();
  EXPECT_NEAR(c.seconds_per_byte, kTruth.seconds_per_byte, 0.1 * kTruth.seconds_per_byte);
  EXPECT_NEAR(c.seconds_per_token, kTruth.seconds_per_token, 0.1 * kTruth.seconds_per_token);
  EXPECT_NEAR(c.latency + c.service, kTruth.latency + kTruth.service, 0.05);
}

// Breaks when a server's own times do not tell its part from the way's.
TEST(CallTimeFit, TellsTheWayFromTheServerWhereItsTimesAreKnown) {
  World world;
  CallTimeFit fit;
  for (int i = 0; i < 200; ++i) fit.observe(call_of(world, true));
  EXPECT_NEAR(fit.coefficients().latency, kTruth.latency, 0.02);
  EXPECT_NEAR(fit.coefficients().service, kTruth.service, 0.03);
  CallTimeFit opened;
  for (int i = 0; i < 200; ++i) {
    auto call = call_of(world, false);
    call.latency = kTruth.latency;
    opened.observe(call);
  }
  EXPECT_NEAR(opened.coefficients().latency, kTruth.latency, 0.02);
  EXPECT_NEAR(opened.coefficients().service, kTruth.service, 0.03);
}

// Breaks when the past is never forgotten, or calls that are all alike spoil the fit.
TEST(CallTimeFit, FollowsALinkThatChanges) {
  World world;
  CallTimeFit fit;
  for (int i = 0; i < 5000; ++i) fit.observe({1e5, 16, 0.5});
  EXPECT_NEAR(fit.predict(1e5, 16), 0.5, 0.02);
  for (int i = 0; i < 250; ++i) {
    auto call = call_of(world, false);
    call.took += 4e-6 * call.bytes;
    fit.observe(call);
  }
  EXPECT_NEAR(fit.predict(2e5, 30), 0.04 + 4.8e-6 * 2e5 + 0.2 + 0.025 * 30, 0.15);
}

// Breaks when a coefficient goes below zero, so that more bytes seem to take less time.
TEST(CallTimeFit, CoefficientsAreNeverNegative) {
  World world;
  CallTimeFit fit;
  for (int i = 0; i < 300; ++i) {
    const double bytes = world.between(1e4, 3e5);
    fit.observe({bytes, world.between(1, 60), std::max(0.0, 1 - 3e-6 * bytes) + world.between(0, 0.1)});
    const auto &c = fit.coefficients();
    for (const double value : {c.latency, c.seconds_per_byte, c.service, c.seconds_per_token})
      ASSERT_GE(value, 0);
  }
}

// Breaks when a broken or absurd observation makes a forecast undefined, or one outlier ruins it.
TEST(CallTimeFit, SurvivesAnyObservation) {
  World world;
  CallTimeFit fit;
  for (int i = 0; i < 100; ++i) fit.observe(call_of(world, false));
  const double before = fit.predict(1e5, 20);
  fit.observe({1e5, 20, 3600});
  EXPECT_LT(fit.predict(1e5, 20), 2 * before);
  for (const double bad : {kNan, kInf, -kInf, -1.0, 1e300, 0.0}) {
    for (const double other : {kNan, kInf, -5.0, 1e300, 1.0}) {
      fit.observe({bad, 1, other});
      fit.observe({1, bad, other, bad, other});
      fit.observe({1, other, bad, other, bad});
      const double predicted = fit.predict(1e5, 20);
      ASSERT_TRUE(std::isfinite(predicted)) << bad << " " << other;
      ASSERT_GE(predicted, 0);
    }
  }
  for (int i = 0; i < 600; ++i) fit.observe(call_of(world, false));
  EXPECT_NEAR(fit.predict(1e5, 20), before, 0.1 * before) << "it recovers";
}

Answer answer_of(double encode, double prefill, double decode, int read, int tokens) {
  Answer answer;
  answer.timings.encode = from_seconds(encode);
  answer.timings.prefill = from_seconds(prefill);
  answer.timings.decode = from_seconds(decode);
  answer.prompt_tokens_read = read;
  answer.token_log_probabilities.assign(static_cast<std::size_t>(tokens), -0.1F);
  return answer;
}

// Breaks when nothing can be foreseen before the first answer.
TEST(CostModel, ForeseesFromPriorsBeforeTheFirstObservation) {
  const CostModel model;
  for (const auto &forecast : {model.edge({}), model.cloud({}, {}), model.cloud({100000, {}}, {})}) {
    EXPECT_GT(forecast.mean, Duration::zero());
    EXPECT_GT(forecast.p95, forecast.mean);
  }
}

// Breaks when the edge's forecast does not follow its answers, their lengths or its queue.
TEST(CostModel, TheEdgesForecastFollowsItsAnswers) {
  World world;
  CostModel model;
  for (int i = 0; i < 200; ++i) {
    const int read = static_cast<int>(world.between(30, 60));
    const int tokens = static_cast<int>(world.between(5, 30));
    model.edge_answered(answer_of(0.1 * world.between(0.9, 1.1), 0.003 * read, 0.01 * tokens, read, tokens));
  }
  const auto seconds_of = [&](EdgeWork work) { return to_seconds(model.edge(work).mean); };
  EXPECT_NEAR(seconds_of({0, 40, 10}), 0.1 + 0.12 + 0.1, 0.03);
  EXPECT_NEAR(seconds_of({0, 40, 30}) - seconds_of({0, 40, 10}), 0.2, 0.03);
  EXPECT_NEAR(seconds_of({0, 80, 10}) - seconds_of({0, 40, 10}), 0.12, 0.03);
  EXPECT_NEAR(seconds_of({3, 40, 10}) - seconds_of({0, 40, 10}), 3 * 0.41, 0.15);
}

// Breaks when the p95 is no p95: of later segments about 5 in 100 must take longer.
TEST(CostModel, FiveInAHundredTakeLongerThanTheP95) {
  World world;
  CostModel model;
  std::exponential_distribution<double> late(1 / 0.1);
  int longer_edge = 0;
  int longer_cloud = 0;
  constexpr int kSegments = 4000;
  for (int i = 0; i < kSegments; ++i) {
    const double encode = 0.2 + late(world.random);
    const double took = 0.3 + late(world.random);
    longer_edge += encode + 0.2 > to_seconds(model.edge({0, 50, 10}).p95);
    const double compress = to_seconds(model.compress());
    longer_cloud += took + compress > to_seconds(model.cloud({50000, 10}, {}).p95);
    model.edge_answered(answer_of(encode, 0.1, 0.1, 50, 10));
    model.cloud_answered({50000, 10, took});
  }
  EXPECT_NEAR(longer_edge / double{kSegments}, 0.05, 0.025);
  EXPECT_NEAR(longer_cloud / double{kSegments}, 0.05, 0.025);
}

// Breaks when a machine that slept for an hour is believed to answer in an hour from then on, or a broken
// number reaches a forecast.
TEST(CostModel, OutliersAndBrokenNumbersAreLimited) {
  CostModel model;
  for (int i = 0; i < 50; ++i) model.edge_answered(answer_of(0.2, 0.1, 0.1, 50, 10));
  model.edge_answered(answer_of(3600, 3600, 3600, 50, 10));
  EXPECT_LT(model.edge({}).mean, milliseconds(1500)) << "0.4 s is usual";
  auto broken = answer_of(0, 0, 0, -5, 0);
  broken.timings.encode = Duration::min();
  broken.timings.prefill = Duration::max();
  for (int i = 0; i < 100; ++i) model.edge_answered(broken);
  for (const double bad : {kNan, kInf, -1.0, 1e300}) {
    model.cloud_answered({bad, 1, 1});
    model.cloud_answered({1, 1, bad});
    LinkSnapshot link;
    link.loss = link.throughput_p10 = bad;
    link.connect_time = Duration::max();
    for (const auto &f : {model.edge({4000000000U, bad, bad}), model.cloud({std::size_t(-1), bad}, link)}) {
      EXPECT_GE(f.mean, Duration::zero());
      EXPECT_GE(f.p95, f.mean);
      EXPECT_LE(f.p95, std::chrono::hours(1));
    }
  }
}

// Breaks when a tunnel is noticed when it is over, when one slow call is taken for one, or when nobody ever
// learns that it ended because nobody sends any more.
TEST(CostModel, FollowsATunnelWithinAFewCallsAndForgetsIt) {
  CostModel model;
  const auto seconds_of = [&] { return to_seconds(model.cloud({50000, 10}, {}).mean); };
  for (int i = 0; i < 100; ++i) model.cloud_answered({50000, 10, 0.4});
  const double before = seconds_of();
  model.cloud_answered({50000, 10, 3});
  EXPECT_LT(seconds_of(), before + 0.4);
  for (int i = 0; i < 2; ++i) model.cloud_answered({50000, 10, 3});
  EXPECT_GT(seconds_of(), 2);
  for (int i = 0; i < 200; ++i) model.edge_answered(answer_of(0.2, 0.1, 0.1, 50, 10));
  EXPECT_LT(seconds_of(), before + 0.8);
}

// Breaks when what the link says of itself is not believed.
TEST(CostModel, AWorseLinkMakesTheCloudSlower) {
  CostModel model;
  for (int i = 0; i < 50; ++i) model.cloud_answered({50000, 10, 0.4});
  const LinkSnapshot good;
  const auto usual = model.cloud({50000, 10}, good);
  LinkSnapshot far = good;
  far.connect_time = seconds(1);
  EXPECT_GT(model.cloud({50000, 10}, far).mean, usual.mean + milliseconds(800));
  LinkSnapshot lossy = good;
  lossy.loss = 0.5;
  EXPECT_GT(to_seconds(model.cloud({50000, 10}, lossy).mean), 1.8 * to_seconds(usual.mean));
  LinkSnapshot narrow = good;
  narrow.throughput_p10 = 10000;
  EXPECT_EQ(model.cloud({50000, 10}, narrow).mean, usual.mean);
  const auto slow = usual.mean - model.upload(50000) + seconds(5);
  EXPECT_NEAR(to_seconds(model.cloud({50000, 10}, narrow).p95), to_seconds(slow), 1e-6)
      << "the server's work comes to the upload";
}

}  // namespace
}  // namespace saccade
