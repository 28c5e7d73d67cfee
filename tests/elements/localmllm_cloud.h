// A cloud behind localmllm's offload pad that says what a test has it say, when the test has it say it.
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/events.h"
#include "common/metas.h"
#include "localmllm_testing.h"

namespace saccade::gst {

inline CloudAnswer saying(const char *text) {
  CloudAnswer answer;
  answer.text = text;
  answer.confidence = 0.9;
  return answer;
}

inline CloudAnswer so_far(const char *text) {
  auto answer = saying(text);
  answer.partial = true;
  return answer;
}

// Stands where cloudoffloadsink would. Its script runs on localmllm's worker; say() may be called anywhere.
class Cloud {
 public:
  // What it does with a segment, by its id.
  using Deed = std::function<void(Cloud &, std::uint64_t id)>;
  struct Script {
    Deed picture = {};
    Deed draft = {};
  };
  struct Seen {
    std::optional<SegmentBegin> begin;
    std::optional<SegmentDraft> draft;
    std::optional<SegmentCancel> cancel;
    std::optional<SegmentInfo> segment;
    SoundClip sound{};
    gsize bytes = 0;
    guint8 first_byte = 0;
    bool prerolled = false;
    std::uint64_t pictures = 0;
  };

  Cloud(Mind &mind, Script script)
      : mind_(mind),
        script_(std::move(script)),
        pad_(gst_element_request_pad_simple(mind.element(), "offload")) {
    sink_ = gst_pad_new("cloud", GST_PAD_SINK);
    gst_pad_set_element_private(sink_, this);
    gst_pad_set_chain_function(sink_, [](GstPad *pad, GstObject *, GstBuffer *buffer) {
      self_of(pad)->take(BufferPtr(buffer));
      return GST_FLOW_OK;
    });
    gst_pad_set_event_function(sink_, [](GstPad *pad, GstObject *, GstEvent *event) -> gboolean {
      self_of(pad)->note(EventPtr(event));
      return TRUE;
    });
    gst_pad_set_active(sink_, TRUE);
    EXPECT_EQ(gst_pad_link(pad_.get(), sink_), GST_PAD_LINK_OK);
  }
  // Answers every picture at once.
  Cloud(Mind &mind, const CloudAnswer &answer)
      : Cloud(mind, {.picture = [answer](Cloud &cloud, std::uint64_t id) { cloud.say(id, answer); }}) {}
  ~Cloud() {
    gst_pad_set_active(sink_, FALSE);
    if (gst_pad_is_linked(sink_)) gst_pad_unlink(pad_.get(), sink_);
    gst_object_unref(sink_);
    const std::lock_guard lock(
        mutex_);  // orders the worker's last note before the end, also for ThreadSanitizer
  }
  Cloud(const Cloud &) = delete;
  Cloud &operator=(const Cloud &) = delete;

  void say(std::uint64_t id, CloudAnswer answer) {
    answer.owner = GST_OBJECT_NAME(mind_.element());
    answer.id = id;
    gst_pad_push_event(sink_, new_cloud_answer(answer));
  }
  void tell(const LinkState &link) { gst_pad_push_event(sink_, new_link_state(link)); }
  // The pad that localmllm made for it is gone after this.
  void leave() { gst_element_release_request_pad(mind_.element(), pad_.get()); }

  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  static Cloud *self_of(GstPad *pad) { return static_cast<Cloud *>(gst_pad_get_element_private(pad)); }

  void take(BufferPtr buffer) {
    const auto segment = get_segment(buffer.get());
    {
      const std::lock_guard lock(mutex_);
      seen_.segment = segment;
      seen_.sound = get_audio(buffer.get());
      gst_buffer_extract(buffer.get(), 0, &seen_.first_byte, 1);
      seen_.bytes = gst_buffer_get_size(buffer.get());
      ++seen_.pictures;
    }
    if (segment && script_.picture) script_.picture(*this, segment->id);
  }
  void note(EventPtr event) {
    const auto draft = parse_segment_draft(event.get());
    {
      const std::lock_guard lock(mutex_);
      if (auto begin = parse_segment_begin(event.get())) seen_.begin = std::move(begin);
      if (auto cancel = parse_segment_cancel(event.get())) seen_.cancel = std::move(cancel);
      if (draft) seen_.draft = draft;
      if (GST_EVENT_TYPE(event.get()) == GST_EVENT_GAP) seen_.prerolled = true;
    }
    if (draft && script_.draft) script_.draft(*this, draft->id);
  }

  Mind &mind_;
  const Script script_;
  PadPtr pad_;
  GstPad *sink_;
  mutable std::mutex mutex_;
  Seen seen_;
};

// A field of the answer that a buffer of text carries; the test fails when there is none.
inline std::string source_of(GstBuffer *buffer) {
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAnswerMetaName);
  const char *source =
      meta ? gst_structure_get_string(gst_custom_meta_get_structure(meta), "source") : nullptr;
  EXPECT_TRUE(source);
  return source ? source : "";
}

inline std::optional<std::uint64_t> number_of(GstBuffer *buffer, const char *name) {
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAnswerMetaName);
  guint64 value = 0;
  if (!meta || !gst_structure_get_uint64(gst_custom_meta_get_structure(meta), name, &value))
    return std::nullopt;
  return value;
}

// The last decision that stands in the log.
class DecisionWatch {
 public:
  DecisionWatch() {
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(&look_at, nullptr, nullptr);
    gst_debug_set_threshold_for_name("saccade-routing", GST_LEVEL_LOG);
    gst_debug_set_active(TRUE);
  }
  ~DecisionWatch() {
    gst_debug_set_threshold_for_name("saccade-routing", GST_LEVEL_NONE);
    gst_debug_remove_log_function(&look_at);
    gst_debug_add_log_function(gst_debug_log_default, nullptr, nullptr);
  }
  DecisionWatch(const DecisionWatch &) = delete;
  DecisionWatch &operator=(const DecisionWatch &) = delete;

  // A number of it; -1 where it has none of that name.
  static double number(const std::string &name) {
    const std::lock_guard lock(mutex_);
    const auto at = last_.find('"' + name + "\":");
    if (at == std::string::npos) return -1;
    const auto value = last_.substr(at + name.size() + 3);
    return value.starts_with("null") ? -1 : std::stod(value);
  }

 private:
  static void look_at(GstDebugCategory *category, GstDebugLevel, const gchar *, const gchar *, gint,
                      GObject *, GstDebugMessage *message, gpointer) {
    if (std::string(gst_debug_category_get_name(category)) != "saccade-routing") return;
    const std::string text = gst_debug_message_get(message);
    const std::lock_guard lock(mutex_);
    if (text.find("\"audio_bytes\"") != std::string::npos) last_ = text;
  }

  // Not of an object's own: the worker may be about to log.
  static inline std::mutex mutex_;
  static inline std::string last_;
};

}  // namespace saccade::gst
