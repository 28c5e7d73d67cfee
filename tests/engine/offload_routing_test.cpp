// The cases in which the cost rules say something, and what the router learns.
#include <gtest/gtest.h>

#include "offload/routing/router.h"
#include "offload_cases.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::goes;
using enum OffloadPolicy;

RouterInput usual() {
  RouterInput in;
  in.complexity = 0.5;
  in.mas_video = 0.2;
  in.video_bytes = 50000;
  in.cloud_linked = in.link_up = true;
  return in;
}

RouterState usual_state() {
  RouterState st;
  st.edge = {milliseconds(600), milliseconds(800)};
  st.edge_work = milliseconds(600);
  st.cloud_video = {milliseconds(500), milliseconds(700)};
  st.cloud_audio = {milliseconds(400), milliseconds(600)};
  st.cloud_both = {milliseconds(600), milliseconds(800)};
  st.upload_video = milliseconds(200);
  st.upload_audio = milliseconds(100);
  st.compress = milliseconds(10);
  st.doubt = 0.3;
  return st;
}

// Breaks when a decision by cost ignores the draft, or the latency budget.
TEST(Routing, ADoubtfulDraftIsSentAndASureOneStays) {
  RouterSettings settings{.policy = msao};
  auto input = usual();
  const auto action = [&] { return route(RouteStage::decide, settings, input, usual_state()).action; };
  input.draft_confidence = 0.95;
  EXPECT_EQ(action(), RouteAction::edge);
  input.draft_margin = 0.1;
  EXPECT_EQ(action(), RouteAction::ask) << "its first tokens hesitate";
  input.draft_margin = 0.6;
  input.draft_entropy = 0.5;
  EXPECT_EQ(action(), RouteAction::ask) << "its first tokens hesitate";
  input.draft_entropy.reset();
  input.draft_confidence = 0.3;
  EXPECT_EQ(action(), RouteAction::ask);
  settings.latency_budget = seconds(1);
  input.elapsed = milliseconds(600);
  EXPECT_EQ(action(), RouteAction::edge) << "the cloud would come too late";
}

// Breaks when a long queue on the edge has segments wait for a draft that nobody has the time for.
TEST(Routing, AnEdgeThatCannotKeepTheBudgetLetsTheCloudAnswerAtOnce) {
  const RouterSettings settings{.policy = msao, .latency_budget = seconds(1)};
  auto state = usual_state();
  EXPECT_NE(route(RouteStage::plan, settings, usual(), state).action, RouteAction::ask);
  state.edge = {milliseconds(900), milliseconds(1200)};
  EXPECT_EQ(route(RouteStage::plan, settings, usual(), state).action, RouteAction::ask);
  state.cloud_video = {milliseconds(1500), milliseconds(2000)};
  EXPECT_NE(route(RouteStage::plan, settings, usual(), state).action, RouteAction::ask)
      << "neither keeps it, and the cloud is later";
}

// Breaks when a draft is charged with a call that nobody would make about it.
TEST(Routing, ADraftCostsNoMoreThanBeingWrong) {
  RouterSettings settings{.policy = msao, .error_weight = 2};
  settings.energy_weight = 0;
  auto state = usual_state();
  state.edge = {milliseconds(600), milliseconds(600)};
  state.cloud_video = {milliseconds(4200), milliseconds(4200)};  // J = 2.3, and of a draft 0.3 + 0.9 x 2
  state.doubt = 0.9;
  EXPECT_EQ(route(RouteStage::plan, settings, usual(), state).action, RouteAction::edge);
}

// Breaks when the side is changed at every small move around the line.
TEST(Routing, AQueueAtTheBudgetDoesNotFlap) {
  RouterSettings settings{.policy = msao, .hysteresis = 0.1, .latency_budget = seconds(1)};
  settings.energy_weight = 0;
  auto state = usual_state();
  const auto at = [&](milliseconds p95) {
    state.edge = {milliseconds(300), p95};
    const auto decision = route(RouteStage::plan, settings, usual(), state);
    state.sides = sides_after(decision, settings);
    return goes(decision);
  };
  EXPECT_FALSE(at(milliseconds(990)));
  EXPECT_TRUE(at(milliseconds(1010)));
  EXPECT_TRUE(at(milliseconds(990)));
  EXPECT_TRUE(at(milliseconds(910)));
  EXPECT_FALSE(at(milliseconds(890)));
  EXPECT_FALSE(at(milliseconds(990)));
}

