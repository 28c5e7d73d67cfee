// localmllm with the shipped model, fed by hand.
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/events.h"
#include "common/metas.h"
#include "element_testing.h"

namespace saccade::gst {
namespace {

constexpr const char *kCaps = "video/x-raw,format=RGB,width=64,height=48,framerate=10/1";
constexpr int kBytes = 64 * 48 * 3;
constexpr const char *kQuestion = "is it day or night?";
constexpr GstClockTime kFrame = 100 * GST_MSECOND;

ElementPtr make_element() {
  ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("localmllm", "mind"))));
  g_object_set(element.get(), "model", text_model().c_str(), "mmproj", projector().c_str(), "prompt",
               kQuestion, nullptr);
  return element;
}

// A picture of one grey level. Frames count from 1.
BufferPtr picture(int number, int bytes = kBytes, guint8 level = 150) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, static_cast<gsize>(bytes), nullptr));
  gst_buffer_memset(buffer.get(), 0, level, static_cast<gsize>(bytes));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(number - 1) * kFrame;
  GST_BUFFER_DURATION(buffer.get()) = kFrame;
  return buffer;
}

BufferPtr gated(int number, bool needed) {
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

std::string text_of(GstBuffer *buffer) {
  GstMapInfo map;
  EXPECT_TRUE(gst_buffer_map(buffer, &map, GST_MAP_READ));
  std::string text(reinterpret_cast<const char *>(map.data), map.size);
  gst_buffer_unmap(buffer, &map);
  return text;
}

// What another thread said.
class Heard {
 public:
  void put(const char *text) {
    const std::lock_guard lock(mutex_);
    text_ = text;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// --- answers ---

// The element's whole purpose; and a file run loses nothing.
TEST(LocalMllm, AnswersEveryFrameOfAFileInItsTime) {
  Mind mind;
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(mind.push(picture(i, kBytes, i <= 3 ? 170 : 12)), GST_FLOW_OK);
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(GST_BUFFER_PTS(answers[i].get()), i * kFrame);
    EXPECT_EQ(GST_BUFFER_DURATION(answers[i].get()), kFrame);
    EXPECT_FALSE(text_of(answers[i].get()).empty());
  }
  EXPECT_EQ(text_of(answers[4].get()), "night");
}

// Overlays and files take text, services take JSON; the caps decide.
TEST(LocalMllm, GivesJsonWhereDownstreamAsksForIt) {
  Mind mind;
  gst_harness_set_sink_caps_str(mind.harness(), "application/x-json");
  mind.push(picture(1));
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 1U);
  const auto json = text_of(answers[0].get());
  EXPECT_EQ(json.front(), '{');
  EXPECT_NE(json.find("\"question\":\"is it day or night?\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"source\":\"edge\""), std::string::npos);
  EXPECT_EQ(json.back(), '\n');
}

// Applications that have no text pad read the bus; the message must say what the buffer's meta says.
TEST(LocalMllm, PostsTheAnswerAndEmitsTheSignal) {
  Mind mind;
  Heard heard;
  g_signal_connect(mind.element(), "answer",
                   G_CALLBACK(+[](GstElement *, GstStructure *answer, gpointer user) {
                     static_cast<Heard *>(user)->put(gst_structure_get_string(answer, "text"));
                   }),
                   &heard);
  mind.push(picture(1));
  const auto message = mind.message(GST_MESSAGE_ELEMENT);
  const GstStructure *answer = gst_message_get_structure(message.get());
  EXPECT_TRUE(gst_structure_has_name(answer, "saccade-answer"));
  double confidence = 0;
  EXPECT_TRUE(gst_structure_get_double(answer, "confidence", &confidence));
  gint generated = 0;
  EXPECT_TRUE(gst_structure_get_int(answer, "tokens-generated", &generated));
  EXPECT_GE(generated, 1);
  EXPECT_GT(confidence, 0.0);
  const auto buffer = mind.pull();
  EXPECT_EQ(text_of(buffer.get()), gst_structure_get_string(answer, "text"));
  EXPECT_EQ(heard.text(), text_of(buffer.get()));
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer.get(), kAnswerMetaName);
  ASSERT_NE(meta, nullptr);
  EXPECT_STREQ(gst_structure_get_string(gst_custom_meta_get_structure(meta), "question"), kQuestion);
}

