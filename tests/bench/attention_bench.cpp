// What attention costs on one core: all queries of a picture to all its positions, one layer.
//
//   build/release/tests/bench/attention_bench
//
// The arguments are positions, heads and floats per head: SmolVLM-256M, the project's edge and cloud pairs,
// Gemma 3. `gigaops/s` counts the two products; `softmax` is the share of the time that the exponentials take
// when they are computed by themselves.
#include <benchmark/benchmark.h>

#include <chrono>
#include <random>
#include <span>
#include <vector>

#include "vision/tower/attention.h"
#include "vision/tower/row_math.h"

namespace saccade::tower {
namespace {

std::vector<float> normal_floats(int rows, int width) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width));
  for (auto &value : values) value = normal(random);
  return values;
}

double seconds_of_softmax(const AttentionShape &shape, Precision precision) {
  const auto positions = static_cast<std::size_t>(shape.positions);
  auto scores = normal_floats(kQueryRows, shape.positions);
  const std::vector<float> weights(positions, 1);
  std::vector<std::uint8_t> bytes(2 * positions);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < shape.positions * shape.heads; ++i) {
    const std::span row(&scores[static_cast<std::size_t>(i % kQueryRows) * positions], positions);
    if (precision == Precision::fp32) {
      benchmark::DoNotOptimize(exponentials(row, largest(row)));
    } else {
      benchmark::DoNotOptimize(
          exponentials_u16(row, 4, weights.data(), 100, bytes.data(), bytes.data() + positions));
    }
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void attend(benchmark::State &state, Precision precision) {
  const AttentionShape shape{static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                             static_cast<int>(state.range(2))};
  const OneThread one;
  const Attention attention(shape, precision);
  KeyValues all(shape, precision);
  const auto rows = normal_floats(shape.positions, shape.width());
  for (int p = 0; p < shape.positions; ++p) {
    const auto *row = &rows[static_cast<std::size_t>(p) * static_cast<std::size_t>(shape.width())];
    all.store(p, row, row);
  }
  auto values = attention.make_values();
  AttentionScratch scratch(shape, precision);
  std::vector<float> out(rows.size());
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    for (int head = 0; head < shape.heads; ++head) attention.pack(all, head, values);
    attention.run(rows, shape.positions, all, values, scratch, out.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / runs;
  const double work = 4e-9 * shape.positions * shape.positions * shape.width();
  state.counters["gigaops/s"] = benchmark::Counter(work * runs, benchmark::Counter::kIsRate);
  state.counters["softmax"] = seconds_of_softmax(shape, precision) / spent;
}

void shapes(benchmark::internal::Benchmark *of) {
  for (const auto &shape :
       {std::vector<std::int64_t>{1024, 12, 64}, {144, 3, 64}, {576, 3, 64}, {4096, 16, 72}})
    of->Args(shape);
  of->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(attend, fp32, Precision::fp32)->Apply(shapes);
BENCHMARK_CAPTURE(attend, int8, Precision::int8)->Apply(shapes);

}  // namespace
}  // namespace saccade::tower

BENCHMARK_MAIN();
