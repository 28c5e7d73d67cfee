// framesampler: keeps the frames that are new and drops the rest. See framesampler.cpp.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAME_SAMPLER (gst_frame_sampler_get_type())
G_DECLARE_FINAL_TYPE(GstFrameSampler, gst_frame_sampler, GST, FRAME_SAMPLER, GstBaseTransform)

G_END_DECLS
