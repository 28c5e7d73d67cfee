#include "offload/upload/upload_picture.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "offload/upload/picture_view.h"

namespace saccade {

namespace {

constexpr double kMargin = 0.25;
constexpr int kCells = 6;

cv::Rect with_margin(const PixelRect &place, const cv::Size &picture) {
  const int across = static_cast<int>(std::lround(place.width * kMargin));
  const int down = static_cast<int>(std::lround(place.height * kMargin));
  const cv::Rect wide(place.left - across, place.top - down, place.width + 2 * across,
                      place.height + 2 * down);
  return wide & cv::Rect({}, picture);
}

Image copy_of(const Frame &picture) {
  Image copy{picture.width, picture.height, {}};
  copy.rgb.resize(static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3);
  cv::Mat pixels = mat_of(copy);
  mat_of(picture).copyTo(pixels);
  return copy;
}

bool is_within(const PixelRect &part, const Frame &picture) {
  return part.left >= 0 && part.top >= 0 && part.width >= 1 && part.height >= 1 &&
         part.width <= picture.width - part.left && part.height <= picture.height - part.top;
}

Image scaled_to(const Frame &picture, double factor) {
  Image small{std::max(1, static_cast<int>(std::lround(picture.width * factor))),
              std::max(1, static_cast<int>(std::lround(picture.height * factor))),
              {}};
  small.rgb.resize(static_cast<std::size_t>(small.width) * static_cast<std::size_t>(small.height) * 3);
  cv::Mat pixels = mat_of(small);
  cv::resize(mat_of(picture), pixels, pixels.size(), 0, 0, cv::INTER_AREA);
  return small;
}

Result<UploadPicture> prepared(const Frame &picture, const UploadPlan &plan) {
  UploadPicture upload;
  Image blurred;
  Frame shown = picture;
  if (plan.find_faces) {
    auto faces = plan.find_faces(picture);
    if (!faces.ok()) return faces.status();
    upload.faces_blurred = static_cast<int>(faces.value().size());
    if (!faces.value().empty()) {
      blurred = copy_of(picture);
      blur_places(&blurred, faces.value());
      shown = blurred.view(picture.pts);
    }
  }
  if (plan.part) {
    upload.cropped = plan.part->width < picture.width || plan.part->height < picture.height;
    shown = shown.part(*plan.part);
  }
  const int edge = std::max(shown.width, shown.height);
  upload.scaled = plan.longest_edge > 0 && edge > plan.longest_edge;
  upload.picture =
      upload.scaled ? scaled_to(shown, static_cast<double>(plan.longest_edge) / edge) : copy_of(shown);
  return upload;
}

}  // namespace

void blur_places(Image *picture, std::span<const PixelRect> places) {
  cv::Mat pixels = mat_of(*picture);
  for (const auto &place : places) {
    const auto wide = with_margin(place, pixels.size());
    if (wide.empty()) continue;
    cv::Mat spot = pixels(wide);
    cv::Mat cells;
    cv::resize(spot, cells, {std::min(kCells, wide.width), std::min(kCells, wide.height)}, 0, 0,
               cv::INTER_AREA);
    cv::Mat coarse;
    cv::resize(cells, coarse, wide.size(), 0, 0, cv::INTER_NEAREST);
    const double cell = static_cast<double>(std::max(wide.width, wide.height)) / kCells;
    cv::GaussianBlur(coarse, spot, {}, std::max(1.0, cell / 2), 0, cv::BORDER_REPLICATE);
  }
}

Result<UploadPicture> upload_picture(const Frame &picture, const UploadPlan &plan) {
  if (picture.format != PixelFormat::rgb8 || picture.width < 1 || picture.height < 1)
    return Status(StatusKind::invalid_argument, "only pictures of RGB pixels are made ready to be sent");
  if (plan.part && !is_within(*plan.part, picture))
    return Status(StatusKind::invalid_argument, "the part to be sent does not lie within the picture");
  try {
    return prepared(picture, plan);
  } catch (const cv::Exception &error) {
    return Status(StatusKind::internal, std::string("the picture could not be made ready: ") + error.err);
  }
}

}  // namespace saccade
