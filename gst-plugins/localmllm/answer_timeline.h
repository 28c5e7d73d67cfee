// Which time stamps answers get, and how far the text pad has come (DESIGN §1, "answers in time").
#pragma once

#include <gst/gst.h>

#include <algorithm>
#include <optional>

namespace saccade::gst {

// A frame, or a stretch of stream without one, in both of the clocks that matter.
struct FrameTime {
  GstClockTime pts = 0;      // in the input segment
  GstClockTime running = 0;  // running time
  GstClockTime duration = 0;
};

struct TextSlot {
  GstClockTime pts = 0;
  GstClockTime duration = 0;
};

// Belongs to the thread that pushes text. arrival: an answer's pts is the running time at which it is
// there. content: it is the pts of what it speaks of. Either way the pad never goes back, and passes
// every input frame, so that textoverlay wait-text=true neither stalls nor loses text.
class AnswerTimeline {
 public:
  AnswerTimeline(bool arrival, GstClockTime display_duration)
      : arrival_(arrival), display_duration_(display_duration) {}

  bool arrival() const { return arrival_; }
  void restart() { position_ = 0; }

  // `now`: the running time, or GST_CLOCK_TIME_NONE before the pipeline has a clock.
  TextSlot answer(const FrameTime &frame, GstClockTime now) {
    if (!arrival_) {
      position_ = std::max(position_, frame.pts + frame.duration);
      return {frame.pts, frame.duration};
    }
    const auto there = GST_CLOCK_TIME_IS_VALID(now) ? std::max(now, frame.running) : frame.running;
    position_ = std::max(position_, there);
    return {position_, display_duration_};
  }

  // A correction belongs to no frame of its own: it gets the place that the pad has reached.
  TextSlot correction(GstClockTime now) {
    if (arrival_ && GST_CLOCK_TIME_IS_VALID(now)) position_ = std::max(position_, now);
    return {position_, display_duration_};
  }

  // What is still to be passed of this frame; nothing when the pad is beyond it.
  std::optional<TextSlot> gap(const FrameTime &frame) {
    const auto start = arrival_ ? frame.running : frame.pts;
    const auto end = start + frame.duration;
    if (end <= position_) return std::nullopt;
    const TextSlot slot{std::max(position_, start), end - std::max(position_, start)};
    position_ = end;
    return slot;
  }

 private:
  bool arrival_;
  GstClockTime display_duration_;
  GstClockTime position_ = 0;
};

}  // namespace saccade::gst
