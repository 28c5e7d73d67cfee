// Any raw picture in system memory → a packed RGB picture of a wanted size, whatever its aspect was.
#pragma once

#include <gst/video/video.h>

#include <memory>

#include "base/frame.h"
#include "base/status.h"

namespace saccade::gst {

// GStreamer converts the colours, the engine's resize_area() the size: the converter's own filters count in
// 64ths, which is too coarse for a camera's picture at an encoder's size. Used by one thread at a time.
class RgbScaler {
 public:
  // Of the pictures to come. unsupported: caps that are no raw video in system memory.
  Status set_caps(const GstCaps *caps);

  // Its own size; the view is valid until the next call. invalid_argument: no caps yet, or a buffer that is
  // too small for them.
  Result<Frame> convert(GstBuffer *buffer);

  // Likewise, and of a size below 1 x 1.
  Result<Image> scale(GstBuffer *buffer, int width, int height);

 private:
  struct Free {
    void operator()(GstVideoConverter *converter) const { gst_video_converter_free(converter); }
  };

  GstVideoInfo in_{};
  GstVideoInfo rgb_{};  // the same size, packed
  std::unique_ptr<GstVideoConverter, Free> converter_;
  Image converted_;  // kept for its memory
};

}  // namespace saccade::gst
