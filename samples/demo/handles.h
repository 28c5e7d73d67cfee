// Owning pointers for the GLib and GStreamer types that the demo touches.
#pragma once

#include <glib-object.h>
#include <gst/gst.h>

#include <memory>

namespace saccade::demo {

struct ObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

struct GstUnref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};
using ElementPtr = std::unique_ptr<GstElement, GstUnref>;
using PadPtr = std::unique_ptr<GstPad, GstUnref>;
using BusPtr = std::unique_ptr<GstBus, GstUnref>;

struct MessageUnref {
  void operator()(GstMessage *message) const { gst_message_unref(message); }
};
using MessagePtr = std::unique_ptr<GstMessage, MessageUnref>;

struct MainLoopUnref {
  void operator()(GMainLoop *loop) const { g_main_loop_unref(loop); }
};
using MainLoopPtr = std::unique_ptr<GMainLoop, MainLoopUnref>;

struct ErrorFree {
  void operator()(GError *error) const { g_error_free(error); }
};
using ErrorPtr = std::unique_ptr<GError, ErrorFree>;

struct Free {
  void operator()(gchar *text) const { g_free(text); }
};
using TextPtr = std::unique_ptr<gchar, Free>;

struct StructureFree {
  void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, StructureFree>;

}  // namespace saccade::demo
