#include "mllm/answer_schedule.h"

#include <gtest/gtest.h>

namespace saccade {
namespace {

using std::chrono::milliseconds;

FrameNews frame(int number, bool needed) {
  return {milliseconds(100 * number), static_cast<std::uint64_t>(number), needed};
}

// Spending nothing where nothing changed is what the project exists for.
TEST(AnswerSchedule, AnswersTheFirstFrameAndThenOnlyChanges) {
  AnswerSchedule schedule(AnswerOn::change, Duration::zero());
  EXPECT_TRUE(schedule.take(frame(1, false)));
  EXPECT_FALSE(schedule.take(frame(2, false)));
  EXPECT_TRUE(schedule.take(frame(3, true)));
  EXPECT_FALSE(schedule.take(frame(4, false)));
}

// Without a gate nobody says what changed, so every frame is looked at.
TEST(AnswerSchedule, WithoutAGateEveryFrameIsNews) {
  AnswerSchedule schedule(AnswerOn::change, Duration::zero());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(schedule.take({milliseconds(i), std::nullopt, true}));
}

// A leaky queue between gate and model must never make a change vanish.
TEST(AnswerSchedule, AHoleInTheGatesNumbersIsAnswered) {
  AnswerSchedule schedule(AnswerOn::change, Duration::zero());
  EXPECT_TRUE(schedule.take(frame(1, true)));
  EXPECT_FALSE(schedule.take(frame(2, false)));
  EXPECT_TRUE(schedule.take(frame(4, false)));  // frame 3 was lost, and may have been the change
  EXPECT_FALSE(schedule.take(frame(5, false)));
}

// A frame that our own queue dropped, or that failed, is made up for by the next one.
TEST(AnswerSchedule, WhatIsOwedIsAnsweredNext) {
  AnswerSchedule schedule(AnswerOn::change, Duration::zero());
  EXPECT_TRUE(schedule.take(frame(1, true)));
  schedule.owe();
  EXPECT_TRUE(schedule.take(frame(2, false)));
  EXPECT_FALSE(schedule.take(frame(3, false)));
}

// A change that comes too soon is late, not lost.
TEST(AnswerSchedule, AnswerEveryDelaysAndDoesNotForget) {
  AnswerSchedule schedule(AnswerOn::change, milliseconds(250));
  EXPECT_TRUE(schedule.take(frame(1, true)));
  EXPECT_FALSE(schedule.take(frame(2, true)));
  EXPECT_FALSE(schedule.take(frame(3, false)));
  EXPECT_TRUE(schedule.take(frame(4, false)));
}

// A looped or sought stream starts at an earlier time and must not fall silent.
TEST(AnswerSchedule, TimeThatGoesBackDoesNotHoldBack) {
  AnswerSchedule schedule(AnswerOn::frame, milliseconds(250));
  EXPECT_TRUE(schedule.take(frame(100, true)));
  EXPECT_TRUE(schedule.take(frame(1, true)));
}

TEST(AnswerSchedule, OnlyWhenAsked) {
  AnswerSchedule schedule(AnswerOn::question, Duration::zero());
  EXPECT_FALSE(schedule.take(frame(1, true)));
  EXPECT_FALSE(schedule.take(frame(2, true)));
}

}  // namespace
}  // namespace saccade
