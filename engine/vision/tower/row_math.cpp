#include "vision/tower/row_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/vectorised.h"

namespace saccade::tower {
namespace {

constexpr float kLog2E = 1.44269504F;
constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
constexpr float kLeastExponent = -87;  // exp of less is not a normal float
constexpr float kMostExponent = 88;

// To 2e-7 of its value; a polynomial of 2^f by Chebyshev's nodes on [-0.5, 0.5].
inline float exponential(float x) {
  const float clamped = std::min(std::max(x, kLeastExponent), kMostExponent);
  const float scaled = clamped * kLog2E;
  const float shifted = scaled + kRound;
  const float whole = shifted - kRound;
  const float f = scaled - whole;
  float p = 1.5403530e-4F;
  p = p * f + 1.3333558e-3F;
  p = p * f + 9.6181291e-3F;
  p = p * f + 5.5504109e-2F;
  p = p * f + 2.4022651e-1F;
  p = p * f + 6.9314718e-1F;
  p = p * f + 1.0F;
  const auto power = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  return p * std::bit_cast<float>((power + 127) << 23);
}

inline float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

// Abramowitz and Stegun 7.1.26, to 1.5e-7.
inline float error_function(float x) {
  const float a = std::fabs(x);
  const float t = 1.0F / (1.0F + 0.3275911F * a);
  const float p =
      ((((1.061405429F * t - 1.453152027F) * t + 1.421413741F) * t - 0.284496736F) * t + 0.254829592F) * t;
  const float y = 1.0F - p * exponential(-a * a);
  return x < 0 ? -y : y;
}

SACCADE_VECTORISED float sum_of(const float *x, std::size_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

SACCADE_VECTORISED float squared_distance(const float *x, std::size_t n, float from) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += (x[i] - from) * (x[i] - from);
  return sum;
}

SACCADE_VECTORISED void scale_and_shift(const float *x, std::size_t n, float mean, float factor,
                                        const float *weight, const float *bias, float *out) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

SACCADE_VECTORISED void gelu_tanh(float *x, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) {
    const float v = x[i];
    x[i] = v * sigmoid(1.5957691216F * v + 0.0713548163F * v * v * v);
  }
}

SACCADE_VECTORISED void gelu_erf(float *x, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) x[i] = 0.5F * x[i] * (1.0F + error_function(0.70710678F * x[i]));
}

SACCADE_VECTORISED void times_sigmoid(float *x, std::size_t n, float steepness) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] * sigmoid(steepness * x[i]);
}

// NaN when there is an infinity or a NaN among them, which a maximum would not tell.
SACCADE_VECTORISED float largest_magnitude(const float *x, std::size_t n) {
  float most = 0;
  float nothing = 0;
#pragma omp simd reduction(max : most) reduction(+ : nothing)
  for (std::size_t i = 0; i < n; ++i) {
    most = std::max(most, std::fabs(x[i]));
    nothing += 0.0F * x[i];
  }
  return most + nothing;
}

SACCADE_VECTORISED void to_u8(const float *x, std::size_t n, float steps, std::uint8_t *out) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(x[i] * steps + 128.5F));
}

SACCADE_VECTORISED std::int32_t to_s8(const float *x, std::size_t n, float steps, std::int8_t *out) {
  std::int32_t sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) {
    const auto level = static_cast<std::int32_t>(x[i] * steps + 128.5F) - 128;
    out[i] = static_cast<std::int8_t>(level);
    sum += level;
  }
  return sum;
}

// A row with an infinity or a NaN in it has no scale; its zeros do no more harm than it did.
float steps_for(float most) { return most > 0 && std::isfinite(most) ? 127.0F / most : 0.0F; }

}  // namespace

void layer_norm(std::span<const float> x, const float *weight, const float *bias, float epsilon, float *out) {
  const auto n = static_cast<float>(x.size());
  const float mean = sum_of(x.data(), x.size()) / n;
  const float variance = squared_distance(x.data(), x.size(), mean) / n;
  scale_and_shift(x.data(), x.size(), mean, 1.0F / std::sqrt(variance + epsilon), weight, bias, out);
}

