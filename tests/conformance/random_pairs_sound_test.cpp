// Sound on the tiny pair that sees and hears, against plain libmtmd: what is heard must be read as the
// model's own program reads it, and nothing that a microphone may give must end the process.
//
// The pair is made by samples/training/random_model.py; SACCADE_TINY_PAIRS names its folder.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mllm/segment_answerer.h"
#include "mllm/session.h"
#include "tiny_pair.h"
#include "vision/audio_encoder.h"

namespace saccade {
namespace {

constexpr int kRate = 16'000;
constexpr int kTokensPerSecond = 25;
constexpr const char *kQuestion = "What do you hear?";
constexpr const char *kOther = "Describe what you see.";

// A chord that swells and sinks, another for each seed.
std::vector<float> chord(double seconds, int seed) {
  std::vector<float> samples(static_cast<std::size_t>(std::lround(seconds * kRate)));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double t = 2 * std::numbers::pi * static_cast<double>(i) / kRate;
    const double swell = 0.3 + 0.2 * std::sin(1.5 * t + seed);
    samples[i] =
        static_cast<float>(swell * (std::sin((200 + 170 * seed) * t) + std::sin(950 * t / (seed + 1))));
  }
  return samples;
}

AudioBlock block(const std::vector<float> &samples, int rate = kRate) { return {samples, rate, 1, {}}; }

int tokens_of(const EncodedImage &sound) {
  int count = 0;
  for (const auto &piece : sound.pieces) count += piece.tokens->count();
  return count;
}

class PairThatHears : public testing::Test, protected TinyPair {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(open("qwen2.5-omni-3b"));
    if (IsSkipped()) return;
    auto audio_encoder = AudioEncoder::create(pair_);
    ASSERT_TRUE(audio_encoder.ok()) << audio_encoder.status().message();
    audio_encoder_ = std::move(audio_encoder).value();
  }

  using TinyPair::session;
  std::unique_ptr<Session> session() const { return session(options()); }

  EncodedImage sight(int seed) const { return tiles(picture(64, 64, seed)); }
  EncodedImage sound(double seconds, int seed) const {
    auto encoded = audio_encoder_->encode(block(chord(seconds, seed)), {});
    EXPECT_TRUE(encoded.ok()) << encoded.status().message();
    return std::move(encoded).value();
  }

  std::unique_ptr<AudioEncoder> audio_encoder_;
};

// If this fails, the model hears something else than its own program would let it hear, or what follows the
// sound stands at other positions.
TEST_F(PairThatHears, PictureSoundAndQuestionAreReadAsPlainLibmtmdReadsThem) {
  const PlainLibmtmd plain(files_);
  for (const double seconds : {0.5, 3.0, 29.9}) {
    SCOPED_TRACE(seconds);
    const auto heard = sound(seconds, 1);
    EXPECT_EQ(tokens_of(heard), static_cast<int>(std::ceil(seconds * kTokensPerSecond)));
    const Sound raw{chord(seconds, 1), tokens_of(heard)};
    expect_same(ask(*session(), kQuestion, {sight(1), heard}),
                plain.answer(kQuestion, {picture(64, 64, 1), raw}));
    expect_same(ask(*session(), kQuestion, {heard}), plain.answer(kQuestion, {raw}));
  }
}

// If this fails, a second picture is read as if it stood within the sound before it.
TEST_F(PairThatHears, PicturesAndSoundsTakeTurns) {
  const PlainLibmtmd plain(files_);
  const auto one = sound(2, 1);
  const auto two = sound(1.234, 2);
  expect_same(ask(*session(), kQuestion, {sight(1), one, sight(2), two}),
              plain.answer(kQuestion, {picture(64, 64, 1), Sound{chord(2, 1), tokens_of(one)},
                                       picture(64, 64, 2), Sound{chord(1.234, 2), tokens_of(two)}}));
}

