// Owning handles for GLib and GObject, for the rooms that are linked with GLib; base itself is not.
#pragma once

#include <glib-object.h>

#include <memory>

namespace saccade {

struct ObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using ObjectPointer = std::unique_ptr<T, ObjectUnref>;

struct GFree {
  void operator()(gpointer memory) const { g_free(memory); }
};
using CString = std::unique_ptr<char, GFree>;

struct ErrorFree {
  void operator()(GError *error) const { g_error_free(error); }
};
using ErrorPointer = std::unique_ptr<GError, ErrorFree>;

struct BytesUnref {
  void operator()(GBytes *bytes) const { g_bytes_unref(bytes); }
};
using BytesPointer = std::unique_ptr<GBytes, BytesUnref>;

// A source that is taken out of its context when the handle goes.
struct SourceDestroy {
  void operator()(GSource *source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
using SourcePointer = std::unique_ptr<GSource, SourceDestroy>;

struct ContextUnref {
  void operator()(GMainContext *context) const { g_main_context_unref(context); }
};
using ContextPointer = std::unique_ptr<GMainContext, ContextUnref>;

struct UriUnref {
  void operator()(GUri *uri) const { g_uri_unref(uri); }
};
using UriPointer = std::unique_ptr<GUri, UriUnref>;

}  // namespace saccade
