// localmllm with the shipped model, in a harness and fed by hand.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/metas.h"
#include "element_testing.h"

namespace saccade::gst {

inline constexpr const char *kCaps = "video/x-raw,format=RGB,width=64,height=48,framerate=10/1";
inline constexpr int kBytes = 64 * 48 * 3;
inline constexpr const char *kQuestion = "is it day or night?";
inline constexpr GstClockTime kFrame = 100 * GST_MSECOND;

inline ElementPtr make_element() {
  ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("localmllm", "mind"))));
  g_object_set(element.get(), "model", text_model().c_str(), "mmproj", projector().c_str(), "prompt",
               kQuestion, nullptr);
  return element;
}

// A picture of one grey level. Frames count from 1.
inline BufferPtr picture(int number, int bytes = kBytes, guint8 level = 150) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, static_cast<gsize>(bytes), nullptr));
  gst_buffer_memset(buffer.get(), 0, level, static_cast<gsize>(bytes));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(number - 1) * kFrame;
  GST_BUFFER_DURATION(buffer.get()) = kFrame;
  return buffer;
}

inline BufferPtr gated(int number, bool needed) {
  auto buffer = picture(number);
  MasReport report;
  report.frame = static_cast<std::uint64_t>(number);
  report.grid = {6, 6};
  report.needed = needed;
  set_mas(buffer.get(), report);
  return buffer;
}

// The element in a harness, with a bus. Not live unless told.
class Mind {
 public:
  explicit Mind(const std::string &settings = "", bool live = false, const char *caps = kCaps)
      : element_(make_element()), bus_(gst_bus_new()) {
    apply_settings(element_.get(), settings);
    gst_element_set_bus(element_.get(), bus_.get());
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
    gst_harness_set_live(harness_.get(), live);
    if (caps) begin(caps);
  }
  ~Mind() {
    harness_.reset();
    gst_element_set_bus(element_.get(), nullptr);
    gst_element_set_state(element_.get(), GST_STATE_NULL);
  }
  Mind(const Mind &) = delete;
  Mind &operator=(const Mind &) = delete;

  GstHarness *harness() { return harness_.get(); }
  GstElement *element() { return element_.get(); }

  // Only for a Mind that was made without caps: the stream starts here.
  void begin(const char *caps = kCaps) { gst_harness_set_src_caps_str(harness(), caps); }

  GstFlowReturn push(BufferPtr buffer) { return gst_harness_push(harness(), buffer.release()); }
  void end() { gst_harness_push_event(harness(), gst_event_new_eos()); }
  BufferPtr pull() { return BufferPtr(gst_harness_pull(harness())); }

  // Ends the stream and gives all that came out, once the end is through.
  std::vector<BufferPtr> finish() {
    end();
    std::vector<BufferPtr> all;
    while (true) {
      const EventPtr event(gst_harness_pull_event(harness()));
      if (!event || GST_EVENT_TYPE(event.get()) == GST_EVENT_EOS) break;
      if (GST_EVENT_TYPE(event.get()) == GST_EVENT_GAP) ++gaps_;
    }
    while (auto *buffer = gst_harness_try_pull(harness())) all.emplace_back(buffer);
    return all;
  }
  int gaps() const { return gaps_; }

  guint64 statistic(const char *name) { return gst::statistic(element(), name); }

  guint64 ask(const char *question) {
    guint64 id = 0;
    g_signal_emit_by_name(element(), "ask", question, &id);
    return id;
  }

  // Waits for it.
  MessagePtr message(GstMessageType type) {
    return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), GST_CLOCK_TIME_NONE, type));
  }

  // The next saccade/… event of that name that went upstream; waits for it.
  EventPtr upstream_event(const char *name) {
    while (true) {
      EventPtr event(gst_harness_pull_upstream_event(harness()));
      if (!event || gst_event_has_name(event.get(), name)) return event;
    }
  }

 private:
  ElementPtr element_;
  BusPtr bus_;
  std::unique_ptr<GstHarness, decltype(&gst_harness_teardown)> harness_{nullptr, gst_harness_teardown};
  int gaps_ = 0;
};

inline std::string text_of(GstBuffer *buffer) {
  GstMapInfo map;
  EXPECT_TRUE(gst_buffer_map(buffer, &map, GST_MAP_READ));
  std::string text(reinterpret_cast<const char *>(map.data), map.size);
  gst_buffer_unmap(buffer, &map);
  return text;
}

}  // namespace saccade::gst
