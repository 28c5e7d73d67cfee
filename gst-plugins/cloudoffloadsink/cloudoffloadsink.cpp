// cloudoffloadsink: sends segments to an OpenAI-compatible server and brings the answers back.
//
// A segment is one or more frames and a question. Behind the offload pad of `localmllm` segments come with
// events and metas, and their answers travel back upstream as `saccade/answer`; in any other pipeline every
// frame is a segment of its own, asked the `prompt`. Answers are also posted as element messages and emitted
// as a signal. The streaming thread never waits for the network when the pipeline is live.
//
//   gst-launch-1.0 -m videotestsrc num-buffers=1 ! cloudoffloadsink endpoint=http://127.0.0.1:8080/v1
//   retries=0
//
// prints the answer of a server on that port, or a warning that says why there is none.
#include "cloudoffloadsink/cloudoffloadsink.h"

#include <gst/video/video.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "cloudoffloadsink/properties.h"
#include "cloudoffloadsink/reports.h"
#include "cloudoffloadsink/segment_sender.h"
#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "offload/cloud/endpoint.h"
#include "offload/upload/upload_sound.h"

GST_DEBUG_CATEGORY(cloud_offload_sink_debug);
#define GST_CAT_DEFAULT cloud_offload_sink_debug

namespace cloud = saccade::gst::cloud;
using saccade::gst::CloudOffloadSettings;

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL) "; image/jpeg"));

enum { SIGNAL_ANSWER, LAST_SIGNAL };

struct CloudOffloadSinkPrivate {
  std::mutex mutex;  // guards the next three; never held while the sender is called into
  CloudOffloadSettings settings;
  std::shared_ptr<saccade::gst::SegmentSender> sender;  // from start to stop
  saccade::gst::SenderStatistics last_statistics;       // of the run that ended last

  // The streaming thread's own.
  GstVideoInfo info{};
  bool is_jpeg = false;
  bool liveness_known = false;
};

struct _SaccadeCloudOffloadSink {
  GstBaseSink parent;
  CloudOffloadSinkPrivate *priv;
};

static guint signals[LAST_SIGNAL];

G_DEFINE_TYPE(SaccadeCloudOffloadSink, saccade_cloud_offload_sink, GST_TYPE_BASE_SINK)
GST_ELEMENT_REGISTER_DEFINE(cloudoffloadsink, "cloudoffloadsink", GST_RANK_NONE,
                            SACCADE_TYPE_CLOUD_OFFLOAD_SINK)

static void saccade_cloud_offload_sink_finalize(GObject *object);
static void saccade_cloud_offload_sink_set_property(GObject *object, guint id, const GValue *value,
                                                    GParamSpec *pspec);
static void saccade_cloud_offload_sink_get_property(GObject *object, guint id, GValue *value,
                                                    GParamSpec *pspec);
static GstStateChangeReturn saccade_cloud_offload_sink_change_state(GstElement *element,
                                                                    GstStateChange transition);
static gboolean saccade_cloud_offload_sink_start(GstBaseSink *sink);
static gboolean saccade_cloud_offload_sink_stop(GstBaseSink *sink);
static gboolean saccade_cloud_offload_sink_set_caps(GstBaseSink *sink, GstCaps *caps);
static gboolean saccade_cloud_offload_sink_event(GstBaseSink *sink, GstEvent *event);
static GstFlowReturn saccade_cloud_offload_sink_render(GstBaseSink *sink, GstBuffer *buffer);
static gboolean saccade_cloud_offload_sink_unlock(GstBaseSink *sink);

static void saccade_cloud_offload_sink_class_init(SaccadeCloudOffloadSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(cloud_offload_sink_debug, "cloudoffloadsink", 0, "Sends segments to a cloud model");
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);
  auto sink_class = GST_BASE_SINK_CLASS(klass);

  object_class->finalize = saccade_cloud_offload_sink_finalize;
  object_class->set_property = saccade_cloud_offload_sink_set_property;
  object_class->get_property = saccade_cloud_offload_sink_get_property;
  cloud::properties().install(object_class);

  // answer (owner, id, text, confidence): from the network thread; change no state in it.
  signals[SIGNAL_ANSWER] =
      g_signal_new("answer", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr,
                   G_TYPE_NONE, 4, G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_STRING, G_TYPE_DOUBLE);

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Cloud offload sink", "Sink/Video/Network",
      "Sends segments to any OpenAI-compatible server and brings the answers back", "Saccade");

  element_class->change_state = saccade_cloud_offload_sink_change_state;
  sink_class->start = saccade_cloud_offload_sink_start;
  sink_class->stop = saccade_cloud_offload_sink_stop;
  sink_class->set_caps = saccade_cloud_offload_sink_set_caps;
  sink_class->event = saccade_cloud_offload_sink_event;
  sink_class->render = saccade_cloud_offload_sink_render;
  sink_class->unlock = saccade_cloud_offload_sink_unlock;
}

