// Which part of a picture is sent, and how large: arithmetic only.
#include "offload/upload/upload_size.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "offload/upload/upload_region.h"

namespace saccade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// --- Region

constexpr PatchGrid kGrid{10, 20};  // of pictures of 2000 x 1000: patches of 100 x 100

PatchMap mattering(std::initializer_list<int> patches) {
  PatchMap map(static_cast<std::size_t>(kGrid.count()), 63);  // just not
  for (const int patch : patches) map[static_cast<std::size_t>(patch)] = 64;
  return map;
}

int at(int row, int column) { return row * kGrid.columns + column; }

std::string text_of(const PixelRect &r) {
  return std::to_string(r.left) + "," + std::to_string(r.top) + " " + std::to_string(r.width) + "x" +
         std::to_string(r.height);
}

std::string region(const PatchMap &map, const RegionSettings &settings = {}) {
  return text_of(upload_region(map, kGrid, 2000, 1000, settings));
}

// If this fails, what the gate found is cut off, or bytes are spent on what it did not find.
TEST(UploadRegion, HoldsWhatMattersAndOnePatchAround) {
  EXPECT_EQ(region(mattering({at(4, 5), at(6, 7)})), "400,300 500x500");
  EXPECT_EQ(region(mattering({at(0, 0), at(1, 1)})), "0,0 300x300") << "no margin beyond the picture";
  EXPECT_EQ(region(mattering({at(9, 19), at(8, 19)})), "1776,700 224x300") << "of the least width";
}

// If this fails, a small thing is sent as a stamp that no model can read, or as a strip.
TEST(UploadRegion, IsNeitherTooSmallNorAStrip) {
  RegionSettings large;
  large.smallest_edge = 600;
  EXPECT_EQ(region(mattering({at(5, 5)}), large), "400,200 600x600") << "towards the middle";
  const auto row = mattering({at(2, 2), at(2, 10)});
  EXPECT_EQ(region(row), "100,100 1100x550") << "twice as long as high at most";
  RegionSettings strip;
  strip.longest_shape = 100;
  EXPECT_EQ(region(row, strip), "100,100 1100x300");
}

// If this fails, a cut that saves nothing costs what is around it.
TEST(UploadRegion, IsTheWholePictureWhereThatIsMostOfItOrNothingIsKnown) {
  const auto whole = "0,0 2000x1000";
  EXPECT_EQ(region(mattering({at(0, 0), at(9, 19)})), whole);
  EXPECT_EQ(region(mattering({at(1, 1), at(8, 13)})), whole) << "1600 x 1000 are four fifths";
  EXPECT_EQ(region(mattering({})), whole);
  EXPECT_EQ(region({}), whole);
  EXPECT_EQ(text_of(upload_region(PatchMap(7, 255), kGrid, 2000, 1000)), whole);
  EXPECT_EQ(text_of(upload_region({}, {}, 2000, 1000)), whole);
  EXPECT_EQ(text_of(upload_region(mattering({at(5, 5)}), kGrid, 200, 100)), "0,0 200x100")
      << "it is small itself";
}

// If this fails, some map leads outside of its picture or loses a patch that matters.
TEST(UploadRegion, HoldsForAnyMap) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const PatchGrid grid{1 + static_cast<int>(random() % 12), 1 + static_cast<int>(random() % 12)};
    const int width = 1 + static_cast<int>(random() % 2000);
    const int height = 1 + static_cast<int>(random() % 2000);
    PatchMap map(static_cast<std::size_t>(grid.count()));
    for (auto &value : map) value = random() % 20 == 0 ? 200 : 0;
    const auto r = upload_region(map, grid, width, height);
    ASSERT_GE(std::min(r.left, r.top), 0);
    ASSERT_GE(std::min(r.width, r.height), 1);
    ASSERT_LE(r.left + r.width, width);
    ASSERT_LE(r.top + r.height, height);
    for (int patch = 0; patch < grid.count(); ++patch) {
      if (map[static_cast<std::size_t>(patch)] == 0) continue;
      const int row = patch / grid.columns;
      const int column = patch % grid.columns;
      ASSERT_LE(r.left, start_of_part(column, grid.columns, width));
      ASSERT_GE(r.left + r.width, start_of_part(column + 1, grid.columns, width));
      ASSERT_LE(r.top, start_of_part(row, grid.rows, height));
      ASSERT_GE(r.top + r.height, start_of_part(row + 1, grid.rows, height));
    }
  }
}

// --- Bytes per pixel

// If this fails, the first upload of a stream is sized by a model that knows no picture at all.
TEST(JpegSizeModel, KnowsATypicalPhotographFromTheStart) {
  const JpegSizeModel model;
  EXPECT_NEAR(model.bytes_per_pixel(85), 0.24, 0.01);
  EXPECT_NEAR(model.bytes_per_pixel(50), 0.109, 0.001);
  for (int quality = 1; quality < 100; ++quality)
    EXPECT_LT(model.bytes_per_pixel(quality), model.bytes_per_pixel(quality + 1)) << quality;
}

