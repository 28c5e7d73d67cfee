#include "cloudoffloadsink/cloudoffloadsink.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(cloud_offload_sink_debug);
#define GST_CAT_DEFAULT cloud_offload_sink_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL) "; image/jpeg"));

struct _SaccadeCloudOffloadSink {
  GstBaseSink parent;
};

G_DEFINE_TYPE(SaccadeCloudOffloadSink, saccade_cloud_offload_sink, GST_TYPE_BASE_SINK)

GST_ELEMENT_REGISTER_DEFINE(cloudoffloadsink, "cloudoffloadsink", GST_RANK_NONE,
                            SACCADE_TYPE_CLOUD_OFFLOAD_SINK)

static GstFlowReturn saccade_cloud_offload_sink_render(GstBaseSink *, GstBuffer *) { return GST_FLOW_OK; }

static void saccade_cloud_offload_sink_class_init(SaccadeCloudOffloadSinkClass *klass) {
  GST_DEBUG_CATEGORY_INIT(cloud_offload_sink_debug, "cloudoffloadsink", 0, "Sends segments to a cloud model");
  auto element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(
      element_class, "Cloud offload sink", "Sink/Video/Network",
      "Sends segments to any OpenAI-compatible server and brings the answers back", "Saccade");
  GST_BASE_SINK_CLASS(klass)->render = saccade_cloud_offload_sink_render;
}

static void saccade_cloud_offload_sink_init(SaccadeCloudOffloadSink *self) {
  auto sink = GST_BASE_SINK(self);
  gst_base_sink_set_async_enabled(sink, FALSE);  // preroll never waits for data on this branch
  gst_base_sink_set_sync(sink, FALSE);
  gst_base_sink_set_last_sample_enabled(sink, FALSE);  // no upstream buffer is held
}
