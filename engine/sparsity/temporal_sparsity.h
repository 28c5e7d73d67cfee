// How much each patch differs from what the encoder has seen of it, with the camera's noise taken out.
#pragma once

#include <span>

namespace saccade {

struct TemporalSettings {
  double noise_floor = 2;   // luma levels; smaller differences never count
  double full_change = 48;  // luma levels; this difference is d = 1
};

// d = clip((difference - floor) / (full_change - floor), 0, 1) per patch, with the difference of
// patch_differences() and a floor in luma levels for each patch. Works in place on `differences`.
void differences_to_change(std::span<float> differences, std::span<const float> floors,
                           const TemporalSettings &settings);

// 1 - mean d, in [0, 1].
double temporal_sparsity(std::span<const float> change);

}  // namespace saccade
