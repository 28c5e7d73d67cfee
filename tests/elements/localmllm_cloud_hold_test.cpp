// localmllm with draft-hold: drafts that the cloud is asked about are not shown before it had its time.
#include <gtest/gtest.h>

#include <string>

#include "localmllm_cloud.h"

namespace saccade::gst {
namespace {

// Where a GAP ends, in stream time.
GstClockTime end_of(GstEvent *gap) {
  GstClockTime start = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(gap, &start, &duration);
  return start + duration;
}

const std::string kAnHour = "route-policy=cloud,draft-hold=3600000000000";
const std::string kAnHourWithoutDrain = kAnHour + ",drain-timeout=1000000";

// Breaks when a draft is shown although the cloud answers in time, or is then corrected that nobody saw.
TEST(LocalMllmHold, TheCloudsAnswerTakesThePlaceOfTheDraft) {
  Mind mind(kAnHour);
  Cloud cloud(mind, {.draft = [](Cloud &self, std::uint64_t id) { self.say(id, saying("dusk")); }});
  mind.push(picture(1));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(text_of(texts[0].get()), "dusk");
  EXPECT_EQ(source_of(texts[0].get()), "cloud");
  EXPECT_EQ(number_of(texts[0].get(), "id"), cloud.seen().begin->id);
  EXPECT_FALSE(number_of(texts[0].get(), "supersedes"));
  EXPECT_EQ(mind.statistic("answers"), 1U);
}

// Breaks when what downstream waits for is held back with the draft: a textoverlay would stall.
TEST(LocalMllmHold, ThePictureIsPassedMeanwhile) {
  const auto gaps = [](const std::string &settings) {
    Mind mind(settings);
    Cloud cloud(mind, {.draft = [](Cloud &self, std::uint64_t id) { self.say(id, saying("dusk")); }});
    mind.push(picture(1));
    mind.finish();
    return mind.gaps();
  };
  EXPECT_EQ(gaps(kAnHour), gaps("route-policy=cloud") + 1);
}

// Breaks when a draft waits for a cloud that has said that it will not answer.
TEST(LocalMllmHold, EndsWhenTheCloudFails) {
  Mind mind(kAnHour);
  CloudAnswer refused;
  refused.ok = false;
  refused.reason = "connection refused";
  Cloud cloud(mind, {.draft = [refused](Cloud &self, std::uint64_t id) { self.say(id, refused); }});
  mind.push(picture(1));
  const auto text = mind.pull();
  EXPECT_EQ(source_of(text.get()), "edge");
  EXPECT_TRUE(mind.finish().empty());
}

// Breaks when a draft that waited long enough needs another picture, or the end, to be shown.
TEST(LocalMllmHold, EndsByItselfAndIsCorrectedLater) {
  Mind mind("route-policy=cloud,draft-hold=300000000");
  Cloud cloud(mind, Cloud::Script{});
  mind.push(picture(1));
  const auto draft = mind.pull();
  EXPECT_EQ(source_of(draft.get()), "edge-draft");
  cloud.say(cloud.seen().begin->id, saying("dusk"));
  const auto answer = mind.pull();
  EXPECT_EQ(text_of(answer.get()), "dusk");
  EXPECT_EQ(number_of(answer.get(), "supersedes"), number_of(draft.get(), "id"));
}

// Breaks when an older draft comes out after a newer one, or never.
TEST(LocalMllmHold, EndsWhenTheQuestionIsAnsweredAnew) {
  Mind mind(kAnHourWithoutDrain);
  Cloud cloud(mind, Cloud::Script{});
  mind.push(picture(1));
  mind.push(picture(2));
  const auto first = mind.pull();
  const auto rest = mind.finish();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_LT(number_of(first.get(), "id"), number_of(rest[0].get(), "id"));
}

// Breaks when the end of the stream waits for the hold, or loses what it held.
TEST(LocalMllmHold, EndsWithTheStream) {
  Mind mind(kAnHourWithoutDrain);
  Cloud cloud(mind, Cloud::Script{});
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
}

// Breaks when a flush loses the answer, or shows it among those of the time after it.
TEST(LocalMllmHold, AFlushTellsTheAnswerAndShowsNothing) {
  Mind mind(kAnHourWithoutDrain);
  Cloud cloud(mind, Cloud::Script{});
  mind.push(picture(1));
  EventPtr gap;  // the picture is passed: the draft is made
  do {
    gap.reset(gst_harness_pull_event(mind.harness()));
    ASSERT_TRUE(gap);
  } while (GST_EVENT_TYPE(gap.get()) != GST_EVENT_GAP || end_of(gap.get()) == 0);
  gst_harness_push_event(mind.harness(), gst_event_new_flush_start());
  gst_harness_push_event(mind.harness(), gst_event_new_flush_stop(TRUE));
  const auto told = mind.message(GST_MESSAGE_ELEMENT);
  EXPECT_STREQ(gst_structure_get_string(gst_message_get_structure(told.get()), "source"), "edge-draft");
  EXPECT_EQ(gst_harness_buffers_in_queue(mind.harness()), 0U);
}

}  // namespace
}  // namespace saccade::gst
