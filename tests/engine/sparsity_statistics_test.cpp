#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "sparsity/camera_noise.h"
#include "sparsity/complexity.h"
#include "sparsity/difference_hash.h"
#include "sparsity/light.h"
#include "sparsity/modal_relevance.h"
#include "sparsity/patch_statistics.h"
#include "sparsity/sound_activity.h"
#include "sparsity/spatial_sparsity.h"
#include "sparsity/temporal_sparsity.h"
#include "sparsity_pictures.h"

namespace saccade {
namespace {

using test::ms;
using test::Picture;

// If it fails, some figure of the fused pass is wrong: here all of them can be checked by hand.
TEST(PatchStatistics, FourByFourPixelsByHand) {
  auto picture = Picture(4, 4, 10);
  picture.at(1, 0) = 30;  // in patch 0: 10 30 / 10 10
  PatchStatistics statistics;
  ASSERT_TRUE(statistics.measure(picture.frame(), {2, 2}).ok());
  const auto patch = statistics.patches()[0];
  EXPECT_EQ(patch.pixels, 4U);
  EXPECT_EQ(patch.sum, 60U);
  EXPECT_EQ(patch.sum_squares, 3U * 100 + 900);
  EXPECT_EQ(patch.gradient,
            20U + 20 + 20);  // across from x=0 and from x=1 (whose neighbour is in patch 1), and down
  EXPECT_DOUBLE_EQ(patch.mean(), 15);
  EXPECT_DOUBLE_EQ(patch.deviation(), std::sqrt(300 - 225));
  EXPECT_EQ(statistics.patches()[3].gradient, 0U);
  EXPECT_EQ(statistics.cells()[0], 15);
  EXPECT_EQ(statistics.cells()[3], 10);
}

// If it fails, half of a tall picture's rows say something else than all of them, or an RGB one's other rows
// are read.
TEST(PatchStatistics, HalfTheRowsOfATallPictureTellTheSame) {
  PatchStatistics tall;
  PatchStatistics less_tall;
  const auto picture = Picture(128, 720).stripes(8, 60, 180).noise(12, 5);
  ASSERT_TRUE(tall.measure(picture.frame(), {4, 4}).ok());
  ASSERT_TRUE(less_tall.measure(Picture(128, 716).stripes(8, 60, 180).noise(12, 5).frame(), {4, 4}).ok());
  for (std::size_t p = 0; p < 16; ++p) {
    const auto &half = tall.patches()[p];
    const auto &all = less_tall.patches()[p];
    EXPECT_EQ(half.pixels, 32U * 90) << p;
    EXPECT_EQ(all.pixels, 32U * 179) << p;
    EXPECT_NEAR(half.mean(), all.mean(), 0.5) << p;
    EXPECT_NEAR(half.mean_gradient(), all.mean_gradient(), 0.6) << p;
    EXPECT_NEAR(half.deviation(), all.deviation(), 1) << p;
  }
  std::vector<std::uint8_t> rgb;
  for (const auto v : picture.frame().pixels) rgb.insert(rgb.end(), {v, v, v});
  PatchStatistics coloured;
  ASSERT_TRUE(coloured.measure({PixelFormat::rgb8, 128, 720, 384, rgb, ms(0)}, {4, 4}).ok());
  for (std::size_t p = 0; p < 16; ++p) {
    EXPECT_NEAR(coloured.patches()[p].mean_gradient(), tall.patches()[p].mean_gradient(), 0.2) << p;
  }
  EXPECT_NEAR(coloured.laplacian_variance(), tall.laplacian_variance(), 0.02 * tall.laplacian_variance());
  ASSERT_TRUE(tall.measure(Picture(8, 720, 90).frame(), {720, 1}).ok());
  for (const auto &patch : tall.patches()) EXPECT_EQ(patch.pixels, 8U);
}

// If it fails, patches whose size does not divide the picture's lose or share pixels.
TEST(PatchStatistics, EveryPixelBelongsToExactlyOnePatch) {
  for (const auto &[w, h] : {std::pair{1, 1}, {7, 5}, {64, 64}, {100, 37}, {1, 50}, {333, 250}}) {
    PatchStatistics statistics;
    ASSERT_TRUE(statistics.measure(Picture(w, h, 3).frame(), {8, 8}).ok());
    std::uint64_t pixels = 0;
    std::uint64_t sum = 0;
    for (const auto &patch : statistics.patches()) {
      pixels += patch.pixels;
      sum += patch.sum;
      EXPECT_GT(patch.pixels, 0U);
    }
    EXPECT_EQ(pixels, static_cast<std::uint64_t>(w * h));
    EXPECT_EQ(sum, static_cast<std::uint64_t>(3 * w * h));
    for (const auto cell : statistics.cells()) EXPECT_EQ(cell, 3);
  }
}

// If it fails, tall patches overflow the 16-bit sums.
TEST(PatchStatistics, BrightTallPatchesDoNotOverflow) {
  auto picture = Picture(8, 2000, 255);
  for (int y = 0; y < 2000; y += 2) picture.fill(0, y, 8, 1, 0);
  PatchStatistics statistics;
  ASSERT_TRUE(statistics.measure(picture.frame(), {1, 1}).ok());
  EXPECT_EQ(statistics.patches()[0].sum, 8U * 500 * 255);  // of half of the rows
  EXPECT_EQ(statistics.patches()[0].sum_squares, 8ULL * 500 * 255 * 255);
  EXPECT_EQ(statistics.patches()[0].gradient, 8U * 999 * 255);
}

// If it fails, padding between rows is taken for picture, or RGB is read as grey.
TEST(PatchStatistics, ReadsPaddedRowsAndRgb) {
  const std::vector<std::uint8_t> padded{10, 20, 255, 255, 30, 40};
  PatchStatistics statistics;
  ASSERT_TRUE(statistics.measure({PixelFormat::gray8, 2, 2, 4, padded, {}}, {1, 1}).ok());
  EXPECT_EQ(statistics.patches()[0].sum, 100U);

  std::vector<std::uint8_t> rgb;
  for (int i = 0; i < 16; ++i) rgb.insert(rgb.end(), {255, 255, 255});
  ASSERT_TRUE(statistics.measure({PixelFormat::rgb8, 4, 4, 12, rgb, {}}, {1, 1}).ok());
  EXPECT_EQ(statistics.patches()[0].sum, 16U * 255);
}

// If it fails, a short or empty buffer is read past its end.
TEST(PatchStatistics, RefusesEmptyAndShortFrames) {
  PatchStatistics statistics;
  const std::vector<std::uint8_t> bytes(10);
  EXPECT_EQ(statistics.measure({PixelFormat::gray8, 0, 4, 4, bytes, {}}, {1, 1}).kind(),
            StatusKind::invalid_argument);
  EXPECT_EQ(statistics.measure({PixelFormat::gray8, 4, 4, 4, bytes, {}}, {1, 1}).kind(),
            StatusKind::invalid_argument);
  EXPECT_EQ(statistics.measure({PixelFormat::gray8, 5, 2, 4, bytes, {}}, {1, 1}).kind(),
            StatusKind::invalid_argument);
  EXPECT_EQ(statistics.measure({PixelFormat::gray8, 5, 2, 5, bytes, {}}, {0, 1}).kind(),
            StatusKind::invalid_argument);
}

// If it fails, a grid with more patches than pixels has empty patches.
TEST(PatchStatistics, GridShrinksToThePicture) {
  EXPECT_EQ(fit_grid({8, 8}, 3, 100), (PatchGrid{8, 3}));
  EXPECT_EQ(fit_grid({8, 8}, 1, 1), (PatchGrid{1, 1}));
}

// If it fails, something small in one corner of a large patch is averaged away.
TEST(PatchDifferences, TheQuarterThatDiffersMostCounts) {
  CellLayout layout{{1, 1}, 4, 4};
  std::vector<std::uint8_t> before(16, 100);
  auto after = before;
  for (const int i : {0, 1, 4, 5}) after[static_cast<std::size_t>(i)] = 120;
  float difference = 0;
  patch_differences(layout, after, before, 0, {&difference, 1});
  EXPECT_FLOAT_EQ(difference, 20);
  patch_differences(layout, after, before, 8, {&difference, 1});
  EXPECT_FLOAT_EQ(difference, 12);  // 8 of what the quarter has in common may be shade
  after[0] = after[5] = 80;
  patch_differences(layout, after, before, 8, {&difference, 1});
  EXPECT_FLOAT_EQ(difference, 20);  // an edge is none
}

// If it fails, hashes of equal pictures differ, or those of different pictures do not.
TEST(DifferenceHash, MatchesEqualAndTellsDifferent) {
  std::vector<std::uint8_t> rising(72);
  std::vector<std::uint8_t> falling(72);
  for (int i = 0; i < 72; ++i) {
    rising[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i % 9 * 20);
    falling[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>((8 - i % 9) * 20);
  }
  EXPECT_EQ(difference_hash(rising, 9, 8), 0U);
  EXPECT_EQ(difference_hash(falling, 9, 8), ~std::uint64_t{0});
  EXPECT_EQ(hash_distance(difference_hash(rising, 9, 8), difference_hash(falling, 9, 8)), 64);
  EXPECT_EQ(hash_distance(5, 5), 0);
}

// If it fails, a blank wall's noise looks like a new picture.
TEST(DifferenceHash, NoiseOnABlankWallFlipsHardlyABit) {
  std::array<std::uint8_t, 72> thumbnail{};
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    auto wall = Picture(180, 160, 128);
    wall.noise(8, seed);
    sample_thumbnail(wall.frame(), 9, 8, thumbnail);
    EXPECT_LE(hash_distance(difference_hash(thumbnail, 9, 8), 0), 3);  // a match of 0.95
  }
}

// If it fails, Hoyer's formula is wrong: one active patch of four is fully sparse, four equal ones not at
// all.
TEST(SpatialSparsity, HoyerByHand) {
  const std::vector<float> one{1, 0, 0, 0};
  const std::vector<float> all{1, 1, 1, 1};
  const std::vector<float> two{1, 1, 0, 0};
  EXPECT_DOUBLE_EQ(hoyer_sparsity(one), 1);
  EXPECT_DOUBLE_EQ(hoyer_sparsity(all), 0);
  EXPECT_NEAR(hoyer_sparsity(two), 2 - std::sqrt(2.0), 1e-9);
  EXPECT_DOUBLE_EQ(hoyer_sparsity(std::vector<float>{0, 0}), 1);
  EXPECT_DOUBLE_EQ(hoyer_sparsity(std::vector<float>{0.5F}), 0);
}

double spatial_sparsity_of(const Picture &picture, std::vector<float> &activity) {
  PatchStatistics statistics;
  EXPECT_TRUE(statistics.measure(picture.frame(), {4, 4}).ok());
  activity.resize(16);
  SpatialSparsity spatial;
  return spatial.measure(statistics.patches(), activity);
}

// If it fails, the measure is blind to contrast: a noisy blank picture looks as full as a street.
TEST(SpatialSparsity, ANoisyBlankPictureIsSparseAndAStripedOneIsNot) {
  std::vector<float> activity;
  EXPECT_GT(spatial_sparsity_of(Picture(64, 64, 128), activity), 0.99);
  EXPECT_GT(spatial_sparsity_of(Picture(64, 64, 128).noise(3, 1), activity), 0.8);
  EXPECT_LT(spatial_sparsity_of(Picture(64, 64).stripes(2, 40, 200), activity), 0.1);
  const double corner = spatial_sparsity_of(Picture(64, 64, 128).fill(2, 2, 6, 6, 255), activity);
  EXPECT_GT(corner, 0.8);
  EXPECT_GT(activity[0], 0.3F);
  EXPECT_LT(activity[15], 0.01F);
}

// If it fails, differences are scaled wrongly: below the floor nothing, at full_change one.
TEST(TemporalSparsity, ChangeByHand) {
  const TemporalSettings settings{.noise_floor = 2, .full_change = 48};
  std::vector<float> d{1, 2, 25, 48, 100, 10, 30};
  const std::vector<float> floors{2, 2, 2, 2, 2, 12, 12};
  differences_to_change(d, floors, settings);
  EXPECT_EQ(d, (std::vector<float>{0, 0, 0.5F, 1, 1, 0, 0.5F}));
  EXPECT_NEAR(temporal_sparsity(d), 1 - 3.0 / 7, 1e-6);
}

// 256 cells from dark to bright.
std::vector<std::uint8_t> ramp(double gain = 1, double offset = 0) {
  std::vector<std::uint8_t> cells(256);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i] = static_cast<std::uint8_t>(std::lround(gain * (40 + static_cast<double>(i) / 2) + offset));
  }
  return cells;
}

