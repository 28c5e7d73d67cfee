#include "sparsity/temporal_sparsity.h"

#include <algorithm>
#include <cstddef>

namespace saccade {
void differences_to_change(std::span<float> differences, std::span<const float> floors,
                           const TemporalSettings &settings) {
  for (std::size_t p = 0; p < differences.size(); ++p) {
    const double range = std::max(1.0, settings.full_change - floors[p]);
    differences[p] = static_cast<float>(std::clamp((differences[p] - floors[p]) / range, 0.0, 1.0));
  }
}

double temporal_sparsity(std::span<const float> change) {
  if (change.empty()) return 1;
  double sum = 0;
  for (const double d : change) sum += d;
  return 1 - sum / static_cast<double>(change.size());
}

}  // namespace saccade
