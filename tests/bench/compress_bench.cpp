// What the token compressors cost on one core, by tokens and floats per token; a quarter is kept.
//
//   build/release/tests/bench/compress_bench
#include <benchmark/benchmark.h>

#include <cmath>

#include "tokens/compressor.h"

namespace saccade {
namespace {

// Neighbours look alike, as those of a picture do.
TokenSet tokens_of(int side, int dimension) {
  TokenSet set;
  set.dimension = dimension;
  set.grid = {side, side};
  set.seen = side * side;
  unsigned state = 1;
  for (int i = 0; i < set.seen; ++i) {
    const auto y = static_cast<float>(i / side);
    const auto x = static_cast<float>(i % side);
    set.positions.push_back({0, y, x});
    set.weights.push_back(1);
    for (int k = 0; k < dimension; ++k) {
      state = state * 1664525U + 1013904223U;
      const float noise = static_cast<float>(state >> 16) / 65536.0F - 0.5F;
      set.values.push_back(std::sin(0.2F * x + static_cast<float>(k)) +
                           std::cos(0.3F * y - static_cast<float>(k)) + noise);
    }
  }
  return set;
}

void compress(benchmark::State &state, std::string_view name) {
  const auto tokens = tokens_of(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const auto method = make_compressor(name);
  KeepRequest request;
  request.amount.ratio = 0.25;
  for (auto _ : state) benchmark::DoNotOptimize(method.value()->compress(tokens, request).ok());
}

}  // namespace
}  // namespace saccade

int main(int count, char **words) {
  for (const auto name : saccade::compressor_names()) {
    benchmark::RegisterBenchmark(std::string(name).c_str(),
                                 [name](benchmark::State &state) { saccade::compress(state, name); })
        ->Args({8, 576})
        ->Args({32, 1152})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
