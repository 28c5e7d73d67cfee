// What the gate costs per frame on one core: the fused pass alone, and everything up to the report.
//
//   build/release/tests/bench/gate_bench
//
// The arguments are the picture's height at 16:9 and the patches per side; `frames/s` is per core, `p95_us`
// what 95 of 100 frames stay below, in microseconds of the thread's own time. The pictures are a textured
// street with noise and something that moves, three quarters of a second of it over and over, so that caches
// and branches see what a camera shows.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

#include "sparsity/mas_gate.h"
#include "sparsity_pictures.h"

namespace saccade {
namespace {

using test::ms;
using test::Picture;

constexpr int kPictures = 8;

std::vector<Picture> street(int height) {
  const int width = height * 16 / 9;
  std::vector<Picture> pictures;
  for (int i = 0; i < kPictures; ++i) {
    auto picture = Picture(width, height).stripes(height / 24, 60, 160);
    picture.fill(width / 2 + i * height / 60, height / 2, height / 12, height / 4, 220);
    pictures.push_back(picture.noise(4, static_cast<std::uint32_t>(i)));
  }
  return pictures;
}

double thread_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double p95(std::vector<double> &values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 95 / 100);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

void fused_pass(benchmark::State &state) {
  const auto pictures = street(static_cast<int>(state.range(0)));
  const auto side = static_cast<int>(state.range(1));
  PatchStatistics statistics;
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(statistics.measure(pictures[i++ % kPictures].frame(), {side, side}).ok());
  }
  state.counters["frames/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void full_report(benchmark::State &state) {
  const auto pictures = street(static_cast<int>(state.range(0)));
  const auto side = static_cast<int>(state.range(1));
  MasGate gate({.grid = {side, side}, .question = "Is anybody there?"});
  StreamTime now{};
  std::size_t i = 0;
  std::vector<double> took;
  took.reserve(static_cast<std::size_t>(state.max_iterations));
  for (auto _ : state) {
    const double begin = thread_microseconds();
    const auto report = gate.look(pictures[i++ % kPictures].frame(now), {});
    if (report.value().needed) gate.committed(report.value().frame, report.value().refresh, "encoder");
    now += ms(100);
    took.push_back(thread_microseconds() - begin);
  }
  state.counters["p95_us"] = p95(took);
  state.counters["frames/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

BENCHMARK(fused_pass)->ArgsProduct({{360, 720, 1080}, {8, 32}})->Unit(benchmark::kMicrosecond);
BENCHMARK(full_report)->ArgsProduct({{360, 720, 1080}, {8, 32}})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace saccade

BENCHMARK_MAIN();
