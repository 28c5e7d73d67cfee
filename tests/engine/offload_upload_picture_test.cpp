// What a picture becomes before it leaves: its size, its part, and what of the faces in it is left.
#include "offload/upload/upload_picture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace saccade {
namespace {

// Every pixel another colour than its neighbours: nothing of it survives averaging.
Image noise(int width, int height) {
  Image image{width, height, {}};
  std::uint32_t state = 1;
  for (int i = 0; i < width * height * 3; ++i) {
    state = state * 1664525 + 1013904223;
    image.rgb.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return image;
}

Image flat(int width, int height, std::uint8_t level) {
  return {width, height,
          std::vector<std::uint8_t>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3,
                                    level)};
}

FindFaces faces_at(std::vector<PixelRect> faces) {
  return [faces = std::move(faces)](const Frame &) { return faces; };
}

// Standard deviation of the green values in a part of the picture.
double contrast(const Image &image, const PixelRect &part) {
  double sum = 0;
  double squares = 0;
  for (int y = part.top; y < part.top + part.height; ++y) {
    for (int x = part.left; x < part.left + part.width; ++x) {
      const double v = image.rgb[static_cast<std::size_t>((y * image.width + x) * 3 + 1)];
      sum += v;
      squares += v * v;
    }
  }
  const double n = static_cast<double>(part.width) * part.height;
  return std::sqrt(squares / n - sum / n * sum / n);
}

// If this fails, a face can be made out in what left, or the picture around it is spoilt.
TEST(BlurPlaces, LeavesNothingOfThePlaceAndEverythingElse) {
  const auto before = noise(200, 150);
  auto after = before;
  blur_places(&after, std::vector<PixelRect>{{60, 40, 40, 40}, {190, 140, 30, 30}});
  EXPECT_GT(contrast(before, {50, 30, 60, 60}), 70);
  EXPECT_LT(contrast(after, {50, 30, 60, 60}), 12) << "the margin, too";
  EXPECT_LT(contrast(after, {185, 135, 15, 15}), 25) << "at the picture's edge";
  for (int y = 0; y < 150; ++y) {
    for (int x = 0; x < 200; ++x) {
      const bool is_near = (x >= 50 && x < 110 && y >= 30 && y < 90) || (x >= 182 && y >= 132);
      const auto i = static_cast<std::size_t>((y * 200 + x) * 3);
      if (!is_near) {
        ASSERT_EQ(before.rgb[i], after.rgb[i]) << x << ", " << y;
      }
    }
  }
}

// If this fails, places that a detector may well give stop the process.
TEST(BlurPlaces, StandsPlacesOfAnyKind) {
  auto image = noise(20, 20);
  blur_places(
      &image,
      std::vector<PixelRect>{
          {0, 0, 1, 1}, {19, 19, 1, 1}, {0, 0, 20, 20}, {5, 5, 0, 0}, {-5, -5, 3, 3}, {30, 30, 5, 5}});
  EXPECT_LT(contrast(image, {0, 0, 20, 20}), 25);
}

// If this fails, the log says something else of a picture than what was done to it.
TEST(UploadPicture, CutsScalesAndSaysSo) {
  const auto picture = flat(400, 300, 90);
  const auto as_is = upload_picture(picture.view(), {});
  ASSERT_TRUE(as_is.ok()) << as_is.status().message();
  EXPECT_EQ(as_is.value().picture.rgb, picture.rgb);
  EXPECT_FALSE(as_is.value().cropped || as_is.value().scaled || as_is.value().faces_blurred);

  UploadPlan plan;
  plan.part = PixelRect{100, 60, 200, 100};
  plan.longest_edge = 50;
  plan.find_faces = faces_at({});
  const auto small = upload_picture(picture.view(), plan);
  ASSERT_TRUE(small.ok()) << small.status().message();
  EXPECT_EQ(small.value().picture.width, 50);
  EXPECT_EQ(small.value().picture.height, 25);
  EXPECT_EQ(small.value().picture.rgb, flat(50, 25, 90).rgb);
  EXPECT_TRUE(small.value().cropped && small.value().scaled);
  EXPECT_EQ(small.value().faces_blurred, 0);
  plan.part = PixelRect{0, 0, 400, 300};
  plan.longest_edge = 400;
  const auto whole = upload_picture(picture.view(), plan);
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole.value().cropped || whole.value().scaled) << "all of it is no part";
}

// If this fails, faces leave the device although they were to be blurred.
TEST(UploadPicture, FacesAreBlurredWhereTheyLieInThePart) {
  const auto picture = noise(300, 200);
  UploadPlan plan;
  plan.part = PixelRect{100, 50, 200, 150};
  plan.find_faces = faces_at({{150, 100, 40, 40}, {10, 10, 20, 20}});
  const auto upload = upload_picture(picture.view(), plan);
  ASSERT_TRUE(upload.ok()) << upload.status().message();
  EXPECT_EQ(upload.value().faces_blurred, 2);
  const auto &image = upload.value().picture;
  EXPECT_LT(contrast(image, {45, 45, 50, 50}), 15);
  EXPECT_GT(contrast(image, {120, 20, 50, 50}), 30);
  EXPECT_EQ(picture.rgb, noise(300, 200).rgb) << "the camera's own picture is not touched";
}

