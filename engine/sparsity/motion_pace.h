// Which of the pictures of something that goes on moving tell something new at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/patch_grid.h"
#include "base/time.h"

namespace saccade {

// A change is urgent where nothing moved lately (something begins, appears, comes in) and where it no longer
// moves (it came to rest, it has left). Between the two, motion goes on: its pictures can wait for each
// other. The idea of spending frames on the events at both ends of a motion is our own; adaptive frame
// selection for video models usually compares frames only.
//
// Not thread-safe. No allocation after the first frame with the same number of patches.
class MotionPace {
 public:
  // marked: patches that differ from the reference (nonzero = yes); moving: whether they differ from the
  // frame before. One value per patch of the grid. To be called once a frame.
  bool is_urgent(const PatchGrid &grid, std::span<const std::uint8_t> marked,
                 std::span<const std::uint8_t> moving, StreamTime now);
  void forget() { moved_at_.clear(); }

 private:
  bool moved_around(const PatchGrid &grid, int patch, StreamTime since) const;

  std::vector<StreamTime> moved_at_;  // per patch
};

}  // namespace saccade
