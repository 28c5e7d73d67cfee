#include <gtest/gtest.h>
#include <malloc.h>

#include "sparsity_gate.h"
#include "sparsity_pictures.h"

namespace saccade {
namespace {

using test::Gate;
using test::grid;
using test::kEncoder;
using test::ms;
using test::Picture;

// If it fails, the first picture is not encoded, or a still one is encoded again and again.
TEST(MasGate, TheFirstPictureIsNeededAsAWholeAndAStillOneIsNot) {
  Gate g;
  const auto picture = Picture(64, 64).stripes(8, 60, 180);
  const auto first = g.look_and_encode(picture);
  EXPECT_TRUE(first.needed);
  EXPECT_EQ(first.frame, 1U);
  EXPECT_EQ(first.refresh_count(), 64);
  for (int i = 0; i < 50; ++i) {
    const auto next = g.look_and_encode(picture);
    EXPECT_FALSE(next.needed);
    EXPECT_EQ(next.temporal, 1);
    EXPECT_EQ(next.frame, static_cast<std::uint64_t>(i + 2));
  }
}

// If it fails, the wrong patches are encoded again.
TEST(MasGate, OnlyThePatchThatChangedIsRefreshed) {
  Gate g(grid(4, 4));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  picture.fill(34, 18, 10, 10, 200);  // row 1, column 2
  const auto report = g.look_and_encode(picture);
  EXPECT_TRUE(report.needed);
  EXPECT_EQ(report.refresh_count(), 1);
  EXPECT_EQ(report.refresh[1 * 4 + 2], 255);
  EXPECT_GT(report.change[1 * 4 + 2], 100);
  EXPECT_NE(report.reason.find("row 2 column 3"), std::string::npos) << report.reason;
  EXPECT_FALSE(g.look_and_encode(picture).needed);
}

// If it fails, slow drift is never seen: each frame differs from the one before by less than any threshold.
TEST(MasGate, SlowDriftFiresInTheEnd) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 60);
  g.look_and_encode(picture);
  int needed = 0;
  for (int i = 1; i <= 300; ++i) {
    picture.fill(0, 0, 32, 32, 60 + i / 5);
    needed += g.look_and_encode(picture).needed;
  }
  EXPECT_GE(needed, 4);
  EXPECT_LE(needed, 30);
}

// If it fails, nightfall, which darkens everything alike, is taken for flicker for ever.
TEST(MasGate, SlowDriftOfTheWholePictureFiresToo) {
  Gate g;
  int needed = 0;
  for (int i = 0; i <= 500; ++i)
    needed += g.look_and_encode(Picture(64, 64).stripes(8, 120, 220).add(-i / 5)).needed;
  EXPECT_GE(needed, 4);
  EXPECT_LE(needed, 20);
}

// If it fails, what moved is not seen where it came to rest: hysteresis per patch is missing.
TEST(MasGate, AChangeIsFollowedUntilItSettles) {
  Gate g(grid(1, 1));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  EXPECT_FALSE(g.look_and_encode(picture.add(6)).needed);  // d = 0.08, under the threshold of 0.12
  EXPECT_TRUE(g.look_and_encode(picture.add(30)).needed);  // and now over it
  EXPECT_TRUE(g.look_and_encode(picture.add(6)).needed);  // the same small change counts while it is settling
  EXPECT_FALSE(g.look_and_encode(picture.add(1)).needed);
  EXPECT_FALSE(g.look_and_encode(picture.add(4)).needed);
}

// If it fails, a queue that leaks silently makes a change vanish for ever.
TEST(MasGate, WhatNobodySpokeOfInTimeIsSentAgain) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);  // from now on the gate knows that somebody listens
  picture.fill(0, 0, 32, 32, 200);
  EXPECT_TRUE(g.look(picture).needed);
  for (int i = 0; i < 19; ++i) EXPECT_FALSE(g.look(picture).needed) << i;
  const auto again = g.look(picture);
  EXPECT_TRUE(again.needed);
  EXPECT_EQ(again.refresh_count(), 1);
  EXPECT_EQ(again.refresh[0], 255);
  g.gate.committed(again.frame, again.refresh, kEncoder);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(g.look(picture).needed) << i;
  EXPECT_EQ(g.gate.counts().sent_again, 1U);
}

