// What holds for every compressor, and what each of them promises.
#include "tokens/compressor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>

#include "tokens/temporal.h"
#include "tokens_sets.h"

namespace saccade {
namespace {

std::unique_ptr<TokenCompressor> compressor(std::string_view name) {
  auto made = make_compressor(name);
  EXPECT_TRUE(made.ok()) << made.status().message();
  return std::move(made).value();
}

TokenSet compress(std::string_view name, const TokenSet &tokens, const KeepRequest &request) {
  auto result = compressor(name)->compress(tokens, request);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return std::move(result).value();
}

KeepRequest keep_count(int count) {
  KeepRequest request;
  request.amount.least = request.amount.most = count;
  return request;
}

KeepRequest keep_ratio(double ratio) {
  KeepRequest request;
  request.amount.ratio = ratio;
  return request;
}

float sum(const std::vector<float> &values) { return std::accumulate(values.begin(), values.end(), 0.0F); }

using Places = std::vector<int>;

// Whether the method's rows and places are means.
bool is_mean(std::string_view name) { return name == "merge" || name == "cluster" || name == "downscale"; }

class EveryCompressor : public testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(, EveryCompressor,
                         testing::ValuesIn(compressor_names().begin(), compressor_names().end()),
                         [](const auto &method) { return std::string(method.param); });

// If this fails, the keep property does not bound what the language model has to read.
TEST_P(EveryCompressor, KeepsAsManyAsAsked) {
  const auto tokens = noisy_set({6, 7}, 8);
  for (const int count : {1, 2, 5, 20, 21, 22, 41, 42, 99}) {
    const int expected = GetParam() == "none" ? 42 : std::min(count, 42);
    EXPECT_EQ(compress(GetParam(), tokens, keep_count(count)).count(), expected) << "of " << count;
  }
  EXPECT_EQ(compress(GetParam(), tokens, keep_ratio(0.5)).count(), GetParam() == "none" ? 42 : 21);
}

// If this fails, min-tokens and max-tokens do not bound what a share of a large or small picture comes to.
TEST_P(EveryCompressor, HonoursBounds) {
  if (GetParam() == "none") return;
  const auto tokens = noisy_set({6, 7}, 8);
  const auto count = [&](double ratio, int least, int most) {
    KeepRequest request;
    request.amount = {ratio, least, most};
    return compress(GetParam(), tokens, request).count();
  };
  EXPECT_EQ(count(0.1, 10, 20), 10);
  EXPECT_EQ(count(0.9, 10, 20), 20);
  EXPECT_EQ(count(0.9, 30, 20), 20);
  EXPECT_EQ(count(0.1, 99, 99), 42);
  EXPECT_EQ(count(0.5, 0, 0), 1);
}

// If this fails, a keep of 0 hands the language model a picture without a single token.
TEST_P(EveryCompressor, NeverKeepsNothingOfSomething) {
  EXPECT_GE(compress(GetParam(), noisy_set({2, 2}, 3), keep_ratio(0)).count(), 1);
}

// If this fails, the rows do not belong to their positions, or the language model reads them in a jumble.
TEST_P(EveryCompressor, ReturnsASoundSetInReadingOrder) {
  const auto tokens = noisy_set({6, 7}, 8);
  const auto kept = compress(GetParam(), tokens, keep_count(11));
  EXPECT_EQ(kept.dimension, 8);
  EXPECT_EQ(kept.grid, tokens.grid);
  EXPECT_EQ(kept.seen, tokens.seen);
  EXPECT_EQ(kept.weights.size(), kept.positions.size());
  EXPECT_EQ(kept.values.size(), kept.positions.size() * 8);
  for (std::size_t i = 1; i < kept.positions.size(); ++i) {
    const auto &a = kept.positions[i - 1];
    const auto &b = kept.positions[i];
    const auto line_a = std::lround(a.y);
    const auto line_b = std::lround(b.y);
    EXPECT_TRUE(line_a < line_b || (line_a == line_b && a.x <= b.x)) << "rows " << i - 1 << " and " << i;
  }
}

// If this fails, two runs over the same file give different answers.
TEST_P(EveryCompressor, GivesTheSameForTheSame) {
  const auto tokens = noisy_set({6, 7}, 8);
  const auto first = compress(GetParam(), tokens, keep_count(9));
  const auto second = compress(GetParam(), tokens, keep_count(9));
  EXPECT_EQ(first.values, second.values);
  EXPECT_EQ(places_of(first), places_of(second));
}

// If this fails, a degenerate picture (one colour, one token, none) takes the process down.
TEST_P(EveryCompressor, TakesDegenerateSets) {
  EXPECT_EQ(compress(GetParam(), TokenSet(), keep_count(3)).count(), 0);
  EXPECT_EQ(compress(GetParam(), token_set({1, 1}, {{1, 2}}), keep_count(3)).count(), 1);
  const auto equal = token_set({2, 2}, {{1, 1}, {1, 1}, {1, 1}, {1, 1}});
  EXPECT_GE(compress(GetParam(), equal, keep_count(2)).count(), 1);
  const auto zero = token_set({1, 3}, {{0, 0}, {0, 0}, {0, 0}});
  for (const float v : compress(GetParam(), zero, keep_count(2)).values) EXPECT_EQ(v, 0);
}

// If this fails, a number that an encoder spoiled makes a method run for ever, or take a token twice.
TEST_P(EveryCompressor, TakesWhatIsNoNumber) {
  for (const std::size_t spoilt : {std::size_t{1}, std::size_t{42}}) {
    auto tokens = noisy_set({6, 7}, 8);
    for (std::size_t i = 0; i < spoilt; ++i)
      tokens.values[i * 8] =
          i % 2 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    const auto kept = compress(GetParam(), tokens, keep_count(20));
    EXPECT_EQ(kept.count(), GetParam() == "none" ? 42 : 20);
    if (is_mean(GetParam())) continue;
    const auto places = places_of(kept);
    EXPECT_EQ(std::set<int>(places.begin(), places.end()).size(), places.size());
  }
}

// If this fails, a broken set is read beyond its end instead of being refused with a sentence.
TEST_P(EveryCompressor, RefusesWhatDoesNotFitTogether) {
  auto short_of_weights = noisy_set({2, 2}, 3);
  short_of_weights.weights.pop_back();
  EXPECT_EQ(compressor(GetParam())->compress(short_of_weights, {}).status().kind(),
            StatusKind::invalid_argument);

  KeepRequest foreign_map;
  foreign_map.keep = PatchMap(3, 255);
  const auto status = compressor(GetParam())->compress(noisy_set({2, 2}, 3), foreign_map).status();
  EXPECT_EQ(status.kind(), StatusKind::invalid_argument);
  EXPECT_NE(status.message().find("3 patches"), std::string::npos) << status.message();

  EXPECT_FALSE(compressor(GetParam())->compress(noisy_set({2, 2}, 3), keep_ratio(1.5)).ok());
}

// Methods that choose rows on a request that they honour exactly.
class EveryChooser : public testing::TestWithParam<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(, EveryChooser,
                         testing::Values("grid", "random", "divprune", "temporal", "coverage", "dpp",
                                         "salience", "auto"),
                         [](const auto &method) { return std::string(method.param); });

// If this fails, a choosing method changes tokens, and the language model reads what no encoder wrote.
TEST_P(EveryChooser, LeavesTheChosenRowsAsTheyWere) {
  const auto tokens = noisy_set({6, 7}, 8);
  const auto kept = compress(GetParam(), tokens, keep_count(9));
  const auto places = places_of(kept);
  EXPECT_EQ(std::set<int>(places.begin(), places.end()).size(), 9U);
  for (int i = 0; i < kept.count(); ++i) {
    const auto was = tokens.row(places[static_cast<std::size_t>(i)]);
    const auto is = kept.row(i);
    EXPECT_TRUE(std::equal(was.begin(), was.end(), is.begin()));
  }
}

// If this fails, the gate's opinion of what matters does not reach the language model.
TEST_P(EveryChooser, TakesTheGatesPatchesFirst) {
  const auto tokens = noisy_set({2, 4}, 5);
  auto request = keep_count(3);
  request.keep = {0, 0, 1, 255, 0, 0, 7, 0};
  EXPECT_EQ(places_of(compress(GetParam(), tokens, request)), (Places{2, 3, 6}));
  request.amount.least = request.amount.most = 5;
  const auto filled = places_of(compress(GetParam(), tokens, request));
  EXPECT_EQ(filled.size(), 5U);
  for (const int wanted : {2, 3, 6}) EXPECT_NE(std::find(filled.begin(), filled.end(), wanted), filled.end());
}

// If this fails, a typing error in `method` leaves the user guessing.
TEST(MakeCompressor, NamesTheKnownOnesForAnUnknownOne) {
  const auto status = make_compressor("tome").status();
  EXPECT_EQ(status.kind(), StatusKind::invalid_argument);
  for (const auto name : compressor_names()) {
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
    EXPECT_EQ(compressor(name)->name(), name == "auto" ? "salience" : name);
  }
}

// If this fails, the control is not what a smaller input picture would give: columns or rows clump.
TEST(Grid, SpreadsOverBothDirections) {
  EXPECT_EQ(places_of(compress("grid", noisy_set({4, 4}, 2), keep_count(4))), (Places{5, 7, 13, 15}));
  EXPECT_EQ(places_of(compress("grid", noisy_set({1, 6}, 2), keep_count(2))), (Places{1, 4}));
  EXPECT_EQ(places_of(compress("grid", noisy_set({6, 1}, 2), keep_count(3))), (Places{1, 3, 5}));
}

// If this fails, the control is not what a smaller picture would give.
TEST(Downscale, AveragesEvenParts) {
  const auto found =
      compress("downscale", token_set({2, 4}, {{1}, {3}, {5}, {5}, {1}, {3}, {7}, {7}}), keep_count(2));
  EXPECT_EQ(found.values, (std::vector<float>{2, 6}));
  EXPECT_EQ(found.weights, (std::vector<float>{4, 4}));
  EXPECT_EQ(found.positions[0].y, 0.5F);
  EXPECT_EQ(found.positions[1].x, 2.5F);
}

// If this fails, a set that was compressed before cannot be averaged any further.
TEST(Downscale, TakesASetThatIsNoWholeGrid) {
  const auto part = compress("grid", noisy_set({6, 7}, 3), keep_count(17));
  EXPECT_FLOAT_EQ(sum(compress("downscale", part, keep_count(5)).weights), 17);
}

// If this fails, nobody can tell by which method the tokens of a picture were chosen.
TEST(EveryMethod, IsNamedByWhatItLeaves) {
  const auto tokens = noisy_set({6, 7}, 8);
  EXPECT_EQ(compress("dpp", tokens, keep_count(9)).method, "dpp");
  EXPECT_EQ(compress("auto", tokens, keep_count(9)).method, "salience");
  EXPECT_EQ(compress("auto", tokens, keep_count(42)).method, "");
}

// If this fails, the same places are lost in every frame, and a small thing that stands there is never seen.
TEST(Random, LosesOtherPlacesInOtherFrames) {
  auto tokens = noisy_set({6, 7}, 2);
  const auto first = places_of(compress("random", tokens, keep_count(9)));
  tokens.pts = Duration(40'000'000);
  EXPECT_NE(places_of(compress("random", tokens, keep_count(9))), first);
}

// If this fails, a crowd of equal tokens is kept more than once while something else is lost.
TEST(Coverage, OneOfACrowdStandsForAllOfIt) {
  const auto tokens = token_set({1, 6}, {{1, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 0, 0}, {0, 0, 1}, {1, 0, 0}});
  EXPECT_EQ(places_of(compress("coverage", tokens, keep_count(3))), (Places{0, 2, 4}));
}

// If this fails, coverage counts all places alike although a gate said which matter.
TEST(Coverage, WeighsByTheGatesMap) {
  auto request = keep_count(1);
  const auto tokens = token_set({1, 5}, {{1, 0}, {1, 0}, {1, 0}, {0, 1}, {0, 1}});
  EXPECT_EQ(places_of(compress("coverage", tokens, request)), Places{0});
  request.keep = {20, 20, 20, 255, 255};
  EXPECT_EQ(places_of(compress("coverage", tokens, request)), Places{3});
}

// If this fails, tokens that are nearly the same are both kept, or importance does not count.
TEST(Dpp, TakesWhatIsImportantAndUnlikeTheRest) {
  const auto tokens = token_set({1, 4}, {{1, 0, 0}, {0.99F, 0.14F, 0}, {0, 1, 0}, {0, 0, 1}});
  auto request = keep_count(3);
  EXPECT_EQ(places_of(compress("dpp", tokens, request)), (Places{0, 2, 3}));
  request = keep_count(1);
  request.keep = {50, 50, 200, 50};
  EXPECT_EQ(places_of(compress("dpp", tokens, request)), Places{2});
}

// If this fails, people are not counted: whoever looks like another goes as redundant, and background stays.
TEST(Salience, KeepsTwoThatLookAlikeInDifferentPlaces) {
  const std::vector<float> wall = {9, 1, 0, 0};
  const std::vector<float> shade = {9, 0.7F, 0.3F, 0};
  const std::vector<float> person = {9, 0, 3, 0};
  const std::vector<float> car = {9, 0, 0, 3};
  const auto tokens =
      token_set({1, 12}, {wall, person, wall, shade, wall, wall, car, wall, shade, wall, person, wall});
  EXPECT_EQ(places_of(compress("salience", tokens, keep_count(3))), (Places{1, 6, 10}));
  EXPECT_NE(places_of(compress("dpp", tokens, keep_count(3))), (Places{1, 6, 10}));
}

// If this fails, the gate's opinion of what matters more does not count.
TEST(Salience, WeighsByTheGatesMap) {
  const auto tokens = token_set({1, 4}, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}});
  auto request = keep_count(1);
  request.keep = {50, 50, 200, 50};
  EXPECT_EQ(places_of(compress("salience", tokens, request)), Places{2});
}

