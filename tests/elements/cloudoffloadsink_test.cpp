#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cloudoffloadsink_testing.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

// Breaks when a segment does not become exactly one request, or its answer does not come back every way it
// should.
TEST(CloudOffloadSink, ASegmentIsOneRequestAndItsAnswerComesBack) {
  const FaultServer server({Behaviour::reply(200, completion("Red."))});
  Sink sink(endpoint(server) + "model=m max-tokens=9");
  std::string heard;
  g_signal_connect(sink.element(), "answer",
                   G_CALLBACK(+[](GstElement *, const char *owner, guint64 id, const char *text, double,
                                  std::string *out) { *out = owner + std::to_string(id) + text; }),
                   &heard);
  sink.begin(7, "Which colour?");
  gst_harness_push_event(sink.harness(), new_segment_draft({"mllm0", 7, "red", 0.4}));
  EXPECT_EQ(sink.frame(7, 0, false), GST_FLOW_OK);
  EXPECT_EQ(sink.frame(7, 1, true), GST_FLOW_OK);

  const auto answer = sink.next_answer();
  EXPECT_EQ(answer.owner, "mllm0");
  EXPECT_EQ(answer.id, 7U);
  EXPECT_EQ(answer.text, "Red.");
  EXPECT_TRUE(answer.ok);
  EXPECT_TRUE(answer.verified) << "the draft said the same words";
  EXPECT_GT(answer.confidence, 0.8);
  const auto message = sink.next_message(GST_MESSAGE_ELEMENT);
  const GstStructure *fields = gst_message_get_structure(message.get());
  EXPECT_TRUE(gst_structure_has_name(fields, "cloud-answer"));
  EXPECT_STREQ(gst_structure_get_string(fields, "text"), "Red.");
  for (const char *field : {"owner", "id", "confidence", "latency-ms", "bytes-sent"}) {
    EXPECT_TRUE(gst_structure_has_field(fields, field)) << field;
  }

  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_NE(requests[0].body.find("Which colour?"), std::string::npos);
  EXPECT_NE(requests[0].body.find("\"max_tokens\":9"), std::string::npos);
  const auto pictures = pictures_in(requests[0].body);
  ASSERT_EQ(pictures.size(), 2U);
  EXPECT_EQ(size_of(pictures[0]), "16x8");
  EXPECT_EQ(size_of(pictures[1]), "16x8");
  gst_element_set_state(sink.element(), GST_STATE_NULL);  // joins the threads, so that `heard` may be read
  EXPECT_EQ(heard, "mllm07Red.");
  EXPECT_EQ(statistic(sink.element(), "segments"), 1U);
  EXPECT_EQ(statistic(sink.element(), "answered"), 1U);
  EXPECT_GT(statistic(sink.element(), "bytes-sent"), requests[0].body.size());
}

// Breaks when pictures go out larger than asked, or with their shape changed.
TEST(CloudOffloadSink, PicturesAreScaledToMaxSizeInTheirShape) {
  const std::pair<const char *, const char *> cases[] = {
      {"video/x-raw,format=RGB,width=16,height=8,framerate=10/1", "8x4"},
      {"video/x-raw,format=RGB,width=8,height=16,framerate=10/1", "4x8"},
      {"video/x-raw,format=RGB,width=16,height=8,framerate=10/1,pixel-aspect-ratio=1/2", "8x8"},
      {"video/x-raw,format=GRAY8,width=16,height=24,framerate=0/1", "5x8"},
      {"video/x-raw,format=NV12,width=16,height=16,framerate=10/1,interlace-mode=interleaved", "8x8"},
  };
  for (const auto &[caps, expected] : cases) {
    const FaultServer server({Behaviour::reply(200, completion("x"))});
    Sink sink(endpoint(server) + "max-size=8", caps);
    EXPECT_EQ(sink.frame(1, 0, true), GST_FLOW_OK);
    EXPECT_TRUE(sink.next_answer().ok);
    const auto pictures = pictures_in(server.requests()[0].body);
    ASSERT_EQ(pictures.size(), 1U) << caps;
    EXPECT_EQ(size_of(pictures[0]), expected) << caps;
  }
}

