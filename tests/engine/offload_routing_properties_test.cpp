// What must hold of every decision, whatever the segment.
#include <gtest/gtest.h>

#include "offload/routing/router.h"
#include "offload_cases.h"

namespace saccade {
namespace {

using test::goes;
using test::RandomCases;
using enum OffloadPolicy;

constexpr std::array kPolicies = {edge, cloud, threshold, msao, budget};
constexpr std::array kStages = {RouteStage::plan, RouteStage::decide};
constexpr int kRounds = 4000;

// Breaks when any number, however broken, opens a way to a cloud that is not there.
TEST(Routing, LinkDownOrNoCloudMeansTheEdgeForAnyInput) {
  RandomCases random(1);
  for (int i = 0; i < kRounds; ++i) {
    auto input = random.any_input();
    (i % 2 ? input.link_up : input.cloud_linked) = false;
    if (i % 3 == 0) {
      input.link_up = input.cloud_linked = true;
      input.link.up = false;
    }
    for (const auto policy : kPolicies) {
      for (const auto stage : kStages) {
        const auto decision = route(stage, random.any_settings(policy), input, random.any_state());
        ASSERT_EQ(decision.action, RouteAction::edge) << decision.reason;
        ASSERT_EQ(decision.destination, Destination::edge);
        ASSERT_EQ(decision.video, Destination::edge);
        ASSERT_EQ(decision.audio, Destination::edge);
      }
    }
  }
}

// Breaks when a decision contradicts itself, sends what the segment does not have, or is without a reason.
TEST(Routing, AnyDecisionIsConsistentAndBounded) {
  RandomCases random(2);
  for (int i = 0; i < kRounds; ++i) {
    const auto input = random.any_input();
    for (const auto policy : kPolicies) {
      for (const auto stage : kStages) {
        const auto d = route(stage, random.any_settings(policy), input, random.any_state());
        const bool sent = d.video == Destination::cloud || d.audio == Destination::cloud;
        ASSERT_EQ(goes(d), sent) << d.reason;
        ASSERT_EQ(sent, d.action == RouteAction::ask || d.action == RouteAction::verify) << d.reason;
        ASSERT_TRUE(input.has_video || d.video == Destination::edge);
        ASSERT_TRUE(input.has_audio || d.audio == Destination::edge);
        ASSERT_TRUE(stage == RouteStage::plan || d.action != RouteAction::edge_with_upload);
        ASSERT_TRUE(stage == RouteStage::decide || d.action != RouteAction::verify);
        ASSERT_GE(d.foreseen, Duration::zero());
        ASSERT_LE(d.foreseen, std::chrono::hours(1));
        ASSERT_FALSE(d.reason.empty());
        ASSERT_EQ(d.reason.find('\n'), std::string::npos);
      }
    }
  }
}

RouterInput slower(RandomCases &random, RouterInput input) {
  input.link.throughput *= random.between(0, 1);
  return input;
}

// Everything that a slower link makes slower; what is sent costs the same.
RouterState slower(RandomCases &random, RouterState state) {
  const double per_byte = random.between(1, 4);
  const auto latency = random.milliseconds(300);
  const auto drawn_out = [&](Forecast &way, Duration upload) {
    const auto more = latency + from_seconds(to_seconds(upload) * (per_byte - 1));
    way.mean += more;
    way.p95 += more;
  };
  drawn_out(state.cloud_video, state.upload_video);
  drawn_out(state.cloud_audio, state.upload_audio);
  drawn_out(state.cloud_both, state.upload_video + state.upload_audio);
  state.upload_video = from_seconds(to_seconds(state.upload_video) * per_byte);
  state.upload_audio = from_seconds(to_seconds(state.upload_audio) * per_byte);
  state.round_trip += latency;
  return state;
}

// Breaks when a link that gets slower draws segments to the cloud.
TEST(Routing, ASlowerLinkNeverMovesASegmentTowardsTheCloud) {
  RandomCases random(3);
  int moved = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto input = random.input();
    const auto state = random.state();
    for (const auto policy : kPolicies) {
      const auto settings = random.settings(policy);
      for (const auto stage : kStages) {
        const auto before = route(stage, settings, input, state);
        const auto after = route(stage, settings, slower(random, input), slower(random, state));
        ASSERT_FALSE(!goes(before) && goes(after)) << before.reason << " | " << after.reason;
        moved += goes(before) && !goes(after);
      }
    }
  }
  EXPECT_GT(moved, 100) << "the cases say nothing";
}

// Breaks when the same link, as the router itself learns it and hears of it, does.
TEST(Routing, ARouterThatLearnsOfASlowerLinkSendsNoMore) {
  RandomCases random(4);
  int moved = 0;
  for (int i = 0; i < 300; ++i) {
    auto input = random.input();
    input.link.connect_time = {};
    const auto settings = random.settings(i % 2 ? msao : budget);
    Router fast(settings);
    Router slow(settings);
    const double per_byte = random.between(1e-7, 1e-6);
    const double slowness = random.between(1, 20);
    for (int call = 0; call < 40; ++call) {
      const double bytes = random.between(1e4, 2e5);
      const double service = random.between(0.1, 0.2);
      fast.cloud_answered({bytes, 10, 0.02 + bytes * per_byte + service, service, 0.02});
      slow.cloud_answered(
          {bytes, 10, slowness * (0.02 + bytes * per_byte) + service, service, 0.02 * slowness});
    }
    auto worse = input;
    worse.link.throughput_p10 /= slowness;
    worse.link.loss = random.between(0, 0.5);
    for (const auto stage : kStages) {
      const auto ask = [&](Router &router, const RouterInput &in) {
        return stage == RouteStage::plan ? router.plan(in) : router.decide(in);
      };
      const auto before = ask(fast, input);
      const auto after = ask(slow, worse);
      ASSERT_FALSE(!goes(before) && goes(after)) << before.reason << " | " << after.reason;
      moved += goes(before) && !goes(after);
    }
  }
  EXPECT_GT(moved, 10) << "the cases say nothing";
}

// Breaks when a draft that is less sure stays on the edge where a surer one went to the cloud.
TEST(Routing, LowerConfidenceNeverMovesADraftTowardsTheEdge) {
  RandomCases random(5);
  int moved = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto input = random.input();
    const auto state = random.state();
    auto less_sure = input;
    less_sure.draft_confidence = *input.draft_confidence * random.between(0, 1);
    if (input.draft_margin) less_sure.draft_margin = *input.draft_margin * random.between(0, 1);
    if (input.draft_entropy) less_sure.draft_entropy = 1 - (1 - *input.draft_entropy) * random.between(0, 1);
    for (const auto policy : kPolicies) {
      const auto settings = random.settings(policy);
      const auto before = route(RouteStage::decide, settings, input, state);
      const auto after = route(RouteStage::decide, settings, less_sure, state);
      ASSERT_FALSE(goes(before) && !goes(after)) << before.reason << " | " << after.reason;
      moved += !goes(before) && goes(after);
    }
  }
  EXPECT_GT(moved, 100) << "the cases say nothing";
}

// Breaks when a call carries what was decided to stay, or leaves at home what was decided to go.
TEST(Routing, AfterTheDraftWhatWasDecidedTravels) {
  RandomCases random(17);
  const RouterSettings settings{.policy = msao};
  for (int i = 0; i < kRounds; ++i) {
    const auto decision = route(RouteStage::decide, settings, random.input(), random.state());
    const auto cargo = cargo_of(decision, settings);
    ASSERT_EQ(cargo.video, decision.video == Destination::cloud);
    ASSERT_EQ(cargo.audio, decision.audio == Destination::cloud);
  }
}

}  // namespace
}  // namespace saccade
