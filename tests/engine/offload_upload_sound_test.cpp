// What of a sound leaves the device: its newest, joined over the frames of a segment, as a WAV file.
#include "offload/upload/upload_sound.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "counting_sound.h"
#include "offload/chat/chat_question.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Byte by byte as the format has it. If this fails, no server can read what is sent, or it hears something
// else.
TEST(UploadSound, IsAWavFile) {
  const auto file = wav_file({8'000, {}, {1, -2, 0x1234}});
  const std::vector<std::uint8_t> expected = {'R', 'I', 'F', 'F', 42, 0, 0, 0,   'W', 'A', 'V', 'E', 'f',
                                              'm', 't', ' ', 16,  0,  0, 0, 1,   0,   1,   0,   64,  31,
                                              0,   0,   128, 62,  0,  0, 2, 0,   16,  0,   'd', 'a', 't',
                                              'a', 6,   0,   0,   0,  1, 0, 254, 255, 52,  18};
  EXPECT_EQ(file, expected);
  EXPECT_TRUE(wav_file({}).empty());
  EXPECT_TRUE(wav_file({48'000, {}, {}}).empty());
}

// If this fails, the router weighs another number of bytes than the one that is sent.
TEST(UploadSound, ItsBytesInARequestAreKnownBefore) {
  EXPECT_EQ(wav_bytes_in_request({}), 0U);
  const auto body = [](const SoundClip &clip) {
    return chat_request_head({"m", "q", {}, 1, wav_file(clip)}).size();
  };
  const auto around = body(counting(8'000, {}, 1)) - wav_bytes_in_request(counting(8'000, {}, 1));
  for (const std::size_t count : {2U, 3U, 4U, 1'000U, 48'000U})
    EXPECT_EQ(body(counting(8'000, {}, count)), around + wav_bytes_in_request(counting(8'000, {}, count)));
}

// If this fails, an hour of sound is sent with a picture, or its end, which the question is about, is cut.
TEST(UploadSound, IsTheNewestOfALongOne) {
  const auto clip = newest_to_upload(counting(8'000, seconds(5), 8'000 * 40));
  ASSERT_EQ(clip.samples.size(), 8'000U * 29);
  EXPECT_EQ(clip.start, seconds(16));
  EXPECT_EQ(clip.samples.back(), 8'000 * 40 % 30'000);
  EXPECT_EQ(newest_to_upload(counting(192'000, {}, 192'000 * 30)).samples.size(), kMostUploadSamples);
  EXPECT_EQ(newest_to_upload(counting(192'000, {}, 7)).samples.size(), 7U);
  EXPECT_EQ(newest_to_upload({48'000, seconds(1), {}}).rate, 0);
}

// If this fails, windows that overlap are heard twice, or those that do not are heard without their pause.
TEST(UploadSound, WindowsAreJoinedByTime) {
  const auto first = counting(1'000, seconds(1), 1'000);
  const auto overlapping = joined_sound(first, counting(1'000, milliseconds(1'600), 1'000, 601));
  EXPECT_EQ(overlapping.samples, counting(1'000, {}, 1'600).samples);
  EXPECT_EQ(overlapping.start, seconds(1));

  const auto apart = joined_sound(first, counting(1'000, milliseconds(2'003), 2));
  ASSERT_EQ(apart.samples.size(), 1'005U);
  EXPECT_EQ(std::accumulate(apart.samples.begin() + 1'000, apart.samples.end(), 0), 0 + 0 + 0 + 1 + 2);

  EXPECT_EQ(joined_sound(first, counting(1'000, milliseconds(1'200), 100)).samples, first.samples)
      << "nothing new";
  EXPECT_EQ(joined_sound({}, first).samples, first.samples);
  EXPECT_EQ(joined_sound(first, {}).samples, first.samples);
}

// If this fails, a seek or a microphone that is changed makes a mixture of two sounds.
TEST(UploadSound, WhatDoesNotJoinStandsAlone) {
  const auto first = counting(1'000, seconds(10), 1'000);
  for (const auto &other : {counting(2'000, seconds(11), 10, 7), counting(1'000, seconds(9), 10, 7),
                            counting(1'000, seconds(100), 10, 7)}) {
    const auto both = joined_sound(first, other);
    EXPECT_EQ(both.samples, other.samples);
    EXPECT_EQ(both.rate, other.rate);
    EXPECT_EQ(both.start, other.start);
  }
  EXPECT_EQ(joined_sound(counting(1'000, {}, 29'000), counting(1'000, seconds(29), 5'000)).samples.size(),
            29'000U);
}

}  // namespace
}  // namespace saccade
