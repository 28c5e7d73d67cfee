// What is given up so that answers come in time, and answers that come too late.
#include <gtest/gtest.h>

#include "mllm/latency_budget.h"
#include "mllm/stale_watch.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;

// 36 visual and 10 other tokens at 1 ms each, encoded in 100 ms; `tokens` words, 10 ms each after the first.
Answer answer_of(int tokens, int kept = 36) {
  Answer answer;
  answer.token_log_probabilities.assign(static_cast<std::size_t>(tokens), -0.1F);
  answer.visual_tokens_seen = 36;
  answer.visual_tokens_kept = kept;
  answer.prompt_tokens_read = 10 + kept;
  answer.timings.encode = milliseconds(100);
  answer.timings.prefill = milliseconds(10 + kept);
  answer.timings.decode = milliseconds(10 * (tokens - 1));
  return answer;
}

// If this fails, a pipeline without a budget gives something up, or one with a budget does before it knows
// why.
TEST(LatencyBudgetTest, NothingIsGivenUpWithoutABudgetOrWithoutExperience) {
  LatencyBudget none(Duration::zero(), 64);
  for (int i = 0; i < 5; ++i) none.learn(answer_of(64));
  const LatencyBudget fresh(milliseconds(1), 64);
  for (const auto &plan : {none.plan(milliseconds(900), false), fresh.plan(milliseconds(900), false)}) {
    EXPECT_TRUE(plan.detail);
    EXPECT_EQ(plan.keep, 1.0);
    EXPECT_EQ(plan.max_tokens, 64);
  }
}

// If this fails, a session gives up more than it must, or too little.
TEST(LatencyBudgetTest, DetailGoesFirstThenTokensThenWords) {
  LatencyBudget budget(milliseconds(400), 64);
  for (int i = 0; i < 20; ++i) budget.learn(answer_of(20));  // 100 + 46 + 190 ms
  const auto at_once = budget.plan({}, false);
  EXPECT_EQ(at_once.keep, 1.0);
  EXPECT_TRUE(at_once.detail);
  EXPECT_GE(at_once.max_tokens, 20);
  const auto late = budget.plan(milliseconds(75), false);  // 17 ms too late for all that is to see
  EXPECT_EQ(late.keep, 0.5);
  EXPECT_FALSE(late.detail);
  EXPECT_GE(late.max_tokens, 20);
  const auto later = budget.plan(milliseconds(200), false);
  EXPECT_EQ(later.keep, 0.25);
  EXPECT_EQ(later.max_tokens, 1 + (400 - 200 - 100 - 19) / 10);
  EXPECT_EQ(budget.plan(milliseconds(900), false).max_tokens, 1);
}

// If this fails, pictures that were compressed once make the session believe that reading is cheap.
TEST(LatencyBudgetTest, WhatWasGivenUpDoesNotCountAsSaved) {
  LatencyBudget budget(milliseconds(300), 64);
  for (int i = 0; i < 20; ++i) budget.learn(answer_of(20, 9));
  EXPECT_EQ(budget.plan({}, false).keep, 0.25);
}

// If this fails, an answer goes on about a scene that is over, or one is given up that is still wanted.
TEST(StaleWatchTest, OnlyNewsThatIsNewEnoughGivesAnAnswerUp) {
  StaleWatch watch(milliseconds(500));
  std::stop_source stop;
  const auto growing = watch.begin(milliseconds(1000), stop.get_token());
  watch.news(milliseconds(1500));
  EXPECT_FALSE(growing.stop_requested());
  watch.news(milliseconds(1501));
  EXPECT_TRUE(growing.stop_requested());
  EXPECT_FALSE(stop.stop_requested());
  EXPECT_TRUE(watch.end());
  watch.news(milliseconds(9000));
  EXPECT_TRUE(watch.begin(milliseconds(2000), stop.get_token()).stop_requested());  // over before it begins
  EXPECT_TRUE(watch.end());
  EXPECT_FALSE(watch.begin(milliseconds(9000), stop.get_token()).stop_requested());
  EXPECT_FALSE(watch.end());
  watch.news(milliseconds(100));  // after a seek
  EXPECT_FALSE(watch.begin(milliseconds(100), stop.get_token()).stop_requested());
}

// If this fails, a stop does not reach an answer that may also go stale.
TEST(StaleWatchTest, AStopReachesTheAnswer) {
  for (const auto age : {milliseconds(0), milliseconds(500)}) {
    StaleWatch watch(age);
    std::stop_source stop;
    const auto growing = watch.begin({}, stop.get_token());
    stop.request_stop();
    EXPECT_TRUE(growing.stop_requested());
    EXPECT_FALSE(watch.end());
  }
}

}  // namespace
}  // namespace saccade
