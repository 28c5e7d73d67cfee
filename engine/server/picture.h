// Pictures out of files that came from outside. Pure functions, safe from any thread and on any bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/frame.h"
#include "base/status.h"

namespace saccade {

struct PictureSize {
  int width = 0;
  int height = 0;
};

// What the header of a JPEG (ITU-T T.81) or PNG (RFC 2083) file says, before anything is decoded; nothing
// when it is neither.
std::optional<PictureSize> picture_size(std::string_view file);

// Errors: invalid_argument (neither JPEG nor PNG, more than `most_pixels`, or it cannot be decoded).
Result<Image> decode_picture(std::string_view file, std::int64_t most_pixels);

}  // namespace saccade
