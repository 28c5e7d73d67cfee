#include "sparsity/temporal_sparsity.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace saccade {
namespace {

constexpr Duration kFlickerTime = std::chrono::seconds(1);
constexpr double kMostExcursion = 16;   // luma levels; more is a change of light that somebody may ask about
constexpr std::size_t kSamples = 2048;  // cells that the median looks at
constexpr double kNoiseRate = 0.1;      // per frame
constexpr double kMostNoise = 8;        // luma levels; more is motion

// Standard deviation over the trimmed mean of |x|, lower three quarters, for normal x.
constexpr double kDeviationOfTrimmedMean = 1.94;

// A patch's difference is the largest of four means of |x|: 0.8 standard deviations each, and about 1.3 for
// the largest of a picture's. More than 1.5 is not noise.
constexpr double kNoiseFactor = 1.5;

}  // namespace

void Deflicker::forget() {
  previous_.clear();
  light_ = slow_light_ = 0;
  noise_ = 1;
}

void Deflicker::learn(std::span<const std::uint8_t> cells, StreamTime pts) {
  const std::size_t stride = std::max<std::size_t>(1, cells.size() / kSamples);
  steps_.clear();
  for (std::size_t i = 0; i < cells.size(); i += stride) {
    steps_.push_back(static_cast<std::int16_t>(cells[i] - previous_[i]));
  }
  const auto middle = steps_.begin() + static_cast<std::ptrdiff_t>(steps_.size() / 2);
  std::nth_element(steps_.begin(), middle, steps_.end());
  const int step = *middle;

  for (auto &s : steps_) s = static_cast<std::int16_t>(std::abs(s - step));
  const auto quiet = steps_.begin() + static_cast<std::ptrdiff_t>((steps_.size() * 3 + 3) / 4);
  std::nth_element(steps_.begin(), quiet - 1, steps_.end());
  double residual = 0;
  for (auto it = steps_.begin(); it != quiet; ++it) residual += *it;
  residual /= static_cast<double>(quiet - steps_.begin());

  const double seconds = std::clamp(to_seconds(pts - previous_pts_), 0.0, 1.0);
  if (residual <= 0.5 * std::abs(step) && std::abs(step) <= 2 * kMostExcursion) light_ += step;
  slow_light_ += (light_ - slow_light_) * (1 - std::exp(-seconds / to_seconds(kFlickerTime)));
  light_ = slow_light_ + std::clamp(light_ - slow_light_, -kMostExcursion, kMostExcursion);
  noise_ += kNoiseRate * (std::min(kMostNoise, kDeviationOfTrimmedMean * residual) - noise_);
}

std::span<const std::uint8_t> Deflicker::apply(std::span<const std::uint8_t> cells, StreamTime pts) {
  if (previous_.size() == cells.size()) {
    learn(cells, pts);
  } else {
    forget();
  }
  previous_.assign(cells.begin(), cells.end());
  previous_pts_ = pts;
  steady_.resize(cells.size());
  const int offset = static_cast<int>(std::lround(excursion()));
  for (std::size_t i = 0; i < cells.size(); ++i) {
    steady_[i] = static_cast<std::uint8_t>(std::clamp(cells[i] - offset, 0, 255));
  }
  return steady_;
}

void differences_to_change(std::span<float> differences, double noise, const TemporalSettings &settings) {
  const double floor = std::max(settings.noise_floor, kNoiseFactor * noise);
  const double range = std::max(1.0, settings.full_change - floor);
  for (auto &d : differences) d = static_cast<float>(std::clamp((d - floor) / range, 0.0, 1.0));
}

double temporal_sparsity(std::span<const float> change) {
  if (change.empty()) return 1;
  double sum = 0;
  for (const double d : change) sum += d;
  return 1 - sum / static_cast<double>(change.size());
}

}  // namespace saccade
