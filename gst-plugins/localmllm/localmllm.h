#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_LOCAL_MLLM (gst_local_mllm_get_type())
G_DECLARE_FINAL_TYPE(GstLocalMllm, gst_local_mllm, GST, LOCAL_MLLM, GstElement)

GST_ELEMENT_REGISTER_DECLARE(localmllm);

G_END_DECLS
