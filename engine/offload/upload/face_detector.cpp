#include "offload/upload/face_detector.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "offload/upload/picture_view.h"

namespace saccade {

namespace {

constexpr double kScaleStep = 1.1;
// Overlapping hits that make a face. Fewer than OpenCV's 3: a face too many blurred costs less than one too
// few.
constexpr int kLeastHits = 2;

Status load(const std::filesystem::path &file, cv::CascadeClassifier *cascade) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return {StatusKind::not_found,
            "cannot look for faces: \"" + file.string() +
                "\" is missing. Install Debian's package opencv-data, or name the folder "
                "with OpenCV's haarcascades"};
  if (!cascade->load(file.string()))
    return {StatusKind::corrupt, "cannot look for faces: \"" + file.string() +
                                     "\" is no cascade. Install Debian's package opencv-data again"};
  return {};
}

bool overlap(const cv::Rect &a, const cv::Rect &b) {
  return 2 * (a & b).area() > std::min(a.area(), b.area());
}

// Those that overlap become the box around them.
void merge_overlapping(std::vector<cv::Rect> *faces) {
  for (std::size_t i = 0; i < faces->size(); ++i) {
    for (std::size_t j = i + 1; j < faces->size(); ++j) {
      if (!overlap((*faces)[i], (*faces)[j])) continue;
      (*faces)[i] |= (*faces)[j];
      faces->erase(faces->begin() + static_cast<std::ptrdiff_t>(j));
      j = i;  // it has grown: look at all behind it again
    }
  }
}

}  // namespace

struct FaceDetector::Cascades {
  FaceSettings settings;
  cv::CascadeClassifier frontal;
  cv::CascadeClassifier profile;  // of faces that look to the left

  std::vector<cv::Rect> hits(cv::CascadeClassifier &cascade, const cv::Mat &grey) const {
    std::vector<cv::Rect> found;
    const int least = settings.smallest_face;
    cascade.detectMultiScale(grey, found, kScaleStep, kLeastHits, 0, {least, least});
    return found;
  }

  std::vector<cv::Rect> find(const cv::Mat &grey) {
    auto faces = hits(frontal, grey);
    const auto left = hits(profile, grey);
    faces.insert(faces.end(), left.begin(), left.end());
    cv::Mat mirrored;
    cv::flip(grey, mirrored, 1);
    for (auto right : hits(profile, mirrored)) {
      right.x = grey.cols - right.x - right.width;
      faces.push_back(right);
    }
    merge_overlapping(&faces);
    return faces;
  }
};

FaceDetector::FaceDetector(std::unique_ptr<Cascades> cascades) : cascades_(std::move(cascades)) {}
FaceDetector::FaceDetector(FaceDetector &&) noexcept = default;
FaceDetector &FaceDetector::operator=(FaceDetector &&) noexcept = default;
FaceDetector::~FaceDetector() = default;

Result<FaceDetector> FaceDetector::open(const FaceSettings &settings) {
  auto cascades = std::make_unique<Cascades>();
  cascades->settings = settings;
  const std::filesystem::path folder(settings.cascades);
  try {
    if (auto loaded = load(folder / "haarcascade_frontalface_alt2.xml", &cascades->frontal); !loaded.ok())
      return loaded;
    if (auto loaded = load(folder / "haarcascade_profileface.xml", &cascades->profile); !loaded.ok())
      return loaded;
  } catch (const cv::Exception &error) {
    return Status(StatusKind::corrupt, "cannot look for faces: a cascade in \"" + settings.cascades +
                                           "\" is damaged: " + error.err);
  }
  return FaceDetector(std::move(cascades));
}

Result<std::vector<PixelRect>> FaceDetector::find(const Frame &picture) {
  if (picture.format != PixelFormat::rgb8 || picture.width < 1 || picture.height < 1)
    return Status(StatusKind::invalid_argument, "faces are looked for in pictures of RGB pixels");
  try {
    cv::Mat grey;
    cv::cvtColor(mat_of(picture), grey, cv::COLOR_RGB2GRAY);
    const double shrunk = std::min(
        1.0, static_cast<double>(cascades_->settings.looked_at_edge) / std::max(grey.cols, grey.rows));
    if (shrunk < 1) cv::resize(grey, grey, {}, shrunk, shrunk, cv::INTER_AREA);
    std::vector<PixelRect> faces;
    for (const auto &face : cascades_->find(grey)) {
      const int left = static_cast<int>(face.x / shrunk);
      const int top = static_cast<int>(face.y / shrunk);
      const int right = std::min(picture.width, static_cast<int>(std::ceil((face.x + face.width) / shrunk)));
      const int bottom =
          std::min(picture.height, static_cast<int>(std::ceil((face.y + face.height) / shrunk)));
      faces.push_back({left, top, right - left, bottom - top});
    }
    return faces;
  } catch (const cv::Exception &error) {
    return Status(StatusKind::internal, std::string("faces could not be looked for: ") + error.err);
  }
}

}  // namespace saccade
