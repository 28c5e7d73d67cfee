#include "offload/routing/doubt_model.h"

#include <algorithm>
#include <cmath>

#include "offload/routing/running_mean.h"

namespace saccade {

namespace {

constexpr double kMostWeight = 8;
constexpr double kFirstStep = 0.5;
constexpr double kLastStep = 0.02;  // never smaller, so that another camera's street is learnt too
constexpr double kHalfway = 50;     // drafts until a step is half as long as the first

std::array<double, 5> terms(const SegmentFeatures &f) {
  const auto share = [](double value) { return bounded(value, 0, 1, 0.5); };
  return {1, share(f.need_of_video), share(f.need_of_audio), share(f.complexity), share(f.text_complexity)};
}

}  // namespace

double DoubtModel::operator()(const SegmentFeatures &features) const {
  const auto x = terms(features);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += weights_[i] * x[i];
  return std::clamp(1 / (1 + std::exp(-sum)), kLeast, 1 - kLeast);
}

void DoubtModel::learn(const SegmentFeatures &features, bool poor) {
  const auto x = terms(features);
  const double error = (poor ? 1.0 : 0.0) - (*this)(features);
  const double step = std::max(kLastStep, kFirstStep / (1 + static_cast<double>(seen_) / kHalfway));
  seen_ = std::min<std::size_t>(seen_ + 1, 1000000);
  for (std::size_t i = 0; i < x.size(); ++i)
    weights_[i] = std::clamp(weights_[i] + step * error * x[i], -kMostWeight, kMostWeight);
}

}  // namespace saccade
