// What the tests of tiny pairs share: a pair, sessions on it, and what they said.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mllm/session.h"
#include "plain_libmtmd.h"
#include "vision/vision_encoder.h"

namespace saccade {

class TinyPair {
 protected:
  // Skips the test where the pair is not there.
  void open(const std::string &family) {
    files_ = tiny_pair(family);
    if (!std::filesystem::exists(files_.mmproj)) GTEST_SKIP() << no_tiny_pair(files_);
    auto pair = ModelPair::open(files_);
    ASSERT_TRUE(pair.ok()) << pair.status().message();
    pair_ = pair.value();
    auto encoder = make_encoder(pair_, {.kind = EncoderKind::libmtmd});
    ASSERT_TRUE(encoder.ok()) << encoder.status().message();
    encoder_ = std::move(encoder).value();
  }

  static SessionOptions options(int max_context = kContext, int max_tokens = kMaxTokens) {
    SessionOptions options;
    options.max_context = max_context;
    options.max_tokens = max_tokens;
    return options;
  }
  std::unique_ptr<Session> session(const SessionOptions &options) const {
    auto session = Session::create(pair_, options);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return std::move(session).value();
  }

  static Said ask(Session &session, const std::string &question, const std::vector<EncodedImage> &images) {
    Said said;
    AskOptions options;
    options.listener = [&said](std::string_view piece) { said.text += piece; };
    const auto answer = session.ask(question, images, {}, options);
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    if (answer.ok()) said.log_probabilities = answer.value().token_log_probabilities;
    return said;
  }

  EncodedImage tiles(const Image &image) const {
    auto encoded = encoder_->encode_tiles(image.view(), {});
    EXPECT_TRUE(encoded.ok()) << encoded.status().message();
    return std::move(encoded).value();
  }

  ModelFiles files_;
  std::shared_ptr<ModelPair> pair_;
  std::unique_ptr<VisionEncoder> encoder_;
};

}  // namespace saccade
