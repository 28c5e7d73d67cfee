// The grid that every room shares: one patch is the footprint of one encoder output token.
#pragma once

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

// One value per patch, row by row; 0 = none, 255 = most. Empty when unknown.
using PatchMap = std::vector<std::uint8_t>;

}  // namespace saccade
