#include "sparsity/light.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numeric>

namespace saccade {
namespace {

constexpr Duration kLastingTime = std::chrono::seconds(5);
constexpr std::size_t kSamples = 2048;  // cells that the fit looks at
constexpr double kLeastSpan =
    24;  // luma levels between dark and bright, below which no gain can be told from an offset
constexpr double kMostGain = 1.6;      // either way
constexpr double kInlier = 4;          // luma levels: explained by the light
constexpr double kLeastInliers = 0.5;  // share of the samples

}  // namespace

void LightCompensation::forget() {
  light_ = {};
  level_ = lasting_ = 0;
  started_ = false;
}

void LightCompensation::accept() {
  light_ = {};
  level_ = lasting_ = 0;
}

// In the order of the reference's brightness; by counting, since there are 256 of it.
void LightCompensation::draw_samples(std::span<const std::uint8_t> cells,
                                     std::span<const std::uint8_t> reference) {
  const std::size_t stride = std::max<std::size_t>(1, cells.size() / kSamples);
  std::array<std::size_t, 257> first{};
  for (std::size_t i = 0; i < cells.size(); i += stride) ++first[reference[i] + 1U];
  std::partial_sum(first.begin(), first.end(), first.begin());
  samples_.resize(first.back());
  for (std::size_t i = 0; i < cells.size(); i += stride) {
    samples_[first[reference[i]]++] = {reference[i], static_cast<std::int16_t>(cells[i] - reference[i])};
  }
}

// The line through the median differences of the darkest and of the brightest third.
Light LightCompensation::line() {
  const std::size_t third = samples_.size() / 3;
  const std::size_t sixth = third / 2;  // the middle of a third
  const double dark = samples_[sixth].reference;
  const double bright = samples_[samples_.size() - 1 - sixth].reference;
  if (third == 0 || bright - dark < kLeastSpan) return {};
  const double dark_difference = median_difference(0, third);
  const double slope =
      (median_difference(samples_.size() - third, third) - dark_difference) / (bright - dark);
  return {std::clamp(1 + slope, 1 / kMostGain, kMostGain), dark_difference - slope * dark};
}

double LightCompensation::median_difference(std::size_t first, std::size_t count) {
  scratch_.clear();
  for (std::size_t i = first; i < first + count; ++i) scratch_.push_back(samples_[i].difference);
  const auto middle = scratch_.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(scratch_.begin(), middle, scratch_.end());
  return *middle;
}

double LightCompensation::level_of(Light light) const {
  const std::size_t half = samples_.size() / 2;
  return (light.gain - 1) * samples_[half].reference + light.offset;
}

// What explains most: a gain and an offset; an offset alone, which an object cannot mislead that lies before
// all that is dark; or nothing.
Light LightCompensation::fit() {
  Light best;
  double most = std::max(inliers(best), kLeastInliers);
  for (const auto light : {Light{1, median_difference(0, samples_.size())}, line()}) {
    const double explained = inliers(light);
    if (explained <= most || std::abs(level_of(light)) > kMostLight) continue;
    best = light;
    most = explained;
  }
  return best;
}

// Share of the samples that this light explains.
double LightCompensation::inliers(Light light) const {
  std::size_t count = 0;
  for (const auto &s : samples_) {
    const double expected = (light.gain - 1) * s.reference + light.offset;
    count += std::abs(s.difference - expected) <= kInlier;
  }
  return static_cast<double>(count) / static_cast<double>(samples_.size());
}

void LightCompensation::follow(StreamTime pts) {
  const double seconds = started_ ? std::clamp(to_seconds(pts - last_), 0.0, 1.0) : 0;
  lasting_ += (level_ - lasting_) * (1 - std::exp(-seconds / to_seconds(kLastingTime)));
  last_ = pts;
  started_ = true;
}

std::span<const std::uint8_t> LightCompensation::pass(std::span<const std::uint8_t> cells, StreamTime pts) {
  accept();
  follow(pts);
  steady_.assign(cells.begin(), cells.end());
  return steady_;
}

std::span<const std::uint8_t> LightCompensation::apply(std::span<const std::uint8_t> cells,
                                                       std::span<const std::uint8_t> reference,
                                                       StreamTime pts) {
  draw_samples(cells, reference);
  light_ = fit();
  level_ = level_of(light_);
  follow(pts);

  std::array<std::uint8_t, 256> back;
  for (std::size_t v = 0; v < back.size(); ++v) {
    const double there = (static_cast<double>(v) - light_.offset) / light_.gain;
    back[v] = static_cast<std::uint8_t>(std::lround(std::clamp(there, 0.0, 255.0)));
  }
  steady_.resize(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const int steady = back[cells[i]];
    // A lamp or a screen has a light of its own, which the scene's does not change.
    const bool is_as_it_was = std::abs(cells[i] - reference[i]) < std::abs(steady - reference[i]);
    steady_[i] = is_as_it_was ? cells[i] : static_cast<std::uint8_t>(steady);
  }
  return steady_;
}

}  // namespace saccade
