// masgate: decides which frames, patches and modalities are needed for the standing question.
//
// Every frame gets a report (custom meta SaccadeMasMeta): scores, patch maps, route, reason. Change is
// measured against what the encoders downstream have committed, which they say in saccade/committed and
// saccade/dropped events. Sound on the request pads audio_%u can make a still picture needed.
//
//   gst-launch-1.0 -m videotestsrc num-buffers=150 pattern=ball ! masgate mode=gate post-messages=true !
//   fakesink
#include "masgate/masgate.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <string>

#include "common/events.h"
#include "common/pointers.h"
#include "masgate/gate_run.h"
#include "masgate/masgate_settings.h"

GST_DEBUG_CATEGORY(gst_mas_gate_debug);
#define GST_CAT_DEFAULT gst_mas_gate_debug

using saccade::gst::GateRun;
using saccade::gst::GateSettings;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate audio_template = GST_STATIC_PAD_TEMPLATE(
    "audio_%u", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS("audio/x-raw, format=(string){F32LE, S16LE}, layout=(string)interleaved, "
                    "rate=(int)[ 8000, 192000 ], channels=(int)[ 1, 64 ]"));

// Properties are in masgate_settings.cpp; what a run has is in gate_run.h.
struct _GstMasGate {
  GstElement parent;
  GstPad *sink;
  GstPad *src;
  guint next_audio;
  GateRun *run;
};

G_DEFINE_TYPE(GstMasGate, gst_mas_gate, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(masgate, "masgate", GST_RANK_NONE, GST_TYPE_MAS_GATE)

static void gst_mas_gate_finalize(GObject *object);
static void gst_mas_gate_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec);
static void gst_mas_gate_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec);
static GstPad *gst_mas_gate_request_pad(GstElement *element, GstPadTemplate *templ, const gchar *name,
                                        const GstCaps *caps);
static void gst_mas_gate_release_pad(GstElement *element, GstPad *pad);
static GstStateChangeReturn gst_mas_gate_change_state(GstElement *element, GstStateChange change);
static GstIterator *gst_mas_gate_links(GstPad *pad, GstObject *parent);
static GstFlowReturn gst_mas_gate_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static gboolean gst_mas_gate_sink_event(GstPad *pad, GstObject *parent, GstEvent *event);
static gboolean gst_mas_gate_src_event(GstPad *pad, GstObject *parent, GstEvent *event);
static GstFlowReturn gst_mas_gate_audio_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static gboolean gst_mas_gate_audio_event(GstPad *pad, GstObject *parent, GstEvent *event);

static void gst_mas_gate_class_init(GstMasGateClass *klass) {
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);

  object_class->finalize = gst_mas_gate_finalize;
  object_class->set_property = gst_mas_gate_set_property;
  object_class->get_property = gst_mas_gate_get_property;
  saccade::gst::install_gate_properties(object_class);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &audio_template);
  gst_element_class_set_static_metadata(element_class, "MAS gate", "Filter/Analyzer/Video",
                                        "Decides which frames, patches and modalities are needed", "Saccade");
  element_class->request_new_pad = GST_DEBUG_FUNCPTR(gst_mas_gate_request_pad);
  element_class->release_pad = GST_DEBUG_FUNCPTR(gst_mas_gate_release_pad);
  element_class->change_state = GST_DEBUG_FUNCPTR(gst_mas_gate_change_state);

  GST_DEBUG_CATEGORY_INIT(gst_mas_gate_debug, "masgate", 0, "MAS gate");
}

static void gst_mas_gate_init(GstMasGate *self) {
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, GST_DEBUG_FUNCPTR(gst_mas_gate_chain));
  gst_pad_set_event_function(self->sink, GST_DEBUG_FUNCPTR(gst_mas_gate_sink_event));
  gst_pad_set_iterate_internal_links_function(self->sink, GST_DEBUG_FUNCPTR(gst_mas_gate_links));
  GST_PAD_SET_PROXY_CAPS(self->sink);
  GST_PAD_SET_PROXY_ALLOCATION(self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);

  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_event_function(self->src, GST_DEBUG_FUNCPTR(gst_mas_gate_src_event));
  gst_pad_set_iterate_internal_links_function(self->src, GST_DEBUG_FUNCPTR(gst_mas_gate_links));
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);

  self->run = new GateRun(GST_ELEMENT(self), self->sink, self->src);
}

static void gst_mas_gate_finalize(GObject *object) {
  delete GST_MAS_GATE(object)->run;
  G_OBJECT_CLASS(gst_mas_gate_parent_class)->finalize(object);
}

// ---- properties

static void gst_mas_gate_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
  bool known = false;
  GST_MAS_GATE(object)->run->change_settings(
      [&](GateSettings &settings) { known = saccade::gst::set_gate_property(settings, id, value); });
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void gst_mas_gate_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  auto run = GST_MAS_GATE(object)->run;
  if (id == saccade::gst::gate_statistics_property()) {
    g_value_take_boxed(value, run->statistics());
  } else if (!saccade::gst::get_gate_property(run->settings(), id, value)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
}

// ---- pads and states

// Video only: sound ends here, so no query or event runs from one to the other.
static GstIterator *gst_mas_gate_links(GstPad *pad, GstObject *parent) {
  auto self = GST_MAS_GATE(parent);
  GValue other = G_VALUE_INIT;
  g_value_init(&other, GST_TYPE_PAD);
  g_value_set_object(&other, pad == self->src ? self->sink : self->src);
  auto links = gst_iterator_new_single(GST_TYPE_PAD, &other);
  g_value_unset(&other);
  return links;
}

