// A frame → the JPEG that leaves the device: no larger than the link carries in time, cut to what matters,
// faces blurred, without metadata.
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>

#include "cloudoffloadsink/jpeg_encoder.h"
#include "cloudoffloadsink/settings.h"
#include "common/pointers.h"
#include "common/rgb_scaler.h"
#include "offload/upload/audit_log.h"
#include "offload/upload/face_detector.h"
#include "offload/upload/upload_size.h"
#include "sparsity/mas_report.h"

namespace saccade::gst {

// A copy of one frame, raw or JPEG: nothing of upstream's is held.
struct SegmentPicture {
  GstVideoInfo info{};
  bool is_jpeg = false;
  BufferPtr buffer;
  std::optional<MasReport> mas{};  // what the gate found in it
};

// Used by one thread at a time.
class PictureMaker {
 public:
  // Errors as FaceDetector::open, where faces are to be blurred.
  static Result<std::unique_ptr<PictureMaker>> create(const CloudOffloadSettings &settings);

  struct Made {
    JpegBytes jpeg;
    AuditPicture audit;
    bool anew = false;  // compressed for this question; else it was a JPEG already
  };
  // throughput: of the link, in bytes per second; 0 = not known. Errors: not_found (no jpegenc), corrupt (no
  // picture), unsupported (a JPEG in which faces should be blurred).
  Result<Made> make(const SegmentPicture &picture, double throughput);

 private:
  explicit PictureMaker(const CloudOffloadSettings &settings) : settings_(settings) {}
  bool looks_at_pixels() const { return faces_ || settings_.crop; }
  bool is_last(const SegmentPicture &picture, const UploadSize &size) const;
  UploadSize size_for(const GstVideoInfo &info, double throughput) const;
  Result<Made> pass_on(const SegmentPicture &picture) const;
  Result<Made> encode(const GstVideoInfo &info, GstBuffer *buffer, const UploadSize &size);
  Result<Made> edit(const SegmentPicture &picture, const UploadSize &size);

  const CloudOffloadSettings settings_;
  JpegEncoder encoder_;
  RgbScaler rgb_;
  GstVideoInfo rgb_of_{};  // what it was told of
  std::optional<FaceDetector> faces_;
  JpegSizeModel sizes_;
  // Several questions are often asked about one picture, each of which comes with a copy of it.
  struct Last {
    GstVideoInfo info;
    BufferPtr buffer;
    PatchMap keep;  // what the gate would have left of it
    UploadSize size;
    Made made;
  };
  std::optional<Last> last_;
};

}  // namespace saccade::gst
