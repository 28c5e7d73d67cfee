// The parts of saccade-server that need no model: what comes from outside is read with care.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "server/answer_pieces.h"
#include "server/last_used.h"
#include "server/picture.h"
#include "server/picture_cache.h"
#include "server/rate_limit.h"
#include "server/wav.h"
#include "server_testing.h"

namespace saccade {
namespace {

std::string joined(AnswerPieces pieces, const std::string &bytes, std::size_t step) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto piece = pieces.add(std::string_view(bytes).substr(at, step));
    EXPECT_TRUE(is_utf8(piece));
    text += piece;
  }
  const auto rest = pieces.finish();
  EXPECT_TRUE(is_utf8(rest));
  return text + rest;
}

// If this fails, a stream has half characters in it, or depends on where the model's tokens end.
TEST(AnswerPiecesTest, AreWholeCharactersHoweverTheyCome) {
  const std::string text = " \n a \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x9A\x97 z \n ";
  const std::string broken = "a\xFF\xC3(\xE2\x82";
  for (std::size_t step = 1; step < 9; ++step) {
    EXPECT_EQ(joined(AnswerPieces::trimmed(), text, step), "a \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x9A\x97 z");
    EXPECT_EQ(joined(AnswerPieces::exact(), text, step), text);
    EXPECT_EQ(joined(AnswerPieces::exact(), broken, step), joined(AnswerPieces::exact(), broken, 100));
    EXPECT_EQ(joined(AnswerPieces::trimmed(), " \n ", step), "");
  }
  EXPECT_EQ(joined(AnswerPieces::exact(), broken, 100), "a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(PictureTest, SizesAreReadFromHeads) {
  const auto image = plain_street(40, 30, true);
  for (const char *ending : {".png", ".jpg"}) {
    const auto file = picture_file(image, ending);
    const auto size = picture_size(file);
    ASSERT_TRUE(size) << ending;
    EXPECT_EQ(size->width, 40);
    EXPECT_EQ(size->height, 30);
    const auto decoded = decode_picture(file, 1200);
    ASSERT_TRUE(decoded.ok()) << decoded.status().message();
    EXPECT_EQ(decoded.value().width, 40);
    EXPECT_NEAR(decoded.value().rgb[0], image.rgb[0], 4);  // red, and not blue
    EXPECT_NEAR(decoded.value().rgb[2], image.rgb[2], 4);
    EXPECT_FALSE(decode_picture(file, 1199).ok());
    // Wherever it is cut off there is a sentence, or a picture, and no crash.
    for (std::size_t cut = 0; cut < file.size(); cut += 7)
      if (const auto part = decode_picture(file.substr(0, cut), 1200); !part.ok()) {
        EXPECT_EQ(part.status().kind(), StatusKind::invalid_argument);
      }
  }
  EXPECT_FALSE(picture_size("GIF89a"));
  EXPECT_FALSE(picture_size("\xFF\xD8\xFF"));
}

// If this fails, a head that lies about its size gets memory for it.
TEST(PictureTest, HugeHeadsAreNotBelieved) {
  auto file = picture_file(plain_street(40, 30, true), ".png");
  file[16] = '\x7F';
  const auto refused = decode_picture(file, 40'000'000);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().kind(), StatusKind::invalid_argument);
}

