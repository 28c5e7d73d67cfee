// What a model's metadata make of its tokens' probabilities; damaged ones must never make an answer look
// sure.
#include "mllm/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mllm/answer.h"
#include "street_pictures.h"
#include "vision/llama_handles.h"

namespace saccade {
namespace {

using Metadata = std::map<std::string, std::string>;

Calibration calibration_of(const Metadata &metadata) {
  return Calibration::of([&](const std::string &key) -> std::optional<std::string> {
    const auto found = metadata.find(key);
    if (found == metadata.end()) return std::nullopt;
    return found->second;
  });
}

// As calibrate.py writes them.
Metadata keys() {
  return {{"saccade.confidence.statement_tokens", "3.0000"},
          {"saccade.confidence.slope", "1.2000"},
          {"saccade.confidence.offset", "-0.0200"},
          {"general.name", "any"}};
}

std::vector<float> tokens(std::initializer_list<double> probabilities) {
  std::vector<float> logarithms;
  for (const double p : probabilities) logarithms.push_back(static_cast<float>(std::log(p)));
  return logarithms;
}

// Other people's models have no such keys; their figure must stay what it was.
TEST(ConfidenceTest, WithoutKeysItIsTheGeometricMean) {
  const auto plain = calibration_of({{"general.name", "any"}});
  EXPECT_TRUE(plain.is_plain());
  EXPECT_EQ(plain.complaint(), "");
  for (const auto &said : {tokens({0.5, 0.125}), tokens({1.0}), tokens({0.9, 1e-30, 0.3}), tokens({})})
    EXPECT_FLOAT_EQ(plain(said), confidence_of(said));
}

// The numbers are of calibrate.py's own formula (tests/training has the same ones): if the two differ, what
// was measured is not what users get.
TEST(ConfidenceTest, WithKeysItIsWhatWasMeasured) {
  const auto calibration = calibration_of(keys());
  EXPECT_EQ(calibration.complaint(), "");
  EXPECT_FALSE(calibration.is_plain());
  EXPECT_NEAR(calibration(tokens({0.9})), 0.931927F, 1e-5F);
  EXPECT_NEAR(calibration(tokens({0.99, 0.5})), 0.489002F, 1e-5F);
  EXPECT_NEAR(calibration(std::vector<float>(50, std::log(0.95F))), 0.894011F, 1e-5F);
  EXPECT_NEAR(calibration(tokens({1.0})), 0.999984F, 1e-6F);
  EXPECT_NEAR(calibration(std::vector<float>{-50.0F}), 1.55367e-5F, 1e-9F);
}

// A router that compares with a threshold relies on it.
TEST(ConfidenceTest, AMoreProbableTokenNeverMeansLess) {
  const auto calibration = calibration_of(keys());
  for (const std::size_t count : {1U, 2U, 3U, 4U, 60U}) {
    float before = 0;
    for (float last = -120; last <= 0; last += 0.37F) {
      std::vector<float> said(count, -0.2F);
      said.back() = last;
      const float now = calibration(said);
      EXPECT_GE(now, before) << count << " tokens, the last " << last;
      EXPECT_LE(now, 1.0F);
      before = now;
    }
  }
}

// Logits of a broken model must count as doubtful, and never as sure.
TEST(ConfidenceTest, WhatIsNotANumberIsNoConfidence) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto &calibration : {Calibration(), calibration_of(keys())}) {
    EXPECT_EQ(calibration(std::vector<float>{}), 0.0F);
    EXPECT_EQ(calibration(std::vector<float>{-0.1F, kNan}), 0.0F);
    EXPECT_LT(calibration(std::vector<float>{-0.1F, -kInfinity}), 1e-4F);
    EXPECT_LE(calibration(std::vector<float>{0.5F}), 1.0F);
  }
}

// Each of these is in some file one day: the answer must keep its plain figure, and the person be told which
// key.
TEST(ConfidenceTest, ADamagedKeyIsNamedAndThePlainMeanStands) {
  for (const auto &[key, value] : keys()) {
    if (key == "general.name") continue;
    for (const std::string damaged : {"", "nan", "inf", "-inf", "many", "1e300", "1,5", "2.0 ", " 2.0",
                                      "2.0x", "[2.0]", "0x2p1", "-1e9"}) {
      auto metadata = keys();
      metadata[key] = damaged;
      const auto calibration = calibration_of(metadata);
      EXPECT_TRUE(calibration.is_plain()) << key << " = " << damaged;
      EXPECT_NE(calibration.complaint().find(key + " is \"" + damaged + '"'), std::string::npos)
          << calibration.complaint();
      EXPECT_FLOAT_EQ(calibration(tokens({0.5, 0.125})), 0.25F);
    }
  }
}

// A slope of 0 or less would call the surest answers the most doubtful; a statement has a token at least.
TEST(ConfidenceTest, ValuesThatCannotHaveBeenMeasuredAreDamage) {
  const std::pair<std::string, std::string> wrong[] = {{"saccade.confidence.slope", "0"},
                                                       {"saccade.confidence.slope", "-1.2"},
                                                       {"saccade.confidence.statement_tokens", "0.5"}};
  for (const auto &[key, value] : wrong) {
    auto metadata = keys();
    metadata[key] = value;
    EXPECT_TRUE(calibration_of(metadata).is_plain()) << key << " = " << value;
  }
}

TEST(ConfidenceTest, AMissingKeyIsNamed) {
  for (const auto &[key, value] : keys()) {
    if (key == "general.name") continue;
    auto metadata = keys();
    metadata.erase(key);
    const auto calibration = calibration_of(metadata);
    EXPECT_TRUE(calibration.is_plain());
    EXPECT_NE(calibration.complaint().find(key + " is missing"), std::string::npos)
        << calibration.complaint();
  }
}

// A file's bytes go into a log and a message: neither a megabyte of them, nor what a terminal would obey.
TEST(ConfidenceTest, AComplaintIsShortAndPrintable) {
  auto metadata = keys();
  metadata["saccade.confidence.slope"] = "\x1b[2J\n" + std::string(1'000'000, '\xff');
  const auto complaint = calibration_of(metadata).complaint();
  EXPECT_LT(complaint.size(), 400U);
  EXPECT_EQ(complaint.find_first_of("\x1b\n\xff"), std::string::npos) << complaint;
}

// If this fails, the shipped models' files lost what makes their confidence a share of right answers.
TEST(ConfidenceTest, TheShippedModelsAreCalibrated) {
  for (const std::string role : {"edge", "cloud"}) {
    auto files = shipped_model();
    for (auto *path : {&files.text, &files.mmproj}) path->replace(path->rfind("edge"), 4, role);
    const auto pair = ModelPair::open(files);
    ASSERT_TRUE(pair.ok()) << pair.status().message();
    const auto calibration = Calibration::of(pair.value()->impl().text.get());
    EXPECT_EQ(calibration.complaint(), "");
    EXPECT_FALSE(calibration.is_plain()) << role;
  }
}

}  // namespace
}  // namespace saccade
