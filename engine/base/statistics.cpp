#include "base/statistics.h"

#include <algorithm>
#include <cmath>

namespace saccade {

DurationStatistics::DurationStatistics(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {
  kept_.reserve(std::min<std::size_t>(capacity_, 256));
}

void DurationStatistics::add(Duration d) {
  if (kept_.size() < capacity_) {
    kept_.push_back(d);
  } else {
    kept_[next_] = d;
    next_ = (next_ + 1) % capacity_;
  }
  ++total_;
  sum_ += d;
  for (std::size_t i = 0; i < histogram_.size(); ++i)
    if (to_seconds(d) <= kHistogramBounds[i]) ++histogram_[i];
}

Duration DurationStatistics::quantile(double q) const {
  if (kept_.empty()) return Duration::zero();
  auto sorted = kept_;
  const auto last = static_cast<double>(sorted.size() - 1);
  const auto rank = static_cast<std::size_t>(std::lround(std::clamp(q, 0.0, 1.0) * last));
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(rank), sorted.end());
  return sorted[rank];
}

}  // namespace saccade
