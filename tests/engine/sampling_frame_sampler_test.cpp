#include <gtest/gtest.h>

#include "sampling/frame_sampler.h"
#include "sparsity_pictures.h"

namespace saccade {
namespace {

using test::ms;
using test::Picture;

FrameSamplerSettings uniform(double rate) { return {.mode = SamplingMode::uniform, .max_rate = rate}; }

Picture street() { return Picture(64, 36).stripes(8, 60, 160); }

// If it fails, sampling "at 5 per second" depends on the camera's own rate.
TEST(FrameSampler, UniformKeepsItsRateAtAnyInputRate) {
  for (const int fps : {10, 25, 30, 60}) {
    FrameSampler sampler(uniform(5));
    const auto picture = street();
    for (int i = 0; i < 10 * fps; ++i) sampler.decide(picture.frame(), ms(i * 1000 / fps));
    EXPECT_EQ(sampler.kept(), 50U) << fps;
    EXPECT_EQ(sampler.kept() + sampler.dropped(), static_cast<std::uint64_t>(10 * fps)) << fps;
  }
}

// If it fails, a stream whose frames come in bursts is sampled in bursts, or a long gap is made up for
// afterwards.
TEST(FrameSampler, UniformTakesVariableRatesAndDoesNotCatchUpAfterAGap) {
  FrameSampler sampler(uniform(1));
  const auto picture = street();
  std::vector<std::int64_t> kept;
  for (const std::int64_t t : {0, 10, 20, 990, 1000, 1010, 9000, 9010, 9020, 9990, 10000}) {
    if (sampler.decide(picture.frame(), ms(t)).keep) kept.push_back(t);
  }
  EXPECT_EQ(kept, (std::vector<std::int64_t>{0, 990, 9000, 9990}));
}

// If it fails, mode every keeps the wrong frames.
TEST(FrameSampler, EveryKeepsTheFirstOfEachGroup) {
  FrameSampler sampler({.mode = SamplingMode::every, .every = 3});
  const auto picture = street();
  std::string kept;
  for (int i = 0; i < 8; ++i) kept += sampler.decide(picture.frame(), std::nullopt).keep ? 'k' : '.';
  EXPECT_EQ(kept, "k..k..k.");
}

// If it fails, a still picture costs an encode per frame, or a dead-looking stream gives no sign of life.
TEST(FrameSampler, AdaptiveDropsDuplicatesAndKeepsAHeartbeat) {
  FrameSampler sampler({.max_rate = 10, .min_rate = 0.5});
  const auto picture = street();
  for (int i = 0; i <= 100; ++i) sampler.decide(picture.frame(), ms(i * 100));
  EXPECT_EQ(sampler.count(SamplingReason::first), 1U);
  EXPECT_EQ(sampler.count(SamplingReason::heartbeat), 5U);
  EXPECT_EQ(sampler.count(SamplingReason::duplicate), 95U);
}

// If it fails, somebody small entering a wide picture is taken for a duplicate.
TEST(FrameSampler, AdaptiveSeesASmallObject) {
  FrameSampler sampler({.max_rate = 0});
  auto picture = Picture(640, 360, 100);
  sampler.decide(picture.frame(), ms(0));
  EXPECT_FALSE(sampler.decide(picture.frame(), ms(100)).keep);
  picture.fill(300, 200, 12, 30, 180);
  EXPECT_EQ(sampler.decide(picture.frame(), ms(200)).reason, SamplingReason::changed);
}

// If it fails, changes too small from one frame to the next are never seen, however far they add up.
TEST(FrameSampler, AdaptiveSeesSlowDriftBecauseItComparesWithTheFrameKeptLast) {
  FrameSampler sampler({.max_rate = 0, .min_rate = 0});
  auto picture = Picture(64, 36, 100);
  for (int i = 0; i < 60; ++i) {
    picture.fill(20, 10, 10, 10, 100 + i);
    sampler.decide(picture.frame(), ms(i * 100));
  }
  EXPECT_GE(sampler.count(SamplingReason::changed), 5U);
  EXPECT_LE(sampler.count(SamplingReason::changed), 15U);
}

// If it fails, a busy street costs many times what its owner wanted to spend.
TEST(FrameSampler, TheBudgetIsKeptInEveryMode) {
  for (const auto mode : {SamplingMode::adaptive, SamplingMode::uniform, SamplingMode::every}) {
    FrameSampler sampler({.mode = mode, .max_rate = 0, .budget = 20});
    for (int i = 0; i < 6000; ++i) sampler.decide(Picture(64, 36, i % 2 ? 40 : 200).frame(), ms(i * 100));
    EXPECT_GE(sampler.kept(), 195U) << to_string(mode);
    EXPECT_LE(sampler.kept(), 203U) << to_string(mode);
    EXPECT_GT(sampler.count(SamplingReason::over_budget), 2000U) << to_string(mode);
  }
}

// If it fails, a camera whose clock jumps or whose size changes spends without end.
TEST(FrameSampler, AJumpInTimeDoesNotFillTheBudget) {
  FrameSampler sampler({.mode = SamplingMode::uniform, .max_rate = 0, .budget = 60});
  for (int i = 0; i < 200; ++i) {
    sampler.decide(street().frame(), ms(i * 100 + (i % 50 == 49 ? -150 : 0)));
  }
  EXPECT_GT(sampler.count(SamplingReason::time_jump), 2U);
  EXPECT_LE(sampler.kept(), 32U);  // 20 s at one a second, six at the start, and the jumps themselves
}

// If it fails, the budget goes to leaves in the wind, and nothing is left when somebody comes.
TEST(FrameSampler, TheBudgetGoesToWhatChangesMost) {
  FrameSampler sampler({.max_rate = 0, .min_rate = 0, .budget = 60});
  int seen = 0;
  for (int i = 0; i < 1200; ++i) {
    auto picture = street();
    picture.fill(8, 8, 8, 8, 100 + (i % 2 ? 9 : 0));       // a leaf
    if (i % 100 >= 50) picture.fill(30, 10, 12, 20, 250);  // somebody, for five seconds
    const auto decision = sampler.decide(picture.frame(), ms(i * 100));
    seen += i % 100 == 50 && decision.keep;
  }
  EXPECT_EQ(seen, 12) << "at the very frame, each time";
  EXPECT_LE(sampler.kept(), 130U);
}

// If it fails, a lamp's flicker or the sensor's noise keeps every frame.
TEST(FrameSampler, AdaptiveIgnoresFlickerAndNoise) {
  FrameSampler sampler({.max_rate = 0, .min_rate = 0});
  for (int i = 0; i < 50; ++i) {
    auto picture = Picture(320, 180).stripes(40, 60, 160);
    picture.add(i % 2 ? 8 : 0).noise(6, static_cast<std::uint32_t>(i));
    sampler.decide(picture.frame(), ms(i * 100));
  }
  EXPECT_EQ(sampler.kept(), 1U);
}

// If it fails, the lights going out is taken for flicker.
TEST(FrameSampler, AdaptiveSeesALargeChangeOfLight) {
  FrameSampler sampler({.max_rate = 0, .min_rate = 0});
  sampler.decide(Picture(64, 36, 180).frame(), ms(0));
  EXPECT_EQ(sampler.decide(Picture(64, 36, 60).frame(), ms(100)).reason, SamplingReason::changed);
}

// If it fails, a busy picture is sent faster than max-rate allows.
TEST(FrameSampler, AdaptiveNeverExceedsMaxRate) {
  FrameSampler sampler({.max_rate = 4});
  auto picture = Picture(64, 36);
  for (int i = 0; i < 300; ++i) {
    picture.noise(100, static_cast<std::uint32_t>(i));
    sampler.decide(picture.frame(), ms(i * 1000 / 30));
  }
  EXPECT_LE(sampler.kept(), 41U);
  EXPECT_GE(sampler.kept(), 35U);
}

// If it fails, a model that cannot keep up is fed at full rate, or never again at full rate.
TEST(FrameSampler, SlowsDownAndRecovers) {
  FrameSampler sampler({.max_rate = 10});
  auto picture = Picture(64, 36);
  const auto kept_in_ten_seconds = [&](int from) {
    const auto before = sampler.kept();
    for (int i = 0; i < 300; ++i) {
      picture.noise(100, static_cast<std::uint32_t>(i));
      sampler.decide(picture.frame(), ms(from + i * 1000 / 30));
    }
    return sampler.kept() - before;
  };
  const auto full = kept_in_ten_seconds(0);
  sampler.slow_down(0.5);
  const auto half = kept_in_ten_seconds(10000);
  EXPECT_NEAR(static_cast<double>(half), static_cast<double>(full) / 2, 3);
  EXPECT_GT(sampler.count(SamplingReason::overloaded), 0U);
  sampler.slow_down(1);
  EXPECT_NEAR(static_cast<double>(kept_in_ten_seconds(20000)), static_cast<double>(full), 2);
}

// If it fails, one missing or backward timestamp stalls the sampler for the rest of the stream.
TEST(FrameSampler, SurvivesMissingAndBackwardTimestamps) {
  FrameSampler sampler(uniform(1));
  const auto picture = street();
  EXPECT_EQ(sampler.decide(picture.frame(), ms(5000)).reason, SamplingReason::first);
  EXPECT_EQ(sampler.decide(picture.frame(), std::nullopt).reason, SamplingReason::no_time);
  EXPECT_EQ(sampler.decide(picture.frame(), ms(1000)).reason, SamplingReason::time_jump);
  EXPECT_EQ(sampler.decide(picture.frame(), ms(1500)).reason, SamplingReason::skipped);
  EXPECT_EQ(sampler.decide(picture.frame(), ms(2000)).reason, SamplingReason::scheduled);
}

// If it fails, pictures of two sizes are compared with each other.
TEST(FrameSampler, ANewSizeIsANewStart) {
  FrameSampler sampler;
  sampler.decide(Picture(64, 36, 90).frame(), ms(0));
  EXPECT_EQ(sampler.decide(Picture(32, 18, 90).frame(), ms(10)).reason, SamplingReason::first);
}

// If it fails, pictures smaller than the thumbnail crash the sampler.
TEST(FrameSampler, TakesTinyPictures) {
  for (const auto &[w, h] : {std::pair{1, 1}, {2, 1}, {3, 5}}) {
    FrameSampler sampler({.max_rate = 0});
    EXPECT_TRUE(sampler.decide(Picture(w, h, 10).frame(), ms(0)).keep);
    EXPECT_FALSE(sampler.decide(Picture(w, h, 10).frame(), ms(100)).keep);
    EXPECT_TRUE(sampler.decide(Picture(w, h, 200).frame(), ms(200)).keep);
  }
}

// If it fails, statistics and metas show reasons without a name.
TEST(FrameSampler, EveryReasonHasAName) {
  for (int i = 0; i < kSamplingReasons; ++i)
    EXPECT_STRNE(to_string(static_cast<SamplingReason>(i)), "unknown");
}

}  // namespace
}  // namespace saccade
