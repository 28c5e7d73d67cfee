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

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/events.h"
#include "common/luma.h"
#include "common/metas.h"
#include "masgate/audio_inputs.h"
#include "masgate/masgate_settings.h"

GST_DEBUG_CATEGORY_STATIC(gst_mas_gate_debug);
#define GST_CAT_DEFAULT gst_mas_gate_debug

using saccade::Duration;
using saccade::StreamTime;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate audio_template = GST_STATIC_PAD_TEMPLATE(
    "audio_%u", GST_PAD_SINK, GST_PAD_REQUEST,
    GST_STATIC_CAPS("audio/x-raw, format=(string){F32LE, S16LE}, layout=(string)interleaved, "
                    "rate=(int)[ 8000, 192000 ], channels=(int)[ 1, 64 ]"));

static constexpr saccade::PatchGrid kFallbackGrid{8, 8};
static constexpr Duration kFileAudioWait = std::chrono::seconds(1);
// Live, a picture is still when the sound is this far ahead of the last frame or gap on the video pad.
static constexpr Duration kStillAfter = std::chrono::milliseconds(500);

namespace {

struct BufferUnref {
  void operator()(GstBuffer *buffer) const { gst_buffer_unref(buffer); }
};
using BufferPtr = std::unique_ptr<GstBuffer, BufferUnref>;

struct Counts {
  guint64 received = 0;
  guint64 kept = 0;
  guint64 dropped = 0;
  guint64 repeated = 0;  // the latest picture, emitted once more
};

}  // namespace

struct GstMasGatePrivate {
  std::mutex settings_mutex;
  saccade::gst::GateSettings settings;
  bool settings_changed = true;

  saccade::MasGate gate;  // has its own lock: committed and dropped events come from other threads
  saccade::gst::AudioInputs audio;
  unsigned next_audio = 0;

  // What the streaming thread, and the thread that wakes still pictures, work on; held while pushing, never
  // taken by an audio chain nor by an event that goes upstream.
  std::mutex stream_mutex;
  saccade::gst::LumaReader luma;
  GstVideoInfo info{};
  bool has_caps = false;
  bool ask_grid = true;
  bool live = false;
  GstSegment segment{};
  StreamTime now{};          // end of the last frame or gap on the video pad
  StreamTime listened_to{};  // sound up to here has been judged
  BufferPtr latest;          // a copy of the picture needed last

  std::mutex counts_mutex;
  Counts counts;
  std::jthread waker;
};

struct _GstMasGate {
  GstElement parent;
  GstPad *sink;
  GstPad *src;
  GstMasGatePrivate *priv;
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
static gboolean gst_mas_gate_sink_event(GstPad *pad, GstObject *parent, GstEvent *event);
static gboolean gst_mas_gate_src_event(GstPad *pad, GstObject *parent, GstEvent *event);
static GstFlowReturn gst_mas_gate_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static gboolean gst_mas_gate_audio_event(GstPad *pad, GstObject *parent, GstEvent *event);
static GstFlowReturn gst_mas_gate_audio_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static void gst_mas_gate_watch_still_picture(GstMasGate *self, std::stop_token stop);

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
  self->priv = new GstMasGatePrivate();
  gst_segment_init(&self->priv->segment, GST_FORMAT_TIME);

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
}

static void gst_mas_gate_finalize(GObject *object) {
  delete GST_MAS_GATE(object)->priv;
  G_OBJECT_CLASS(gst_mas_gate_parent_class)->finalize(object);
}

// ---- properties

static void gst_mas_gate_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
  auto priv = GST_MAS_GATE(object)->priv;
  const std::lock_guard lock(priv->settings_mutex);
  if (!saccade::gst::set_gate_property(priv->settings, id, value)) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
  }
  priv->settings_changed = true;
}

