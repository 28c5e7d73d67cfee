#include "offload/jpeg_privacy.h"

#include "offload/jpeg_segments.h"

namespace saccade {

namespace {

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

}  // namespace

Result<std::vector<std::uint8_t>> jpeg_without_metadata(std::span<const std::uint8_t> jpeg) {
  const auto segments = jpeg_segments(jpeg);
  if (!segments.ok()) return segments.status();
  std::vector<std::uint8_t> kept(jpeg.begin(), jpeg.begin() + 2);
  kept.reserve(jpeg.size());
  for (const auto &segment : segments.value()) {
    if (!is_about_the_camera(segment.marker))
      kept.insert(kept.end(), segment.bytes.begin(), segment.bytes.end());
  }
  return kept;
}

}  // namespace saccade
