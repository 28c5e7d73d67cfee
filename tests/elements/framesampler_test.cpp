// framesampler, fed by hand through GstHarness.
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/events.h"
#include "common/metas.h"
#include "element_testing.h"

namespace saccade::gst {
namespace {

constexpr const char *kCaps = "video/x-raw,format=GRAY8,width=64,height=36,framerate=10/1";

Harness sampler(const char *launch = "framesampler", const char *caps = kCaps) {
  Harness harness(gst_harness_new_parse(launch));
  if (caps) gst_harness_set_src_caps_str(harness.get(), caps);
  return harness;
}

// A picture of `bytes` equal bytes.
GstBuffer *picture(int luma, GstClockTime pts, gsize bytes = 64 * 36) {
  auto buffer = gst_buffer_new_allocate(nullptr, bytes, nullptr);
  gst_buffer_memset(buffer, 0, static_cast<guint8>(luma), bytes);
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = 100 * GST_MSECOND;
  return buffer;
}

guint64 statistic(GstHarness *harness, const char *field) {
  GstStructure *statistics = nullptr;
  auto element = gst_harness_find_element(harness, "framesampler");
  g_object_get(element, "statistics", &statistics, nullptr);
  gst_object_unref(element);
  guint64 value = G_MAXUINT64;
  gst_structure_get_uint64(statistics, field, &value);
  gst_structure_free(statistics);
  return value;
}

int count_gaps(GstHarness *harness) {
  int gaps = 0;
  while (auto event = gst_harness_try_pull_event(harness)) {
    gaps += GST_EVENT_TYPE(event) == GST_EVENT_GAP;
    gst_event_unref(event);
  }
  return gaps;
}

std::string sampling_reason(GstBuffer *buffer) {
  const char *reason = gst_structure_get_string(ensure_mas_structure(buffer), "sampling");
  return reason ? reason : "";
}

// If it fails, frames are lost without a trace: no count, no GAP, or a broken stream behind.
TEST(FrameSampler, KeepsWhatIsNewAndSendsAGapForEveryOtherFrame) {
  auto h = sampler("framesampler max-rate=0 min-rate=0");
  for (int i = 0; i < 30; ++i) {
    const int luma = i < 10 ? 50 : i < 20 ? 150 : 250;
    ASSERT_EQ(gst_harness_push(h.get(), picture(luma, static_cast<GstClockTime>(i) * 100 * GST_MSECOND)),
              GST_FLOW_OK);
  }
  EXPECT_EQ(gst_harness_buffers_received(h.get()), 3U);
  EXPECT_EQ(statistic(h.get(), "received"), 30U);
  EXPECT_EQ(statistic(h.get(), "kept"), 3U);
  EXPECT_EQ(statistic(h.get(), "dropped"), 27U);
  EXPECT_EQ(statistic(h.get(), "duplicate"), 27U);
  EXPECT_EQ(count_gaps(h.get()), 27);
  const char *reasons[] = {"first", "changed", "changed"};
  for (const auto *reason : reasons) {
    auto buffer = gst_harness_pull(h.get());
    EXPECT_EQ(sampling_reason(buffer), reason);
    gst_buffer_unref(buffer);
  }
}

// If it fails, the base class marks each kept frame as the start of a new, broken stream.
TEST(FrameSampler, AKeptFrameAfterDropsIsNoDiscontinuity) {
  auto h = sampler("framesampler mode=every every=3");
  for (int i = 0; i < 7; ++i)
    gst_harness_push(h.get(), picture(9, static_cast<GstClockTime>(i) * 100 * GST_MSECOND));
  gst_buffer_unref(gst_harness_pull(h.get()));
  for (int i = 0; i < 2; ++i) {
    auto buffer = gst_harness_pull(h.get());
    EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    EXPECT_EQ(GST_BUFFER_PTS(buffer), static_cast<GstClockTime>(3 * (i + 1)) * 100 * GST_MSECOND);
    gst_buffer_unref(buffer);
  }
}

// If it fails, a stream of unknown or variable frame rate is not sampled by its timestamps.
TEST(FrameSampler, UniformWorksWithoutAFrameRate) {
  auto h = sampler("framesampler mode=uniform max-rate=1",
                   "video/x-raw,format=GRAY8,width=64,height=36,framerate=0/1");
  for (const guint64 ms : {0, 30, 400, 999, 1001, 1900, 2003, 2500, 3100}) {
    gst_harness_push(h.get(), picture(9, ms * GST_MSECOND));
  }
  EXPECT_EQ(gst_harness_buffers_received(h.get()), 4U);
  EXPECT_EQ(statistic(h.get(), "skipped"), 5U);
}

// If it fails, frames without a timestamp stop the stream.
TEST(FrameSampler, FramesWithoutTimePass) {
  auto h = sampler("framesampler mode=uniform");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(gst_harness_push(h.get(), picture(9, GST_CLOCK_TIME_NONE)), GST_FLOW_OK);
  }
  EXPECT_EQ(gst_harness_buffers_received(h.get()), 3U);
  EXPECT_EQ(statistic(h.get(), "no-time"), 2U);
}

// If it fails, a camera that changes its picture size in mid-stream is compared with the wrong picture or
// stops.
TEST(FrameSampler, CapsChangeInMidStream) {
  auto h = sampler("framesampler max-rate=0");
  gst_harness_push(h.get(), picture(9, 0));
  gst_harness_set_src_caps_str(h.get(), "video/x-raw,format=RGB,width=16,height=16,framerate=10/1");
  EXPECT_EQ(gst_harness_push(h.get(), picture(9, GST_SECOND, 16 * 16 * 3)), GST_FLOW_OK);
  EXPECT_EQ(statistic(h.get(), "first"), 2U);
  auto caps = gst_pad_get_current_caps(h->sinkpad);
  EXPECT_NE(std::string(gst_structure_get_string(gst_caps_get_structure(caps, 0), "format")), "GRAY8");
  gst_caps_unref(caps);
}

// If it fails, some raw format that the template promises is not understood: all of them are tried.
TEST(FrameSampler, TakesEveryFormatOfItsTemplate) {
  auto factory = gst_element_factory_find("framesampler");
  ASSERT_NE(factory, nullptr);
  gst_object_unref(factory);
  for (const char *name : {"I420",      "YV12",      "NV12",      "NV21", "YUY2",  "UYVY",       "Y42B",
                           "Y444",      "RGB",       "BGR",       "RGBx", "BGRA",  "ARGB",       "GRAY8",
                           "GRAY16_LE", "I420_10LE", "P010_10LE", "v210", "RGB16", "NV12_64Z32", "AYUV"}) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, gst_video_format_from_string(name), 34, 18);
    auto caps = gst_video_info_to_caps(&info);
    auto h = sampler("framesampler max-rate=0", nullptr);
    gst_harness_set_src_caps(h.get(), caps);
    EXPECT_EQ(gst_harness_push(h.get(), picture(16, 0, info.size)), GST_FLOW_OK) << name;
    EXPECT_EQ(gst_harness_push(h.get(), picture(16, GST_SECOND, info.size)), GST_FLOW_OK) << name;
    EXPECT_EQ(gst_harness_push(h.get(), picture(230, 2 * GST_SECOND, info.size)), GST_FLOW_OK) << name;
    EXPECT_EQ(statistic(h.get(), "duplicate"), 1U) << name;
    EXPECT_EQ(statistic(h.get(), "changed"), 1U) << name;
  }
}

