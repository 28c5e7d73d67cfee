// localmllm: several standing questions, answers that have a form, grow, age or are unsure, and long lives.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "localmllm_testing.h"

namespace saccade::gst {
namespace {

std::string question_of(GstBuffer *buffer) {
  GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, kAnswerMetaName);
  return meta ? gst_structure_get_string(gst_custom_meta_get_structure(meta), "question") : "";
}

void set_text(Mind &mind, const char *name, const std::string &text) {
  g_object_set(mind.element(), name, text.c_str(), nullptr);
}

// A Mind whose text setting is there before it starts; nothing of it needs escaping then.
class LateMind {
 public:
  LateMind(const char *name, const std::string &text) : element_(make_element()), bus_(gst_bus_new()) {
    g_object_set(element_.get(), name, text.c_str(), nullptr);
    gst_element_set_bus(element_.get(), bus_.get());
  }
  ~LateMind() {
    gst_element_set_bus(element_.get(), nullptr);
    gst_element_set_state(element_.get(), GST_STATE_NULL);
  }
  LateMind(const LateMind &) = delete;
  LateMind &operator=(const LateMind &) = delete;

  // What it says when it starts; empty when it does.
  std::string complaint() {
    if (gst_element_set_state(element_.get(), GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE) return {};
    const MessagePtr message(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
    return message ? text_of(message.get()) : "no message";
  }

 private:
  ElementPtr element_;
  BusPtr bus_;
};

// Goes on until max-tokens.
constexpr const char *kLongWords = "root ::= [a-z ]+ \\\"9999\\\"";

// --- standing questions ---

// If this fails, a frame is answered for one question only, or a second question costs a second look at it.
TEST(LocalMllmSession, EveryStandingQuestionIsAnsweredAboutTheSameFrame) {
  Mind mind("more-prompts=<\"is there a crossing?\">");
  mind.push(picture(1));
  mind.push(picture(2, kBytes, 12));
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(question_of(answers[i].get()), i % 2 ? "is there a crossing?" : kQuestion);
    EXPECT_EQ(GST_BUFFER_PTS(answers[i].get()), i / 2 * kFrame);
  }
}

TEST(LocalMllmSession, AnIntervalIsKeptWhetherOrNotSomethingChanged) {
  Mind mind("answer-on=interval, answer-every=200000000");
  for (int i = 1; i <= 6; ++i) mind.push(gated(i, false));
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(GST_BUFFER_PTS(answers[2].get()), 4 * kFrame);
}

// If this fails, a draft that is set is not asked, or nobody can tell.
TEST(LocalMllmSession, ADraftGuessesAtTheFirstAnswer) {
  const std::string question = "prompt=(string)\"describe the scene.\"";
  Mind plain(question);
  Mind drafted(question + ", draft-model=(string)\"" + text_model() + "\"");
  for (auto *mind : {&plain, &drafted}) mind->push(picture(1));
  const auto expected = plain.finish();
  const auto found = drafted.finish();
  ASSERT_EQ(expected.size(), 1U);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(text_of(found[0].get()), text_of(expected[0].get()));
  EXPECT_EQ(plain.statistic("tokens-guessed"), 0U);
  EXPECT_GT(drafted.statistic("tokens-guessed"), 0U);
  int guessed = 0;
  const auto *answer =
      gst_custom_meta_get_structure(gst_buffer_get_custom_meta(found[0].get(), kAnswerMetaName));
  EXPECT_TRUE(gst_structure_get_int(answer, "tokens-guessed", &guessed));
  EXPECT_GT(guessed, 0);
}

// If this fails, whoever names a wrong draft learns of it from nothing getting faster.
TEST(LocalMllmSession, ADraftThatCannotBeUsedIsAnErrorWithItsReason) {
  const auto complaint = LateMind("draft-model", "/no/such/draft.gguf").complaint();
  EXPECT_NE(complaint.find("draft-model"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find("/no/such/draft.gguf"), std::string::npos) << complaint;
  EXPECT_NE(LateMind("draft-model", projector()).complaint().find("projector"), std::string::npos);
}

// --- the form of answers ---

// If this fails, a program that reads the answers cannot parse them.
TEST(LocalMllmSession, AnswersFollowAJsonSchema) {
  Mind mind(
      "json-schema=(string)\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{\\\"light\\\":{\\\"enum\\\":"
      "[\\\"day\\\",\\\"night\\\"]}},\\\"required\\\":[\\\"light\\\"]}\"");
  mind.push(picture(1));
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 1U);
  const auto text = text_of(answers[0].get());
  EXPECT_TRUE(text == R"({"light":"day"})" || text == R"({"light":"night"})" ||
              text == R"({"light": "day"})" || text == R"({"light": "night"})")
      << text;
}

// If this fails, whoever sets a wrong form learns of it when the first answer is nonsense, or never.
TEST(LocalMllmSession, AFormThatCannotBeFollowedIsAnErrorWithItsReason) {
  EXPECT_NE(LateMind("json-schema", R"({"type":"string","pattern":"[0-9]+"})").complaint().find("pattern"),
            std::string::npos);
  EXPECT_NE(LateMind("json-schema", R"({"enum":[]})").complaint().find("json-schema"), std::string::npos);
  EXPECT_NE(LateMind("json-schema", "/no/such/schema.json").complaint().find("/no/such/schema.json"),
            std::string::npos);
  EXPECT_NE(LateMind("grammar", "/no/such/answers.gbnf").complaint().find("/no/such/answers.gbnf"),
            std::string::npos);
  EXPECT_NE(LateMind("grammar", "root ::= missing").complaint().find("missing"), std::string::npos);
  EXPECT_EQ(LateMind("grammar", "root ::= \"yes\" | \"no\"").complaint(), "");
}

// --- answers that grow, and unsure ones ---

// If this fails, a user who asked for words as they come waits for the last of them.
TEST(LocalMllmSession, PartialAnswersComeBeforeTheWholeOne) {
  Mind mind("partial=true, prompt=(string)\"describe the scene.\"");
  mind.push(picture(1));
  std::vector<std::string> grown;
  guint64 id = 0;
  while (true) {
    const auto message = mind.message(GST_MESSAGE_ELEMENT);
    const GstStructure *answer = gst_message_get_structure(message.get());
    guint64 own_id = 0;
    gst_structure_get_uint64(answer, "id", &own_id);
    if (!grown.empty()) {
      EXPECT_EQ(own_id, id);
    }
    id = own_id;
    const std::string text = gst_structure_get_string(answer, "text");
    if (!gst_structure_has_field(answer, "partial")) {
      EXPECT_NE(grown.back().find(text), std::string::npos);
      break;
    }
    if (!grown.empty()) {
      EXPECT_TRUE(text.starts_with(grown.back())) << text;
    }
    grown.push_back(text);
  }
  ASSERT_FALSE(grown.empty());
  EXPECT_EQ(mind.statistic("answers"), 1U);
  EXPECT_EQ(mind.finish().size(), grown.size() + 1);
}

// If this fails, a guess is read out to a blind user as if it were known.
TEST(LocalMllmSession, AnUnsureAnswerSaysSoAndKeepsWhatWouldHaveBeenSaid) {
  Mind mind("unsure-text=(string)\"I am not sure\", confidence-threshold=1.0");
  mind.push(picture(1));
  const auto buffer = mind.pull();
  EXPECT_EQ(text_of(buffer.get()), "I am not sure");
  const auto *answer =
      gst_custom_meta_get_structure(gst_buffer_get_custom_meta(buffer.get(), kAnswerMetaName));
  const std::string would = gst_structure_get_string(answer, "unsure-of");
  EXPECT_TRUE(would == "day" || would == "night") << would;
  EXPECT_EQ(mind.statistic("unsure"), 1U);
}

// --- time ---

// If this fails, an answer goes on and on about a scene that is over, or nobody learns that it was given up.
TEST(LocalMllmSession, AnAnswerIsGivenUpWhenItsSceneIsOver) {
  Mind mind("max-answer-age=1000000000, max-tokens=500, max-queue=8, grammar=(string)\"" +
            std::string(kLongWords) + "\"");
  mind.push(picture(1));
  mind.push(picture(2));   // not newer by enough
  mind.push(picture(30));  // both are over
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_EQ(mind.statistic("answers"), 1U);
  EXPECT_EQ(mind.statistic("stale"), 2U);
  EXPECT_EQ(mind.statistic("failed"), 0U);
}

// If this fails, a budget that cannot be kept is not kept as well as could be, or nobody learns what it cost.
TEST(LocalMllmSession, ALatencyBudgetShortensAnswersAndSaysSo) {
  Mind mind("latency-budget=1000000, max-tokens=40, grammar=(string)\"" + std::string(kLongWords) + "\"");
  for (int i = 1; i <= 4; ++i) mind.push(picture(i));
  const auto answers = mind.finish();
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_LT(text_of(answers[3].get()).size(), text_of(answers[0].get()).size());
  EXPECT_GE(mind.statistic("answers-shortened"), 1U);
  EXPECT_GE(mind.statistic("pictures-compressed"), 1U);
}

// --- figures ---

// If this fails, a monitoring system sees nothing, or something else than what the element says of itself.
TEST(LocalMllmSession, TheMetricsFileSaysWhatStatisticsSay) {
  const auto path = testing::TempDir() + "/localmllm.prom";
  std::filesystem::remove(path);
  Mind mind("metrics-file=(string)\"" + path + "\"");
  for (int i = 1; i <= 3; ++i) mind.push(picture(i));
  mind.finish();
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(text.find("saccade_answers_total{stream=\"mind\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("saccade_latency_seconds_count{stream=\"mind\"} 3\n"), std::string::npos);
}

TEST(LocalMllmSession, AMetricsFileThatCannotBeWrittenIsAWarningAndNoMore) {
  Mind mind("metrics-file=(string)\"/no/such/folder/localmllm.prom\"");
  mind.push(picture(1));
  EXPECT_EQ(mind.finish().size(), 1U);
  EXPECT_NE(text_of(mind.message(GST_MESSAGE_WARNING).get()).find("/no/such/folder"), std::string::npos);
}

// --- long lives ---

// If this fails, an application that changes its question often loses answers, or stands still.
TEST(LocalMllmSession, ThePromptMayChangeAThousandTimesWhilePlaying) {
  Mind mind;
  const char *prompts[] = {kQuestion, "is there a crossing?", "how many people are there?"};
  for (int i = 0; i < 1000; ++i) {
    set_text(mind, "prompt", prompts[i % 3]);
    if (i % 10 == 0) mind.push(picture(1 + i / 10));
  }
  EXPECT_EQ(mind.finish().size(), 100U);
}

// If this fails, a run leaves something behind that the next one falls over.
TEST(LocalMllmSession, ManyLivesAnswerAlike) {
  const auto element = make_element();
  for (int life = 0; life < 100; ++life) {
    Harness harness(gst_harness_new_with_element(element.get(), "sink", "src"));
    gst_harness_set_src_caps_str(harness.get(), kCaps);
    gst_harness_push(harness.get(), picture(1).release());
    if (life % 2 == 0) {
      const BufferPtr answer(gst_harness_pull(harness.get()));
      EXPECT_FALSE(text_of(answer.get()).empty());
    }
    harness.reset();  // half of the lives end in the middle of an answer
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
}

}  // namespace
}  // namespace saccade::gst