// Spending nothing where nothing changed: unneeded frames cost no encode and become GAPs.
TEST(LocalMllm, WhatTheGateDoesNotNeedIsPassedOver) {
  Mind mind;
  mind.push(gated(1, true));
  mind.push(gated(2, false));
  mind.push(gated(3, false));
  mind.push(gated(4, true));
  EXPECT_EQ(mind.finish().size(), 2U);
  EXPECT_GE(mind.gaps(), 1);
  EXPECT_EQ(mind.statistic("unchanged"), 2U);
  EXPECT_EQ(mind.statistic("taken"), 2U);
}

// A leaky queue in front must not make a change vanish.
TEST(LocalMllm, AFrameLostUpstreamIsMadeUpFor) {
  Mind mind;
  mind.push(gated(1, true));
  mind.push(gated(3, false));  // frame 2, lost on the way, may have been the change
  EXPECT_EQ(mind.finish().size(), 2U);
}

// An overlay that shows GAPs as nothing would flicker.
TEST(LocalMllm, RepeatsTheStandingAnswerWhenAsked) {
  Mind mind("on-unchanged=repeat");
  mind.push(gated(1, true));
  mind.push(gated(2, false));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(text_of(texts[0].get()), text_of(texts[1].get()));
  EXPECT_EQ(GST_BUFFER_PTS(texts[1].get()), kFrame);
}

// If this fails, a small sign that the gate points at is not looked at closer, or time is spent on a second
// look that has nothing to show.
TEST(LocalMllm, LooksCloserAtWhatTheGatePointsAt) {
  constexpr int kWidth = 640;
  constexpr int kHeight = 360;
  const auto tokens_seen = [](const BufferPtr &answer) {
    gint seen = 0;
    gst_structure_get_int(
        gst_custom_meta_get_structure(gst_buffer_get_custom_meta(answer.get(), kAnswerMetaName)),
        "tokens-seen", &seen);
    return seen;
  };
  const auto look_at = [&](bool with_map) {
    auto buffer = picture(1, kWidth * kHeight * 3);
    MasReport report;
    report.frame = 1;
    report.grid = {6, 6};
    if (with_map) report.keep.assign(36, 100);
    set_mas(buffer.get(), report);
    Mind mind("detail=crop", false, "video/x-raw,format=RGB,width=640,height=360,framerate=10/1");
    mind.push(std::move(buffer));
    const auto answers = mind.finish();
    return answers.size() == 1 ? tokens_seen(answers[0]) : 0;
  };
  EXPECT_EQ(look_at(true), 2 * 36);
  EXPECT_EQ(look_at(false), 36);
}

// The gate moves its reference only on this.
TEST(LocalMllm, TellsTheGateWhatItHasEncoded) {
  Mind mind;
  mind.push(gated(7, true));
  const auto committed = parse_committed(mind.upstream_event("saccade/committed").get());
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->frame, 7U);
  EXPECT_EQ(committed->consumer, "mind");
}

// The gate asks for the grid of the encoder behind it, whose patches may be finer than its tokens.
TEST(LocalMllm, TellsTheGrid) {
  Mind mind;
  const auto grid = query_patch_grid(mind.harness()->srcpad);
  ASSERT_TRUE(grid.has_value());
  EXPECT_EQ(*grid, (PatchGrid{12, 12}));
}

// If this fails, a picture that changed in one patch costs as much as a new one, or the gate takes all of it
// for encoded and never asks for the rest.
TEST(LocalMllm, EncodesWhatTheGateAsksForAndSaysWhat) {
  Mind mind;
  auto buffer = gated(1, true);
  auto report = *get_mas(buffer.get());
  report.grid = {12, 12};
  report.refresh.assign(144, 0);
  report.refresh[40] = 255;
  set_mas(buffer.get(), report);
  mind.push(gated(1, true));
  EXPECT_EQ(parse_committed(mind.upstream_event("saccade/committed").get())->patches, PatchMap());
  mind.push(std::move(buffer));
  EXPECT_EQ(parse_committed(mind.upstream_event("saccade/committed").get())->patches, report.refresh);
}