// If this fails, clusters are not the means of what looks alike and lies together.
TEST(Cluster, AveragesNeighboursThatLookAlike) {
  const auto tokens = token_set({1, 6}, {{2, 0}, {4, 0}, {3, 0}, {0, 2}, {0, 4}, {0, 6}});
  const auto found = compress("cluster", tokens, keep_count(2));
  EXPECT_EQ(found.weights, (std::vector<float>{3, 3}));
  EXPECT_FLOAT_EQ(found.row(0)[0], 3);
  EXPECT_FLOAT_EQ(found.row(1)[1], 4);
  EXPECT_FLOAT_EQ(found.positions[0].x, 1);
  EXPECT_FLOAT_EQ(found.positions[1].x, 4);
}

// If this fails, clustering loses tokens: what is read no longer stands for the whole picture.
TEST(Cluster, KeepsTheWeight) {
  const auto tokens = noisy_set({6, 7}, 8);
  for (const int count : {1, 4, 13, 30})
    EXPECT_FLOAT_EQ(sum(compress("cluster", tokens, keep_count(count)).weights), 42);
}

// If this fails, merging loses tokens instead of averaging them.
TEST(Merge, AveragesTheClosestPairAtItsMeanPlace) {
  const auto tokens = token_set({1, 4}, {{1, 0}, {0, 4}, {0, 2}, {-1, 0}});
  const auto merged = compress("merge", tokens, keep_count(3));  // 2 (even) finds 1 (odd): cosine 1
  ASSERT_EQ(merged.count(), 3);
  EXPECT_EQ(merged.weights, (std::vector<float>{1, 2, 1}));
  EXPECT_EQ(merged.row(1)[1], 3);
  EXPECT_EQ(merged.positions[1].x, 1.5F);
}

