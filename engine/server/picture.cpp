#include "server/picture.h"

#include <cstring>
#include <exception>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

namespace saccade {
namespace {

unsigned byte(std::string_view file, std::size_t at) { return static_cast<unsigned char>(file[at]); }

int big_endian_16(std::string_view file, std::size_t at) {
  return static_cast<int>(byte(file, at) << 8 | byte(file, at + 1));
}

std::optional<PictureSize> png_size(std::string_view file) {
  constexpr std::string_view kStart("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
  if (!file.starts_with(kStart) || file.size() < kStart.size() + 8) return std::nullopt;
  // Sides beyond 16 bits are beyond every limit.
  const auto side = [&](std::size_t at) {
    return big_endian_16(file, at) > 0 ? 0x10000 : big_endian_16(file, at + 2);
  };
  return PictureSize{side(16), side(20)};
}

bool is_frame_header(unsigned marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// The frame header comes before the first scan; what lies between are segments that say how long they are.
std::optional<PictureSize> jpeg_size(std::string_view file) {
  if (!file.starts_with("\xFF\xD8\xFF")) return std::nullopt;
  for (std::size_t at = 2; at + 9 <= file.size();) {
    if (byte(file, at) != 0xFF) return std::nullopt;
    const auto marker = byte(file, at + 1);
    if (marker == 0xFF) {  // padding
      ++at;
      continue;
    }
    if (is_frame_header(marker)) return PictureSize{big_endian_16(file, at + 7), big_endian_16(file, at + 5)};
    if (marker == 0xDA || marker == 0xD9) return std::nullopt;
    at += 2 + static_cast<std::size_t>(big_endian_16(file, at + 2));
  }
  return std::nullopt;
}

Status undecodable() {
  return {StatusKind::invalid_argument,
          "a picture cannot be decoded: its file is damaged, or of a kind of JPEG or PNG that is not known"};
}

}  // namespace

std::optional<PictureSize> picture_size(std::string_view file) {
  if (const auto size = png_size(file)) return size;
  return jpeg_size(file);
}

Result<Image> decode_picture(std::string_view file, std::int64_t most_pixels) {
  const auto size = picture_size(file);
  if (!size) return Status{StatusKind::invalid_argument, "a picture is neither a JPEG nor a PNG file"};
  const auto pixels = static_cast<std::int64_t>(size->width) * size->height;
  if (pixels > most_pixels)
    return Status{StatusKind::invalid_argument,
                  "a picture of " + std::to_string(size->width) + " x " + std::to_string(size->height) +
                      " pixels is larger than this server takes, which is " + std::to_string(most_pixels) +
                      " pixels (--max-pixels). Send it smaller"};
  cv::Mat decoded;
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8U, const_cast<char *>(file.data()));
    decoded = cv::imdecode(bytes, cv::IMREAD_COLOR);
    if (!decoded.empty()) cv::cvtColor(decoded, decoded, cv::COLOR_BGR2RGB);
  } catch (const std::exception &) {
    return undecodable();
  }
  if (decoded.cols < 2 || decoded.rows < 2) return undecodable();
  Image image{decoded.cols, decoded.rows, {}};
  const auto line = static_cast<std::size_t>(image.width) * 3;
  image.rgb.resize(line * static_cast<std::size_t>(image.height));
  for (int y = 0; y < image.height; ++y)
    std::memcpy(image.rgb.data() + static_cast<std::size_t>(y) * line, decoded.ptr(y), line);
  return image;
}

}  // namespace saccade
