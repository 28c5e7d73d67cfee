// Figures about durations, kept in bounded memory.
#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"

namespace saccade {

// Keeps the last `capacity` durations and answers for any quantile of them.
// Not thread-safe: guard it with the lock of the object that owns it.
class DurationStatistics {
 public:
  explicit DurationStatistics(std::size_t capacity = 4096);

  void add(Duration d);
  std::size_t count() const { return total_; }  // ever added, not only those still kept
  // q in [0, 1], by the nearest rank; zero when nothing was added.
  Duration quantile(double q) const;

 private:
  std::vector<Duration> kept_;
  std::size_t capacity_;
  std::size_t next_ = 0;
  std::size_t total_ = 0;
};

}  // namespace saccade
