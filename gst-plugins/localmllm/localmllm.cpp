/**
 * SECTION:element-localmllm
 * @title: localmllm
 * @short_description: answers questions about a video stream with a multimodal language model
 *
 * Takes pictures, asks the model of two GGUF files about them, and gives its answers as text buffers,
 * as element messages "saccade-answer" and through the signal "answer". It works alone; with masgate in
 * front it answers only what changed, with tokencompressor in front it does not encode itself, and with
 * its offload pad linked to cloudoffloadsink the cloud is asked where it is unsure.
 *
 * |[
 * gst-launch-1.0 filesrc location=clip.avi ! decodebin ! videoconvert ! localmllm model=text.gguf
 * mmproj=mmproj.gguf prompt="what colour is the light?" ! fdsink
 * ]|
 */
#include "localmllm/localmllm.h"

#include <gst/video/video.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "localmllm/local_run.h"
#include "localmllm/properties.h"

GST_DEBUG_CATEGORY(gst_local_mllm_debug);
#define GST_CAT_DEFAULT gst_local_mllm_debug

using saccade::gst::EventPtr;
using saccade::gst::LocalMllmSettings;
using saccade::gst::LocalRun;
using saccade::gst::OffloadLink;

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("text/x-raw, format=(string)utf8; application/x-json"));

static GstStaticPadTemplate text_template = GST_STATIC_PAD_TEMPLATE(
    "text", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS("text/x-raw, format=(string)utf8"));

static GstStaticPadTemplate offload_template = GST_STATIC_PAD_TEMPLATE(
    "offload", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("RGB")));

enum { SIGNAL_ANSWER, SIGNAL_ASK, SIGNAL_COUNT };
static guint signals[SIGNAL_COUNT];

struct GstLocalMllmPrivate {
  GstPad *sink = nullptr;  // the element's, as all pads
  GstPad *src = nullptr;

  std::mutex lock;  // all below
  LocalMllmSettings settings;
  std::shared_ptr<LocalRun> run;  // only between READY→PAUSED and PAUSED→READY
  std::shared_ptr<OffloadLink> offload;
};

struct _GstLocalMllm {
  GstElement parent;
  GstLocalMllmPrivate *priv;
};

G_DEFINE_TYPE(GstLocalMllm, gst_local_mllm, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(localmllm, "localmllm", GST_RANK_NONE, GST_TYPE_LOCAL_MLLM)

static void gst_local_mllm_finalize(GObject *object);
static void gst_local_mllm_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec);
static void gst_local_mllm_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec);
static guint64 gst_local_mllm_ask(GstLocalMllm *self, const gchar *question);
static GstStateChangeReturn gst_local_mllm_change_state(GstElement *element, GstStateChange transition);
static GstPad *gst_local_mllm_request_new_pad(GstElement *element, GstPadTemplate *templ, const gchar *name,
                                              const GstCaps *caps);
static void gst_local_mllm_release_pad(GstElement *element, GstPad *pad);
static GstFlowReturn gst_local_mllm_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static gboolean gst_local_mllm_sink_event(GstPad *pad, GstObject *parent, GstEvent *event);
static gboolean gst_local_mllm_sink_query(GstPad *pad, GstObject *parent, GstQuery *query);
static gboolean gst_local_mllm_src_query(GstPad *pad, GstObject *parent, GstQuery *query);
static gboolean gst_local_mllm_offload_event(GstPad *pad, GstObject *parent, GstEvent *event);
static GstFlowReturn gst_local_mllm_text_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer);
static gboolean gst_local_mllm_text_event(GstPad *pad, GstObject *parent, GstEvent *event);