int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  int most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

// If it fails, a camera's automatic exposure or a flickering lamp counts as a change of everything.
TEST(LightCompensation, GainAndOffsetAreTakenOut) {
  LightCompensation light;
  const auto reference = ramp();
  int step = 0;
  for (const auto &[gain, offset] :
       {std::pair{1.0, 0.0}, {1.0, 9.0}, {1.0, -9.0}, {0.75, 0.0}, {1.3, -5.0}}) {
    EXPECT_LE(largest_difference(light.apply(ramp(gain, offset), reference, ms(100 * step++)), reference), 1)
        << gain;
  }
}

// If it fails, a lamp that was switched off, or a cut, is taken for exposure.
TEST(LightCompensation, WhatLightCannotExplainStays) {
  LightCompensation light;
  const auto reference = ramp();
  EXPECT_EQ(largest_difference(light.apply(ramp(0.3), reference, ms(0)), ramp(0.3)), 0);
  auto cut = reference;
  std::reverse(cut.begin(), cut.end());
  EXPECT_EQ(largest_difference(light.apply(cut, reference, ms(100)), cut), 0);
  auto object = ramp(1, 6);  // the light changes while something covers two fifths of the picture
  for (std::size_t i = 0; i < 100; ++i) object[i] = i % 2 ? 250 : 5;
  const auto seen = light.apply(object, reference, ms(200));
  EXPECT_LE(largest_difference(seen.subspan(100), std::span(reference).subspan(100)), 1);
  EXPECT_GT(largest_difference(seen.first(100), std::span(reference).first(100)), 90);
}

