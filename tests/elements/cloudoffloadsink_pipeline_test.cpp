// cloudoffloadsink in whole pipelines: preroll, states, and the end of the stream.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>

#include "cloudoffloadsink_testing.h"
#include "element_testing.h"
#include "faults/fault_server.h"

namespace saccade::gst {
namespace {

using faults::Behaviour;
using faults::completion;
using faults::FaultServer;

class Pipeline {
 public:
  explicit Pipeline(const std::string &line)
      : pipeline_(GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(line.c_str(), nullptr)))),
        bus_(gst_element_get_bus(pipeline_.get())) {}
  ~Pipeline() { set(GST_STATE_NULL); }
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  GstStateChangeReturn set(GstState state) { return gst_element_set_state(pipeline_.get(), state); }
  GstStateChangeReturn settle(GstClockTime patience) {
    return gst_element_get_state(pipeline_.get(), nullptr, nullptr, patience);
  }
  ElementPtr child(const char *name) {
    return ElementPtr(gst_bin_get_by_name(GST_BIN(pipeline_.get()), name));
  }
  // The answers on the bus before the end of the stream.
  int answers_before_eos() {
    int answers = 0;
    while (true) {
      const MessagePtr message(gst_bus_timed_pop_filtered(
          bus_.get(), GST_CLOCK_TIME_NONE,
          static_cast<GstMessageType>(GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS) return answers;
      if (GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) return -1;
      answers += gst_message_has_name(message.get(), "cloud-answer");
    }
  }

 private:
  ElementPtr pipeline_;
  BusPtr bus_;
};

// Breaks when a branch without data keeps the whole pipeline from playing.
TEST(CloudOffloadSinkPipeline, ReachesPlayingWithoutASingleFrame) {
  Pipeline pipeline(
      "videotestsrc num-buffers=1 ! tee name=t ! queue ! fakesink  t. ! queue ! fakesink  "
      "appsrc caps=image/jpeg ! cloudoffloadsink endpoint=" +
      faults::refused_url());
  pipeline.set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.settle(60 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
}

// Breaks when the element holds a frame until PLAYING: whoever feeds it from the thread that feeds another
// sink, as localmllm does, would never preroll that one.
TEST(CloudOffloadSinkPipeline, TakesFramesInPausedSoThatTheSameThreadCanPrerollAnotherSink) {
  const FaultServer server({Behaviour::hang()});
  Pipeline pipeline("videotestsrc num-buffers=2 ! tee name=t ! cloudoffloadsink " + endpoint(server) +
                    " t. ! fakesink");
  pipeline.set(GST_STATE_PAUSED);
  EXPECT_EQ(pipeline.settle(60 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
  server.wait_for_requests(1);
}

// Breaks when a tee branch into the cloud blocks the first picture on the screen.
TEST(CloudOffloadSinkPipeline, PrerollsBesideAVideoSink) {
  const FaultServer server({Behaviour::hang()});
  Pipeline pipeline(
      "videotestsrc num-buffers=1 ! tee name=t ! queue ! fakesink  t. ! queue ! cloudoffloadsink " +
      endpoint(server));
  pipeline.set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.settle(60 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
}

// Breaks when a file run loses a frame's answer to a slow server, or ends before the last one is there.
TEST(CloudOffloadSinkPipeline, NotLiveEveryFrameIsAnsweredBeforeTheEnd) {
  const FaultServer server({Behaviour::reply(200, completion("x"))});
  Pipeline pipeline(
      "videotestsrc num-buffers=25 ! video/x-raw,width=16,height=16 ! cloudoffloadsink name=sink "
      "drain-timeout=3600 max-in-flight=1 " +
      endpoint(server));
  pipeline.set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.answers_before_eos(), 25);
  EXPECT_EQ(server.request_count(), 25U);
  EXPECT_EQ(statistic(pipeline.child("sink").get(), "skipped"), 0U);
}

// Breaks when a live pipeline waits for the server: the frames that find it busy must be passed over, and
// counted.
TEST(CloudOffloadSinkPipeline, LiveBusyFramesAreSkippedAndCounted) {
  const FaultServer server({Behaviour::hang()});
  Pipeline pipeline(
      "videotestsrc is-live=true num-buffers=10 ! video/x-raw,width=16,height=16,framerate=100/1 ! "
      "cloudoffloadsink name=sink drain-timeout=0 max-in-flight=1 timeout=3600 " +
      endpoint(server));
  pipeline.set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.answers_before_eos(), 0);
  EXPECT_EQ(statistic(pipeline.child("sink").get(), "segments"), 1U);
  EXPECT_EQ(statistic(pipeline.child("sink").get(), "skipped"), 9U);
}

// Breaks when a frame that waits for room keeps the pipeline from pausing, playing on or stopping.
TEST(CloudOffloadSinkPipeline, PauseAndStopWhileAFrameWaitsForRoom) {
  const FaultServer server({Behaviour::hang()});
  Pipeline pipeline(
      "videotestsrc ! video/x-raw,width=16,height=16 ! cloudoffloadsink max-in-flight=1 timeout=3600 " +
      endpoint(server));
  for (int i = 0; i < 5; ++i) {
    pipeline.set(GST_STATE_PLAYING);
    server.wait_for_requests(1);
    EXPECT_EQ(pipeline.set(GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  }
  pipeline.set(GST_STATE_PLAYING);
  EXPECT_EQ(pipeline.set(GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

// Breaks when something is left behind by a run and hurts the next.
TEST(CloudOffloadSinkPipeline, TwentyTimesUpAndDown) {
  const FaultServer server({Behaviour::hang(), Behaviour::reply(200, completion("x")), Behaviour::reset(),
                            Behaviour::hang_mid_body("{"), Behaviour::reply(200, completion("y"))});
  Pipeline pipeline("videotestsrc is-live=true ! video/x-raw,width=16,height=16 ! cloudoffloadsink " +
                    endpoint(server));
  for (std::size_t i = 0; i < 20; ++i) {
    pipeline.set(GST_STATE_PLAYING);
    if (i % 2 == 0) server.wait_for_requests(server.request_count() + 1);
    EXPECT_EQ(pipeline.set(GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  }
}

}  // namespace
}  // namespace saccade::gst
