#include "localmllm/answer_timeline.h"

#include <gtest/gtest.h>

namespace saccade::gst {
namespace {

constexpr GstClockTime kSecond = GST_SECOND;

FrameTime frame(GstClockTime start) { return {start, start, kSecond}; }

// textoverlay wait-text=true waits for a text pad that has not passed its frame, for ever.
TEST(AnswerTimeline, PassesEveryFrameWithAnAnswerOrAGap) {
  AnswerTimeline timeline(false, 5 * kSecond);
  EXPECT_EQ(timeline.answer(frame(0), 7 * kSecond).pts, 0U);
  const auto gap = timeline.gap(frame(kSecond));
  ASSERT_TRUE(gap.has_value());
  EXPECT_EQ(gap->pts, kSecond);
  EXPECT_EQ(gap->duration, kSecond);
  EXPECT_FALSE(timeline.gap(frame(kSecond)).has_value());  // passed already
}

TEST(AnswerTimeline, ArrivalTimeIsNowAndNeverGoesBack) {
  AnswerTimeline timeline(true, 5 * kSecond);
  EXPECT_EQ(timeline.answer(frame(0), 2 * kSecond).pts, 2 * kSecond);
  EXPECT_EQ(timeline.answer(frame(kSecond), kSecond).pts, 2 * kSecond);
  EXPECT_EQ(timeline.correction(3 * kSecond).pts, 3 * kSecond);
  EXPECT_FALSE(timeline.gap(frame(kSecond)).has_value());
}

// A file is read faster than its clock: arrival before the frame's own time would stall the video.
TEST(AnswerTimeline, ArrivalIsNeverBeforeTheFrame) {
  AnswerTimeline timeline(true, kSecond);
  EXPECT_EQ(timeline.answer(frame(9 * kSecond), kSecond).pts, 9 * kSecond);
  EXPECT_EQ(timeline.answer(frame(10 * kSecond), GST_CLOCK_TIME_NONE).pts, 10 * kSecond);
}

// A late correction in content time has no frame of its own, and must not overtake what was said since.
TEST(AnswerTimeline, ACorrectionComesWhereThePadIs) {
  AnswerTimeline timeline(false, 4 * kSecond);
  timeline.answer(frame(0), 0);
  timeline.answer(frame(kSecond), 0);
  EXPECT_EQ(timeline.correction(0).pts, 2 * kSecond);
}

}  // namespace
}  // namespace saccade::gst
