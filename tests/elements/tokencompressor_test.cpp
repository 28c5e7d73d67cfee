// tokencompressor with the shipped model, fed by hand or in whole pipelines.
#include <gst/allocators/gstfdmemory.h>
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
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

ElementPtr make_element(const std::string &text, const std::string &mmproj) {
  ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("tokencompressor", "eye"))));
  g_object_set(element.get(), "model", text.c_str(), "mmproj", mmproj.c_str(), nullptr);
  return element;
}

// A picture of one grey level, which differs from picture to picture.
BufferPtr picture(int number, int bytes = kBytes) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, static_cast<gsize>(bytes), nullptr));
  gst_buffer_memset(buffer.get(), 0, static_cast<guint8>(20 * number), static_cast<gsize>(bytes));
  GST_BUFFER_PTS(buffer.get()) = static_cast<GstClockTime>(number) * 100 * GST_MSECOND;
  GST_BUFFER_DURATION(buffer.get()) = 100 * GST_MSECOND;
  return buffer;
}

BufferPtr gated_picture(int number, const PatchMap &refresh, PatchGrid grid) {
  auto buffer = picture(number);
  MasReport report;
  report.frame = static_cast<std::uint64_t>(number);
  report.grid = grid;
  report.refresh = refresh;
  set_mas(buffer.get(), report);
  return buffer;
}

// The element in a harness, with a bus. Not live unless told.
class Compressor {
 public:
  explicit Compressor(const std::string &settings = "", bool live = false, const char *caps = kCaps)
      : element_(make_element(text_model(), projector())), bus_(gst_bus_new()) {
    apply_settings(element_.get(), settings);
    gst_element_set_bus(element_.get(), bus_.get());
    harness_.reset(gst_harness_new_with_element(element_.get(), "sink", "src"));
    gst_harness_set_live(harness_.get(), live);
    gst_harness_set_src_caps_str(harness_.get(), caps);
  }
  ~Compressor() {
    harness_.reset();
    gst_element_set_bus(element_.get(), nullptr);
    gst_element_set_state(element_.get(), GST_STATE_NULL);
  }

  GstHarness *harness() { return harness_.get(); }
  GstElement *element() { return element_.get(); }
  GstBus *bus() { return bus_.get(); }

  GstFlowReturn push(BufferPtr buffer) { return gst_harness_push(harness(), buffer.release()); }
  BufferPtr pull() { return BufferPtr(gst_harness_pull(harness())); }
  BufferPtr look_at(BufferPtr buffer) {
    EXPECT_EQ(push(std::move(buffer)), GST_FLOW_OK);
    return pull();
  }

  PatchGrid grid() {
    const auto grid = query_patch_grid(harness()->srcpad);
    EXPECT_TRUE(grid.has_value());
    return grid.value_or(PatchGrid{1, 1});
  }

  guint64 statistic(const char *name) { return gst::statistic(element(), name); }

  // The next saccade/… event that went upstream; waits for it.
  EventPtr upstream_event() {
    while (true) {
      EventPtr event(gst_harness_pull_upstream_event(harness()));
      if (!event || GST_EVENT_TYPE(event.get()) == GST_EVENT_CUSTOM_UPSTREAM) return event;
    }
  }

 private:
  ElementPtr element_;
  BusPtr bus_;
  std::unique_ptr<GstHarness, decltype(&gst_harness_teardown)> harness_{nullptr, gst_harness_teardown};
};

// If this fails, the language model has to encode the picture a second time, or reads noise.
TEST(TokenCompressor, AttachesTheTokensOfThePicture) {
  Compressor c;
  const auto out = c.look_at(picture(3));
  const auto tokens = get_tokens(out.get());
  ASSERT_NE(tokens, nullptr);
  EXPECT_EQ(tokens->grid, (PatchGrid{6, 6}));
  EXPECT_EQ(c.grid(), (PatchGrid{12, 12}));  // four patches make a token
  EXPECT_EQ(tokens->count(), tokens->grid.count());
  EXPECT_EQ(tokens->seen, tokens->count());
  EXPECT_EQ(tokens->values.size(), static_cast<std::size_t>(tokens->count() * tokens->dimension));
  EXPECT_EQ(tokens->pts, std::chrono::milliseconds(300));
  EXPECT_EQ(gst_buffer_get_size(out.get()), static_cast<gsize>(kBytes));
  EXPECT_EQ(GST_BUFFER_PTS(out.get()), 300 * GST_MSECOND);
  EXPECT_NE(get_tokens(c.look_at(picture(9)).get())->values, tokens->values);
}

