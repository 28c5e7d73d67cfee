#include "localmllm/offload_link.h"

#include <gst/video/video.h>

#include <cstring>

#include "common/metas.h"
#include "localmllm/text_pad.h"

namespace saccade::gst {
namespace {

// A cloud that never answers must not make the list grow: the oldest draft then stands for good.
constexpr std::size_t kMostAwaited = 256;

}  // namespace

bool OffloadLink::link_up() const {
  const std::lock_guard lock(mutex_);
  return link_up_;
}

void OffloadLink::start_stream(GstEvent *upstream_start) {
  const EventPtr start(derived_stream_start(upstream_start, "offload"));
  gst_pad_push_event(pad_, gst_event_ref(start.get()));
  started_ = true;
  has_segment_ = false;
  width_ = height_ = 0;
}

void OffloadLink::set_segment(const GstSegment &segment) {
  if (!width_) return;  // the pad was requested after the caps had passed: send() makes up for both, in order
  gst_pad_push_event(pad_, gst_event_new_segment(&segment));
  gst_pad_push_event(pad_, gst_event_new_gap(segment.start, 0));
  has_segment_ = true;
}

void OffloadLink::pass(GstClockTime pts, GstClockTime duration) {
  if (has_segment_) gst_pad_push_event(pad_, gst_event_new_gap(pts, duration));
}

void OffloadLink::end() { gst_pad_push_event(pad_, gst_event_new_eos()); }

GstFlowReturn OffloadLink::send(const Image &picture, const GstSegment &segment, GstClockTime pts,
                                GstClockTime duration, const Answer &draft) {
  {
    // Before anything is sent: the answer may come on another thread at once.
    const std::lock_guard lock(mutex_);
    while (awaited_.size() >= kMostAwaited) awaited_.erase(awaited_.begin());
    awaited_[draft.id] = {draft, Clock::now()};
  }
  const auto sent = [&] {
    if (!started_) start_stream(nullptr);
    if (!set_caps(picture.width, picture.height)) return GST_FLOW_NOT_NEGOTIATED;
    if (!has_segment_) set_segment(segment);
    gst_pad_push_event(pad_, new_segment_begin({owner_, draft.id, draft.question, draft.about}));
    gst_pad_push_event(
        pad_, new_segment_draft({owner_, draft.id, draft.text, static_cast<double>(draft.confidence)}));
    return push_picture(picture, pts, duration, draft.id);
  }();
  if (sent != GST_FLOW_OK) {
    const std::lock_guard lock(mutex_);
    awaited_.erase(draft.id);
  }
  return sent;
}

bool OffloadLink::set_caps(int width, int height) {
  if (width == width_ && height == height_) return true;
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(width),
                            static_cast<guint>(height));
  GstCaps *caps = gst_video_info_to_caps(&info);
  const bool accepted = gst_pad_push_event(pad_, gst_event_new_caps(caps));
  gst_caps_unref(caps);
  if (!accepted) return false;
  width_ = width;
  height_ = height;
  return true;
}

GstFlowReturn OffloadLink::push_picture(const Image &picture, GstClockTime pts, GstClockTime duration,
                                        std::uint64_t id) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(picture.width),
                            static_cast<guint>(picture.height));
  GstBuffer *buffer = gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&info), nullptr);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
    gst_buffer_unref(buffer);
    return GST_FLOW_ERROR;
  }
  // GStreamer pads RGB rows to four bytes; Image does not.
  const auto row = static_cast<std::size_t>(picture.width) * 3;
  const auto stride = static_cast<std::size_t>(GST_VIDEO_INFO_PLANE_STRIDE(&info, 0));
  for (int y = 0; y < picture.height; ++y)
    std::memcpy(map.data + static_cast<std::size_t>(y) * stride,
                picture.rgb.data() + static_cast<std::size_t>(y) * row, row);
  gst_buffer_unmap(buffer, &map);
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = duration;
  saccade::gst::set_segment(buffer, {id, 0, true});
  return gst_pad_push(pad_, buffer);
}

bool OffloadLink::receive(GstEvent *event) {
  if (const auto state = parse_link_state(event)) {
    const std::lock_guard lock(mutex_);
    link_up_ = state->up;
    return true;
  }
  auto answer = parse_cloud_answer(event);
  if (!answer || answer->owner != owner_) return false;
  const std::lock_guard lock(mutex_);
  const auto found = awaited_.find(answer->id);
  if (found == awaited_.end()) return true;  // ours, but nobody waits for it any more
  arrived_.push_back({std::move(*answer), std::move(found->second.draft), found->second.asked});
  awaited_.erase(found);
  changed_.notify_all();
  return true;
}

std::optional<OffloadLink::Arrived> OffloadLink::take() {
  const std::lock_guard lock(mutex_);
  if (arrived_.empty()) return std::nullopt;
  auto first = std::move(arrived_.front());
  arrived_.pop_front();
  return first;
}

bool OffloadLink::wait(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return given_up_ || !arrived_.empty() || awaited_.empty(); });
  return !given_up_ && !arrived_.empty();
}

void OffloadLink::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  awaited_.clear();
  arrived_.clear();
  changed_.notify_all();
}

std::size_t OffloadLink::awaited() const {
  const std::lock_guard lock(mutex_);
  return awaited_.size();
}

void OffloadLink::reset() {
  const std::lock_guard lock(mutex_);
  given_up_ = false;
}

}  // namespace saccade::gst
