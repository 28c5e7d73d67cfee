// A cloudoffloadsink fed by hand.
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/events.h"
#include "common/metas.h"
#include "element_testing.h"
#include "engine/counting_sound.h"
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
  // The same with what was heard with it; without `info` nobody asked about it.
  GstFlowReturn frame_with_sound(const std::optional<SegmentInfo> &info, const SoundClip &sound) {
    constexpr std::size_t kSize = 16 * 8 * 3;
    GstBuffer *buffer = gst_buffer_new_allocate(nullptr, kSize, nullptr);
    gst_buffer_memset(buffer, 0, 128, kSize);
    if (info) set_segment(buffer, *info);
    if (sound.rate > 0) set_audio(buffer, sound);
    return gst_harness_push(harness_, buffer);
  }
  // Waits for the next saccade/answer; other upstream events are passed over.
  CloudAnswer next_answer() { return next_event(parse_cloud_answer); }
  // The next that grows no further.
  CloudAnswer next_whole_answer() {
    auto answer = next_answer();
    while (answer.partial) answer = next_answer();
    return answer;
  }
  LinkState next_link_state() { return next_event(parse_link_state); }
  MessagePtr next_message(GstMessageType type) {
    return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), GST_CLOCK_TIME_NONE, type));
  }
  std::string next_warning() { return text_of(next_message(GST_MESSAGE_WARNING).get()); }

 private:
  // What the next upstream event says that `parse` can read.
  template <typename Event>
  Event next_event(std::optional<Event> (*parse)(GstEvent *)) {
    while (true) {
      const EventPtr event(gst_harness_pull_upstream_event(harness_));
      EXPECT_TRUE(event) << "no such event came";
      if (!event) return {};
      if (auto said = parse(event.get())) return *said;
    }
  }

  ElementPtr element_;
  BusPtr bus_;
  GstHarness *harness_ = nullptr;
};

// The sentence with which an element of these properties refuses to start; empty when it starts.
inline std::string refusal_at_start(const std::string &properties) {
  const auto line = "cloudoffloadsink " + properties;
  const ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(line.c_str(), nullptr))));
  const BusPtr bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  const bool failed = gst_element_set_state(element.get(), GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE;
  const MessagePtr error(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
  return failed && error ? text_of(error.get()) : std::string();
}

inline std::string endpoint(const faults::FaultServer &server) { return "endpoint=" + server.url() + " "; }

// What stands in base64 behind each `prefix` in a request's body, up to the end of its string.
inline std::vector<std::vector<std::uint8_t>> files_in(const std::string &body, const std::string &prefix) {
  std::vector<std::vector<std::uint8_t>> files;
  for (auto at = body.find(prefix); at != std::string::npos; at = body.find(prefix, at + 1)) {
    const auto start = at + prefix.size();
    gsize size = 0;
    guchar *bytes = g_base64_decode(body.substr(start, body.find('"', start) - start).c_str(), &size);
    files.emplace_back(bytes, bytes + size);
    g_free(bytes);
  }
  return files;
}

inline std::vector<std::vector<std::uint8_t>> pictures_in(const std::string &body) {
  return files_in(body, "data:image/jpeg;base64,");
}

inline std::vector<std::vector<std::uint8_t>> sounds_in(const std::string &body) {
  return files_in(body, R"("input_audio":{"data":")");
}

// "16x8" from a baseline JPEG's frame header.
inline std::string size_of(const std::vector<std::uint8_t> &jpeg) {
  for (std::size_t at = 2; at + 9 < jpeg.size() && jpeg[at] == 0xFF;) {
    if (jpeg[at + 1] == 0xC0) {
      return std::to_string(jpeg[at + 7] * 256 + jpeg[at + 8]) + "x" +
             std::to_string(jpeg[at + 5] * 256 + jpeg[at + 6]);
    }
    at += 2U + static_cast<std::size_t>(jpeg[at + 2]) * 256U + jpeg[at + 3];
  }
  return "no JPEG";
}

}  // namespace saccade::gst