// If this fails, the amount and the method cannot be changed while a camera runs.
TEST(TokenCompressor, AmountAndMethodChangeWhilePlaying) {
  Compressor c("keep=0.5,method=grid,max-tokens=10");
  const auto grid = get_tokens(c.look_at(picture(1)).get());
  EXPECT_EQ(grid->count(), 10);
  gst_util_set_object_arg(G_OBJECT(c.element()), "method", "merge");
  g_object_set(c.element(), "max-tokens", 30, "min-tokens", 25, nullptr);
  const auto merged = get_tokens(c.look_at(picture(1)).get());
  EXPECT_EQ(merged->count(), 25);
  EXPECT_GT(*std::max_element(merged->weights.begin(), merged->weights.end()), 1);  // grid merges nothing
}

double encode_work(Compressor &c) {
  GstStructure *statistics = nullptr;
  g_object_get(c.element(), "statistics", &statistics, nullptr);
  double work = -1;
  EXPECT_TRUE(gst_structure_get_double(statistics, "encode-work", &work));
  gst_structure_free(statistics);
  return work;
}

// If this fails, a picture that changed in one patch costs as much as a new one, or is not encoded at all.
TEST(TokenCompressor, EncodesWhatTheGateAsksFor) {
  for (const char *settings : {"encoder=fp32", "encoder=int8,whole-after=0", "encoder=fp32,surroundings=0"}) {
    SCOPED_TRACE(settings);
    Compressor c(settings);
    const auto grid = c.grid();
    const auto before = get_tokens(c.look_at(gated_picture(1, {}, grid)).get());
    EXPECT_EQ(encode_work(c), 1);
    PatchMap one(static_cast<std::size_t>(grid.count()), 0);
    one[40] = 255;
    const auto after = get_tokens(c.look_at(gated_picture(9, one, grid)).get());
    const double patches = std::string(settings).ends_with("surroundings=0") ? 1 : 9;
    EXPECT_NEAR(encode_work(c), 1 + patches / grid.count(), 1e-9);
    EXPECT_NE(after->values, before->values);
  }
}

// If this fails, merge-inside does not reach the encoder.
TEST(TokenCompressor, MergesInsideTheEncoder) {
  const auto merged = get_tokens(Compressor("merge-inside=0.5").look_at(picture(3)).get());
  const auto plain = get_tokens(Compressor().look_at(picture(3)).get());
  EXPECT_EQ(merged->count(), plain->count());
  EXPECT_NE(merged->values, plain->values);
}

// If this fails, a user who wants llama.cpp's own numbers does not get them.
TEST(TokenCompressor, LibmtmdEncodesWholePictures) {
  Compressor c("encoder=libmtmd");
  EXPECT_EQ(c.grid(), (PatchGrid{6, 6}));  // the tokens': it encodes no part
  PatchMap one(36, 0);
  one[7] = 255;
  c.look_at(gated_picture(1, {}, c.grid()));
  c.look_at(gated_picture(9, one, c.grid()));
  EXPECT_EQ(encode_work(c), 2);
}

// If this fails, `method` and `keep` are not what the compressor gets, or keep cannot change while playing.
TEST(TokenCompressor, KeepsTheAskedShare) {
  for (const char *method : {"grid", "random", "merge", "divprune", "temporal"}) {
    Compressor c(std::string("keep=0.5,method=") + method);
    const auto half = get_tokens(c.look_at(picture(1)).get());
    ASSERT_NE(half, nullptr) << method;
    EXPECT_EQ(half->count(), (half->seen + 1) / 2) << method;
    EXPECT_EQ(half->seen, half->grid.count());
    g_object_set(c.element(), "keep", 0.0, nullptr);
    EXPECT_EQ(get_tokens(c.look_at(picture(2)).get())->count(), 1) << method;
    EXPECT_EQ(c.statistic("tokens-kept"), static_cast<guint64>(half->count() + 1));
  }
}

// If this fails, a still scene is encoded in every frame.
TEST(TokenCompressor, UsesTheTokensAgainWhenTheGateSawNoChange) {
  Compressor c;
  const auto grid = c.grid();
  const auto first = get_tokens(c.look_at(gated_picture(1, {}, grid)).get());
  const auto again = get_tokens(c.look_at(gated_picture(9, PatchMap(grid.count(), 0), grid)).get());
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->values, first->values);
  EXPECT_EQ(c.statistic("encoded"), 1U);
  EXPECT_EQ(c.statistic("reused"), 1U);
  PatchMap one(grid.count(), 0);
  one[0] = 255;
  c.look_at(gated_picture(10, one, grid));
  EXPECT_EQ(c.statistic("encoded"), 2U);
}

