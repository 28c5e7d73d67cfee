// masgate: decides which frames, patches and modalities are needed. See masgate.cpp.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define SACCADE_TYPE_MAS_GATE (saccade_mas_gate_get_type())
G_DECLARE_FINAL_TYPE(SaccadeMasGate, saccade_mas_gate, SACCADE, MAS_GATE, GstElement)

G_END_DECLS
