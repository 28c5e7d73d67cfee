#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_TOKEN_COMPRESSOR (gst_token_compressor_get_type())
G_DECLARE_FINAL_TYPE(GstTokenCompressor, gst_token_compressor, GST, TOKEN_COMPRESSOR, GstElement)

GST_ELEMENT_REGISTER_DECLARE(tokencompressor);

G_END_DECLS