// If this fails, the gate never learns what was encoded, and sends the same patches for ever.
TEST(TokenCompressor, TellsTheGateWhatIsCommitted) {
  Compressor c;
  const auto grid = c.grid();
  c.look_at(gated_picture(1, {}, grid));
  PatchMap one(grid.count(), 0);
  one[2] = 255;
  c.look_at(gated_picture(2, one, grid));
  const auto first = parse_committed(c.upstream_event().get());
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->frame, 1U);
  EXPECT_TRUE(first->patches.empty());
  EXPECT_EQ(first->consumer, "eye");
  EXPECT_FALSE(first->stream.empty());
  const auto second = parse_committed(c.upstream_event().get());
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->frame, 2U);
  EXPECT_EQ(second->patches, one);
}

// If this fails, a live source waits for the encoder, or a change in a dropped picture vanishes, or text
// overlays behind wait for a picture that never comes. The dam makes the encoder infinitely slow.
TEST(TokenCompressor, LiveItDropsTheOldestSaysSoAndNeverWaits) {
  Compressor c("", true);
  const auto grid = c.grid();
  Dam dam(c.element());
  c.push(gated_picture(1, {}, grid));
  dam.wait_until_reached();
  for (int i = 2; i <= 5; ++i) EXPECT_EQ(c.push(gated_picture(i, {}, grid)), GST_FLOW_OK);
  EXPECT_EQ(parse_committed(c.upstream_event().get())->frame, 1U);
  for (std::uint64_t frame = 2; frame <= 4; ++frame) {
    const auto dropped = parse_dropped(c.upstream_event().get());
    ASSERT_TRUE(dropped.has_value());
    EXPECT_EQ(dropped->frame, frame);
    EXPECT_EQ(dropped->consumer, "eye");
    EXPECT_FALSE(dropped->reason.empty());
  }
  EXPECT_EQ(c.statistic("dropped"), 3U);
  dam.release();
  EXPECT_EQ(GST_BUFFER_PTS(c.pull().get()), 100 * GST_MSECOND);
  EXPECT_EQ(GST_BUFFER_PTS(c.pull().get()), 500 * GST_MSECOND);
  GstClockTime start = GST_CLOCK_TIME_NONE;
  GstClockTime duration = 0;
  while (auto event = EventPtr(gst_harness_try_pull_event(c.harness()))) {
    if (GST_EVENT_TYPE(event.get()) == GST_EVENT_GAP) gst_event_parse_gap(event.get(), &start, &duration);
  }
  EXPECT_EQ(start, 200 * GST_MSECOND);
  EXPECT_EQ(duration, 300 * GST_MSECOND);
}

// If this fails, a camera with few buffers stands still while one of its pictures is being encoded.
TEST(TokenCompressor, LiveItHoldsNoBufferOfTheSourcesPool) {
  Compressor c("", true);
  GstBufferPool *pool = gst_buffer_pool_new();
  GstStructure *config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, nullptr, kBytes, 1, 1);
  gst_buffer_pool_set_config(pool, config);
  gst_buffer_pool_set_active(pool, TRUE);
  Dam dam(c.element());
  for (int i = 0; i < 4; ++i) {
    GstBuffer *buffer = nullptr;
    GstBufferPoolAcquireParams params = {};
    params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, &params), GST_FLOW_OK) << "picture " << i;
    if (i % 2) {  // as after an element that made a buffer of its own around the pool's memory
      GstBuffer *copy = gst_buffer_copy(buffer);
      gst_buffer_add_parent_buffer_meta(copy, buffer);
      gst_buffer_unref(buffer);
      buffer = copy;
    }
    EXPECT_EQ(gst_harness_push(c.harness(), buffer), GST_FLOW_OK);
  }
  dam.release();
  EXPECT_NE(get_tokens(c.pull().get()), nullptr);
  gst_buffer_pool_set_active(pool, FALSE);
  gst_object_unref(pool);
}

// If this fails, a camera's own memory (v4l2) is held behind an element that copied the metadata only.
TEST(TokenCompressor, LiveItHoldsNoMemoryOfTheSourcesOwnKind) {
  Compressor c("", true);
  GstAllocator *allocator = gst_fd_allocator_new();
  const int fd = memfd_create("camera", 0);
  ASSERT_EQ(ftruncate(fd, kBytes), 0);
  BufferPtr buffer(gst_buffer_new());
  gst_buffer_append_memory(buffer.get(),
                           gst_fd_allocator_alloc(allocator, fd, kBytes, GST_FD_MEMORY_FLAG_NONE));
  const auto out = c.look_at(std::move(buffer));
  EXPECT_STREQ(gst_buffer_peek_memory(out.get(), 0)->allocator->mem_type, GST_ALLOCATOR_SYSMEM);
  EXPECT_NE(get_tokens(out.get()), nullptr);
  gst_object_unref(allocator);
}

