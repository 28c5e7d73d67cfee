// Pictures at the size that an encoder wants.
#pragma once

#include "base/frame.h"

namespace saccade {

// An rgb8 picture at another size, whatever its aspect. Where it shrinks, an output pixel is the mean of
// the area that it covers, parts of pixels included; where it grows, it is interpolated linearly between
// pixel centres. This is how the shipped model was trained to see. All sizes must be at least 1.
Image resize_area(const Frame &rgb, int width, int height);

}  // namespace saccade
