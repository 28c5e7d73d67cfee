#include <gtest/gtest.h>

#include "offload/cloud/link_estimate.h"
#include "offload/routing/router.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Breaks when a single lost call cuts the cloud off, or when many never do.
TEST(LinkEstimate, GoesDownAfterFailuresInARow) {
  LinkEstimate link({.failures_to_open = 3, .cool_down = seconds(5)});
  const Clock::time_point t{};
  EXPECT_TRUE(link.may_call());
  EXPECT_TRUE(link.may_call()) << "many calls may be out on a link that is trusted";
  EXPECT_FALSE(link.failed(t));
  EXPECT_FALSE(link.failed(t));
  EXPECT_FALSE(link.succeeded(milliseconds(10), {})) << "it was never down";
  EXPECT_FALSE(link.failed(t));
  EXPECT_FALSE(link.failed(t));
  EXPECT_TRUE(link.failed(t)) << "the third in a row";
  EXPECT_FALSE(link.snapshot().up);
  EXPECT_FALSE(link.may_call());
}

// Breaks when a dead link is never tried again, or by a whole herd at once.
TEST(LinkEstimate, OneCallTriesTheLinkAfterTheCoolDown) {
  LinkEstimate link({.failures_to_open = 1, .cool_down = seconds(5)});
  const Clock::time_point t{};
  EXPECT_FALSE(link.try_again(t)) << "it is up";
  EXPECT_TRUE(link.failed(t));
  EXPECT_FALSE(link.try_again(t + milliseconds(4999)));
  EXPECT_EQ(link.time_to_trial(t + seconds(2)), seconds(3));
  EXPECT_TRUE(link.try_again(t + seconds(5)));
  EXPECT_TRUE(link.snapshot().up) << "so that somebody sends";
  EXPECT_FALSE(link.failed(t)) << "a call from before the trial changes nothing";
  EXPECT_TRUE(link.may_call());
  EXPECT_FALSE(link.may_call()) << "the call on trial is out already";
  EXPECT_FALSE(link.succeeded(milliseconds(10), {})) << "it counted as up already";
  EXPECT_TRUE(link.may_call());
  EXPECT_TRUE(link.may_call()) << "it is trusted again";
}

// Breaks when an answer that was on its way is not believed to mean that the link is back.
TEST(LinkEstimate, ALateAnswerBringsTheLinkBack) {
  LinkEstimate link({.failures_to_open = 1});
  EXPECT_TRUE(link.failed({}));
  EXPECT_TRUE(link.succeeded(milliseconds(10), {}));
  EXPECT_TRUE(link.may_call());
}

// Breaks when a link that stays dead is tried at full rate, or never again after a cancelled trial.
TEST(LinkEstimate, FailedTrialsWaitLongerAndCancelledOnesMayBeRepeated) {
  LinkEstimate link({.failures_to_open = 1, .cool_down = seconds(5), .cool_down_max = seconds(12)});
  Clock::time_point t{};
  EXPECT_TRUE(link.failed(t));
  EXPECT_FALSE(link.failed(t)) << "a straggler changes nothing";
  EXPECT_EQ(link.time_to_trial(t), seconds(5));
  for (const auto wait : {seconds(10), seconds(12), seconds(12)}) {
    t += link.time_to_trial(t);
    ASSERT_TRUE(link.try_again(t));
    ASSERT_TRUE(link.may_call());
    EXPECT_TRUE(link.failed(t));
    EXPECT_EQ(link.time_to_trial(t), wait);
  }
  t += seconds(12);
  EXPECT_TRUE(link.try_again(t));
  EXPECT_TRUE(link.may_call());
  link.withdrawn();
  EXPECT_TRUE(link.may_call());
}

// Breaks when the running means ignore the past or the present, or the pace of an upload is taken from the
// whole call, in which the server works.
TEST(LinkEstimate, MeansFollowFinishedCalls) {
  LinkEstimate link({.smoothing = 0.5});
  EXPECT_FALSE(link.succeeded(seconds(1), {}));
  EXPECT_EQ(link.snapshot().throughput, 0) << "unknown";
  EXPECT_FALSE(link.succeeded(seconds(1), {1000, milliseconds(500)}));
  EXPECT_EQ(link.snapshot().round_trip, seconds(1));
  EXPECT_DOUBLE_EQ(link.snapshot().throughput, 2000);
  EXPECT_FALSE(link.succeeded(seconds(3), {9000, milliseconds(1500)}));
  EXPECT_EQ(link.snapshot().round_trip, seconds(2));
  EXPECT_DOUBLE_EQ(link.snapshot().throughput, 4000);
}

// Breaks when one slow upload in ten is lost in the mean, or is remembered for ever, or one that is over
// within a tick of the kernel's clock counts as infinitely fast.
TEST(LinkEstimate, TheP10OfThroughputIsWhatSlowUploadsGet) {
  LinkEstimate link;
  EXPECT_EQ(link.snapshot().throughput_p10, 0) << "unknown";
  for (int i = 0; i < 32; ++i) link.succeeded(seconds(20), {100000, i % 8 == 0 ? seconds(10) : seconds(1)});
  EXPECT_NEAR(link.snapshot().throughput_p10, 10000, 1);
  for (int i = 0; i < 32; ++i) link.succeeded(seconds(20), {100000, seconds(1)});
  EXPECT_NEAR(link.snapshot().throughput_p10, 100000, 1);
  link.succeeded(std::chrono::hours(100), {});
  EXPECT_NEAR(link.snapshot().throughput_p10, 100000, 1) << "a call whose upload nobody timed says nothing";
  for (int i = 0; i < 32; ++i) link.succeeded(seconds(1), {100000, {}});
  EXPECT_NEAR(link.snapshot().throughput_p10, 1e7, 1);
}