// If this fails, a picture that did not change is encoded all the same, or what is kept of it is shown after
// the camera has changed its size or the user has sought.
TEST(LocalMllm, KeepsWhatItSawUntilTheStreamIsAnother) {
  const auto night = [](int number) {
    auto buffer = picture(number, kBytes, 12);
    MasReport report;
    report.frame = static_cast<std::uint64_t>(number);
    report.grid = {12, 12};
    report.refresh.assign(144, 0);
    set_mas(buffer.get(), report);
    return buffer;
  };
  Mind mind;
  mind.push(gated(1, true));
  const auto by_day = text_of(mind.pull().get());
  mind.push(night(2));
  EXPECT_EQ(text_of(mind.pull().get()), by_day);
  mind.begin("video/x-raw,format=RGB,width=64,height=48,framerate=5/1");
  mind.push(night(3));
  EXPECT_EQ(text_of(mind.pull().get()), "night");

  mind.push(gated(4, true));
  mind.pull();
  gst_harness_push_event(mind.harness(), gst_event_new_flush_start());
  gst_harness_push_event(mind.harness(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(mind.harness(), gst_event_new_segment(&segment));
  mind.push(night(5));
  EXPECT_EQ(text_of(mind.pull().get()), "night");
}

// --- questions ---

TEST(LocalMllm, APromptChangedWhilePlayingIsAnsweredFromTheNextFrame) {
  Mind mind;
  mind.push(gated(1, true));
  mind.pull();
  g_object_set(mind.element(), "prompt", "how many people are there?", nullptr);
  mind.push(gated(2, false));  // nothing changed but the question
  mind.message(GST_MESSAGE_ELEMENT);
  const auto second = mind.message(GST_MESSAGE_ELEMENT);
  EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(second.get()), "question"),
               "how many people are there?");
}

// With a picture seen, a question need not wait for the next.
TEST(LocalMllm, AskIsAnsweredFromWhatWasSeen) {
  Mind mind;
  mind.push(picture(1));
  mind.message(GST_MESSAGE_ELEMENT);
  EXPECT_GT(mind.ask("is there a crossing?"), 0U);
  const auto message = mind.message(GST_MESSAGE_ELEMENT);
  EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(message.get()), "question"),
               "is there a crossing?");
}

// A question asked just before the end is answered before the end goes out.
TEST(LocalMllm, QuestionsPendingAtTheEndAreAnsweredFirst) {
  Mind mind("prompt=(string)\"\"");
  mind.ask(kQuestion);
  mind.ask("is there a crossing?");
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 2U);
}

// A question that nobody can answer must not be lost in silence.
TEST(LocalMllm, QuestionsWithoutAPictureAreWarnedOf) {
  Mind mind;
  mind.ask(kQuestion);
  EXPECT_EQ(mind.finish().size(), 0U);
  EXPECT_NE(saccade::gst::text_of(mind.message(GST_MESSAGE_WARNING).get()).find("not answered"),
            std::string::npos);
}

TEST(LocalMllm, QuestionsComeThroughTheTextPadToo) {
  Mind mind("prompt=(string)\"\"");
  const PadPtr text(gst_element_request_pad_simple(mind.element(), "text"));
  ASSERT_NE(text, nullptr);
  mind.push(picture(1));
  GstBuffer *question = gst_buffer_new_memdup(kQuestion, std::strlen(kQuestion));
  gst_pad_send_event(text.get(), gst_event_new_stream_start("questions"));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_send_event(text.get(), gst_event_new_segment(&segment));
  EXPECT_EQ(gst_pad_chain(text.get(), question), GST_FLOW_OK);
  EXPECT_EQ(mind.finish().size(), 1U);
  gst_element_release_request_pad(mind.element(), text.get());
}

// --- live ---

// A camera must never wait for a token, and every lost frame is counted and told to the gate.
TEST(LocalMllm, LiveItDropsTheOldestAndCountsThem) {
  Mind mind("max-queue=2", true);
  Dam dam(mind.element());
  mind.push(gated(1, true));
  dam.wait_until_reached();  // the worker is busy for as long as we like
  for (int i = 2; i <= 10; ++i) EXPECT_EQ(mind.push(gated(i, true)), GST_FLOW_OK);
  EXPECT_EQ(mind.statistic("dropped"), 7U);
  EXPECT_EQ(parse_dropped(mind.upstream_event("saccade/dropped").get())->frame, 2U);
  dam.release();
  EXPECT_EQ(mind.finish().size(), 3U);
  EXPECT_EQ(mind.statistic("taken") + mind.statistic("dropped"), 10U);
}

