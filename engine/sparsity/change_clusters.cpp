#include "sparsity/change_clusters.h"

#include <algorithm>
#include <cstddef>

namespace saccade {

double ChangeClusters::strongest(const PatchGrid &grid, std::span<const float> change,
                                 std::span<const std::uint8_t> marked) {
  left_.assign(marked.begin(), marked.end());
  border_.reserve(left_.size());
  double most = 0;
  for (int p = 0; p < grid.count(); ++p) {
    if (left_[static_cast<std::size_t>(p)]) most = std::max(most, take_cluster(grid, change, p));
  }
  return most;
}

double ChangeClusters::take_cluster(const PatchGrid &grid, std::span<const float> change, int first) {
  double sum = 0;
  const auto take = [&](int p) {
    left_[static_cast<std::size_t>(p)] = 0;
    border_.push_back(p);
    const double c = change[static_cast<std::size_t>(p)];
    sum += c * c;
  };
  take(first);
  while (!border_.empty()) {
    const int patch = border_.back();
    border_.pop_back();
    for_patch_and_neighbours(grid, patch, [&](int other) {
      if (left_[static_cast<std::size_t>(other)]) take(other);
    });
  }
  return sum;
}

}  // namespace saccade
