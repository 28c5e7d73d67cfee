#include "common/metas.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <cstring>
#include <mutex>
#include <string>

#include "common/pointers.h"

namespace saccade::gst {
namespace {

struct TokensMeta {
  GstMeta meta;
  SharedTokens *tokens;  // C meta memory is zeroed by GStreamer, so the C++ owner lives behind a pointer
};

gboolean tokens_meta_init(GstMeta *meta, gpointer, GstBuffer *) {
  reinterpret_cast<TokensMeta *>(meta)->tokens = new SharedTokens();
  return TRUE;
}

void tokens_meta_free(GstMeta *meta, GstBuffer *) {
  auto *self = reinterpret_cast<TokensMeta *>(meta);
  delete self->tokens;
  self->tokens = nullptr;
}

// Copies follow the buffer (queue, tee, copy). Any other transformation, scaling or cropping, makes a
// picture that these tokens no longer describe, so they stay behind.
gboolean tokens_meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *, GQuark type, gpointer) {
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;
  set_tokens(to, *reinterpret_cast<TokensMeta *>(meta)->tokens);
  return TRUE;
}

// A test program links these functions too, beside the plugin that it loads: whoever comes second finds
// what the first registered.
GType tokens_api_type() {
  static const GType type = [] {
    if (const GType known = g_type_from_name("SaccadeTokensMetaAPI")) return known;
    static const gchar *tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_SIZE_STR, nullptr};
    return gst_meta_api_type_register("SaccadeTokensMetaAPI", tags);
  }();
  return type;
}

const GstMetaInfo *tokens_info() {
  static const GstMetaInfo *info = [] {
    const GstMetaInfo *known = gst_meta_get_info("SaccadeTokensMeta");
    return known ? known
                 : gst_meta_register(tokens_api_type(), "SaccadeTokensMeta", sizeof(TokensMeta),
                                     tokens_meta_init, tokens_meta_free, tokens_meta_transform);
  }();
  return info;
}

// Scaling keeps the grid, which counts patches and not pixels; so the structure is copied as it is.
gboolean mas_transform(GstBuffer *to, GstCustomMeta *meta, GstBuffer *, GQuark, gpointer, gpointer) {
  GstCustomMeta *copy = gst_buffer_get_custom_meta(to, kMasMetaName);
  if (!copy) copy = gst_buffer_add_custom_meta(to, kMasMetaName);
  if (!copy) return FALSE;
  GstStructure *target = gst_custom_meta_get_structure(copy);
  gst_structure_remove_all_fields(target);
  gst_structure_foreach(
      gst_custom_meta_get_structure(meta),
      [](GQuark field, const GValue *value, gpointer user) -> gboolean {
        gst_structure_id_set_value(static_cast<GstStructure *>(user), field, value);
        return TRUE;
      },
      target);
  return TRUE;
}

void set_map(GstStructure *structure, const char *field, const PatchMap &map) {
  GBytes *bytes = g_bytes_new(map.data(), map.size());
  gst_structure_set(structure, field, G_TYPE_BYTES, bytes, nullptr);
  g_bytes_unref(bytes);
}

PatchMap get_map(const GstStructure *structure, const char *field) {
  const GValue *value = gst_structure_get_value(structure, field);
  if (!value || !G_VALUE_HOLDS(value, G_TYPE_BYTES)) return {};
  gsize size = 0;
  const auto *data =
      static_cast<const guint8 *>(g_bytes_get_data(static_cast<GBytes *>(g_value_get_boxed(value)), &size));
  return data ? PatchMap(data, data + size) : PatchMap();
}

Route route_from(const char *text) {
  if (g_strcmp0(text, "local") == 0) return Route::local;
  if (g_strcmp0(text, "cloud") == 0) return Route::cloud;
  return Route::automatic;
}

double get_double(const GstStructure *structure, const char *field, double otherwise) {
  double value = otherwise;
  gst_structure_get_double(structure, field, &value);
  return value;
}

}  // namespace

void register_metas() {
  static std::once_flag once;
  std::call_once(once, [] {
    static const gchar *geometry_tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_SIZE_STR, nullptr};
    static const gchar *no_tags[] = {nullptr};
    const auto add = [](const char *name, const gchar **tags, GstCustomMetaTransformFunction transform) {
      if (!gst_meta_get_info(name)) gst_meta_register_custom(name, tags, transform, nullptr, nullptr);
    };
    add(kMasMetaName, geometry_tags, mas_transform);
    add(kAudioMetaName, no_tags, nullptr);
    add(kSegmentMetaName, no_tags, nullptr);
    add(kAnswerMetaName, no_tags, nullptr);
    tokens_info();
  });
}

