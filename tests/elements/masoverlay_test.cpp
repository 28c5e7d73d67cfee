// masoverlay, fed by hand through GstHarness.
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/metas.h"
#include "element_testing.h"

namespace saccade::gst {
namespace {

constexpr int kWidth = 320;
constexpr int kHeight = 180;
constexpr guint8 kGrey = 100;

std::string caps(const char *format, int width, int height) {
  return "video/x-raw,framerate=2/1,format=" + std::string(format) + ",width=" + std::to_string(width) +
         ",height=" + std::to_string(height);
}

Harness overlay(const char *launch) {
  Harness harness(gst_harness_new_parse(launch));
  gst_harness_set_src_caps_str(harness.get(), caps("RGB", kWidth, kHeight).c_str());
  return harness;
}

BufferPtr grey_picture() {
  const gsize size = kWidth * kHeight * 3;
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, size, nullptr));
  gst_buffer_memset(buffer.get(), 0, kGrey, size);
  GST_BUFFER_PTS(buffer.get()) = 0;
  return buffer;
}

// Two rows and two columns; the lower right patch changed and is to be refreshed.
MasReport report_of_one_change() {
  MasReport report;
  report.frame = 1;
  report.grid = {2, 2};
  report.activity = report.keep = {0, 0, 0, 0};
  report.change = report.refresh = {0, 0, 0, 255};
  report.reason = "1 of 4 patches changed";
  return report;
}

struct Drawn {
  std::vector<guint8> pixels;

  bool untouched(int x0, int y0, int x1, int y1) const {
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) {
        for (int c = 0; c < 3; ++c) {
          if (pixels[static_cast<std::size_t>((y * kWidth + x) * 3 + c)] != kGrey) return false;
        }
      }
    }
    return true;
  }
  bool untouched() const { return untouched(0, 0, kWidth, kHeight); }
};

Drawn push(GstHarness *harness, BufferPtr buffer) {
  const BufferPtr out(gst_harness_push_and_pull(harness, buffer.release()));
  Drawn drawn;
  GstMapInfo map;
  if (out && gst_buffer_map(out.get(), &map, GST_MAP_READ)) {
    drawn.pixels.assign(map.data, map.data + map.size);
    gst_buffer_unmap(out.get(), &map);
  }
  EXPECT_EQ(drawn.pixels.size(), static_cast<std::size_t>(kWidth * kHeight * 3));
  return drawn;
}

Drawn push(GstHarness *harness, const MasReport &report) {
  auto buffer = grey_picture();
  set_mas(buffer.get(), report);
  return push(harness, std::move(buffer));
}

// A pad that answers can be pushed on.
class Answers {
 public:
  explicit Answers(GstHarness *harness)
      : element_(gst_harness_find_element(harness, "masoverlay")),
        sink_(gst_element_request_pad_simple(element_.get(), "text")) {}
  ~Answers() {
    if (sink_) gst_element_release_request_pad(element_.get(), sink_.get());
  }

  GstFlowReturn say(const std::string &text) {
    if (!started_) {
      gst_pad_send_event(sink_.get(), gst_event_new_stream_start("answers"));
      const CapsPtr caps(gst_caps_from_string("text/x-raw, format=(string)utf8"));
      gst_pad_send_event(sink_.get(), gst_event_new_caps(caps.get()));
      GstSegment segment;
      gst_segment_init(&segment, GST_FORMAT_TIME);
      gst_pad_send_event(sink_.get(), gst_event_new_segment(&segment));
      started_ = true;
    }
    auto buffer = gst_buffer_new_allocate(nullptr, text.size(), nullptr);
    gst_buffer_fill(buffer, 0, text.data(), text.size());
    return gst_pad_chain(sink_.get(), buffer);
  }
  void restart_stream() { gst_pad_send_event(sink_.get(), gst_event_new_stream_start("others")); }

 private:
  ElementPtr element_;
  PadPtr sink_;
  bool started_ = false;
};

// If it fails, the heat map lies beside what changed, or dims what did not.
TEST(MasOverlay, DrawsWhereTheReportSaysAndNowhereElse) {
  auto h = overlay("masoverlay text=false");
  const auto drawn = push(h.get(), report_of_one_change());
  EXPECT_TRUE(drawn.untouched(0, 0, kWidth, kHeight / 2));
  EXPECT_TRUE(drawn.untouched(0, 0, kWidth / 2, kHeight));
  EXPECT_FALSE(drawn.untouched(kWidth / 2 + 30, kHeight / 2 + 20, kWidth - 30, kHeight - 20)) << "heat";
  auto report = report_of_one_change();
  report.change = {0, 0, 0, 0};
  const auto outline = push(h.get(), report);
  EXPECT_TRUE(outline.untouched(kWidth / 2 + 10, kHeight / 2 + 10, kWidth - 10, kHeight - 10));
  EXPECT_FALSE(outline.untouched(kWidth / 2, kHeight / 2, kWidth, kHeight))
      << "outline of the refreshed patch";
}