// If it fails, dusk is compensated for ever and never seen, or a flicker adds up to a lasting change.
TEST(LightCompensation, LastingLightIsTold) {
  LightCompensation light;
  const auto reference = ramp();
  for (int i = 0; i < 100; ++i) light.apply(ramp(1, i % 2 ? 8 : -8), reference, ms(i * 100));
  EXPECT_LT(std::abs(light.lasting()), 2);
  for (int i = 100; i < 300; ++i) light.apply(ramp(1, -20), reference, ms(i * 100));
  EXPECT_NEAR(light.lasting(), -20, 1);
  light.accept();
  EXPECT_EQ(light.lasting(), 0);
}

// If it fails, a noisy camera's pictures all differ, or motion is taken for noise.
TEST(CameraNoise, FollowsTheSensorAndNotWhatMoves) {
  CameraNoise camera;
  Picture picture(64, 64, 100);
  std::uint32_t seed = 1;
  Picture previous = picture;
  const auto look = [&](int amplitude) {
    auto noisy = picture;
    noisy.noise(amplitude, seed++);
    camera.learn(previous.frame().pixels, noisy.frame().pixels);
    previous = noisy;
  };
  for (int i = 0; i < 60; ++i) look(0);
  EXPECT_LT(camera.noise(), 0.1);
  for (int i = 0; i < 60; ++i) look(6);
  const double sensor = camera.noise();
  EXPECT_GT(sensor, 3);
  picture.fill(0, 0, 8, 64, 255);
  look(6);
  EXPECT_NEAR(camera.noise(), sensor, 1);
}

