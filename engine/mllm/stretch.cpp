#include "mllm/stretch.h"

#include <algorithm>

namespace saccade {
namespace {

std::size_t alike(const TextTokens &a, const TextTokens &b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::size_t alike(const TokenSet &a, const TokenSet &b) {
  if (a.dimension != b.dimension || a.dimension <= 0) return 0;
  const auto values =
      static_cast<std::size_t>(std::ranges::mismatch(a.values, b.values).in1 - a.values.begin());
  return values / static_cast<std::size_t>(a.dimension);
}

}  // namespace

std::size_t alike_at_start(const Stretch &a, const Stretch &b) {
  if (a.index() != b.index()) return 0;
  if (const auto *words = std::get_if<TextTokens>(&a)) return alike(*words, std::get<TextTokens>(b));
  return alike(*std::get<SharedTokens>(a), *std::get<SharedTokens>(b));
}

}  // namespace saccade
