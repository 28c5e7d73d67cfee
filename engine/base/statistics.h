// Figures about durations, kept in bounded memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace saccade {

// Upper bounds of a histogram of durations, in seconds: from a token to the slowest answer that anybody waits
// for.
inline constexpr std::array kHistogramBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                0.25,  0.5,    1.0,   2.5,  5.0,   10.0, 30.0};

// Keeps the last `capacity` durations and answers for any quantile of them; counts all that there ever were
// in a histogram. Not thread-safe: guard it with the lock of the object that owns it.
class DurationStatistics {
 public:
  explicit DurationStatistics(std::size_t capacity = 4096);

  void add(Duration d);
  std::size_t count() const { return total_; }  // ever added, not only those still kept
  // q in [0, 1], by the nearest rank; zero when nothing was added.
  Duration quantile(double q) const;
  // How many were no longer than each of the bounds; those of the last are not all of count().
  const std::array<std::uint64_t, kHistogramBounds.size()> &histogram() const { return histogram_; }
  Duration sum() const { return sum_; }  // of all

 private:
  std::vector<Duration> kept_;
  std::size_t capacity_;
  std::size_t next_ = 0;
  std::size_t total_ = 0;
  Duration sum_{};
  std::array<std::uint64_t, kHistogramBounds.size()> histogram_{};
};

}  // namespace saccade