static GstIterator *gst_mas_gate_no_links(GstPad *, GstObject *) { return nullptr; }

static GstPad *gst_mas_gate_request_pad(GstElement *element, GstPadTemplate *templ, const gchar *name,
                                        const GstCaps *) {
  auto self = GST_MAS_GATE(element);
  std::string pad_name = name ? name : "";
  if (pad_name.empty()) {
    GST_OBJECT_LOCK(self);
    pad_name = "audio_" + std::to_string(self->next_audio++);
    GST_OBJECT_UNLOCK(self);
  }
  auto pad = gst_pad_new_from_template(templ, pad_name.c_str());
  gst_pad_set_chain_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_audio_chain));
  gst_pad_set_event_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_audio_event));
  gst_pad_set_iterate_internal_links_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_no_links));
  self->run->audio().add(pad);
  if (gst_element_add_pad(element, pad)) return pad;
  self->run->audio().remove(pad);  // a pad of that name exists; GStreamer has said so
  return nullptr;
}

static void gst_mas_gate_release_pad(GstElement *element, GstPad *pad) {
  gst_pad_set_active(pad, FALSE);
  GST_MAS_GATE(element)->run->audio().remove(pad);
  gst_element_remove_pad(element, pad);
}

static GstStateChangeReturn gst_mas_gate_change_state(GstElement *element, GstStateChange change) {
  auto run = GST_MAS_GATE(element)->run;
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED) run->start();
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) run->audio().set_flushing(true);  // nobody waits any more
  const auto result = GST_ELEMENT_CLASS(gst_mas_gate_parent_class)->change_state(element, change);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) run->stop();
  return result;
}

// ---- video

static GstFlowReturn gst_mas_gate_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  return GST_MAS_GATE(parent)->run->chain(buffer);
}

// Downstream gets the caps first: then its encoder can be asked for its grid.
static gboolean gst_mas_gate_caps_event(GstMasGate *self, GstPad *pad, GstEvent *event) {
  GstCaps *caps;
  gst_event_parse_caps(event, &caps);
  const saccade::gst::CapsPtr kept(gst_caps_ref(caps));
  const auto passed = gst_pad_event_default(pad, GST_OBJECT(self), event);
  const auto status = self->run->set_caps(kept.get());
  if (!status.ok()) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("masgate: %s", status.message().c_str()),
                      ("caps %" GST_PTR_FORMAT, static_cast<void *>(kept.get())));
  }
  return passed && status.ok();
}

static gboolean gst_mas_gate_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto self = GST_MAS_GATE(parent);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: return gst_mas_gate_caps_event(self, pad, event);
    case GST_EVENT_GAP: return self->run->gap(event);
    case GST_EVENT_SEGMENT: self->run->set_segment(event); break;
    case GST_EVENT_FLUSH_START: self->run->audio().set_flushing(true); break;
    case GST_EVENT_FLUSH_STOP:
      self->run->audio().set_flushing(false);
      self->run->flush();
      break;
    default: break;
  }
  return gst_pad_event_default(pad, parent, event);
}

static gboolean gst_mas_gate_src_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto self = GST_MAS_GATE(parent);
  const saccade::gst::TextPtr id(gst_pad_get_stream_id(self->sink));
  const std::string stream = id ? id.get() : "";
  if (const auto committed = saccade::gst::parse_committed(event); committed && committed->stream == stream) {
    self->run->gate().committed(committed->frame, committed->patches, committed->consumer);
  } else if (const auto dropped = saccade::gst::parse_dropped(event); dropped && dropped->stream == stream) {
    GST_DEBUG_OBJECT(self, "%s dropped frame %" G_GUINT64_FORMAT ": %s", dropped->consumer.c_str(),
                     guint64{dropped->frame}, dropped->reason.c_str());
    self->run->gate().dropped(dropped->frame, dropped->consumer);
  } else {
    return gst_pad_event_default(pad, parent, event);
  }
  gst_event_unref(event);
  return TRUE;
}

// ---- sound

static GstFlowReturn gst_mas_gate_audio_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  const bool taken = GST_MAS_GATE(parent)->run->audio().take(pad, buffer);
  gst_buffer_unref(buffer);
  return taken ? GST_FLOW_OK : GST_FLOW_NOT_NEGOTIATED;
}

static gboolean gst_mas_gate_audio_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto &audio = GST_MAS_GATE(parent)->run->audio();
  gboolean taken = TRUE;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps;
      GstAudioInfo info;
      gst_event_parse_caps(event, &caps);
      taken = gst_audio_info_from_caps(&info, caps);
      if (taken) audio.set_format(pad, info);
      break;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment;
      gst_event_parse_segment(event, &segment);
      audio.set_segment(pad, *segment);
      break;
    }
    case GST_EVENT_GAP: {
      GstClockTime pts;
      GstClockTime duration;
      gst_event_parse_gap(event, &pts, &duration);
      audio.skip(pad, pts, duration);
      break;
    }
    case GST_EVENT_EOS: audio.end(pad); break;
    case GST_EVENT_FLUSH_STOP: audio.flush(pad); break;
    default: break;
  }
  gst_event_unref(event);  // nothing of the sound goes on; src speaks of the picture only
  return taken;
}
