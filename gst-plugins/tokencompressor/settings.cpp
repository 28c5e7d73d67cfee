#include "tokencompressor/settings.h"

#include "common/encoder_kind.h"
#include "tokens/compressor.h"

namespace saccade::gst {
namespace {

enum Property {
  PROP_MODEL = 1,
  PROP_MMPROJ,
  PROP_METHOD,
  PROP_KEEP,
  PROP_MIN_TOKENS,
  PROP_MAX_TOKENS,
  PROP_THREADS,
  PROP_ENCODER,
  PROP_WHOLE_EVERY,
  PROP_WHOLE_AFTER,
  PROP_SURROUNDINGS,
  PROP_MERGE_INSIDE,
  PROP_LEAKY,
  PROP_MAX_QUEUE,
  PROP_STATISTICS,
};

template <typename Enum>
constexpr gint as_int(Enum value) {
  return static_cast<gint>(value);
}

GType method_type() {
  using enum CompressionMethod;
  static const GEnumValue values[] = {
      {as_int(automatic), "What measured best: salience", "auto"},
      {as_int(none), "Every token stays", "none"},
      {as_int(grid), "Tokens at even distances (control)", "grid"},
      {as_int(random), "Tokens drawn at random, the same in every run (control)", "random"},
      {as_int(downscale), "Means over even parts, as of a smaller picture (control)", "downscale"},
      {as_int(merge), "Similar tokens become their weighted mean (ToMe, FOLDER)", "merge"},
      {as_int(divprune), "The most diverse tokens (DivPrune)", "divprune"},
      {as_int(temporal), "Only tokens of places that changed (DTD)", "temporal"},
      {as_int(coverage), "Tokens that together stand best for all (facility location)", "coverage"},
      {as_int(dpp), "Important tokens unlike each other (CDPruner)", "dpp"},
      {as_int(cluster), "Neighbours that look alike become their weighted mean (k-means)", "cluster"},
      {as_int(salience), "Tokens that stand out and differ in what they show or where", "salience"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstTokenCompressorMethod", values);
  return type;
}

GType leaky_type() {
  using enum LeakyChoice;
  static const GEnumValue values[] = {
      {as_int(automatic), "downstream when the source is live, else none", "auto"},
      {as_int(none), "Never drop, let the source wait", "none"},
      {as_int(upstream), "Drop the newest picture", "upstream"},
      {as_int(downstream), "Drop the oldest picture", "downstream"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstTokenCompressorLeaky", values);
  return type;
}

std::string text_of(const GValue *value) {
  const gchar *text = g_value_get_string(value);
  return text ? text : "";
}

void set_text(GValue *value, const std::string &text) {
  g_value_set_string(value, text.empty() ? nullptr : text.c_str());
}

}  // namespace

bool TokenCompressorSettings::set(guint id, const GValue *value) {
  switch (id) {
    case PROP_MODEL: model = text_of(value); return true;
    case PROP_MMPROJ: mmproj = text_of(value); return true;
    case PROP_METHOD: method = static_cast<CompressionMethod>(g_value_get_enum(value)); return true;
    case PROP_KEEP: amount.ratio = g_value_get_double(value); return true;
    case PROP_MIN_TOKENS: amount.least = g_value_get_int(value); return true;
    case PROP_MAX_TOKENS: amount.most = g_value_get_int(value); return true;
    case PROP_THREADS: threads = g_value_get_int(value); return true;
    case PROP_ENCODER: encoder.kind = static_cast<EncoderKind>(g_value_get_enum(value)); return true;
    case PROP_WHOLE_EVERY:
      encoder.whole_every = Duration(static_cast<std::int64_t>(g_value_get_uint64(value)));
      return true;
    case PROP_WHOLE_AFTER: encoder.whole_after = g_value_get_double(value); return true;
    case PROP_SURROUNDINGS: encoder.surroundings = g_value_get_int(value); return true;
    case PROP_MERGE_INSIDE: encoder.merge_inside = g_value_get_double(value); return true;
    case PROP_LEAKY: leaky = static_cast<LeakyChoice>(g_value_get_enum(value)); return true;
    case PROP_MAX_QUEUE: max_queue = g_value_get_uint(value); return true;
    default: return false;
  }
}

bool TokenCompressorSettings::get(guint id, GValue *value) const {
  switch (id) {
    case PROP_MODEL: set_text(value, model); return true;
    case PROP_MMPROJ: set_text(value, mmproj); return true;
    case PROP_METHOD: g_value_set_enum(value, as_int(method)); return true;
    case PROP_KEEP: g_value_set_double(value, amount.ratio); return true;
    case PROP_MIN_TOKENS: g_value_set_int(value, amount.least); return true;
    case PROP_MAX_TOKENS: g_value_set_int(value, amount.most); return true;
    case PROP_THREADS: g_value_set_int(value, threads); return true;
    case PROP_ENCODER: g_value_set_enum(value, as_int(encoder.kind)); return true;
    case PROP_WHOLE_EVERY:
      g_value_set_uint64(value, static_cast<guint64>(encoder.whole_every.count()));
      return true;
    case PROP_WHOLE_AFTER: g_value_set_double(value, encoder.whole_after); return true;
    case PROP_SURROUNDINGS: g_value_set_int(value, encoder.surroundings); return true;
    case PROP_MERGE_INSIDE: g_value_set_double(value, encoder.merge_inside); return true;
    case PROP_LEAKY: g_value_set_enum(value, as_int(leaky)); return true;
    case PROP_MAX_QUEUE: g_value_set_uint(value, max_queue); return true;
    default: return false;
  }
}

std::string_view TokenCompressorSettings::method_name() const {
  return compressor_names()[static_cast<std::size_t>(method)];
}

Leaky TokenCompressorSettings::leaky_for(bool live) const {
  switch (leaky) {
    case LeakyChoice::automatic: return live ? Leaky::downstream : Leaky::none;
    case LeakyChoice::none: return Leaky::none;
    case LeakyChoice::upstream: return Leaky::upstream;
    case LeakyChoice::downstream: return Leaky::downstream;
  }
  return Leaky::none;
}

bool TokenCompressorFigures::get(guint id, GValue *value) const {
  if (id != PROP_STATISTICS) return false;
  g_value_take_boxed(
      value,
      gst_structure_new("saccade/tokencompressor-statistics",       //
                        "frames", G_TYPE_UINT64, frames,            //
                        "encoded", G_TYPE_UINT64, encoded,          //
                        "reused", G_TYPE_UINT64, reused,            //
                        "dropped", G_TYPE_UINT64, dropped,          //
                        "failed", G_TYPE_UINT64, failed,            //
                        "encode-work", G_TYPE_DOUBLE, encode_work,  //
                        "tokens-seen", G_TYPE_UINT64, tokens_seen,  //
                        "tokens-kept", G_TYPE_UINT64, tokens_kept,  //
                        "encode-ms-p50", G_TYPE_DOUBLE, to_milliseconds(encode.quantile(0.5)),
                        "encode-ms-p95", G_TYPE_DOUBLE, to_milliseconds(encode.quantile(0.95)), nullptr));
  return true;
}

void install_token_compressor_properties(GObjectClass *klass) {
  using Defaults = TokenCompressorSettings;
  const auto flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const auto ready = static_cast<GParamFlags>(flags | GST_PARAM_MUTABLE_READY);
  const auto playing = static_cast<GParamFlags>(flags | GST_PARAM_MUTABLE_PLAYING);
  const auto add = [klass](Property id, GParamSpec *spec) {
    g_object_class_install_property(klass, id, spec);
  };
  add(PROP_MODEL,
      g_param_spec_string("model", "Model", "Path of the language model's GGUF file", nullptr, ready));
  add(PROP_MMPROJ, g_param_spec_string("mmproj", "Projector",
                                       "Path of the GGUF file with the vision encoder and projector (mmproj)",
                                       nullptr, ready));
  add(PROP_METHOD, g_param_spec_enum("method", "Method", "How the tokens to keep are found", method_type(),
                                     as_int(Defaults::kDefaultMethod), playing));
  add(PROP_KEEP,
      g_param_spec_double("keep", "Keep",
                          "Share of a picture's tokens that is kept, 0 to 1; at least one token stays", 0.0,
                          1.0, KeepAmount().ratio, playing));
  add(PROP_MIN_TOKENS, g_param_spec_int("min-tokens", "Minimum tokens",
                                        "Tokens of a picture that are kept at least, if it has so many", 1,
                                        G_MAXINT, KeepAmount().least, playing));
  add(PROP_MAX_TOKENS,
      g_param_spec_int("max-tokens", "Maximum tokens",
                       "Tokens of a picture that are kept at most, whatever keep and min-tokens say", 1,
                       G_MAXINT, KeepAmount().most, playing));
  add(PROP_THREADS,
      g_param_spec_int("threads", "Threads", "Threads that encode; 0 = all cores that the process may use", 0,
                       G_MAXINT, Defaults::kDefaultThreads, ready));
  add(PROP_ENCODER, encoder_kind_spec(ready));
  add(PROP_WHOLE_EVERY,
      g_param_spec_uint64(
          "whole-every", "Whole every",
          "Nanoseconds of stream time after which the streaming encoder encodes a picture as a whole, "
          "whatever the gate says has changed; 0 = never",
          0, G_MAXINT64, static_cast<guint64>(EncoderOptions().whole_every.count()), ready));
  add(PROP_WHOLE_AFTER,
      g_param_spec_double(
          "whole-after", "Whole after",
          "Pictures' worth of patches that the streaming encoder encodes in part before it encodes a "
          "picture as a whole; 0 = never",
          0, 1000, EncoderOptions().whole_after, ready));
  add(PROP_SURROUNDINGS,
      g_param_spec_int(
          "surroundings", "Surroundings",
          "Rings of patches around those that changed that the streaming encoder encodes, too; -1 = one for "
          "each 12 patches of the picture's side",
          -1, 256, EncoderOptions().surroundings, ready));
  add(PROP_MERGE_INSIDE,
      g_param_spec_double(
          "merge-inside", "Merge inside",
          "Share of a picture's patches that the streaming encoder merges with one like them, "
          "where it encodes the picture as a whole; 0 = none",
          0, 0.5, EncoderOptions().merge_inside, ready));
  add(PROP_LEAKY, g_param_spec_enum("leaky", "Leaky", "Which picture is dropped when the encoder is behind",
                                    leaky_type(), as_int(Defaults::kDefaultLeaky), ready));
  add(PROP_MAX_QUEUE, g_param_spec_uint("max-queue", "Maximum queue",
                                        "Pictures that may wait for the encoder besides the one in work", 1,
                                        G_MAXUINT, Defaults::kDefaultMaxQueue, ready));
  add(PROP_STATISTICS,
      g_param_spec_boxed("statistics", "Statistics",
                         "Frames and tokens counted, and encode times in milliseconds, since the last start",
                         GST_TYPE_STRUCTURE,
                         static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  gst_type_mark_as_plugin_api(method_type(), static_cast<GstPluginAPIFlags>(0));
  gst_type_mark_as_plugin_api(leaky_type(), static_cast<GstPluginAPIFlags>(0));
}

}  // namespace saccade::gst