// If it fails, a change that a consumer says it dropped waits for the timeout, or for ever.
TEST(MasGate, WhatWasDroppedIsSentAgainAtOnceEvenIfItChangedBack) {
  Gate g(grid(2, 2));
  const auto before = Picture(64, 64, 100);
  auto after = before;
  after.fill(0, 0, 32, 32, 200);
  g.look_and_encode(before);
  g.gate.dropped(g.look(after).frame, kEncoder);
  const auto again = g.look(before);
  EXPECT_TRUE(again.needed);
  EXPECT_EQ(again.refresh[0], 255);
  EXPECT_NE(again.reason.find("sent again"), std::string::npos) << again.reason;
}

// If it fails, the change is lost when it is dropped many times in a row.
TEST(MasGate, ALeakyQueueThatDropsNineOfTenLosesNoChange) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  picture.fill(32, 32, 32, 32, 220);
  int sent = 0;
  bool encoded = false;
  for (int i = 0; i < 20 && !encoded; ++i) {
    const auto report = g.look(picture);
    ASSERT_TRUE(report.needed) << i;
    ASSERT_EQ(report.refresh[3], 255);
    encoded = ++sent == 10;
    if (encoded) {
      g.gate.committed(report.frame, report.refresh, kEncoder);
    } else {
      g.gate.dropped(report.frame, kEncoder);
    }
  }
  EXPECT_FALSE(g.look(picture).needed);
}

// If it fails, a frame lost between two that were encoded is only noticed at the timeout.
TEST(MasGate, ALaterCommitTellsThatAnEarlierFrameWasLost) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  g.look(picture.fill(0, 0, 32, 32, 200));  // lost silently
  const auto later = g.look(picture.fill(32, 32, 32, 32, 200));
  g.gate.committed(later.frame, later.refresh, kEncoder);
  const auto again = g.look(picture);
  EXPECT_TRUE(again.needed);
  EXPECT_EQ(again.refresh, (PatchMap{255, 0, 0, 0}));
}

// If it fails, a patch counts as seen although one of two models never saw it.
TEST(MasGate, TwoConsumersBothMustHaveAPatch) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  const auto first = g.look(picture);
  g.gate.committed(first.frame, {}, "a");
  g.gate.committed(first.frame, {}, "b");
  const auto changed = g.look(picture.fill(0, 0, 32, 32, 200));
  g.gate.committed(changed.frame, changed.refresh, "a");
  g.gate.dropped(changed.frame, "b");
  const auto again = g.look(picture);
  EXPECT_TRUE(again.needed);
  g.gate.committed(again.frame, again.refresh, "a");
  g.gate.committed(again.frame, again.refresh, "b");
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(g.look(picture).needed);
}

// If it fails, a branch that was unlinked keeps everybody else's patches pending for ever.
TEST(MasGate, AConsumerThatLeftIsForgotten) {
  Gate g({.grid = {2, 2}, .max_age = Duration::zero()});
  auto picture = Picture(64, 64, 100);
  const auto first = g.look(picture);
  g.gate.committed(first.frame, {}, kEncoder);
  g.gate.committed(first.frame, {}, "gone");
  int luma = 100;
  int needed_late = 0;
  for (int i = 0; i < 400; ++i) {
    if (i % 100 == 0) picture.fill(0, 0, 32, 32, luma += 30);
    const auto report = g.look_and_encode(picture);
    if (i > 305) needed_late += report.needed;
  }
  EXPECT_EQ(needed_late, 0);
}