static void gst_local_mllm_class_init(GstLocalMllmClass *klass) {
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);
  GST_DEBUG_CATEGORY_INIT(gst_local_mllm_debug, "localmllm", 0, "multimodal language model");

  object_class->finalize = gst_local_mllm_finalize;
  object_class->set_property = gst_local_mllm_set_property;
  object_class->get_property = gst_local_mllm_get_property;
  saccade::gst::properties().install(object_class);

  /**
   * GstLocalMllm::answer:
   * @answer: a #GstStructure, as in the element message
   *
   * Emitted on the element's own thread; what the handler does delays the next answer.
   */
  signals[SIGNAL_ANSWER] = g_signal_new("answer", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr,
                                        nullptr, nullptr, G_TYPE_NONE, 1, GST_TYPE_STRUCTURE);
  /**
   * GstLocalMllm::ask:
   * @question: what to ask about the newest picture, once
   *
   * Returns: a number above 0, or 0 when the element is stopped or too many questions wait already
   */
  signals[SIGNAL_ASK] = g_signal_new_class_handler(
      "ask", G_TYPE_FROM_CLASS(klass), static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
      G_CALLBACK(gst_local_mllm_ask), nullptr, nullptr, nullptr, G_TYPE_UINT64, 1, G_TYPE_STRING);

  element_class->change_state = gst_local_mllm_change_state;
  element_class->request_new_pad = gst_local_mllm_request_new_pad;
  element_class->release_pad = gst_local_mllm_release_pad;
  for (auto *templ : {&sink_template, &src_template, &text_template, &offload_template})
    gst_element_class_add_static_pad_template(element_class, templ);
  gst_element_class_set_static_metadata(element_class, "Local multimodal language model",
                                        "Filter/Video/Analyzer/Text",
                                        "Answers questions about a video stream on this device", "Saccade");
}

static void gst_local_mllm_init(GstLocalMllm *self) {
  self->priv = new GstLocalMllmPrivate();
  auto priv = self->priv;

  priv->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(priv->sink, gst_local_mllm_chain);
  gst_pad_set_event_function(priv->sink, gst_local_mllm_sink_event);
  gst_pad_set_query_function(priv->sink, gst_local_mllm_sink_query);
  gst_element_add_pad(GST_ELEMENT(self), priv->sink);

  priv->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_query_function(priv->src, gst_local_mllm_src_query);
  gst_element_add_pad(GST_ELEMENT(self), priv->src);
}

static void gst_local_mllm_finalize(GObject *object) {
  auto self = GST_LOCAL_MLLM(object);
  delete self->priv;
  G_OBJECT_CLASS(gst_local_mllm_parent_class)->finalize(object);
}

// A copy of the pointer, so that a run in use outlives a stop beside it.
static std::shared_ptr<LocalRun> running(GstLocalMllm *self) {
  const std::lock_guard lock(self->priv->lock);
  return self->priv->run;
}

/* properties */

static void gst_local_mllm_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  auto priv = GST_LOCAL_MLLM(object)->priv;
  std::shared_ptr<LocalRun> run;
  std::vector<std::string> standing;
  {
    const std::lock_guard lock(priv->lock);
    if (!saccade::gst::properties().set(priv->settings, id, value)) {
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
      return;
    }
    run = priv->run;
    standing = saccade::gst::standing_questions(priv->settings);
  }
  if (run) run->set_standing(std::move(standing));  // the settings that a run takes while it runs
}

static void gst_local_mllm_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  auto self = GST_LOCAL_MLLM(object);
  if (id == saccade::gst::properties().kStatistics) {
    if (const auto run = running(self)) g_value_take_boxed(value, run->statistics());
    return;
  }
  const std::lock_guard lock(self->priv->lock);
  if (!saccade::gst::properties().get(self->priv->settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

/* start and stop */

static bool gst_local_mllm_start(GstLocalMllm *self) {
  auto priv = self->priv;
  LocalMllmSettings settings;
  std::shared_ptr<OffloadLink> offload;
  {
    const std::lock_guard lock(priv->lock);
    settings = priv->settings;
    offload = priv->offload;
  }
  auto created = LocalRun::create({GST_ELEMENT(self), priv->sink, priv->src}, settings);
  if (!created.ok()) {
    const auto status = created.status();
    if (status.kind() == saccade::StatusKind::not_found)
      GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("localmllm: %s", status.message().c_str()), (nullptr));
    else if (status.kind() == saccade::StatusKind::invalid_argument)
      GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("localmllm: %s", status.message().c_str()), (nullptr));
    else
      GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("localmllm: %s", status.message().c_str()), (nullptr));
    return false;
  }
  std::shared_ptr<LocalRun> run = std::move(created).value();
  if (offload) offload->start();
  run->set_offload(offload);
  run->start();
  const std::lock_guard lock(priv->lock);
  priv->run = std::move(run);
  return true;
}

