// The rules of time and flow, in pipelines that a user would write.
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>

#include "pipelines/pipeline_testing.h"

namespace saccade::gst {
namespace {

constexpr int kFrames = 40;

std::string model(const std::string &settings) {
  return " localmllm name=model prompt=\"How many people are there?\"" + model_files() + settings + " ";
}

// A short clip on disk, for as long as the object lives.
class Clip {
 public:
  Clip()
      : folder_(g_dir_make_tmp("saccade-XXXXXX", nullptr)), path_(std::string(folder_.get()) + "/clip.avi") {
    Pipeline writer("videotestsrc num-buffers=" + std::to_string(kFrames) +
                    " pattern=ball ! video/x-raw,width=160,height=120,framerate=10/1 ! jpegenc ! avimux ! "
                    "filesink location=" +
                    path_);
    EXPECT_TRUE(writer.run());
  }
  ~Clip() {
    g_remove(path_.c_str());
    g_rmdir(folder_.get());
  }
  Clip(const Clip &) = delete;
  Clip &operator=(const Clip &) = delete;

  std::string source() const { return " filesrc location=" + path_ + " ! decodebin "; }

 private:
  TextPtr folder_;
  std::string path_;
};

GstClockTime least_latency(const Pipeline &pipeline) {
  GstQuery *query = gst_query_new_latency();
  GstClockTime least = GST_CLOCK_TIME_NONE;
  EXPECT_TRUE(gst_element_query(pipeline.element(), query));
  gst_query_parse_latency(query, nullptr, &least, nullptr);
  gst_query_unref(query);
  return least;
}

// If it fails, a preview or a text sink beside a slow model stays black until the first answer, or for ever.
TEST(FlowRules, AFileWithVideoTextAndOffloadPlaysBeforeItsFirstAnswer) {
  const Clip clip;
  Pipeline p(clip.source() +
             "! tee name=t  t. ! queue ! videoconvert ! fakesink name=video sync=true  t. ! queue !" +
             model("") +
             "! fakesink name=text  model.offload ! cloudoffloadsink endpoint=http://127.0.0.1:9");
  Dam first_answer(p.find("model").get());
  EXPECT_TRUE(p.reach(GST_STATE_PLAYING));
  first_answer.wait_until_reached();
  first_answer.release();
  EXPECT_TRUE(p.end());
  EXPECT_FALSE(p.answers.empty());
}

struct OverlayCase {
  const char *name;
  const char *source;
  const char *timestamp;
  const char *on_unchanged;
};

class Overlay : public testing::TestWithParam<OverlayCase> {};

// If it fails, an overlay that waits for text stalls the video, or pictures are lost beside it.
TEST_P(Overlay, ThatWaitsForTextShowsEveryPicture) {
  const auto &c = GetParam();
  const std::string source =
      std::string("videotestsrc pattern=ball num-buffers=") + std::to_string(kFrames) + c.source;
  Pipeline p(source + " ! video/x-raw,width=160,height=120,framerate=30/1 ! tee name=t" +
             "  t. ! queue ! textoverlay name=captions wait-text=true ! fakesink name=video" +
             "  t. ! queue ! framesampler !" +
             model(std::string("timestamp=") + c.timestamp + " on-unchanged=" + c.on_unchanged) +
             "! captions.text_sink");
  const Counter shown(p, "video");
  EXPECT_TRUE(p.run());
  EXPECT_EQ(shown.count(), kFrames);
  EXPECT_FALSE(p.answers.empty());
}

INSTANTIATE_TEST_SUITE_P(Modes, Overlay,
                         testing::Values(OverlayCase{"FileContent", "", "content", "gap"},
                                         OverlayCase{"FileContentRepeated", "", "content", "repeat"},
                                         OverlayCase{"FileArrival", "", "arrival", "gap"},
                                         OverlayCase{"LiveContent", " is-live=true", "content", "gap"},
                                         OverlayCase{"LiveArrival", " is-live=true", "arrival", "gap"},
                                         OverlayCase{"LiveArrivalRepeated", " is-live=true", "arrival",
                                                     "repeat"}),
                         [](const auto &tested) { return std::string(tested.param.name); });

GstClockTime preview_latency(const std::string &branch) {
  Pipeline p(
      "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=30/1 ! tee name=t"
      "  t. ! queue ! fakesink name=preview sync=true " +
      branch);
  EXPECT_TRUE(p.reach(GST_STATE_PLAYING));
  return least_latency(p);
}

// If it fails, a preview is shown later as soon as a model looks at the same camera.
TEST(FlowRules, AModelOnABranchLeavesThePreviewsLatency) {
  const auto alone = preview_latency("");
  EXPECT_EQ(preview_latency("t. ! queue !" + model("") + "! fakesink sync=true"), alone);
  EXPECT_EQ(preview_latency("t. ! queue ! framesampler ! masgate ! tokencompressor" + model_files() + "!" +
                            model("") + "! fakesink sync=true"),
            alone);
  // Only who asks for answers on time with their pictures pays for it, and says how much.
  EXPECT_EQ(preview_latency("t. ! queue !" + model("timestamp=content latency-budget=300000000") +
                            "! fakesink sync=true"),
            alone + 300 * GST_MSECOND);
}

// If it fails, gst-launch-1.0 ends before the questions are answered that were asked, and says nothing of
// them.
TEST(FlowRules, QuestionsThatWaitAtTheEndAreAnsweredBeforeIt) {
  Pipeline p("videotestsrc num-buffers=2 pattern=ball ! video/x-raw,width=160,height=120 !" + model("") +
             "! fakesink");
  const auto element = p.find("model");
  ASSERT_TRUE(element);
  g_signal_connect(
      element.get(), "answer", G_CALLBACK(+[](GstElement *asked, const GstStructure *answer, gpointer) {
        if (g_strcmp0(gst_structure_get_string(answer, "question"), "How many people are there?") != 0)
          return;
        for (const char *question : {"Is there a car?", "Is it day or night?"}) {
          guint64 id = 0;
          g_signal_emit_by_name(asked, "ask", question, &id);
          EXPECT_GT(id, 0U);
        }
      }),
      nullptr);
  EXPECT_TRUE(p.run());
  EXPECT_EQ(p.answers.size(), 6U);
}

}  // namespace
}  // namespace saccade::gst
