// Tiny pairs of every family against plain libmtmd: the same prompt must give the same tokens, and what a
// session keeps in its cache must never show.
//
// The pairs are made by samples/training/random_model.py; SACCADE_TINY_PAIRS names their folder.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "mllm/segment_answerer.h"
#include "mllm/session.h"
#include "tiny_pair.h"
#include "tokens_likeness.h"

namespace saccade {
namespace {

constexpr const char *kQuestion = "What colour is the car?";
constexpr const char *kOther = "Describe what you see.";

class RandomPairs : public testing::TestWithParam<const char *>, protected TinyPair {
 protected:
  void SetUp() override { open(GetParam()); }

  using TinyPair::session;
  std::unique_ptr<Session> session(int max_context = kContext, int max_tokens = kMaxTokens) const {
    return session(options(max_context, max_tokens));
  }
  SharedTokens tokens(int seed) const {
    auto encoded =
        encoder_->encode(picture(encoder_->input().width, encoder_->input().height, seed).view(), {}, {});
    EXPECT_TRUE(encoded.ok()) << encoded.status().message();
    return encoded.value();
  }
  EncodedImage overview(int seed) const { return encoder_->overview(tokens(seed)); }
};

// If this fails, a family's prompt, positions or attention differ from what its model was made for.
TEST_P(RandomPairs, OnePictureIsReadAsPlainLibmtmdReadsIt) {
  const PlainLibmtmd plain(files_);
  const std::pair<int, int> sizes[] = {{64, 64}, {320, 240}, {120, 200}};
  for (const auto &[width, height] : sizes) {
    SCOPED_TRACE(std::to_string(width) + " x " + std::to_string(height));
    const auto image = picture(width, height, 1);
    expect_same(ask(*session(), kQuestion, {tiles(image)}), plain.answer(kQuestion, {image}));
  }
}

// If this fails, the streaming encoder computes another tower than libmtmd's, or takes a family for its own
// that it does not know.
TEST_P(RandomPairs, TheStreamingEncoderMakesTheSameTokens) {
  const std::string family = GetParam();
  const bool known =
      family.starts_with("smolvlm") || family.starts_with("gemma") || family.starts_with("internvl");
  const auto expected = tokens(1);
  const auto answer = ask(*session(), kQuestion, {encoder_->overview(expected)});
  for (const auto kind : {EncoderKind::fp32, EncoderKind::int8}) {
    auto made = make_encoder(pair_, {.kind = kind});
    ASSERT_TRUE(made.ok()) << made.status().message();
    auto &streaming = *made.value();
    EXPECT_EQ(streaming.description() == "libmtmd", !known) << streaming.description();
    if (!known) {
      EXPECT_NE(streaming.fallback_reason(), "");
    }
    EXPECT_EQ(streaming.grid(), encoder_->grid());
    const auto input = streaming.input();
    const auto found = streaming.encode(picture(input.width, input.height, 1).view(), {}, {});
    ASSERT_TRUE(found.ok()) << found.status().message();
    const bool exact = kind == EncoderKind::fp32 || !known;
    // 0.9999 but for the picture: libmtmd enlarges it fourfold and makes it small again
    EXPECT_GT(worst_cosine(*found.value(), *expected), exact ? 0.9998 : 0.995);
    if (exact) {
      EXPECT_EQ(ask(*session(), kQuestion, {streaming.overview(found.value())}).text, answer.text);
    }
  }
}

// If this fails, several pictures in one prompt stand at wrong positions, or see each other wrongly.
TEST_P(RandomPairs, ThreePicturesAreReadAsPlainLibmtmdReadsThem) {
  const PlainLibmtmd plain(files_);
  const std::vector<Image> images{picture(64, 64, 1), picture(96, 64, 2), picture(64, 64, 3)};
  expect_same(ask(*session(), kOther, {tiles(images[0]), tiles(images[1]), tiles(images[2])}),
              plain.answer(kOther, {images[0], images[1], images[2]}));
}

// If this fails, the overview is not what the family calls the whole picture, or is announced wrongly.
// Idefics3 is another matter: stock programs always add tiles.
TEST_P(RandomPairs, TheOverviewIsWhatPlainLibmtmdMakesOfASmallPicture) {
  if (std::string(GetParam()).starts_with("smolvlm")) GTEST_SKIP() << "stock programs always add tiles";
  const PlainLibmtmd plain(files_);
  const auto input = encoder_->input();
  expect_same(ask(*session(), kQuestion, {overview(1), overview(2)}),
              plain.answer(kQuestion,
                           {picture(input.width, input.height, 1), picture(input.width, input.height, 2)}));
}

// If this fails, an answer comes from words alone.
TEST_P(RandomPairs, PicturesMatter) {
  const auto one = ask(*session(), kQuestion, {overview(1)});
  const auto two = ask(*session(), kQuestion, {overview(2)});
  EXPECT_NE(one.log_probabilities, two.log_probabilities);
}

// If this fails, what was kept of an earlier prompt is not what the new prompt starts with.
TEST_P(RandomPairs, AKeptStartAnswersAsAFreshSessionDoes) {
  const std::vector<EncodedImage> seen{overview(1), overview(2), overview(3), overview(4)};
  struct Asked {
    const char *question;
    std::size_t first, last;
  };
  // The same pictures again, one more, the window slid on, back to an earlier one, and a single picture.
  const Asked asked[] = {{kQuestion, 0, 2}, {kOther, 0, 2},    {kQuestion, 0, 3}, {kQuestion, 1, 4},
                         {kOther, 1, 4},    {kQuestion, 0, 1}, {kQuestion, 0, 4}};
  const auto kept = session();
  for (const auto &turn : asked) {
    SCOPED_TRACE(std::string(turn.question) + " about " + std::to_string(turn.first) + " to " +
                 std::to_string(turn.last));
    const std::vector<EncodedImage> images(seen.begin() + static_cast<std::ptrdiff_t>(turn.first),
                                           seen.begin() + static_cast<std::ptrdiff_t>(turn.last));
    expect_same(ask(*kept, turn.question, images), ask(*session(), turn.question, images));
  }
}

// If this fails, a picture of which a compressor dropped tokens cannot be read, or is read wrongly the second
// time.
TEST_P(RandomPairs, PicturesWithFewerTokensAreReadToo) {
  const auto whole = tokens(1);
  auto fewer = std::make_shared<TokenSet>();
  fewer->dimension = whole->dimension;
  fewer->grid = whole->grid;
  fewer->seen = whole->seen;
  for (int i = 0; i < whole->count(); ++i) {
    if (i % 3 == 1) continue;
    fewer->values.insert(fewer->values.end(), whole->row(i).begin(), whole->row(i).end());
    fewer->positions.push_back(whole->positions[static_cast<std::size_t>(i)]);
    fewer->weights.push_back(1);
  }
  const std::vector<EncodedImage> images{encoder_->overview(fewer), overview(2)};
  const auto kept = session();
  const auto first = ask(*kept, kQuestion, images);
  ask(*kept, kOther, images);
  expect_same(ask(*kept, kQuestion, images), first);
  EXPECT_NE(first.log_probabilities,
            ask(*session(), kQuestion, {overview(1), overview(2)}).log_probabilities);
}

// If this fails, the process aborts: llama.cpp does so when a batch or a picture does not fit.
TEST_P(RandomPairs, AContextThatIsTooSmallIsASentence) {
  const std::vector<EncodedImage> images{overview(1), overview(2), tiles(picture(320, 240, 3))};
  bool refused = false;
  for (const int size : {1, 8, 15, 16, 17, 24, 40, 57, 64, 100, 128, 200, 255, 256, 257, 300, 512}) {
    SCOPED_TRACE(size);
    const auto small = session(size);
    for (std::size_t count = 1; count <= images.size(); ++count) {
      const auto answer = small->ask(kQuestion, std::span(images).first(count), {});
      if (answer.ok()) continue;
      refused = true;
      EXPECT_EQ(answer.status().kind(), StatusKind::exhausted) << answer.status().message();
      EXPECT_NE(answer.status().message().find("max-context"), std::string::npos)
          << answer.status().message();
    }
  }
  EXPECT_TRUE(refused);
}

// If this fails, an answer that reaches the end of the context is lost, although most of it was said.
TEST_P(RandomPairs, AnAnswerThatFillsTheContextIsCutShort) {
  const std::vector<EncodedImage> images{overview(1)};
  const auto whole = ask(*session(), kQuestion, images);
  std::size_t longest = 0;
  for (int size = encoder_->grid().count(); longest < static_cast<std::size_t>(kMaxTokens); ++size) {
    SCOPED_TRACE(size);
    ASSERT_LT(size, kContext);
    const auto answer = session(size)->ask(kQuestion, images, {});
    if (!answer.ok()) {
      EXPECT_EQ(longest, 0U) << answer.status().message();
      continue;
    }
    const auto said = answer.value().token_log_probabilities.size();
    EXPECT_EQ(said, longest + 1) << "one more token fits";
    EXPECT_TRUE(answer.value().truncated);
    EXPECT_NEAR(answer.value().token_log_probabilities.back(), whole.log_probabilities[longest], 0.01F);
    longest = said;
  }
}

// If this fails, a stop leaves half a picture in the cache.
TEST_P(RandomPairs, AfterAStopTheSessionAnswersAsAFreshOne) {
  const std::vector<EncodedImage> images{overview(1), overview(2)};
  const auto stopped = session(kContext, kContext);  // it would talk for long: these models never end
  bool cut = false;
  for (int tries = 0; tries < 20 && !cut; ++tries) {  // this thread may hear of a word when all are said
    std::stop_source stop;
    AskOptions options;
    options.listener = [&](std::string_view) { stop.request_stop(); };
    const auto answer = stopped->ask(kQuestion, images, stop.get_token(), options);
    cut = answer.status().kind() == StatusKind::cancelled;
  }
  ASSERT_TRUE(cut);
  EXPECT_NEAR(stopped->ask(kQuestion, images, {}).value().token_log_probabilities.front(),
              ask(*session(), kQuestion, images).log_probabilities.front(), 0.01F);
}

// If this fails, a guess at the answer changes it, or what was guessed wrong stays in the cache.
TEST_P(RandomPairs, GuessesChangeNoAnswer) {
  SessionOptions options;
  options.max_tokens = 3 * kMaxTokens;
  const auto plain = session(options);
  options.guesses = 5;
  const auto guessing = session(options);
  const std::vector<EncodedImage> one{overview(1)};
  const std::vector<EncodedImage> two{overview(2)};
  for (const auto *images : {&one, &one, &two, &one, &two}) {
    expect_same(ask(*guessing, kQuestion, *images), ask(*plain, kQuestion, *images));
  }
}

// If this fails, a family's text model cannot be a draft, or has its way with an answer. What it says without
// the picture is wrong for the most part.
TEST_P(RandomPairs, ADraftChangesNoAnswer) {
  SessionOptions options;
  options.max_tokens = 3 * kMaxTokens;
  options.guesses = 5;
  const std::vector<EncodedImage> one{overview(1)};
  const std::vector<EncodedImage> two{overview(2)};
  // One session after the other: side by side in one cache, sums differ whether or not somebody guesses.
  const auto answers = [&](Session &session) {
    std::vector<Said> said;
    for (const auto *images : {&one, &two})
      for (const char *question : {kQuestion, kOther}) said.push_back(ask(session, question, *images));
    return said;
  };
  const auto expected = answers(*session(options));
  options.draft_model = files_.text;
  options.draft_certainty = 0;  // these models are sure of nothing
  auto drafted = Session::create(pair_, options);
  if (std::string(GetParam()).starts_with("lfm2")) {
    EXPECT_EQ(drafted.status().kind(), StatusKind::unsupported) << "it is hybrid";
    return;
  }
  ASSERT_TRUE(drafted.ok()) << drafted.status().message();
  const auto found = answers(*drafted.value());
  for (std::size_t i = 0; i < expected.size(); ++i) expect_same(found[i], expected[i]);
  const auto answer = drafted.value()->ask("And the bicycle?", one, {});
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_GT(answer.value().tokens_guessed, answer.value().tokens_guessed_right);
}

// If this fails, what one session holds is overwritten by another as soon as answers are longer than a
// model's sliding window, or by itself.
TEST_P(RandomPairs, LongAnswersOverwriteNothingThatIsHeld) {
  const auto sized = options(kContext, 3 * kMaxTokens);
  const auto kept = session(sized);
  const auto other = session(sized);
  for (const int seed : {1, 2, 3}) {
    const std::vector<EncodedImage> one{overview(seed)};
    for (const char *question : {kQuestion, kOther}) {
      // The first word: random weights are so unsure that later ones differ with the rows of a product.
      const float alone = ask(*session(sized), question, one).log_probabilities.front();
      EXPECT_NEAR(ask(*kept, question, one).log_probabilities.front(), alone, 0.06F);
      EXPECT_NEAR(ask(*other, question, one).log_probabilities.front(), alone, 0.06F);
    }
  }
}

// If this fails, a draft's tokens are taken for other words.
TEST_P(RandomPairs, ADraftOfAnotherVocabularyIsRefusedByName) {
  const bool gemma = std::string(GetParam()).starts_with("gemma");
  auto options = RandomPairs::options();
  options.guesses = 5;
  options.draft_model = tiny_pair(gemma ? "qwen2-vl-2b" : "gemma-3-4b").text;
  const auto refused = Session::create(pair_, options).status();
  EXPECT_EQ(refused.kind(), StatusKind::unsupported);
  EXPECT_NE(refused.message().find(options.draft_model), std::string::npos) << refused.message();
  if (!std::string(GetParam()).starts_with("lfm2")) {
    EXPECT_NE(refused.message().find("vocabulary"), std::string::npos) << refused.message();
  }
}

// If this fails, sessions that are read and written for side by side are given each other's words.
TEST_P(RandomPairs, SessionsSideBySideAnswerAsAlone) {
  constexpr int kSessions = 5;
  std::vector<EncodedImage> images;
  std::vector<Said> expected;
  for (int i = 0; i < kSessions; ++i) {
    images.push_back(overview(i));
    expected.push_back(ask(*session(), kQuestion, {images.back()}));
  }
  std::vector<std::vector<Said>> said(kSessions);
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < kSessions; ++i)
      askers.emplace_back([&, i] {
        const auto own = session();
        for (int k = 0; k < 4; ++k)
          said[static_cast<std::size_t>(i)].push_back(
              ask(*own, kQuestion, {images[static_cast<std::size_t>(i)]}));
      });
  }
  // Products of several rows are summed in another order than those of one, so that near ties may fall
  // differently later on.
  for (std::size_t i = 0; i < kSessions; ++i)
    for (const auto &one : said[i])
      EXPECT_NEAR(one.log_probabilities.front(), expected[i].log_probabilities.front(), 0.1F);
}

