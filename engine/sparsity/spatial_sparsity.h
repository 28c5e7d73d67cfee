// How much structure each patch has, and how few of the patches hold it.
#pragma once

#include <span>

#include "sparsity/patch_statistics.h"

namespace saccade {

// Activity per patch: a = 0.7 g + 0.3 v, g = the patch's mean gradient between a running 5 % and 95 %
// quantile, v = its standard deviation of luma over kFullDeviation. The lower quantile never rises over what
// noise can make, the upper one never falls under it, so that a noisy blank wall stays inactive and an evenly
// textured picture stays active (MoA-Off, arXiv 2509.16995, normalises inside one frame and gets both wrong).
//
// Sparsity S = 1 - (1 - Hoyer(a)) * max(a), Hoyer = (sqrt(P) - |a|1 / |a|2) / (sqrt(P) - 1): 1 when nothing
// is active or everything sits in one patch, 0 when all patches are equally and fully active.
//
// Not thread-safe. No allocation after the first call with the same number of patches.
class SpatialSparsity {
 public:
  // Writes `activity`, one value in [0, 1] per patch, and returns S in [0, 1].
  double measure(std::span<const PatchSums> patches, std::span<float> activity);

  void forget() { started_ = false; }

 private:
  std::vector<float> sorted_;
  bool started_ = false;
  double low_ = 0;  // running quantiles of the mean gradient
  double high_ = 0;
};

// Hoyer's sparsity of non-negative values, in [0, 1]; 1 for all zeros, 0 for a single value.
double hoyer_sparsity(std::span<const float> values);

}  // namespace saccade
