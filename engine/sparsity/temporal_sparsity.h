// How much each patch differs from what the encoder has seen of it, with the light's flicker and the
// camera's noise taken out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "sparsity/patch_statistics.h"

namespace saccade {

struct TemporalSettings {
  double noise_floor = 2;   // luma levels; smaller differences never count
  double full_change = 48;  // luma levels; this difference is d = 1
};

// Takes flicker out of a frame's cells: follows the median step from frame to frame, and subtracts the part
// of its sum that is faster than kFlickerTime. Slow changes of light therefore stay in the picture and reach
// the reference's comparison in the end. A step counts as light only when it explains the frame's change:
// a cut or a moving object does not. Also learns the noise that is left between two frames.
//
// Not thread-safe. No allocation after the first call with the same layout.
class Deflicker {
 public:
  // Returns the cells to compare and to keep as a reference; valid until the next call.
  std::span<const std::uint8_t> apply(std::span<const std::uint8_t> cells, StreamTime pts);

  double excursion() const { return light_ - slow_light_; }  // luma levels taken out of the last frame
  double noise() const { return noise_; }  // standard deviation of a cell between two frames, luma levels
  void forget();

 private:
  void learn(std::span<const std::uint8_t> cells, StreamTime pts);

  std::vector<std::uint8_t> previous_;
  std::vector<std::uint8_t> steady_;
  std::vector<std::int16_t> steps_;
  StreamTime previous_pts_{};
  double light_ = 0;       // sum of the median steps
  double slow_light_ = 0;  // the same, low-passed
  double noise_ = 1;
};

// d = clip((difference - n) / (full_change - n), 0, 1) per patch, n = max(noise_floor, kNoiseFactor * noise),
// with the difference of patch_differences(). Works in place on `differences`.
void differences_to_change(std::span<float> differences, double noise, const TemporalSettings &settings);

// 1 - mean d, in [0, 1].
double temporal_sparsity(std::span<const float> change);

}  // namespace saccade