// If it fails, the properties do not do what they say.
TEST(MasOverlay, PropertiesChooseWhatIsDrawn) {
  auto report = report_of_one_change();
  report.activity = {255, 0, 0, 0};
  auto h = overlay("masoverlay heat-map=activity patches=false text=false");
  const auto activity = push(h.get(), report);
  EXPECT_FALSE(activity.untouched(0, 0, kWidth / 2, kHeight / 2));
  EXPECT_TRUE(activity.untouched(kWidth / 2, 0, kWidth, kHeight));
  auto nothing = overlay("masoverlay heat-map=none patches=false text=false");
  EXPECT_TRUE(push(nothing.get(), report).untouched());
}

// If it fails, a picture without a report, or with one that is torn, is spoiled.
TEST(MasOverlay, NothingIsDrawnOfWhatIsNotKnown) {
  auto h = overlay("masoverlay");
  EXPECT_TRUE(push(h.get(), grey_picture()).untouched());
  auto torn = report_of_one_change();
  torn.change = {255};
  torn.refresh = {255, 255, 255, 255, 255};
  auto silent = overlay("masoverlay text=false");
  EXPECT_TRUE(push(silent.get(), torn).untouched());
}

// If it fails, nobody sees why, or the text covers the picture.
TEST(MasOverlay, WritesTheReasonAboveAndTheAnswerBelow) {
  auto h = overlay("masoverlay heat-map=none patches=false");
  auto report = report_of_one_change();
  const auto reason = push(h.get(), report);
  EXPECT_FALSE(reason.untouched(0, 0, kWidth, 30));
  EXPECT_TRUE(reason.untouched(0, kHeight / 2, kWidth, kHeight));

  Answers answers(h.get());
  ASSERT_EQ(answers.say("The light is red."), GST_FLOW_OK);
  EXPECT_FALSE(push(h.get(), grey_picture()).untouched(0, kHeight - 20, kWidth, kHeight));
  answers.restart_stream();
  EXPECT_TRUE(push(h.get(), grey_picture()).untouched()) << "the answer of another stream stays";
}

// If it fails, an answer in another script, or a damaged one, takes the pipeline down.
TEST(MasOverlay, AnyTextCanBeShown) {
  auto h = overlay("masoverlay");
  Answers answers(h.get());
  for (const auto &text :
       {std::string("信号は赤です"), std::string("ضوء أحمر"), std::string("\xff\xfe broken \xc3"),
        std::string(10000, 'w'), std::string("\0zero", 5), std::string()}) {
    EXPECT_EQ(answers.say(text), GST_FLOW_OK);
    push(h.get(), report_of_one_change());
  }
}

// If it fails, an odd size or format that the caps promise crashes.
TEST(MasOverlay, TakesEverySizeAndFormatItPromises) {
  for (const char *format : {"I420", "NV12", "YUY2", "BGRx", "GRAY8", "AYUV"}) {
    for (const auto &[width, height] : {std::pair{1, 1}, {3, 5}, {17, 33}, {640, 360}}) {
      Harness h(gst_harness_new("masoverlay"));
      const auto wanted = caps(format, width, height);
      gst_harness_set_src_caps_str(h.get(), wanted.c_str());
      const CapsPtr parsed(gst_caps_from_string(wanted.c_str()));
      GstVideoInfo info;
      ASSERT_TRUE(gst_video_info_from_caps(&info, parsed.get()));
      auto buffer = gst_buffer_new_allocate(nullptr, info.size, nullptr);
      gst_buffer_memset(buffer, 0, kGrey, info.size);
      set_mas(buffer, report_of_one_change());
      EXPECT_EQ(gst_harness_push(h.get(), buffer), GST_FLOW_OK) << format << " " << width << "x" << height;
    }
  }
}

// If it fails, an answer stays on the screen when the model that gave it is gone.
TEST(MasOverlay, AnAnswerGoesWithItsPad) {
  auto h = overlay("masoverlay");
  {
    Answers answers(h.get());
    answers.say("red");
  }
  EXPECT_TRUE(push(h.get(), grey_picture()).untouched());
}

}  // namespace
}  // namespace saccade::gst
