// A fixture with the shipped model: sessions on it, and two pictures that it tells apart.
#pragma once

#include <gtest/gtest.h>

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
  // Another picture that looks the same.
  EncodedImage another(bool day) const {
    return encoder_->overview(std::make_shared<TokenSet>(day ? *day_ : *night_));
  }

  std::shared_ptr<ModelPair> pair_;
  std::unique_ptr<VisionEncoder> encoder_;
  SharedTokens day_, night_;
};

}  // namespace saccade