static GstStructure *gst_mas_gate_statistics(GstMasGatePrivate *priv) {
  const auto looked = priv->gate.counts();
  const std::lock_guard lock(priv->counts_mutex);
  const auto &counts = priv->counts;
  return gst_structure_new("masgate-statistics",                                                   //
                           "received", G_TYPE_UINT64, counts.received,                             //
                           "kept", G_TYPE_UINT64, counts.kept,                                     //
                           "dropped", G_TYPE_UINT64, counts.dropped,                               //
                           "needed", G_TYPE_UINT64, guint64{looked.needed},                        //
                           "repeated", G_TYPE_UINT64, counts.repeated,                             //
                           "patches-seen", G_TYPE_UINT64, guint64{looked.patches_seen},            //
                           "patches-refreshed", G_TYPE_UINT64, guint64{looked.patches_refreshed},  //
                           "sent-again", G_TYPE_UINT64, guint64{looked.sent_again},                //
                           "woken-by-sound", G_TYPE_UINT64, guint64{looked.woken_by_sound},        //
                           "hash-matches", G_TYPE_UINT64, guint64{looked.hash_matches},            //
                           "pending", G_TYPE_UINT64, guint64{looked.pending}, nullptr);
}

static void gst_mas_gate_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  auto priv = GST_MAS_GATE(object)->priv;
  if (id == saccade::gst::gate_statistics_property()) {
    g_value_take_boxed(value, gst_mas_gate_statistics(priv));
    return;
  }
  const std::lock_guard lock(priv->settings_mutex);
  if (!saccade::gst::get_gate_property(priv->settings, id, value)) {
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
    pad_name = "audio_" + std::to_string(self->priv->next_audio++);
    GST_OBJECT_UNLOCK(self);
  }
  auto pad = gst_pad_new_from_template(templ, pad_name.c_str());
  gst_pad_set_chain_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_audio_chain));
  gst_pad_set_event_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_audio_event));
  gst_pad_set_iterate_internal_links_function(pad, GST_DEBUG_FUNCPTR(gst_mas_gate_no_links));
  self->priv->audio.add(pad);
  gst_pad_set_active(pad, TRUE);
  if (!gst_element_add_pad(element, pad)) {  // a pad of that name exists; GStreamer has said so
    self->priv->audio.remove(pad);
    return nullptr;
  }
  return pad;
}

static void gst_mas_gate_release_pad(GstElement *element, GstPad *pad) {
  auto self = GST_MAS_GATE(element);
  gst_pad_set_active(pad, FALSE);
  self->priv->audio.remove(pad);
  gst_element_remove_pad(element, pad);
}

static void gst_mas_gate_start(GstMasGate *self) {
  auto priv = self->priv;
  priv->gate.restart();
  priv->audio.restart();
  {
    const std::lock_guard lock(priv->stream_mutex);
    priv->now = priv->listened_to = {};
    priv->ask_grid = true;
  }
  {
    const std::lock_guard lock(priv->counts_mutex);
    priv->counts = {};
  }
  priv->waker = std::jthread([self](std::stop_token stop) { gst_mas_gate_watch_still_picture(self, stop); });
}

// The pads are inactive by now, so whatever the waker was pushing has come back.
static void gst_mas_gate_stop(GstMasGate *self) {
  auto priv = self->priv;
  priv->waker = {};
  const std::lock_guard lock(priv->stream_mutex);
  priv->latest.reset();
  priv->has_caps = false;
  gst_segment_init(&priv->segment, GST_FORMAT_TIME);
}

static GstStateChangeReturn gst_mas_gate_change_state(GstElement *element, GstStateChange change) {
  auto self = GST_MAS_GATE(element);
  if (change == GST_STATE_CHANGE_READY_TO_PAUSED) gst_mas_gate_start(self);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) self->priv->audio.set_flushing(true);
  const auto result = GST_ELEMENT_CLASS(gst_mas_gate_parent_class)->change_state(element, change);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) gst_mas_gate_stop(self);
  return result;
}

// ---- what the streaming thread does; stream_mutex is held

