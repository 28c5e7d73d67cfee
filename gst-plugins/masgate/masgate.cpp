// masgate: decides which frames, patches and modalities are needed.
//
//   gst-launch-1.0 videotestsrc num-buffers=100 ! masgate ! fakesink
#include "masgate/masgate.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(saccade_mas_gate_debug);
#define GST_CAT_DEFAULT saccade_mas_gate_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

struct _SaccadeMasGate {
  GstBaseTransform parent;
};

G_DEFINE_TYPE(SaccadeMasGate, saccade_mas_gate, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(masgate, "masgate", GST_RANK_NONE, SACCADE_TYPE_MAS_GATE)

static GstFlowReturn saccade_mas_gate_transform_ip(GstBaseTransform *, GstBuffer *) { return GST_FLOW_OK; }

static void saccade_mas_gate_class_init(SaccadeMasGateClass *klass) {
  auto element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "MAS gate", "Filter/Video",
                                        "Decides which frames, patches and modalities are needed", "Saccade");
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = saccade_mas_gate_transform_ip;
  GST_DEBUG_CATEGORY_INIT(saccade_mas_gate_debug, "masgate", 0, "MAS gate");
}

static void saccade_mas_gate_init(SaccadeMasGate *) {}
