// The property `encoder`, which every element that encodes pictures has.
#pragma once

#include <gst/gst.h>

#include "vision/vision_encoder.h"

namespace saccade::gst {

GType encoder_kind_type();

// `encoder`, with EncoderOptions' default.
GParamSpec *encoder_kind_spec(GParamFlags flags);

// Logs what encodes, and posts a warning when it is not what `kind` asked for.
void tell_encoder(GstElement *element, const VisionEncoder &encoder, EncoderKind kind);

}  // namespace saccade::gst
