// The policies against each other, over simulated segments whose truth is known.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "offload/routing/router.h"

namespace saccade {
namespace {

constexpr int kSegments = 3000;
constexpr double kBytes = 60000;
constexpr double kTokens = 12;

// A street whose complex pictures the edge often gets wrong, and a train whose link is sometimes narrow.
class Train {
 public:
  struct Segment {
    RouterInput input;
    double confidence;
    bool draft_is_wrong;
    bool cloud_is_wrong;
    double draft_takes;
    double upload_takes;
    double cloud_takes;  // the upload left out
  };

  explicit Train(std::uint32_t seed) : random_(seed) {}

  Segment next() {
    Segment s{};
    const bool tunnel = count_++ % 300 >= 200;
    s.input.complexity = uniform();
    // Confidence is calibrated: of the answers that get 0.8, four in five are right.
    s.confidence = std::clamp(1 - s.input.complexity * 0.9 + 0.4 * (uniform() - 0.5), 0.02, 0.98);
    s.draft_is_wrong = uniform() > s.confidence;
    s.cloud_is_wrong = uniform() < 0.1;
    s.draft_takes = 0.3 + 0.2 * uniform();
    s.upload_takes = kBytes * (tunnel ? 4e-5 : 1e-6) * (0.8 + 0.4 * uniform());
    s.cloud_takes = 0.3 + 0.2 * uniform();
    s.input.cloud_linked = s.input.link_up = true;
    s.input.video_bytes = static_cast<std::size_t>(kBytes);
    return s;
  }

 private:
  double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  std::mt19937 random_;
  int count_ = 0;
};

struct Outcome {
  double cost = 0;  // mean J that was really paid
  double wrong = 0;
  double seconds = 0;
  int offloaded = 0;
};

void learn_call(Router &router, const Train::Segment &s) {
  router.cloud_answered({kBytes, kTokens, s.upload_takes + s.cloud_takes, s.cloud_takes, {}});
}

void learn_draft(Router &router, const Train::Segment &s) {
  Answer answer;
  answer.timings.encode = from_seconds(s.draft_takes - 0.15);
  answer.timings.prefill = from_seconds(0.05);
  answer.timings.decode = from_seconds(0.1);
  answer.prompt_tokens_read = 40;
  answer.token_log_probabilities.assign(static_cast<std::size_t>(kTokens), -0.1F);
  router.edge_answered(answer);
  router.draft_judged(s.input, s.confidence < 0.5);
}

Outcome ride(OffloadPolicy policy, std::uint32_t seed) {
  Router router({.policy = policy, .energy_weight = 0});
  Train train(seed);
  Outcome sum;
  for (int i = 0; i < kSegments; ++i) {
    auto s = train.next();
    double seconds = 0;
    double upload_left = s.upload_takes;
    const auto plan = router.plan(s.input);
    bool offloaded = plan.action == RouteAction::ask;
    if (!offloaded) {
      seconds += s.draft_takes;
      learn_draft(router, s);
      if (plan.action == RouteAction::edge_with_upload) {
        upload_left = std::max(0.0, upload_left - s.draft_takes);
        s.input.video_bytes = static_cast<std::size_t>(kBytes * upload_left / s.upload_takes);
      }
      s.input.draft_confidence = s.confidence;
      s.input.draft_tokens = static_cast<unsigned>(kTokens);
      offloaded = router.decide(s.input).destination == Destination::cloud;
    }
    if (offloaded) {
      seconds += upload_left + s.cloud_takes;
      learn_call(router, s);
    }
    const bool wrong = offloaded ? s.cloud_is_wrong : s.draft_is_wrong;
    sum.cost += (seconds / 2 + 2 * wrong) / kSegments;
    sum.wrong += wrong / double{kSegments};
    sum.seconds += seconds / kSegments;
    sum.offloaded += offloaded;
  }
  return sum;
}

// Breaks when comparing costs does worse than not comparing them.
TEST(Policies, ByCostPaysLessThanAnyRuleThatKnowsNoCost) {
  using enum OffloadPolicy;
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    const auto by_cost = ride(msao, seed);
    EXPECT_GT(by_cost.offloaded, kSegments / 10);
    EXPECT_LT(by_cost.offloaded, kSegments * 9 / 10);
    for (const auto policy : {edge, cloud, threshold}) {
      const auto other = ride(policy, seed);
      EXPECT_LT(by_cost.cost, 0.97 * other.cost)
          << "policy " << static_cast<int>(policy) << ": " << other.cost << " J, " << other.wrong
          << " wrong, " << other.seconds << " s; by cost: " << by_cost.wrong << " wrong, " << by_cost.seconds
          << " s";
    }
    EXPECT_LT(by_cost.wrong, ride(edge, seed).wrong);
    EXPECT_LT(by_cost.seconds, ride(threshold, seed).seconds);
  }
}

}  // namespace
}  // namespace saccade