// If this fails, an answer comes from the picture alone.
TEST_F(PairThatHears, SoundsMatter) {
  const auto one = ask(*session(), kQuestion, {sight(1), sound(1, 1)}).log_probabilities;
  EXPECT_NE(one, ask(*session(), kQuestion, {sight(1), sound(1, 2)}).log_probabilities);
  EXPECT_NE(one, ask(*session(), kQuestion, {sight(1)}).log_probabilities);
}

// If this fails, what was kept of an earlier prompt is not what the new prompt starts with.
TEST_F(PairThatHears, AKeptStartAnswersAsAFreshSessionDoes) {
  const std::vector<EncodedImage> seen{sight(1), sound(2, 1), sight(2), sound(1, 2), sight(3)};
  struct Asked {
    const char *question;
    std::size_t first, last;
  };
  // The same again, sound and picture more, the window slid on by a picture and its sound, and back.
  const Asked asked[] = {{kQuestion, 0, 2}, {kOther, 0, 2},    {kQuestion, 0, 1}, {kQuestion, 0, 4},
                         {kQuestion, 2, 5}, {kQuestion, 2, 4}, {kOther, 0, 5},    {kQuestion, 1, 2}};
  const auto kept = session();
  for (const auto &turn : asked) {
    SCOPED_TRACE(std::string(turn.question) + " about " + std::to_string(turn.first) + " to " +
                 std::to_string(turn.last));
    const std::vector<EncodedImage> images(seen.begin() + static_cast<std::ptrdiff_t>(turn.first),
                                           seen.begin() + static_cast<std::ptrdiff_t>(turn.last));
    // Where the cache has holes, sums are made in another order: 0.04 with pictures of as many tokens, too.
    expect_same(ask(*kept, turn.question, images), ask(*session(), turn.question, images), 0.08F);
  }
}

// If this fails, a window that slides over pictures with their sounds leaves holes that are never filled.
TEST_F(PairThatHears, AWindowThatSlidesForLongAnswers) {
  SessionOptions options;
  options.kv_policy = KvPolicy::slide;
  const auto sliding = session(options);
  std::vector<EncodedImage> window;
  for (int i = 0; i < 40; ++i) {
    window.push_back(sight(i % 5));
    window.push_back(sound(2, i % 3));
    if (window.size() > 6) window.erase(window.begin(), window.begin() + 2);
    const auto said = ask(*sliding, kQuestion, window);
    ASSERT_FALSE(said.log_probabilities.empty()) << i;
    for (const float value : said.log_probabilities) ASSERT_TRUE(std::isfinite(value)) << i;
  }
}

// If this fails, a session that hears and one that sees disturb each other when both are read at once.
TEST_F(PairThatHears, SessionsSideBySideAnswerAsAlone) {
  constexpr std::size_t kSessions = 4;
  std::vector<std::vector<EncodedImage>> prompts;
  std::vector<Said> expected;
  for (std::size_t i = 0; i < kSessions; ++i) {
    const int seed = static_cast<int>(i);
    prompts.push_back(i % 2 ? std::vector{sight(seed), sight(seed + 1)}
                            : std::vector{sound(3, seed), sight(seed)});
    expected.push_back(ask(*session(), kQuestion, prompts.back()));
  }
  std::vector<std::vector<Said>> said(kSessions);
  {
    std::vector<std::jthread> askers;
    for (std::size_t i = 0; i < kSessions; ++i)
      askers.emplace_back([&, i] {
        for (int k = 0; k < 4; ++k) said[i].push_back(ask(*session(), kQuestion, prompts[i]));
      });
  }
  for (std::size_t i = 0; i < kSessions; ++i)
    for (const auto &one : said[i])
      EXPECT_NEAR(one.log_probabilities.front(), expected[i].log_probabilities.front(), 0.1F);
}