// What our own queue dropped is made up for by the next frame, changed or not.
TEST(LocalMllm, LiveADroppedChangeIsAnsweredWithTheNextFrame) {
  Mind mind("max-queue=1", true);
  Dam dam(mind.element());
  mind.push(gated(1, true));
  dam.wait_until_reached();
  mind.push(gated(2, true));
  mind.push(gated(3, true));   // takes the place of 2
  mind.push(gated(4, false));  // owed for 2, takes the place of 3
  mind.push(gated(5, false));  // owed for 3
  dam.release();
  const auto answers = mind.finish();
  EXPECT_EQ(answers.size(), 2U);
}

TEST(LocalMllm, OnlyContentTimeAddsLatency) {
  Mind arrival("latency-budget=(guint64)700000000", true);
  arrival.push(picture(1));
  const auto plain = gst_harness_query_latency(arrival.harness());
  Mind content("latency-budget=(guint64)700000000,timestamp=content", true);
  content.push(picture(1));
  EXPECT_EQ(gst_harness_query_latency(content.harness()), plain + 700 * GST_MSECOND);
}

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

// --- bad input and life ---

std::string failure_of(const std::string &text, const std::string &mmproj) {
  const auto element = make_element();
  const BusPtr bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  g_object_set(element.get(), "model", text.c_str(), "mmproj", mmproj.c_str(), nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  const MessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  gst_element_set_bus(element.get(), nullptr);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  return message ? saccade::gst::text_of(message.get()) : "";
}

// The sentence is all that a user at 2 a.m. has.
TEST(LocalMllm, AModelThatCannotBeLoadedIsNamed) {
  EXPECT_NE(failure_of("/nowhere.gguf", projector()).find("/nowhere.gguf"), std::string::npos);
  EXPECT_NE(failure_of(text_model(), "").find("mmproj"), std::string::npos);
  EXPECT_NE(failure_of(projector(), projector()).find("it is a projector"), std::string::npos);
  EXPECT_NE(failure_of("", "").find("no model file was given"), std::string::npos);
}

// Cameras change their size, files have no frame rate, and pictures may be smaller than a patch.
TEST(LocalMllm, TakesWhateverCapsVideoHas) {
  Mind mind;
  mind.push(picture(1));
  gst_harness_set_src_caps_str(mind.harness(), "video/x-raw,format=GRAY8,width=4,height=4,framerate=0/1");
  EXPECT_EQ(mind.push(picture(2, 16)), GST_FLOW_OK);
  gst_harness_set_src_caps_str(mind.harness(), "video/x-raw,format=I420,width=2,height=2,framerate=30/1");
  EXPECT_EQ(mind.push(picture(3, 16)), GST_FLOW_OK);
  EXPECT_EQ(mind.finish().size(), 3U);
}

// Buffers without time or duration come from careless sources.
TEST(LocalMllm, TakesBuffersWithoutTime) {
  Mind mind;
  for (int i = 1; i <= 2; ++i) {
    auto buffer = picture(i);
    GST_BUFFER_PTS(buffer.get()) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer.get()) = GST_CLOCK_TIME_NONE;
    EXPECT_EQ(mind.push(std::move(buffer)), GST_FLOW_OK);
  }
  EXPECT_EQ(mind.finish().size(), 2U);
}

TEST(LocalMllm, SurvivesTwentyStartsAndStops) {
  const auto element = make_element();
  for (int i = 0; i < 20; ++i) {
    ASSERT_NE(gst_element_set_state(element.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    ASSERT_EQ(gst_element_set_state(element.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  }
}

// A stop must not wait for an encode or an answer to end, nor for a push that nobody takes.
TEST(LocalMllm, StopsAtAnyMoment) {
  std::mt19937 random(7);
  for (int i = 0; i < 12; ++i) {
    Mind mind("max-queue=1,answer-on=frame");
    std::jthread camera([&] {
      for (int n = 1; n < 50; ++n)
        if (mind.push(picture(n)) != GST_FLOW_OK) break;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    gst_element_set_state(mind.element(), GST_STATE_NULL);
  }
}

// A seek throws away what is under way, and the stream goes on after it.
TEST(LocalMllm, AFlushFreesABusyWorker) {
  Mind mind("max-queue=1");
  Dam dam(mind.element());
  mind.push(picture(1));
  dam.wait_until_reached();
  gst_harness_push_event(mind.harness(), gst_event_new_flush_start());
  dam.release();
  gst_harness_push_event(mind.harness(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(mind.harness(), gst_event_new_segment(&segment));
  EXPECT_EQ(mind.push(picture(1)), GST_FLOW_OK);
  EXPECT_GE(mind.finish().size(), 1U);
}

}  // namespace
}  // namespace saccade::gst