// If it fails, a gate without a talking encoder behind it asks for the same patches for ever.
TEST(MasGate, WithoutAnyConsumerWhatWasSentCommitsItself) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  EXPECT_TRUE(g.look(picture).needed);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(g.look(picture).needed);
  EXPECT_EQ(g.gate.counts().pending, 0U);
  EXPECT_TRUE(g.look(picture.fill(0, 0, 32, 32, 200)).needed);
}

// If it fails, an encoder slower than the timeout never gets its late commit counted.
TEST(MasGate, ALateCommitStillCounts) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  const auto changed = g.look(picture.fill(0, 0, 32, 32, 200));
  for (int i = 0; i < 20; ++i) g.look(picture);  // times out and is sent again on the way
  g.gate.committed(changed.frame, changed.refresh, kEncoder);
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(g.look(picture).needed);
}

// If it fails, memory grows when nobody downstream keeps up.
TEST(MasGate, PendingFramesAreBounded) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64);
  g.look_and_encode(picture);
  for (int i = 0; i < 200; ++i) {
    g.look(picture.noise(120, static_cast<std::uint32_t>(i)));
    EXPECT_LE(g.gate.counts().pending, CommittedReference::kMostPending);
  }
}

// If it fails, commits of foreign frames or of a foreign grid corrupt the reference or crash.
TEST(MasGate, ForeignCommitsAreHarmless) {
  Gate g(grid(2, 2));
  g.gate.committed(77, {}, kEncoder);
  g.gate.dropped(78, kEncoder);
  auto picture = Picture(64, 64, 100);
  const auto first = g.look(picture);
  g.gate.committed(first.frame, PatchMap(9, 255), kEncoder);  // all of another grid: all
  EXPECT_FALSE(g.look(picture).needed);
  const auto changed = g.look(picture.fill(0, 0, 32, 32, 200));
  PatchMap some(9, 255);
  some[3] = 0;
  g.gate.committed(changed.frame, some, kEncoder);  // a part of another grid: nobody knows which
  EXPECT_TRUE(g.look(picture).needed);
}

// If it fails, a very old picture is never looked at again.
TEST(MasGate, OldPatchesAreRefreshed) {
  Gate g({.grid = {2, 2}, .max_age = ms(3000)});
  const auto picture = Picture(64, 64, 100);
  int needed = 0;
  for (int i = 0; i < 100; ++i) needed += g.look_and_encode(picture).needed;
  EXPECT_EQ(needed, 4);
}

// If it fails, patches that were encoded one after the other grow old one after the other, and each has a
// frame sent.
TEST(MasGate, PatchesThatGrowOldAreRefreshedTogether) {
  Gate g({.grid = {4, 4}, .max_age = ms(4000), .motion_interval = Duration::zero()});
  auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  for (int p = 0; p < 16; ++p) {
    EXPECT_TRUE(g.look_and_encode(picture.fill(p % 4 * 16, p / 4 * 16, 16, 16, 150)).needed);
  }
  int needed = 0;
  for (int i = 0; i < 45; ++i) needed += g.look_and_encode(picture).needed;
  EXPECT_EQ(needed, 1);
}

// If it fails, changes that were lost are not sent again when no new frame comes.
TEST(MasGate, RevisitSendsWhatWasLost) {
  Gate g(grid(2, 2));
  auto picture = Picture(64, 64, 100);
  EXPECT_FALSE(g.gate.revisit(ms(0), {}).has_value());
  g.look_and_encode(picture);
  EXPECT_FALSE(g.gate.revisit(g.now, {}).has_value());
  const auto changed = g.look(picture.fill(0, 0, 32, 32, 200));
  g.gate.dropped(changed.frame, kEncoder);
  const auto again = g.gate.revisit(g.now, {});
  ASSERT_TRUE(again.has_value());
  EXPECT_GT(again->frame, changed.frame);
  EXPECT_EQ(again->refresh, (PatchMap{255, 0, 0, 0}));
  EXPECT_FALSE(g.gate.revisit(g.now, {}).has_value());
}

