// Visual tokens: what an encoder makes of a picture and a language model reads. Those of a sound, too.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/patch_grid.h"
#include "base/time.h"

namespace saccade {

// Where a token came from: t in seconds of stream time, y and x in patches of the encoder's grid.
// A merged token carries the weighted mean of its members' positions.
struct TokenPosition {
  float t = 0;
  float y = 0;
  float x = 0;
};

// What tokens tell of. A picture's lie on a grid; a sound's follow one another as words do, at y = x = 0.
enum class Sense { sight, sound };

// n tokens of d floats each. Row i of `values` belongs to positions[i] and weights[i], where a weight
// is the number of encoder tokens that the row stands for. Rows are in reading order (t, y, x).
// Shared between threads only as std::shared_ptr<const TokenSet>, and never changed after that.
struct TokenSet {
  int dimension = 0;                     // d
  std::vector<float> values;             // n * d
  std::vector<TokenPosition> positions;  // n
  std::vector<float> weights;            // n
  PatchGrid grid;                        // the encoder's grid, before compression
  int seen = 0;                          // encoder tokens before compression
  std::string_view method;  // by which some were left out, a TokenCompressor's; empty = none were
  StreamTime pts{};         // of the frame that was encoded
  Duration encode_time{};   // that the encoder spent on it; zero when it was used again
  double encoded = 1;       // share of the picture's patches that it encoded for it; likewise
  Sense sense = Sense::sight;

  int count() const { return static_cast<int>(positions.size()); }
  std::span<const float> row(int i) const {
    return std::span(values).subspan(static_cast<std::size_t>(i) * static_cast<std::size_t>(dimension),
                                     static_cast<std::size_t>(dimension));
  }
};

using SharedTokens = std::shared_ptr<const TokenSet>;

}  // namespace saccade
