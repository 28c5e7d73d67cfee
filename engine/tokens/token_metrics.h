// What a compression lost, measured without labels or a language model.
#pragma once

#include "base/status.h"
#include "tokens/token_set.h"

namespace saccade {

struct TokenMetrics {
  // Sum of squared distances of the original rows to their nearest kept row, over that to their own
  // mean: 0 = nothing lost, 1 = no better than one average token. 0 when all rows are equal and kept.
  double quantisation_error = 0;
  // Share of the original rows with a kept row at cosine >= 0.90; [0, 1].
  double coverage = 0;
};

// invalid_argument: one of the sets is empty, or their dimensions differ.
Result<TokenMetrics> measure_compression(const TokenSet &original, const TokenSet &compressed);

}  // namespace saccade
