#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define SACCADE_TYPE_TOKEN_COMPRESSOR (saccade_token_compressor_get_type())
G_DECLARE_FINAL_TYPE(SaccadeTokenCompressor, saccade_token_compressor, SACCADE, TOKEN_COMPRESSOR, GstElement)

GST_ELEMENT_REGISTER_DECLARE(tokencompressor);

G_END_DECLS
