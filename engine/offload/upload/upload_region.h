// Which part of a picture is worth sending. Pure function, safe from any thread.
#pragma once

#include <cstdint>

#include "base/frame.h"
#include "base/patch_grid.h"

namespace saccade {

struct RegionSettings {
  std::uint8_t matters = 64;   // patches of at least this value are to be seen
  int smallest_edge = 224;     // pixels; the picture's own edge where that is shorter
  double longest_shape = 2.0;  // longer edge over shorter one at most, at least 1
  double most_of_it =
      0.7;  // (0, 1]: where the part would be a larger share of the picture, all of it is sent
};

// The smallest part of a picture of width x height pixels that holds every patch that matters and one patch
// around each, grown to the least size and to the shape; then it lies towards the picture's middle. The whole
// picture when nothing matters, when `map` is not one of `grid`, and when the part is most of it. `map` is
// the gate's of activity, change or what to keep.
PixelRect upload_region(const PatchMap &map, const PatchGrid &grid, int width, int height,
                        const RegionSettings &settings = {});

}  // namespace saccade
