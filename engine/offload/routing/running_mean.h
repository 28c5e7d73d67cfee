// Figures about what was observed one after the other, safe against whatever is observed. Not thread-safe:
// guard it with the lock of the object that owns it.
#pragma once

namespace saccade {

// `value` within [least, most]; `otherwise` for what is not a number. Infinities are very large numbers.
constexpr double bounded(double value, double least, double most, double otherwise) {
  if (value != value) return otherwise;
  return value < least ? least : value > most ? most : value;
}

// An exponentially weighted mean that starts at what is believed beforehand, which counts as one observation.
// One value never counts for more than kMostFactor times what was expected, so that a process that slept for
// an hour does not spoil the estimate; a lasting change gets through, by that factor at a time.
class RunningMean {
 public:
  static constexpr double kMostFactor = 8;

  // `prior` > 0; `smoothing` in (0, 1] is the weight of the newest value once there are some.
  explicit RunningMean(double prior, double smoothing = 0.1)
      : prior_(prior), smoothing_(smoothing), mean_(prior) {}

  // Values that are negative or no numbers are not counted.
  void add(double value) {
    if (!(value >= 0)) return;
    const double most = kMostFactor * (mean_ > prior_ ? mean_ : prior_);
    ++count_;
    const double share = 1.0 / static_cast<double>(count_ + 1);
    const double weight = share > smoothing_ ? share : smoothing_;
    mean_ += weight * (bounded(value, 0, most, mean_) - mean_);
    if (count_ > kMostCounted) count_ = kMostCounted;
  }
  double mean() const { return mean_; }

 private:
  static constexpr int kMostCounted = 1000000;  // by then the smoothing alone decides

  double prior_;
  double smoothing_;
  double mean_;
  int count_ = 0;
};

}  // namespace saccade
