// Walks through a grammar with the shipped model's vocabulary, in which each byte is a token, too.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "mllm/grammar.h"
#include "mllm/token_index.h"
#include "street_pictures.h"
#include "vision/llama_handles.h"

namespace saccade {

inline std::shared_ptr<ModelPair> shipped_pair() {
  auto pair = ModelPair::open(shipped_model());
  EXPECT_TRUE(pair.ok()) << pair.status().message();
  return pair.value();
}

inline const llama_vocab *vocabulary_of(const ModelPair &pair) {
  return llama_model_get_vocab(pair.impl().text.get());
}

inline std::vector<float> random_logits(const ModelPair &pair, std::mt19937 &random) {
  std::vector<float> logits(static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary_of(pair))));
  std::normal_distribution<float> one(0, 3);
  for (float &logit : logits) logit = one(random);
  return logits;
}

// What a model of random opinions says; nothing when it gets stuck or finds no end.
inline std::optional<std::string> random_text(const ModelPair &pair, const Grammar &grammar, unsigned seed) {
  constexpr int kMostTokens = 20000;
  std::mt19937 random(seed);
  auto walk = grammar.start();
  std::string text;
  for (int i = 0; i < kMostTokens; ++i) {
    const auto choice = walk.choose(random_logits(pair, random));
    if (!choice || !walk.accept(choice->token).ok()) return std::nullopt;
    if (llama_vocab_is_eog(vocabulary_of(pair), choice->token)) return text;
    text += text_of(vocabulary_of(pair), choice->token).value();
  }
  return std::nullopt;
}

// Whether the whole text follows the grammar, byte by byte.
inline bool takes(const ModelPair &pair, const Grammar &grammar, std::string_view text) {
  const TokenIndex index(vocabulary_of(pair));
  auto walk = grammar.start();
  for (const char c : text)
    if (!walk.accept(index.alone(static_cast<std::uint8_t>(c)).value()).ok()) return false;
  return walk.may_end();
}

}  // namespace saccade
