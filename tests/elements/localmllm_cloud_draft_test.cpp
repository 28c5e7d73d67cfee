// localmllm and the cloud behind its offload pad: uploads that begin before the draft, answers that grow or
// never come.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "localmllm_cloud.h"

namespace saccade::gst {
namespace {

// Large enough that its upload takes longer than what it would cost in vain.
constexpr const char *kLargeCaps = "video/x-raw,format=RGB,width=640,height=480,framerate=10/1";
constexpr int kLargeBytes = 640 * 480 * 3;

// By cost, with so much weight on being wrong that no machine's speed sways the decision. Before anything was
// answered a draft is believed poor as often as good: it is made first, and uploaded for meanwhile.
constexpr const char *kByCost =
    "prompt=\"describe the scene.\",route-policy=msao,error-weight=1000,cloud-error=";
// A cloud that is wrong this often is asked about the poorest drafts only; one that hardly ever is, about all
// that are not quite sure.
const std::string kDraftsAreGood = std::string(kByCost) + "0.9";
const std::string kDraftsArePoor = std::string(kByCost) + "0.002";

std::vector<std::string> strings_of(const std::vector<BufferPtr> &buffers) {
  std::vector<std::string> texts;
  for (const auto &buffer : buffers) texts.push_back(text_of(buffer.get()));
  return texts;
}

// Breaks when an upload that turned out needless is not called off, or its answer is waited for.
TEST(LocalMllmUpload, IsCancelledWhenTheDraftIsGood) {
  Mind mind(kDraftsAreGood, false, nullptr);
  Cloud cloud(mind, Cloud::Script{});
  mind.begin(kLargeCaps);
  mind.push(picture(1, kLargeBytes));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(source_of(texts[0].get()), "edge");
  const auto seen = cloud.seen();
  ASSERT_TRUE(seen.begin);
  EXPECT_TRUE(seen.begin->draft_follows);
  EXPECT_EQ(seen.pictures, 1U);
  EXPECT_FALSE(seen.draft);
  ASSERT_TRUE(seen.cancel);
  EXPECT_EQ(seen.cancel->id, seen.begin->id);
  EXPECT_EQ(seen.cancel->owner, "mind");
  EXPECT_EQ(number_of(texts[0].get(), "id"), seen.begin->id);
  EXPECT_EQ(mind.statistic("offloaded"), 0U);
}

// Breaks when the cloud waits for a draft that never comes, or gets the picture twice.
TEST(LocalMllmUpload, IsFollowedByAPoorDraft) {
  Mind mind(kDraftsArePoor, false, nullptr);
  Cloud cloud(mind, {.draft = [](Cloud &self, std::uint64_t id) {
                EXPECT_EQ(self.seen().pictures, 1U);
                self.say(id, saying("dusk"));
              }});
  mind.begin(kLargeCaps);
  mind.push(picture(1, kLargeBytes));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  const auto seen = cloud.seen();
  ASSERT_TRUE(seen.begin && seen.draft);
  EXPECT_TRUE(seen.begin->draft_follows);
  EXPECT_EQ(seen.draft->id, seen.begin->id);
  EXPECT_EQ(seen.draft->text, text_of(texts[0].get()));
  EXPECT_FALSE(seen.cancel);
  EXPECT_EQ(seen.pictures, 1U);
  EXPECT_EQ(source_of(texts[0].get()), "edge-draft");
  EXPECT_EQ(text_of(texts[1].get()), "dusk");
  EXPECT_EQ(number_of(texts[1].get(), "supersedes"), seen.begin->id);
  EXPECT_EQ(mind.statistic("corrected"), 1U);
}

// Breaks when a cloud that does not wait for the draft corrects what is not said yet, or what needs no
// correction.
TEST(LocalMllmUpload, AnAnswerBeforeTheDraftWaitsForIt) {
  for (const bool poor : {true, false}) {
    Mind mind(poor ? kDraftsArePoor : kDraftsAreGood, false, nullptr);
    const Cloud cloud(mind, saying("dusk"));
    mind.begin(kLargeCaps);
    mind.push(picture(1, kLargeBytes));
    const auto texts = mind.finish();
    ASSERT_EQ(texts.size(), poor ? 2U : 1U);
    EXPECT_NE(text_of(texts[0].get()), "dusk");
    EXPECT_EQ(mind.statistic("corrected"), poor ? 1U : 0U);
    if (poor) {
      EXPECT_EQ(text_of(texts[1].get()), "dusk");
    }
  }
}

// How many pictures leave when the sink says this of the link.
std::uint64_t pictures_sent_when(const std::vector<bool> &ups) {
  Mind mind(kDraftsAreGood, false, nullptr);
  Cloud cloud(mind, Cloud::Script{});
  mind.begin(kLargeCaps);
  for (const bool up : ups) {
    LinkState state;
    state.up = up;
    cloud.tell(state);
  }
  mind.push(picture(1, kLargeBytes));
  EXPECT_EQ(mind.finish().size(), 1U);
  return cloud.seen().pictures;
}

// Breaks when a link that is said to be down is uploaded over, or one that came back is not.
TEST(LocalMllmUpload, FollowsWhatTheSinkSaysOfTheLink) {
  EXPECT_EQ(pictures_sent_when({false}), 0U);
  EXPECT_EQ(pictures_sent_when({false, true}), 1U);
}

// Waits for a message that localmllm said something from there.
void wait_for_word_from(Mind &mind, const std::string &source) {
  std::string from;
  while (from != source) {
    const auto message = mind.message(GST_MESSAGE_ELEMENT);
    const auto *said = gst_structure_get_string(gst_message_get_structure(message.get()), "source");
    from = said ? said : "";
  }
}

// What comes out of a cloud whose answer grows, when growing text is asked for or not.
std::vector<std::string> texts_of_growing_answer(bool asked_for) {
  Mind mind(asked_for ? "route-policy=cloud,partial=true" : "route-policy=cloud,partial=false", false,
            nullptr);
  Cloud cloud(mind, {.picture = [](Cloud &self, std::uint64_t id) { self.say(id, so_far("du")); }});
  mind.begin();
  mind.push(picture(1));
  // What has grown further before anybody took it is told of once: so the first word is waited for.
  wait_for_word_from(mind, asked_for ? "cloud" : "edge-draft");
  cloud.say(cloud.seen().begin->id, so_far("dus"));
  cloud.say(cloud.seen().begin->id, saying("dusk"));
  const auto texts = strings_of(mind.finish());
  EXPECT_EQ(mind.statistic("corrected"), 1U);
  return texts;
}

std::ptrdiff_t times(const std::vector<std::string> &texts, const char *text) {
  return std::count(texts.begin(), texts.end(), text);
}

// Breaks when text that may still be taken back is shown to who did not ask for it, or kept from who did.
TEST(LocalMllmPartial, TheCloudsGrowingTextComesOutOnlyWhenAskedFor) {
  const auto whole = texts_of_growing_answer(false);
  EXPECT_EQ(whole.size(), 2U);
  EXPECT_EQ(whole.back(), "dusk");
  const auto growing = texts_of_growing_answer(true);
  EXPECT_EQ(times(growing, "du"), 1);
  EXPECT_EQ(times(growing, "dusk"), 1);
  EXPECT_EQ(growing.back(), "dusk");
}

// Breaks when an application that takes the cloud away in the middle of a question loses the draft as well.
TEST(LocalMllmOffloadPad, MayGoBetweenTheQuestionAndTheDraft) {
  Mind mind("route-policy=cloud", false, nullptr);
  std::atomic<bool> asked = false;
  std::atomic<bool> gone = false;
  Cloud cloud(mind, {.picture = [&](Cloud &, std::uint64_t) {
                asked = true;
                asked.notify_all();
                gone.wait(false);
              }});
  mind.begin();
  mind.push(picture(1));
  asked.wait(false);
  cloud.leave();
  gone = true;
  gone.notify_all();
  mind.push(picture(2));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  for (const auto &text : texts) EXPECT_EQ(source_of(text.get()), "edge");
  EXPECT_FALSE(cloud.seen().draft);
  EXPECT_EQ(mind.statistic("offloaded"), 0U);
}

// Breaks when a cloud that never answers makes localmllm grow, or who was forgotten is corrected all the
// same.
TEST(LocalMllmOffload, OfManyUnansweredTheOldestAreForgotten) {
  constexpr int kMany = 300;
  Mind mind("route-policy=cloud,max-tokens=1,drain-timeout=1000000", false, nullptr);
  Cloud cloud(mind, Cloud::Script{});
  mind.begin();
  std::uint64_t first = 0;
  for (int i = 1; i <= kMany; ++i) {
    mind.push(picture(i));
    mind.pull();
    if (i == 1) first = cloud.seen().begin->id;
  }
  const auto last = cloud.seen().begin->id;
  cloud.say(first, saying("too late"));
  cloud.say(last, saying("dusk"));
  EXPECT_EQ(text_of(mind.pull().get()), "dusk");
  EXPECT_TRUE(mind.finish().empty());
  EXPECT_EQ(mind.statistic("offloaded"), static_cast<guint64>(kMany));
  EXPECT_EQ(mind.statistic("corrected"), 1U);
  EXPECT_NE(saccade::gst::text_of(mind.message(GST_MESSAGE_WARNING).get())
                .find("255 cloud answer(s) did not come within drain-timeout"),
            std::string::npos);
}

double milliseconds_of(GstBuffer *buffer, const char *name) {
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAnswerMetaName);
  double value = -1;
  EXPECT_TRUE(meta && gst_structure_get_double(gst_custom_meta_get_structure(meta), name, &value));
  return value;
}

// Breaks when the time between the question and the draft is counted twice, or not at all.
TEST(LocalMllmUpload, AnAnswerIsAsOldAsItsPicture) {
  Mind mind("route-policy=cloud", false, nullptr);
  Cloud cloud(mind, saying("dusk"));
  mind.begin();
  const auto start = Clock::now();
  mind.push(picture(1));
  const auto texts = mind.finish();
  ASSERT_EQ(texts.size(), 2U);
  const double age = milliseconds_of(texts[1].get(), "capture-to-answer-ms");
  EXPECT_GE(age, milliseconds_of(texts[0].get(), "capture-to-answer-ms"));
  EXPECT_LE(age, to_milliseconds(Clock::now() - start));
}

// Breaks when a cloud that was sooner than the draft, and says the same, counts as one that corrected it.
TEST(LocalMllmUpload, ACloudThatWasSoonerMayConfirmTheDraft) {
  std::string draft;
  for (const bool same : {false, true}) {
    Mind mind("route-policy=cloud", false, nullptr);
    Cloud cloud(mind, saying(same ? draft.c_str() : "dusk"));
    mind.begin();
    mind.push(picture(1));
    const auto texts = mind.finish();
    ASSERT_EQ(texts.size(), 2U);
    draft = text_of(texts[0].get());
    EXPECT_EQ(source_of(texts[1].get()), same ? "cloud-verified" : "cloud");
  }
}

// Breaks when the end of a stream waits for a cloud that was taken away.
TEST(LocalMllmOffloadPad, MayGoWhileItsAnswersAreWaitedFor) {
  Mind mind("route-policy=cloud,drain-timeout=90000000000", false, nullptr);
  Cloud cloud(mind, {.draft = {}});
  mind.begin();
  mind.push(picture(1));
  mind.pull();
  mind.end();
  cloud.leave();
  EventPtr event;
  do event.reset(gst_harness_pull_event(mind.harness()));
  while (event && GST_EVENT_TYPE(event.get()) != GST_EVENT_EOS);
  EXPECT_TRUE(event) << "the end of the stream did not come";
}

// Breaks when what is known of a link that was down keeps a new run from ever asking again.
TEST(LocalMllmOffload, ANewRunAsksALinkThatWasDown) {
  Mind mind("route-policy=cloud", false, nullptr);
  Cloud cloud(mind, saying("dusk"));
  LinkState down;
  down.up = false;
  cloud.tell(down);
  mind.begin();
  mind.push(picture(1));
  EXPECT_EQ(source_of(mind.pull().get()), "edge");
  gst_element_set_state(mind.element(), GST_STATE_READY);
  gst_element_set_state(mind.element(), GST_STATE_PLAYING);
  mind.begin();
  mind.push(picture(1));
  EXPECT_EQ(source_of(mind.pull().get()), "edge-draft");
}

// Breaks when a sink that says its last word twice has the worker read behind the list's end.
TEST(LocalMllmUpload, ASecondLastWordIsIgnored) {
  Mind mind("route-policy=cloud", false, nullptr);
  Cloud cloud(mind, {.picture = [](Cloud &self, std::uint64_t id) {
                self.say(id, saying("dusk"));
                self.say(id, saying("dawn"));
              }});
  mind.begin();
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 2U);
  EXPECT_EQ(mind.statistic("corrected"), 1U);
}

}  // namespace
}  // namespace saccade::gst
