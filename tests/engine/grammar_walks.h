// Walks through a grammar with the shipped model's vocabulary, in which each byte is a token, too.
#pragma once

#include <array>
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

struct Vocabulary {
  Vocabulary() : pair(ModelPair::open(shipped_model()).value()), tokens(llama()) {
    for (const auto &token : tokens.tokens())
      if (token.length == 1) bytes[static_cast<std::uint8_t>(tokens.text(token).front())] = token.id;
  }

  const llama_vocab *llama() const { return llama_model_get_vocab(pair->impl().text.get()); }
  std::int32_t count() const { return llama_vocab_n_tokens(llama()); }
  std::int32_t byte(char c) const { return bytes[static_cast<std::uint8_t>(c)]; }
  std::int32_t end() const { return tokens.ends().front(); }

  std::shared_ptr<ModelPair> pair;
  TokenIndex tokens;
  std::array<std::int32_t, 256> bytes{};
};

inline std::vector<float> random_logits(const Vocabulary &vocabulary, std::mt19937 &random) {
  std::vector<float> logits(static_cast<std::size_t>(vocabulary.count()));
  std::normal_distribution<float> one(0, 3);
  for (float &logit : logits) logit = one(random);
  return logits;
}

// What a model of random opinions says; nothing when it gets stuck or finds no end.
inline std::optional<std::string> random_text(const Vocabulary &vocabulary, const Grammar &grammar,
                                              unsigned seed) {
  constexpr int kMostTokens = 20000;
  std::mt19937 random(seed);
  auto walk = grammar.start();
  std::string text;
  for (int i = 0; i < kMostTokens; ++i) {
    const auto choice = walk.choose(random_logits(vocabulary, random));
    if (!choice || !walk.accept(choice->token).ok()) return std::nullopt;
    if (vocabulary.tokens.is_end(choice->token)) return text;
    text += vocabulary.tokens.text_of(choice->token);
  }
  return std::nullopt;
}

// Whether the whole text follows the grammar, byte by byte.
inline bool takes(const Vocabulary &vocabulary, const Grammar &grammar, std::string_view text) {
  auto walk = grammar.start();
  for (const char c : text)
    if (!walk.accept(vocabulary.byte(c)).ok()) return false;
  return walk.may_end();
}

}  // namespace saccade
