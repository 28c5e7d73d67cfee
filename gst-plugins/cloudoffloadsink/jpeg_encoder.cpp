#include "cloudoffloadsink/jpeg_encoder.h"

#include <algorithm>
#include <cmath>

#include "common/pointers.h"

namespace saccade::gst {

namespace {

struct Size {
  int width;
  int height;
};

// The size with square pixels whose longest edge is at most `max_size` (0 = any).
Size fitted(const GstVideoInfo &info, int max_size) {
  double width = info.width;
  double height = info.height;
  if (info.par_n > 0 && info.par_d > 0) width = width * info.par_n / info.par_d;
  const double longest = std::max(width, height);
  const double scale = max_size > 0 && longest > max_size ? max_size / longest : 1;
  const auto pixels = [scale](double edge) {
    return std::max(1, static_cast<int>(std::lround(edge * scale)));
  };
  return {pixels(width), pixels(height)};
}

// One picture mapped for as long as the object lives.
class MappedPicture {
 public:
  MappedPicture(const GstVideoInfo &info, GstBuffer *buffer, GstMapFlags flags)
      : mapped_(gst_video_frame_map(&frame_, &info, buffer, flags)) {}
  ~MappedPicture() {
    if (mapped_) gst_video_frame_unmap(&frame_);
  }
  MappedPicture(const MappedPicture &) = delete;
  MappedPicture &operator=(const MappedPicture &) = delete;
  explicit operator bool() const { return mapped_; }
  GstVideoFrame *get() { return &frame_; }

 private:
  GstVideoFrame frame_{};
  bool mapped_;
};

}  // namespace

JpegEncoder::~JpegEncoder() {
  if (!jpegenc_) return;
  gst_element_set_state(jpegenc_, GST_STATE_NULL);
  for (GstPad *pad : {feed_, catch_}) {
    gst_pad_set_active(pad, FALSE);
    gst_object_unref(pad);
  }
  gst_object_unref(jpegenc_);
}

Result<JpegBytes> JpegEncoder::encode(const GstVideoInfo &info, GstBuffer *picture, const Form &form) {
  if (auto ready = start(); !ready.ok()) return ready;
  if (auto ready = prepare(info, form.max_size); !ready.ok()) return ready;
  if (std::exchange(quality_, form.quality) != form.quality)
    g_object_set(jpegenc_, "quality", form.quality, nullptr);

  GstBuffer *converted = gst_buffer_new_allocate(nullptr, out_.size, nullptr);
  {
    MappedPicture from(in_, picture, GST_MAP_READ);
    MappedPicture to(out_, converted, GST_MAP_WRITE);
    if (!from || !to) {
      gst_buffer_unref(converted);
      return Status(StatusKind::corrupt,
                    "a frame is smaller than its caps say; check the element that made it");
    }
    // A frame's own flags win over the caps in the converter, which has no scaler for fields.
    from.get()->flags = static_cast<GstVideoFrameFlags>(from.get()->flags & ~GST_VIDEO_FRAME_FLAG_INTERLACED);
    gst_video_converter_frame(converter_.get(), from.get(), to.get());
  }
  encoded_.clear();
  GST_BUFFER_PTS(converted) = 0;
  const GstFlowReturn flow = gst_pad_push(feed_, converted);  // runs jpegenc here and now
  if (flow != GST_FLOW_OK || encoded_.empty()) {
    return Status(StatusKind::internal, "jpegenc made no JPEG of a " + std::to_string(out_.width) + "x" +
                                            std::to_string(out_.height) + " picture (" +
                                            gst_flow_get_name(flow) + ")");
  }
  return std::exchange(encoded_, {});
}

Status JpegEncoder::start() {
  if (jpegenc_) return {};
  GstElement *element = gst_element_factory_make("jpegenc", nullptr);
  if (!element) {
    return {
        StatusKind::not_found,
        "there is no element jpegenc to make JPEGs of raw video; install gstreamer1.0-plugins-good, or put "
        "another JPEG encoder in front of cloudoffloadsink"};
  }
  jpegenc_ = GST_ELEMENT(gst_object_ref_sink(element));
  feed_ = GST_PAD(gst_object_ref_sink(gst_pad_new("feed", GST_PAD_SRC)));
  // With a template: a pad without one takes the caps that it has for all that it can.
  static GstStaticPadTemplate any =
      GST_STATIC_PAD_TEMPLATE("catch", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  catch_ = GST_PAD(gst_object_ref_sink(gst_pad_new_from_static_template(&any, "catch")));
  gst_pad_set_element_private(catch_, this);
  gst_pad_set_chain_function(catch_, &JpegEncoder::on_encoded);
  GstPad *sink = gst_element_get_static_pad(jpegenc_, "sink");
  GstPad *src = gst_element_get_static_pad(jpegenc_, "src");
  gst_pad_link(feed_, sink);
  gst_pad_link(src, catch_);
  gst_object_unref(sink);
  gst_object_unref(src);
  gst_pad_set_active(feed_, TRUE);
  gst_pad_set_active(catch_, TRUE);
  gst_element_set_state(jpegenc_, GST_STATE_PLAYING);
  gst_pad_push_event(feed_, gst_event_new_stream_start("cloudoffloadsink"));
  return {};
}

Status JpegEncoder::prepare(const GstVideoInfo &info, int max_size) {
  if (converter_ && max_size == max_size_ && gst_video_info_is_equal(&info, &given_)) return {};
  const Size size = fitted(info, max_size);
  GstVideoInfo out;
  gst_video_info_init(&out);
  if (!gst_video_info_set_format(&out, GST_VIDEO_FORMAT_I420, static_cast<guint>(size.width),
                                 static_cast<guint>(size.height))) {
    return {StatusKind::unsupported, "a frame is too large to be encoded; set max-size"};
  }
  out.colorimetry.range = GST_VIDEO_COLOR_RANGE_0_255;  // JFIF is full-range BT.601
  out.colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_BT601;
  out.fps_n = 0;
  out.fps_d = 1;
  in_ = info;
  in_.interlace_mode =
      GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;  // both fields at once are good enough to look at
  in_.fps_n = out.fps_n;
  in_.fps_d = out.fps_d;
  converter_.reset(gst_video_converter_new(&in_, &out, nullptr));
  if (!converter_) {
    return {StatusKind::unsupported, std::string("video of the format ") +
                                         gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)) +
                                         " cannot be encoded; put videoconvert before"};
  }
  out_ = out;
  given_ = info;
  max_size_ = max_size;
  const CapsPtr caps(gst_video_info_to_caps(&out_));
  gst_pad_push_event(feed_, gst_event_new_caps(caps.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(feed_, gst_event_new_segment(&segment));
  return {};
}

GstFlowReturn JpegEncoder::on_encoded(GstPad *pad, GstObject *, GstBuffer *buffer) {
  auto *self = static_cast<JpegEncoder *>(gst_pad_get_element_private(pad));
  const BufferPtr owned(buffer);
  self->encoded_.resize(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, self->encoded_.data(), self->encoded_.size());
  return GST_FLOW_OK;
}

}  // namespace saccade::gst
