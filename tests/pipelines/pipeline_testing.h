// What the pipeline tests share: a pipeline that is stopped whatever happens, and what it said on its bus.
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "elements/element_testing.h"

namespace saccade::gst {

// No verdict hangs on it: whoever waits this long waits for ever.
constexpr GstClockTime kForEver = 120 * GST_SECOND;

inline std::string model_files() { return " model=\"" + text_model() + "\" mmproj=\"" + projector() + "\" "; }

// As gst-launch-1.0 would run it.
class Pipeline {
 public:
  explicit Pipeline(const std::string &line) {
    GError *error = nullptr;
    auto *parsed = gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (error) {
      ADD_FAILURE() << error->message;
      g_error_free(error);
      parsed = gst_pipeline_new(nullptr);
    }
    if (!GST_IS_PIPELINE(parsed)) {  // one element alone
      auto *whole = gst_pipeline_new(nullptr);
      gst_bin_add(GST_BIN(whole), parsed);
      parsed = whole;
    }
    pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(parsed)));
    bus_.reset(gst_element_get_bus(pipeline_.get()));
  }
  ~Pipeline() { stop(); }
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  GstElement *element() const { return pipeline_.get(); }
  ElementPtr find(const char *name) const {
    return ElementPtr(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
  }

  void set(GstState state) { gst_element_set_state(pipeline_.get(), state); }
  void stop() { set(GST_STATE_NULL); }

  // Whether the state is reached.
  testing::AssertionResult reach(GstState wanted) {
    set(wanted);
    GstState now = GST_STATE_NULL;
    const auto change = gst_element_get_state(pipeline_.get(), &now, nullptr, kForEver);
    const bool there =
        now == wanted && (change == GST_STATE_CHANGE_SUCCESS || change == GST_STATE_CHANGE_NO_PREROLL);
    if (there) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "it is in " << gst_element_state_get_name(now) << ", not in "
                                       << gst_element_state_get_name(wanted) << "; " << first_error();
  }

  // Whether EOS came; answers and warnings are collected meanwhile.
  testing::AssertionResult end() {
    const auto came = wait_until([this] { return ended_; });
    ended_ = false;
    return came;
  }

  // Likewise, whether `true_now` became true by what was collected.
  testing::AssertionResult wait_until(const std::function<bool()> &true_now) {
    const auto deadline = gst_util_get_timestamp() + kForEver;
    while (!true_now()) {
      const auto now = gst_util_get_timestamp();
      const MessagePtr message(gst_bus_timed_pop(bus_.get(), now < deadline ? deadline - now : 0));
      if (!message) return testing::AssertionFailure() << "it never came";
      switch (GST_MESSAGE_TYPE(message.get())) {
        case GST_MESSAGE_EOS: ended_ = true; break;
        case GST_MESSAGE_ERROR: return testing::AssertionFailure() << text_of(message.get());
        case GST_MESSAGE_WARNING: warnings.push_back(text_of(message.get())); break;
        case GST_MESSAGE_LATENCY: gst_bin_recalculate_latency(GST_BIN(pipeline_.get())); break;
        case GST_MESSAGE_ELEMENT: collect(gst_message_get_structure(message.get())); break;
        default: break;
      }
    }
    return testing::AssertionSuccess();
  }

  testing::AssertionResult run() {
    set(GST_STATE_PLAYING);
    return end();
  }

  struct Said {
    std::string text;
    std::string source;
    guint64 start = 0;
    guint64 id = 0;
    guint64 supersedes = 0;  // 0: none
  };
  std::vector<Said> answers;  // by localmllm's messages
  std::vector<std::string> warnings;
  std::vector<bool>
      link_ups;  // whether the link was up, each time that cloudoffloadsink says that it changed

  std::vector<std::string> texts_from(const std::string &source) const {
    std::vector<std::string> texts;
    for (const auto &answer : answers)
      if (answer.source == source) texts.push_back(answer.text);
    return texts;
  }

 private:
  void collect(const GstStructure *structure) {
    gboolean up = FALSE;
    if (structure && gst_structure_has_name(structure, "link-state") &&
        gst_structure_get_boolean(structure, "up", &up))
      link_ups.push_back(up);
    if (!structure || !gst_structure_has_name(structure, "saccade-answer")) return;
    Said said;
    said.text = gst_structure_get_string(structure, "text");
    said.source = gst_structure_get_string(structure, "source");
    gst_structure_get_uint64(structure, "start", &said.start);
    gst_structure_get_uint64(structure, "id", &said.id);
    gst_structure_get_uint64(structure, "supersedes", &said.supersedes);
    answers.push_back(std::move(said));
  }

  std::string first_error() {
    const MessagePtr message(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
    return message ? text_of(message.get()) : "no element has an error";
  }

  ElementPtr pipeline_;
  BusPtr bus_;
  bool ended_ = false;
};

// Counts the buffers that come to an element's sink pad.
class Counter {
 public:
  Counter(const Pipeline &pipeline, const char *name, const char *pad = "sink") {
    const auto element = pipeline.find(name);
    pad_.reset(gst_element_get_static_pad(element.get(), pad));
    probe_ = gst_pad_add_probe(
        pad_.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad *, GstPadProbeInfo *, gpointer counter) {
          ++static_cast<Counter *>(counter)->count_;
          return GST_PAD_PROBE_OK;
        },
        this, nullptr);
  }
  ~Counter() { gst_pad_remove_probe(pad_.get(), probe_); }
  Counter(const Counter &) = delete;
  Counter &operator=(const Counter &) = delete;

  int count() const { return count_; }

 private:
  PadPtr pad_;
  gulong probe_ = 0;
  std::atomic<int> count_ = 0;
};

}  // namespace saccade::gst
