// masgate, fed by hand through GstHarness, and in small pipelines.
#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "common/events.h"
#include "common/metas.h"
#include "common/pointers.h"
#include "element_testing.h"

namespace saccade::gst {
namespace {

constexpr const char *kCaps = "video/x-raw,format=GRAY8,width=64,height=64,framerate=10/1";
constexpr const char *kSoundCaps = "audio/x-raw,format=F32LE,rate=16000,channels=1,layout=interleaved";
constexpr GstClockTime kFrame = 100 * GST_MSECOND;

Harness gate(const char *launch = "masgate", const char *caps = kCaps) {
  Harness harness(gst_harness_new_parse(launch));
  if (caps) gst_harness_set_src_caps_str(harness.get(), caps);
  return harness;
}

// Frame `i` of a 64x64 picture of one luma, with its upper left quarter of another.
GstBuffer *picture(int i, int luma = 100, int corner = 100) {
  auto buffer = gst_buffer_new_allocate(nullptr, 64 * 64, nullptr);
  gst_buffer_memset(buffer, 0, static_cast<guint8>(luma), 64 * 64);
  for (gsize y = 0; y < 32; ++y) gst_buffer_memset(buffer, y * 64, static_cast<guint8>(corner), 32);
  GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(i) * kFrame;
  GST_BUFFER_DURATION(buffer) = kFrame;
  return buffer;
}

MasReport push(GstHarness *harness, GstBuffer *frame) {
  EXPECT_EQ(gst_harness_push(harness, frame), GST_FLOW_OK);
  const BufferPtr out(gst_harness_pull(harness));
  const auto report = get_mas(out.get());
  EXPECT_TRUE(report.has_value());
  return report.value_or(MasReport{});
}

std::string stream_of(GstHarness *harness) {
  auto id = gst_pad_get_stream_id(harness->sinkpad);
  const std::string stream = id ? id : "";
  g_free(id);
  return stream;
}

void commit(GstHarness *harness, const MasReport &report, const char *consumer = "encoder") {
  gst_harness_push_upstream_event(
      harness, new_committed({stream_of(harness), report.frame, report.refresh, consumer}));
}

guint64 statistic(GstHarness *harness, const char *field) {
  GstStructure *statistics = nullptr;
  auto element = gst_harness_find_element(harness, "masgate");
  g_object_get(element, "statistics", &statistics, nullptr);
  gst_object_unref(element);
  guint64 value = G_MAXUINT64;
  gst_structure_get_uint64(statistics, field, &value);
  gst_structure_free(statistics);
  return value;
}

int count_events(GstHarness *harness, GstEventType type) {
  int n = 0;
  while (auto event = gst_harness_try_pull_event(harness)) {
    n += GST_EVENT_TYPE(event) == type;
    gst_event_unref(event);
  }
  return n;
}

// If it fails, downstream elements get no report, or one that does not fit the picture.
TEST(MasGateElement, AnnotatesEveryFrame) {
  auto h = gate("masgate columns=4 rows=2");
  const auto first = push(h.get(), picture(0));
  EXPECT_TRUE(first.needed);
  EXPECT_EQ(first.grid, (PatchGrid{2, 4}));
  EXPECT_EQ(first.refresh_count(), 8);
  const auto second = push(h.get(), picture(1));
  EXPECT_FALSE(second.needed);
  EXPECT_EQ(second.frame, 2U);
  const auto third = push(h.get(), picture(2, 100, 220));
  EXPECT_TRUE(third.needed);
  EXPECT_EQ(third.refresh, (PatchMap{255, 255, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(statistic(h.get(), "received"), 3U);
  EXPECT_EQ(statistic(h.get(), "kept"), 3U);
  EXPECT_EQ(statistic(h.get(), "needed"), 2U);
}

// If it fails, frames vanish without a GAP, and the counts do not say so.
TEST(MasGateElement, ModeGateReplacesUnneededFramesByGaps) {
  auto h = gate("masgate mode=gate");
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(gst_harness_push(h.get(), picture(i, 100, i < 5 ? 100 : 220)), GST_FLOW_OK);
  EXPECT_EQ(gst_harness_buffers_received(h.get()), 2U);
  EXPECT_EQ(statistic(h.get(), "received"), 10U);
  EXPECT_EQ(statistic(h.get(), "kept"), 2U);
  EXPECT_EQ(statistic(h.get(), "dropped"), 8U);
  EXPECT_EQ(count_events(h.get(), GST_EVENT_GAP), 8);
}

// If it fails, the encoder's grid and the gate's differ although nobody asked for that.
TEST(MasGateElement, AsksTheEncoderForItsGrid) {
  auto h = gate("masgate", nullptr);
  gst_pad_add_probe(
      h->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
      [](GstPad *, GstPadProbeInfo *info, gpointer) {
        return answer_patch_grid(GST_PAD_PROBE_INFO_QUERY(info), {3, 5}) ? GST_PAD_PROBE_HANDLED
                                                                         : GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
  gst_harness_set_src_caps_str(h.get(), kCaps);
  EXPECT_EQ(push(h.get(), picture(0)).grid, (PatchGrid{3, 5}));
  auto alone = gate();
  EXPECT_EQ(push(alone.get(), picture(0)).grid, (PatchGrid{8, 8}));
}

// If it fails, a change that the encoder dropped is never sent again.
TEST(MasGateElement, SendsAgainWhatWasDropped) {
  auto h = gate("masgate columns=2 rows=2");
  commit(h.get(), push(h.get(), picture(0)));
  const auto changed = push(h.get(), picture(1, 100, 220));
  EXPECT_TRUE(changed.needed);
  EXPECT_FALSE(push(h.get(), picture(2, 100, 220)).needed);
  gst_harness_push_upstream_event(h.get(),
                                  new_dropped({stream_of(h.get()), changed.frame, "encoder", "queue full"}));
  const auto again = push(h.get(), picture(3, 100, 220));
  EXPECT_TRUE(again.needed);
  EXPECT_EQ(again.refresh, (PatchMap{255, 0, 0, 0}));
  commit(h.get(), again);
  EXPECT_FALSE(push(h.get(), picture(4, 100, 220)).needed);
  EXPECT_EQ(statistic(h.get(), "sent-again"), 1U);
}

// If it fails, a queue that leaks silently hides a change for ever.
TEST(MasGateElement, SendsAgainWhatNobodySpokeOfLive) {
  auto h = gate("masgate columns=2 rows=2 commit-timeout=500000000", nullptr);
  gst_harness_set_live(h.get(), TRUE);
  gst_harness_set_src_caps_str(h.get(), kCaps);
  commit(h.get(), push(h.get(), picture(0)));
  EXPECT_TRUE(push(h.get(), picture(1, 100, 220)).needed);
  for (int i = 2; i < 6; ++i) EXPECT_FALSE(push(h.get(), picture(i, 100, 220)).needed);
  EXPECT_TRUE(push(h.get(), picture(6, 100, 220)).needed);
}

// If it fails, the repeated picture waits for a next frame that a sampler upstream never sends.
TEST(MasGateElement, AGapIsEnoughToSendAgain) {
  auto h = gate("masgate columns=2 rows=2 mode=gate");
  commit(h.get(), push(h.get(), picture(0)));
  const auto changed = push(h.get(), picture(1, 100, 220));
  EXPECT_TRUE(gst_harness_push_event(h.get(), gst_event_new_gap(2 * kFrame, kFrame)));
  EXPECT_EQ(gst_harness_buffers_in_queue(h.get()), 0U);
  gst_harness_push_upstream_event(h.get(), new_dropped({stream_of(h.get()), changed.frame, "encoder", ""}));
  EXPECT_TRUE(gst_harness_push_event(h.get(), gst_event_new_gap(3 * kFrame, kFrame)));
  const BufferPtr again(gst_harness_pull(h.get()));
  EXPECT_EQ(GST_BUFFER_PTS(again.get()), 3 * kFrame);
  const auto report = get_mas(again.get());
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->refresh, (PatchMap{255, 0, 0, 0}));
  guint8 corner = 0;
  gst_buffer_extract(again.get(), 0, &corner, 1);
  EXPECT_EQ(corner, 220);
  EXPECT_EQ(statistic(h.get(), "repeated"), 1U);
}

// If it fails, of two gates in a line the wrong one believes what an encoder says, or nobody hears it.
TEST(MasGateElement, EventsOfAnotherStreamGoOnUpstream) {
  auto h = gate();
  push(h.get(), picture(0));
  while (auto event = gst_harness_try_pull_upstream_event(h.get())) gst_event_unref(event);
  gst_harness_push_upstream_event(h.get(), new_committed({stream_of(h.get()), 1, {}, "encoder"}));
  gst_harness_push_upstream_event(h.get(), new_committed({"another", 1, {}, "encoder"}));
  gst_harness_push_upstream_event(h.get(), new_load({0.5, 1}));
  std::vector<std::string> passed;
  while (auto event = gst_harness_try_pull_upstream_event(h.get())) {
    if (const auto committed = parse_committed(event)) passed.push_back("committed " + committed->stream);
    if (parse_load(event)) passed.emplace_back("load");
    gst_event_unref(event);
  }
  EXPECT_EQ(passed, (std::vector<std::string>{"committed another", "load"}));
}

// If it fails, the camera's or decoder's pool starves because the gate holds a buffer.
TEST(MasGateElement, HoldsNoUpstreamBuffer) {
  auto h = gate("masgate mode=gate");
  auto frame = picture(0);
  auto memory = gst_memory_ref(gst_buffer_peek_memory(frame, 0));
  gst_harness_push(h.get(), frame);
  gst_buffer_unref(gst_harness_pull(h.get()));
  EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(memory), 1);
  gst_memory_unref(memory);
}

// If it fails, a seek compares two places of the film with each other.
TEST(MasGateElement, AFlushStartsAnew) {
  auto h = gate();
  push(h.get(), picture(0));
  gst_harness_push_event(h.get(), gst_event_new_flush_start());
  gst_harness_push_event(h.get(), gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(h.get(), gst_event_new_segment(&segment));
  const auto report = push(h.get(), picture(0));
  EXPECT_TRUE(report.needed);
  EXPECT_EQ(report.refresh_count(), 64);
}

// If it fails, odd pictures stop the stream: one pixel, fewer pixels than patches, no frame rate, new sizes.
TEST(MasGateElement, OddPicturesAndCapsChanges) {
  auto h = gate("masgate", nullptr);
  struct {
    const char *caps;
    gsize bytes;
    PatchGrid grid;
  } const cases[] = {
      {"video/x-raw,format=GRAY8,width=1,height=1,framerate=0/1", 4, {1, 1}},
      {"video/x-raw,format=GRAY8,width=3,height=100,framerate=0/1", 400, {8, 3}},
      {"video/x-raw,format=RGB,width=20,height=20,framerate=25/1", 1200, {8, 8}},
      {"video/x-raw,format=I420,width=34,height=18,framerate=0/1", 36 * 18 + 2 * 20 * 9, {8, 8}},
  };
  int i = 0;
  for (const auto &c : cases) {
    gst_harness_set_src_caps_str(h.get(), c.caps);
    for (int frame = 0; frame < 2; ++frame) {
      auto buffer = gst_buffer_new_allocate(nullptr, c.bytes, nullptr);
      gst_buffer_memset(buffer, 0, 100, c.bytes);
      GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(i++) * kFrame;
      const auto report = push(h.get(), buffer);
      EXPECT_EQ(report.grid, c.grid) << c.caps;
      EXPECT_EQ(report.needed, frame == 0) << c.caps;
    }
  }
  auto no_time = gst_buffer_new_allocate(nullptr, cases[3].bytes, nullptr);
  gst_buffer_memset(no_time, 0, 100, cases[3].bytes);
  EXPECT_FALSE(push(h.get(), no_time).needed);
}

// If it fails, a damaged buffer crashes the process instead of ending in an error that says what is wrong.
TEST(MasGateElement, AShortBufferIsAnError) {
  auto h = gate();
  auto buffer = gst_buffer_new_allocate(nullptr, 10, nullptr);
  EXPECT_EQ(gst_harness_push(h.get(), buffer), GST_FLOW_ERROR);
}

// If it fails, the maps are lost on a scaler, or stay on a picture that was cropped and no longer fits them.
TEST(MasGateElement, TheReportSurvivesScalingAndNotCropping) {
  auto scaled = gate("masgate ! videoscale ! capsfilter caps=video/x-raw,width=32,height=32");
  EXPECT_TRUE(push(scaled.get(), picture(0)).needed);
  auto cropped = gate("masgate ! videocrop left=16");
  gst_harness_push(cropped.get(), picture(0));
  const BufferPtr out(gst_harness_pull(cropped.get()));
  EXPECT_FALSE(get_mas(out.get()).has_value());
}

// A gate with one audio pad: `push_sound` gives it a tone from `from` on.
class SoundGate {
 public:
  explicit SoundGate(const char *launch, bool live = false) : video(gate(launch, nullptr)) {
    gst_harness_set_live(video.get(), live);
    gst_harness_set_src_caps_str(video.get(), kCaps);
    element = gst_harness_find_element(video.get(), "masgate");
    sound.reset(gst_harness_new_with_element(element, "audio_%u", nullptr));
    gst_harness_set_src_caps_str(sound.get(), kSoundCaps);
  }
  ~SoundGate() {
    sound.reset();
    gst_object_unref(element);
  }

  GstFlowReturn push_sound(GstClockTime from, double seconds, double amplitude) {
    const auto n = static_cast<std::size_t>(seconds * 16000);
    std::vector<float> samples(n);
    for (std::size_t i = 0; i < n; ++i) {
      samples[i] = static_cast<float>(amplitude *
                                      std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(i) / 16000));
    }
    auto buffer = gst_buffer_new_allocate(nullptr, n * sizeof(float), nullptr);
    gst_buffer_fill(buffer, 0, samples.data(), n * sizeof(float));
    GST_BUFFER_PTS(buffer) = from;
    return gst_harness_push(sound.get(), buffer);
  }

  Harness video;
  Harness sound;
  GstElement *element;
};

// If it fails, the gate is deaf: a siren before a still picture gets no answer.
TEST(MasGateElement, SoundMakesAStillFrameNeeded) {
  SoundGate g("masgate prompt=\"Do you hear a siren?\"");
  EXPECT_EQ(g.push_sound(0, 1, 0.001), GST_FLOW_OK);
  EXPECT_EQ(g.push_sound(GST_SECOND, 1, 0.5), GST_FLOW_OK);
  push(g.video.get(), picture(0));
  for (int i = 1; i < 9; ++i) EXPECT_FALSE(push(g.video.get(), picture(i)).needed) << i;
  int needed = 0;
  for (int i = 9; i < 19; ++i) {
    const auto report = push(g.video.get(), picture(i));
    needed += report.needed;
    if (report.needed) {
      EXPECT_LT(report.mas_audio, 0.5);
    }
  }
  EXPECT_EQ(needed, 1);
  EXPECT_EQ(statistic(g.video.get(), "woken-by-sound"), 1U);
}

// If it fails, a file's sound, which is read faster than its pictures, is lost.
TEST(MasGateElement, SoundMayBeReadLongBeforeThePicture) {
  SoundGate g("masgate prompt=\"Do you hear a siren?\"");
  EXPECT_EQ(g.push_sound(0, 1, 0.001), GST_FLOW_OK);
  EXPECT_EQ(g.push_sound(GST_SECOND, 1, 0.5), GST_FLOW_OK);
  for (int i = 2; i < 60; ++i) EXPECT_EQ(g.push_sound(i * GST_SECOND, 1, 0.0), GST_FLOW_OK);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(push(g.video.get(), picture(i)).needed, i == 0) << i;
  bool heard = false;
  for (int i = 9; i < 12; ++i) heard |= push(g.video.get(), picture(i)).needed;
  EXPECT_TRUE(heard);
}

// If it fails, whoever answers a question about a sound does not get to hear it, or hears another piece of
// it.
TEST(MasGateElement, TheSoundGoesWithThePictureThatItWoke) {
  SoundGate g("masgate mode=gate audio-window=500000000 prompt=\"Do you hear a siren?\"");
  g.push_sound(0, 1, 0.001);
  g.push_sound(GST_SECOND, 0.5, 0.5);
  gst_harness_push(g.video.get(), picture(0));
  const BufferPtr silent(gst_harness_pull(g.video.get()));
  EXPECT_EQ(get_audio(silent.get()).rate, 0);
  for (int i = 1; i < 12; ++i) gst_harness_push(g.video.get(), picture(i));
  const BufferPtr woken(gst_harness_pull(g.video.get()));
  EXPECT_TRUE(get_mas(woken.get()).value_or(MasReport()).sound_active);
  const auto clip = get_audio(woken.get());
  EXPECT_EQ(clip.rate, 16000);
  EXPECT_NEAR(to_milliseconds(clip.end() - clip.start), 500, 40);
  EXPECT_NEAR(to_milliseconds(clip.end()), to_milliseconds(Duration(GST_BUFFER_PTS(woken.get()) + kFrame)),
              40);
  ASSERT_FALSE(clip.samples.empty());
  EXPECT_LT(std::abs(clip.samples.front()), 100);
  EXPECT_GT(*std::max_element(clip.samples.begin(), clip.samples.end()), 16000);
}

// If it fails, sound cannot wake a picture when a sampler upstream replaces frames by gaps.
TEST(MasGateElement, SoundWakesAStillPictureAtAGap) {
  SoundGate g("masgate mode=gate prompt=\"Do you hear a siren?\"");
  g.push_sound(0, 1, 0.001);
  push(g.video.get(), picture(0));
  g.push_sound(GST_SECOND, 0.5, 0.5);
  gst_harness_push_event(g.video.get(), gst_event_new_gap(kFrame, 12 * kFrame));
  const BufferPtr out(gst_harness_pull(g.video.get()));
  const auto report = get_mas(out.get());
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->needed);
  EXPECT_EQ(report->refresh_count(), 0);
  EXPECT_LT(report->mas_audio, 0.5);
}

// If it fails, a camera that sends nothing at all while its picture is still makes the gate deaf.
TEST(MasGateElement, LiveSoundWakesAPictureThatStandsWithoutGaps) {
  SoundGate g("masgate mode=gate prompt=\"Do you hear a siren?\"", true);
  push(g.video.get(), picture(0));
  g.push_sound(0, 1, 0.001);
  g.push_sound(GST_SECOND, 0.5, 0.5);
  const BufferPtr out(gst_harness_pull(g.video.get()));  // waits for it
  ASSERT_NE(out.get(), nullptr);
  EXPECT_LT(get_mas(out.get())->mas_audio, 0.5);
}

// If it fails, sound that stops, has gaps or ends holds the picture up for ever.
TEST(MasGateElement, MissingSoundNeverHoldsThePictureUp) {
  SoundGate g("masgate audio-wait=50000000");
  for (int i = 0; i < 3; ++i) push(g.video.get(), picture(i));  // no sound yet
  g.push_sound(0, 0.5, 0.1);
  gst_harness_push_event(g.sound.get(), gst_event_new_gap(GST_SECOND / 2, 2 * GST_SECOND));
  for (int i = 3; i < 20; ++i) push(g.video.get(), picture(i));
  gst_harness_push_event(g.sound.get(), gst_event_new_eos());
  for (int i = 20; i < 40; ++i) push(g.video.get(), picture(i));
  EXPECT_EQ(statistic(g.video.get(), "received"), 40U);
  EXPECT_EQ(count_events(g.video.get(), GST_EVENT_EOS), 0);
}

// If it fails, 16-bit sound is misread, or a second audio pad cannot be had or given back.
TEST(MasGateElement, TakesTwoAudioPadsAndS16) {
  SoundGate g("masgate");
  Harness second(gst_harness_new_with_element(g.element, "audio_%u", nullptr));
  gst_harness_set_src_caps_str(second.get(),
                               "audio/x-raw,format=S16LE,rate=8000,channels=2,layout=interleaved");
  auto buffer = gst_buffer_new_allocate(nullptr, 8000 * 4, nullptr);
  gst_buffer_memset(buffer, 0, 0, 8000 * 4);
  GST_BUFFER_PTS(buffer) = 0;
  EXPECT_EQ(gst_harness_push(second.get(), buffer), GST_FLOW_OK);
  EXPECT_EQ(g.push_sound(0, 1, 0.1), GST_FLOW_OK);
  push(g.video.get(), picture(0));
  second.reset();
  push(g.video.get(), picture(1));
}

// If it fails, the gate costs latency.
TEST(MasGateElement, AddsNoLatency) {
  auto h = gate("masgate", nullptr);
  gst_harness_set_upstream_latency(h.get(), 40 * GST_MSECOND);
  gst_harness_set_src_caps_str(h.get(), kCaps);
  gst_harness_play(h.get());
  EXPECT_EQ(gst_harness_query_latency(h.get()), 40 * GST_MSECOND);
}

// If it fails, starting and stopping leaks, hangs, or leaves a thread behind.
TEST(MasGateElement, TwentyTimesNullToPlaying) {
  GError *error = nullptr;
  auto pipeline = gst_parse_launch(
      "videotestsrc num-buffers=5 ! video/x-raw,width=64,height=64 ! masgate name=g ! fakesink "
      "audiotestsrc num-buffers=20 ! audioconvert ! g.audio_0",
      &error);
  ASSERT_EQ(error, nullptr);
  auto bus = gst_element_get_bus(pipeline);
  for (int i = 0; i < 20; ++i) {
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    auto message = gst_bus_timed_pop_filtered(
        bus, 30 * GST_SECOND, static_cast<GstMessageType>(int{GST_MESSAGE_EOS} | int{GST_MESSAGE_ERROR}));
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(GST_MESSAGE_TYPE(message), GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
  }
  gst_object_unref(bus);
  gst_object_unref(pipeline);
}

// If it fails, properties that may change while playing have no effect until a restart.
TEST(MasGateElement, PropertiesChangeWhilePlaying) {
  auto h = gate();
  push(h.get(), picture(0));
  gst_harness_set(h.get(), "masgate", "route", 2, "columns", 2, "rows", 2, nullptr);
  const auto report = push(h.get(), picture(1));
  EXPECT_EQ(report.route, Route::cloud);
  EXPECT_EQ(report.grid, (PatchGrid{2, 2}));
}

}  // namespace
}  // namespace saccade::gst
