// Where the gate's map says that a close look is worth most.
#include "sparsity/hottest_window.h"

#include <gtest/gtest.h>

namespace saccade {
namespace {

constexpr PatchGrid kGrid{4, 8};  // of pictures of 800 x 400: patches of 100 x 100

PatchMap hot(std::initializer_list<int> patches) {
  PatchMap heat(static_cast<std::size_t>(kGrid.count()), 0);
  for (const int patch : patches) heat[static_cast<std::size_t>(patch)] = 200;
  return heat;
}

bool holds(const PixelRect &window, int left, int top, int width, int height) {
  return window.left <= left && window.top <= top && window.left + window.width >= left + width &&
         window.top + window.height >= top + height;
}

// If this fails, the sign that the gate points at is outside of what is looked at, or cut.
TEST(HottestWindow, HoldsWhatIsHot) {
  const auto one = hottest_window(hot({14}), kGrid, 800, 400, 200, 200);  // row 1, column 6
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->width, 200);
  EXPECT_EQ(one->height, 200);
  EXPECT_TRUE(holds(*one, 600, 100, 100, 100)) << one->left << ", " << one->top;

  const auto pair =
      hottest_window(hot({0, 22, 31}), kGrid, 800, 400, 200, 200);  // a corner, and two that touch
  ASSERT_TRUE(pair.has_value());
  EXPECT_TRUE(holds(*pair, 600, 200, 200, 200)) << pair->left << ", " << pair->top;
}

// If this fails, a picture that is the same everywhere is looked at in a corner.
TEST(HottestWindow, IsInTheMiddleWhenAllIsAlike) {
  const auto window = hottest_window(PatchMap(32, 9), kGrid, 800, 400, 300, 300);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->left, 250);
  EXPECT_EQ(window->top, 50);
}

// If this fails, a window reaches beyond the picture, where no pixels are.
TEST(HottestWindow, IsCutToThePicture) {
  const auto window = hottest_window(hot({7}), kGrid, 801, 403, 200, 1000);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->top, 0);
  EXPECT_EQ(window->height, 403);
  EXPECT_LE(window->left + window->width, 801);
  EXPECT_TRUE(holds(*window, 701, 0, 100, 100));
}

// If this fails, time is spent on a second look that shows nothing new.
TEST(HottestWindow, IsNoneWithoutHeatOrInASmallPicture) {
  EXPECT_FALSE(hottest_window({}, kGrid, 800, 400, 200, 200).has_value());
  EXPECT_FALSE(hottest_window({}, {}, 800, 400, 200, 200).has_value());
  EXPECT_FALSE(hottest_window(PatchMap(7, 200), kGrid, 800, 400, 200, 200).has_value());
  EXPECT_FALSE(hottest_window(hot({}), kGrid, 800, 400, 200, 200).has_value());
  EXPECT_FALSE(hottest_window(hot({1}), kGrid, 180, 100, 200, 200).has_value());
  EXPECT_TRUE(
      hottest_window(PatchMap(32, 9), kGrid, 3, 2, 1, 1).has_value());  // patches of less than a pixel
}

}  // namespace
}  // namespace saccade