// If this fails, a window that has slid for long stands at positions that the model was never trained for, or
// what was cut out of the middle of the cache still speaks.
TEST_P(RandomPairs, AWindowThatSlidesForLongAnswers) {
  SessionOptions options;
  options.max_context = 300;
  options.max_tokens = 4;
  for (const auto policy : {KvPolicy::slide, KvPolicy::saliency}) {
    options.kv_policy = policy;
    const auto sliding = session(options);
    std::vector<EncodedImage> window;
    for (int i = 0; i < 60; ++i) {
      window.push_back(overview(i % 7));
      if (window.size() > 3) window.erase(window.begin());
      const auto answer = sliding->ask(kQuestion, window, {});
      ASSERT_TRUE(answer.ok()) << answer.status().message();
      const auto &said = answer.value().token_log_probabilities;
      ASSERT_EQ(said.size(), 4U) << i;
      for (const float value : said) ASSERT_TRUE(std::isfinite(value)) << i;
      float attended = 0;
      for (const float share : answer.value().attention) attended += share;
      ASSERT_TRUE(attended >= 0 && attended < 1) << i << ": " << attended;
      ASSERT_TRUE(policy == KvPolicy::saliency || answer.value().attention.empty());
    }
  }
}

std::string name_of(const testing::TestParamInfo<const char *> &family) {
  std::string name;
  for (const char letter : std::string(family.param))
    if (std::isalnum(static_cast<unsigned char>(letter))) name += letter;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Families, RandomPairs,
                         testing::Values("smolvlm-256m", "smolvlm2-500m", "qwen2-vl-2b", "gemma-3-4b",
                                         "internvl3-1b", "minicpm-v-2.6", "lfm2-vl-450m", "qwen2.5-omni-3b"),
                         name_of);

}  // namespace
}  // namespace saccade
