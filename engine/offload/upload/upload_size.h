// How large a picture may be sent over a link, so that it arrives in time: arithmetic only.
#pragma once

#include <array>
#include <cstddef>

#include "base/time.h"

namespace saccade {

// How many bytes a JPEG of this stream takes, learnt from those that were encoded so far: the logarithm of
// bytes per pixel is a line over that of a typical photograph at the same quality, fitted by recursive least
// squares with forgetting. Before the first picture it says what a typical photograph takes (measured on 40
// photographs of 0.25 megapixels, 4:2:0). Not thread-safe: one per stream.
class JpegSizeModel {
 public:
  // A picture of so many pixels became so many bytes at `quality` (1 to 100). What cannot be is ignored.
  void encoded(int quality, double pixels, double bytes);
  // > 0, and never less at a higher quality.
  double bytes_per_pixel(int quality) const;

 private:
  std::array<double, 2> line_{0, 1};             // level and slope
  std::array<double, 4> spread_{1, 0, 0, 0.05};  // how unsure both are: their covariance, row by row
};

struct UploadLimits {
  int longest_edge = 1024;  // pixels, of the picture as it could be sent at most
  int shortest_sent = 224;  // pixels that the longest edge of what is sent has at least; less only where the
                            // picture has less
  // Below `good` the picture gets smaller instead of worse; below `shortest_sent` it gets worse after all.
  int least_quality = 30;
  int good_quality = 60;
  int most_quality = 85;
};

struct UploadSize {
  int longest_edge = 0;  // pixels
  int quality = 0;       // 1 to 100
  double bytes = 0;      // that one picture is expected to take, as a JPEG
  bool fits = true;      // false: the least that is allowed takes longer than it may
};

// For `pictures` pictures of width x height pixels each, over a link that carries `throughput` bytes per
// second (0 or not a number = unknown: then it limits nothing), in `allowance` altogether. They go up in
// base64, four bytes for three of a JPEG. A slower link never gives a larger picture.
UploadSize upload_size(int width, int height, int pictures, double throughput, Duration allowance,
                       const JpegSizeModel &model, const UploadLimits &limits = {});

}  // namespace saccade
