#include "mllm/answer_schedule.h"

namespace saccade {

bool AnswerSchedule::take(const FrameNews &frame) {
  if (frame.gate_frame) {
    // The gate counts every frame that it lets through, so a hole in its numbers is a frame that something
    // between it and us has dropped. What was in it nobody can tell.
    if (last_gate_frame_ && *frame.gate_frame > *last_gate_frame_ + 1) owed_ = true;
    last_gate_frame_ = frame.gate_frame;
  }
  if (on_ == AnswerOn::question) return false;
  if (on_ == AnswerOn::change && !frame.needed && !owed_) return false;
  // A stream that starts over (a seek, a looped file) has earlier times; it is not held back by them.
  if (last_answered_ && frame.pts >= *last_answered_ && frame.pts - *last_answered_ < at_most_every_) {
    owed_ = true;  // too soon, but not forgotten
    return false;
  }
  owed_ = false;
  last_answered_ = frame.pts;
  return true;
}

}  // namespace saccade
