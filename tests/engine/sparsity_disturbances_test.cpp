// What a camera, the light and a codec do to a picture is no change of the world; and what is one is seen all
// the same.
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/camera_shift.h"
#include "sparsity_gate.h"
#include "sparsity_pictures.h"

namespace saccade {
namespace {

using test::Gate;
using test::grid;
using test::ms;
using test::Picture;

// If it fails, a flickering lamp or a noisy sensor costs an encode per frame.
TEST(MasGate, FlickerAndNoiseDoNotFire) {
  Gate g;
  for (int i = 0; i < 100; ++i) {
    auto picture = Picture(128, 128).stripes(16, 60, 180);
    picture.add(i % 3 == 0 ? 8 : 0).noise(6, static_cast<std::uint32_t>(i));
    const auto report = g.look_and_encode(picture);
    if (i > 20) {
      EXPECT_FALSE(report.needed) << i << " " << report.reason;
    }
  }
}

// If it fails, a camera whose exposure follows what passes by has everything encoded twice for each
// passer-by.
TEST(MasGate, ExposureThatComesAndGoesIsNoChange) {
  Gate g;
  const auto street = [](int darker) {
    auto picture = Picture(128, 128).stripes(16, 90, 180);
    return picture.add(-darker);
  };
  g.look_and_encode(street(0));
  for (int i = 0; i < 60; ++i) {
    const int darker = i < 10 || i >= 30 ? 0 : 25;
    auto picture = street(darker);
    if (darker) picture.fill(16, 16, 16, 16, 250);
    const auto report = g.look_and_encode(picture);
    EXPECT_LE(report.refresh_count(), 4) << i << " " << report.reason;
    if (i == 10) {
      EXPECT_TRUE(report.needed) << "what passed by is seen in the changed light, too";
    }
  }
}

// If it fails, a light that stays off is compensated for ever, and who asks whether it is dark gets an old
// answer.
TEST(MasGate, LightThatStaysChangedIsEncodedOnce) {
  Gate g;
  g.look_and_encode(Picture(128, 128).stripes(16, 90, 180));
  int needed = 0;
  for (int i = 0; i < 100; ++i) {
    const auto report = g.look_and_encode(Picture(128, 128).stripes(16, 65, 155));
    needed += report.needed;
    if (report.needed) {
      EXPECT_EQ(report.reason, "the light changed");
      EXPECT_EQ(report.refresh_count(), report.grid.count());
    }
  }
  EXPECT_EQ(needed, 1);
}

// If it fails, leaves in the wind cost an encode a frame for ever; or nobody who stands before them is seen.
TEST(MasGate, WhatWaversStopsCounting) {
  Gate g;
  const auto tree = [](int i) {
    return Picture(128, 128).stripes(16, 60, 180).fill(32, 32, 16, 16, 100 + i % 2 * 12);
  };
  int late = 0;
  for (int i = 0; i < 150; ++i) late += g.look_and_encode(tree(i)).needed && i >= 100;
  EXPECT_LE(late, 2);
  EXPECT_TRUE(g.look(tree(0).fill(32, 32, 16, 16, 220)).needed);
}

// If it fails, a lamp, which is as bright as before although the camera's exposure fell, counts as changed.
TEST(MasGate, ALampKeepsItsLightWhenTheExposureFalls) {
  Gate g;
  const auto street = [](int darker) {
    auto picture = Picture(128, 128).stripes(16, 90, 180);
    return picture.add(-darker).fill(32, 32, 16, 16, 240);
  };
  g.look_and_encode(street(0));
  for (int i = 0; i < 10; ++i) {
    const auto report = g.look_and_encode(street(30));
    EXPECT_FALSE(report.needed) << i << " " << report.reason;
  }
  EXPECT_TRUE(g.look_and_encode(street(30).fill(32, 32, 16, 16, 60)).needed) << "it went out";
}

// If it fails, on a fine grid everybody's soft shadow is encoded with him; or nobody faint is.
TEST(MasGate, ASoftShadowIsNoChangeOnAFineGrid) {
  const auto wall = [] { return Picture(256, 256, 100); };
  for (const auto &[step, seen] : {std::pair{9, false}, {24, true}}) {
    Gate g(grid(16, 16));
    g.look_and_encode(wall());
    EXPECT_EQ(g.look_and_encode(wall().fill(64, 64, 64, 64, 100 - step)).needed, seen) << step;
  }
}

// If it fails, a codec's speck on a wall costs an answer; or a small lamp that came on gets none.
TEST(MasGate, ALonelyPatchMustChangeMore) {
  const auto wall = [](int lumas) { return Picture(256, 256, 100).fill(64, 64, 16, 16, 100 + lumas); };
  for (const auto &[lumas, seen] : {std::pair{9, false}, {60, true}}) {
    Gate g(grid(16, 16));
    g.look_and_encode(wall(0));
    const auto report = g.look_and_encode(wall(lumas));
    EXPECT_EQ(report.needed, seen) << lumas << " " << report.reason;
  }
  Gate coarse(grid(8, 8));  // its patches are large: what happens may well lie in one
  coarse.look_and_encode(Picture(256, 256, 100));
  EXPECT_TRUE(coarse.look_and_encode(Picture(256, 256, 100).fill(64, 64, 32, 32, 109)).needed);
}

// If it fails, every residue that a codec leaves on a wall costs an answer; or what is small and stays is
// never seen, or waits although an answer is due anyway.
TEST(MasGate, SmallWeakChangesWaitForCompanyButNotForEver) {
  const auto wall = [] { return Picture(256, 256, 100); };
  const auto residue = [&] { return wall().fill(64, 64, 64, 32, 118); };  // eight patches, d = 0.17
  Gate alone(grid(16, 16));
  alone.look_and_encode(wall());
  int until = 0;
  while (until < 400 && !alone.look_and_encode(residue()).needed) ++until;
  EXPECT_NEAR(until, 200, 2);  // 20 s
  EXPECT_FALSE(alone.look_and_encode(residue()).needed);

  Gate with_company(grid(16, 16));
  with_company.look_and_encode(wall());
  EXPECT_FALSE(with_company.look_and_encode(residue()).needed);
  const auto both = with_company.look_and_encode(residue().fill(160, 160, 32, 32, 200));
  EXPECT_EQ(both.refresh_count(), 8 + 4) << both.reason;

  Gate coming_and_going(grid(16, 16));
  coming_and_going.look_and_encode(wall());
  for (int i = 0; i < 400; ++i) {
    EXPECT_FALSE(coming_and_going.look_and_encode(i % 20 < 10 ? residue() : wall()).needed) << i;
  }
}

// If it fails, the blur and ringing around everything that moves is encoded with it; or a faint thing by
// itself is not seen.
TEST(MasGate, WhatIsFaintBesideAStrongChangeDoesNotCount) {
  Gate g(grid(16, 16));
  g.look_and_encode(Picture(256, 256, 100));
  auto picture = Picture(256, 256, 100).fill(64, 64, 48, 48, 200);  // d = 1
  picture.fill(112, 64, 16, 48, 118);                               // d = 0.17, beside it
  picture.fill(176, 176, 48, 48, 122);                              // d = 0.26, by itself
  const auto report = g.look_and_encode(picture);
  EXPECT_EQ(report.refresh_count(), 9 + 9) << report.reason;
}

// A town of soft blocks, looked at from `across` and `down` pixels beside.
Picture town(double across, double down) {
  Picture picture(256, 256);
  for (int y = 0; y < 256; ++y) {
    for (int x = 0; x < 256; ++x) {
      const double u = (x + across) / 37;
      const double v = (y + down) / 29;
      picture.at(x, y) = static_cast<std::uint8_t>(
          std::lround(120 + 50 * std::tanh(3 * std::sin(u) * std::cos(v)) + 30 * std::sin(u + 2.3 * v)));
    }
  }
  return picture;
}

// If it fails, a camera in a hand has everything encoded with every picture; or hides what happens before it.
TEST(MasGate, AShakingHandIsNoChange) {
  Gate g;
  g.look_and_encode(town(0, 0));
  for (int i = 1; i < 60; ++i) {
    const auto picture = town(6 * std::sin(i * 0.9), 5 * std::cos(i * 1.3));
    const auto report = g.look_and_encode(picture);
    EXPECT_FALSE(report.needed) << i << " " << report.reason;
  }
  const auto report = g.look_and_encode(town(4, -3).fill(100, 100, 40, 40, 255));
  EXPECT_TRUE(report.needed) << "somebody stepped before it";
  EXPECT_LE(report.refresh_count(), 9);
}

// If it fails, a pan is taken for a shake, and the encoder keeps what is no longer to be seen.
TEST(MasGate, APanIsANewPicture) {
  Gate g;
  g.look_and_encode(town(0, 0));
  int refreshed = 0;
  for (int i = 1; i <= 20; ++i) refreshed += g.look_and_encode(town(6 * i, 0)).refresh_count();
  EXPECT_GT(refreshed, 64);
}

// If it fails, the shift is measured wrongly or one is seen where something moved.
TEST(CameraShift, FindsTheShiftOfTheWholePictureOnly) {
  PatchStatistics before;
  PatchStatistics after;
  ASSERT_TRUE(before.measure(town(0, 0).frame(), {8, 8}).ok());
  ASSERT_TRUE(after.measure(town(6, -4).frame(), {8, 8}).ok());
  const auto &layout = before.layout();
  CameraShift shift;
  shift.apply(after.cells(), before.cells(), layout);
  EXPECT_NEAR(shift.across(), -1.5, 0.2);  // cells of four pixels
  EXPECT_NEAR(shift.down(), 1, 0.2);
  ASSERT_TRUE(after.measure(town(0, 0).fill(20, 20, 120, 90, 30).frame(), {8, 8}).ok());
  shift.apply(after.cells(), before.cells(), layout);
  EXPECT_EQ(shift.across(), 0);
  EXPECT_EQ(shift.down(), 0);
}

Picture passer_by(int x) { return Picture(256, 256, 100).fill(x, 96, 32, 64, 220); }

// If it fails, every picture of a walk is encoded and answered; or its beginning, its end or somebody else
// has to wait.
TEST(MasGate, MotionThatGoesOnIsPaced) {
  Gate g({.motion_interval = ms(500)});
  g.look_and_encode(passer_by(0));
  g.look_and_encode(passer_by(0));
  EXPECT_TRUE(g.look_and_encode(passer_by(10)).needed) << "it begins";
  int needed = 0;
  for (int i = 2; i <= 20; ++i) needed += g.look_and_encode(passer_by(10 * i)).needed;
  EXPECT_GE(needed, 3);
  EXPECT_LE(needed, 14) << "of 19, since what it uncovers is new, too";
  int until_rest = 0;
  while (until_rest < 10 && g.look_and_encode(passer_by(200)).needed) ++until_rest;
  EXPECT_LE(until_rest, 2);
  EXPECT_TRUE(g.look_and_encode(passer_by(200).fill(0, 200, 40, 40, 20)).needed)
      << "somebody else, elsewhere";

  Gate each({.motion_interval = Duration::zero()});
  each.look_and_encode(passer_by(0));
  for (int i = 1; i <= 20; ++i) EXPECT_TRUE(each.look_and_encode(passer_by(10 * i)).needed) << i;
}

// If it fails, what was held back while something moved is lost when it stops or leaves.
TEST(MasGate, WhatIsHeldBackComesWhenTheMotionEnds) {
  Gate g({.motion_interval = ms(60000)});
  g.look_and_encode(Picture(256, 256, 100));
  for (int i = 0; i <= 20; ++i) g.look_and_encode(passer_by(10 * i));
  g.look_and_encode(Picture(256, 256, 100));
  for (int i = 0; i < 3; ++i) g.look_and_encode(Picture(256, 256, 100));
  const auto report = g.look(Picture(256, 256, 100));
  EXPECT_EQ(report.temporal, 1) << "the encoder has the empty place";
}

}  // namespace
}  // namespace saccade
