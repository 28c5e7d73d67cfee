#include "common/luma.h"

#include <string>
#include <utility>

namespace saccade::gst {

LumaPicture::LumaPicture(LumaPicture &&other) noexcept
    : mapped_(other.mapped_), is_mapped_(std::exchange(other.is_mapped_, false)), frame_(other.frame_) {}

LumaPicture::~LumaPicture() {
  if (is_mapped_) gst_video_frame_unmap(&mapped_);
}

bool has_luma_plane(const GstVideoFormatInfo *format) {
  const bool grey_or_yuv = GST_VIDEO_FORMAT_INFO_IS_YUV(format) || GST_VIDEO_FORMAT_INFO_IS_GRAY(format);
  return grey_or_yuv && !GST_VIDEO_FORMAT_INFO_IS_TILED(format) &&
         !GST_VIDEO_FORMAT_INFO_IS_COMPLEX(format) && GST_VIDEO_FORMAT_INFO_DEPTH(format, 0) == 8 &&
         GST_VIDEO_FORMAT_INFO_PLANE(format, 0) == 0 && GST_VIDEO_FORMAT_INFO_PSTRIDE(format, 0) == 1 &&
         GST_VIDEO_FORMAT_INFO_POFFSET(format, 0) == 0;
}

Status LumaReader::set_format(const GstVideoInfo &info) {
  info_ = info;
  converter_.reset();
  grey_.clear();
  if (has_luma_plane(info.finfo)) return {};

  const auto width = static_cast<guint>(GST_VIDEO_INFO_WIDTH(&info));
  const auto height = static_cast<guint>(GST_VIDEO_INFO_HEIGHT(&info));
  gst_video_info_set_format(&grey_info_, GST_VIDEO_FORMAT_GRAY8, width, height);
  grey_info_.fps_n = info.fps_n;
  grey_info_.fps_d = info.fps_d;
  // Fields are looked at together, as the sensor sees them: the converter asks for equal modes.
  grey_info_.interlace_mode = info.interlace_mode;
  converter_.reset(gst_video_converter_new(&info_, &grey_info_, nullptr));
  if (!converter_) {
    return {StatusKind::unsupported, std::string("cannot take the brightness out of pictures of format ") +
                                         gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)) +
                                         ". Put a videoconvert in front of this element"};
  }
  grey_.resize(GST_VIDEO_INFO_SIZE(&grey_info_));
  return {};
}

Result<LumaPicture> LumaReader::read(GstBuffer *buffer, StreamTime pts) {
  LumaPicture picture;
  const auto flags = static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_VIDEO_FRAME_MAP_FLAG_NO_REF});
  if (!gst_video_frame_map(&picture.mapped_, &info_, buffer, flags)) {
    return Status(StatusKind::corrupt,
                  "cannot map a buffer of " + std::to_string(gst_buffer_get_size(buffer)) +
                      " bytes as a picture of " + std::to_string(GST_VIDEO_INFO_WIDTH(&info_)) + "x" +
                      std::to_string(GST_VIDEO_INFO_HEIGHT(&info_)) + " that needs " +
                      std::to_string(GST_VIDEO_INFO_SIZE(&info_)) + " bytes");
  }
  picture.is_mapped_ = true;
  auto &frame = picture.frame_;
  frame.format = PixelFormat::gray8;
  frame.pts = pts;
  frame.width = GST_VIDEO_FRAME_WIDTH(&picture.mapped_);
  frame.height = GST_VIDEO_FRAME_HEIGHT(&picture.mapped_);
  if (!converter_) {
    frame.stride = static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&picture.mapped_, 0));
    const auto length =
        static_cast<std::size_t>(frame.height - 1) * frame.stride + static_cast<std::size_t>(frame.width);
    frame.pixels = {static_cast<const std::uint8_t *>(GST_VIDEO_FRAME_PLANE_DATA(&picture.mapped_, 0)),
                    length};
    return picture;
  }
  // A GstVideoFrame over our own memory: only these fields are read by the converter.
  GstVideoFrame grey{};
  grey.info = grey_info_;
  grey.data[0] = grey_.data();
  gst_video_converter_frame(converter_.get(), &picture.mapped_, &grey);
  frame.stride = static_cast<std::size_t>(GST_VIDEO_INFO_PLANE_STRIDE(&grey_info_, 0));
  frame.pixels = grey_;
  return picture;
}

}  // namespace saccade::gst
