// What the gate costs per frame on one core: the fused pass alone, and everything up to the report.
//
//   build/release/tests/bench/gate_bench
//
// The argument is the picture's height at 16:9; `frames/s` is per core. The pictures are a textured street
// with noise and something that moves, three quarters of a second of it over and over, so that caches and
// branches see what a camera shows.
#include <benchmark/benchmark.h>

#include <cstdint>
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
  for (auto _ : state) {
    const auto report = gate.look(pictures[i++ % kPictures].frame(now), {});
    if (report.value().needed) gate.committed(report.value().frame, report.value().refresh, "encoder");
    now += ms(100);
  }
  state.counters["frames/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

BENCHMARK(fused_pass)->ArgsProduct({{360, 720, 1080}, {8, 32}})->Unit(benchmark::kMicrosecond);
BENCHMARK(full_report)->ArgsProduct({{360, 720, 1080}, {8, 32}})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace saccade

BENCHMARK_MAIN();
