// Damaged and foreign files: each must be refused with a sentence, since llama.cpp aborts on some of them.
#include "vision/gguf_check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "street_pictures.h"
#include "vision/vision_encoder.h"

namespace saccade {
namespace {

namespace fs = std::filesystem;

class GgufCheck : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("saccade-gguf-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string &name, const std::string &bytes) const {
    const auto path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string bytes_of(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  fs::path folder_;
};

TEST_F(GgufCheck, TheShippedPairIsSound) {
  EXPECT_TRUE(check_text_model(shipped_model().text).ok())
      << check_text_model(shipped_model().text).message();
  EXPECT_TRUE(check_projector(shipped_model().mmproj).ok())
      << check_projector(shipped_model().mmproj).message();
}

TEST_F(GgufCheck, MissingFileIsNotFoundAndNamed) {
  const auto status = check_text_model("/nowhere/x.gguf");
  EXPECT_EQ(status.kind(), StatusKind::not_found);
  EXPECT_NE(status.message().find("/nowhere/x.gguf"), std::string::npos);
}

TEST_F(GgufCheck, AFolderIsNoModel) {
  EXPECT_EQ(check_text_model(folder_.string()).kind(), StatusKind::invalid_argument);
}

TEST_F(GgufCheck, ForeignAndEmptyFilesAreNoGguf) {
  EXPECT_EQ(check_text_model(write("cat.jpg", "\xff\xd8\xff\xe0 not a model")).kind(), StatusKind::corrupt);
  EXPECT_EQ(check_text_model(write("empty.gguf", "")).kind(), StatusKind::corrupt);
}

// Cut anywhere, in the header or in the weights, it must be an error and never an abort.
TEST_F(GgufCheck, TruncatedFilesAreCorruptWhereverTheyEnd) {
  const auto whole = bytes_of(shipped_model().text);
  ASSERT_GT(whole.size(), 100'000U);
  for (const std::size_t length :
       {5UL, 12UL, 24UL, 100UL, 1000UL, 5000UL, whole.size() / 2, whole.size() - 1}) {
    const auto status = check_text_model(write("cut.gguf", whole.substr(0, length)));
    EXPECT_EQ(status.kind(), StatusKind::corrupt) << "cut to " << length << ": " << status.message();
  }
  const auto status = check_text_model(write("cut.gguf", whole.substr(0, whole.size() - 1)));
  EXPECT_NE(status.message().find("file ends inside tensor"), std::string::npos) << status.message();
}

// The two files are often mixed up; the sentence must say which belongs where.
TEST_F(GgufCheck, SwappedFilesAreToldApart) {
  const auto text = check_text_model(shipped_model().mmproj);
  EXPECT_EQ(text.kind(), StatusKind::invalid_argument);
  EXPECT_NE(text.message().find("mmproj"), std::string::npos);
  EXPECT_EQ(check_projector(shipped_model().text).kind(), StatusKind::invalid_argument);
}

TEST_F(GgufCheck, ATextModelWithoutItsProjectorIsRefused) {
  const auto status = check_projector("");
  EXPECT_EQ(status.kind(), StatusKind::invalid_argument);
  EXPECT_NE(status.message().find("mmproj"), std::string::npos);
}

// llama.cpp aborts the process on such a file.
TEST_F(GgufCheck, ATokenThatStandsTwiceIsNamed) {
  auto bytes = bytes_of(shipped_model().text);
  const auto place = bytes.find("<row_1_col_1>");
  ASSERT_NE(place, std::string::npos);
  bytes.replace(place, 13, "<row_1_col_2>");
  const auto status = check_text_model(write("twice.gguf", bytes));
  EXPECT_EQ(status.kind(), StatusKind::corrupt);
  EXPECT_NE(status.message().find("<row_1_col_2>"), std::string::npos) << status.message();
}

// Flipped bytes in the header change counts, types and lengths.
TEST_F(GgufCheck, ADamagedHeaderNeverCrashes) {
  const auto whole = bytes_of(shipped_model().mmproj);
  for (std::size_t at = 4; at < 3000; at += 37) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5A);
    (void)check_projector(write("damaged.gguf", damaged));
  }
}

// One copy of the weights per process, however many elements open it.
TEST(ModelPairTest, OpenedTwiceIsOneCopy) {
  const auto first = ModelPair::open(shipped_model());
  const auto second = ModelPair::open(shipped_model());
  ASSERT_TRUE(first.ok()) << first.status().message();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first.value().get(), second.value().get());
}

class EncoderTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = ModelPair::open(shipped_model());
    ASSERT_TRUE(pair.ok()) << pair.status().message();
    auto encoder = make_encoder(pair.value());
    ASSERT_TRUE(encoder.ok()) << encoder.status().message();
    encoder_ = std::move(encoder).value();
  }
  Image picture() const { return plain_street(encoder_->input().width, encoder_->input().height, true); }

  std::unique_ptr<VisionEncoder> encoder_;
};