// If this fails, a stream that is busier than a photograph overruns its link for ever.
TEST(JpegSizeModel, LearnsItsStream) {
  const JpegSizeModel typical;
  JpegSizeModel model;
  std::mt19937 random(2);
  std::normal_distribution<double> wavers(0, 0.1);
  for (int i = 0; i < 60; ++i) {
    const int quality = 40 + i % 50;
    model.encoded(quality, 300000,
                  300000 * 2.5 * typical.bytes_per_pixel(quality) * std::exp(wavers(random)));
  }
  for (const int quality : {30, 60, 90})
    EXPECT_NEAR(model.bytes_per_pixel(quality) / typical.bytes_per_pixel(quality), 2.5, 0.3) << quality;
  for (int i = 0; i < 200; ++i) model.encoded(60, 1000, 1000 * 0.5 * typical.bytes_per_pixel(60));
  EXPECT_NEAR(model.bytes_per_pixel(60) / typical.bytes_per_pixel(60), 0.5, 0.04) << "night has come";
  for (int quality = 1; quality < 100; ++quality)
    EXPECT_LT(model.bytes_per_pixel(quality), model.bytes_per_pixel(quality + 1)) << quality;
}

// If this fails, one broken figure spoils all later ones.
TEST(JpegSizeModel, IgnoresWhatCannotBe) {
  JpegSizeModel model;
  const JpegSizeModel typical;
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL, 1e-300}) {
    model.encoded(60, bad, 1000);
    model.encoded(60, 1000, bad);
    model.encoded(-3, bad, bad);
  }
  EXPECT_DOUBLE_EQ(model.bytes_per_pixel(60), typical.bytes_per_pixel(60));
}

// --- Size

// If this fails, a fast link gets worse pictures than it could carry, or a slow one waits.
TEST(UploadSize, FitsTheLink) {
  const JpegSizeModel model;
  const auto fast = upload_size(1920, 1080, 1, 1e9, seconds(1), model);
  EXPECT_EQ(fast.longest_edge, 1024);
  EXPECT_EQ(fast.quality, 85);
  EXPECT_TRUE(fast.fits);
  const auto unknown = upload_size(1920, 1080, 1, 0, seconds(1), model);
  EXPECT_EQ(unknown.longest_edge, 1024);
  EXPECT_EQ(unknown.quality, 85);
  const auto middling = upload_size(1920, 1080, 1, 100e3, seconds(1), model);
  EXPECT_EQ(middling.longest_edge, 1024) << "quality gives way first";
  EXPECT_LT(middling.quality, 85);
  EXPECT_GE(middling.quality, 60);
  const auto slow = upload_size(1920, 1080, 1, 20e3, seconds(1), model);
  EXPECT_LT(slow.longest_edge, 1024) << "then size";
  EXPECT_GT(slow.longest_edge, 224);
  EXPECT_GE(slow.quality, 60);
  const auto slower = upload_size(1920, 1080, 1, 3e3, seconds(1), model);
  EXPECT_EQ(slower.longest_edge, 224);
  EXPECT_LT(slower.quality, 60) << "and then quality after all";
  EXPECT_TRUE(slower.fits);
  const auto hopeless = upload_size(1920, 1080, 1, 10, seconds(1), model);
  EXPECT_EQ(hopeless.longest_edge, 224);
  EXPECT_EQ(hopeless.quality, 30);
  EXPECT_FALSE(hopeless.fits);
}

// If this fails, several pictures take several times as long as they may.
TEST(UploadSize, SharesTheTimeAmongAllPictures) {
  const JpegSizeModel model;
  const auto four = upload_size(1920, 1080, 4, 80e3, milliseconds(500), model);
  const auto one = upload_size(1920, 1080, 1, 10e3, seconds(1), model);
  EXPECT_EQ(four.longest_edge, one.longest_edge);
  EXPECT_EQ(four.quality, one.quality);
  EXPECT_LE(4 * four.bytes * 4 / 3, 40e3) << "in base64";
}

// If this fails, a picture is enlarged, or a slower link gets a larger picture than a faster one.
TEST(UploadSize, NeverGrowsAsTheLinkGetsSlower) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    JpegSizeModel model;
    for (int i = 0; i < 20; ++i)
      model.encoded(1 + static_cast<int>(random() % 100), 1000, 1 + static_cast<double>(random() % 2000));
    const int width = 1 + static_cast<int>(random() % 3000);
    const int height = 1 + static_cast<int>(random() % 3000);
    int edge_before = 5000;
    double bytes_before = HUGE_VAL;
    for (double throughput = 1e8; throughput > 1; throughput /= 1.7) {
      const auto size = upload_size(width, height, 1, throughput, milliseconds(300), model);
      ASSERT_LE(size.longest_edge, std::max(width, height));
      ASSERT_GE(size.longest_edge, std::min(std::max(width, height), 224));
      ASSERT_LE(size.longest_edge, edge_before);
      ASSERT_LE(size.bytes, bytes_before * (1 + 1e-9));
      ASSERT_EQ(size.fits, size.bytes <= throughput / 4 * 3 * 0.3);
      edge_before = size.longest_edge;
      bytes_before = std::max(size.bytes, throughput / 4 * 3 * 0.3);
    }
  }
}

// If this fails, a figure from a broken estimate makes a picture of no size.
TEST(UploadSize, StandsBrokenFigures) {
  const JpegSizeModel model;
  for (const double throughput : {std::nan(""), -5.0, HUGE_VAL})
    EXPECT_EQ(upload_size(640, 480, 1, throughput, seconds(1), model).longest_edge, 640) << throughput;
  EXPECT_FALSE(upload_size(640, 480, 1, 1e6, seconds(-1), model).fits);
  EXPECT_EQ(upload_size(0, 0, 0, 1e6, seconds(1), model).longest_edge, 1);
}

}  // namespace
}  // namespace saccade
