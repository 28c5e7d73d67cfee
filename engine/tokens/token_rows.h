// What the compressors share: rows as Eigen sees them, and choosing some of them.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "tokens/compressor.h"
#include "tokens/token_set.h"

namespace saccade {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// n x d, a view of tokens.values; valid as long as they are.
Eigen::Map<const RowMatrix> rows_of(const TokenSet &tokens);

// Rows scaled to length 1, so that a dot product is a cosine; a row of zeros, or with an infinity or a NaN in
// it, becomes zeros.
RowMatrix unit_rows(const Eigen::Ref<const RowMatrix> &rows);
RowMatrix unit_rows_of(const TokenSet &tokens, const std::vector<int> &chosen);  // of these rows alone

// What the keep map says about row i, in [0, 1]; 1 without a map.
float importance_of(const TokenSet &tokens, const PatchMap &keep, int i);
// Row i of `rows` by the importance of token chosen[i], which is taken for a little more than nothing at 0.
void scale_by_importance(RowMatrix &rows, const TokenSet &tokens, const PatchMap &keep,
                         const std::vector<int> &chosen);

// Index of the patch that row i lies in, row by row over tokens.grid; 0 for an empty grid.
int patch_of(const TokenSet &tokens, int i);

// Rows that a choosing method may take, ascending: those of patches above 0 in the keep map, and, as
// far as these do not fill `rows`, the first of the others. All rows without a map.
std::vector<int> candidates(const TokenSet &tokens, const KeepRequest &request, int rows);

// The chosen rows (any order, no doubles), in reading order.
TokenSet select_rows(const TokenSet &tokens, std::vector<int> chosen);

// Weighted means of the rows of each group, in reading order. groups[i], of row i, in [0, count); none is
// empty.
TokenSet means_of(const TokenSet &tokens, const std::vector<int> &groups, int count);

// Sorts rows into reading order: t, then y rounded to its patch row, then x.
void sort_reading_order(TokenSet &tokens);

}  // namespace saccade