// If it fails, a sound in front of a still picture gets no answer, or gets one per frame.
TEST(MasGate, SoundWakesAStillPictureOnce) {
  Gate g({.grid = {2, 2}, .question = "Do you hear a siren?"});
  const auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  const SoundReading quiet{.present = true, .level_db = -60};
  const SoundReading loud{.present = true, .activity = 0.9, .level_db = -20};
  EXPECT_FALSE(g.look(picture, {.present = true, .activity = 0.1}).needed);
  const auto woken = g.look(picture, loud);
  EXPECT_TRUE(woken.needed);
  EXPECT_EQ(woken.refresh_count(), 0);
  EXPECT_LT(woken.mas_audio, 0.2);
  EXPECT_NE(woken.reason.find("sound"), std::string::npos);
  EXPECT_FALSE(g.look(picture, loud).needed);
  EXPECT_FALSE(g.look(picture, quiet).needed);
  EXPECT_FALSE(g.look(picture, loud).needed);  // a syllable later it is still the same
  for (int i = 0; i < 11; ++i) EXPECT_FALSE(g.look(picture, quiet).needed);
  EXPECT_TRUE(g.gate.revisit(g.now, loud).has_value());
  EXPECT_EQ(g.gate.counts().woken_by_sound, 2U);
}

// If it fails, a horn in the middle of a siren gets no answer; or its beginning gets several.
TEST(MasGate, ANewSoundWakesWhileAnotherGoesOn) {
  Gate g({.grid = {2, 2}, .question = "Do you hear a siren?"});
  const auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  const SoundReading siren{.present = true, .activity = 0.9};
  const SoundReading horn{.present = true, .activity = 1, .novelty = 1};
  EXPECT_TRUE(g.look(picture, siren).needed);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(g.look(picture, siren).needed);
  EXPECT_TRUE(g.look(picture, horn).needed);
  EXPECT_FALSE(g.look(picture, horn).needed);
  EXPECT_FALSE(g.look(picture, siren).needed);
}

// If it fails, every sound wakes a gate whose question is about sight only.
TEST(MasGate, TheQuestionDecidesHowLoudIsLoud) {
  Gate sight({.grid = {2, 2}, .question = "What colour is the light?"});
  Gate sound({.grid = {2, 2}, .question = "Who is talking?"});
  const auto picture = Picture(64, 64, 100);
  for (auto *g : {&sight, &sound}) g->look_and_encode(picture);
  EXPECT_FALSE(sight.look(picture, {.present = true, .activity = 0.6}).needed);
  EXPECT_TRUE(sound.look(picture, {.present = true, .activity = 0.6}).needed);
}

// If it fails, a question about letters loses the detail that it needs.
TEST(MasGate, AReadingQuestionKeepsAtLeastHalfOfThePatches) {
  Gate g({.grid = {4, 4}, .question = "What is written on the sign?"});
  const auto report = g.look(Picture(64, 64, 100).fill(0, 0, 20, 20, 200).noise(2, 3));
  int kept = 0;
  for (const auto k : report.keep) kept += k >= 200;
  EXPECT_GE(kept, 8);
}

// If it fails, the route property is ignored, or automatic flutters at its threshold.
TEST(MasGate, RouteFollowsThePropertyAndThenComplexity) {
  const auto crowd = Picture(128, 128, 90).noise(90, 7);
  Gate cloud({.route = Route::cloud});
  EXPECT_EQ(cloud.look(Picture(64, 64, 100)).route, Route::cloud);
  Gate local({.route = Route::local, .complexity_threshold = 0});
  EXPECT_EQ(local.look(crowd).route, Route::local);
  Gate automatic({.complexity_threshold = 0.5});
  EXPECT_EQ(automatic.look(Picture(128, 128, 100)).route, Route::automatic);
  EXPECT_EQ(automatic.look(crowd).route, Route::cloud);
}