// If it fails, leaves in the wind cost an encode a frame, or a slow shadow is never seen.
TEST(CameraNoise, AWaveringPatchNeedsMoreAndASlowOneDoesNot) {
  CameraNoise camera;
  const PatchMap none{0, 0, 0};
  for (int i = 0; i < 80; ++i) {
    const float wavering = i % 2 ? 9 : 2;
    const float creeping = 0.1F * static_cast<float>(i);
    const std::vector<float> differences{wavering, creeping, i % 2 ? 90.0F : 20.0F};
    camera.learn_unrest(differences, none);
  }
  std::vector<float> floors(3);
  camera.floors(2, floors);
  EXPECT_GT(floors[0], 9);
  EXPECT_EQ(floors[1], 2);
  EXPECT_EQ(floors[2], 2) << "what moves is no noise";
}

// If it fails, the standing question no longer decides which modality matters.
TEST(ModalRelevance, FollowsTheQuestion) {
  EXPECT_EQ(relevance_of(""), (ModalRelevance{1, 0.5, false}));
  EXPECT_EQ(relevance_of("Is it safe to cross?"), (ModalRelevance{1, 0.2, false}));
  EXPECT_EQ(relevance_of("Do you HEAR a siren?"), (ModalRelevance{0.3, 1, false}));
  EXPECT_EQ(relevance_of("What does the sign say?").reading, true);
  EXPECT_EQ(relevance_of("Who is shouting, and where?"), (ModalRelevance{1, 1, false}));
  EXPECT_GT(threshold_for(0.1, 0.3), threshold_for(0.1, 1));
}

