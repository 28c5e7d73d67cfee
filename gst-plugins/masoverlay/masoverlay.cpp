// masoverlay: draws what the gate found onto the picture: a heat map, the patches to refresh, the tokens that
// were kept, the scores and the reason; and, linked to its pad `text`, the latest answer.
//
//   gst-launch-1.0 videotestsrc pattern=ball ! masgate ! masoverlay ! videoconvert ! autovideosink
#include "masoverlay/masoverlay.h"

#include <gst/video/video.h>

#include <string>

#include "common/metas.h"
#include "common/pointers.h"
#include "masoverlay/mas_layer.h"

GST_DEBUG_CATEGORY_STATIC(gst_mas_overlay_debug);
#define GST_CAT_DEFAULT gst_mas_overlay_debug

#define OVERLAY_CAPS GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS)

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(OVERLAY_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(OVERLAY_CAPS));
static GstStaticPadTemplate text_template = GST_STATIC_PAD_TEMPLATE(
    "text", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS("text/x-raw, format=(string)utf8"));

enum { PROP_0, PROP_HEAT_MAP, PROP_OPACITY, PROP_PATCHES, PROP_TEXT };

static constexpr saccade::gst::MasLayerStyle kDefaults;

#define SACCADE_TYPE_HEAT_MAP (saccade_heat_map_get_type())
static GType saccade_heat_map_get_type(void) {
  using saccade::gst::HeatMap;
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(HeatMap::none), "No heat map", "none"},
        {static_cast<int>(HeatMap::change), "Difference from what was encoded", "change"},
        {static_cast<int>(HeatMap::activity), "Structure in the picture", "activity"},
        {static_cast<int>(HeatMap::keep), "What is worth keeping for the model", "keep"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("SaccadeHeatMap", values);
  }();
  return type;
}

struct GstMasOverlayPrivate {
  // Under the object's lock.
  saccade::gst::MasLayerStyle style;
  std::string answer;

  // Streaming thread only.
  saccade::gst::MasLayer layer;
  GstVideoInfo info{};
};

struct _GstMasOverlay {
  GstBaseTransform parent;
  GstMasOverlayPrivate *priv;
};

G_DEFINE_TYPE(GstMasOverlay, gst_mas_overlay, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(masoverlay, "masoverlay", GST_RANK_NONE, GST_TYPE_MAS_OVERLAY)

static void gst_mas_overlay_finalize(GObject *object) {
  delete GST_MAS_OVERLAY(object)->priv;
  G_OBJECT_CLASS(gst_mas_overlay_parent_class)->finalize(object);
}

static void gst_mas_overlay_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec) {
  auto &style = GST_MAS_OVERLAY(object)->priv->style;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case PROP_HEAT_MAP: style.heat_map = static_cast<saccade::gst::HeatMap>(g_value_get_enum(value)); break;
    case PROP_OPACITY: style.opacity = g_value_get_double(value); break;
    case PROP_PATCHES: style.patches = g_value_get_boolean(value); break;
    case PROP_TEXT: style.text = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
  GST_OBJECT_UNLOCK(object);
}

static void gst_mas_overlay_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec) {
  const auto &style = GST_MAS_OVERLAY(object)->priv->style;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case PROP_HEAT_MAP: g_value_set_enum(value, static_cast<int>(style.heat_map)); break;
    case PROP_OPACITY: g_value_set_double(value, style.opacity); break;
    case PROP_PATCHES: g_value_set_boolean(value, style.patches); break;
    case PROP_TEXT: g_value_set_boolean(value, style.text); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec); break;
  }
  GST_OBJECT_UNLOCK(object);
}

// ---- answers

static void gst_mas_overlay_remember(GstMasOverlay *self, std::string answer) {
  GST_OBJECT_LOCK(self);
  self->priv->answer = std::move(answer);
  GST_OBJECT_UNLOCK(self);
}

static GstFlowReturn gst_mas_overlay_text_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  const saccade::gst::BufferPtr owned(buffer);
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return GST_FLOW_OK;
  // An empty buffer has no data at all, not even an empty text.
  const saccade::gst::TextPtr valid(g_utf8_make_valid(
      map.size ? reinterpret_cast<const char *>(map.data) : "", static_cast<gssize>(map.size)));
  gst_buffer_unmap(buffer, &map);
  gst_mas_overlay_remember(GST_MAS_OVERLAY(parent), valid.get());
  return GST_FLOW_OK;
}

// Answers come and go beside the picture: nothing of their stream goes on, and no picture waits for it.
static gboolean gst_mas_overlay_text_event(GstPad *, GstObject *parent, GstEvent *event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP || GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) {
    gst_mas_overlay_remember(GST_MAS_OVERLAY(parent), {});
  }
  gst_event_unref(event);
  return TRUE;
}

static GstPad *gst_mas_overlay_request_new_pad(GstElement *element, GstPadTemplate *, const gchar *,
                                               const GstCaps *) {
  auto pad = gst_pad_new_from_static_template(&text_template, "text");
  gst_pad_set_chain_function(pad, gst_mas_overlay_text_chain);
  gst_pad_set_event_function(pad, gst_mas_overlay_text_event);
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(element, pad);
  return pad;
}

static void gst_mas_overlay_release_pad(GstElement *element, GstPad *pad) {
  gst_mas_overlay_remember(GST_MAS_OVERLAY(element), {});
  gst_pad_set_active(pad, FALSE);
  gst_element_remove_pad(element, pad);
}

// ---- pictures

