#include "vision/resize.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <opencv2/imgproc.hpp>

namespace saccade {
namespace {

Image noise(int width, int height) {
  Image image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3))};
  unsigned state = 1;
  for (auto &value : image.rgb) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return image;
}

// If this fails, the encoder sees another picture than the model was trained on (cv2.INTER_AREA).
TEST(ResizeArea, SeesAsTheTrainingDid) {
  const struct {
    int from_width, from_height, to_width, to_height;
  } sizes[] = {{640, 360, 192, 192}, {64, 48, 16, 16}, {16, 16, 16, 16},
               {33, 17, 10, 7},      {7, 5, 7, 1},     {4, 4, 24, 24}};
  for (const auto &size : sizes) {
    auto picture = noise(size.from_width, size.from_height);
    const auto ours = resize_area(picture.view(), size.to_width, size.to_height);
    const cv::Mat from(size.from_height, size.from_width, CV_8UC3, picture.rgb.data());
    cv::Mat theirs;
    const bool shrinks = size.to_width <= size.from_width;
    cv::resize(from, theirs, {size.to_width, size.to_height}, 0, 0,
               shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
    ASSERT_EQ(ours.rgb.size(), static_cast<std::size_t>(size.to_width * size.to_height * 3));
    int worst = 0;
    for (std::size_t i = 0; i < ours.rgb.size(); ++i)
      worst = std::max(worst, std::abs(ours.rgb[i] - theirs.data[i]));
    EXPECT_LE(worst, 1) << size.from_width << " x " << size.from_height;
  }
}

// If this fails, rows that are padded in memory shear the picture.
TEST(ResizeArea, HonoursTheStride) {
  std::vector<std::uint8_t> pixels(2 * 8, 99);
  for (int i = 0; i < 3; ++i)
    pixels[static_cast<std::size_t>(i)] = pixels[static_cast<std::size_t>(8 + i)] = 10;
  const auto out = resize_area({PixelFormat::rgb8, 1, 2, 8, pixels, {}}, 1, 1);
  EXPECT_EQ(out.rgb, (std::vector<std::uint8_t>{10, 10, 10}));
}

// If this fails, a picture of a single pixel is read beyond its end.
TEST(ResizeArea, GrowsASinglePixel) {
  const Image one{1, 1, {1, 2, 3}};
  EXPECT_EQ(resize_area(one.view(), 2, 1).rgb, (std::vector<std::uint8_t>{1, 2, 3, 1, 2, 3}));
}

}  // namespace
}  // namespace saccade