// If this fails, a token that stands for many counts as little as one that stands for itself.
TEST(Merge, WeighsByWhatTheTokensStandFor) {
  auto tokens = token_set({1, 2}, {{0, 4}, {0, 1}});
  tokens.weights = {3, 1};
  const auto merged = compress("merge", tokens, keep_count(1));
  EXPECT_EQ(merged.weights, std::vector<float>{4});
  EXPECT_FLOAT_EQ(merged.row(0)[1], 3.25F);
}

// If this fails, strong compression stops at half, or weights no longer say how many tokens a row stands for.
TEST(Merge, GoesBeyondHalfAndKeepsTheWeight) {
  const auto tokens = noisy_set({6, 7}, 8);
  for (const int count : {1, 4, 13, 30}) {
    const auto merged = compress("merge", tokens, keep_count(count));
    EXPECT_EQ(merged.count(), count);
    EXPECT_FLOAT_EQ(sum(merged.weights), 42);
  }
}

// If this fails, repetition is kept and the one odd token is lost.
TEST(DivPrune, KeepsTheOddOneOut) {
  const auto tokens = token_set({1, 5}, {{1, 0}, {1, 0.01F}, {0, 1}, {1, 0.02F}, {-1, 0}});
  EXPECT_EQ(places_of(compress("divprune", tokens, keep_count(2))), (Places{0, 4}));
  EXPECT_EQ(places_of(compress("divprune", tokens, keep_count(3))), (Places{0, 2, 4}));
}

