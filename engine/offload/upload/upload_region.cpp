#include "offload/upload/upload_region.h"

#include <algorithm>
#include <cmath>

#include "sparsity/hottest_window.h"

namespace saccade {

namespace {

struct PatchBox {
  int top, left, bottom, right;  // the last two are behind its end
};

// 1 where a patch matters or touches one that does.
PatchMap with_surroundings(const PatchMap &map, const PatchGrid &grid, std::uint8_t matters) {
  PatchMap wide(map.size());
  for (int patch = 0; patch < grid.count(); ++patch) {
    if (map[static_cast<std::size_t>(patch)] < matters) continue;
    for_patch_and_neighbours(grid, patch, [&](int around) { wide[static_cast<std::size_t>(around)] = 1; });
  }
  return wide;
}

PatchBox box_of(const PatchMap &wide, const PatchGrid &grid) {
  PatchBox box{grid.rows, grid.columns, 0, 0};
  for (int patch = 0; patch < grid.count(); ++patch) {
    if (wide[static_cast<std::size_t>(patch)] == 0) continue;
    const int row = patch / grid.columns;
    const int column = patch % grid.columns;
    box = {std::min(box.top, row), std::min(box.left, column), std::max(box.bottom, row + 1),
           std::max(box.right, column + 1)};
  }
  return box;
}

// An edge that is long enough beside the other one, within the picture.
int shaped(int edge, int other, double longest_shape, int limit) {
  const auto least = static_cast<int>(std::ceil(other / std::max(1.0, longest_shape)));
  return std::min(std::max(edge, least), limit);
}

}  // namespace

PixelRect upload_region(const PatchMap &map, const PatchGrid &grid, int width, int height,
                        const RegionSettings &settings) {
  const PixelRect whole{0, 0, width, height};
  if (grid.count() <= 0 || map.size() != static_cast<std::size_t>(grid.count())) return whole;
  const auto wide = with_surroundings(map, grid, settings.matters);
  const auto box = box_of(wide, grid);
  if (box.bottom == 0) return whole;

  const auto extent = [&](int first, int last, int parts, int length) {
    const int covered = start_of_part(last, parts, length) - start_of_part(first, parts, length);
    return std::min(std::max(covered, settings.smallest_edge), length);
  };
  const int across = extent(box.left, box.right, grid.columns, width);
  const int down = extent(box.top, box.bottom, grid.rows, height);
  const int part_width = shaped(across, down, settings.longest_shape, width);
  const int part_height = shaped(down, across, settings.longest_shape, height);
  const double share = static_cast<double>(part_width) * part_height / (static_cast<double>(width) * height);
  if (share > settings.most_of_it) return whole;
  // All heat lies in a part of that size, so the hottest part holds it all.
  return hottest_window(wide, grid, width, height, part_width, part_height).value_or(whole);
}

}  // namespace saccade