// If it fails, a hard question about a simple picture stays with the small model.
TEST(MasGate, AComplexQuestionIsRoutedToTheCloudToo) {
  const auto picture = Picture(64, 64, 100);
  for (const auto &[question, route] : {std::pair{"Is there a car?", Route::automatic},
                                        {"Did Anna take bus 42 to \"North End\"?", Route::cloud}}) {
    Gate g({.grid = {2, 2}, .question = question, .complexity_threshold = 0.4});
    const auto report = g.look(picture);
    EXPECT_EQ(report.route, route) << question;
    EXPECT_EQ(report.text_complexity > 0.4, route == Route::cloud) << question;
  }
}

// If it fails, pictures of changing size or fewer pixels than patches crash the gate.
TEST(MasGate, TakesAnySizeAndItsChanges) {
  Gate g;
  for (const auto &[w, h] : {std::pair{64, 64}, {1, 1}, {3, 200}, {640, 2}, {64, 64}}) {
    const auto report = g.look_and_encode(Picture(w, h, 100));
    EXPECT_TRUE(report.needed);
    EXPECT_EQ(report.refresh_count(), report.grid.count());
    EXPECT_LE(report.grid.columns, w);
    EXPECT_LE(report.grid.rows, h);
    EXPECT_FALSE(g.look_and_encode(Picture(w, h, 100)).needed);
  }
  EXPECT_FALSE(g.gate.look({}, {}).ok());
}

// If it fails, a seek compares the new scene with the old one's reference, or keeps its pending frames.
TEST(MasGate, ForgetMakesTheNextPictureNew) {
  Gate g(grid(2, 2));
  const auto picture = Picture(64, 64, 100);
  g.look_and_encode(picture);
  g.gate.forget();
  EXPECT_EQ(g.look(picture).refresh_count(), 4);
  EXPECT_EQ(g.gate.counts().seen, 2U);
  g.gate.restart();
  EXPECT_EQ(g.gate.counts().seen, 0U);
  EXPECT_EQ(g.look(picture).frame, 1U);
}

// If it fails, a camera that runs for a day eats the machine's memory. (Sanitizers do not count; they see the
// same code.)
TEST(MasGate, EightHoursTakeNoMoreMemoryThanOne) {
  Gate g;
  SoundActivity sound;
  std::vector<float> samples(200);
  const auto run_hour = [&](int seed) {
    for (int i = 0; i < 3600; ++i, g.now += ms(900)) {
      for (auto &sample : samples) sample = static_cast<float>((i * 31 + seed) % 97) / 97;
      sound.add({samples, 2000, 1, g.now});
      sound.forget_before(g.now - ms(1000));
      const auto report = g.look(Picture(32, 32, 90).noise(20, static_cast<std::uint32_t>(i + seed)),
                                 sound.over({g.now - ms(100), g.now}));
      if (report.needed && i % 3) g.gate.committed(report.frame, report.refresh, kEncoder);
    }
  };
  run_hour(1);
  const auto before = mallinfo2().uordblks;
  for (int hour = 2; hour <= 8; ++hour) run_hour(hour);
  EXPECT_LE(mallinfo2().uordblks, before + 64 * 1024);
  EXPECT_EQ(g.gate.counts().seen, 8U * 3600U);
}

// If it fails, scores leave their range and thresholds on them mean nothing.
TEST(MasGate, ScoresStayInRange) {
  Gate g({.question = "Who is talking?"});
  for (int i = 0; i < 50; ++i) {
    const auto report =
        g.look(Picture(97, 61, 128).noise(i * 2 + 1, static_cast<std::uint32_t>(i)), {true, i / 49.0, -20});
    for (const double score : {report.spatial, report.temporal, report.modal_video, report.modal_audio,
                               report.mas_video, report.mas_audio, report.complexity}) {
      EXPECT_GE(score, 0);
      EXPECT_LE(score, 1);
    }
    EXPECT_EQ(report.keep.size(), static_cast<std::size_t>(report.grid.count()));
    EXPECT_FALSE(report.reason.empty());
  }
}

}  // namespace
}  // namespace saccade
