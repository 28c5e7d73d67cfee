// A grid of patches cut into any number of parts of nearly the same size and shape, evenly spread: what
// `grid` takes the middles of and `downscale` the means.
#pragma once

#include "base/patch_grid.h"

namespace saccade {

class EvenCells {
 public:
  // 1 <= count <= grid.count().
  EvenCells(const PatchGrid &grid, int count);

  int cell_of(int patch) const;
  int middle_of(int cell) const;  // a patch

 private:
  int first_of(int line) const { return count_ * line / lines_; }  // cell
  int share_of(int line) const { return first_of(line + 1) - first_of(line); }

  PatchGrid grid_;
  int count_;
  int lines_;  // of cells; each has an even share of the count
};

}  // namespace saccade
