// framesampler: keeps the frames that are new and drops the rest. See framesampler.cpp.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define SACCADE_TYPE_FRAME_SAMPLER (saccade_frame_sampler_get_type())
G_DECLARE_FINAL_TYPE(SaccadeFrameSampler, saccade_frame_sampler, SACCADE, FRAME_SAMPLER, GstBaseTransform)

G_END_DECLS
