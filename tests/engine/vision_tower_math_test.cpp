// The parts of the vision tower against plain arithmetic in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tokens_likeness.h"
#include "vision/tower/attention.h"
#include "vision/tower/linear.h"
#include "vision/tower/row_math.h"
#include "vision/tower/row_team.h"

namespace saccade::tower {
namespace {

std::vector<float> normal_floats(std::size_t count, unsigned seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (auto &value : values) value = normal(random);
  return values;
}

// If it fails, every layer starts from wrong numbers.
TEST(RowMath, NormalisesARow) {
  const auto x = normal_floats(77, 1, 5);
  const auto weight = normal_floats(77, 2);
  const auto bias = normal_floats(77, 3);
  std::vector<float> out(77);
  layer_norm(x, weight.data(), bias.data(), 1e-6F, out.data());
  double mean = 0;
  double variance = 0;
  for (const float v : x) mean += v / 77.0;
  for (const float v : x) variance += (v - mean) * (v - mean) / 77.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(out[i], (x[i] - mean) / std::sqrt(variance + 1e-6) * weight[i] + bias[i], 1e-4);
}

// If it fails, Gemma's tokens have the wrong length.
TEST(RowMath, NormalisesByTheRoot) {
  const auto x = normal_floats(50, 1, 5);
  const auto weight = normal_floats(50, 2);
  std::vector<float> out(50);
  rms_norm(x, weight.data(), 1e-6F, out.data());
  double squares = 0;
  for (const float v : x) squares += double{v} * v / 50.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(out[i], x[i] / std::sqrt(squares + 1e-6) * weight[i], 1e-5);
}

// If it fails, a model's activation is another function than the one it was trained with.
TEST(RowMath, KnowsTheActivations) {
  for (double x = -30; x <= 30; x += 0.37) {
    const auto value = [x](Activation activation) {
      float v[] = {static_cast<float>(x)};
      activate(activation, v);
      return double{v[0]};
    };
    const double tolerance = 1e-6 * (1 + std::abs(x));
    EXPECT_NEAR(value(Activation::gelu),
                0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))), tolerance);
    EXPECT_NEAR(value(Activation::gelu_erf), 0.5 * x * (1 + std::erf(x / std::sqrt(2))), tolerance);
    EXPECT_NEAR(value(Activation::gelu_quick), x / (1 + std::exp(-1.702 * x)), tolerance);
    EXPECT_NEAR(value(Activation::silu), x / (1 + std::exp(-x)), tolerance);
  }
}

// If it fails, int8 loses more than half a step, or an all-zero, infinite or NaN row writes outside bytes.
TEST(RowMath, QuantisesToHalfAStep) {
  const auto x = normal_floats(100, 4, 3);
  std::vector<std::uint8_t> bytes(100);
  const float scale = quantise_u8(x, bytes.data());
  std::vector<std::int8_t> signed_bytes(100);
  std::int32_t sum = 0;
  EXPECT_EQ(quantise_s8(x, signed_bytes.data(), sum), scale);
  std::int32_t expected_sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(x[i], scale * (static_cast<float>(bytes[i]) - 128), 0.501F * scale);
    EXPECT_EQ(signed_bytes[i], static_cast<int>(bytes[i]) - 128);
    expected_sum += signed_bytes[i];
  }
  EXPECT_EQ(sum, expected_sum);
  EXPECT_EQ(quantise_u8(std::vector<float>(100, 0), bytes.data()), 0);
  EXPECT_EQ(bytes[50], 128);
  for (const float odd : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    auto row = x;
    row[61] = odd;
    EXPECT_EQ(quantise_u8(row, bytes.data()), 0);
    EXPECT_EQ(bytes[50], 128);
    EXPECT_EQ(quantise_s8(row, signed_bytes.data(), sum), 0);
    EXPECT_EQ(sum, 0);
  }
}

// If it fails, threads do work twice, not at all, or still after share() has returned.
TEST(RowTeam, DoesEachBlockOnce) {
  for (const int size : {1, 2, 5}) {
    RowTeam team(size);
    EXPECT_EQ(team.size(), size);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(round));
      team.share(round, [&](int block, int member) {
        EXPECT_LT(member, size);
        ++done[static_cast<std::size_t>(block)];
      });
      for (const auto &count : done) EXPECT_EQ(count, 1);
    }
  }
}

class InPrecision : public testing::TestWithParam<Precision> {
 protected:
  // Of a result's cosine to the exact one, less than this is lost.
  double loss() const { return GetParam() == Precision::fp32 ? 1e-9 : 2e-4; }
};

