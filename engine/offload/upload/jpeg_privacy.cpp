#include "offload/upload/jpeg_privacy.h"

namespace saccade {

namespace {

constexpr std::uint8_t kStartOfImage = 0xD8;
constexpr std::uint8_t kEndOfImage = 0xD9;
constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::uint8_t kApp0 = 0xE0;
constexpr std::uint8_t kApp2 = 0xE2;
constexpr std::uint8_t kApp14 = 0xEE;
constexpr std::uint8_t kApp15 = 0xEF;
constexpr std::uint8_t kComment = 0xFE;

bool is_about_the_camera(std::uint8_t marker) {
  if (marker == kComment) return true;
  const bool is_application = marker >= kApp0 && marker <= kApp15;
  return is_application && marker != kApp0 && marker != kApp2 && marker != kApp14;
}

Status corrupt(const char *what) { return {StatusKind::corrupt, what}; }

}  // namespace

Result<std::vector<std::uint8_t>> jpeg_without_metadata(std::span<const std::uint8_t> jpeg) {
  if (jpeg.size() < 4 || jpeg[0] != 0xFF || jpeg[1] != kStartOfImage)
    return corrupt("the picture is no JPEG");
  std::vector<std::uint8_t> kept(jpeg.begin(), jpeg.begin() + 2);
  kept.reserve(jpeg.size());
  const auto keep = [&](std::size_t from, std::size_t size) {
    const auto part = jpeg.subspan(from, size);
    kept.insert(kept.end(), part.begin(), part.end());
  };
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
    if (marker == kStartOfScan) {  // the picture itself, to the end
      keep(at, jpeg.size() - at);
      return kept;
    }
    if (!is_about_the_camera(marker)) keep(at, size);
    at += size;
  }
  return corrupt("the JPEG holds no picture");
}

}  // namespace saccade
