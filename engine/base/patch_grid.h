// The grid that every room shares: one patch is the footprint of one encoder output token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace saccade {

struct PatchGrid {
  int rows = 0;
  int columns = 0;

  int count() const { return rows * columns; }
  bool operator==(const PatchGrid &) const = default;
};

// Where the i-th of `parts` equal parts of `length` pixels begins; the end of the last for i = parts.
constexpr int start_of_part(int i, int parts, int length) {
  return static_cast<int>(std::int64_t{i} * length / parts);
}

// Calls visit(patch) for the patch and those around it that the grid has, corners too.
template <typename Visit>
void for_patch_and_neighbours(const PatchGrid &grid, int patch, const Visit &visit) {
  const int row = patch / grid.columns;
  const int column = patch % grid.columns;
  for (int y = std::max(0, row - 1); y <= std::min(grid.rows - 1, row + 1); ++y) {
    for (int x = std::max(0, column - 1); x <= std::min(grid.columns - 1, column + 1); ++x) {
      visit(y * grid.columns + x);
    }
  }
}

// One value per patch, row by row; 0 = none, 255 = most. Empty when unknown.
using PatchMap = std::vector<std::uint8_t>;

}  // namespace saccade
