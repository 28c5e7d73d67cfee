#include "vision/token_stage.h"

#include <gtest/gtest.h>

#include "tokens_sets.h"

namespace saccade {
namespace {

// Gives one token per patch of a 2 x 2 grid; `calls` and `asked` tell what it was asked.
class CountingEncoder final : public VisionEncoder {
 public:
  struct Log {
    int calls = 0;
    PatchMap asked;
    StatusKind answer = StatusKind::ok;
    PatchGrid patches{2, 2};
  };
  explicit CountingEncoder(Log &log) : log_(log) {}

  EncoderInput input() const override { return {8, 8}; }
  PatchGrid grid() const override { return {2, 2}; }
  PatchGrid refresh_grid() const override { return log_.patches; }
  int dimension() const override { return 2; }

  Result<SharedTokens> encode(const Frame &rgb, const PatchMap &refresh, std::stop_token) override {
    ++log_.calls;
    log_.asked = refresh;
    if (log_.answer != StatusKind::ok) return Status{log_.answer, "no"};
    auto tokens = token_set({2, 2}, {{1, 0}, {0, 1}, {-1, 0}, {0, -1}});
    tokens.pts = rgb.pts;
    tokens.encode_time = Duration(7);
    return std::make_shared<const TokenSet>(std::move(tokens));
  }
  std::string description() const override { return "counting"; }
  EncodedImage overview(SharedTokens) const override { return {}; }
  Result<EncodedImage> encode_tiles(const Frame &, std::stop_token) override { return EncodedImage(); }

 private:
  Log &log_;
};

struct Stage {
  CountingEncoder::Log log;
  TokenStage stage;
  Image picture{8, 8, std::vector<std::uint8_t>(8 * 8 * 3)};

  explicit Stage(std::string_view method)
      : stage(std::make_unique<CountingEncoder>(log), make_compressor(method).value()) {}
  Result<SharedTokens> encode(const PatchAdvice &advice, double keep = 1) {
    return stage.encode(picture.view(), advice, {.ratio = keep}, {});
  }
};

const PatchAdvice kUnchanged{{0, 0, 0, 0}, {}};
const PatchAdvice kOneChanged{{0, 255, 0, 0}, {}};

// If this fails, a still scene is encoded in every frame, which is where nearly all time goes.
TEST(TokenStage, GivesTheLastTokensAgainWhenNothingChanged) {
  Stage s("none");
  EXPECT_EQ(s.stage.reusable(kUnchanged), nullptr);  // nothing was encoded yet
  const auto tokens = s.encode({}).value();
  EXPECT_EQ(s.stage.reusable(kOneChanged), nullptr);
  EXPECT_EQ(s.stage.reusable({}), nullptr);  // without advice everything may have changed
  const auto again = s.stage.reusable(kUnchanged);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->values, tokens->values);
  EXPECT_EQ(again->encode_time, Duration::zero());
  EXPECT_EQ(s.log.calls, 1);
}

// If this fails, an encoder that can encode in part is asked for everything, or for part of nothing.
TEST(TokenStage, AsksForTheChangedPatchesOnceThereIsSomethingToAddThemTo) {
  Stage s("none");
  EXPECT_TRUE(s.encode(kOneChanged).ok());
  EXPECT_TRUE(s.log.asked.empty());
  EXPECT_TRUE(s.encode(kOneChanged).ok());
  EXPECT_EQ(s.log.asked, kOneChanged.refresh);
}

// If this fails, a gate with another grid makes the encoder skip patches that it never meant.
TEST(TokenStage, AdviceOfAnotherGridSaysNothing) {
  Stage s("random");
  const PatchAdvice foreign{PatchMap(9, 0), PatchMap(9, 0)};
  EXPECT_TRUE(s.encode(foreign, 0.5).ok());
  EXPECT_TRUE(s.encode(foreign, 0.5).ok());
  EXPECT_TRUE(s.log.asked.empty());
  EXPECT_EQ(s.stage.reusable(foreign), nullptr);
  EXPECT_TRUE(s.stage.refreshed(foreign).empty());
}

// If this fails, a cancelled or failed encode makes the next still picture pass without tokens.
TEST(TokenStage, AFailureLeavesTheLastTokens) {
  Stage s("none");
  const auto tokens = s.encode({}).value();
  s.log.answer = StatusKind::cancelled;
  EXPECT_EQ(s.encode(kOneChanged).status().kind(), StatusKind::cancelled);
  EXPECT_EQ(s.stage.reusable(kUnchanged)->values, tokens->values);
}

// If this fails, the temporal method compares with a frame that the consumer never got, or with nothing.
TEST(TokenStage, RemembersWhatItHandedOnUntilToldToForget) {
  Stage s("temporal");
  EXPECT_EQ(s.encode({}).value()->count(), 4);
  EXPECT_EQ(s.encode({}).value()->count(), 1);
  s.stage.forget();
  EXPECT_EQ(s.stage.reusable(kUnchanged), nullptr);
  EXPECT_EQ(s.encode({}).value()->count(), 4);
}

// If this fails, what a gate says about patches is lost, or lands on the wrong tokens, where several make
// one.
TEST(TokenStage, PatchesMayBeFinerThanTokens) {
  Stage s("grid");
  s.log.patches = {4, 4};
  EXPECT_EQ(s.stage.patches(), (PatchGrid{4, 4}));
  PatchAdvice advice{PatchMap(16), PatchMap(16)};
  advice.refresh[5] = 255;
  advice.keep[6] = 9;  // second row, third column: of the token above right
  const auto first = s.encode(advice, 0);
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_EQ(places_of(*first.value()), std::vector<int>{1});
  EXPECT_TRUE(s.log.asked.empty());  // the first picture is encoded as a whole
  ASSERT_TRUE(s.encode(advice).ok());
  EXPECT_EQ(s.log.asked, advice.refresh);
}

}  // namespace
}  // namespace saccade
