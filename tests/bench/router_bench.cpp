// What a decision costs: both questions of a segment, with the router's forecasts, by policy; and one line of
// the log.
//
//     build/release/tests/bench/router_bench
//
// The router has learnt from a hundred answers and calls, and every segment is another one. The target is at
// most 50 us per decision.
#include <benchmark/benchmark.h>

#include <vector>

#include "offload/routing/decision_log.h"
#include "offload/routing/router.h"
#include "offload_cases.h"

namespace saccade {
namespace {

constexpr std::size_t kSegments = 1024;

std::vector<RouterInput> segments() {
  test::RandomCases random(1);
  std::vector<RouterInput> inputs(kSegments);
  for (auto &input : inputs) input = random.input();
  return inputs;
}

void learn(Router &router) {
  test::RandomCases random(2);
  Answer answer;
  answer.token_log_probabilities.assign(12, -0.1F);
  answer.prompt_tokens_read = 60;
  for (int i = 0; i < 100; ++i) {
    answer.timings = {{}, random.milliseconds(300), {}, random.milliseconds(100), random.milliseconds(200),
                      {}};
    router.edge_answered(answer);
    router.cloud_answered({random.between(1e4, 2e5), random.between(1, 40), random.between(0.1, 2)});
    router.draft_judged(random.input(), random.once_in(3));
  }
}

Router learnt(OffloadPolicy policy) {
  Router router({.policy = policy, .latency_budget = std::chrono::seconds(3), .budget_per_hour = 1e8});
  learn(router);
  return router;
}

void decision(benchmark::State &state, RouteStage stage) {
  auto router = learnt(static_cast<OffloadPolicy>(state.range(0)));
  const auto inputs = segments();
  std::size_t i = 0;
  for (auto _ : state) {
    const auto &input = inputs[i++ % kSegments];
    benchmark::DoNotOptimize(stage == RouteStage::plan ? router.plan(input) : router.decide(input));
  }
}

void observation(benchmark::State &state) {
  auto router = learnt(OffloadPolicy::msao);
  for (auto _ : state) learn(router);
  state.SetItemsProcessed(state.iterations() * 100);
}

void log_line(benchmark::State &state) {
  auto router = learnt(OffloadPolicy::msao);
  const RouteRecord record{router.settings(), router.decide(segments().front())};
  for (auto _ : state) benchmark::DoNotOptimize(to_json_line(record));
}

void plan(benchmark::State &state) { decision(state, RouteStage::plan); }
void decide(benchmark::State &state) { decision(state, RouteStage::decide); }

// 0 edge, 1 cloud, 2 threshold, 3 msao, 4 budget
BENCHMARK(plan)->DenseRange(0, 4)->Unit(benchmark::kMicrosecond);
BENCHMARK(decide)->DenseRange(0, 4)->Unit(benchmark::kMicrosecond);
BENCHMARK(observation)->Unit(benchmark::kMicrosecond);
BENCHMARK(log_line)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace saccade

BENCHMARK_MAIN();
