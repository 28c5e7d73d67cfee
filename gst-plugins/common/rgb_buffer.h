// A picture → a buffer of packed RGB.
#pragma once

#include <gst/video/video.h>

#include "base/frame.h"
#include "common/pointers.h"

namespace saccade::gst {

// `info`: RGB of the image's size. A copy; GStreamer pads rows to four bytes, which Image's are not. Null
// where its memory cannot be written.
BufferPtr rgb_buffer(const Image &image, const GstVideoInfo &info);

}  // namespace saccade::gst