// If it fails, a layer's product is wrong for a number of rows, a kernel is one of oneDNN's reference
// kernels, or rows disturb each other.
TEST_P(InPrecision, ALinearLayerIsWhatItSays) {
  constexpr int kInner = 100;
  constexpr int kOuter = 53;
  const auto weights = normal_floats(kInner * kOuter, 5, 0.1F);
  const auto bias = normal_floats(kOuter, 6, 0.1F);
  const Linear linear(GetParam(), weights, bias, kInner, 40);
  EXPECT_FALSE(linear.kernel().starts_with("ref")) << linear.kernel();
  for (const int rows : {1, 16, 17, 40}) {
    const auto x = normal_floats(static_cast<std::size_t>(rows * kInner), 7);
    Rows in(GetParam(), rows, kInner);
    for (int r = 0; r < rows; ++r)
      in.put(r, std::span(x).subspan(static_cast<std::size_t>(r * kInner), kInner));
    ProductScratch scratch(rows, kOuter);
    int seen = 0;
    linear.run(in, rows, scratch, [&](int r, std::span<float> found) {
      EXPECT_EQ(r, seen++);
      std::vector<float> expected(kOuter);
      for (int o = 0; o < kOuter; ++o) {
        double sum = bias[static_cast<std::size_t>(o)];
        for (int i = 0; i < kInner; ++i)
          sum += double{x[static_cast<std::size_t>(r * kInner + i)]} *
                 weights[static_cast<std::size_t>(o * kInner + i)];
        expected[static_cast<std::size_t>(o)] = static_cast<float>(sum);
      }
      EXPECT_GT(cosine(found, expected), 1 - loss()) << rows << " rows, row " << r;
    });
    EXPECT_EQ(seen, rows);
  }
}

// softmax(q k / sqrt(d)) v of one query and head, in double.
std::vector<float> attended(const AttentionShape &shape, const float *query, const std::vector<float> &keys,
                            const std::vector<float> &values) {
  std::vector<float> out;
  for (int head = 0; head < shape.heads; ++head) {
    const auto column = static_cast<std::size_t>(head * shape.head_width);
    std::vector<double> weights;
    double total = 0;
    for (int p = 0; p < shape.positions; ++p) {
      double score = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(shape.head_width); ++i)
        score += double{query[column + i]} * keys[static_cast<std::size_t>(p * shape.width()) + column + i];
      weights.push_back(std::exp(score / std::sqrt(shape.head_width)));
      total += weights.back();
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(shape.head_width); ++i) {
      double sum = 0;
      for (int p = 0; p < shape.positions; ++p)
        sum += weights[static_cast<std::size_t>(p)] / total *
               values[static_cast<std::size_t>(p * shape.width()) + column + i];
      out.push_back(static_cast<float>(sum));
    }
  }
  return out;
}

// If it fails, attention mixes heads or positions up, or 8 bits swallow the many small probabilities beside a
// large one: the first position is one that all queries look at most (a register, or "sink").
TEST_P(InPrecision, AttentionIsWhatItSays) {
  const AttentionShape shape{333, 3, 24};
  const auto width = static_cast<std::size_t>(shape.width());
  const auto positions = static_cast<std::size_t>(shape.positions);
  constexpr int kRows = kQueryRows + 9;
  auto queries = normal_floats(kRows * width, 8);
  auto keys = normal_floats(positions * width, 9);
  const auto values = normal_floats(positions * width, 10);
  for (auto &query : queries) query += 1;
  for (std::size_t i = 0; i < width; ++i) keys[i] = 1.2F;

  const Attention attention(shape, GetParam());
  KeyValues all(shape, GetParam());
  for (int p = 0; p < shape.positions; ++p)
    all.store(p, &keys[static_cast<std::size_t>(p) * width], &values[static_cast<std::size_t>(p) * width]);
  auto packed = attention.make_values();
  for (int head = 0; head < shape.heads; ++head) attention.pack(all, head, packed);
  AttentionScratch scratch(shape, GetParam());
  std::vector<float> found(queries.size());
  attention.run(queries, kRows, all, packed, scratch, found.data());
  for (std::size_t r = 0; r < kRows; ++r) {
    const auto expected = attended(shape, &queries[r * width], keys, values);
    EXPECT_GT(cosine({&found[r * width], width}, expected), 1 - 10 * loss()) << "query " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Tower, InPrecision, testing::Values(Precision::fp32, Precision::int8),
                         [](const auto &precision) {
                           return precision.param == Precision::fp32 ? "fp32" : "int8";
                         });

}  // namespace
}  // namespace saccade::tower
