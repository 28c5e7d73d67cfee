// A cloudoffloadsink fed by hand.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>

#include "common/events.h"
#include "common/metas.h"
#include "element_testing.h"
#include "faults/fault_server.h"

namespace saccade::gst {

inline constexpr const char *kCaps = "video/x-raw,format=RGB,width=16,height=8,framerate=10/1";

// The element alone, with a bus, fed by hand.
class Sink {
 public:
  explicit Sink(const std::string &properties, const char *caps = kCaps) {
    const auto line = "cloudoffloadsink name=sink " + properties;
    element_.reset(GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(line.c_str(), nullptr))));
    bus_.reset(gst_bus_new());
    gst_element_set_bus(element_.get(), bus_.get());
    harness_ = gst_harness_new_with_element(element_.get(), "sink", nullptr);
    gst_harness_set_src_caps_str(harness_, caps);
  }
  ~Sink() {
    gst_harness_teardown(harness_);
    gst_element_set_bus(element_.get(), nullptr);
  }
  Sink(const Sink &) = delete;
  Sink &operator=(const Sink &) = delete;

  GstHarness *harness() { return harness_; }
  GstElement *element() { return element_.get(); }

  void begin(std::uint64_t id, const std::string &question, bool draft_follows = false) {
    gst_harness_push_event(harness_, new_segment_begin({"mllm0", id, question, {}, draft_follows}));
  }
  void draft(std::uint64_t id, const std::string &text, bool verify) {
    gst_harness_push_event(harness_, new_segment_draft({"mllm0", id, text, 0.4, verify}));
  }
  void cancel(std::uint64_t id) {
    gst_harness_push_event(harness_, new_segment_cancel({"mllm0", id, "because"}));
  }
  // A raw frame of 16 × 8 pixels of segment `id`.
  GstFlowReturn frame(std::uint64_t id, unsigned index, bool final, std::size_t size = 16 * 8 * 3) {
    GstBuffer *buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_memset(buffer, 0, 128, size);
    set_segment(buffer, {id, index, final});
    return gst_harness_push(harness_, buffer);
  }
  // Waits for the next saccade/answer; other upstream events are passed over.
  CloudAnswer next_answer() {
    while (true) {
      GstEvent *event = gst_harness_pull_upstream_event(harness_);
      if (!event) {
        ADD_FAILURE() << "no saccade/answer came";
        return {};
      }
      const auto answer = parse_cloud_answer(event);
      gst_event_unref(event);
      if (answer) return *answer;
    }
  }
  MessagePtr next_message(GstMessageType type) {
    return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), GST_CLOCK_TIME_NONE, type));
  }
  std::string next_warning() { return text_of(next_message(GST_MESSAGE_WARNING).get()); }

 private:
  ElementPtr element_;
  BusPtr bus_;
  GstHarness *harness_ = nullptr;
};

inline std::string endpoint(const faults::FaultServer &server) { return "endpoint=" + server.url() + " "; }

}  // namespace saccade::gst
