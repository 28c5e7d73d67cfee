#include "localmllm/text_pad.h"

#include <string>

namespace saccade::gst {
namespace {

struct ElementUnref {
  void operator()(GstElement *element) const { gst_object_unref(element); }
};
using ElementPtr = std::unique_ptr<GstElement, ElementUnref>;

ElementPtr parent_of(GstPad *pad) { return ElementPtr(gst_pad_get_parent_element(pad)); }

AnswerFormat format_of(const GstCaps *caps) {
  if (gst_caps_is_empty(caps) || gst_caps_is_any(caps)) return AnswerFormat::utf8;
  const GstStructure *first = gst_caps_get_structure(caps, 0);
  return gst_structure_has_name(first, "application/x-json") ? AnswerFormat::json : AnswerFormat::utf8;
}

}  // namespace

EventPtr derived_stream_start(GstEvent *upstream_start, const char *name) {
  const gchar *upstream = nullptr;
  guint group = 0;
  if (upstream_start) gst_event_parse_stream_start(upstream_start, &upstream);
  const auto id = (upstream ? std::string(upstream) : "saccade") + "/" + name;
  EventPtr start(gst_event_new_stream_start(id.c_str()));
  if (upstream_start && gst_event_parse_group_id(upstream_start, &group))
    gst_event_set_group_id(start.get(), group);
  gst_event_set_stream_flags(start.get(), GST_STREAM_FLAG_SPARSE);
  return start;
}

GstClockTime TextPad::now() const {
  const auto element = parent_of(pad_);
  return element ? gst_element_get_current_running_time(element.get()) : GST_CLOCK_TIME_NONE;
}

void TextPad::set_arrival(bool arrival) { timeline_ = AnswerTimeline(arrival, display_duration_); }

void TextPad::start_stream(GstEvent *upstream_start) {
  const EventPtr start(derived_stream_start(upstream_start, "answers"));
  gst_pad_push_event(pad_, gst_event_ref(start.get()));
  negotiated_ = false;
  flow_ = GST_FLOW_OK;
}

void TextPad::negotiate() {
  if (negotiated_ && !gst_pad_check_reconfigure(pad_)) return;
  const CapsPtr allowed(gst_pad_get_allowed_caps(pad_));  // null when unlinked
  format_ = allowed ? format_of(allowed.get()) : AnswerFormat::utf8;
  const CapsPtr caps(gst_caps_from_string(format_ == AnswerFormat::json ? "application/x-json"
                                                                        : "text/x-raw, format=(string)utf8"));
  gst_pad_push_event(pad_, gst_event_new_caps(caps.get()));
  negotiated_ = true;
}

void TextPad::set_segment(const GstSegment &input) {
  negotiate();
  GstSegment segment = input;
  if (timeline_.arrival()) gst_segment_init(&segment, GST_FORMAT_TIME);  // its times are running times
  timeline_.restart();
  gst_pad_push_event(pad_, gst_event_new_segment(&segment));
  // Something must come before the first inference, or a sink behind this pad would not preroll.
  gst_pad_push_event(pad_, gst_event_new_gap(timeline_.arrival() ? 0 : segment.start, 0));
}

void TextPad::write(const Answer &answer, const FrameTime &frame) {
  push(answer, timeline_.answer(frame, now()));
}

void TextPad::correct(const Answer &answer) { push(answer, timeline_.correction(now())); }

void TextPad::pass(const FrameTime &frame) {
  if (const auto slot = timeline_.gap(frame))
    gst_pad_push_event(pad_, gst_event_new_gap(slot->pts, slot->duration));
}

void TextPad::repeat(const Answer &answer, const FrameTime &frame) {
  if (const auto slot = timeline_.gap(frame)) push(answer, *slot);
}

void TextPad::push(const Answer &answer, const TextSlot &slot) {
  negotiate();
  GstBuffer *buffer = answer_buffer(answer, format_);
  GST_BUFFER_PTS(buffer) = slot.pts;
  GST_BUFFER_DURATION(buffer) = slot.duration;
  const auto flow = gst_pad_push(pad_, buffer);
  flow_ = flow == GST_FLOW_NOT_LINKED ? GST_FLOW_OK : flow;
}

void TextPad::end() { gst_pad_push_event(pad_, gst_event_new_eos()); }

void TextPad::restart() {
  timeline_.restart();
  flow_ = GST_FLOW_OK;
}

}  // namespace saccade::gst
