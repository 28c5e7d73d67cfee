// Owning pointers for GStreamer's reference-counted types.
#pragma once

#include <gst/gst.h>

#include <memory>

namespace saccade::gst {

struct BufferUnref {
  void operator()(GstBuffer *buffer) const { gst_buffer_unref(buffer); }
};
using BufferPtr = std::unique_ptr<GstBuffer, BufferUnref>;

struct EventUnref {
  void operator()(GstEvent *event) const { gst_event_unref(event); }
};
using EventPtr = std::unique_ptr<GstEvent, EventUnref>;

struct CapsUnref {
  void operator()(GstCaps *caps) const { gst_caps_unref(caps); }
};
using CapsPtr = std::unique_ptr<GstCaps, CapsUnref>;

struct SampleUnref {
  void operator()(GstSample *sample) const { gst_sample_unref(sample); }
};
using SamplePtr = std::unique_ptr<GstSample, SampleUnref>;

struct ObjectUnref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};
using PadPtr = std::unique_ptr<GstPad, ObjectUnref>;

struct GFree {
  void operator()(gchar *text) const { g_free(text); }
};
using TextPtr = std::unique_ptr<gchar, GFree>;

}  // namespace saccade::gst
