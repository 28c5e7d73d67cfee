// The parts that a JPEG file consists of. Pure function, safe from any thread and on any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace saccade {

// From its marker (0xFF and `marker`) on; in front of it may stand fill bytes that belong to nobody.
struct JpegSegment {
  std::uint8_t marker = 0;
  std::span<const std::uint8_t>
      bytes;  // marker and length included; those of the scan reach to the file's end
};

inline constexpr std::uint8_t kJpegStartOfScan = 0xDA;

// Those behind the start-of-image marker, up to the first scan, which is the last. corrupt when the bytes are
// no JPEG or end in its headers.
Result<std::vector<JpegSegment>> jpeg_segments(std::span<const std::uint8_t> jpeg);

}  // namespace saccade
