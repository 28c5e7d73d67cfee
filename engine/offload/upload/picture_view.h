// Our pictures as OpenCV's. Internal to offload.
#pragma once

#include <opencv2/core.hpp>

#include "base/frame.h"

namespace saccade {

// A view: valid as long as the picture's memory, and only read from.
inline cv::Mat mat_of(const Frame &picture) {
  const int type = picture.format == PixelFormat::rgb8 ? CV_8UC3 : CV_8UC1;
  return {picture.height, picture.width, type, const_cast<std::uint8_t *>(picture.pixels.data()),
          picture.stride};
}

// A view that may be written to.
inline cv::Mat mat_of(Image &image) { return {image.height, image.width, CV_8UC3, image.rgb.data()}; }

}  // namespace saccade