KeepRequest after(const TemporalReference &reference) {
  KeepRequest request;
  request.previous = reference.tokens();
  return request;
}

// If this fails, what stands still is read again and again.
TEST(Temporal, KeepsOnlyThePlacesThatChanged) {
  TemporalReference reference;
  const auto before = token_set({2, 2}, {{1, 0}, {0, 1}, {1, 1}, {-1, 1}});
  EXPECT_EQ(compress("temporal", before, after(reference)).count(), 4);
  reference.commit(before);

  const auto now = token_set({2, 2}, {{1, 0}, {0, -1}, {2, 2}, {-1, 1}});
  EXPECT_EQ(places_of(compress("temporal", now, after(reference))), Places{1});
}

// If this fails, keep does not bound a picture in which everything moved, or takes the least changed places.
TEST(Temporal, TakesTheMostChangedWhenTheyAreTooMany) {
  TemporalReference reference;
  reference.commit(token_set({1, 3}, {{1, 0}, {1, 0}, {1, 0}}));
  const auto now = token_set({1, 3}, {{1, 1}, {-1, 0}, {0, 1}});
  auto request = after(reference);
  request.amount.least = request.amount.most = 2;
  EXPECT_EQ(places_of(compress("temporal", now, request)), (Places{1, 2}));
}

