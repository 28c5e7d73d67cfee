// localmllm and the sound that a gate hands on with a picture: what of it the model is given.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numbers>
#include <string>
#include <vector>

#include "common/metas.h"
#include "localmllm/model_sound.h"
#include "localmllm_testing.h"

namespace saccade::gst {
namespace {

SoundClip tone(int rate, double seconds, double hertz) {
  SoundClip clip{rate, {}, {}};
  clip.samples.resize(static_cast<std::size_t>(std::lround(rate * seconds)));
  for (std::size_t i = 0; i < clip.samples.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hertz * static_cast<double>(i) / rate;
    clip.samples[i] = static_cast<std::int16_t>(std::lround(16'000 * std::sin(phase)));
  }
  return clip;
}

// --- samples for the model ------------------------------------------------------------------------------

// If this fails, the model hears another pitch, another loudness, or the sound at another time.
TEST(ModelSound, IsWhatWasHeardAtAnyRate) {
  constexpr int kRate = 16'000;
  for (const int rate : {8'000, 16'000, 22'050, 44'100, 48'000, 192'000}) {
    SCOPED_TRACE(rate);
    const auto found = sound_for_model(tone(rate, 0.5, 440), kRate);
    ASSERT_EQ(found.size(), 8'000U);
    // Its ends are smoothed, since the resampler sees the silence around it, and between rates it may shift
    // by a quarter of a sample, which is 0.02 here.
    for (std::size_t i = 400; i + 400 < found.size(); ++i) {
      const double phase = 2 * std::numbers::pi * 440 * static_cast<double>(i) / kRate;
      ASSERT_NEAR(found[i], 16'000 / 32'768.0 * std::sin(phase), 0.04) << i;
    }
  }
}

// If this fails, a very long window costs as much as all of it, or its end is what is cut.
TEST(ModelSound, IsTheNewestOfALongWindow) {
  auto clip = tone(8'000, 40, 300);
  std::fill(clip.samples.end() - 8'000, clip.samples.end(), std::int16_t{0});
  const auto found = sound_for_model(clip, 16'000);
  ASSERT_EQ(found.size(), 478'400U);
  EXPECT_EQ(found.back(), 0.0F);
  EXPECT_EQ(found[found.size() - 8'000], 0.0F);
}

TEST(ModelSound, IsNothingWhereThereIsNone) {
  EXPECT_TRUE(sound_for_model({}, 16'000).empty());
  EXPECT_TRUE(sound_for_model({48'000, {}, {}}, 16'000).empty());
  EXPECT_TRUE(sound_for_model(tone(48'000, 1, 440), 0).empty());
  EXPECT_TRUE(sound_for_model({48'000, {}, {1}}, 16'000).empty());
  EXPECT_EQ(sound_for_model({16'000, {}, {1}}, 16'000).size(), 1U);
}

// --- in the element -------------------------------------------------------------------------------------

struct Heard {
  int prompt_tokens = 0;
  int tokens_seen = 0;
};

// What the answer about one picture with this sound says of its prompt.
Heard answer_about(const SoundClip &clip, const std::string &settings, bool sound_active = false) {
  auto buffer = gated(1, true);
  auto report = *get_mas(buffer.get());
  report.sound_active = sound_active;
  set_mas(buffer.get(), report);
  if (clip.rate > 0) set_audio(buffer.get(), clip);
  Mind mind(settings);
  mind.push(std::move(buffer));
  const auto answers = mind.finish();
  Heard heard;
  EXPECT_EQ(answers.size(), 1U);
  if (answers.empty()) return heard;
  const auto *structure =
      gst_custom_meta_get_structure(gst_buffer_get_custom_meta(answers[0].get(), kAnswerMetaName));
  gst_structure_get_int(structure, "prompt-tokens", &heard.prompt_tokens);
  gst_structure_get_int(structure, "tokens-seen", &heard.tokens_seen);
  return heard;
}

class LocalMllmThatHears : public testing::Test {
 protected:
  void SetUp() override {
    const char *folder = std::getenv("SACCADE_TINY_PAIRS");
    const std::string stem =
        (folder ? std::string(folder) : std::string("tiny-pairs")) + "/tiny-qwen2.5-omni-3b";
    if (!std::filesystem::exists(stem + "-mmproj.gguf"))
      GTEST_SKIP() << stem << "-mmproj.gguf is not there. Make it: SACCADE_LLAMA_SOURCE=a llama.cpp source "
                   << "tree python3 samples/training/random_model.py all --tiny --out FOLDER, and name the "
                   << "folder in SACCADE_TINY_PAIRS";
    settings_ = "model=\"" + stem + "-text.gguf\",mmproj=\"" + stem + "-mmproj.gguf\",threads=1,max-tokens=4";
  }

  std::string settings_;
};

// If this fails, the gate hands on sound and the model never hears it, or hears more of it than there was.
TEST_F(LocalMllmThatHears, TheWindowReachesTheModel) {
  const auto silent = answer_about({}, settings_);
  constexpr int kAnnounced = 2;  // begin and end
  for (const int rate : {16'000, 48'000}) {
    const auto heard = answer_about(tone(rate, 3, 440), settings_);
    EXPECT_EQ(heard.prompt_tokens, silent.prompt_tokens + 75 + kAnnounced) << rate;
    EXPECT_EQ(heard.tokens_seen, silent.tokens_seen);
  }
  EXPECT_EQ(answer_about(tone(16'000, 40, 440), settings_).prompt_tokens,
            silent.prompt_tokens + 748 + kAnnounced);
  EXPECT_EQ(answer_about(tone(16'000, 3, 440), settings_ + ",sound=none").prompt_tokens,
            silent.prompt_tokens);
}

// If this fails, sound=text is read beside the sound itself.
TEST_F(LocalMllmThatHears, IsToldInsteadWhereThatIsWanted) {
  const auto silent = answer_about({}, settings_);
  const auto told = answer_about(tone(16'000, 3, 440), settings_ + ",sound=text");
  EXPECT_GT(told.prompt_tokens, silent.prompt_tokens);
  EXPECT_EQ(told.prompt_tokens, answer_about({}, settings_ + ",sound=text", true).prompt_tokens);
}

// If this fails, the answers of the pairs that ship with the project change when a microphone is plugged in.
TEST(LocalMllm, TellsAModelThatOnlySeesOfASoundWhenItIsAskedTo) {
  const auto clip = tone(48'000, 3, 440);
  const auto silent = answer_about({}, "");
  EXPECT_GT(silent.prompt_tokens, 0);
  EXPECT_EQ(answer_about(clip, "", true).prompt_tokens, silent.prompt_tokens);
  EXPECT_EQ(answer_about(clip, "sound=none", true).prompt_tokens, silent.prompt_tokens);
  EXPECT_EQ(answer_about({}, "sound=text", false).prompt_tokens, silent.prompt_tokens);
  const auto told = answer_about(clip, "sound=text", true);
  EXPECT_GT(told.prompt_tokens, silent.prompt_tokens);
  EXPECT_EQ(answer_about({}, "sound=text", true).prompt_tokens, told.prompt_tokens);
}

}  // namespace
}  // namespace saccade::gst
