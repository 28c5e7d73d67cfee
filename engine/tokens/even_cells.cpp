#include "tokens/even_cells.h"

#include <algorithm>
#include <cmath>

namespace saccade {
namespace {

// The middle of the i-th of `parts` equal parts of [0, length).
int middle_of_part(int i, int parts, int length) {
  return static_cast<int>((2LL * i + 1) * length / (2LL * parts));
}

}  // namespace

// As near to square cells as the count allows.
EvenCells::EvenCells(const PatchGrid &grid, int count) : grid_(grid), count_(count) {
  const double ideal = std::sqrt(static_cast<double>(count) * grid.rows / grid.columns);
  const int fewest = (count + grid.columns - 1) / grid.columns;
  lines_ = std::clamp(static_cast<int>(std::lround(ideal)), fewest, std::min(grid.rows, count));
}

int EvenCells::cell_of(int patch) const {
  const int line = patch / grid_.columns * lines_ / grid_.rows;
  return first_of(line) + patch % grid_.columns * share_of(line) / grid_.columns;
}

int EvenCells::middle_of(int cell) const {
  int line = 0;
  while (first_of(line + 1) <= cell) ++line;
  const int y = middle_of_part(line, lines_, grid_.rows);
  return y * grid_.columns + middle_of_part(cell - first_of(line), share_of(line), grid_.columns);
}

}  // namespace saccade
