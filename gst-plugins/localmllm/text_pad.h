// The src pad of a localmllm: answers and GAPs in the chosen format and time, one after the other.
#pragma once

#include <gst/gst.h>

#include <atomic>

#include "common/pointers.h"
#include "localmllm/answer_output.h"
#include "localmllm/answer_timeline.h"
#include "mllm/answer.h"

namespace saccade::gst {

// The start of a sparse stream that was made from another: sinks must not wait for a buffer to preroll.
// Null upstream: there was none to take the group from.
EventPtr derived_stream_start(GstEvent *upstream_start, const char *name);

// Belongs to the worker, except for flow(). The pad stays the element's; an unlinked one is no error,
// since answers also leave as messages and signals.
class TextPad {
 public:
  TextPad(GstPad *pad, GstClockTime display_duration)
      : pad_(pad), display_duration_(display_duration), timeline_(false, display_duration) {}

  void set_arrival(bool arrival);  // before the first segment

  void start_stream(GstEvent *upstream_start);
  void set_segment(const GstSegment &input);
  void write(const Answer &answer, const FrameTime &frame);   // about this frame
  void correct(const Answer &answer);                         // about an earlier one
  void pass(const FrameTime &frame);                          // nothing will come for it
  void repeat(const Answer &answer, const FrameTime &frame);  // it still holds for this frame
  void end();
  void restart();  // after a flush

  GstFlowReturn flow() const { return flow_; }  // of the last push; any thread

 private:
  GstClockTime now() const;
  void negotiate();
  void push(const Answer &answer, const TextSlot &slot);

  GstPad *pad_;
  GstClockTime display_duration_;
  AnswerTimeline timeline_;
  AnswerFormat format_ = AnswerFormat::utf8;
  bool negotiated_ = false;
  std::atomic<GstFlowReturn> flow_ = GST_FLOW_OK;
};

}  // namespace saccade::gst