GstStructure *ensure_mas_structure(GstBuffer *buffer) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kMasMetaName);
  if (!meta) meta = gst_buffer_add_custom_meta(buffer, kMasMetaName);
  return meta ? gst_custom_meta_get_structure(meta) : nullptr;
}

void set_mas(GstBuffer *buffer, const MasReport &report) {
  GstStructure *structure = ensure_mas_structure(buffer);
  if (!structure) return;
  gst_structure_set(structure,                                                                   //
                    "frame", G_TYPE_UINT64, static_cast<guint64>(report.frame),                  //
                    "spatial", G_TYPE_DOUBLE, report.spatial,                                    //
                    "temporal", G_TYPE_DOUBLE, report.temporal,                                  //
                    "modal-video", G_TYPE_DOUBLE, report.modal_video,                            //
                    "modal-audio", G_TYPE_DOUBLE, report.modal_audio,                            //
                    "mas-video", G_TYPE_DOUBLE, report.mas_video,                                //
                    "mas-audio", G_TYPE_DOUBLE, report.mas_audio,                                //
                    "complexity", G_TYPE_DOUBLE, report.complexity,                              //
                    "text-complexity", G_TYPE_DOUBLE, report.text_complexity,                    //
                    "rows", G_TYPE_INT, report.grid.rows,                                        //
                    "columns", G_TYPE_INT, report.grid.columns,                                  //
                    "needed", G_TYPE_BOOLEAN, static_cast<gboolean>(report.needed),              //
                    "sound-active", G_TYPE_BOOLEAN, static_cast<gboolean>(report.sound_active),  //
                    "route", G_TYPE_STRING, to_string(report.route),                             //
                    "reason", G_TYPE_STRING, report.reason.c_str(), nullptr);
  set_map(structure, "activity", report.activity);
  set_map(structure, "change", report.change);
  set_map(structure, "keep", report.keep);
  set_map(structure, "refresh", report.refresh);
}

std::optional<MasReport> get_mas(GstBuffer *buffer) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kMasMetaName);
  if (!meta) return std::nullopt;
  const GstStructure *structure = gst_custom_meta_get_structure(meta);
  guint64 frame = 0;
  MasReport report;
  gboolean needed = TRUE;
  // A structure without a frame number holds other elements' remarks only (framesampler's reason).
  if (!gst_structure_get_uint64(structure, "frame", &frame) ||
      !gst_structure_get_int(structure, "rows", &report.grid.rows) ||
      !gst_structure_get_int(structure, "columns", &report.grid.columns) ||
      !gst_structure_get_boolean(structure, "needed", &needed))
    return std::nullopt;
  gboolean sound_active = FALSE;
  gst_structure_get_boolean(structure, "sound-active", &sound_active);
  report.frame = frame;
  report.needed = needed;
  report.sound_active = sound_active;
  report.spatial = get_double(structure, "spatial", 0);
  report.temporal = get_double(structure, "temporal", 0);
  report.modal_video = get_double(structure, "modal-video", 0);
  report.modal_audio = get_double(structure, "modal-audio", 1);
  report.mas_video = get_double(structure, "mas-video", 0);
  report.mas_audio = get_double(structure, "mas-audio", 1);
  report.complexity = get_double(structure, "complexity", 0);
  report.text_complexity = get_double(structure, "text-complexity", 0);
  report.route = route_from(gst_structure_get_string(structure, "route"));
  if (const char *reason = gst_structure_get_string(structure, "reason")) report.reason = reason;
  report.activity = get_map(structure, "activity");
  report.change = get_map(structure, "change");
  report.keep = get_map(structure, "keep");
  report.refresh = get_map(structure, "refresh");
  return report;
}

