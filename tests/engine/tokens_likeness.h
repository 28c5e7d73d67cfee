// How alike rows of numbers are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "tokens/token_set.h"

namespace saccade {

inline double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// Of the tokens that are least alike; -1 for sets of other sizes.
inline double worst_cosine(const TokenSet &a, const TokenSet &b) {
  if (a.count() != b.count() || a.dimension != b.dimension) return -1;
  double worst = 1;
  for (int t = 0; t < a.count(); ++t) worst = std::min(worst, cosine(a.row(t), b.row(t)));
  return worst;
}

}  // namespace saccade