// If this fails, a stop waits for half a minute of sound, or what it left is taken for a sound.
TEST_F(PairThatHears, AStoppedEncodeGivesNoSound) {
  const auto samples = chord(10, 1);
  const auto whole = audio_encoder_->encode(block(samples), {});
  ASSERT_TRUE(whole.ok());
  std::stop_source before;
  before.request_stop();
  EXPECT_EQ(audio_encoder_->encode(block(samples), before.get_token()).status().kind(),
            StatusKind::cancelled);
  int stopped = 0;
  for (int i = 0; i < 20; ++i) {
    std::stop_source stop;
    const std::jthread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5 * i));
      stop.request_stop();
    });
    const auto encoded = audio_encoder_->encode(block(samples), stop.get_token());
    stopped += !encoded.ok();
    if (encoded.ok()) {
      EXPECT_EQ(encoded.value().pieces.front().tokens->values, whole.value().pieces.front().tokens->values);
    } else {
      EXPECT_EQ(encoded.status().kind(), StatusKind::cancelled);
    }
  }
  EXPECT_GT(stopped, 0);
  EXPECT_EQ(audio_encoder_->encode(block(samples), {}).value().pieces.front().tokens->values,
            whole.value().pieces.front().tokens->values);
}

// If this fails, a broken driver or a sound that has only begun ends the process, or the model talks nonsense
// without anybody knowing why.
TEST_F(PairThatHears, WhatCannotBeHeardIsASentence) {
  const auto refused = [&](const AudioBlock &sound) {
    const auto status = audio_encoder_->encode(sound, {}).status();
    EXPECT_FALSE(status.message().empty());
    return status.kind() == StatusKind::invalid_argument;
  };
  EXPECT_TRUE(refused(block({})));
  EXPECT_TRUE(refused(block(chord(1, 1), 44'100)));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    auto samples = chord(1, 1);
    samples[777] = bad;
    EXPECT_TRUE(refused(block(samples)));
  }
}

// If this fails, sound that is very short, silent, much too loud or in stereo makes the model's words
// undefined.
TEST_F(PairThatHears, EveryOtherSoundIsHeard) {
  auto loud = chord(1, 1);
  loud[777] = 1e30F;
  const std::pair<std::vector<float>, int> sounds[] = {{{0.5F}, 1},
                                                       {{0.5F, -0.5F}, 1},
                                                       {std::vector<float>(641, 0.1F), 2},
                                                       {std::vector<float>(3 * kRate), 75},
                                                       {loud, 25}};
  for (const auto &[samples, tokens] : sounds) {
    SCOPED_TRACE(std::to_string(samples.size()) + " samples");
    const auto heard = audio_encoder_->encode(block(samples), {});
    ASSERT_TRUE(heard.ok()) << heard.status().message();
    EXPECT_EQ(tokens_of(heard.value()), tokens);
    for (const float value : ask(*session(), kQuestion, {sight(1), heard.value()}).log_probabilities)
      EXPECT_TRUE(std::isfinite(value));
  }

  const auto mono = chord(1, 1);
  std::vector<float> stereo;
  for (const float value : mono) stereo.insert(stereo.end(), {2 * value - 0.25F, 0.25F});
  auto heard = audio_encoder_->encode({stereo, kRate, 2, {}}, {});
  ASSERT_TRUE(heard.ok());
  EXPECT_EQ(tokens_of(heard.value()), 25);
}

// If this fails, half a minute more of silence is read, or the sound that is to be answered is the part that
// was cut.
TEST_F(PairThatHears, OfALongSoundTheNewestIsHeard) {
  auto samples = chord(10.1, 2);
  const auto newest = chord(29.9, 1);
  samples.insert(samples.end(), newest.begin(), newest.end());
  auto sound = block(samples);
  sound.pts = std::chrono::seconds(100);
  const auto heard = audio_encoder_->encode(sound, {});
  ASSERT_TRUE(heard.ok()) << heard.status().message();
  ASSERT_EQ(heard.value().pieces.size(), 1U);
  const auto &tokens = *heard.value().pieces.front().tokens;
  EXPECT_EQ(tokens.values, audio_encoder_->encode(block(newest), {}).value().pieces.front().tokens->values);
  EXPECT_NEAR(to_seconds(tokens.pts), 110.1, 1e-3);
  EXPECT_NEAR(tokens.positions[25].t, 111.1, 1e-3);
}

// --- pictures with what was heard -----------------------------------------------------------------------

std::unique_ptr<SegmentAnswerer> answerer_of(const ModelFiles &files, int window = 1) {
  SegmentAnswererOptions options;
  options.session.max_context = kContext;
  options.session.max_tokens = kMaxTokens;
  options.window = window;
  auto answerer = SegmentAnswerer::create(files, options);
  EXPECT_TRUE(answerer.ok()) << answerer.status().message();
  return std::move(answerer).value();
}

void see(SegmentAnswerer &answerer, int seed) {
  const auto input = answerer.input();
  const auto status = answerer.see(picture(input.width, input.height, seed).view(), {}, {});
  EXPECT_TRUE(status.ok()) << status.message();
}

// If this fails, a sound is lost, stays when its picture has left, or counts as something seen.
TEST_F(PairThatHears, AnAnswererHearsWhatBelongsToAPicture) {
  const auto answerer = answerer_of(files_);
  ASSERT_TRUE(answerer->hears());
  EXPECT_EQ(answerer->sound_rate(), kRate);
  const auto samples = chord(2, 1);
  EXPECT_EQ(answerer->hear(block(samples), {}).kind(), StatusKind::invalid_argument)
      << "nothing was seen yet";

  see(*answerer, 1);
  const auto deaf = answerer->answer(kQuestion, {}).value();
  ASSERT_TRUE(answerer->hear(block(samples), {}).ok());
  const auto heard = answerer->answer(kQuestion, {}).value();
  EXPECT_EQ(heard.prompt_tokens, deaf.prompt_tokens + 2 * kTokensPerSecond + 2)
      << "begin and end are announced";
  EXPECT_EQ(heard.visual_tokens_seen, deaf.visual_tokens_seen);
  EXPECT_NE(heard.token_log_probabilities, deaf.token_log_probabilities);
  EXPECT_GT(heard.timings.encode, deaf.timings.encode);

  EXPECT_FALSE(answerer->hear(block({}), {}).ok());
  EXPECT_EQ(answerer->answer(kQuestion, {}).value().prompt_tokens, heard.prompt_tokens);

  see(*answerer, 2);
  EXPECT_EQ(answerer->answer(kQuestion, {}).value().prompt_tokens, deaf.prompt_tokens);
}

// If this fails, words about a picture are not read, or are read about another one.
TEST_F(PairThatHears, AnAnswererReadsWhatIsNotedOfAPicture) {
  const auto answerer = answerer_of(files_, 2);
  EXPECT_EQ(answerer->note("[A horn.]").kind(), StatusKind::invalid_argument) << "nothing was seen yet";
  see(*answerer, 1);
  const auto plain = answerer->answer(kQuestion, {}).value();
  ASSERT_TRUE(answerer->note("[A horn.]").ok());
  const auto noted = answerer->answer(kQuestion, {}).value();
  EXPECT_GT(noted.prompt_tokens, plain.prompt_tokens);
  EXPECT_NE(noted.token_log_probabilities, plain.token_log_probabilities);
  see(*answerer, 2);
  see(*answerer, 3);
  const auto gone = answerer->answer(kQuestion, {}).value();
  see(*answerer, 4);
  EXPECT_EQ(answerer->answer(kQuestion, {}).value().prompt_tokens, gone.prompt_tokens);
}

// If this fails, a model that only sees is given sound that it cannot read, or cannot be used any more.
TEST(PairThatOnlySees, SaysSo) {
  const auto files = tiny_pair("smolvlm-256m");
  if (!std::filesystem::exists(files.mmproj)) GTEST_SKIP() << no_tiny_pair(files);
  EXPECT_EQ(AudioEncoder::create(ModelPair::open(files).value()).status().kind(), StatusKind::unsupported);
  const auto answerer = answerer_of(files);
  EXPECT_FALSE(answerer->hears());
  EXPECT_EQ(answerer->sound_rate(), 0);
  see(*answerer, 1);
  EXPECT_EQ(answerer->hear(block(chord(1, 1)), {}).kind(), StatusKind::unsupported);
  EXPECT_TRUE(answerer->answer(kQuestion, {}).ok());
}

}  // namespace
}  // namespace saccade
