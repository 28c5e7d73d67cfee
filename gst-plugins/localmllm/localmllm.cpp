#include "localmllm/localmllm.h"

struct _GstLocalMllm {
  GstElement parent;
};

G_DEFINE_TYPE(GstLocalMllm, gst_local_mllm, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(localmllm, "localmllm", GST_RANK_NONE, GST_TYPE_LOCAL_MLLM)

static void gst_local_mllm_class_init(GstLocalMllmClass *) {}
static void gst_local_mllm_init(GstLocalMllm *) {}
