// A text model that guesses: words come sooner, and none of them changes.
#include "mllm/draft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "shipped_pair.h"

namespace saccade {
namespace {

constexpr const char *kDescribe = "describe the scene.";
constexpr int kContext = 512;

class DraftTest : public ShippedPair {
 protected:
  static std::string own_text() { return shipped_model().text; }
  static SessionOptions drafting(const std::string &path = own_text()) {
    SessionOptions options;
    options.guesses = 8;
    options.draft_model = path;
    return options;
  }
  static Answer ask(Session &session, const EncodedImage &image, const char *question = kDescribe) {
    const EncodedImage images[] = {image};
    auto answer = session.ask(question, images, {});
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? std::move(answer).value() : Answer();
  }
  std::unique_ptr<Draft> draft(int max_context = kContext) const {
    auto made = Draft::create(own_text(), *pair_, {.max_context = max_context});
    EXPECT_TRUE(made.ok()) << made.status().message();
    return std::move(made).value();
  }
  TextTokens tokens(const std::string &text) const {
    const auto *vocabulary = llama_model_get_vocab(pair_->impl().text.get());
    TextTokens tokens(text.size() + 8);
    tokens.resize(static_cast<std::size_t>(
        llama_tokenize(vocabulary, text.data(), static_cast<std::int32_t>(text.size()), tokens.data(),
                       static_cast<std::int32_t>(tokens.size()), false, false)));
    return tokens;
  }
  // What a session says when it is refused this draft.
  Status refusal(const std::string &path) const {
    auto session = Session::create(pair_, drafting(path));
    EXPECT_FALSE(session.ok());
    return session.status();
  }
};

// If this fails, a new answer is written word for word although a draft knows how it goes on, or the draft
// has its way.
TEST_F(DraftTest, ADraftSavesStepsAndChangesNothing) {
  const auto plain = session();
  const auto drafted = session(drafting());
  int guessed = 0;
  int right = 0;
  for (const bool day : {true, false}) {
    for (const char *question : {kDescribe, "how many people are there?", "is it day or night?"}) {
      const auto expected = ask(*plain, another(day), question);
      const auto found = ask(*drafted, another(day), question);
      EXPECT_EQ(found.text, expected.text);
      EXPECT_EQ(found.truncated, expected.truncated);
      ASSERT_EQ(found.token_log_probabilities.size(), expected.token_log_probabilities.size());
      EXPECT_LE(found.tokens_guessed_right, found.tokens_guessed);
      if (!day) continue;  // by then there are last answers
      guessed += found.tokens_guessed;
      right += found.tokens_guessed_right;
    }
  }
  EXPECT_GT(guessed, 0);
  EXPECT_GT(right, 0);
}

// If this fails, one model's words are taken for another's, or only a model itself may be its draft.
TEST_F(DraftTest, OneModelDraftsForAnother) {
  auto files = shipped_model();
  for (auto *path : {&files.text, &files.mmproj}) path->replace(path->rfind("edge"), 4, "cloud");
  const auto cloud = ModelPair::open(files);
  ASSERT_TRUE(cloud.ok()) << cloud.status().message();
  auto encoder = make_encoder(cloud.value());
  ASSERT_TRUE(encoder.ok()) << encoder.status().message();
  const auto input = encoder.value()->input();
  const auto street = plain_street(input.width, input.height, true);
  auto seen = encoder.value()->encode(street.view(), {}, {});
  ASSERT_TRUE(seen.ok()) << seen.status().message();
  const auto image = encoder.value()->overview(std::move(seen).value());
  const auto plain = Session::create(cloud.value(), {});
  const auto drafted = Session::create(cloud.value(), drafting());
  ASSERT_TRUE(plain.ok());
  ASSERT_TRUE(drafted.ok()) << drafted.status().message();
  const auto found = ask(*drafted.value(), image);
  EXPECT_EQ(found.text, ask(*plain.value(), image).text);
  EXPECT_GT(found.tokens_guessed_right, 0);
}

// If this fails, what the draft is unsure of is checked all the same, or a draft that is wrong has its way.
TEST_F(DraftTest, AnUnsureDraftIsSilentAndAWrongOneChangesNothing) {
  auto options = drafting();
  options.draft_certainty = 0;
  const auto bold = session(options);
  options.draft_certainty = 1;
  const auto silent = session(options);
  for (const bool day : {true, false}) {
    const auto expected = ask(*silent, another(day));
    const auto found = ask(*bold, another(day));
    EXPECT_EQ(found.text, expected.text);
    if (day) {
      EXPECT_EQ(expected.tokens_guessed, 0);
      EXPECT_LT(found.tokens_guessed_right, found.tokens_guessed);
    }
  }
}

// If this fails, the draft is asked although the last answer is at hand, which costs its time for nothing.
TEST_F(DraftTest, TheLastAnswerGoesBeforeTheDraft) {
  const auto drafted = session(drafting());
  const auto first = ask(*drafted, another(true));
  const auto again = ask(*drafted, another(true));
  EXPECT_GT(first.tokens_guessed, 0);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.tokens_guessed, again.tokens_guessed_right);
  EXPECT_GT(again.tokens_guessed, first.tokens_guessed_right);
}

// If this fails, guesses that are wrong stay in the cache, or max-tokens is overrun by what was guessed.
TEST_F(DraftTest, AnAnswerIsCutWhereItWouldBeWithoutADraft) {
  int guessed = 0;
  for (const int most : {1, 2, 3, 5, 9}) {
    SCOPED_TRACE(most);
    auto options = drafting();
    options.max_tokens = most;
    const auto drafted = session(options);
    options.draft_model.clear();
    const auto plain = session(options);
    const auto found = ask(*drafted, picture(true));
    EXPECT_EQ(found.text, ask(*plain, picture(true)).text);
    EXPECT_LE(found.token_log_probabilities.size(), static_cast<std::size_t>(most));
    EXPECT_LT(found.tokens_guessed_right, most);
    guessed += found.tokens_guessed;
  }
  EXPECT_GT(guessed, 0);
}

// If this fails, 0 does not rule near ties out.
TEST_F(DraftTest, WithoutGuessesNothingIsDrafted) {
  auto options = drafting();
  options.guesses = 0;
  EXPECT_EQ(ask(*session(options), picture(true)).tokens_guessed, 0);
}

// --- what it guesses ---

// If this fails, what the draft has in its cache from the last guess speaks in the next one.
TEST_F(DraftTest, WhatItHoldsChangesNoGuess) {
  const auto kept = draft();
  const std::vector<Stretch> prompt{tokens("Describe the scene. A street")};
  const std::vector<Stretch> other{tokens("Describe the scene. It is")};
  const auto said = tokens(" with");
  const auto expected = draft()->guess(prompt, said, 8, {});
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(kept->guess(prompt, said, 8, {}), expected);
  kept->guess(other, tokens(" night."), 8, {});
  EXPECT_EQ(kept->guess(prompt, said, 8, {}), expected);
  const auto shorter = kept->guess(prompt, said, 2, {});
  EXPECT_EQ(shorter, TextTokens(expected.begin(), expected.begin() + static_cast<long>(shorter.size())));
  EXPECT_TRUE(kept->guess(prompt, said, 0, {}).empty());
}

// If this fails, the draft is shown tokens that are no words, and llama.cpp ends the process.
TEST_F(DraftTest, PicturesAreLeftOut) {
  const auto before = tokens("describe the scene.");
  const auto behind = tokens(" A street");
  TextTokens words = before;
  words.insert(words.end(), behind.begin(), behind.end());
  const std::vector<Stretch> seen{before, day_, behind};
  const std::vector<Stretch> read{words};
  const auto guessed = draft()->guess(seen, tokens(" with"), 8, {});
  EXPECT_FALSE(guessed.empty());
  EXPECT_EQ(guessed, draft()->guess(read, tokens(" with"), 8, {}));
}

// If this fails, the process aborts: llama.cpp does so when a batch or a context is too small.
TEST_F(DraftTest, WhatDoesNotFitIsNotGuessed) {
  const auto small = draft(16);
  const TextTokens one = tokens("a");
  TextTokens many;
  while (many.size() < 1000) many.insert(many.end(), one.begin(), one.end());
  EXPECT_TRUE(small->guess(std::vector<Stretch>{many}, {}, 8, {}).empty());
  EXPECT_TRUE(small->guess(std::vector<Stretch>{}, {}, 8, {}).empty());
  EXPECT_TRUE(small->guess(std::vector<Stretch>{TextTokens{1 << 30}}, {}, 8, {}).empty());
  const std::vector<Stretch> prompt{tokens("A street")};
  const auto guessed = small->guess(prompt, {}, 4, {});
  EXPECT_FALSE(guessed.empty());
  EXPECT_EQ(guessed, draft()->guess(prompt, {}, 4, {}));
}

// If this fails, a stop waits for the draft, or what it broke off is in the way afterwards.
TEST_F(DraftTest, AStopEndsAGuess) {
  const auto stopped = draft();
  TextTokens words;
  while (words.size() < 200) {
    const auto more = tokens("Describe the scene. A street");
    words.insert(words.end(), more.begin(), more.end());
  }
  bool cut = false;
  for (int i = 0; i < 40; ++i) {
    words.front() = i + 100;  // nothing of it is in the cache
    const std::vector<Stretch> prompt{words};
    std::stop_source stop;
    TextTokens found;
    {
      const std::jthread stopper([&] {
        std::this_thread::sleep_for(i * std::chrono::microseconds(200));
        stop.request_stop();
      });
      found = stopped->guess(prompt, {}, 8, stop.get_token());
    }
    const auto whole = stopped->guess(prompt, {}, 8, {});
    ASSERT_LE(found.size(), whole.size());
    EXPECT_TRUE(std::equal(found.begin(), found.end(), whole.begin()));
    cut |= found.size() < whole.size();
    if (i % 4 == 0) {
      EXPECT_EQ(whole, draft()->guess(prompt, {}, 8, {}));
    }
  }
  EXPECT_TRUE(cut);
}

// If this fails, an answer that is stopped while its draft works takes the session with it.
TEST_F(DraftTest, AfterAStopTheSessionAnswersAsBefore) {
  const auto drafted = session(drafting());
  const auto expected = ask(*session(), picture(true)).text;
  bool cut = false;
  for (int i = 0; i < 50; ++i) {
    std::stop_source stop;
    AskOptions options;
    options.listener = [&](std::string_view) { stop.request_stop(); };
    const EncodedImage images[] = {another(true)};
    const auto answer =
        drafted->ask("describe the scene. " + std::to_string(i), images, stop.get_token(), options);
    cut = cut || answer.status().kind() == StatusKind::cancelled;
  }
  EXPECT_TRUE(cut);
  const auto after = ask(*drafted, picture(true));
  EXPECT_EQ(after.text, expected);
  EXPECT_GT(after.tokens_guessed, 0);
}

// --- what is refused ---

// If this fails, whoever names a wrong file learns of it from a crash, or from nothing getting faster.
TEST_F(DraftTest, AFileThatIsNoModelIsRefusedByName) {
  const auto missing = refusal("/no/such/draft.gguf");
  EXPECT_EQ(missing.kind(), StatusKind::not_found);
  EXPECT_NE(missing.message().find("draft-model"), std::string::npos) << missing.message();
  EXPECT_NE(missing.message().find("/no/such/draft.gguf"), std::string::npos) << missing.message();

  const auto path = testing::TempDir() + "/no-draft.gguf";
  std::ofstream(path) << "these are words and no model";
  const auto foreign = refusal(path);
  EXPECT_EQ(foreign.kind(), StatusKind::corrupt);
  EXPECT_NE(foreign.message().find(path), std::string::npos) << foreign.message();

  EXPECT_NE(refusal(shipped_model().mmproj).message().find("projector"), std::string::npos);
}

}  // namespace
}  // namespace saccade