static void gst_local_mllm_stop(GstLocalMllm *self) {
  std::shared_ptr<LocalRun> run;
  {
    const std::lock_guard lock(self->priv->lock);
    run = std::move(self->priv->run);
  }
  if (run) run->stop();
}

static GstStateChangeReturn gst_local_mllm_change_state(GstElement *element, GstStateChange transition) {
  auto self = GST_LOCAL_MLLM(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !gst_local_mllm_start(self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    // Frees a chain() that waits for room, before the pads are deactivated and wait for that chain().
    if (const auto run = running(self)) run->cancel();
  }
  const auto result = GST_ELEMENT_CLASS(gst_local_mllm_parent_class)->change_state(element, transition);
  const bool failed_start =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY || failed_start) gst_local_mllm_stop(self);
  return result;
}

/* request pads */

static GstPad *gst_local_mllm_request_new_pad(GstElement *element, GstPadTemplate *templ, const gchar *,
                                              const GstCaps *) {
  auto self = GST_LOCAL_MLLM(element);
  const bool is_text = g_strcmp0(GST_PAD_TEMPLATE_NAME_TEMPLATE(templ), "text") == 0;
  const auto *name = is_text ? "text" : "offload";
  GstPad *present = gst_element_get_static_pad(element, name);
  if (present) {
    GST_WARNING_OBJECT(self, "there is a pad %s already", name);
    gst_object_unref(present);
    return nullptr;
  }
  GstPad *pad = gst_pad_new_from_template(templ, name);
  if (is_text) {
    gst_pad_set_chain_function(pad, gst_local_mllm_text_chain);
    gst_pad_set_event_function(pad, gst_local_mllm_text_event);
  } else {
    gst_pad_set_event_function(pad, gst_local_mllm_offload_event);
    auto link = std::make_shared<OffloadLink>(pad, GST_OBJECT_NAME(self));
    const std::lock_guard lock(self->priv->lock);
    self->priv->offload = link;
    if (self->priv->run) self->priv->run->set_offload(link);
  }
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(element, pad);
  return pad;
}

static void gst_local_mllm_release_pad(GstElement *element, GstPad *pad) {
  auto self = GST_LOCAL_MLLM(element);
  gst_pad_set_active(pad, FALSE);
  std::shared_ptr<OffloadLink> released;
  {
    const std::lock_guard lock(self->priv->lock);
    if (self->priv->offload && self->priv->offload->pad() == pad) {
      released = std::move(self->priv->offload);
      if (self->priv->run) self->priv->run->set_offload(nullptr);
    }
  }
  if (released) released->give_up();  // whoever waits for an answer from there
  gst_element_remove_pad(element, pad);
}

/* data */

static GstFlowReturn gst_local_mllm_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  const auto run = running(GST_LOCAL_MLLM(parent));
  if (!run) {
    gst_buffer_unref(buffer);
    return GST_FLOW_FLUSHING;
  }
  return run->chain(buffer);
}

static gboolean gst_local_mllm_sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  const bool ours = GST_EVENT_IS_SERIALIZED(event) || GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
  const auto run = running(GST_LOCAL_MLLM(parent));
  if (!ours || !run) return gst_pad_event_default(pad, parent, event);
  return run->take_event(event);
}

