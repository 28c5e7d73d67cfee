#include "offload/jpeg_picture.h"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "offload/jpeg_segments.h"
#include "offload/picture_view.h"

namespace saccade {

namespace {

// SOF0 to SOF15, without the three codes among them that mean tables.
bool is_start_of_frame(std::uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Status check_size(std::span<const std::uint8_t> jpeg, int most_pixels) {
  const auto segments = jpeg_segments(jpeg);
  if (!segments.ok()) return segments.status();
  bool has_size = false;
  for (const auto &segment : segments.value()) {
    if (!is_start_of_frame(segment.marker)) continue;
    const auto bytes = segment.bytes;
    if (bytes.size() < 9) return {StatusKind::corrupt, "the JPEG's headers are damaged"};
    const int height = (bytes[5] << 8) + bytes[6];
    const int width = (bytes[7] << 8) + bytes[8];
    has_size = true;
    if (std::int64_t{width} * height > most_pixels)
      return {StatusKind::exhausted, "the JPEG claims " + std::to_string(width) + " x " +
                                         std::to_string(height) + " pixels, more than are taken"};
  }
  return has_size ? Status{} : Status(StatusKind::corrupt, "the JPEG does not say how large it is");
}

}  // namespace

Result<Image> decode_jpeg(std::span<const std::uint8_t> jpeg, int most_pixels) {
  if (auto sized = check_size(jpeg, most_pixels); !sized.ok()) return sized;
  try {
    const cv::Mat bytes(1, static_cast<int>(jpeg.size()), CV_8UC1, const_cast<std::uint8_t *>(jpeg.data()));
    const cv::Mat decoded = cv::imdecode(bytes, cv::IMREAD_COLOR);
    if (decoded.empty()) return Status(StatusKind::corrupt, "the JPEG cannot be decoded");
    return image_of(decoded);
  } catch (const cv::Exception &error) {
    return Status(StatusKind::corrupt, std::string("the JPEG cannot be decoded: ") + error.err);
  }
}

Result<JpegBytes> encode_jpeg(const Frame &picture, int quality) {
  if (picture.format != PixelFormat::rgb8 || picture.width < 1 || picture.height < 1)
    return Status(StatusKind::invalid_argument, "only pictures of RGB pixels become JPEGs");
  try {
    cv::Mat bgr;
    cv::cvtColor(mat_of(picture), bgr, cv::COLOR_RGB2BGR);
    JpegBytes jpeg;
    if (!cv::imencode(".jpg", bgr, jpeg, {cv::IMWRITE_JPEG_QUALITY, std::clamp(quality, 1, 100)}))
      return Status(StatusKind::internal, "the picture could not be encoded as JPEG");
    return jpeg;
  } catch (const cv::Exception &error) {
    return Status(StatusKind::internal,
                  std::string("the picture could not be encoded as JPEG: ") + error.err);
  }
}

}  // namespace saccade
