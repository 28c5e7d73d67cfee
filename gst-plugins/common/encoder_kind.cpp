#include "common/encoder_kind.h"

#include <string>

namespace saccade::gst {

GType encoder_kind_type() {
  using enum EncoderKind;
  static const GEnumValue values[] = {
      {static_cast<gint>(automatic),
       "int8 where the processor is made for it, else fp32; libmtmd for unknown families", "auto"},
      {static_cast<gint>(int8), "The streaming encoder with 8-bit products", "int8"},
      {static_cast<gint>(fp32), "The streaming encoder with 32-bit products", "fp32"},
      {static_cast<gint>(libmtmd),
       "llama.cpp's own, which knows every family and always encodes whole pictures", "libmtmd"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("SaccadeEncoderKind", values);
  return type;
}

GParamSpec *encoder_kind_spec(GParamFlags flags) {
  gst_type_mark_as_plugin_api(encoder_kind_type(), static_cast<GstPluginAPIFlags>(0));
  return g_param_spec_enum("encoder", "Encoder", "What encodes the pictures", encoder_kind_type(),
                           static_cast<gint>(EncoderOptions().kind), flags);
}

void tell_encoder(GstElement *element, const VisionEncoder &encoder, EncoderKind kind) {
  GST_INFO_OBJECT(element, "pictures are encoded by %s", encoder.description().c_str());
  const auto reason = encoder.fallback_reason();
  if (reason.empty()) return;
  if (kind == EncoderKind::automatic) {
    GST_INFO_OBJECT(element, "%s", reason.c_str());
  } else {
    GST_ELEMENT_WARNING(element, LIBRARY, SETTINGS, ("%s", reason.c_str()),
                        ("pictures are encoded by %s", encoder.description().c_str()));
  }
}

}  // namespace saccade::gst
