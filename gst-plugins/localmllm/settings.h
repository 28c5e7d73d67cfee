// What the user set on a localmllm. Copied when a run starts; what may change while playing is said here.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "mllm/answer_schedule.h"
#include "mllm/segment_answerer.h"
#include "offload/router.h"

namespace saccade::gst {

enum class LeakySetting { automatic, none, upstream, downstream };
enum class TimestampMode { automatic, arrival, content };
enum class OnUnchanged { gap, repeat };

struct LocalMllmSettings {
  ModelFiles files;
  SegmentAnswererOptions answerer;
  std::string prompt = "";  // may change while playing
  AnswerOn answer_on = AnswerOn::change;
  GstClockTime answer_every = 0;
  LeakySetting leaky = LeakySetting::automatic;
  unsigned max_queue = 2;
  TimestampMode timestamp = TimestampMode::automatic;
  GstClockTime display_duration = 2 * GST_SECOND;
  GstClockTime latency_budget = GST_SECOND;
  OnUnchanged on_unchanged = OnUnchanged::gap;
  RouterSettings router;
  unsigned offload_size = 640;  // longest edge in pixels
  GstClockTime drain_timeout = 5 * GST_SECOND;
};

}  // namespace saccade::gst