static void saccade_cloud_offload_sink_init(SaccadeCloudOffloadSink *self) {
  self->priv = new CloudOffloadSinkPrivate;
  auto sink = GST_BASE_SINK(self);
  gst_base_sink_set_async_enabled(sink, FALSE);  // preroll never waits for data on this branch
  gst_base_sink_set_sync(sink, FALSE);
  gst_base_sink_set_last_sample_enabled(sink, FALSE);  // no upstream buffer is held
}

static void saccade_cloud_offload_sink_finalize(GObject *object) {
  delete SACCADE_CLOUD_OFFLOAD_SINK(object)->priv;
  G_OBJECT_CLASS(saccade_cloud_offload_sink_parent_class)->finalize(object);
}

// --- Properties
// -----------------------------------------------------------------------------------------------

static std::shared_ptr<saccade::gst::SegmentSender> sender_of(SaccadeCloudOffloadSink *self) {
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->sender;
}

static CloudOffloadSettings settings_of(SaccadeCloudOffloadSink *self) {
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->settings;
}

static saccade::gst::SenderStatistics statistics_of(SaccadeCloudOffloadSink *self) {
  if (const auto sender = sender_of(self)) return sender->statistics();
  const std::lock_guard lock(self->priv->mutex);
  return self->priv->last_statistics;
}