// Breaks when the shadow upload starts where it is hardly ever wanted, or never.
TEST(Routing, AShadowUploadStartsWhereADoubtfulDraftIsLikely) {
  const RouterSettings settings{.policy = msao};
  auto state = usual_state();
  state.edge = {milliseconds(300), milliseconds(400)};
  const auto at = [&](double doubt) {
    state.doubt = doubt;
    return route(RouteStage::plan, settings, usual(), state).action;
  };
  EXPECT_EQ(at(0.01), RouteAction::edge);
  EXPECT_EQ(at(0.5), RouteAction::edge_with_upload);
  state.upload_video = {};
  EXPECT_EQ(at(0.5), RouteAction::edge) << "nothing to hide behind the draft";
  state.upload_video = milliseconds(200);
  state.cloud_video = {seconds(10), seconds(12)};
  EXPECT_EQ(at(0.5), RouteAction::edge) << "over this link no draft would be sent";
}

// Breaks when a modality travels that the question has no need of.
TEST(Routing, OnlyTheModalityThatIsNeededTravels) {
  const RouterSettings settings{.policy = msao};
  auto input = usual();
  input.has_audio = true;
  input.audio_bytes = 100000;
  input.draft_confidence = 0.1;
  const auto decided = [&] { return route(RouteStage::decide, settings, input, usual_state()); };
  input.mas_video = 0;
  input.mas_audio = 1;
  EXPECT_EQ(decided().video, Destination::cloud);
  EXPECT_EQ(decided().audio, Destination::edge);
  input.mas_video = 1;
  input.mas_audio = 0;
  EXPECT_EQ(decided().video, Destination::edge);
  EXPECT_EQ(decided().audio, Destination::cloud);
  input.mas_video = 0;
  EXPECT_EQ(decided().video, Destination::cloud);
  EXPECT_EQ(decided().audio, Destination::cloud);
}

// Breaks when a shadow upload sends a modality that no call would, or other decisions send what they do not
// say.
TEST(Routing, AShadowUploadSendsWhatTheCheapestCallWould) {
  const RouterSettings settings{.policy = msao, .error_weight = 1000};
  auto state = usual_state();
  state.doubt = 0.5;
  auto input = usual();
  input.has_audio = true;
  input.audio_bytes = 100000;
  for (const bool video : {false, true}) {
    input.mas_video = video ? 0 : 1;
    input.mas_audio = video ? 1 : 0;
    state.upload_video = state.upload_audio = milliseconds(200);
    const auto planned = route(RouteStage::plan, settings, input, state);
    ASSERT_EQ(planned.action, RouteAction::edge_with_upload) << planned.reason;
    EXPECT_EQ(cargo_of(planned, settings).video, video);
    EXPECT_EQ(cargo_of(planned, settings).audio, !video);
  }
}

// Breaks when MoA-Off's rule for one modality decides for the other, or a rich link is not used.
TEST(Routing, ThresholdJudgesEachModalityByItsOwnLine) {
  RouterSettings settings{.policy = threshold, .rich_bandwidth = 1e6};
  auto input = usual();
  input.has_audio = true;
  input.sound_complexity = 0.7;
  const auto planned = [&] { return route(RouteStage::plan, settings, input, {}); };
  EXPECT_EQ(planned().video, Destination::edge);
  EXPECT_EQ(planned().audio, Destination::cloud);
  input.complexity = 0.7;
  input.sound_complexity = 0.5;
  EXPECT_EQ(planned().video, Destination::cloud);
  EXPECT_EQ(planned().audio, Destination::edge);
  input.complexity = 0.5;
  EXPECT_FALSE(goes(planned()));
  input.link.throughput = 2e6;
  EXPECT_TRUE(goes(planned()));
  input.link.throughput = 0;
  settings.text_threshold = 0.5;
  input.text_complexity = 0.6;
  EXPECT_TRUE(goes(planned()));
}

