// Any raw picture in system memory → a packed RGB picture of a wanted size, whatever its aspect was.
#pragma once

#include <gst/video/video.h>

#include <memory>

#include "base/frame.h"
#include "base/status.h"

namespace saccade::gst {

// Keeps one converter for as long as caps and size stay. Filters over the whole footprint of an output
// pixel when it shrinks (cubic, anti-aliased). Used by one thread at a time.
class RgbScaler {
 public:
  // Of the pictures to come. unsupported: caps that are no raw video in system memory.
  Status set_caps(const GstCaps *caps);

  // invalid_argument: no caps yet, a size below 1 x 1, or a buffer that is too small for the caps.
  Result<Image> scale(GstBuffer *buffer, int width, int height);

 private:
  struct Free {
    void operator()(GstVideoConverter *converter) const { gst_video_converter_free(converter); }
  };

  Status prepare(int width, int height);

  GstVideoInfo in_{};
  GstVideoInfo out_{};
  std::unique_ptr<GstVideoConverter, Free> converter_;
};

}  // namespace saccade::gst