static void gst_mas_gate_apply_settings(GstMasGate *self) {
  auto priv = self->priv;
  saccade::gst::GateSettings settings;
  {
    const std::lock_guard lock(priv->settings_mutex);
    if (!priv->settings_changed && !priv->ask_grid) return;
    priv->settings_changed = false;
    settings = priv->settings;
  }
  priv->ask_grid = false;
  saccade::PatchGrid grid{settings.rows, settings.columns};
  if (grid.rows == 0 || grid.columns == 0) {
    const auto asked = saccade::gst::query_patch_grid(self->src).value_or(kFallbackGrid);
    if (grid.rows == 0) grid.rows = asked.rows;
    if (grid.columns == 0) grid.columns = asked.columns;
  }
  settings.engine.grid = grid;
  // A file's encoder is never in a hurry and loses nothing: without the timeout its run is reproducible.
  if (!priv->live) settings.engine.commit_timeout = Duration::zero();
  priv->gate.configure(settings.engine);
  GST_DEBUG_OBJECT(self, "%s stream, %d rows and %d columns of patches", priv->live ? "live" : "file",
                   grid.rows, grid.columns);
}

static bool gst_mas_gate_is_live(GstMasGate *self) {
  gboolean live = FALSE;
  auto query = gst_query_new_latency();
  if (gst_pad_peer_query(self->sink, query)) gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  return live;
}

static StreamTime gst_mas_gate_running_time(GstMasGatePrivate *priv, GstClockTime pts) {
  if (!GST_CLOCK_TIME_IS_VALID(pts)) return priv->now;
  const auto time = gst_segment_to_running_time(&priv->segment, GST_FORMAT_TIME, pts);
  return GST_CLOCK_TIME_IS_VALID(time) ? StreamTime(static_cast<std::int64_t>(time)) : priv->now;
}

static Duration gst_mas_gate_length(GstClockTime duration) {
  return Duration(GST_CLOCK_TIME_IS_VALID(duration) ? static_cast<std::int64_t>(duration) : 0);
}

// What was heard since the last time somebody asked, up to `until`.
static saccade::SoundReading gst_mas_gate_listen(GstMasGatePrivate *priv, StreamTime until) {
  const auto end = std::min(until, priv->audio.heard_until());
  if (end <= priv->listened_to) return priv->audio.heard({priv->listened_to, priv->listened_to});
  const auto heard = priv->audio.heard({priv->listened_to, end});
  priv->listened_to = end;
  return heard;
}

static void gst_mas_gate_wait_for_sound(GstMasGatePrivate *priv, StreamTime time) {
  if (priv->audio.empty()) return;
  std::int64_t wait;
  {
    const std::lock_guard lock(priv->settings_mutex);
    wait = priv->settings.audio_wait;
  }
  if (wait < 0) wait = priv->live ? 0 : kFileAudioWait.count();
  priv->audio.wait_until_heard(time, Duration(wait));
}

static void gst_mas_gate_post(GstMasGate *self, const saccade::MasReport &report, StreamTime time) {
  {
    const std::lock_guard lock(self->priv->settings_mutex);
    if (!self->priv->settings.post_messages) return;
  }
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_element(
          GST_OBJECT(self),
          gst_structure_new("saccade/mas",                                                      //
                            "frame", G_TYPE_UINT64, guint64{report.frame},                      //
                            "running-time", G_TYPE_UINT64, static_cast<guint64>(time.count()),  //
                            "mas-video", G_TYPE_DOUBLE, report.mas_video,                       //
                            "mas-audio", G_TYPE_DOUBLE, report.mas_audio,                       //
                            "complexity", G_TYPE_DOUBLE, report.complexity,                     //
                            "refresh", G_TYPE_INT, report.refresh_count(),                      //
                            "patches", G_TYPE_INT, report.grid.count(),                         //
                            "route", G_TYPE_STRING, saccade::to_string(report.route),           //
                            "reason", G_TYPE_STRING, report.reason.c_str(), nullptr)));
}

