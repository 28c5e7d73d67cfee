// Small token sets that a reader can check by hand.
#pragma once

#include <vector>

#include "tokens/token_set.h"

namespace saccade {

// One row of values per place of the grid, in reading order, each of weight 1.
inline TokenSet token_set(PatchGrid grid, const std::vector<std::vector<float>> &rows) {
  TokenSet set;
  set.grid = grid;
  set.seen = static_cast<int>(rows.size());
  set.dimension = rows.empty() ? 0 : static_cast<int>(rows.front().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    set.values.insert(set.values.end(), rows[i].begin(), rows[i].end());
    const auto columns = static_cast<std::size_t>(grid.columns);
    set.positions.push_back({0, static_cast<float>(i / columns), static_cast<float>(i % columns)});
    set.weights.push_back(1);
  }
  return set;
}

// Rows that look random but are the same on every machine.
inline TokenSet noisy_set(PatchGrid grid, int dimension) {
  unsigned state = 1;
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(grid.count()));
  for (auto &row : rows) {
    for (int k = 0; k < dimension; ++k) {
      state = state * 1664525U + 1013904223U;
      row.push_back(static_cast<float>(state >> 16) / 32768.0F - 1.0F);
    }
  }
  return token_set(grid, rows);
}

// Place of each row, row by row over the grid.
inline std::vector<int> places_of(const TokenSet &set) {
  std::vector<int> places;
  for (const auto &p : set.positions) {
    places.push_back(static_cast<int>(p.y) * set.grid.columns + static_cast<int>(p.x));
  }
  return places;
}

}  // namespace saccade
