#include "common/stage_queue.h"

namespace saccade::gst {

EventPtr joined_gap(GstEvent *first, GstEvent *second) {
  if (GST_EVENT_TYPE(first) != GST_EVENT_GAP || GST_EVENT_TYPE(second) != GST_EVENT_GAP) return nullptr;
  GstClockTime start = 0;
  GstClockTime last = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(first, &start, nullptr);
  gst_event_parse_gap(second, &last, &duration);
  if (last < start) return nullptr;
  const bool ends = GST_CLOCK_TIME_IS_VALID(duration);
  return EventPtr(gst_event_new_gap(start, ends ? last - start + duration : GST_CLOCK_TIME_NONE));
}

}  // namespace saccade::gst
