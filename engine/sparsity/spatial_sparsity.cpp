#include "sparsity/spatial_sparsity.h"

#include <algorithm>
#include <cmath>

namespace saccade {
namespace {

constexpr double kNoiseGradient = 3;       // levels per pixel that a camera's noise makes on a blank wall
constexpr double kStructureGradient = 12;  // levels per pixel that surely are structure
constexpr double kFullDeviation = 40;  // levels; half of what a black and white chequerboard has at 1/3 duty
constexpr double kQuantileRate = 0.1;  // of the running quantiles, per frame

}  // namespace

double hoyer_sparsity(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const double v : values) {
    sum += v;
    squares += v * v;
  }
  if (squares <= 0) return 1;
  const double root = std::sqrt(static_cast<double>(values.size()));
  if (values.size() < 2) return 0;
  return std::clamp((root - sum / std::sqrt(squares)) / (root - 1), 0.0, 1.0);
}

double SpatialSparsity::measure(std::span<const PatchSums> patches, std::span<float> activity) {
  sorted_.resize(patches.size());
  for (std::size_t p = 0; p < patches.size(); ++p)
    sorted_[p] = static_cast<float>(patches[p].mean_gradient());
  std::sort(sorted_.begin(), sorted_.end());
  const auto at = [&](double q) {
    return static_cast<double>(
        sorted_[static_cast<std::size_t>(q * static_cast<double>(sorted_.size() - 1))]);
  };
  const double rate = started_ ? kQuantileRate : 1.0;
  low_ += rate * (at(0.05) - low_);
  high_ += rate * (at(0.95) - high_);
  started_ = true;

  const double low = std::min(low_, kNoiseGradient);
  const double high = std::max(high_, kStructureGradient);
  float most = 0;
  for (std::size_t p = 0; p < patches.size(); ++p) {
    const double g = std::clamp((patches[p].mean_gradient() - low) / (high - low), 0.0, 1.0);
    const double v = std::min(1.0, patches[p].deviation() / kFullDeviation);
    activity[p] = static_cast<float>(0.7 * g + 0.3 * v);
    most = std::max(most, activity[p]);
  }
  return 1 - (1 - hoyer_sparsity(activity)) * most;
}

}  // namespace saccade
