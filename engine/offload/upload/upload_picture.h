// What a picture becomes before it leaves the device: faces blurred, cut to what matters, scaled.
// Pure functions, safe from any thread.
#pragma once

#include <optional>
#include <span>

#include "base/frame.h"
#include "base/status.h"
#include "offload/upload/face_detector.h"

namespace saccade {

// Makes unrecognisable what lies in `places` (and a margin of a quarter of their size around them, cut to the
// picture): six cells across, each of one colour, then blurred. What was there is gone, not hidden.
void blur_places(Image *picture, std::span<const PixelRect> places);

struct UploadPlan {
  std::optional<PixelRect> part;  // within the picture; nothing: all of it
  int longest_edge = 0;           // pixels; smaller pictures stay as they are, 0 = any
  FindFaces find_faces;           // empty: faces are left as they are
};

struct UploadPicture {
  Image picture;  // to be encoded as JPEG by who sends it
  bool cropped = false;
  bool scaled = false;
  std::optional<int> faces_blurred;  // nothing: not looked for
};

// Faces are looked for in the whole picture at its full size, where they are found best. Nothing is given
// when looking for them failed. Errors: invalid_argument (no rgb8 picture, or `part` is not within it) and
// those of find_faces.
Result<UploadPicture> upload_picture(const Frame &picture, const UploadPlan &plan);

}  // namespace saccade
