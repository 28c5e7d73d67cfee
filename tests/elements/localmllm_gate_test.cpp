// localmllm behind a gate: what is passed over, encoded in part or looked at closer, and what the gate hears.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <string>

#include "common/events.h"
#include "common/metas.h"
#include "localmllm_testing.h"

namespace saccade::gst {
namespace {

// Spending nothing where nothing changed: unneeded frames cost no encode and become GAPs.
TEST(LocalMllm, WhatTheGateDoesNotNeedIsPassedOver) {
  Mind mind;
  mind.push(gated(1, true));
  mind.push(gated(2, false));
  mind.push(gated(3, false));
  mind.push(gated(4, true));
  EXPECT_EQ(mind.finish().size(), 2U);
  EXPECT_GE(mind.gaps(), 1);
  EXPECT_EQ(mind.statistic("unchanged"), 2U);
  EXPECT_EQ(mind.statistic("taken"), 2U);
}

// A leaky queue in front must not make a change vanish.
TEST(LocalMllm, AFrameLostUpstreamIsMadeUpFor) {
  Mind mind;
  mind.push(gated(1, true));
  mind.push(gated(3, false));  // frame 2, lost on the way, may have been the change
  EXPECT_EQ(mind.finish().size(), 2U);
}

// An overlay that shows GAPs as nothing would flicker.
TEST(LocalMllm, RepeatsTheStandingAnswerWhenAsked) {
  Mind mind("on-unchanged=repeat");
  mind.push(gated(1, true));
  mind.push(gated(2, false));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(text_of(texts[0].get()), text_of(texts[1].get()));
  EXPECT_EQ(GST_BUFFER_PTS(texts[1].get()), kFrame);
}

// If this fails, a small sign that the gate points at is not looked at closer, or time is spent on a second
// look that has nothing to show.
TEST(LocalMllm, LooksCloserAtWhatTheGatePointsAt) {
  constexpr int kWidth = 640;
  constexpr int kHeight = 360;
  const auto tokens_seen = [](const BufferPtr &answer) {
    gint seen = 0;
    gst_structure_get_int(
        gst_custom_meta_get_structure(gst_buffer_get_custom_meta(answer.get(), kAnswerMetaName)),
        "tokens-seen", &seen);
    return seen;
  };
  const auto look_at = [&](bool with_map) {
    auto buffer = picture(1, kWidth * kHeight * 3);
    MasReport report;
    report.frame = 1;
    report.grid = {6, 6};
    if (with_map) report.keep.assign(36, 100);
    set_mas(buffer.get(), report);
    Mind mind("detail=crop", false, "video/x-raw,format=RGB,width=640,height=360,framerate=10/1");
    mind.push(std::move(buffer));
    const auto answers = mind.finish();
    return answers.size() == 1 ? tokens_seen(answers[0]) : 0;
  };
  EXPECT_EQ(look_at(true), 2 * 36);
  EXPECT_EQ(look_at(false), 36);
}

// The gate moves its reference only on this.
TEST(LocalMllm, TellsTheGateWhatItHasEncoded) {
  Mind mind;
  mind.push(gated(7, true));
  const auto committed = parse_committed(mind.upstream_event("saccade/committed").get());
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->frame, 7U);
  EXPECT_EQ(committed->consumer, "mind");
}

// The gate asks for the grid of the encoder behind it, whose patches may be finer than its tokens.
TEST(LocalMllm, TellsTheGrid) {
  Mind mind;
  const auto grid = query_patch_grid(mind.harness()->srcpad);
  ASSERT_TRUE(grid.has_value());
  EXPECT_EQ(*grid, (PatchGrid{12, 12}));
}

// If this fails, a picture that changed in one patch costs as much as a new one, or the gate takes all of it
// for encoded and never asks for the rest.
TEST(LocalMllm, EncodesWhatTheGateAsksForAndSaysWhat) {
  Mind mind;
  auto buffer = gated(1, true);
  auto report = *get_mas(buffer.get());
  report.grid = {12, 12};
  report.refresh.assign(144, 0);
  report.refresh[40] = 255;
  set_mas(buffer.get(), report);
  mind.push(gated(1, true));
  EXPECT_EQ(parse_committed(mind.upstream_event("saccade/committed").get())->patches, PatchMap());
  mind.push(std::move(buffer));
  EXPECT_EQ(parse_committed(mind.upstream_event("saccade/committed").get())->patches, report.refresh);
}

// If this fails, a picture that did not change is encoded all the same, or what is kept of it is shown after
// the camera has changed its size or the user has sought.
TEST(LocalMllm, KeepsWhatItSawUntilTheStreamIsAnother) {
  const auto night = [](int number) {
    auto buffer = picture(number, kBytes, 12);
    MasReport report;
    report.frame = static_cast<std::uint64_t>(number);
    report.grid = {12, 12};
    report.refresh.assign(144, 0);
    set_mas(buffer.get(), report);
    return buffer;
  };
  Mind mind;
  mind.push(gated(1, true));
  const auto by_day = text_of(mind.pull().get());
  mind.push(night(2));
  EXPECT_EQ(text_of(mind.pull().get()), by_day);
  mind.begin("video/x-raw,format=RGB,width=64,height=48,framerate=5/1");
  mind.push(night(3));
  EXPECT_EQ(text_of(mind.pull().get()), "night");

  mind.push(gated(4, true));
  mind.pull();
  gst_harness_push_event(mind.harness(), gst_event_new_flush_start());
  gst_harness_push_event(mind.harness(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(mind.harness(), gst_event_new_segment(&segment));
  mind.push(night(5));
  EXPECT_EQ(text_of(mind.pull().get()), "night");
}

}  // namespace
}  // namespace saccade::gst