// If it fails, the route hint cannot tell a blank wall from a crowd.
TEST(Complexity, GrowsFromBlankToCrowded) {
  const auto total = [](const Picture &picture) {
    PatchStatistics statistics;
    EXPECT_TRUE(statistics.measure(picture.frame(), {8, 8}).ok());
    return complexity_of(statistics).total();
  };
  const double blank = total(Picture(128, 128, 90));
  const double noisy = total(Picture(128, 128, 90).noise(3, 7));
  const double crowd = total(Picture(128, 128, 90).noise(90, 7));
  EXPECT_LT(blank, 0.01);
  EXPECT_LT(noisy, 0.4);
  EXPECT_GT(crowd, 0.75);
  EXPECT_LE(crowd, 1);
}

// If it fails, a long question about many named things is taken for as simple as "Is there a car?".
TEST(Complexity, OfAQuestionGrowsWithLengthAndWithWhatItNames) {
  EXPECT_EQ(text_complexity_of(""), 0);
  const double simple = text_complexity_of("Is there a car?");
  EXPECT_LT(simple, 0.1);
  const double named = text_complexity_of("Did Anna take bus 42 to \"North End\"?");
  EXPECT_GT(named, 0.5);
  std::string question;
  for (int i = 0; i < 40; ++i) question += "and then what is it that they do there ";
  EXPECT_NEAR(text_complexity_of(question), 0.5, 1e-9);
  EXPECT_EQ(text_complexity_of("Où est lécole? Ici."), text_complexity_of("aa aaa aaaaaa aaa"));
}

std::vector<float> tone(double hz, double amplitude, double seconds, int rate = 16000) {
  std::vector<float> samples(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] =
        static_cast<float>(amplitude * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate));
  }
  return samples;
}