// Breaks when verification is chosen where it loses: for short drafts, over long ways, at servers without it.
TEST(Routing, LongDraftsOverShortWaysAreVerified) {
  const RouterSettings settings{.policy = msao};
  auto input = usual();
  input.draft_confidence = 0.2;
  input.draft_tokens = 32;
  input.cloud_verifies = true;
  auto state = usual_state();
  state.cloud_per_token = std::chrono::microseconds(28600);
  state.cloud_prefill = milliseconds(60);
  state.round_trip = milliseconds(20);
  const auto decided = [&] { return route(RouteStage::decide, settings, input, state); };
  EXPECT_EQ(decided().action, RouteAction::verify);
  EXPECT_LT(decided().foreseen, state.cloud_video.mean);
  input.draft_tokens = 4;
  EXPECT_EQ(decided().action, RouteAction::ask) << "a cascade";
  input.draft_tokens = 32;
  state.round_trip = milliseconds(150);
  EXPECT_EQ(decided().action, RouteAction::ask);
  state.round_trip = milliseconds(20);
  input.cloud_verifies = false;
  EXPECT_EQ(decided().action, RouteAction::ask);
}

// Breaks when what the gate found out reaches the router under another name.
TEST(Routing, TheGatesReportBecomesTheInput) {
  MasReport report;
  report.route = Route::cloud;
  report.complexity = 0.1;
  report.text_complexity = 0.2;
  report.mas_video = 0.3;
  report.mas_audio = 0.4;
  report.sound_active = true;
  const auto input = router_input_of(report);
  EXPECT_EQ(input.hint, Route::cloud);
  EXPECT_EQ(input.complexity, 0.1);
  EXPECT_EQ(input.text_complexity, 0.2);
  EXPECT_EQ(input.sound_complexity, 0.6);
  EXPECT_EQ(input.mas_video, 0.3);
  EXPECT_EQ(input.mas_audio, 0.4);
  EXPECT_TRUE(input.has_audio);
  EXPECT_FALSE(router_input_of(MasReport{}).has_audio);
}

// Breaks when what drafts turned out to be changes nothing about what is expected of the next.
TEST(Router, LearnsWhichSegmentsGetPoorDrafts) {
  Router router({.policy = msao});
  auto simple = usual();
  auto hard = usual();
  simple.complexity = 0.1;
  hard.complexity = 0.9;
  for (int i = 0; i < 400; ++i) {
    router.draft_judged(simple, i % 20 == 0);
    router.draft_judged(hard, i % 20 != 0);
  }
  EXPECT_LT(router.plan(simple).state.doubt, 0.2);
  EXPECT_GT(router.plan(hard).state.doubt, 0.8);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  auto broken = usual();
  broken.complexity = broken.mas_video = nan;
  for (int i = 0; i < 1000; ++i) router.draft_judged(broken, true);
  const double doubt = router.plan(usual()).state.doubt;
  EXPECT_GE(doubt, DoubtModel::kLeast);
  EXPECT_LE(doubt, 1 - DoubtModel::kLeast);
}

// Breaks when drafts that were poor once are never made again, so that nobody learns that they got better.
TEST(Router, DraftsNowAndThenEvenWhereTheCloudIsCheaper) {
  Router router({.policy = msao, .longest_without_draft = 5}, {.encode = seconds(3)});
  auto input = usual();
  input.complexity = 1;
  for (int i = 0; i < 500; ++i) router.draft_judged(input, true);
  int drafts = 0;
  for (int i = 0; i < 60; ++i) drafts += !goes(router.plan(input));
  EXPECT_EQ(drafts, 10);
}

// Breaks when bytes that are up already are paid for twice.
TEST(Router, WhatIsUploadedAlreadyMakesTheCloudCheaper) {
  Router router({.policy = msao});
  auto input = usual();
  input.draft_confidence = 0.7;
  input.video_bytes = 500000;
  EXPECT_FALSE(goes(router.decide(input)));
  input.video_bytes = 0;
  EXPECT_TRUE(goes(router.decide(input)));
}

}  // namespace
}  // namespace saccade
