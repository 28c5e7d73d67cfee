// Where faces are in a picture, by OpenCV's cascades of Haar features (Viola and Jones, CVPR 2001).
//
// What it finds and what it misses: of 51 faces in 14 COCO photographs, labelled by hand from 20 pixels on,
// 31 are covered by blur_places(), and 18 of the 24 that are 40 pixels wide or more. The number of hits that
// make a face was chosen on the same photographs; offload_upload_picture_test holds the figures. (Twice
// enlarged pictures gave 35 for four times the time; finer steps, more cascades and equalised light gave 32
// or fewer.) Missed are faces below sunglasses, helmets and caps, in sharp profile, looking down or tilted,
// half hidden or out of focus, against the light, and most below 25 pixels. Of pictures without any face
// about a twentieth of the area is taken for one. So it makes people less recognisable; it is no promise that
// nobody is. It takes some 0.4 s for 640 x 480 pixels on two busy cores.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/status.h"

namespace saccade {

// Finds the faces in an rgb8 picture; each lies within it.
using FindFaces = std::function<Result<std::vector<PixelRect>>(const Frame &)>;

struct FaceSettings {
  // With haarcascade_frontalface_alt2.xml and haarcascade_profileface.xml in it; Debian's package
  // opencv-data.
  std::string cascades = "/usr/share/opencv4/haarcascades";
  int smallest_face = 20;     // pixels, in the picture as it is looked at; the cascades know nothing smaller
  int looked_at_edge = 1280;  // pixels; larger pictures are looked at in this size, for the sake of time
};

// Used by one thread at a time.
class FaceDetector {
 public:
  // not_found names the missing file and the package that has it; corrupt.
  static Result<FaceDetector> open(const FaceSettings &settings = {});
  FaceDetector(FaceDetector &&) noexcept;
  FaceDetector &operator=(FaceDetector &&) noexcept;
  ~FaceDetector();

  // Faces from the front and in profile, to both sides; those that overlap are one. invalid_argument when the
  // picture is empty.
  Result<std::vector<PixelRect>> find(const Frame &picture);

 private:
  struct Cascades;
  explicit FaceDetector(std::unique_ptr<Cascades> cascades);
  std::unique_ptr<Cascades> cascades_;
};

}  // namespace saccade