TEST_F(EncoderTest, GivesOneTokenPerPatch) {
  const auto image = picture();
  const auto tokens = encoder_->encode(image.view(), {}, {});
  ASSERT_TRUE(tokens.ok()) << tokens.status().message();
  EXPECT_EQ(tokens.value()->count(), encoder_->grid().count());
  EXPECT_EQ(tokens.value()->dimension, encoder_->dimension());
  EXPECT_EQ(tokens.value()->values.size(),
            static_cast<std::size_t>(encoder_->grid().count() * encoder_->dimension()));
}

// A run over a file is reproducible only if this is.
TEST_F(EncoderTest, SamePictureSameTokens) {
  const auto image = picture();
  const auto first = encoder_->encode(image.view(), {}, {});
  const auto second = encoder_->encode(image.view(), {}, {});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first.value()->values, second.value()->values);
}

// The overview alone must be cheaper than the tiles, and neither may hold the tiles' row ends.
TEST_F(EncoderTest, TheOverviewIsOnePieceAndTilesAreMore) {
  const auto image = picture();
  const auto tokens = encoder_->encode(image.view(), {}, {});
  ASSERT_TRUE(tokens.ok());
  const auto overview = encoder_->overview(tokens.value());
  const auto tiles = encoder_->encode_tiles(image.view(), {});
  ASSERT_TRUE(tiles.ok()) << tiles.status().message();
  EXPECT_EQ(overview.pieces.size(), 1U);
  EXPECT_EQ(overview.pieces[0].announcement.size(), 3U);
  EXPECT_GT(tiles.value().pieces.size(), 1U);
}

TEST_F(EncoderTest, AStopIsHonoured) {
  const auto image = picture();
  std::stop_source stop;
  stop.request_stop();
  const auto tokens = encoder_->encode(image.view(), {}, stop.get_token());
  ASSERT_FALSE(tokens.ok());
  EXPECT_EQ(tokens.status().kind(), StatusKind::cancelled);
}

// Two cameras share one model; a stop of one must neither wait for the other's encode nor disturb it.
TEST_F(EncoderTest, AStopDoesNotDisturbTheOtherCamera) {
  auto pair = ModelPair::open(shipped_model());
  ASSERT_TRUE(pair.ok());
  auto other = make_encoder(pair.value());
  ASSERT_TRUE(other.ok());
  const auto image = picture();
  const auto undisturbed = encoder_->encode(image.view(), {}, {});
  ASSERT_TRUE(undisturbed.ok());
  std::jthread busy([&](std::stop_token stop) {
    while (!stop.stop_requested()) (void)other.value()->encode(image.view(), {}, stop);
  });
  for (int i = 0; i < 5; ++i) {
    const auto tokens = encoder_->encode(image.view(), {}, {});
    ASSERT_TRUE(tokens.ok());
    EXPECT_EQ(tokens.value()->values, undisturbed.value()->values);
  }
  busy.request_stop();
}

// libmtmd asserts on some of these; they must not get that far.
TEST_F(EncoderTest, PicturesThatAreNoneAreRefused) {
  const auto image = picture();
  auto frame = image.view();
  frame.width -= 1;
  EXPECT_EQ(encoder_->encode(frame, {}, {}).status().kind(), StatusKind::invalid_argument);
  frame = image.view();
  frame.pixels = frame.pixels.first(10);
  EXPECT_EQ(encoder_->encode(frame, {}, {}).status().kind(), StatusKind::invalid_argument);
  frame = image.view();
  frame.format = PixelFormat::gray8;
  EXPECT_EQ(encoder_->encode(frame, {}, {}).status().kind(), StatusKind::invalid_argument);
}

}  // namespace
}  // namespace saccade