// If this fails, a picture whose faces could not be looked for is sent as it is.
TEST(UploadPicture, NothingIsSentWhenLookingForFacesFails) {
  UploadPlan plan;
  plan.find_faces = [](const Frame &) -> Result<std::vector<PixelRect>> {
    return Status(StatusKind::internal, "broken");
  };
  EXPECT_EQ(upload_picture(flat(40, 40, 1).view(), plan).status().message(), "broken");
}

// If this fails, what makes no sense reaches OpenCV, which throws.
TEST(UploadPicture, RefusesWhatMakesNoSense) {
  const auto picture = flat(40, 30, 1);
  for (const PixelRect part :
       {PixelRect{-1, 0, 5, 5}, {0, 0, 41, 5}, {39, 0, 2, 5}, {0, 0, 0, 0}, {0, 29, 5, 2}}) {
    UploadPlan plan;
    plan.part = part;
    EXPECT_EQ(upload_picture(picture.view(), plan).status().kind(), StatusKind::invalid_argument);
  }
  EXPECT_EQ(upload_picture({}, {}).status().kind(), StatusKind::invalid_argument);
  const std::vector<std::uint8_t> grey(16);
  EXPECT_EQ(upload_picture({PixelFormat::gray8, 4, 4, 4, grey}, {}).status().kind(),
            StatusKind::invalid_argument);
}

// --- The detector

const char *kCascades = "/usr/share/opencv4/haarcascades";

#define SKIP_WITHOUT(path, what)                           \
  if (!std::filesystem::exists(path)) {                    \
    GTEST_SKIP() << (path) << " is not there: " << (what); \
  }

// If this fails, pictures go out unblurred where OpenCV's cascades are not installed.
TEST(FaceDetector, SaysWhatIsMissing) {
  const auto missing = FaceDetector::open({.cascades = "/does/not/exist"});
  EXPECT_EQ(missing.status().kind(), StatusKind::not_found);
  EXPECT_NE(missing.status().message().find("opencv-data"), std::string::npos);
  const auto folder =
      std::filesystem::temp_directory_path() / ("saccade-cascades-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  { std::ofstream(folder / "haarcascade_frontalface_alt2.xml") << "<opencv_storage/>"; }
  EXPECT_EQ(FaceDetector::open({.cascades = folder}).status().kind(), StatusKind::corrupt);
  std::filesystem::remove_all(folder);
}

// A face as plain as can be: a bright oval on darker ground, dark eyes below darker brows, a nose, a mouth.
Image drawn_face(int width, int height, const PixelRect &face) {
  auto image = flat(width, height, 60);
  const auto spot = [](double x, double y, double cx, double cy, double rx, double ry) {
    return std::exp(-std::pow((x - cx) / rx, 4) - std::pow((y - cy) / ry, 4));
  };
  for (int py = 0; py < height; ++py) {
    for (int px = 0; px < width; ++px) {
      const double x = static_cast<double>(px - face.left) / face.width;  // 0 to 1 across the face
      const double y = static_cast<double>(py - face.top) / face.height;
      double light = 60 + 140 * spot(x, y, 0.5, 0.5, 0.42, 0.6);
      for (const double eye : {0.3, 0.7}) {
        light -= 110 * spot(x, y, eye, 0.36, 0.12, 0.05);
        light -= 50 * spot(x, y, eye, 0.26, 0.15, 0.035);
      }
      light += 25 * spot(x, y, 0.5, 0.48, 0.05, 0.16);
      light -= 40 * spot(x, y, 0.5, 0.64, 0.1, 0.03);
      light -= 80 * spot(x, y, 0.5, 0.79, 0.2, 0.045);
      const auto level = static_cast<std::uint8_t>(std::clamp(light, 0.0, 255.0));
      std::fill_n(image.rgb.begin() + (py * width + px) * 3, 3, level);
    }
  }
  return image;
}

// If this fails, the cascades are not asked properly: places are mirrored, scaled wrongly, or none are given.
TEST(FaceDetector, FindsADrawnFaceWhereItIs) {
  SKIP_WITHOUT(kCascades, "install Debian's package opencv-data");
  for (const int looked_at : {1280, 300}) {
    auto detector = FaceDetector::open({.looked_at_edge = looked_at});
    ASSERT_TRUE(detector.ok()) << detector.status().message();
    const auto none = detector.value().find(flat(200, 200, 128).view());
    ASSERT_TRUE(none.ok());
    EXPECT_TRUE(none.value().empty());
    const PixelRect face{380, 60, 120, 120};
    const auto found = detector.value().find(drawn_face(600, 300, face).view());
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found.value().size(), 1U);
    const auto &place = found.value()[0];
    EXPECT_NEAR(place.left + place.width / 2, 440, 15);
    EXPECT_NEAR(place.top + place.height / 2, 120, 20);
    EXPECT_GE(place.width, 80);
    EXPECT_LE(place.width, 240) << "what the profile's cascade sees in it is merged with it";
    EXPECT_EQ(detector.value().find({}).status().kind(), StatusKind::invalid_argument);
  }
}

