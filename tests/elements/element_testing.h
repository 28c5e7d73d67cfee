// What tests of single elements share: owners for GStreamer's objects, the shipped model, a dam.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "common/pointers.h"

namespace saccade::gst {

using ElementPtr = std::unique_ptr<GstElement, ObjectUnref>;
using BusPtr = std::unique_ptr<GstBus, ObjectUnref>;

struct HarnessTeardown {
  void operator()(GstHarness *harness) const { gst_harness_teardown(harness); }
};
using Harness = std::unique_ptr<GstHarness, HarnessTeardown>;

struct MessageUnref {
  void operator()(GstMessage *message) const { gst_message_unref(message); }
};
using MessagePtr = std::unique_ptr<GstMessage, MessageUnref>;

inline std::string models() {
  const char *folder = std::getenv("SACCADE_MODELS");
  return folder ? folder : "samples/models";
}
inline std::string text_model() { return models() + "/saccade-edge-text.gguf"; }
inline std::string projector() { return models() + "/saccade-edge-mmproj.gguf"; }

// Of an error or warning message.
inline std::string text_of(GstMessage *message) {
  GError *error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, nullptr);
  } else {
    gst_message_parse_warning(message, &error, nullptr);
  }
  std::string text = error->message;
  g_error_free(error);
  return text;
}

// Sets "name=value, name=value" on an element.
inline void apply_settings(GstElement *element, const std::string &settings) {
  if (settings.empty()) return;
  GstStructure *structure = gst_structure_new_from_string(("settings," + settings).c_str());
  for (int i = 0; i < gst_structure_n_fields(structure); ++i) {
    const gchar *name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    const GValue *value = gst_structure_get_value(structure, name);
    const TextPtr text(G_VALUE_HOLDS_STRING(value) ? g_value_dup_string(value) : gst_value_serialize(value));
    gst_util_set_object_arg(G_OBJECT(element), name, text.get());
  }
  gst_structure_free(structure);
}

// A counter of an element's `statistics`; the test fails when there is none of that name.
inline guint64 statistic(GstElement *element, const char *name) {
  GstStructure *statistics = nullptr;
  g_object_get(element, "statistics", &statistics, nullptr);
  guint64 value = 0;
  EXPECT_TRUE(statistics && gst_structure_get_uint64(statistics, name, &value)) << name;
  if (statistics) gst_structure_free(statistics);
  return value;
}

// Holds everything that leaves a pad, until it is released.
class Dam {
 public:
  explicit Dam(GstElement *element) : pad_(gst_element_get_static_pad(element, "src")) {
    probe_ = gst_pad_add_probe(
        pad_.get(), static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
        [](GstPad *, GstPadProbeInfo *, gpointer user) {
          auto *self = static_cast<Dam *>(user);
          self->reached_ = true;
          self->reached_.notify_all();
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  ~Dam() { release(); }
  Dam(const Dam &) = delete;
  Dam &operator=(const Dam &) = delete;

  void wait_until_reached() { reached_.wait(false); }
  void release() {
    if (probe_) gst_pad_remove_probe(pad_.get(), std::exchange(probe_, 0));
  }

 private:
  PadPtr pad_;
  gulong probe_ = 0;
  std::atomic<bool> reached_ = false;
};

}  // namespace saccade::gst