// Breaks when a stream whose size changes gets no more answers.
TEST(CloudOffloadSink, TheSizeMayChange) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server));
  gst_harness_push(sink.harness(), gst_buffer_new_allocate(nullptr, 16 * 8 * 3, nullptr));
  EXPECT_TRUE(sink.next_answer().ok);
  gst_harness_set_src_caps_str(sink.harness(), "video/x-raw,format=RGB,width=8,height=8,framerate=10/1");
  gst_harness_push(sink.harness(), gst_buffer_new_allocate(nullptr, 8 * 8 * 3, nullptr));
  const auto answer = sink.next_answer();
  EXPECT_TRUE(answer.ok) << answer.reason;
  EXPECT_EQ(size_of(pictures_in(server.requests().at(1).body).at(0)), "8x8");
}

// Breaks when a camera's JPEG takes the place where it was made along to the cloud.
TEST(CloudOffloadSink, JpegsGoOutWithoutTheirMetadata) {
  const char jpeg[] =
      "\xFF\xD8"
      "\xFF\xE0\0\4JF"
      "\xFF\xE1\0\x0A"
      "Exif-GPS"
      "\xFF\xFE\0\6note"
      "\xFF\xDB\0\3Q"
      "\xFF\xDA\0\3s-pixels\xFF\xD9";
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server), "image/jpeg");
  GstBuffer *buffer = gst_buffer_new_memdup(jpeg, sizeof jpeg - 1);
  set_segment(buffer, {1, 0, true});
  EXPECT_EQ(gst_harness_push(sink.harness(), buffer), GST_FLOW_OK);
  EXPECT_TRUE(sink.next_answer().ok);
  const auto sent = pictures_in(server.requests()[0].body);
  ASSERT_EQ(sent.size(), 1U);
  const std::string text(sent[0].begin(), sent[0].end());
  EXPECT_EQ(text.find("GPS"), std::string::npos);
  EXPECT_EQ(text.find("note"), std::string::npos);
  EXPECT_NE(text.find("JF"), std::string::npos);
  EXPECT_NE(text.find("s-pixels\xFF\xD9"), std::string::npos);
}

// Breaks when bytes that are no picture reach the server, or are lost without a word.
TEST(CloudOffloadSink, WhatIsNoPictureIsReported) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server), "image/jpeg");
  EXPECT_EQ(sink.frame(1, 0, true, 5), GST_FLOW_OK);
  EXPECT_FALSE(sink.next_answer().ok);
  EXPECT_NE(sink.next_warning().find("no JPEG"), std::string::npos);
  EXPECT_EQ(server.request_count(), 0U);
}

// Breaks when a frame in a plain pipeline is not asked the prompt.
TEST(CloudOffloadSink, AFrameWithoutASegmentIsAskedThePrompt) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server) + "prompt=anything-there?");
  gst_harness_push(sink.harness(), gst_buffer_new_allocate(nullptr, 16 * 8 * 3, nullptr));
  EXPECT_EQ(sink.next_answer().owner, "");
  EXPECT_NE(server.requests()[0].body.find("anything-there?"), std::string::npos);
}

// Breaks when an answer that went stale still comes back, or its place stays taken.
TEST(CloudOffloadSink, ACancelledSegmentIsNotAnsweredAndFreesItsPlace) {
  const FaultServer server({Behaviour::hang(), Behaviour::reply(200, completion("second"))});
  Sink sink(endpoint(server) + "max-in-flight=1");
  sink.begin(1, "first?");
  sink.frame(1, 0, true);
  server.wait_for_requests(1);
  gst_harness_push_event(sink.harness(), new_segment_cancel({"mllm0", 1, "stale"}));
  sink.frame(1, 1, true);  // a straggler of the cancelled segment is nobody's
  sink.begin(2, "second?");
  sink.frame(2, 0, true);
  const auto answer = sink.next_answer();
  EXPECT_EQ(answer.id, 2U);
  EXPECT_EQ(answer.text, "second");
  EXPECT_EQ(statistic(sink.element(), "cancelled"), 1U);
  EXPECT_EQ(server.request_count(), 2U);
}

