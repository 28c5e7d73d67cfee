// JPEG to picture and back, through OpenCV. Pure functions, safe from any thread.
#pragma once

#include <cstdint>
#include <span>

#include "base/frame.h"
#include "base/status.h"
#include "offload/chat_completion.h"

namespace saccade {

// An 8K frame. A few kilobytes of JPEG may claim 65,535 x 65,535 pixels.
inline constexpr int kMostJpegPixels = 7680 * 4320;

// The picture upright, as its EXIF orientation says. corrupt when it is none; exhausted when its header
// claims more than `most_pixels`, which is looked at before anything is allocated.
Result<Image> decode_jpeg(std::span<const std::uint8_t> jpeg, int most_pixels = kMostJpegPixels);

// quality: 1 to 100; 4:2:0, no metadata. invalid_argument when the picture is empty or not rgb8.
Result<JpegBytes> encode_jpeg(const Frame &picture, int quality);

}  // namespace saccade
