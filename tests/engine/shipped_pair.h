// A fixture with the shipped model: sessions on it, and two pictures that it tells apart.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <utility>

#include "mllm/session.h"
#include "street_pictures.h"
#include "vision/vision_encoder.h"

namespace saccade {

class ShippedPair : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = ModelPair::open(shipped_model());
    ASSERT_TRUE(pair.ok()) << pair.status().message();
    pair_ = pair.value();
    auto encoder = make_encoder(pair_);
    ASSERT_TRUE(encoder.ok()) << encoder.status().message();
    encoder_ = std::move(encoder).value();
    for (const bool day : {true, false}) {
      const auto image = plain_street(encoder_->input().width, encoder_->input().height, day);
      auto tokens = encoder_->encode(image.view(), {}, {});
      ASSERT_TRUE(tokens.ok()) << tokens.status().message();
      (day ? day_ : night_) = std::move(tokens).value();
    }
  }

  std::unique_ptr<Session> session(const SessionOptions &options = {}) const {
    auto session = Session::create(pair_, options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return std::move(session).value();
  }
  // The same picture each time it is shown, to a cache.
  EncodedImage picture(bool day) const { return encoder_->overview(day ? day_ : night_); }
  // Another picture that looks the same, from its first token on.
  EncodedImage another(bool day) {
    auto tokens = std::make_shared<TokenSet>(day ? *day_ : *night_);
    tokens->values.front() += 1e-5F * static_cast<float>(++others_ % 1000);
    return encoder_->overview(std::move(tokens));
  }

  std::shared_ptr<ModelPair> pair_;
  std::unique_ptr<VisionEncoder> encoder_;
  SharedTokens day_, night_;
  std::atomic<int> others_ = 0;
};

}  // namespace saccade
