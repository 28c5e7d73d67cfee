#include "sparsity/motion_pace.h"

#include <cstddef>

namespace saccade {
namespace {

constexpr Duration kGoesOn = std::chrono::seconds(1);  // a motion with a shorter pause is the same one
constexpr StreamTime kNever = StreamTime::min();

}  // namespace

bool MotionPace::is_urgent(const PatchGrid &grid, std::span<const std::uint8_t> marked,
                           std::span<const std::uint8_t> moving, StreamTime now) {
  if (moved_at_.size() != marked.size()) moved_at_.assign(marked.size(), kNever);
  bool urgent = false;
  for (int p = 0; p < grid.count() && !urgent; ++p) {
    const auto i = static_cast<std::size_t>(p);
    urgent = marked[i] && (!moving[i] || !moved_around(grid, p, now - kGoesOn));
  }
  for (std::size_t i = 0; i < moved_at_.size(); ++i) {
    if (marked[i] || moving[i]) moved_at_[i] = now;
  }
  return urgent;
}

bool MotionPace::moved_around(const PatchGrid &grid, int patch, StreamTime since) const {
  bool moved = false;
  for_patch_and_neighbours(grid, patch,
                           [&](int other) { moved |= moved_at_[static_cast<std::size_t>(other)] >= since; });
  return moved;
}

}  // namespace saccade