// Sends the latest picture once more, when a part of it was lost on the way or there was a sound. True when
// it did.
static bool gst_mas_gate_repeat(GstMasGate *self, StreamTime now, const saccade::SoundReading &sound) {
  auto priv = self->priv;
  if (!priv->latest) return false;
  const auto report = priv->gate.revisit(now, sound);
  if (!report) return false;
  auto again = gst_buffer_copy(priv->latest.get());
  const auto at = static_cast<guint64>(now.count());
  GST_BUFFER_PTS(again) = gst_segment_position_from_running_time(&priv->segment, GST_FORMAT_TIME, at);
  GST_BUFFER_DTS(again) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(again) = GST_CLOCK_TIME_NONE;
  saccade::gst::set_mas(again, *report);
  GST_DEBUG_OBJECT(self, "picture sent again: %s", report->reason.c_str());
  {
    const std::lock_guard lock(priv->counts_mutex);
    ++priv->counts.repeated;
  }
  gst_mas_gate_post(self, *report, now);
  gst_pad_push(self->src, again);
  return true;
}

static GstFlowReturn gst_mas_gate_pass(GstMasGate *self, GstBuffer *buffer,
                                       const saccade::MasReport &report) {
  auto priv = self->priv;
  bool keep = report.needed;
  {
    const std::lock_guard lock(priv->settings_mutex);
    keep |= priv->settings.mode == saccade::gst::GateMode::annotate;
  }
  {
    const std::lock_guard lock(priv->counts_mutex);
    ++priv->counts.received;
    ++(keep ? priv->counts.kept : priv->counts.dropped);
  }
  if (keep) return gst_pad_push(self->src, buffer);
  if (GST_BUFFER_PTS_IS_VALID(buffer)) {
    gst_pad_push_event(self->src, gst_event_new_gap(GST_BUFFER_PTS(buffer), GST_BUFFER_DURATION(buffer)));
  }
  gst_buffer_unref(buffer);
  return GST_FLOW_OK;
}

static GstFlowReturn gst_mas_gate_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  auto self = GST_MAS_GATE(parent);
  auto priv = self->priv;
  const std::lock_guard lock(priv->stream_mutex);
  if (!priv->has_caps) {
    gst_buffer_unref(buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  gst_mas_gate_apply_settings(self);
  const auto start = gst_mas_gate_running_time(priv, GST_BUFFER_PTS(buffer));
  const auto end = start + gst_mas_gate_length(GST_BUFFER_DURATION(buffer));
  gst_mas_gate_wait_for_sound(priv, start);
  const auto sound = gst_mas_gate_listen(priv, end);

  saccade::Result<saccade::MasReport> report = [&] {
    const auto picture = priv->luma.read(buffer, start);
    return picture.ok() ? priv->gate.look(picture.value().frame(), sound) : picture.status();
  }();
  if (!report.ok()) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("masgate: %s", report.status().message().c_str()), (nullptr));
    gst_buffer_unref(buffer);
    return GST_FLOW_ERROR;
  }
  priv->now = end;
  GST_LOG_OBJECT(self, "frame %" G_GUINT64_FORMAT ": %s", guint64{report.value().frame},
                 report.value().reason.c_str());
  buffer = gst_buffer_make_writable(buffer);
  saccade::gst::set_mas(buffer, report.value());
  if (report.value().needed) {
    priv->latest.reset(gst_buffer_copy_deep(buffer));
    gst_mas_gate_post(self, report.value(), start);
  }
  return gst_mas_gate_pass(self, buffer, report.value());
}

// ---- events of the video pads

static gboolean gst_mas_gate_set_caps(GstMasGate *self, GstCaps *caps) {
  auto priv = self->priv;
  const std::lock_guard lock(priv->stream_mutex);
  priv->has_caps = gst_video_info_from_caps(&priv->info, caps);
  auto status = priv->has_caps
                    ? priv->luma.set_format(priv->info)
                    : saccade::Status(saccade::StatusKind::unsupported, "cannot read these video caps");
  if (!status.ok()) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("masgate: %s", status.message().c_str()),
                      ("caps %" GST_PTR_FORMAT, static_cast<void *>(caps)));
    priv->has_caps = false;
    return FALSE;
  }
  priv->latest.reset();
  priv->ask_grid = true;
  priv->live = gst_mas_gate_is_live(self);
  return TRUE;
}

static void gst_mas_gate_forget(GstMasGatePrivate *priv) {
  priv->gate.forget();
  priv->latest.reset();
  priv->now = priv->listened_to = {};
}

