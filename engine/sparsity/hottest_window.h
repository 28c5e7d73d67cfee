// Where in a picture a close look is worth most.
#pragma once

#include <optional>

#include "base/frame.h"
#include "base/patch_grid.h"

namespace saccade {

// The place of a window of this size (pixels, at least 1 x 1, cut to the picture) with most of a patch map's
// heat in it; among equals the one nearest to the picture's middle. Empty when the map has no heat or is not
// one of this grid, or when the window holds the whole picture.
std::optional<PixelRect> hottest_window(const PatchMap &heat, const PatchGrid &grid, int width, int height,
                                        int window_width, int window_height);

}  // namespace saccade