// If this fails, a slow drift (dusk, a creeping car) never reaches the language model.
TEST(Temporal, SlowDriftFiresBecauseADroppedPlacesReferenceStands) {
  TemporalReference reference;
  constexpr double kStep = 0.05;  // radians; one step is a cosine of 0.9988, far above the threshold
  int fired_at = 0;
  for (int frame = 0; frame < 30 && fired_at == 0; ++frame) {
    const auto angle = kStep * frame;
    const auto now =
        token_set({1, 2}, {{static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))},
                           {frame % 2 ? 1.0F : -1.0F, 0}});  // the second place changes in every frame
    const auto kept = compress("temporal", now, after(reference));
    reference.commit(kept);
    const auto places = places_of(kept);
    if (frame > 0 && std::find(places.begin(), places.end(), 0) != places.end()) fired_at = frame;
  }
  EXPECT_EQ(fired_at, 7);  // cos(0.35) = 0.939 is the first below 0.95
}

// If this fails, tokens of another model or grid are compared with each other.
TEST(Temporal, AReferenceOfAnotherShapeCountsAsNone) {
  TemporalReference reference;
  reference.commit(token_set({1, 2}, {{1, 0}, {1, 0}}));
  const auto now = token_set({2, 1}, {{1, 0}, {1, 0}});
  EXPECT_EQ(compress("temporal", now, after(reference)).count(), 2);
  reference.commit(now);
  EXPECT_EQ(reference.tokens()->grid, now.grid);
  reference.clear();
  EXPECT_EQ(reference.tokens(), nullptr);
}

}  // namespace
}  // namespace saccade
