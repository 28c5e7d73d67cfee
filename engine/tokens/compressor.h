// Training-free compression of visual tokens: fewer rows for the language model, at the least loss.
// One file per method, named as in the literature. All methods work on the encoder's output alone.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"
#include "tokens/token_set.h"

namespace saccade {

// How many rows to keep: round(ratio * n), but no fewer than `least` and no more than `most`, which wins;
// always at least one of a non-empty set, never more than there are.
struct KeepAmount {
  double ratio = 1.0;  // [0, 1] of the set's rows
  int least = 1;
  int most = std::numeric_limits<int>::max();

  int rows_of(int available) const;
};

struct KeepRequest {
  KeepAmount amount;
  // Importance per patch of the set's grid; empty = all alike. Methods that choose rows take one of a
  // patch at 0 only when the other patches do not fill the count.
  PatchMap keep;
  // What the consumer holds for each place, as TemporalReference keeps it; null = nothing yet. Only
  // `temporal` looks at it.
  SharedTokens previous;
};

// Stateless: one object may be used from several threads at once.
class TokenCompressor {
 public:
  virtual ~TokenCompressor() = default;
  virtual std::string_view name() const = 0;

  // Rows come back in reading order (t, then y rounded to its patch row, then x), with `seen`, `grid`
  // and `pts` of `tokens`. Methods that choose leave a row and its weight as they were; methods that
  // merge return weighted means whose weights sum to those of `tokens`. The same input gives the
  // same output. invalid_argument: the set's vectors disagree in length, the ratio lies outside
  // [0, 1], or the keep map does not fit the grid.
  Result<TokenSet> compress(const TokenSet &tokens, const KeepRequest &request) const;

 private:
  // `tokens` and `request` are sound, and 1 <= rows <= tokens.count().
  virtual TokenSet reduce(const TokenSet &tokens, const KeepRequest &request, int rows) const = 0;
};

// auto, none, grid, random, downscale, merge, divprune, temporal, coverage, dpp, cluster, salience.
std::span<const std::string_view> compressor_names();

// invalid_argument, with the list of known names, for any other name.
Result<std::unique_ptr<TokenCompressor>> make_compressor(std::string_view name);

}  // namespace saccade