std::string little(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string wav(unsigned tag, unsigned channels, unsigned rate, unsigned bits, const std::string &data) {
  const auto frame = channels * bits / 8;
  const auto format = little(tag, 2) + little(channels, 2) + little(rate, 4) + little(rate * frame, 4) +
                      little(frame, 2) + little(bits, 2);
  return "RIFF" + little(0, 4) + "WAVEfmt " + little(16, 4) + format + "LIST" + little(3, 4) + "abc" +
         std::string(1, '\0') + "data" + little(static_cast<std::uint32_t>(data.size()), 4) + data;
}

constexpr auto kMinute = std::chrono::minutes(1);

TEST(WavTest, SamplesOfAllWidthsAreRead) {
  const auto first = [](const std::string &file) {
    const auto samples = decode_wav(file, 16'000, kMinute);
    EXPECT_TRUE(samples.ok()) << samples.status().message();
    return samples.ok() ? samples.value().front() : 9.0F;
  };
  EXPECT_FLOAT_EQ(first(wav(1, 1, 16'000, 8, little(192, 1))), 0.5F);
  EXPECT_FLOAT_EQ(first(wav(1, 1, 16'000, 16, little(0xC000, 2))), -0.5F);
  EXPECT_FLOAT_EQ(first(wav(1, 1, 16'000, 24, little(0x400000, 3))), 0.5F);
  EXPECT_FLOAT_EQ(first(wav(1, 1, 16'000, 32, little(0x40000000, 4))), 0.5F);
  EXPECT_FLOAT_EQ(first(wav(3, 1, 16'000, 32, little(0x3F000000, 4))), 0.5F);
  EXPECT_FLOAT_EQ(first(wav(1, 2, 16'000, 16, little(0x4000, 2) + little(0, 2))), 0.25F);
}

// If this fails, a sound of another rate is heard at another pitch.
TEST(WavTest, OtherRatesKeepTheirPitch) {
  for (const unsigned rate : {8'000U, 44'100U, 48'000U}) {
    std::string data;
    for (unsigned i = 0; i < rate; ++i)
      data += little(static_cast<std::uint32_t>(
                         static_cast<std::int16_t>(16'000 * std::sin(2 * std::numbers::pi * 200 * i / rate))),
                     2);
    const auto samples = decode_wav(wav(1, 1, rate, 16, data), 16'000, kMinute);
    ASSERT_TRUE(samples.ok());
    EXPECT_NEAR(static_cast<double>(samples.value().size()), 16'000, 2);
    int crossings = 0;
    for (std::size_t i = 1; i < samples.value().size(); ++i)
      crossings += (samples.value()[i - 1] < 0) != (samples.value()[i] < 0);
    EXPECT_NEAR(crossings, 400, 2);
  }
}

TEST(WavTest, WhatIsNoneIsRefused) {
  const auto file = wav(1, 2, 16'000, 16, std::string(64, 'x'));
  for (std::size_t cut = 0; cut < file.size(); ++cut)
    if (const auto part = decode_wav(file.substr(0, cut), 16'000, kMinute); !part.ok()) {
      EXPECT_EQ(part.status().kind(), StatusKind::invalid_argument);
    }
  EXPECT_FALSE(decode_wav(wav(1, 0, 16'000, 16, "ab"), 16'000, kMinute).ok());
  EXPECT_FALSE(decode_wav(wav(2, 1, 16'000, 16, "ab"), 16'000, kMinute).ok());
  EXPECT_FALSE(decode_wav(wav(1, 1, 1, 16, "ab"), 16'000, kMinute).ok());
  EXPECT_FALSE(decode_wav(wav(1, 1, 16'000, 16, ""), 16'000, kMinute).ok());
}

// If this fails, a request of a few megabytes makes the server take a gigabyte, or a sound's beginning is not
// heard and nobody says so.
TEST(WavTest, LongSoundsAreRefusedBeforeMemoryIsTakenForThem) {
  const auto playing = [](unsigned channels, std::size_t frames) {
    return decode_wav(wav(1, channels, 1'000, 8, std::string(frames * channels, 'x')), 16'000,
                      std::chrono::milliseconds(2'500));
  };
  for (const unsigned channels : {1U, 2U}) {
    EXPECT_TRUE(playing(channels, 2'500).ok());
    const auto refused = playing(channels, 2'501).status();
    EXPECT_EQ(refused.kind(), StatusKind::invalid_argument);
    EXPECT_NE(refused.message().find("2501 ms"), std::string::npos) << refused.message();
  }
}

// If this fails, the cache grows without end, or the wrong ones leave.
TEST(PictureCacheTest, WhatWasUsedLongestAgoLeaves) {
  const auto image = [](std::size_t floats) {
    auto tokens = std::make_shared<TokenSet>();
    tokens->values.resize(floats);
    return EncodedImage{{{{}, tokens}}, {}};
  };
  PictureCache cache(10 * sizeof(float));
  cache.add("a", image(4));
  cache.add("b", image(4));
  EXPECT_TRUE(cache.find("a"));
  cache.add("c", image(4));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  EXPECT_TRUE(cache.find("c"));
  cache.add("large", image(11));
  EXPECT_FALSE(cache.find("large"));
  EXPECT_NE(PictureCache::key_of(Sense::sight, "x"), PictureCache::key_of(Sense::sight, "y"));
  EXPECT_EQ(cache.find("a")->pieces.front().tokens, cache.find("a")->pieces.front().tokens);
}

// If this fails, two sessions that make the same at once push out what others still use.
TEST(LastUsedTest, WhatIsMadeTwiceIsKeptOnce) {
  LastUsed<int> kept(2);
  kept.add("a", 1, 1);
  kept.add("b", 2, 1);
  kept.add("b", 3, 1);
  EXPECT_EQ(kept.find("b"), 2);
  EXPECT_EQ(kept.find("a"), 1);
  kept.add("c", 4, 1);
  EXPECT_EQ(kept.find("b"), std::nullopt);
  EXPECT_EQ(kept.find("a"), 1);
}

TEST(RateLimitTest, BucketsFillSteadily) {
  RateLimit limit(2);
  const auto start = Clock::now();
  EXPECT_EQ(limit.ask("a", start), Duration::zero());
  EXPECT_EQ(limit.ask("a", start), Duration::zero());
  EXPECT_EQ(limit.ask("a", start), std::chrono::milliseconds(500));
  EXPECT_EQ(limit.ask("b", start), Duration::zero());
  EXPECT_EQ(limit.ask("a", start + std::chrono::milliseconds(500)), Duration::zero());
  EXPECT_GT(limit.ask("a", start + std::chrono::milliseconds(500)), Duration::zero());
  RateLimit none(0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(none.ask("a", start), Duration::zero());
  RateLimit many(1);
  for (int i = 0; i < 40'000; ++i) many.ask(std::to_string(i), start);
  EXPECT_GT(many.ask("39999", start), Duration::zero());
  EXPECT_EQ(many.ask("0", start), Duration::zero());  // forgotten: strangers do not fill the memory
}

}  // namespace
}  // namespace saccade