// Breaks when who waits for a place is not told that a cancelled segment has left its own.
TEST(CloudOffloadSink, ACancelledPlaceIsTakenByWhoWaitsForIt) {
  constexpr std::uint64_t kSegments = 20;
  const FaultServer server({Behaviour::hang()});
  Sink sink(endpoint(server) + "max-in-flight=1");
  gst_harness_set_live(sink.harness(), FALSE);
  for (std::uint64_t id = 1; id <= kSegments; ++id) {
    sink.begin(id, "What?");
    sink.frame(id, 0, true);
    if (id > 1) sink.cancel(id - 1);
    server.wait_for_requests(id);
  }
}

// Breaks when a cloud that is down is silent, or stops the stream.
TEST(CloudOffloadSink, AServerThatIsDownIsAWarningAndAnAnswerThatIsNone) {
  Sink sink("endpoint=" + faults::refused_url() + " retries=1 retry-backoff-factor=0");
  sink.begin(3, "anybody?");
  EXPECT_EQ(sink.frame(3, 0, true), GST_FLOW_OK);
  const auto answer = sink.next_answer();
  EXPECT_EQ(answer.id, 3U);
  EXPECT_FALSE(answer.ok);
  EXPECT_NE(answer.reason.find("refuses connections"), std::string::npos);
  const auto warning = sink.next_warning();
  EXPECT_NE(warning.find("127.0.0.1"), std::string::npos) << warning;
  EXPECT_NE(warning.find("check that the server runs"), std::string::npos) << warning;
  EXPECT_EQ(sink.frame(4, 0, true), GST_FLOW_OK) << "the stream goes on";
}

// Breaks when upstream does not learn that the link went down.
TEST(CloudOffloadSink, TheLinkStateGoesUpstreamAndOntoTheBus) {
  Sink sink("endpoint=" + faults::refused_url() + " retries=0");
  for (std::uint64_t id = 1; id <= 3; ++id) {
    sink.begin(id, "anybody?");
    sink.frame(id, 0, true);
    EXPECT_FALSE(sink.next_answer().ok);
  }
  const auto message = sink.next_message(GST_MESSAGE_ELEMENT);
  const GstStructure *fields = gst_message_get_structure(message.get());
  ASSERT_TRUE(gst_structure_has_name(fields, "link-state"));
  gboolean up = TRUE;
  EXPECT_TRUE(gst_structure_get_boolean(fields, "up", &up));
  EXPECT_FALSE(up);
  sink.begin(4, "still nobody?");
  sink.frame(4, 0, true);
  EXPECT_NE(sink.next_answer().reason.find("is down"), std::string::npos) << "refused without a call";
}

// Breaks when a segment whose last frame never comes waits for ever instead of being reported.
TEST(CloudOffloadSink, SegmentsWithoutALastFrameAreReported) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Sink sink(endpoint(server));
  sink.begin(1, "a?");
  sink.frame(1, 0, false);
  sink.begin(2, "b?");
  EXPECT_EQ(sink.next_answer().reason, "another segment began before this one's last frame or draft came");
  sink.frame(2, 0, false);
  gst_harness_push_event(sink.harness(), gst_event_new_eos());
  EXPECT_EQ(sink.next_answer().reason, "the stream ended before the segment's last frame or draft came");
}

// Breaks when a picture buffer of upstream's pool is held while the server thinks.
TEST(CloudOffloadSink, NoBufferOfUpstreamIsHeld) {
  const FaultServer server({Behaviour::hang()});
  Sink sink(endpoint(server));
  GstBuffer *parent = gst_buffer_new();
  GstBuffer *buffer = gst_buffer_new_allocate(nullptr, 16 * 8 * 3, nullptr);
  gst_buffer_add_parent_buffer_meta(buffer, parent);
  GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
  gst_memory_ref(memory);
  gst_harness_push(sink.harness(), buffer);
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(parent), 1);
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(memory), 1);
  gst_buffer_unref(parent);
  gst_memory_unref(memory);
}

