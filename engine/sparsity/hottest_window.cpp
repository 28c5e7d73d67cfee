#include "sparsity/hottest_window.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <vector>

namespace saccade {
namespace {

// Starts of a window that begins or ends where a part does, and the one in the middle.
std::vector<int> places_of(int parts, int length, int window) {
  std::vector<int> places = {(length - window) / 2};
  for (int i = 0; i <= parts; ++i) {
    const int edge = start_of_part(i, parts, length);
    for (const int place : {edge, edge - window}) places.push_back(std::clamp(place, 0, length - window));
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

// How many of a part's pixels lie in the window.
int overlap(int part, int parts, int length, int start, int window) {
  const int first = std::max(start, start_of_part(part, parts, length));
  const int last = std::min(start + window, start_of_part(part + 1, parts, length));
  return std::max(0, last - first);
}

// Heat of each column of patches, of the rows that the window covers.
std::vector<std::int64_t> heat_of_columns(const PatchMap &heat, const PatchGrid &grid, int height, int top,
                                          int window_height) {
  std::vector<std::int64_t> columns(static_cast<std::size_t>(grid.columns));
  for (int row = 0; row < grid.rows; ++row) {
    const int inside = overlap(row, grid.rows, height, top, window_height);
    for (int column = 0; inside > 0 && column < grid.columns; ++column)
      columns[static_cast<std::size_t>(column)] +=
          std::int64_t{inside} * heat[static_cast<std::size_t>(row * grid.columns + column)];
  }
  return columns;
}

}  // namespace

std::optional<PixelRect> hottest_window(const PatchMap &heat, const PatchGrid &grid, int width, int height,
                                        int window_width, int window_height) {
  const int across = std::min(width, window_width);
  const int down = std::min(height, window_height);
  if (grid.count() <= 0 || heat.size() != static_cast<std::size_t>(grid.count())) return std::nullopt;
  if (across < 1 || down < 1 || (across == width && down == height)) return std::nullopt;

  std::tuple<std::int64_t, std::int64_t> most{0, 0};  // heat, and how near to the middle
  std::optional<PixelRect> best;
  for (const int top : places_of(grid.rows, height, down)) {
    const auto columns = heat_of_columns(heat, grid, height, top, down);
    for (const int left : places_of(grid.columns, width, across)) {
      std::int64_t inside = 0;
      for (int column = 0; column < grid.columns; ++column)
        inside +=
            columns[static_cast<std::size_t>(column)] * overlap(column, grid.columns, width, left, across);
      const std::int64_t far = std::abs(2 * left + across - width) + std::abs(2 * top + down - height);
      if (inside > 0 && (!best || std::tuple(inside, -far) > most)) {
        most = {inside, -far};
        best = PixelRect{left, top, across, down};
      }
    }
  }
  return best;
}

}  // namespace saccade