void rms_norm(std::span<const float> x, const float *weight, float epsilon, float *out) {
  const float squares = squared_distance(x.data(), x.size(), 0) / static_cast<float>(x.size());
  const float factor = 1.0F / std::sqrt(squares + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = x[i] * factor * weight[i];
}

void activate(Activation activation, std::span<float> x) {
  switch (activation) {
    case Activation::gelu: return gelu_tanh(x.data(), x.size());
    case Activation::gelu_erf: return gelu_erf(x.data(), x.size());
    case Activation::gelu_quick: return times_sigmoid(x.data(), x.size(), 1.702F);
    case Activation::silu: return times_sigmoid(x.data(), x.size(), 1.0F);
  }
}

SACCADE_VECTORISED void add(std::span<const float> x, float *to) {
#pragma omp simd
  for (std::size_t i = 0; i < x.size(); ++i) to[i] += x[i];
}

float quantise_u8(std::span<const float> x, std::uint8_t *out) {
  const float steps = steps_for(largest_magnitude(x.data(), x.size()));
  if (steps == 0) {
    std::fill_n(out, x.size(), std::uint8_t{128});
    return 0;
  }
  to_u8(x.data(), x.size(), steps, out);
  return 1.0F / steps;
}

float quantise_s8(std::span<const float> x, std::int8_t *out, std::int32_t &sum) {
  const float steps = steps_for(largest_magnitude(x.data(), x.size()));
  if (steps == 0) {
    std::fill_n(out, x.size(), std::int8_t{0});
    sum = 0;
    return 0;
  }
  sum = to_s8(x.data(), x.size(), steps, out);
  return 1.0F / steps;
}

SACCADE_VECTORISED void dequantise(std::span<const std::int32_t> sums, const std::int32_t *offsets,
                                   float scale, const float *scales, const float *bias, float *out) {
#pragma omp simd
  for (std::size_t i = 0; i < sums.size(); ++i)
    out[i] = static_cast<float>(sums[i] - offsets[i]) * (scale * scales[i]) + bias[i];
}

SACCADE_VECTORISED float scores_of(std::span<const std::int32_t> sums, float scale, const float *scales,
                                   const float *offsets, float *scores) {
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float score = scale * (static_cast<float>(sums[i]) * scales[i] - offsets[i]);
    scores[i] = score;
    most = std::max(most, score);
  }
  return most;
}

SACCADE_VECTORISED float largest(std::span<const float> x) {
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (std::size_t i = 0; i < x.size(); ++i) most = x[i] > most ? x[i] : most;
  return most;
}

SACCADE_VECTORISED float exponentials(std::span<float> x, float most) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float e = exponential(x[i] - most);
    x[i] = e;
    sum += e;
  }
  return sum;
}

namespace {

constexpr std::size_t kRun = 256;  // numbers that are in a core's nearest cache between two loops

SACCADE_VECTORISED float exponential_levels(const float *x, std::size_t n, float most, const float *weights,
                                            float step, std::int32_t *levels) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) {
    const float e = exponential(x[i] - most);
    sum += e;
    levels[i] = static_cast<std::int32_t>(e * weights[i] * step);
  }
  return sum;
}

SACCADE_VECTORISED void split_bytes(const std::int32_t *levels, std::size_t n, std::uint16_t *halves,
                                    std::uint8_t *high, std::uint8_t *low) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) halves[i] = static_cast<std::uint16_t>(levels[i]);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) high[i] = static_cast<std::uint8_t>(halves[i] >> 8);
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) low[i] = static_cast<std::uint8_t>(halves[i]);
}

}  // namespace

// In loops of one width each, which compilers vectorise well; one that narrows to bytes takes twice the time.
float exponentials_u16(std::span<const float> x, float most, const float *weights, float step,
                       std::uint8_t *high, std::uint8_t *low) {
  std::int32_t levels[kRun];
  std::uint16_t halves[kRun];
  float sum = 0;
  for (std::size_t first = 0; first < x.size(); first += kRun) {
    const auto n = std::min(kRun, x.size() - first);
    sum += exponential_levels(&x[first], n, most, weights + first, step, levels);
    split_bytes(levels, n, halves, high + first, low + first);
  }
  return sum;
}

SACCADE_VECTORISED void join_bytes(std::span<const std::int32_t> high, const std::int32_t *low, float factor,
                                   float *out) {
#pragma omp simd
  for (std::size_t i = 0; i < high.size(); ++i)
    out[i] = factor * (256.0F * static_cast<float>(high[i]) + static_cast<float>(low[i]));
}

}  // namespace saccade::tower