void set_audio(GstBuffer *buffer, const SoundClip &clip) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAudioMetaName);
  if (!meta) meta = gst_buffer_add_custom_meta(buffer, kAudioMetaName);
  if (!meta) return;
  const BufferPtr sound(gst_buffer_new_memdup(clip.samples.data(), clip.samples.size() * sizeof(gint16)));
  GST_BUFFER_PTS(sound.get()) = static_cast<GstClockTime>(clip.start.count());
  GST_BUFFER_DURATION(sound.get()) = static_cast<GstClockTime>((clip.end() - clip.start).count());
  const CapsPtr caps(gst_caps_new_simple("audio/x-raw", "format", G_TYPE_STRING, GST_AUDIO_NE(S16), "rate",
                                         G_TYPE_INT, clip.rate, "channels", G_TYPE_INT, 1, "layout",
                                         G_TYPE_STRING, "interleaved", nullptr));
  const SamplePtr sample(gst_sample_new(sound.get(), caps.get(), nullptr, nullptr));
  gst_structure_set(gst_custom_meta_get_structure(meta), "audio", GST_TYPE_SAMPLE, sample.get(), nullptr);
}

SoundClip get_audio(GstBuffer *buffer) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAudioMetaName);
  if (!meta) return {};
  const GValue *value = gst_structure_get_value(gst_custom_meta_get_structure(meta), "audio");
  if (!value || !G_VALUE_HOLDS(value, GST_TYPE_SAMPLE)) return {};
  GstSample *sample = gst_value_get_sample(value);
  GstAudioInfo info;
  if (!gst_sample_get_caps(sample) || !gst_audio_info_from_caps(&info, gst_sample_get_caps(sample)) ||
      GST_AUDIO_INFO_FORMAT(&info) != GST_AUDIO_FORMAT_S16 || GST_AUDIO_INFO_CHANNELS(&info) != 1)
    return {};
  GstBuffer *sound = gst_sample_get_buffer(sample);
  GstMapInfo map;
  if (!sound || !gst_buffer_map(sound, &map, GST_MAP_READ)) return {};
  SoundClip clip{
      GST_AUDIO_INFO_RATE(&info), StreamTime(static_cast<std::int64_t>(GST_BUFFER_PTS(sound))), {}};
  clip.samples.resize(map.size / sizeof(gint16));
  std::memcpy(clip.samples.data(), map.data, clip.samples.size() * sizeof(gint16));
  gst_buffer_unmap(sound, &map);
  return clip;
}

void set_tokens(GstBuffer *buffer, SharedTokens tokens) {
  auto *meta = reinterpret_cast<TokensMeta *>(gst_buffer_get_meta(buffer, tokens_api_type()));
  if (!meta) meta = reinterpret_cast<TokensMeta *>(gst_buffer_add_meta(buffer, tokens_info(), nullptr));
  if (meta) *meta->tokens = std::move(tokens);
}

SharedTokens get_tokens(GstBuffer *buffer) {
  const auto *meta = reinterpret_cast<TokensMeta *>(gst_buffer_get_meta(buffer, tokens_api_type()));
  return meta ? *meta->tokens : nullptr;
}

void set_segment(GstBuffer *buffer, const SegmentInfo &info) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kSegmentMetaName);
  if (!meta) meta = gst_buffer_add_custom_meta(buffer, kSegmentMetaName);
  if (!meta) return;
  gst_structure_set(gst_custom_meta_get_structure(meta),                         //
                    "id", G_TYPE_UINT64, static_cast<guint64>(info.id),          //
                    "index", G_TYPE_UINT, info.index,                            //
                    "final", G_TYPE_BOOLEAN, static_cast<gboolean>(info.final),  //
                    "shown", G_TYPE_BOOLEAN, static_cast<gboolean>(info.shown), nullptr);
}

std::optional<SegmentInfo> get_segment(GstBuffer *buffer) {
  register_metas();
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kSegmentMetaName);
  if (!meta) return std::nullopt;
  const GstStructure *structure = gst_custom_meta_get_structure(meta);
  guint64 id = 0;
  SegmentInfo info;
  gboolean final = TRUE;
  if (!gst_structure_get_uint64(structure, "id", &id) ||
      !gst_structure_get_uint(structure, "index", &info.index) ||
      !gst_structure_get_boolean(structure, "final", &final))
    return std::nullopt;
  gboolean shown = TRUE;
  gst_structure_get_boolean(structure, "shown", &shown);  // who only knows pictures does not write it
  info.id = id;
  info.final = final;
  info.shown = shown;
  return info;
}

}  // namespace saccade::gst