// If this fails, a file's answers depend on how fast the machine is.
TEST(TokenCompressor, NotLiveNothingIsDroppedAndAllLeavesBeforeTheEnd) {
  Compressor c;
  constexpr int kPictures = 12;
  for (int i = 0; i < kPictures; ++i) ASSERT_EQ(c.push(picture(i)), GST_FLOW_OK);
  EXPECT_TRUE(gst_harness_push_event(c.harness(), gst_event_new_eos()));
  for (int i = 0; i < kPictures; ++i) {
    const auto out = c.pull();
    ASSERT_NE(get_tokens(out.get()), nullptr);
    EXPECT_EQ(GST_BUFFER_PTS(out.get()), static_cast<GstClockTime>(i) * 100 * GST_MSECOND);
  }
  EventPtr last;
  while (!last || GST_EVENT_TYPE(last.get()) != GST_EVENT_EOS) {
    last.reset(gst_harness_pull_event(c.harness()));
    ASSERT_NE(last, nullptr) << "EOS never came";
  }
  EXPECT_EQ(c.statistic("dropped"), 0U);
}

// If this fails, a camera that switches its resolution ends the stream or is read with the old row length.
TEST(TokenCompressor, FollowsACapsChange) {
  Compressor c;
  c.look_at(picture(1));
  gst_harness_set_src_caps_str(c.harness(), "video/x-raw,format=I420,width=32,height=32,framerate=10/1");
  const auto out = c.look_at(picture(2, 32 * 32 * 3 / 2));
  EXPECT_NE(get_tokens(out.get()), nullptr);
  const CapsPtr caps(gst_pad_get_current_caps(c.harness()->sinkpad));
  gint width = 0;
  gst_structure_get_int(gst_caps_get_structure(caps.get(), 0), "width", &width);
  EXPECT_EQ(width, 32);
}

// If this fails, what changed in a picture of the new size is put among what is left of the old one's.
TEST(TokenCompressor, AfterACapsChangeNothingOfTheOldPictureIsUsed) {
  Compressor c;
  const auto grid = c.grid();
  PatchMap one(static_cast<std::size_t>(grid.count()), 0);
  one[40] = 255;
  c.look_at(gated_picture(1, {}, grid));
  gst_harness_set_src_caps_str(c.harness(), "video/x-raw,format=RGB,width=32,height=32,framerate=10/1");
  auto smaller = gated_picture(9, one, grid);
  gst_buffer_set_size(smaller.get(), 32 * 32 * 3);
  const auto tokens = get_tokens(c.look_at(std::move(smaller)).get());
  EXPECT_EQ(encode_work(c), 2);
  EXPECT_EQ(tokens->values, get_tokens(Compressor().look_at(picture(9)).get())->values);  // grey as well
}

// If this fails, two cameras of different sizes that share the encoder see each other's pictures.
TEST(TokenCompressor, CamerasOfDifferentSizesShareOneEncoder) {
  struct Camera {
    const char *caps;
    int bytes;
  };
  const auto watch = [](const Camera &camera) {
    Compressor c("", false, camera.caps);
    std::vector<float> seen;
    PatchMap one(static_cast<std::size_t>(c.grid().count()), 0);
    for (int i = 1; i <= 12; ++i) {
      std::fill(one.begin(), one.end(), 0);
      one[static_cast<std::size_t>(10 * i)] = 255;
      auto buffer = gated_picture(i, one, c.grid());
      gst_buffer_set_size(buffer.get(), camera.bytes);
      const auto tokens = get_tokens(c.look_at(std::move(buffer)).get());
      seen.insert(seen.end(), tokens->values.begin(), tokens->values.end());
    }
    return seen;
  };
  constexpr Camera kCameras[] = {{kCaps, kBytes},
                                 {"video/x-raw,format=GRAY8,width=32,height=24,framerate=10/1", 32 * 24}};
  std::vector<std::vector<float>> together(2);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 2; ++i) threads.emplace_back([&, i] { together[i] = watch(kCameras[i]); });
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(together[i], watch(kCameras[i])) << kCameras[i].caps;
}

// If this fails, a thumbnail stream stops the pipeline.
TEST(TokenCompressor, TakesAPictureSmallerThanAPatch) {
  Compressor c("", false, "video/x-raw,format=RGB,width=4,height=4,framerate=0/1");
  EXPECT_NE(get_tokens(c.look_at(picture(1, 4 * 4 * 3)).get()), nullptr);
}