// A GAP says that time goes on without a picture: the moment to send again what was lost, or what a sound
// asks for.
static gboolean gst_mas_gate_gap(GstMasGate *self, GstEvent *event) {
  auto priv = self->priv;
  GstClockTime pts;
  GstClockTime duration;
  gst_event_parse_gap(event, &pts, &duration);
  bool repeated;
  {
    const std::lock_guard lock(priv->stream_mutex);
    const auto start = gst_mas_gate_running_time(priv, pts);
    priv->now = start + gst_mas_gate_length(duration);
    gst_mas_gate_wait_for_sound(priv, start);
    repeated = gst_mas_gate_repeat(self, start, gst_mas_gate_listen(priv, priv->now));
  }
  if (!repeated) return gst_pad_push_event(self->src, event);
  gst_event_unref(event);
  return TRUE;
}

static gboolean gst_mas_gate_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto self = GST_MAS_GATE(parent);
  auto priv = self->priv;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps *caps;
      gst_event_parse_caps(event, &caps);
      // Downstream first: then its encoder can be asked for its grid.
      gst_event_ref(event);
      const auto passed = gst_pad_event_default(pad, parent, event);
      const auto taken = gst_mas_gate_set_caps(self, caps);
      gst_event_unref(event);
      return passed && taken;
    }
    case GST_EVENT_SEGMENT: {
      const std::lock_guard lock(priv->stream_mutex);
      gst_event_copy_segment(event, &priv->segment);
      break;
    }
    case GST_EVENT_GAP: return gst_mas_gate_gap(self, event);
    case GST_EVENT_FLUSH_START: {
      priv->audio.set_flushing(true);
      break;
    }
    case GST_EVENT_FLUSH_STOP: {
      priv->audio.set_flushing(false);
      const std::lock_guard lock(priv->stream_mutex);
      gst_mas_gate_forget(priv);
      gst_segment_init(&priv->segment, GST_FORMAT_TIME);
      break;
    }
    default: break;
  }
  return gst_pad_event_default(pad, parent, event);
}

static gboolean gst_mas_gate_src_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto self = GST_MAS_GATE(parent);
  const std::unique_ptr<gchar, decltype(&g_free)> id(gst_pad_get_stream_id(self->sink), g_free);
  const std::string stream = id ? id.get() : "";
  if (const auto committed = saccade::gst::parse_committed(event); committed && committed->stream == stream) {
    self->priv->gate.committed(committed->frame, committed->patches, committed->consumer);
    gst_event_unref(event);
    return TRUE;
  }
  if (const auto dropped = saccade::gst::parse_dropped(event); dropped && dropped->stream == stream) {
    GST_DEBUG_OBJECT(self, "%s dropped frame %" G_GUINT64_FORMAT ": %s", dropped->consumer.c_str(),
                     guint64{dropped->frame}, dropped->reason.c_str());
    self->priv->gate.dropped(dropped->frame, dropped->consumer);
    gst_event_unref(event);
    return TRUE;
  }
  return gst_pad_event_default(pad, parent, event);
}

// ---- sound

static GstFlowReturn gst_mas_gate_audio_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  const bool taken = GST_MAS_GATE(parent)->priv->audio.take(pad, buffer);
  gst_buffer_unref(buffer);
  return taken ? GST_FLOW_OK : GST_FLOW_NOT_NEGOTIATED;
}

static gboolean gst_mas_gate_audio_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto &audio = GST_MAS_GATE(parent)->priv->audio;
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

// Runs from start to stop on its own thread: live, with neither a frame nor a gap on the video pad, nobody
// else would notice that there was a sound.
static void gst_mas_gate_watch_still_picture(GstMasGate *self, std::stop_token stop) {
  auto priv = self->priv;
  StreamTime seen{};
  while (priv->audio.wait_for_more(stop, seen)) {
    seen = priv->audio.heard_until();
    const std::lock_guard lock(priv->stream_mutex);
    if (!priv->live || !priv->latest || seen < priv->now + kStillAfter) continue;
    gst_mas_gate_repeat(self, seen, gst_mas_gate_listen(priv, seen));
  }
}