// Breaks when loss counts calls instead of attempts, never forgets, or opens the circuit breaker.
TEST(LinkEstimate, LossIsTheShareOfRecentAttemptsThatWereLost) {
  LinkEstimate link({.failures_to_open = 1});
  EXPECT_EQ(link.snapshot().loss, 0);
  link.attempted(4, 1);
  EXPECT_DOUBLE_EQ(link.snapshot().loss, 0.25);
  link.attempted(4, 3);
  EXPECT_DOUBLE_EQ(link.snapshot().loss, 0.5);
  EXPECT_TRUE(link.snapshot().up);
  for (int i = 0; i < 32; ++i) link.attempted(1, 0);
  EXPECT_EQ(link.snapshot().loss, 0);
  link.attempted(1000, 1000);
  EXPECT_EQ(link.snapshot().loss, 1);
  link.attempted(-5, 3);
  EXPECT_EQ(link.snapshot().loss, 1);
}

// Breaks when the round trip is taken from calls over a connection that was open already.
TEST(LinkEstimate, TheRoundTripComesFromConnectionsThatWereOpened) {
  LinkEstimate link({.smoothing = 0.5});
  link.connected({});
  EXPECT_EQ(link.snapshot().connect_time, Duration::zero()) << "unknown";
  link.connected(milliseconds(20));
  link.connected({});
  EXPECT_EQ(link.snapshot().connect_time, milliseconds(20));
  link.connected(milliseconds(40));
  EXPECT_EQ(link.snapshot().connect_time, milliseconds(30));
}

struct Row {
  const char *name;
  OffloadPolicy policy;
  RouterInput input;
  Destination expected;
};

RouterInput linked(RouterInput input) {
  input.cloud_linked = true;
  input.link_up = true;
  return input;
}

// Breaks when a rule of the routing table is lost, or two change places.
TEST(Router, Table) {
  using enum OffloadPolicy;
  const Row rows[] = {
      {"no cloud linked", cloud, {.link_up = true}, Destination::edge},
      {"link down, policy cloud", cloud, {.complexity = 1, .cloud_linked = true}, Destination::edge},
      {"link down, hint cloud", threshold, {.hint = Route::cloud, .cloud_linked = true}, Destination::edge},
      {"link down, doubtful draft",
       threshold,
       {.draft_confidence = 0.0, .cloud_linked = true},
       Destination::edge},
      {"policy edge beats a hint", edge, linked({.hint = Route::cloud, .complexity = 1}), Destination::edge},
      {"policy cloud beats a hint", cloud, linked({.hint = Route::local}), Destination::cloud},
      {"hint local beats complexity", threshold, linked({.hint = Route::local, .complexity = 1}),
       Destination::edge},
      {"hint cloud beats simplicity", threshold, linked({.hint = Route::cloud}), Destination::cloud},
      {"simple", threshold, linked({.complexity = 0.6}), Destination::edge},
      {"complex", threshold, linked({.complexity = 0.61}), Destination::cloud},
      {"sure of a complex one", threshold, linked({.complexity = 1, .draft_confidence = 0.5}),
       Destination::edge},
      {"unsure of a simple one", threshold, linked({.complexity = 0, .draft_confidence = 0.49}),
       Destination::cloud},
      {"no number for confidence", threshold, linked({.draft_confidence = std::stod("nan")}),
       Destination::cloud},
      {"edge busy", threshold, linked({.edge_queue = 3}), Destination::cloud},
      {"edge just not busy", threshold, linked({.edge_queue = 2}), Destination::edge},
  };
  for (const auto &row : rows) {
    Router router({.policy = row.policy,
                   .complexity_threshold = 0.6,
                   .confidence_threshold = 0.5,
                   .hysteresis = 0.05,
                   .edge_queue_limit = 2});
    const auto decision = router.decide(row.input);
    EXPECT_EQ(decision.destination, row.expected) << row.name << ": " << decision.reason;
    EXPECT_FALSE(decision.reason.empty()) << row.name;
  }
}

// Breaks when a picture right at the threshold makes the route flap from segment to segment.
TEST(Router, HysteresisKeepsTheSideUntilItIsClearlyLeft) {
  Router router({.policy = OffloadPolicy::threshold, .complexity_threshold = 0.6, .hysteresis = 0.1});
  const auto at = [&](double complexity) {
    return router.decide(linked({.complexity = complexity})).destination;
  };
  EXPECT_EQ(at(0.59), Destination::edge);
  EXPECT_EQ(at(0.61), Destination::cloud);
  EXPECT_EQ(at(0.59), Destination::cloud);
  EXPECT_EQ(at(0.51), Destination::cloud);
  EXPECT_EQ(at(0.49), Destination::edge);
  EXPECT_EQ(at(0.55), Destination::edge);
}

// Breaks when an edge without any threshold for its queue is overruled by its length.
TEST(Router, WithoutAQueueLimitTheQueueIsNotAsked) {
  EXPECT_EQ(Router().decide(linked({.edge_queue = 1000})).destination, Destination::edge);
}

}  // namespace
}  // namespace saccade