static gboolean gst_mas_overlay_set_caps(GstBaseTransform *trans, GstCaps *in, GstCaps *) {
  return gst_video_info_from_caps(&GST_MAS_OVERLAY(trans)->priv->info, in);
}

static gboolean gst_mas_overlay_start(GstBaseTransform *trans) {
  gst_mas_overlay_remember(GST_MAS_OVERLAY(trans), {});
  return TRUE;
}

static gboolean gst_mas_overlay_blend(GstMasOverlayPrivate *priv, GstVideoFrame *picture) {
  const auto drawn = priv->layer.pixels();
  const auto width = static_cast<guint>(GST_VIDEO_FRAME_WIDTH(picture));
  const auto height = static_cast<guint>(GST_VIDEO_FRAME_HEIGHT(picture));
  // The layer's memory outlives the composition, which ends with this call.
  auto pixels = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, const_cast<guint8 *>(drawn.data()),
                                            drawn.size(), 0, drawn.size(), nullptr, nullptr);
  gst_buffer_add_video_meta(pixels, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB,
                            width, height);
  auto rectangle = gst_video_overlay_rectangle_new_raw(pixels, 0, 0, width, height,
                                                       GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
  auto composition = gst_video_overlay_composition_new(rectangle);
  const gboolean blended = gst_video_overlay_composition_blend(composition, picture);
  gst_video_overlay_composition_unref(composition);
  gst_video_overlay_rectangle_unref(rectangle);
  gst_buffer_unref(pixels);
  return blended;
}

static GstFlowReturn gst_mas_overlay_transform_ip(GstBaseTransform *trans, GstBuffer *buffer) {
  auto self = GST_MAS_OVERLAY(trans);
  auto priv = self->priv;
  const auto report = saccade::gst::get_mas(buffer);
  const auto tokens = saccade::gst::get_tokens(buffer);
  saccade::gst::MasLayerFacts facts{report ? &*report : nullptr, tokens.get(), {}};
  GST_OBJECT_LOCK(self);
  const auto style = priv->style;
  facts.answer = priv->answer;
  GST_OBJECT_UNLOCK(self);
  if (!facts.report && !facts.tokens && facts.answer.empty()) return GST_FLOW_OK;

  GstVideoFrame picture;
  if (!gst_video_frame_map(&picture, &priv->info, buffer, GST_MAP_READWRITE)) {
    GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                      ("masoverlay: a buffer of %" G_GSIZE_FORMAT " bytes is no picture of these caps",
                       gst_buffer_get_size(buffer)),
                      (nullptr));
    return GST_FLOW_ERROR;
  }
  const auto status = priv->layer.draw(facts, style, priv->info.width, priv->info.height);
  const bool drawn = status.ok() && gst_mas_overlay_blend(priv, &picture);
  gst_video_frame_unmap(&picture);
  if (!drawn) {
    GST_ELEMENT_ERROR(
        self, STREAM, FAILED,
        ("masoverlay: %s", status.ok() ? "the layer cannot be blended" : status.message().c_str()),
        (nullptr));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static void gst_mas_overlay_class_init(GstMasOverlayClass *klass) {
  auto object_class = G_OBJECT_CLASS(klass);
  auto element_class = GST_ELEMENT_CLASS(klass);
  auto trans_class = GST_BASE_TRANSFORM_CLASS(klass);

  object_class->finalize = gst_mas_overlay_finalize;
  object_class->set_property = gst_mas_overlay_set_property;
  object_class->get_property = gst_mas_overlay_get_property;

  const auto playing =
      static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, PROP_HEAT_MAP,
      g_param_spec_enum("heat-map", "Heat map", "Which of the gate's maps is drawn", SACCADE_TYPE_HEAT_MAP,
                        static_cast<int>(kDefaults.heat_map), playing));
  g_object_class_install_property(
      object_class, PROP_OPACITY,
      g_param_spec_double("opacity", "Opacity", "Of the heat map's hottest patch, from 0 to 1", 0, 1,
                          kDefaults.opacity, playing));
  g_object_class_install_property(
      object_class, PROP_PATCHES,
      g_param_spec_boolean("patches", "Patches",
                           "Outline the patches to refresh and dot the tokens that were kept",
                           kDefaults.patches, playing));
  g_object_class_install_property(
      object_class, PROP_TEXT,
      g_param_spec_boolean("text", "Text", "Write scores, reason and the latest answer", kDefaults.text,
                           playing));

  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_add_static_pad_template(element_class, &text_template);
  gst_element_class_set_static_metadata(element_class, "MAS overlay", "Filter/Editor/Video",
                                        "Draws what masgate found, and the latest answer, onto the picture",
                                        "Saccade");
  element_class->request_new_pad = GST_DEBUG_FUNCPTR(gst_mas_overlay_request_new_pad);
  element_class->release_pad = GST_DEBUG_FUNCPTR(gst_mas_overlay_release_pad);
  trans_class->start = GST_DEBUG_FUNCPTR(gst_mas_overlay_start);
  trans_class->set_caps = GST_DEBUG_FUNCPTR(gst_mas_overlay_set_caps);
  trans_class->transform_ip = GST_DEBUG_FUNCPTR(gst_mas_overlay_transform_ip);

  gst_type_mark_as_plugin_api(SACCADE_TYPE_HEAT_MAP, static_cast<GstPluginAPIFlags>(0));
  GST_DEBUG_CATEGORY_INIT(gst_mas_overlay_debug, "masoverlay", 0, "MAS overlay");
}

static void gst_mas_overlay_init(GstMasOverlay *self) { self->priv = new GstMasOverlayPrivate(); }
