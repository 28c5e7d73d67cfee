// A slow model behind leaky queues: pictures are lost, changes are not.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "pipelines/pipeline_testing.h"

namespace saccade::gst {
namespace {

constexpr int kSide = 96;
constexpr GstClockTime kSpacing = 100 * GST_MSECOND;
constexpr guint8 kGrey = 100;
constexpr guint8 kWhite = 235;
constexpr int kWhileBusy = 30;  // pictures that come while the model has no time for any
constexpr auto kPatience = std::chrono::seconds(60);  // then it never comes; how long it takes is no verdict

// A camera that is fed by hand.
class Camera {
 public:
  explicit Camera(const Pipeline &pipeline) : source_(pipeline.find("camera")) {}

  // A grey wall, on which somebody has hung a white picture or not.
  void show(bool hung) {
    GstBuffer *buffer = gst_buffer_new_allocate(nullptr, kSide * kSide, nullptr);
    gst_buffer_memset(buffer, 0, kGrey, kSide * kSide);
    for (int y = 16; hung && y < 64; ++y)
      gst_buffer_memset(buffer, static_cast<gsize>(y * kSide + 16), kWhite, 48);
    GST_BUFFER_PTS(buffer) = now_;
    GST_BUFFER_DURATION(buffer) = kSpacing;
    now_ += kSpacing;
    ++shown_;
    GstFlowReturn flow = GST_FLOW_ERROR;
    g_signal_emit_by_name(source_.get(), "push-buffer", buffer, &flow);
    gst_buffer_unref(buffer);
    EXPECT_EQ(flow, GST_FLOW_OK);
  }

  GstClockTime now() const { return now_; }
  int shown() const { return shown_; }

  void wait_until_taken() const {
    guint64 waiting = 1;
    while (waiting) {
      g_object_get(source_.get(), "current-level-buffers", &waiting, nullptr);
      std::this_thread::yield();
    }
  }

  void end() {
    GstFlowReturn flow = GST_FLOW_ERROR;
    g_signal_emit_by_name(source_.get(), "end-of-stream", &flow);
  }

 private:
  ElementPtr source_;
  GstClockTime now_ = 0;
  int shown_ = 0;
};

struct LeakCase {
  const char *name;
  std::string behind_the_gate;
};

class Leak : public testing::TestWithParam<LeakCase> {};

// If it fails, something that happened while the model was busy, and stayed, is never seen.
TEST_P(Leak, LosesNoChangeThatStays) {
  Pipeline p(
      "appsrc name=camera is-live=true format=time "
      "caps=\"video/x-raw,format=GRAY8,width=96,height=96,framerate=10/1\" "
      "! masgate name=gate max-age=0 ! " +
      GetParam().behind_the_gate + " ! fakesink name=end async=false");
  const auto model = p.find("model");
  std::atomic<guint64> newest{0};  // start of the newest answer
  g_signal_connect(model.get(), "answer",
                   G_CALLBACK(+[](GstElement *, const GstStructure *answer, gpointer user) {
                     guint64 start = 0;
                     gst_structure_get_uint64(answer, "start", &start);
                     *static_cast<std::atomic<guint64> *>(user) = start;
                   }),
                   &newest);
  Camera camera(p);
  p.set(GST_STATE_PLAYING);

  GstClockTime hung_at = 0;
  {
    Dam busy(model.get());
    camera.show(false);
    busy.wait_until_reached();
    for (int i = 0; i < 3; ++i) camera.show(false);
    hung_at = camera.now();
    for (int i = 0; i < kWhileBusy; ++i) camera.show(true);
    camera.wait_until_taken();
    EXPECT_LT(newest, hung_at);
  }
  // A gate that has forgotten the change would show nothing more: max-age is off.
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (newest < hung_at && std::chrono::steady_clock::now() < until) {
    camera.show(true);
    camera.wait_until_taken();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // so that the model comes to work, too
  }
  EXPECT_GE(newest, hung_at) << "it was never answered";
  camera.end();
  EXPECT_TRUE(p.end());
}

std::string model(const std::string &settings) {
  return "localmllm name=model prompt=\"Is there a car?\"" + model_files() + settings;
}

const std::string kLeakyQueue = "queue leaky=downstream max-size-buffers=1 ! ";

INSTANTIATE_TEST_SUITE_P(
    Places, Leak,
    testing::Values(LeakCase{"InAQueue", kLeakyQueue + model("leaky=none max-queue=1")},
                    LeakCase{"InTheModel", model("leaky=downstream max-queue=1")},
                    LeakCase{"InAQueueBeforeTheCompressor", kLeakyQueue + "tokencompressor leaky=none" +
                                                                model_files() + "! " +
                                                                model("leaky=none max-queue=1")},
                    LeakCase{"InTheModelBehindTheCompressor", "tokencompressor" + model_files() + "! " +
                                                                  model("leaky=downstream max-queue=1")},
                    LeakCase{"OfTheNewestInTheModel", model("leaky=upstream max-queue=1")}),
    [](const auto &tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace saccade::gst
