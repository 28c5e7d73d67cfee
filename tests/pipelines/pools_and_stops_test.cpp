// What a user's camera and a user's patience need: buffers come back at once, and a stop is a stop.
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>

#include "pipelines/pipeline_testing.h"

namespace saccade::gst {
namespace {

constexpr int kBuffers = 4;  // of the pool, as many a camera has
constexpr int kPictures = 24;
constexpr int kSide = 64;
constexpr gsize kBytes = kSide * kSide * 3;

struct HarnessTeardown {
  void operator()(GstHarness *harness) const { gst_harness_teardown(harness); }
};
using HarnessPtr = std::unique_ptr<GstHarness, HarnessTeardown>;

// The pool of a v4l2-like source: it has kBuffers buffers and makes no more.
class CameraPool {
 public:
  CameraPool() : pool_(gst_buffer_pool_new()) {
    GstStructure *config = gst_buffer_pool_get_config(pool_.get());
    gst_buffer_pool_config_set_params(config, nullptr, kBytes, kBuffers, kBuffers);
    EXPECT_TRUE(gst_buffer_pool_set_config(pool_.get(), config));
    EXPECT_TRUE(gst_buffer_pool_set_active(pool_.get(), TRUE));
  }
  ~CameraPool() { gst_buffer_pool_set_active(pool_.get(), FALSE); }
  CameraPool(const CameraPool &) = delete;
  CameraPool &operator=(const CameraPool &) = delete;

  // Null when all are in use.
  BufferPtr acquire() {
    GstBufferPoolAcquireParams params{};
    params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    GstBuffer *buffer = nullptr;
    gst_buffer_pool_acquire_buffer(pool_.get(), &buffer, &params);
    return BufferPtr(buffer);
  }

  int free_buffers() {
    std::array<BufferPtr, kBuffers> taken;
    int free = 0;
    for (auto &buffer : taken) free += (buffer = acquire()) != nullptr;
    return free;
  }

 private:
  std::unique_ptr<GstBufferPool, ObjectUnref> pool_;
};

std::string model() { return "localmllm name=model prompt=\"Is there a car?\"" + model_files(); }

class Pool : public testing::TestWithParam<std::string> {};

// If it fails, a camera stops delivering while the model thinks: its buffers are still with us.
TEST_P(Pool, OfFourBuffersIsWholeAfterEveryPicture) {
  const HarnessPtr h(gst_harness_new_parse(GetParam().c_str()));
  gst_harness_set_live(h.get(), TRUE);
  gst_harness_set_src_caps_str(h.get(), "video/x-raw,format=RGB,width=64,height=64,framerate=10/1");
  const ElementPtr element(gst_harness_find_element(h.get(), "localmllm"));
  CameraPool pool;
  Dam busy(element.get());
  for (int i = 0; i < kPictures; ++i) {
    auto picture = pool.acquire();
    ASSERT_TRUE(picture) << "picture " << i;
    gst_buffer_memset(picture.get(), 0, static_cast<guint8>(10 * i), kBytes);
    GST_BUFFER_PTS(picture.get()) = static_cast<GstClockTime>(i) * 250 * GST_MSECOND;
    GST_BUFFER_DURATION(picture.get()) = 100 * GST_MSECOND;
    ASSERT_EQ(gst_harness_push(h.get(), picture.release()), GST_FLOW_OK);
    EXPECT_EQ(pool.free_buffers(), kBuffers) << "after picture " << i;
    if (i == 0) busy.wait_until_reached();  // the model works at the first one until the end
  }
}

INSTANTIATE_TEST_SUITE_P(Pipelines, Pool,
                         testing::Values(model(), "tokencompressor" + model_files() + "! " + model(),
                                         "framesampler ! masgate ! tokencompressor" + model_files() + "! " +
                                             model()));

std::string everything(const std::string &source) {
  return source + " ! framesampler max-rate=0 ! masgate ! tokencompressor" + model_files() + "! " + model() +
         " ! fakesink name=end async=false  model.offload ! cloudoffloadsink endpoint=http://127.0.0.1:9";
}

// If it fails, a camera application cannot be paused and taken up again all day.
TEST(Stops, TwentyTimesUpAndDown) {
  Pipeline p(
      everything("videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(p.reach(GST_STATE_PLAYING)) << "time " << i;
    if (i % 4 == 0) {
      Counter answers(p, "end");
      while (answers.count() == 0) g_usleep(1000);
    }
    ASSERT_TRUE(p.reach(GST_STATE_NULL)) << "time " << i;
  }
}

// If it fails, Ctrl-C at an unlucky moment of an encode or an answer hangs or crashes.
TEST(Stops, AtAnyMomentComeBack) {
  std::mt19937 random(1);  // the same moments, as far as a machine repeats them
  Pipeline live(
      everything("videotestsrc is-live=true pattern=snow ! video/x-raw,width=160,height=120,framerate=30/1"));
  Pipeline file(everything("videotestsrc pattern=snow ! video/x-raw,width=160,height=120,framerate=30/1"));
  for (int i = 0; i < 30; ++i) {
    auto &p = i % 2 ? live : file;
    p.set(GST_STATE_PLAYING);
    g_usleep(std::uniform_int_distribution<gulong>(0, 60'000)(random));
    ASSERT_TRUE(p.reach(i % 3 ? GST_STATE_NULL : GST_STATE_READY)) << "time " << i;
  }
}

}  // namespace
}  // namespace saccade::gst
