// cloudoffloadsink: the element that sends segments to an OpenAI-compatible server.
#pragma once

#include <gst/base/gstbasesink.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define SACCADE_TYPE_CLOUD_OFFLOAD_SINK (saccade_cloud_offload_sink_get_type())
G_DECLARE_FINAL_TYPE(SaccadeCloudOffloadSink, saccade_cloud_offload_sink, SACCADE, CLOUD_OFFLOAD_SINK,
                     GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(cloudoffloadsink);

G_END_DECLS
