// An hour of segments under a cap, with several patterns of arrival.
#include "offload/routing/spend_price.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "offload/routing/router.h"

namespace saccade {
namespace {

constexpr double kHour = 3600;
constexpr double kCap = 20e6;  // bytes; half of what any of the patterns would like to send

struct Sent {
  double bytes = 0;
  double useful = 0;  // bytes of the segments whose draft was poor
  double offered = 0;
};

// `rate(t)`: segments per second that arrive around second t.
Sent an_hour(const std::function<double(double)> &rate, std::uint32_t seed) {
  Router router({.policy = OffloadPolicy::budget, .budget_per_hour = kCap});
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Sent sent;
  for (double t = 0; t < kHour; t += 0.1) {
    if (uniform(random) >= rate(t) * 0.1) continue;
    RouterInput input;
    input.cloud_linked = input.link_up = true;
    input.video_bytes = static_cast<std::size_t>(20000 + 40000 * uniform(random));
    input.draft_confidence = 0.6 * uniform(random);
    input.now = from_seconds(t);
    sent.offered += static_cast<double>(input.video_bytes);
    if (router.decide(input).destination != Destination::cloud) continue;
    router.sent(input.video_bytes, 1, input.now);
    sent.bytes += static_cast<double>(input.video_bytes);
    if (*input.draft_confidence < 0.3) sent.useful += static_cast<double>(input.video_bytes);
  }
  return sent;
}

struct Pattern {
  const char *name;
  std::function<double(double)> rate;
};

const Pattern kPatterns[] = {
    {"steady", [](double) { return 0.5; }},
    {"two minutes on, two off", [](double t) { return std::fmod(t, 240) < 120 ? 1.0 : 0.0; }},
    {"ten seconds of rush a minute", [](double t) { return std::fmod(t, 60) < 10 ? 3.0 : 0.1; }},
    {"growing", [](double t) { return 0.3 + 0.7 * t / kHour; }},
    {"falling", [](double t) { return 1.0 - 0.7 * t / kHour; }},
};

// Breaks when an hour's spending misses the cap, whatever the arrivals.
TEST(SpendPrice, AnHoursSpendingConvergesToTheCap) {
  for (const auto &pattern : kPatterns) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
      const auto sent = an_hour(pattern.rate, seed);
      ASSERT_GT(sent.offered, 1.5 * kCap) << "the pattern says nothing";
      EXPECT_LT(sent.bytes, 1.04 * kCap) << pattern.name;
      EXPECT_GT(sent.bytes, 0.93 * kCap) << pattern.name;
    }
  }
}

// Breaks when the cap is kept by turning away whoever comes late, and not by what gains least.
TEST(SpendPrice, WhatGainsTheMostIsSent) {
  const auto sent = an_hour(kPatterns[0].rate, 4);
  EXPECT_GT(sent.useful / sent.bytes, 0.75) << "half of what arrives is useful";
}

// Breaks when a quiet half hour is paid back in one rush.
TEST(SpendPrice, ALateRushGetsItsShareAndLittleMore) {
  const auto sent = an_hour([](double t) { return t < kHour / 2 ? 0.005 : 3.0; }, 5);
  EXPECT_LT(sent.bytes, 0.59 * kCap);
  EXPECT_GT(sent.bytes, 0.47 * kCap);
}

// Breaks when little traffic is held back though the cap is far away.
TEST(SpendPrice, BelowTheCapNothingIsHeldBack) {
  SpendPrice price({.cap_per_hour = kCap});
  for (double t = 0; t < kHour; t += 20) {
    EXPECT_EQ(price.price(from_seconds(t)), 0) << t;
    price.spent(40000, from_seconds(t + 1));
  }
}

// Breaks when one absurd amount closes the cloud for good, or a broken one does anything.
TEST(SpendPrice, SurvivesAnyAmountAndAnyClock) {
  SpendPrice price({.cap_per_hour = 1000});
  price.spent(1e300, {});
  EXPECT_GT(price.price({}), 0);
  EXPECT_EQ(price.price(std::chrono::hours(2)), 0);
  const double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {std::nan(""), -1.0, inf, -inf}) {
    price.spent(bad, Duration::min());
    price.spent(bad, Duration::max());
    price.spent(10, std::chrono::seconds(1));
    EXPECT_TRUE(std::isfinite(price.price(Duration::zero()))) << bad;
    EXPECT_TRUE(std::isfinite(price.typical())) << bad;
  }
  EXPECT_EQ(SpendPrice({}).price({}), 0) << "no cap";
}

// Breaks when a budget of money counts bytes.
TEST(SpendPrice, MoneyIsCountedWhereItIsTheBudget) {
  RouterSettings settings{.policy = OffloadPolicy::budget, .money_per_call = 0.01};
  settings.budget_unit = BudgetUnit::money;
  settings.budget_per_hour = 1;
  RouterInput input;
  input.cloud_linked = input.link_up = true;
  EXPECT_EQ(Router(settings).decide(input).state.price, 0);
  const auto price_after = [&](int looks, std::size_t calls) {
    Router router(settings);
    for (int i = 0; i < looks; ++i) router.sent(100, calls, {});
    return router.decide(input).state.price;
  };
  EXPECT_GT(price_after(10, 1), 10);
  EXPECT_EQ(price_after(1, 10), price_after(10, 1));  // however seldom somebody looks
  EXPECT_EQ(price_after(10, 0), 0);                   // the call was counted when it began
}

}  // namespace
}  // namespace saccade
