// How hard a picture is for a small model, after MoA-Off (arXiv 2509.16995): a weighted sum of resolution,
// edge density, grey entropy and Laplacian variance. Edge density is measured against absolute levels, not
// inside the one frame, where a noisy blank picture looks as complex as a crowd. A question's is its length
// and how densely it names things. Pure functions.
#pragma once

#include <span>
#include <string_view>

#include "sparsity/patch_statistics.h"

namespace saccade {

struct ComplexityParts {
  double resolution = 0;  // [0, 1], pixels over 1280 x 720
  double edges = 0;       // [0, 1], share of patches with much structure, softly
  double entropy = 0;     // [0, 1], of the grey histogram, over 8 bits
  double sharpness = 0;   // [0, 1], Laplacian variance

  double total() const;  // [0, 1]
};

ComplexityParts complexity_of(const PatchStatistics &statistics);

// [0, 1]: half for length (30 words or more), half for entities (one word in two or more): numbers, words in
// quotation marks, and words with a capital that do not begin a sentence. Letters beyond ASCII count as small
// ones.
double text_complexity_of(std::string_view question);

}  // namespace saccade
