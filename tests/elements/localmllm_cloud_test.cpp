// localmllm and the cloud behind its offload pad.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>

#include "common/events.h"
#include "common/metas.h"
#include "localmllm_testing.h"

namespace saccade::gst {
namespace {

// --- the cloud ---

// Stands where cloudoffloadsink would, and answers at once.
class Cloud {
 public:
  struct Seen {
    std::optional<SegmentBegin> begin;
    std::optional<SegmentDraft> draft;
    std::optional<SegmentInfo> segment;
    gsize bytes = 0;
    bool prerolled = false;
  };

  Cloud(Mind &mind, CloudAnswer answer)
      : answer_(std::move(answer)), pad_(gst_element_request_pad_simple(mind.element(), "offload")) {
    sink_ = gst_pad_new("cloud", GST_PAD_SINK);
    gst_pad_set_element_private(sink_, this);
    gst_pad_set_chain_function(sink_, [](GstPad *pad, GstObject *, GstBuffer *buffer) {
      gst_pad_push_event(pad, self_of(pad)->reply_to(BufferPtr(buffer)));
      return GST_FLOW_OK;
    });
    gst_pad_set_event_function(sink_, [](GstPad *pad, GstObject *, GstEvent *event) -> gboolean {
      self_of(pad)->note(EventPtr(event));
      return TRUE;
    });
    gst_pad_set_active(sink_, TRUE);
    EXPECT_EQ(gst_pad_link(pad_.get(), sink_), GST_PAD_LINK_OK);
  }
  ~Cloud() {
    gst_pad_set_active(sink_, FALSE);
    gst_pad_unlink(pad_.get(), sink_);
    gst_object_unref(sink_);
    const std::lock_guard lock(
        mutex_);  // orders the worker's last note before the end, also for ThreadSanitizer
  }
  Cloud(const Cloud &) = delete;
  Cloud &operator=(const Cloud &) = delete;

  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  static Cloud *self_of(GstPad *pad) { return static_cast<Cloud *>(gst_pad_get_element_private(pad)); }

  GstEvent *reply_to(BufferPtr buffer) {
    const std::lock_guard lock(mutex_);
    seen_.segment = get_segment(buffer.get());
    seen_.bytes = gst_buffer_get_size(buffer.get());
    CloudAnswer answer = answer_;
    answer.owner = seen_.begin ? seen_.begin->owner : "";
    answer.id = seen_.segment ? seen_.segment->id : 0;
    return new_cloud_answer(answer);
  }
  void note(EventPtr event) {
    const std::lock_guard lock(mutex_);
    if (auto begin = parse_segment_begin(event.get())) seen_.begin = std::move(begin);
    if (auto draft = parse_segment_draft(event.get())) seen_.draft = std::move(draft);
    if (GST_EVENT_TYPE(event.get()) == GST_EVENT_GAP) seen_.prerolled = true;
  }

  const CloudAnswer answer_;
  PadPtr pad_;
  GstPad *sink_;
  mutable std::mutex mutex_;
  Seen seen_;
};

CloudAnswer saying(const char *text) {
  CloudAnswer answer;
  answer.text = text;
  answer.confidence = 0.9;
  return answer;
}

// MSAO's second half: the draft goes out at once, the cloud's word comes after and names what it corrects.
TEST(LocalMllm, ACloudAnswerCorrectsTheDraft) {
  Mind mind("route-policy=cloud,offload-size=32", false, nullptr);
  Cloud cloud(mind, saying("dusk"));
  mind.begin();
  mind.push(picture(1));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(text_of(texts[1].get()), "dusk");
  const auto field = [&](int i, const char *name) {
    GstCustomMeta *meta =
        gst_buffer_get_custom_meta(texts[static_cast<std::size_t>(i)].get(), kAnswerMetaName);
    return gst_structure_get_string(gst_custom_meta_get_structure(meta), name);
  };
  EXPECT_STREQ(field(0, "source"), "edge-draft");
  EXPECT_STREQ(field(1, "source"), "cloud");
  guint64 supersedes = 0;
  GstCustomMeta *meta = gst_buffer_get_custom_meta(texts[1].get(), kAnswerMetaName);
  EXPECT_TRUE(gst_structure_get_uint64(gst_custom_meta_get_structure(meta), "supersedes", &supersedes));
  const auto seen = cloud.seen();
  EXPECT_EQ(supersedes, seen.begin->id);
  EXPECT_EQ(seen.begin->question, kQuestion);
  EXPECT_EQ(seen.draft->text, text_of(texts[0].get()));
  EXPECT_TRUE(seen.segment->final);
  EXPECT_EQ(seen.bytes, 32U * 24U * 3U);
  EXPECT_TRUE(seen.prerolled);
}

// A pad that is requested while the stream runs has missed its start, and must get it before its first
// picture.
TEST(LocalMllm, TheOffloadPadMayComeLate) {
  Mind mind("route-policy=cloud");
  mind.push(picture(1));
  mind.message(GST_MESSAGE_ELEMENT);
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(2));
  EXPECT_EQ(mind.finish().size(), 3U);
  EXPECT_TRUE(cloud.seen().segment.has_value());
}

// With the cloud down the local answer stands, and somebody is told.
TEST(LocalMllm, AFailedCloudLeavesTheLocalAnswer) {
  Mind mind("route-policy=cloud");
  CloudAnswer refused;
  refused.ok = false;
  refused.reason = "connection refused";
  Cloud cloud(mind, refused);
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_NE(saccade::gst::text_of(mind.message(GST_MESSAGE_WARNING).get()).find("the local answer stands"),
            std::string::npos);
}

TEST(LocalMllm, EdgeOnlySendsNothing) {
  Mind mind("route-policy=edge");
  Cloud cloud(mind, saying("dusk"));
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_FALSE(cloud.seen().segment.has_value());
}

}  // namespace
}  // namespace saccade::gst
