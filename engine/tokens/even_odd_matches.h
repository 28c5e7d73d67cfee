// Bipartite soft matching (ToMe, arXiv 2210.09461): which rows say nearly what another one says.
#pragma once

#include <span>
#include <vector>

namespace saccade {

struct Match {
  int from = 0;  // an even place
  int to = 0;    // an odd place
  float similarity = 0;
};

// values: rows of `width` floats. The best partner, by cosine, of each row at an even place among those at
// odd places; most similar first, ties in the order of the rows. Empty for fewer than two rows.
std::vector<Match> match_even_to_odd(std::span<const float> values, int width);

}  // namespace saccade