// If it fails, the smallest picture there is crashes the element.
TEST(FrameSampler, OnePixel) {
  auto h = sampler("framesampler", "video/x-raw,format=GRAY8,width=1,height=1,framerate=10/1");
  EXPECT_EQ(gst_harness_push(h.get(), picture(16, 0, 4)), GST_FLOW_OK);
  EXPECT_EQ(gst_harness_buffers_received(h.get()), 1U);
}

// If it fails, a buffer shorter than its caps say is read past its end instead of ending in an error.
TEST(FrameSampler, AShortBufferIsAnError) {
  auto h = sampler();
  EXPECT_EQ(gst_harness_push(h.get(), picture(9, 0, 100)), GST_FLOW_ERROR);
}

// If it fails, a busy model gets as many frames as an idle one, or a stream once slowed stays slow.
TEST(FrameSampler, SlowsDownForABusyModelAndRecovers) {
  auto h = sampler("framesampler max-rate=10 mode=uniform");
  gst_harness_set_live(h.get(), TRUE);
  const auto kept_in_a_second = [&](GstClockTime from) {
    const auto before = statistic(h.get(), "kept");
    for (guint64 i = 0; i < 30; ++i) gst_harness_push(h.get(), picture(9, from + i * GST_SECOND / 30));
    return statistic(h.get(), "kept") - before;
  };
  EXPECT_EQ(kept_in_a_second(0), 10U);
  gst_harness_push_upstream_event(h.get(), new_load({0.95, 3}));
  EXPECT_NEAR(static_cast<double>(kept_in_a_second(GST_SECOND)), 5, 1);
  EXPECT_GT(statistic(h.get(), "overloaded"), 0U);
  for (int i = 0; i < 3; ++i) gst_harness_push_upstream_event(h.get(), new_load({0.2, 0}));
  kept_in_a_second(2 * GST_SECOND);
  EXPECT_EQ(kept_in_a_second(3 * GST_SECOND), 10U);
}