// If this fails, one damaged picture ends the stream, or is lost without a word.
TEST(TokenCompressor, APictureThatCannotBeEncodedPassesWithAWarning) {
  Compressor c;
  const auto grid = c.grid();
  auto damaged = gated_picture(1, {}, grid);
  gst_buffer_set_size(damaged.get(), 10);
  EXPECT_EQ(get_tokens(c.look_at(std::move(damaged)).get()), nullptr);
  const MessagePtr warning(gst_bus_timed_pop_filtered(c.bus(), GST_CLOCK_TIME_NONE, GST_MESSAGE_WARNING));
  EXPECT_NE(text_of(warning.get()).find("10 bytes"), std::string::npos) << text_of(warning.get());
  const auto dropped = parse_dropped(c.upstream_event().get());
  ASSERT_TRUE(dropped.has_value());
  EXPECT_EQ(dropped->frame, 1U);
  EXPECT_EQ(c.statistic("failed"), 1U);
  EXPECT_NE(get_tokens(c.look_at(picture(2)).get()), nullptr);
}

// If this fails, a seek hangs, or pictures from before it come out after it.
TEST(TokenCompressor, AFlushDropsWhatWaitsAndTheStreamGoesOn) {
  Compressor c;
  for (int i = 0; i < 2; ++i) c.push(picture(i));
  gst_harness_push_event(c.harness(), gst_event_new_flush_start());
  gst_harness_push_event(c.harness(), gst_event_new_flush_stop(TRUE));
  while (BufferPtr(gst_harness_try_pull(c.harness()))) {
  }
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(c.harness(), gst_event_new_segment(&segment));
  const auto out = c.look_at(picture(7));
  EXPECT_EQ(GST_BUFFER_PTS(out.get()), 700 * GST_MSECOND);
  EXPECT_NE(get_tokens(out.get()), nullptr);
}

// If this fails, stopping during an encode hangs: each round stops the element at another moment of its work.
TEST(TokenCompressor, StopsAtAnyMomentOfAnEncode) {
  for (int round = 0; round < 12; ++round) {
    Compressor c("leaky=none");
    std::thread pusher([&] {
      for (int i = 0; i < 4; ++i) {
        if (c.push(picture(i)) != GST_FLOW_OK) return;
      }
    });
    for (int i = 0; i < round * 1000; ++i) std::this_thread::yield();
    gst_element_set_state(c.element(), GST_STATE_NULL);
    pusher.join();
  }
}

// If this fails, the message at 2 a.m. does not say which file, or the process aborts in a library.
TEST(TokenCompressor, AMissingOrForeignModelIsASentenceThatNamesTheFile) {
  const std::string foreign = testing::TempDir() + "tokencompressor-foreign.gguf";
  std::ofstream(foreign) << "this is no model";
  const struct {
    std::string text, mmproj, named;
  } cases[] = {
      {"/nowhere/text.gguf", projector(), "/nowhere/text.gguf"},
      {text_model(), "/nowhere/mmproj.gguf", "/nowhere/mmproj.gguf"},
      {foreign, projector(), foreign},
      {text_model(), foreign, foreign},
      {text_model(), text_model(), text_model()},
      {"", projector(), "model="},
      {text_model(), "", "mmproj="},
  };
  for (const auto &[text, mmproj, named] : cases) {
    const auto element = make_element(text, mmproj);
    const BusPtr bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE) << named;
    const MessagePtr error(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
    ASSERT_NE(error, nullptr) << named;
    EXPECT_NE(text_of(error.get()).find(named), std::string::npos) << text_of(error.get());
    gst_element_set_bus(element.get(), nullptr);
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
}

// If this fails, an application that stops and starts its pipeline leaks, hangs or runs out of threads.
TEST(TokenCompressor, GoesToPlayingAndBackTwentyTimes) {
  const auto line =
      "videotestsrc num-buffers=3 ! video/x-raw,width=64,height=48 ! tokencompressor method=merge "
      "keep=0.5 model=" +
      text_model() + " mmproj=" + projector() + " ! fakesink";
  const ElementPtr pipeline(GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(line.c_str(), nullptr))));
  for (int i = 0; i < 20; ++i) {
    ASSERT_NE(gst_element_set_state(pipeline.get(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    ASSERT_EQ(gst_element_get_state(pipeline.get(), nullptr, nullptr, GST_CLOCK_TIME_NONE),
              GST_STATE_CHANGE_SUCCESS);
    ASSERT_EQ(gst_element_set_state(pipeline.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  }
}

}  // namespace
}  // namespace saccade::gst