// If it fails, a sound that begins is not heard, or one that goes on is heard for ever.
TEST(SoundActivity, HearsANewSoundAndGetsUsedToIt) {
  SoundActivity sound;
  sound.add({tone(300, 0.01, 3), 16000, 1, ms(0)});
  EXPECT_LT(sound.over({ms(500), ms(3000)}).activity, 0.1);
  sound.add({tone(2000, 0.3, 6), 16000, 1, ms(3000)});
  EXPECT_GT(sound.over({ms(3000), ms(3200)}).activity, 0.9);
  EXPECT_LT(sound.over({ms(8000), ms(9000)}).activity, 0.1);
  EXPECT_NEAR(to_seconds(sound.heard_until()), 9, 0.05);
}

// If it fails, sound that comes in blocks shorter than a hop is never heard at all.
TEST(SoundActivity, HearsBlocksShorterThanAHop) {
  SoundActivity sound;
  for (int i = 0; i < 200; ++i) {
    sound.add({tone(1000, i < 100 ? 0.001 : 0.5, 0.01), 16000, 1, ms(10 * i)});
  }
  EXPECT_GT(sound.over({ms(1000), ms(1200)}).activity, 0.9);
  EXPECT_NEAR(to_seconds(sound.heard_until()), 2, 0.05);
}

// If it fails, a rustle in a silent room counts as an event.
TEST(SoundActivity, SilenceHasAFloor) {
  SoundActivity sound;
  sound.add({tone(300, 0, 1), 16000, 1, ms(0)});
  sound.add({tone(300, 0.0001, 1), 16000, 1, ms(1000)});
  EXPECT_LT(sound.over({ms(0), ms(2000)}).activity, 0.1);
}

// If it fails, memory grows for as long as the stream runs, or a file's sound, which is read before its
// pictures, is lost.
TEST(SoundActivity, RemembersWhatNobodyHasAskedForYet) {
  SoundActivity sound;
  const auto second = tone(500, 0.1, 1);
  for (int i = 0; i < 30; ++i) sound.add({second, 16000, 1, ms(i * 1000)});
  EXPECT_GT(sound.over({ms(0), ms(1000)}).level_db, -30);
  sound.forget_before(ms(20000));
  EXPECT_EQ(sound.over({ms(0), ms(19000)}).level_db, -120);
  EXPECT_GT(sound.over({ms(25000), ms(30000)}).level_db, -30);
}

// If it fails, a horn among beeps is not heard, or each beep counts as an event of its own.
TEST(SoundActivity, AnotherSoundIsNewAndTheNextBeepIsNot) {
  SoundActivity sound;
  const auto beep = tone(900, 0.1, 0.1);
  const auto pause = tone(900, 0.0001, 0.1);
  int at = 0;
  for (; at < 3000; at += 200) {
    sound.add({beep, 16000, 1, ms(at)});
    sound.add({pause, 16000, 1, ms(at + 100)});
  }
  EXPECT_LT(sound.over({ms(1000), ms(3000)}).novelty, 0.1);
  EXPECT_GT(sound.over({ms(1000), ms(3000)}).activity, 0.5);
  auto both = tone(3000, 0.2, 0.2);
  sound.add({both, 16000, 1, ms(at)});
  EXPECT_GT(sound.over({ms(3000), ms(3200)}).novelty, 0.9);
}

// If it fails, gaps, jumps and odd blocks break the analysis.
TEST(SoundActivity, TakesGapsJumpsAndOddBlocks) {
  SoundActivity sound;
  sound.add({{}, 0, 0, ms(0)});
  sound.add({tone(500, 0.1, 0.5), 16000, 1, ms(0)});
  sound.skip_to(ms(2000));
  EXPECT_EQ(sound.heard_until(), ms(2000));
  sound.add({tone(500, 0.1, 0.5), 16000, 1, ms(2000)});
  EXPECT_GT(sound.heard_until(), ms(2400));
  sound.add({tone(500, 0.1, 0.5), 8000, 2, ms(100)});  // back in time, another rate and another layout
  EXPECT_LT(sound.heard_until(), ms(1000));
}

}  // namespace
}  // namespace saccade
