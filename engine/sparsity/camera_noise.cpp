#include "sparsity/camera_noise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>

namespace saccade {
namespace {

constexpr std::size_t kSamples = 2048;  // cells that the noise is measured on
constexpr double kNoiseRate = 0.1;      // per frame
constexpr float kUnrestRate = 0.04F;    // per frame

// Standard deviation over the trimmed mean of |x|, lower three quarters, for normal x.
constexpr double kDeviationOfTrimmedMean = 1.94;

// A patch's difference is the largest of four means of |x|: 0.8 standard deviations each, and about 1.3 for
// the largest of a picture's. More than 1.5 is not noise.
constexpr double kNoiseFactor = 1.5;

// Of the mean step from frame to frame: what wavers evenly reaches 2 of it now and then.
constexpr double kUnrestFactor = 2.5;

}  // namespace

void CameraNoise::forget() {
  previous_difference_.clear();
  unrest_.clear();
  noise_ = 1;
}

void CameraNoise::learn(std::span<const std::uint8_t> previous, std::span<const std::uint8_t> cells) {
  if (previous.size() != cells.size()) return;
  const std::size_t stride = std::max<std::size_t>(1, cells.size() / kSamples);
  steps_.clear();
  for (std::size_t i = 0; i < cells.size(); i += stride) {
    steps_.push_back(static_cast<std::int16_t>(cells[i] - previous[i]));
  }
  const auto middle = steps_.begin() + static_cast<std::ptrdiff_t>(steps_.size() / 2);
  std::nth_element(steps_.begin(), middle, steps_.end());
  const int light = *middle;  // what all cells have in common is no noise
  for (auto &step : steps_) step = static_cast<std::int16_t>(std::abs(step - light));
  const auto quiet = steps_.begin() + static_cast<std::ptrdiff_t>((steps_.size() * 3 + 3) / 4);
  std::nth_element(steps_.begin(), quiet - 1, steps_.end());
  double residual = 0;
  for (auto it = steps_.begin(); it != quiet; ++it) residual += *it;
  residual /= static_cast<double>(quiet - steps_.begin());
  noise_ += kNoiseRate * (std::min(kMostNoise, kDeviationOfTrimmedMean * residual) - noise_);
}

void CameraNoise::learn_unrest(std::span<const float> differences, const PatchMap &refreshed) {
  if (previous_difference_.size() != differences.size()) {
    previous_difference_.assign(differences.begin(), differences.end());
    unrest_.assign(differences.size(), 0);
  }
  for (std::size_t p = 0; p < differences.size(); ++p) {
    if (differences[p] <= kMostUnrest) {
      unrest_[p] += kUnrestRate * (std::abs(differences[p] - previous_difference_[p]) - unrest_[p]);
    }
    previous_difference_[p] = refreshed[p] ? 0 : differences[p];
  }
}

void CameraNoise::floors(double least, std::span<float> out) const {
  const double common = std::max(least, kNoiseFactor * noise_);
  for (std::size_t p = 0; p < out.size(); ++p) {
    const double own = p < unrest_.size() ? kUnrestFactor * unrest_[p] : 0;
    out[p] = static_cast<float>(std::max(common, std::min(own, kMostUnrest)));
  }
}

}  // namespace saccade
