#include "common/rgb_scaler.h"

#include <string>

#include "common/pointers.h"
#include "vision/resize.h"

namespace saccade::gst {
namespace {

// A mapped picture; unmapped at the end of its scope.
class MappedFrame {
 public:
  MappedFrame(const GstVideoInfo &info, GstBuffer *buffer, GstMapFlags flags)
      : mapped_(gst_video_frame_map(&frame_, &info, buffer, flags)) {}
  ~MappedFrame() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  MappedFrame(const MappedFrame &) = delete;
  MappedFrame &operator=(const MappedFrame &) = delete;

  bool ok() const { return mapped_; }
  GstVideoFrame *get() { return &frame_; }

 private:
  GstVideoFrame frame_{};
  bool mapped_;
};

}  // namespace

Status RgbScaler::set_caps(const GstCaps *caps) {
  const auto *features = gst_caps_is_empty(caps) ? nullptr : gst_caps_get_features(caps, 0);
  GstVideoInfo info;
  if (!features || !gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY) ||
      !gst_video_info_from_caps(&info, caps)) {
    const TextPtr text(gst_caps_to_string(caps));
    return {StatusKind::unsupported,
            "cannot read pictures of caps " + std::string(text.get()) +
                "; put a converter to video/x-raw in system memory before this element"};
  }
  info.interlace_mode =
      GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;  // both fields at once are good enough to look at
  GstVideoInfo rgb;
  gst_video_info_set_format(&rgb, GST_VIDEO_FORMAT_RGB, static_cast<guint>(info.width),
                            static_cast<guint>(info.height));
  rgb.stride[0] = info.width * 3;  // GStreamer pads rows to 4 bytes, Image does not
  rgb.size = static_cast<gsize>(info.width) * 3 * static_cast<gsize>(info.height);
  rgb.fps_n = info.fps_n;
  rgb.fps_d = info.fps_d;
  converter_.reset(gst_video_converter_new(
      &info, &rgb,
      gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
                        GST_VIDEO_DITHER_NONE, nullptr)));
  if (!converter_) {
    return {StatusKind::unsupported, std::string("cannot convert pictures of format ") +
                                         gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)) +
                                         " to RGB"};
  }
  in_ = info;
  rgb_ = rgb;
  converted_ = {info.width, info.height, std::vector<std::uint8_t>(rgb.size)};
  return {};
}

Result<Frame> RgbScaler::convert(GstBuffer *buffer) {
  if (!converter_) return Status{StatusKind::invalid_argument, "a picture came before its caps"};
  const BufferPtr wrapped(gst_buffer_new_wrapped_full(static_cast<GstMemoryFlags>(0), converted_.rgb.data(),
                                                      rgb_.size, 0, rgb_.size, nullptr, nullptr));
  {
    MappedFrame from(in_, buffer, GST_MAP_READ);
    MappedFrame to(rgb_, wrapped.get(), GST_MAP_WRITE);
    if (!from.ok() || !to.ok()) {
      return Status{StatusKind::invalid_argument, "cannot map a picture of " +
                                                      std::to_string(gst_buffer_get_size(buffer)) +
                                                      " bytes; its caps need " + std::to_string(in_.size)};
    }
    gst_video_converter_frame(converter_.get(), from.get(), to.get());
  }
  return converted_.view();
}

Result<Image> RgbScaler::scale(GstBuffer *buffer, int width, int height) {
  if (width < 1 || height < 1) {
    return Status{StatusKind::invalid_argument,
                  "cannot scale a picture to " + std::to_string(width) + " x " + std::to_string(height)};
  }
  const auto rgb = convert(buffer);
  if (!rgb.ok()) return rgb.status();
  return resize_area(rgb.value(), width, height);
}

}  // namespace saccade::gst
