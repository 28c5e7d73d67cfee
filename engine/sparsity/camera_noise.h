// How much a camera's picture differs from itself when nothing happens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/patch_grid.h"

namespace saccade {

// Two figures. The noise of the whole picture, from frame to frame: the sensor's, or the codec's. And the
// unrest of each patch: how its difference to the reference wavers where a camera shakes a little, leaves
// move, a screen flickers. A wavering patch needs a larger change than a calm one (per-pixel thresholds of
// PBAS, Hofmann et al. 2012, per patch). Slow drift hardly wavers and is no unrest; nor is what differs by
// more than kMostUnrest levels.
//
// Not thread-safe. No allocation after the second frame with the same number of cells and patches.
class CameraNoise {
 public:
  static constexpr double kMostNoise = 8;    // luma levels; more is motion
  static constexpr double kMostUnrest = 16;  // luma levels

  // The cells of the frame before (anything but as many when there was none) and of this one.
  void learn(std::span<const std::uint8_t> previous, std::span<const std::uint8_t> cells);
  // differences: per patch, in luma levels, to the reference; `refreshed` marks the patches whose reference
  // is about to become this frame.
  void learn_unrest(std::span<const float> differences, const PatchMap &refreshed);

  double noise() const { return noise_; }  // standard deviation of a cell between two frames, luma levels
  // Luma levels below which a patch's difference is not a change; one value per patch.
  void floors(double least, std::span<float> out) const;
  void forget();

 private:
  std::vector<std::int16_t> steps_;
  std::vector<float> previous_difference_;  // per patch
  std::vector<float> unrest_;               // per patch, luma levels
  double noise_ = 1;
};

}  // namespace saccade
