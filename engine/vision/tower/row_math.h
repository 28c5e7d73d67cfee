// What a vision tower does to one row of floats, between its matrix products. Pure functions; a row's outputs
// may be its inputs unless a type says otherwise.
#pragma once

#include <cstdint>
#include <span>

namespace saccade::tower {

enum class Activation { gelu, gelu_erf, gelu_quick, silu };

// (x - mean) / sqrt(variance + epsilon) * weight + bias.
void layer_norm(std::span<const float> x, const float *weight, const float *bias, float epsilon, float *out);

// x / sqrt(mean of squares + epsilon) * weight.
void rms_norm(std::span<const float> x, const float *weight, float epsilon, float *out);

// GELU by its tanh form (Hendrycks and Gimpel 2016) or by erf, x * sigmoid(1.702 x), x * sigmoid(x).
void activate(Activation activation, std::span<float> x);

void add(std::span<const float> x, float *to);

// x = scale * (out - 128), with the largest |x| at 127 steps. Returns the scale; 0 for a row of zeros.
float quantise_u8(std::span<const float> x, std::uint8_t *out);
// x = scale * out, likewise; `sum` becomes that of out.
float quantise_s8(std::span<const float> x, std::int8_t *out, std::int32_t &sum);

// A product's row of sums of (u8 - 128 + 128) * s8, brought back: (sums - offsets) * scale * scales + bias.
void dequantise(std::span<const std::int32_t> sums, const std::int32_t *offsets, float scale,
                const float *scales, const float *bias, float *out);

// The largest of scale * (sums * scales - offsets), which is also written to `scores`.
float scores_of(std::span<const std::int32_t> sums, float scale, const float *scales, const float *offsets,
                float *scores);
float largest(std::span<const float> x);

// e = exp(x - most); returns their sum. `x` becomes e.
float exponentials(std::span<float> x, float most);
// The same, and e * weights * step, at most 65535, in two bytes: high and low.
float exponentials_u16(std::span<const float> x, float most, const float *weights, float step,
                       std::uint8_t *high, std::uint8_t *low);

// factor * (256 * high + low).
void join_bytes(std::span<const std::int32_t> high, const std::int32_t *low, float factor, float *out);

}  // namespace saccade::tower