static gboolean gst_local_mllm_sink_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  if (const auto run = running(GST_LOCAL_MLLM(parent));
      run && saccade::gst::answer_patch_grid(query, run->patches()))
    return TRUE;
  // What the video and the text look like has nothing to do with each other.
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    GstCaps *filter = nullptr;
    gst_query_parse_caps(query, &filter);
    GstCaps *caps = gst_pad_get_pad_template_caps(pad);
    if (filter) {
      GstCaps *both = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
      gst_caps_unref(caps);
      caps = both;
    }
    gst_query_set_caps_result(query, caps);
    gst_caps_unref(caps);
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) return FALSE;  // any memory will do, and none is kept
  return gst_pad_query_default(pad, parent, query);
}

static gboolean gst_local_mllm_src_query(GstPad *pad, GstObject *parent, GstQuery *query) {
  auto self = GST_LOCAL_MLLM(parent);
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    GstCaps *caps = gst_pad_get_pad_template_caps(pad);
    gst_query_set_caps_result(query, caps);
    gst_caps_unref(caps);
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(pad, parent, query);

  if (!gst_pad_peer_query(self->priv->sink, query)) return FALSE;
  const auto run = running(self);
  gboolean live = FALSE;
  GstClockTime least = 0;
  GstClockTime most = 0;
  gst_query_parse_latency(query, &live, &least, &most);
  // Answers stamped with their arrival are never late; only content time asks the pipeline to wait.
  if (!live || !run || !run->stamps_content()) return TRUE;
  GstClockTime budget = 0;
  {
    const std::lock_guard lock(self->priv->lock);
    budget = saccade::gst::declared_latency(self->priv->settings);
  }
  gst_query_set_latency(query, live, least + budget, GST_CLOCK_TIME_IS_VALID(most) ? most + budget : most);
  return TRUE;
}

static gboolean gst_local_mllm_offload_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  auto self = GST_LOCAL_MLLM(parent);
  std::shared_ptr<OffloadLink> offload;
  std::shared_ptr<LocalRun> run;
  {
    const std::lock_guard lock(self->priv->lock);
    offload = self->priv->offload;
    run = self->priv->run;
  }
  if (offload && offload->receive(event)) {
    gst_event_unref(event);
    if (run) run->cloud_spoke();
    return TRUE;
  }
  // Seeks, QoS and the like of a branch that gets some segments only say nothing about the video.
  if (!gst_event_has_name(event, "saccade/answer")) {
    gst_event_unref(event);
    return FALSE;
  }
  return gst_pad_event_default(pad, parent, event);
}

/* questions */

static guint64 gst_local_mllm_ask(GstLocalMllm *self, const gchar *question) {
  const auto run = running(self);
  return run && question && *question ? run->ask(question) : 0;
}

static GstFlowReturn gst_local_mllm_text_chain(GstPad *, GstObject *parent, GstBuffer *raw) {
  auto self = GST_LOCAL_MLLM(parent);
  const saccade::gst::BufferPtr buffer(raw);
  GstMapInfo map;
  if (!gst_buffer_map(buffer.get(), &map, GST_MAP_READ)) return GST_FLOW_ERROR;
  const std::string bytes(reinterpret_cast<const char *>(map.data), map.size);
  gst_buffer_unmap(buffer.get(), &map);
  const saccade::gst::TextPtr question(
      g_strstrip(g_utf8_make_valid(bytes.data(), static_cast<gssize>(bytes.size()))));
  if (*question && !gst_local_mllm_ask(self, question.get()))
    GST_ELEMENT_WARNING(self, STREAM, FAILED,
                        ("localmllm: \"%s\" was not taken: too many questions wait already", question.get()),
                        (nullptr));
  return GST_FLOW_OK;
}

// The questions' stream is one of its own: none of its events has anything to say to the answers'.
static gboolean gst_local_mllm_text_event(GstPad *, GstObject *, GstEvent *event) {
  gst_event_unref(event);
  return TRUE;
}
