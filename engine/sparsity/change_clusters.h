// Patches that changed together: what happens covers neighbours, codec noise a patch here and there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/patch_grid.h"

namespace saccade {

// Sums the squared change of marked patches over each cluster of them (eight neighbours) and says how much
// the strongest cluster has: one patch that changed much is worth many that changed a little. Not
// thread-safe. No allocation after the first call with the same number of patches.
class ChangeClusters {
 public:
  // change and marked (nonzero = marked): one value per patch of the grid. 0 when nothing is marked.
  double strongest(const PatchGrid &grid, std::span<const float> change,
                   std::span<const std::uint8_t> marked);

 private:
  double take_cluster(const PatchGrid &grid, std::span<const float> change, int first);

  std::vector<std::uint8_t> left_;  // marked patches that belong to no cluster yet
  std::vector<int> border_;         // patches whose neighbours are still to be looked at
};

}  // namespace saccade
