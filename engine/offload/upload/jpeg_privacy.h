// What a JPEG tells besides its picture. Pure function, safe from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace saccade {

// A copy of `jpeg` without what cameras write beside the picture: EXIF, XMP and maker notes with place, time
// and serial number, and comments. What decoding needs stays: JFIF (APP0), colour profile (APP2), Adobe's
// colour transform (APP14). The picture is not decoded again. corrupt when the bytes are no JPEG or end in
// its headers.
Result<std::vector<std::uint8_t>> jpeg_without_metadata(std::span<const std::uint8_t> jpeg);

}  // namespace saccade