// If it fails, a run over a file depends on how fast the machine is.
TEST(FrameSampler, AFileDoesNotSlowDown) {
  auto h = sampler("framesampler max-rate=10 mode=uniform");
  gst_harness_set_live(h.get(), FALSE);
  gst_harness_push(h.get(), picture(9, 0));
  gst_harness_push_upstream_event(h.get(), new_load({0.99, 3}));
  for (guint64 i = 1; i < 30; ++i) gst_harness_push(h.get(), picture(9, i * GST_SECOND / 30));
  EXPECT_EQ(statistic(h.get(), "kept"), 10U);
}

// If it fails, a seek is answered with "duplicate" of a picture from before it.
TEST(FrameSampler, AFlushStartsAnew) {
  auto h = sampler();
  gst_harness_push(h.get(), picture(9, 0));
  gst_harness_push(h.get(), picture(9, 300 * GST_MSECOND));
  gst_harness_push_event(h.get(), gst_event_new_flush_start());
  gst_harness_push_event(h.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(h.get(), gst_event_new_segment(&segment));
  gst_harness_push(h.get(), picture(9, 0));
  EXPECT_EQ(statistic(h.get(), "first"), 2U);
}

// If it fails, the element adds latency that the pipeline does not know of, or copies pictures.
TEST(FrameSampler, PassesTheBufferItself) {
  auto h = sampler();
  auto in = picture(9, 0);
  auto memory = gst_buffer_peek_memory(in, 0);
  gst_harness_push(h.get(), in);
  auto out = gst_harness_pull(h.get());
  EXPECT_EQ(gst_buffer_peek_memory(out, 0), memory);
  gst_buffer_unref(out);
}

// If it fails, starting and stopping leaks, hangs, or keeps the counts of the run before.
TEST(FrameSampler, TwentyTimesNullToPlaying) {
  GError *error = nullptr;
  auto pipeline = gst_parse_launch(
      "videotestsrc num-buffers=5 ! video/x-raw,width=64,height=36 ! framesampler name=s max-rate=0 ! "
      "fakesink",
      &error);
  ASSERT_EQ(error, nullptr);
  auto element = gst_bin_get_by_name(GST_BIN(pipeline), "s");
  auto bus = gst_element_get_bus(pipeline);
  for (int i = 0; i < 20; ++i) {
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    auto message = gst_bus_timed_pop_filtered(
        bus, 30 * GST_SECOND, static_cast<GstMessageType>(int{GST_MESSAGE_EOS} | int{GST_MESSAGE_ERROR}));
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(GST_MESSAGE_TYPE(message), GST_MESSAGE_EOS);
    gst_message_unref(message);
    GstStructure *statistics = nullptr;
    g_object_get(element, "statistics", &statistics, nullptr);
    guint64 received = 0;
    gst_structure_get_uint64(statistics, "received", &received);
    EXPECT_EQ(received, 5U);
    gst_structure_free(statistics);
    gst_element_set_state(pipeline, GST_STATE_NULL);
  }
  gst_object_unref(bus);
  gst_object_unref(element);
  gst_object_unref(pipeline);
}

}  // namespace
}  // namespace saccade::gst