static void saccade_cloud_offload_sink_set_property(GObject *object, guint id, const GValue *value,
                                                    GParamSpec *pspec) {
  auto priv = SACCADE_CLOUD_OFFLOAD_SINK(object)->priv;
  const std::lock_guard lock(priv->mutex);
  if (!cloud::properties().set(priv->settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

static void saccade_cloud_offload_sink_get_property(GObject *object, guint id, GValue *value,
                                                    GParamSpec *pspec) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(object);
  if (id == cloud::properties().kStatistics) {
    g_value_take_boxed(value, cloud::to_structure(statistics_of(self)));
    return;
  }
  auto settings = settings_of(self);
  if (!cloud::properties().get(settings, id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
}

// --- Start and stop
// -------------------------------------------------------------------------------------------

static gboolean refuse(SaccadeCloudOffloadSink *self, const saccade::Status &status) {
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("cloudoffloadsink: %s", status.message().c_str()), (nullptr));
  return FALSE;
}

static gboolean saccade_cloud_offload_sink_start(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  auto element = GST_ELEMENT(sink);
  auto priv = self->priv;
  auto settings = settings_of(self);
  auto key = saccade::read_api_key(settings.api_key_file);
  if (!key.ok()) return refuse(self, key.status());
  settings.cloud.api_key = std::move(key).value();
  auto sender = saccade::gst::SegmentSender::create(
      settings,
      {.ended = [element](const saccade::gst::SegmentResult &result) { cloud::report(element, result); },
       .grows = [element](const saccade::gst::SegmentBegin &segment,
                          const std::string &text) { cloud::report_growth(element, segment, text); },
       .kept = [element](const saccade::gst::SegmentBegin &segment,
                         const saccade::Status &why) { cloud::report_kept(element, segment, why); },
       .trouble = [element](const saccade::Status &status) { cloud::report_trouble(element, status); },
       .link = [element](const saccade::CloudStatistics &now, bool changed,
                         const std::string &reason) { cloud::report_link(element, now, changed, reason); }});
  if (!sender.ok()) return refuse(self, sender.status());
  priv->liveness_known = false;
  const std::lock_guard lock(priv->mutex);
  priv->sender = std::move(sender).value();
  return TRUE;
}

// A sink holds its data until PLAYING, even with async off. This one takes it in PAUSED already: whoever
// feeds it may have another branch to preroll from the same thread.
static void take_data_when_paused(GstBaseSink *sink) {
  GST_BASE_SINK_PREROLL_LOCK(sink);
  sink->need_preroll = FALSE;
  GST_BASE_SINK_PREROLL_BROADCAST(sink);
  GST_BASE_SINK_PREROLL_UNLOCK(sink);
}

static GstStateChangeReturn saccade_cloud_offload_sink_change_state(GstElement *element,
                                                                    GstStateChange transition) {
  const auto result =
      GST_ELEMENT_CLASS(saccade_cloud_offload_sink_parent_class)->change_state(element, transition);
  const bool to_paused =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
  if (to_paused && result != GST_STATE_CHANGE_FAILURE) take_data_when_paused(GST_BASE_SINK(element));
  return result;
}

static gboolean saccade_cloud_offload_sink_stop(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  const auto sender = sender_of(self);
  if (!sender) return TRUE;
  sender->stop();
  const auto statistics = sender->statistics();
  const std::lock_guard lock(self->priv->mutex);
  self->priv->last_statistics = statistics;
  self->priv->sender.reset();
  return TRUE;
}

// --- Data
// -----------------------------------------------------------------------------------------------------

static gboolean saccade_cloud_offload_sink_set_caps(GstBaseSink *sink, GstCaps *caps) {
  auto priv = SACCADE_CLOUD_OFFLOAD_SINK(sink)->priv;
  priv->is_jpeg = gst_structure_has_name(gst_caps_get_structure(caps, 0), "image/jpeg");
  return priv->is_jpeg || gst_video_info_from_caps(&priv->info, caps);
}

// A copy of the frame's own memory. Metas stay behind, except the one that says how the planes lie: some of
// them hold on to buffers of upstream's pool.
static saccade::gst::BufferPtr copy_of(GstBuffer *buffer) {
  GstBuffer *copy = gst_buffer_new();
  gst_buffer_copy_into(copy, buffer,
                       static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_DEEP), 0,
                       static_cast<gsize>(-1));
  if (auto meta = gst_buffer_get_video_meta(buffer)) {
    gst_buffer_add_video_meta_full(copy, meta->flags, meta->format, meta->width, meta->height, meta->n_planes,
                                   meta->offset, meta->stride);
  }
  return saccade::gst::BufferPtr(copy);
}

// Nobody asked about a frame without a segment, nor said that what was heard with it may leave.
static saccade::gst::SegmentFrame frame_of(const CloudOffloadSinkPrivate &priv, GstBuffer *buffer,
                                           const std::optional<saccade::gst::SegmentInfo> &segment) {
  saccade::gst::SegmentFrame frame;
  if (!segment || segment->shown)
    frame.picture =
        saccade::gst::SegmentPicture{priv.info, priv.is_jpeg, copy_of(buffer), saccade::gst::get_mas(buffer)};
  if (segment) frame.sound = saccade::newest_to_upload(saccade::gst::get_audio(buffer));
  return frame;
}

// Whether the pipeline is live decides whether frames may wait here.
static void learn_liveness(SaccadeCloudOffloadSink *self, saccade::gst::SegmentSender &sender) {
  if (std::exchange(self->priv->liveness_known, true)) return;
  GstQuery *query = gst_query_new_latency();
  gboolean live = FALSE;
  if (gst_pad_peer_query(GST_BASE_SINK_PAD(self), query))
    gst_query_parse_latency(query, &live, nullptr, nullptr);
  gst_query_unref(query);
  sender.set_live(live);
}

// True from the moment a flush or a stop begins, before unlock() wakes who waits.
static bool is_flushing(SaccadeCloudOffloadSink *self) {
  GstPad *pad = GST_BASE_SINK_PAD(self);
  GST_OBJECT_LOCK(pad);
  const bool flushing = GST_PAD_IS_FLUSHING(pad);
  GST_OBJECT_UNLOCK(pad);
  return flushing;
}

static GstFlowReturn saccade_cloud_offload_sink_render(GstBaseSink *sink, GstBuffer *buffer) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  auto priv = self->priv;
  const auto sender = sender_of(self);
  if (!sender) return GST_FLOW_FLUSHING;
  learn_liveness(self, *sender);
  // Without the lock that state changes take: data is taken in PAUSED too.
  GST_BASE_SINK_PREROLL_UNLOCK(sink);
  const bool space = sender->wait_for_space([self] { return is_flushing(self); });
  GST_BASE_SINK_PREROLL_LOCK(sink);
  if (!space) return GST_FLOW_FLUSHING;
  const auto settings = settings_of(self);
  const auto segment = saccade::gst::get_segment(buffer);
  sender->frame(frame_of(*priv, buffer, segment), segment, {settings.prompt, settings.max_tokens});
  return GST_FLOW_OK;
}

static gboolean saccade_cloud_offload_sink_event(GstBaseSink *sink, GstEvent *event) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  if (const auto sender = sender_of(self)) {
    switch (GST_EVENT_TYPE(event)) {
      case GST_EVENT_CUSTOM_DOWNSTREAM:
        if (const auto begin = saccade::gst::parse_segment_begin(event)) sender->begin(*begin);
        if (const auto draft = saccade::gst::parse_segment_draft(event)) sender->draft(*draft);
        if (const auto cancel = saccade::gst::parse_segment_cancel(event)) sender->cancel(*cancel);
        break;
      case GST_EVENT_STREAM_START:
        // Who knows of another sink, or of this one before it was started anew, forgets it.
        cloud::report_link(GST_ELEMENT(self), sender->statistics().cloud, false, "a stream began");
        break;
      case GST_EVENT_FLUSH_START: sender->set_flushing(true); break;
      case GST_EVENT_FLUSH_STOP: sender->set_flushing(false); break;
      case GST_EVENT_EOS:
        // Without the lock that state changes take, which is held for events: answers may be long in coming.
        GST_BASE_SINK_PREROLL_UNLOCK(sink);
        sender->drain(settings_of(self).drain_timeout, [self] { return is_flushing(self); });
        GST_BASE_SINK_PREROLL_LOCK(sink);
        // A flush that came meanwhile has woken everybody already: the base class would wait for ever.
        if (is_flushing(self)) {
          gst_event_unref(event);
          return FALSE;
        }
        break;
      default: break;
    }
  }
  return GST_BASE_SINK_CLASS(saccade_cloud_offload_sink_parent_class)->event(sink, event);
}

static gboolean saccade_cloud_offload_sink_unlock(GstBaseSink *sink) {
  auto self = SACCADE_CLOUD_OFFLOAD_SINK(sink);
  if (const auto sender = sender_of(self)) sender->wake();
  return TRUE;
}
