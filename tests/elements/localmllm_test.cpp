// localmllm: its answers, the questions that it is asked, live streams, bad input and its life.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/events.h"
#include "common/metas.h"
#include "localmllm_testing.h"

namespace saccade::gst {
namespace {

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
