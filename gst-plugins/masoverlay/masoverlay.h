// masoverlay: draws what the gate found onto the picture. See masoverlay.cpp.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_MAS_OVERLAY (gst_mas_overlay_get_type())
G_DECLARE_FINAL_TYPE(GstMasOverlay, gst_mas_overlay, GST, MAS_OVERLAY, GstBaseTransform)

G_END_DECLS
