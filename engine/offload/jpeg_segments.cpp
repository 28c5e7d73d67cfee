#include "offload/jpeg_segments.h"

namespace saccade {

namespace {

constexpr std::uint8_t kStartOfImage = 0xD8;
constexpr std::uint8_t kEndOfImage = 0xD9;

Status corrupt(const char *what) { return {StatusKind::corrupt, what}; }

}  // namespace

Result<std::vector<JpegSegment>> jpeg_segments(std::span<const std::uint8_t> jpeg) {
  if (jpeg.size() < 4 || jpeg[0] != 0xFF || jpeg[1] != kStartOfImage)
    return corrupt("the picture is no JPEG");
  std::vector<JpegSegment> segments;
  std::size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    if (jpeg[at] != 0xFF) return corrupt("the JPEG's headers are damaged");
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    if (marker == kEndOfImage) break;
    const std::size_t size = 2 + (static_cast<std::size_t>(jpeg[at + 2]) << 8) + jpeg[at + 3];
    if (size < 4 || size > jpeg.size() - at) return corrupt("the JPEG ends inside its headers");
    if (marker == kJpegStartOfScan) {
      segments.push_back({marker, jpeg.subspan(at)});
      return segments;
    }
    segments.push_back({marker, jpeg.subspan(at, size)});
    at += size;
  }
  return corrupt("the JPEG holds no picture");
}

}  // namespace saccade
