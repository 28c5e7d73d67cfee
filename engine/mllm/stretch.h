// What a language model reads, piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "tokens/token_set.h"

namespace saccade {

using TextTokens = std::vector<std::int32_t>;

// Text tokens, or those of one picture or sound. Two are equal when they hold the same words, or are the very
// same picture or sound: those that are merely alike never pass for one another.
using Stretch = std::variant<TextTokens, SharedTokens>;

// Cells of a KV cache that it fills.
inline int cells_of(const Stretch &stretch) {
  if (const auto *text = std::get_if<TextTokens>(&stretch)) return static_cast<int>(text->size());
  return std::get<SharedTokens>(stretch)->count();
}

template <typename Stretches>
int cells_of_all(const Stretches &stretches) {
  int cells = 0;
  for (const auto &stretch : stretches) cells += cells_of(stretch);
  return cells;
}

// Tokens at the start of both that are the same: words, or values to the bit.
std::size_t alike_at_start(const Stretch &a, const Stretch &b);

}  // namespace saccade