// Breaks when stopping waits for a server that says nothing (ctest's timeout is the judge).
TEST(CloudOffloadSink, StopDuringAHangReturns) {
  for (const auto &behaviour :
       {Behaviour::hang(), Behaviour::hang_mid_body("{"), Behaviour::reply(503, "")}) {
    const FaultServer server({behaviour});
    Sink sink(endpoint(server) + "timeout=3600 retries=100 retry-backoff-factor=3600 retry-backoff-max=3600");
    sink.begin(1, "a?");
    sink.frame(1, 0, true);
    server.wait_for_requests(1);
    EXPECT_EQ(gst_element_set_state(sink.element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(statistic(sink.element(), "cancelled"), 1U);
  }
}

// Breaks when a flush waits for the drain at the end of the stream, or the element is dead after it.
TEST(CloudOffloadSink, AFlushBreaksTheDrain) {
  const FaultServer server({Behaviour::hang(), Behaviour::reply(200, completion("after"))});
  Sink sink(endpoint(server) + "drain-timeout=3600 timeout=3600");
  sink.begin(1, "a?");
  sink.frame(1, 0, true);
  server.wait_for_requests(1);
  std::jthread end([&] { gst_harness_push_event(sink.harness(), gst_event_new_eos()); });
  gst_harness_push_event(sink.harness(), gst_event_new_flush_start());
  end.join();
  gst_harness_push_event(sink.harness(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(sink.harness(), gst_event_new_segment(&segment));
  sink.begin(2, "b?");
  EXPECT_EQ(sink.frame(2, 0, true), GST_FLOW_OK);
  EXPECT_EQ(sink.next_answer().text, "after");
  EXPECT_EQ(statistic(sink.element(), "cancelled"), 1U);
}

// Breaks when the end of the stream waits longer than told, or the lost answers are not reported.
TEST(CloudOffloadSink, TheDrainEndsAfterItsTimeoutAndSaysWhatIsLost) {
  const FaultServer server({Behaviour::hang()});
  Sink sink(endpoint(server) + "drain-timeout=0.05 timeout=3600");
  sink.begin(1, "a?");
  sink.frame(1, 0, true);
  gst_harness_push_event(sink.harness(), gst_event_new_eos());
  EXPECT_NE(sink.next_answer().reason.find("drain-timeout"), std::string::npos);
  EXPECT_EQ(statistic(sink.element(), "failed"), 1U);
}

// Breaks when a machine without jpegenc is left without a hint.
TEST(CloudOffloadSink, WithoutJpegencThePackageIsNamed) {
  GstRegistry *registry = gst_registry_get();
  GstPluginFeature *jpegenc = gst_registry_lookup_feature(registry, "jpegenc");
  ASSERT_NE(jpegenc, nullptr);
  gst_registry_remove_feature(registry, jpegenc);
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  {
    Sink sink(endpoint(server));
    sink.frame(1, 0, true);
    EXPECT_NE(sink.next_warning().find("gstreamer1.0-plugins-good"), std::string::npos);
  }
  gst_registry_add_feature(registry, jpegenc);
  gst_object_unref(jpegenc);
}

// Breaks when settings that cannot work let the pipeline start, or the error does not say which setting it
// was.
TEST(CloudOffloadSink, WrongSettingsFailAtStartWithASentence) {
  const std::pair<const char *, const char *> cases[] = {
      {"endpoint=nowhere", "endpoint is not a URL"},
      {"endpoint=http://user:secret@h/v1", "use api-key-file"},
      {"api-key-file=/nonexistent/key", "api-key-file \"/nonexistent/key\" cannot be read"},
  };
  for (const auto &[properties, expected] : cases) {
    const auto said = refusal_at_start(properties);
    EXPECT_NE(said.find(expected), std::string::npos) << said;
    EXPECT_EQ(said.find("secret"), std::string::npos);
  }
}

// Breaks when the key is not sent, or can be read out of the element.
TEST(CloudOffloadSink, TheKeyIsReadFromItsFileAndNotShown) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  const std::string path = testing::TempDir() + "saccade_sink_key";
  ASSERT_TRUE(g_file_set_contents(path.c_str(), "sk-secret\n", -1, nullptr));
  Sink sink(endpoint(server) + "api-key-file=" + path);
  sink.frame(1, 0, true);
  EXPECT_TRUE(sink.next_answer().ok);
  EXPECT_EQ(server.requests()[0].headers.at("authorization"), "Bearer sk-secret");
  guint count = 0;
  GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(sink.element()), &count);
  for (guint i = 0; i < count; ++i) {
    if (specs[i]->value_type != G_TYPE_STRING) continue;
    char *value = nullptr;
    g_object_get(sink.element(), specs[i]->name, &value, nullptr);
    EXPECT_TRUE(!value || !g_strrstr(value, "sk-secret")) << specs[i]->name;
    g_free(value);
  }
  g_free(specs);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace saccade::gst
