#include "localmllm/frame_intake.h"

#include <algorithm>
#include <utility>

#include "common/metas.h"
#include "localmllm/model_sound.h"
#include "offload/upload/upload_sound.h"
#include "sparsity/hottest_window.h"
#include "vision/resize.h"

namespace saccade::gst {
namespace {

constexpr GstClockTime kUnknownSpacing = 40 * GST_MSECOND;  // of frames whose rate nobody knows

}  // namespace

EncoderInput fitted(int width, int height, int longest) {
  const int edge = std::max(width, height);
  if (edge <= longest) return {width, height};
  return {std::max(1, width * longest / edge), std::max(1, height * longest / edge)};
}

FrameIntake::FrameIntake(EncoderInput encoder, Detail detail, OffloadTakes offload, int sound_rate)
    : encoder_(encoder), detail_(detail), offload_(offload), sound_rate_(sound_rate) {
  gst_segment_init(&segment_, GST_FORMAT_TIME);
  gst_video_info_init(&video_);
}

Status FrameIntake::set_caps(const GstCaps *caps) {
  if (!gst_video_info_from_caps(&video_, caps)) gst_video_info_init(&video_);
  if (auto status = encoder_scaler_.set_caps(caps); !status.ok()) return status;
  return offload_scaler_.set_caps(caps);
}

void FrameIntake::set_segment(const GstSegment &segment) {
  segment_ = segment;
  previous_pts_ = GST_CLOCK_TIME_NONE;
}

FrameTime FrameIntake::time_of(GstBuffer *buffer) {
  FrameTime time;
  if (GST_BUFFER_PTS_IS_VALID(buffer)) {
    time.pts = GST_BUFFER_PTS(buffer);
  } else {
    time.pts = GST_CLOCK_TIME_IS_VALID(previous_pts_) ? previous_pts_ : segment_.start;
  }
  time.duration = duration_of(buffer, time.pts);
  const auto running = gst_segment_to_running_time(&segment_, GST_FORMAT_TIME, time.pts);
  time.running = GST_CLOCK_TIME_IS_VALID(running) ? running : 0;
  previous_pts_ = time.pts;
  return time;
}

GstClockTime FrameIntake::duration_of(GstBuffer *buffer, GstClockTime pts) const {
  if (GST_BUFFER_DURATION_IS_VALID(buffer)) return GST_BUFFER_DURATION(buffer);
  if (video_.fps_n > 0 && video_.fps_d > 0)
    return gst_util_uint64_scale(GST_SECOND, static_cast<guint64>(video_.fps_d),
                                 static_cast<guint64>(video_.fps_n));
  if (GST_CLOCK_TIME_IS_VALID(previous_pts_) && pts > previous_pts_) return pts - previous_pts_;
  return kUnknownSpacing;
}

// Whoever encoded the picture, a closer look at what the gate points at is this element's.
Status FrameIntake::take_for_encoder(GstBuffer *buffer, Picture &picture) {
  const bool closer = detail_ == Detail::crop && picture.mas;
  if (picture.tokens && !closer) return {};
  const auto rgb = encoder_scaler_.convert(buffer);
  if (!rgb.ok()) return rgb.status();
  if (!picture.tokens) {
    const auto size = detail_ == Detail::tiles ? EncoderInput{video_.width, video_.height} : encoder_;
    picture.encoder_picture = resize_area(rgb.value(), size.width, size.height);
  }
  if (!closer) return {};
  const auto window = hottest_window(picture.mas->keep, picture.mas->grid, video_.width, video_.height,
                                     encoder_.width, encoder_.height);
  if (window)
    picture.closer_picture = resize_area(rgb.value().part(*window), encoder_.width, encoder_.height);
  return {};
}

Result<Picture> FrameIntake::take(GstBuffer *buffer, const FrameTime &time, std::optional<MasReport> mas,
                                  bool for_offload) {
  Picture picture;
  picture.arrived = Clock::now();
  picture.time = time;
  picture.mas = std::move(mas);
  picture.tokens = get_tokens(buffer);
  auto clip = get_audio(buffer);
  picture.heard = clip.rate > 0 || (picture.mas && picture.mas->sound_active);
  picture.sound = sound_for_model(clip, sound_rate_);
  if (auto status = take_for_encoder(buffer, picture); !status.ok()) return status;
  if (for_offload) {
    const auto size = fitted(video_.width, video_.height, offload_.longest_edge);
    auto scaled = offload_scaler_.scale(buffer, size.width, size.height);
    if (!scaled.ok()) return scaled.status();
    picture.offload_picture = std::move(scaled).value();
    if (offload_.sound) picture.offload_sound = newest_to_upload(std::move(clip));
  }
  return picture;
}

}  // namespace saccade::gst