// The faces of the project's photographs, labelled by hand: middle and size in pixels, from 20 pixels on.
struct Labelled {
  const char *file;
  std::vector<std::array<int, 3>> faces;
};
const std::vector<Labelled> &labelled() {
  static const std::vector<Labelled> all = {
      {"000000000785.jpg", {{373, 76, 34}}},
      {"000000000872.jpg", {{218, 184, 44}, {362, 134, 40}}},
      {"000000000885.jpg", {{372, 212, 26}, {378, 112, 22}, {630, 44, 24}}},
      {"000000001000.jpg",
       {{311, 126, 32},
        {240, 148, 28},
        {457, 138, 36},
        {250, 199, 28},
        {381, 186, 34},
        {436, 199, 40},
        {481, 254, 48},
        {163, 172, 28},
        {76, 206, 30},
        {379, 141, 28},
        {420, 143, 28},
        {574, 219, 44}}},
      {"000000001296.jpg", {{238, 205, 150}}},
      {"000000004134.jpg", {{196, 128, 90}, {408, 120, 95}, {31, 128, 24}, {617, 136, 26}, {496, 124, 30}}},
      {"000000005001.jpg",
       {{50, 60, 34},
        {208, 68, 42},
        {99, 145, 46},
        {163, 118, 40},
        {260, 97, 36},
        {317, 70, 36},
        {291, 133, 44},
        {373, 79, 28},
        {451, 57, 28},
        {484, 69, 34},
        {559, 68, 24},
        {427, 155, 46},
        {137, 288, 46},
        {289, 303, 44}}},
      {"000000007281.jpg", {{439, 147, 20}, {476, 139, 22}}},
      {"000000008021.jpg", {{316, 140, 52}}},
      {"000000008690.jpg", {{304, 122, 95}, {440, 160, 80}, {139, 26, 28}}},
      {"000000008844.jpg", {{486, 128, 74}}},
      {"000000009483.jpg", {{110, 100, 40}, {334, 100, 30}}},
      {"000000010707.jpg", {{343, 176, 46}, {427, 243, 44}}},
      {"000000011051.jpg", {{240, 120, 110}, {545, 190, 105}}},
  };
  return all;
}

// If this fails, the figures that face_detector.h gives for what is found are no longer true.
TEST(FaceDetector, FindsWhatItsHeaderSays) {
  const char *named = std::getenv("SACCADE_DATA_DIR");
  const auto photos = std::filesystem::path(named ? named : SACCADE_DATA_BESIDE) / "photos" / "coco_free";
  SKIP_WITHOUT(kCascades, "install Debian's package opencv-data");
  SKIP_WITHOUT(photos, "name the folder that has photos/ in SACCADE_DATA_DIR");
  auto detector = FaceDetector::open();
  ASSERT_TRUE(detector.ok()) << detector.status().message();
  int faces = 0, found = 0, large = 0, large_found = 0;
  for (const auto &photo : labelled()) {
    cv::Mat picture = cv::imread(photos / photo.file);
    ASSERT_FALSE(picture.empty()) << photo.file;
    cv::cvtColor(picture, picture, cv::COLOR_BGR2RGB);
    const auto places =
        detector.value().find({PixelFormat::rgb8,
                               picture.cols,
                               picture.rows,
                               picture.step,
                               {picture.data, static_cast<std::size_t>(picture.rows) * picture.step}});
    ASSERT_TRUE(places.ok());
    // In noise everything that blur_places() touches becomes something else.
    auto changed = noise(picture.cols, picture.rows);
    const auto before = changed;
    blur_places(&changed, places.value());
    for (const auto &[x, y, size] : photo.faces) {
      // Nine tenths of the middle of the face must have changed.
      int pixels = 0, same = 0;
      for (int v = y - size * 2 / 5; v < y + size * 2 / 5; ++v) {
        for (int u = std::max(0, x - size * 2 / 5); u < std::min(changed.width, x + size * 2 / 5); ++u) {
          const auto i = static_cast<std::size_t>((v * changed.width + u) * 3);
          ++pixels;
          same += std::equal(&changed.rgb[i], &changed.rgb[i] + 3, &before.rgb[i]) ? 1 : 0;
        }
      }
      const bool covered = same * 10 <= pixels;
      ++faces;
      found += covered ? 1 : 0;
      large += size >= 40 ? 1 : 0;
      large_found += size >= 40 && covered ? 1 : 0;
    }
  }
  std::printf("%d of %d faces are covered, %d of %d of at least 40 pixels\n", found, faces, large_found,
              large);
  EXPECT_EQ(faces, 51);
  EXPECT_EQ(large, 24);
  EXPECT_NEAR(found, 31, 1) << "another release of OpenCV may find one more or less";
  EXPECT_NEAR(large_found, 18, 1);
}

}  // namespace
}  // namespace saccade
