// What is kept of the sound, and when it belongs to.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sparsity/sound_memory.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kRate = 8000;

// `length` of sound of one level, from `start` on.
void hear(SoundMemory &memory, Duration start, Duration length, float level, int channels = 1,
          int rate = kRate) {
  const auto frames = static_cast<std::size_t>(to_seconds(length) * rate);
  const std::vector<float> samples(frames * static_cast<std::size_t>(channels), level);
  memory.add({samples, rate, channels, start});
}

int level_at(const SoundMemory &memory, Duration time) {
  const auto clip = memory.clip({time, time + milliseconds(1)});
  return clip.samples.empty() ? -1 : clip.samples.front();
}

// If it fails, a clip holds other sound than that of its time.
TEST(SoundMemory, GivesWhatWasHeardInAnInterval) {
  SoundMemory memory;
  hear(memory, seconds(1), seconds(1), 0.25F);
  hear(memory, seconds(2), seconds(1), 0.5F, 2);
  const auto clip = memory.clip({milliseconds(1900), milliseconds(2200)});
  EXPECT_EQ(clip.rate, kRate);
  EXPECT_EQ(clip.start, milliseconds(1900));
  EXPECT_EQ(clip.end(), milliseconds(2200));
  EXPECT_EQ(clip.samples.front(), 8192);
  EXPECT_EQ(clip.samples.back(), 16384);
  EXPECT_EQ(memory.clip({seconds(0), seconds(9)}).samples.size(), std::size_t{2 * kRate});
  EXPECT_EQ(memory.clip({seconds(5), seconds(9)}).rate, 0);
}

// If it fails, sound after a gap belongs to the wrong moment.
TEST(SoundMemory, AGapIsSilence) {
  SoundMemory memory;
  hear(memory, seconds(0), seconds(1), 1);
  memory.skip_to(seconds(2));
  hear(memory, seconds(3), seconds(1), 1);
  for (const auto time : {milliseconds(1500), milliseconds(2500)}) EXPECT_EQ(level_at(memory, time), 0);
  for (const auto time : {milliseconds(500), milliseconds(3500)}) EXPECT_EQ(level_at(memory, time), 32767);
}

// If it fails, a microphone's clock that runs a little fast ends in sound that is seconds off.
TEST(SoundMemory, ClocksThatDriftApartDoNotAddUp) {
  SoundMemory memory;
  for (int i = 0; i < 100; ++i) hear(memory, i * milliseconds(1010), seconds(1), i == 99 ? 1 : 0.5F);
  EXPECT_EQ(level_at(memory, 99 * milliseconds(1010) - milliseconds(20)), 16384);
  EXPECT_EQ(level_at(memory, 99 * milliseconds(1010) + milliseconds(1)), 32767);
}

// If it fails, a stream that starts again mixes old and new sound.
TEST(SoundMemory, AJumpBackOrAnotherRateStartsAnew) {
  SoundMemory memory;
  hear(memory, seconds(10), seconds(1), 1);
  hear(memory, seconds(2), seconds(1), 0.5F);
  EXPECT_EQ(memory.clip({seconds(10), seconds(11)}).rate, 0);
  EXPECT_EQ(level_at(memory, milliseconds(2500)), 16384);
  hear(memory, seconds(3), seconds(1), 1, 1, 16000);
  EXPECT_EQ(memory.clip({seconds(0), seconds(9)}).rate, 16000);
  EXPECT_EQ(level_at(memory, milliseconds(2500)), -1);
}

// If it fails, memory grows with the length of the stream, or what is forgotten is more than was said.
TEST(SoundMemory, KeepsNoMoreThanItSaysAndForgetsWhatItIsToldTo) {
  SoundMemory memory;
  const auto block = seconds(600);
  for (int i = 0; i < 4; ++i) hear(memory, i * block, block, 1);
  EXPECT_EQ(memory.clip({seconds(0), seconds(3000)}).samples.size(), SoundMemory::kMostSamples);
  EXPECT_EQ(memory.lost(), std::uint64_t{2400} * kRate - SoundMemory::kMostSamples);
  memory.forget_before(seconds(2399));
  EXPECT_EQ(memory.clip({seconds(0), seconds(3000)}).samples.size(), std::size_t{kRate});
  memory.skip_to(std::chrono::hours(24 * 365));
  EXPECT_EQ(memory.clip({seconds(0), std::chrono::hours(24 * 366)}).rate, 0);
}

// If it fails, a block without samples, or with impossible caps, brings the process down.
TEST(SoundMemory, TakesNonsense) {
  SoundMemory memory;
  memory.add({{}, kRate, 1, seconds(1)});
  memory.add({{}, 0, 0, seconds(1)});
  memory.skip_to(seconds(-5));
  EXPECT_EQ(memory.clip({seconds(2), seconds(1)}).rate, 0);
}

}  // namespace
}  // namespace saccade
