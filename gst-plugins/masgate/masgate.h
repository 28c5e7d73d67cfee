// masgate: decides which frames, patches and modalities are needed. See masgate.cpp.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_MAS_GATE (gst_mas_gate_get_type())
G_DECLARE_FINAL_TYPE(GstMasGate, gst_mas_gate, GST, MAS_GATE, GstElement)

G_END_DECLS
