// From a GstBuffer to the luma view that the engine's sampling and sparsity rooms look at.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/frame.h"
#include "base/status.h"
#include "base/time.h"

namespace saccade::gst {

// A mapped buffer and the view into it; the mapping ends with the object. Move-only.
class LumaPicture {
 public:
  LumaPicture() = default;
  ~LumaPicture();
  LumaPicture(LumaPicture &&other) noexcept;
  LumaPicture &operator=(LumaPicture &&) = delete;

  const Frame &frame() const { return frame_; }

 private:
  friend class LumaReader;
  GstVideoFrame mapped_{};
  bool is_mapped_ = false;
  Frame frame_;
};

// 8-bit planar and semi-planar YUV and GRAY8 are viewed where they lie, without a copy (plane 0); any other
// system-memory format is converted to GRAY8 into a buffer that the reader owns and reuses.
// Not thread-safe. A picture must not outlive the next read() nor the reader.
class LumaReader {
 public:
  // Fails with unsupported when there is no conversion to grey for the format.
  Status set_format(const GstVideoInfo &info);
  // `buffer` must be of the format set. Fails with corrupt when it cannot be mapped as such.
  Result<LumaPicture> read(GstBuffer *buffer, StreamTime pts);

 private:
  struct ConverterFree {
    void operator()(GstVideoConverter *converter) const { gst_video_converter_free(converter); }
  };

  GstVideoInfo info_{};
  GstVideoInfo grey_info_{};
  std::unique_ptr<GstVideoConverter, ConverterFree> converter_;  // null = plane 0 is the luma
  std::vector<std::uint8_t> grey_;
};

// True when plane 0 of this format holds one byte of luma per pixel, row by row.
bool has_luma_plane(const GstVideoFormatInfo *format);

}  // namespace saccade::gst
